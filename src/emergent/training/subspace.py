"""Equivariant training, then unconstrained training on all rotations, watching the distance from equivariance.

In: resident images and the stage of an arm. Out: for a block of runs the distance of every layer from the subspace E of
equivariant networks, after every step of the second phase. The engine trains both phases; what is here are the
network, its bases and how images become batches.

References:
    arXiv 2303.13458, experimental results of the later versions.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from emergent.config.subspace_training import Parametrisation, Phase, SubspaceStage
from emergent.config.training import Training
from emergent.domains.arrays import ArrayData
from emergent.domains.samples import Samples
from emergent.errors import DataError
from emergent.groups.actions import TrivialAction
from emergent.groups.images import ImageAction, image_action, orbit
from emergent.models.subspace_cnn import (
    Basis,
    Coordinates,
    SubspaceCnn,
    coordinates_of,
    distance,
    equivariant_basis,
    initial_coordinates,
    unconstrained_basis,
    weights,
)
from emergent.point_groups import group_from_name
from emergent.prng import member_key
from emergent.storage import Array as StoredArray
from emergent.training.engine import Divergence, train_members
from emergent.training.parameters import from_flat
from emergent.training.program import KeyNames, Program
from emergent.training.step import Learner, batch_gradient, make_optimiser

NUM_ROTATIONS = 4
Progress = Callable[[int], None]


@dataclass(frozen=True)
class SubspaceResult:
    """A trained block of M runs with L + 1 layers, E epochs of S steps in the second phase.

    Attributes:
        initial: [M, L + 1] distance from E before the second phase.
        distances: [E, S, M, L + 1] after every step.
        losses: per phase [epochs, M], the mean loss of each epoch.
    """

    initial: np.ndarray
    distances: np.ndarray
    losses: tuple[np.ndarray, np.ndarray]


def network(stage: SubspaceStage) -> SubspaceCnn:
    """Returns the network of an arm."""
    height, _, num_inputs = stage.data.shape
    return SubspaceCnn(stage.network, stage.parametrisation.support, height, num_inputs)


def upright(samples: Samples) -> ArrayData:
    """Returns images as they are, for the first phase.

    Raises:
        DataError: the samples have no labels.
    """
    if samples.labels is None:
        raise DataError("training on classes needs labels, but the data set has none; choose another one.")
    one = TrivialAction(1)
    return ArrayData(jnp.asarray(samples.inputs), jnp.asarray(samples.labels), one, one, "full")


def _quarter_turns(images: ArrayData) -> ImageAction:
    _, height, width, _ = images.inputs.shape
    return image_action(group_from_name("C4"), height, width)


def rotated(images: ArrayData) -> Float[Array, "G N H W C"]:
    """Returns images in their four rotations."""
    action = _quarter_turns(images)
    return orbit(action, images.inputs).astype(images.inputs.dtype)


def augmented(images: ArrayData, batches: str) -> ArrayData:
    """Returns what the second phase draws batches from.

    Args:
        images: of the first phase.
        batches: ``shuffled`` makes a sample of every rotated copy, rotation after rotation; with ``whole_orbits`` an
            image is a sample, and brings its four rotations into the batch.
    """
    if batches == "whole_orbits":
        action = _quarter_turns(images)
        return ArrayData(images.inputs, images.targets, action, TrivialAction(NUM_ROTATIONS), "full")
    copies = rotated(images)
    labels: Int[Array, " GN"] = jnp.tile(images.targets, NUM_ROTATIONS)
    return ArrayData(copies.reshape(-1, *copies.shape[2:]), labels, images.on_inputs, images.on_targets, "full")


def make_loss(model: SubspaceCnn) -> Callable[[Coordinates, Basis, Array, Array], Array]:
    """Returns ``loss(coordinates, basis, inputs, labels)``: squared error against one-hot targets, mean of entries."""

    def loss(coordinates: Coordinates, basis: Basis, inputs: Array, labels: Array) -> Array:
        outputs = model.outputs(weights(basis, coordinates), inputs)
        return jnp.square(outputs - jax.nn.one_hot(labels, outputs.shape[-1], dtype=outputs.dtype)).mean()

    return loss


def _key(key: Array, number: int) -> Array:
    # The start has number 0 and the basis of the second phase number 1.
    return jax.random.fold_in(key, number)


def _settings(phase: Phase, precision: str, images_per_sample: int) -> Training:
    """Returns the settings of the engine; its named losses are not used."""
    return Training(
        loss="mse",
        optimiser="sgd",
        learning_rate=phase.learning_rate,
        batch_size=phase.batch_size // images_per_sample,
        num_epochs=phase.num_epochs,
        matmul_precision=precision,  # type: ignore[arg-type]
    )


def first_phase(stage: SubspaceStage, images: ArrayData) -> Program:
    """Returns the program that trains coordinates in the basis of E."""
    model, phase = network(stage), stage.train.equivariant
    target = equivariant_basis(model)

    def initialise(key: Array, sample: Array, given: None) -> tuple[Coordinates, Basis]:
        del given
        basis = Basis(*(jnp.asarray(part, sample.dtype) for part in target))
        return initial_coordinates(model, _key(key, 0), sample.dtype), basis

    learner = Learner(initialise, batch_gradient(make_loss(model)), make_optimiser("sgd", phase.learning_rate))
    settings = _settings(phase, stage.train.matmul_precision, 1)
    return Program(settings, learner, images.num_samples, vectorised=True)


def second_phase(stage: SubspaceStage, images: ArrayData) -> Program:
    """Returns the program that trains coordinates of the whole space, given with their basis."""
    model, phase = network(stage), stage.train.augmented
    target = equivariant_basis(model)

    def observe(coordinates: Coordinates, basis: Basis, loss: Array) -> Float[Array, " L"]:
        del loss
        return distance(target, weights(basis, coordinates))

    learner = Learner(
        lambda key, sample, given: given,
        batch_gradient(make_loss(model)),
        make_optimiser("sgd", phase.learning_rate),
        observe,
    )
    whole = stage.parametrisation.batches == "whole_orbits"
    settings = _settings(phase, stage.train.matmul_precision, NUM_ROTATIONS if whole else 1)
    epochs = stage.train.equivariant.num_epochs
    return Program(settings, learner, images.num_samples, vectorised=True, first_epoch=epochs)


def switch(
    model: SubspaceCnn, parametrisation: Parametrisation, key: Array, state: Coordinates
) -> tuple[Coordinates, Basis, Array]:
    """Returns coordinates and basis of the same weights for the second phase, and their distance from E."""
    target = equivariant_basis(model)
    drawn = unconstrained_basis(model, parametrisation.basis, _key(key, 1))
    free = Basis(*(jnp.asarray(part, state[0].dtype) for part in drawn))
    layers = weights(Basis(*(jnp.asarray(part, state[0].dtype) for part in target)), state)
    state = coordinates_of(free, layers)
    # Of the weights that the second phase begins with, rounding by the change of basis included.
    return state, free, distance(target, weights(free, state))


def train_subspace(
    stage: SubspaceStage, members: tuple[int, ...], images: ArrayData, on_progress: Progress | None = None
) -> SubspaceResult:
    """Returns the distances from E of a block of runs.

    Args:
        stage: settings of the arm.
        members: indices over all runs.
        images: resident training set.
        on_progress: called with the number of run-epochs just finished.

    Raises:
        DataError: a run's loss is not finite (names run and epoch), or a batch exceeds the data.
    """
    names = KeyNames(stage.seed, stage.experiment, stage.arm, stage.arm)
    model = network(stage)

    def words(phase: str, found: Divergence) -> str:
        return (
            f"run {found.member} of arm {stage.arm}: the loss is {found.loss} in epoch {found.epoch} of {phase} "
            f"training; nothing was written. Lower its learning rate."
        )

    first = first_phase(stage, images)
    more = augmented(images, stage.parametrisation.batches)
    second = second_phase(stage, more)
    num = len(members)
    found = train_members(first, names, members, images, partial(words, "equivariant"), num, on_progress)
    structure = jax.eval_shape(partial(initial_coordinates, model), jax.random.key(0))
    state = from_flat(structure, {name: value[-1] for name, value in found.parameters.items()})
    with jax.default_matmul_precision(stage.train.matmul_precision), jax.threefry_partitionable(True):
        keys = jax.vmap(lambda member: member_key(stage.seed, stage.experiment, stage.arm, member, "initialise"))(
            jnp.asarray(members)
        )
        state, basis, initial = jax.jit(jax.vmap(partial(switch, model, stage.parametrisation)))(keys, state)
    given: Any = (state, basis)
    result = train_members(second, names, members, more, partial(words, "augmented"), num, on_progress, given=given)
    distances = result.observed.reshape(len(result.losses), -1, *result.observed.shape[1:])
    return SubspaceResult(np.asarray(initial), distances, (found.losses, result.losses))


def result_arrays(members: tuple[int, ...], result: SubspaceResult) -> dict[str, StoredArray]:
    """Returns a trained block as arrays to be stored."""
    return {
        "members": StoredArray(np.asarray(members), ("member",), "1", "index over all runs"),
        "initial": StoredArray(result.initial, ("member", "layer"), "1", "distance from E before augmented training"),
        "distances": StoredArray(
            result.distances, ("epoch", "step", "member", "layer"), "1", "distance from E after every augmented step"
        ),
        "loss_equivariant": StoredArray(result.losses[0], ("epoch", "member"), "1", "mean loss of each epoch"),
        "loss_augmented": StoredArray(result.losses[1], ("epoch", "member"), "1", "mean loss of each epoch"),
    }

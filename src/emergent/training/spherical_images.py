"""Networks that learn from images on the sphere: spherical CNNs, and planar ones shown rotated copies.

In: the stage of an arm and planar images. Out: what ``emergent.training.spherical_tests`` finds of the trained networks
and their ensembles. The engine takes the steps and keeps the parameters that are best on validation images.

References:
    arXiv:2202.03990.
"""

import time
from collections.abc import Callable, Sequence
from functools import partial
from itertools import pairwise
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import linen as nn
from jaxtyping import Array as JaxArray

from emergent.config.spherical_images_training import OUTPUTS, SphereStage, SphericalCnn
from emergent.config.spherical_memory import step_bytes
from emergent.config.swin import SwinNetwork
from emergent.config.training import Training
from emergent.domains.spherical_images import Labelled, SphereSets, make_sets, points_of
from emergent.errors import DataError
from emergent.groups.rotation_harmonics import num_rotation_coefficients
from emergent.models.planar_cnn import PlanarCnnNet
from emergent.models.rotation_transforms import analyse, synthesise
from emergent.models.size import multiplications
from emergent.models.spherical_cnn import SphericalCnnNet
from emergent.models.swin import SwinNet
from emergent.storage import Array
from emergent.training.engine import Divergence, default_strategy, device_memory, train_members
from emergent.training.parameters import from_flat
from emergent.training.program import KeyNames, Program, member_keys
from emergent.training.spherical_tests import Tests, run_tests
from emergent.training.step import Learner, batch_gradient

VALIDATED = 256
"""Validation images that go through a network at a time."""
ATTENDED = 8
"""Images that a transformer learns from at a time on a CPU: what its many small operations hand on stays in caches."""

Times = dict[str, float]
"""Seconds, which differ from run to run."""


class SphereResident(NamedTuple):
    """Resident data.

    Attributes:
        inputs: training images [N, K, A] uint8.
        targets: labels or masks.
        validation_inputs: the same for validation.
        validation_targets: the same.
    """

    inputs: JaxArray
    targets: JaxArray
    validation_inputs: JaxArray
    validation_targets: JaxArray

    def example(self) -> JaxArray:
        """Returns inputs of one sample."""
        return self.inputs[:1, ..., None].astype(jnp.float32)


class Scaling(NamedTuple):
    """Mean and standard deviation of grey values of training images, over points of the grid.

    Attributes:
        mean: subtracted.
        std: divided by.
    """

    mean: float
    std: float

    def __call__(self, images: JaxArray) -> JaxArray:
        """Returns grey values 0..255 as inputs [N, K, A, 1]."""
        return (images[..., None].astype(jnp.float32) - self.mean) / self.std


def network_of(stage: SphereStage) -> nn.Module:
    """Returns the network of an arm."""
    if isinstance(stage.network, SphericalCnn):
        return SphericalCnnNet(stage.network, OUTPUTS[stage.task])
    if isinstance(stage.network, SwinNetwork):
        return SwinNet(stage.network, OUTPUTS[stage.task], "healpix" if stage.network.nside else "square")
    return PlanarCnnNet(stage.network, OUTPUTS[stage.task], stage.task == "segment")


def learner(stage: SphereStage, scaled: Scaling) -> Learner:
    """Returns how networks learn from images that are scaled."""
    module = network_of(stage)

    def objective(parameters: Any, held: Any, inputs: JaxArray, targets: JaxArray) -> JaxArray:
        del held
        outputs = module.apply(parameters, scaled(inputs))
        return optax.softmax_cross_entropy_with_integer_labels(outputs, targets.astype(jnp.int32)).mean()

    attends = isinstance(stage.network, SwinNetwork)
    of_batch = batch_gradient(objective, ATTENDED if attends and jax.default_backend() == "cpu" else None)

    class _Batch(NamedTuple):
        """The samples of one step."""

        data: SphereResident

        def batch(self, indices: JaxArray | None, key: JaxArray) -> tuple[JaxArray, JaxArray]:
            del key
            return self.data.inputs[indices], self.data.targets[indices]

    def gradient(
        parameters: Any, held: Any, data: SphereResident, indices: JaxArray | None, key: JaxArray
    ) -> tuple[JaxArray, Any]:
        return of_batch(parameters, held, _Batch(data), indices, key)

    def score(parameters: Any, held: Any, data: SphereResident) -> JaxArray:
        images, targets = data.validation_inputs, data.validation_targets
        if len(images) <= VALIDATED:
            return objective(parameters, held, images, targets)
        one = partial(objective, parameters, held)
        parts = jax.lax.map(lambda pair: one(pair[0][None], pair[1][None]), (images, targets), batch_size=VALIDATED)
        return parts.mean()

    def initialise(key: JaxArray, sample: JaxArray, given: Any) -> tuple[Any, tuple[()]]:
        del given
        return module.init(key, sample), ()

    # Steps are calls of their own on a CPU: neither convolutions nor transforms are fast inside of loops there.
    return Learner(
        initialise, gradient, optax.adam(stage.train.learning_rate), score=score, has_convolutions=not attends
    )


def round_trips(stage: SphereStage) -> np.ndarray:
    """Returns the relative error of a transform and its inverse on SO(3), in single precision, by layer; 0 if none.

    Raises:
        DataError: one exceeds the tolerance.
    """
    if not isinstance(stage.network, SphericalCnn):
        return np.zeros(1)
    generator, errors = np.random.default_rng(stage.seed), []
    to_coefficients = jax.jit(analyse, static_argnums=1)
    there_and_back = jax.jit(lambda given, limit: analyse(synthesise(given, limit), limit), static_argnums=1)
    for limit in stage.network.band_limits:
        values = generator.normal(size=(2 * limit, 2 * limit, 2 * limit, 1, 1)).astype(np.float32)
        given = to_coefficients(jnp.asarray(values), limit)
        found = there_and_back(given, limit)
        errors.append(float(jnp.linalg.norm((found - given).ravel()) / jnp.linalg.norm(given.ravel())))
        print(f"{stage.arm}: round trip of {num_rotation_coefficients(limit)} coefficients on SO(3): {errors[-1]:.2g}")
        if not errors[-1] <= stage.tolerance:
            raise DataError(
                f"arm {stage.arm}: transforms of bandwidth {limit} and back change coefficients by {errors[-1]:.2g}, "
                f"more than tolerance {stage.tolerance:g}; nothing was trained. Use smaller band_limits."
            )
    return np.asarray(errors)


def costs(stage: SphereStage) -> dict[str, Array]:
    """Returns parameters of a network, and multiplications for one image more, which leave kernels out."""
    module, points = network_of(stage), points_of(stage).shape[:-1]
    one, two = (jax.ShapeDtypeStruct((num, *points, 1), jnp.float32) for num in (1, 2))
    parameters = jax.eval_shape(module.init, jax.random.key(0), one)

    def total(weights: Any, values: JaxArray) -> JaxArray:
        return module.apply(weights, values).sum()  # pyright: ignore

    def more(function: Callable[..., Any]) -> int:
        return multiplications(function, parameters, two) - multiplications(function, parameters, one)

    numbers = {
        "num_parameters": (sum(leaf.size for leaf in jax.tree.leaves(parameters)), "of one network"),
        "inference": (more(module.apply), "multiplications for the outputs of one image"),
        "training": (more(jax.grad(total)), "multiplications for the gradient of one image"),
    }
    return {name: Array(np.asarray([value]), ("one",), "1", text) for name, (value, text) in numbers.items()}


def spherical_images_arrays(
    stage: SphereStage,
    members: Sequence[int],
    planar: dict[str, Labelled],
    on_progress: Callable[[int], None] | None = None,
    vectorised: bool | None = None,
) -> tuple[dict[str, Array], Times]:
    """Returns what a block of networks gives as arrays to be stored, and how long it took.

    Args:
        stage: settings of one arm.
        members: indices over all networks.
        planar: images and labels of the parts train, validation and test.
        on_progress: called with the number of network-epochs just finished.
        vectorised: networks train together; None chooses by backend.

    Raises:
        DataError: a loss is not finite (names network and epoch), or transforms are not precise enough.
    """
    errors = round_trips(stage)
    sets = make_sets(planar, stage)
    vectorised = default_strategy() == "block" if vectorised is None else vectorised
    settings = Training(
        loss="cross_entropy", optimiser="adam", learning_rate=stage.train.learning_rate,
        batch_size=stage.train.batch_size, num_epochs=stage.train.num_epochs,
        matmul_precision=stage.train.matmul_precision,
    )  # fmt: skip
    scaled = Scaling(float(sets.train.images.mean()), max(float(sets.train.images.std()), 1.0))
    data, own = _resident(sets), learner(stage, scaled)
    drawn = stage.train.images_per_epoch
    program = Program(settings, own, len(sets.train.images), vectorised, drawn_per_epoch=drawn)
    names = KeyNames(stage.seed, stage.experiment, stage.arm, stage.arm)
    limit = device_memory()
    in_flight = len(members) if limit is None else max(1, min(len(members), int(0.8 * limit) // step_bytes(stage)))
    marks = [(time.perf_counter(), 1)]

    def progress(num: int) -> None:
        marks.append((time.perf_counter(), num))
        if on_progress:
            on_progress(num)

    result = train_members(program, names, tuple(members), data, partial(_words, stage), in_flight, progress)
    structure, _ = jax.eval_shape(own.initialise, member_keys(names, jnp.asarray(members[0])).initialise,
                                  data.example(), None)  # fmt: skip
    networks = [from_flat(structure, {name: value[-1, index] for name, value in result.parameters.items()})
                for index in range(len(members))]  # fmt: skip
    forward = jax.jit(lambda parameters, images: network_of(stage).apply(parameters, scaled(images)))
    with jax.default_matmul_precision(stage.train.matmul_precision):
        tests = run_tests(stage, networks, sets, forward)
    # The first epoch compiles, unless there is no other.
    epochs = [(later - sooner) / num for (sooner, _), (later, num) in pairwise(marks)]
    times = {
        "training_seconds": float(np.median(epochs[1:] or epochs)) * stage.train.num_epochs,
        "latency_seconds": tests.latency,
    }
    return _stored(stage, members, result.losses[-1], errors, tests), times


def _resident(sets: SphereSets) -> SphereResident:
    parts = (sets.train.images, sets.train.targets, sets.validation.images, sets.validation.targets)
    return SphereResident(*map(jnp.asarray, parts))


def _stored(
    stage: SphereStage, members: Sequence[int], losses: np.ndarray, errors: np.ndarray, tests: Tests
) -> dict[str, Array]:
    table = ("ensemble", "images", "class", "predicted")
    arrays = {
        "members": Array(np.asarray(members), ("member",), "1", "index over all networks"),
        "loss": Array(losses, ("member",), "1", "mean training loss of the last epoch"),
        "round_trip": Array(errors, ("layer",), "1", "relative error of a transform on SO(3) and back"),
        "example_images": Array(
            tests.images, ("example", "rotated", *("point",) * (tests.images.ndim - 2)), "1", "grey values"
        ),
        "example_targets": Array(tests.targets, ("example", *("point",) * (tests.targets.ndim - 1)), "1", "rotated"),
        "example_predictions": Array(
            tests.predictions, ("example", *("point",) * (tests.targets.ndim - 1)), "1", "of the ensemble of the block"
        ),
        **costs(stage),
    }
    for size in stage.ensemble_sizes:
        own = (f"ensemble_{size}", *table[1:])
        arrays[f"confusion_{size}"] = Array(tests.confusion[size], own, "1", "points or images: upright, rotated")
        arrays[f"moved_{size}"] = Array(tests.moved[size], own[:1], "1", "relative change of logits under rotations")
        if stage.data.angles:
            by_angle = tests.by_angle[size]
            arrays[f"moved_by_angle_{size}"] = Array(by_angle, (own[0], "angle"), "1", "the same, by their angle")
    return arrays


def _words(stage: SphereStage, found: Divergence) -> str:
    return (
        f"network {found.member} of arm {stage.arm}: the training loss is {found.loss} in epoch {found.epoch}; nothing "
        f"was written. Lower its learning rate ({stage.train.learning_rate})."
    )

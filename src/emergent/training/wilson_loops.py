"""Networks that learn Wilson loops from the links of a small lattice, tested on larger ones and on moved links.

In: the stage of an arm and its links. Out: for every network the test error by lattice, and its outputs on a few
samples as they are, moved by D4 and back, and gauge transformed. The engine takes the steps.

References:
    arXiv:2012.12901, Wilson loops of SU(2) in 1+1 dimensions.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array as JaxArray
from jaxtyping import Float

from emergent.config.training import Training
from emergent.config.wilson_loops_training import GaugeNetwork, LoopStage
from emergent.errors import DataError
from emergent.groups.gauge import PointAction, gauge_transform, symmetries, wilson_loop
from emergent.groups.su2 import random_elements, require_su2
from emergent.models.gauge_networks import build
from emergent.prng import member_key
from emergent.storage import Array
from emergent.training.engine import Divergence, train_members
from emergent.training.parameters import from_flat
from emergent.training.program import KeyNames, Program, member_keys
from emergent.training.step import Learner, batch_gradient

# All arms are tested with the same gauge transformations.
GAUGE = "gauge"
SITES_AT_A_TIME = 2**13
FEW = 2
"""Samples on which symmetries are checked before training."""

Links = dict[str, np.ndarray]
"""Split to links [N, L, L, 2, 4]."""


class LoopResident(NamedTuple):
    """Resident data.

    Attributes:
        inputs: links [N, L, L, 2, 4].
        targets: of training samples [N, L, L].
        validation_inputs: the same for validation.
        validation_targets: the same.
    """

    inputs: JaxArray
    targets: JaxArray
    validation_inputs: JaxArray
    validation_targets: JaxArray

    def example(self) -> JaxArray:
        """Returns inputs of one sample."""
        return self.inputs[:1]


def targets_of(links: np.ndarray, sides: tuple[int, int]) -> np.ndarray:
    """Returns Re Tr of the loops [N, L, L] float32, computed in double precision from links as they are stored."""
    return wilson_loop(links.astype(np.float64), sides).astype(np.float32)


def require_links(links: Links, stage: LoopStage) -> None:
    """Checks links of all splits.

    Raises:
        DataError: some are not in SU(2), or lie on another lattice than their split says.
    """
    expected = {f"test_{size}": size for size in stage.data.sizes}
    for split, values in links.items():
        size = expected.get(split, stage.data.sizes[0])
        if values.shape[1:] != (size, size, 2, 4):
            raise DataError(
                f"{stage.data.dataset}, {split}: expected links [N, {size}, {size}, 2, 4], found {list(values.shape)}; "
                "set data.sizes to the lattices of the data set."
            )
        require_su2(values, f"{stage.data.dataset}, {split}")


def augment(stage: LoopStage, links: JaxArray, targets: JaxArray, key: JaxArray) -> tuple[JaxArray, JaxArray]:
    """Returns samples of a batch, each moved by an element of its own, and their targets with them."""
    num, size = links.shape[:2]
    if stage.augmentation == "gauge":
        elements = jax.random.normal(key, (num, size, size, 4), links.dtype)
        return gauge_transform(links, elements / jnp.linalg.norm(elements, axis=-1, keepdims=True)), targets
    if stage.augmentation == "point_group":
        action = PointAction.of(size, stage.data.loop)
        chosen = jax.random.randint(key, (num,), 0, len(action.sites))
        return jax.vmap(action.move_links)(links, chosen), jax.vmap(action.move_loops)(targets, chosen)
    return links, targets


def learner(stage: LoopStage) -> Learner:
    """Returns how networks learn."""
    module = build(stage.network)

    def error(parameters: Any, links: JaxArray, targets: JaxArray) -> JaxArray:
        return jnp.square(module.apply(parameters, links) - targets).mean()  # pyright: ignore

    of_batch = batch_gradient(lambda parameters, held, links, targets: error(parameters, links, targets))

    class _Batch(NamedTuple):
        """The samples of one step."""

        data: LoopResident

        def batch(self, indices: JaxArray | None, key: JaxArray) -> tuple[JaxArray, JaxArray]:
            return augment(stage, self.data.inputs[indices], self.data.targets[indices], key)

    def gradient(
        parameters: Any, held: Any, data: LoopResident, indices: JaxArray | None, key: JaxArray
    ) -> tuple[JaxArray, Any]:
        return of_batch(parameters, held, _Batch(data), indices, key)

    def score(parameters: Any, held: Any, data: LoopResident) -> JaxArray:
        del held
        return error(parameters, data.validation_inputs, data.validation_targets)

    def initialise(key: JaxArray, sample: JaxArray, given: Any) -> tuple[Any, tuple[()]]:
        del key, sample
        return given, ()

    return Learner(initialise, gradient, optax.adam(stage.train.learning_rate), score=score)


def compiled(stage: LoopStage) -> Callable[[Any, np.ndarray], np.ndarray]:
    """Returns parameters and links [N, L, L, 2, 4] to outputs [N, L, L], some samples at a time."""
    forward = jax.jit(build(stage.network).apply)

    def apply(parameters: Any, links: np.ndarray) -> np.ndarray:
        step = max(1, SITES_AT_A_TIME // links.shape[1] ** 2)
        # Always as many: each number of samples would be a program of its own.
        whole = np.concatenate([links, np.repeat(links[:1], -len(links) % step, 0)])
        parts = [whole[first : first + step] for first in range(0, len(whole), step)]
        return np.concatenate([np.asarray(forward(parameters, part)) for part in parts])[: len(links)]

    return apply


def relative_error(found: np.ndarray, expected: np.ndarray) -> float:
    """Returns the root mean square of a difference over the standard deviation of what is expected."""
    difference = np.square(found.astype(np.float64) - expected).mean()
    return float(np.sqrt(difference) / expected.astype(np.float64).std())


class MovedLinks(NamedTuple):
    """Test samples as they are, moved and gauge transformed.

    Attributes:
        action: of D4 on the lattice.
        elements: of D4 that keep the form of the loops; the first is the identity.
        turned: links moved by each of them.
        gauged: links, gauge transformed.
    """

    action: PointAction
    elements: np.ndarray
    turned: list[np.ndarray]
    gauged: np.ndarray

    @classmethod
    def of(cls, links: np.ndarray, stage: LoopStage) -> "MovedLinks":
        """Returns what becomes of some links."""
        action = PointAction.of(links.shape[1], stage.data.loop)
        elements = symmetries(stage.data.loop)
        key = member_key(stage.seed, stage.experiment, GAUGE, 0, "augment")
        generator = np.random.default_rng([int(word) for word in np.asarray(jax.random.key_data(key))])
        drawn = random_elements(generator, links.shape[:3])
        gauged = gauge_transform(links.astype(np.float64), drawn).astype(np.float32)
        return cls(action, elements, [action.move_links(links, element) for element in elements], gauged)

    def outputs(self, apply: Callable[[np.ndarray], np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
        """Returns outputs on moved links, moved back [G, N, L, L], and on gauge transformed ones [N, L, L]."""
        turned = []
        for element, links in zip(self.elements, self.turned, strict=True):
            back = np.empty_like(values := apply(links))
            # What comes to a loop from another goes back to that one.
            flat = back.reshape(len(values), -1)
            flat[:, self.action.loops[element]] = values.reshape(len(values), -1)
            turned.append(back)
        return np.stack(turned), apply(self.gauged)


def require_symmetry(stage: LoopStage, moved: MovedLinks, apply: Callable[[np.ndarray], np.ndarray]) -> None:
    """Checks symmetries that a network has built in, before training.

    Raises:
        DataError: an error is above the tolerance.
    """
    if not isinstance(stage.network, GaugeNetwork):
        return
    turned, gauged = moved.outputs(apply)
    errors = {"gauge transformations": relative_error(gauged, turned[0])}
    if stage.network.point_group is not None:
        errors["D4"] = max(relative_error(other, turned[0]) for other in turned[1:])
    for name, error in errors.items():
        if not error <= stage.tolerance:
            raise DataError(
                f"arm {stage.arm}: expected a network that {name} leave alone up to {stage.tolerance:g}, found a "
                f"relative error of {error:.3g} before training; nothing was trained. Mend the network, or raise "
                "tolerance if its arithmetic is less precise than that."
            )


def wilson_loops_arrays(
    stage: LoopStage,
    members: Sequence[int],
    links: Links,
    on_progress: Callable[[int], None] | None = None,
    vectorised: bool = True,
) -> dict[str, Array]:
    """Returns what a block of networks gives as arrays to be stored.

    Args:
        stage: settings of one arm.
        members: indices over all networks.
        links: of the splits train, validation and test_<size>.
        on_progress: called with the number of network-epochs just finished.
        vectorised: networks train in one program, the small ones that they are.

    Raises:
        DataError: links are not in SU(2), a loss is not finite (names network and epoch), or a symmetry that is built
            in does not hold.
    """
    require_links(links, stage)
    sides, first = stage.data.loop, f"test_{stage.data.sizes[0]}"
    settings = Training(
        loss="mse", optimiser="adam", learning_rate=stage.train.learning_rate, batch_size=stage.train.batch_size,
        num_epochs=stage.train.num_epochs, matmul_precision=stage.train.matmul_precision,
    )  # fmt: skip
    train, validation = links["train"], links["validation"]
    data = LoopResident(*map(jnp.asarray, (train, targets_of(train, sides), validation, targets_of(validation, sides))))
    program = Program(settings, learner(stage), len(train), vectorised)
    names, apply = KeyNames(stage.seed, stage.experiment, stage.arm, stage.arm), compiled(stage)
    with jax.default_matmul_precision(stage.train.matmul_precision), jax.threefry_partitionable(True):
        keys = member_keys(names, jnp.asarray(members)).initialise
        starts = jax.jit(jax.vmap(build(stage.network).init, (0, None)))(keys, data.example())
        start = jax.tree.map(lambda leaf: leaf[0], starts)
        require_symmetry(stage, MovedLinks.of(links[first][:FEW], stage), partial(apply, start))
    result = train_members(
        program, names, tuple(members), data, partial(_words, stage), len(members), on_progress, given=starts
    )
    moved = MovedLinks.of(links[first][: stage.data.moved], stage)
    truths = {size: targets_of(links[f"test_{size}"], sides) for size in stage.data.sizes}
    errors, turned, gauged = [], [], []
    with jax.default_matmul_precision(stage.train.matmul_precision):
        for index in range(len(members)):
            trained = from_flat(start, {name: value[-1, index] for name, value in result.parameters.items()})
            errors.append([_error(apply(trained, links[f"test_{size}"]), truth) for size, truth in truths.items()])
            both = moved.outputs(partial(apply, trained))
            turned.append(both[0])
            gauged.append(both[1])
    num_parameters = sum(leaf.size for leaf in jax.tree.leaves(start))
    dims = ("sample", "row", "column")
    return {
        "members": Array(np.asarray(members), ("member",), "1", "index over all networks"),
        "sizes": Array(np.asarray(stage.data.sizes), ("lattice",), "1", "sites a side"),
        "mse": Array(np.asarray(errors), ("member", "lattice"), "1", "mean squared error on test samples"),
        "turned": Array(np.stack(turned), ("member", "element", *dims), "1", "outputs on moved links, moved back"),
        "gauged": Array(np.stack(gauged), ("member", *dims), "1", "outputs on gauge transformed links"),
        "targets": Array(truths[stage.data.sizes[0]][: stage.data.moved], dims, "1", "Re Tr of the loops"),
        "num_parameters": Array(np.asarray([num_parameters]), ("one",), "1", "of one network"),
    }


def _error(outputs: Float[np.ndarray, "N L L"], truth: Float[np.ndarray, "N L L"]) -> float:
    return float(np.square(outputs.astype(np.float64) - truth).mean())


def _words(stage: LoopStage, found: Divergence) -> str:
    return (
        f"network {found.member} of arm {stage.arm}: the training loss is {found.loss} in epoch {found.epoch}; nothing "
        f"was written. Lower its learning rate ({stage.train.learning_rate})."
    )

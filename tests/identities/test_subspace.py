"""Equivariant subspace: its basis, compatibility of supports, and which parametrisations stay in it."""

import math
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from emergent.config.domains import DataSelection, ImageTraining
from emergent.config.subspace_training import Parametrisation, Phase, Phases, SubspaceNetwork, SubspaceStage
from emergent.config.supports import support_mask
from emergent.domains.arrays import ArrayData
from emergent.domains.samples import Samples
from emergent.errors import DataError
from emergent.groups.filters import commutator_norms, orbit_basis, rotation_projector
from emergent.models.subspace_cnn import (
    SubspaceCnn,
    coordinates_of,
    distance,
    equivariant_basis,
    initial_coordinates,
    unconstrained_basis,
    weights,
)
from emergent.training.subspace import augmented, make_loss, network, rotated, second_phase, train_subspace, upright

CROSS, SKEW, FULL = ("010", "111", "010"), ("110", "101", "010"), ("111",) * 3
CROSS_5 = ("00100", "01110", "11111", "01110", "00100")
SKEW_5 = ("11100", "11100", "11111", "00100", "00100")
PUBLISHED = SubspaceNetwork(channels=(32, 64, 64), num_pooled=2, num_outputs=10, fan_in="square")
SMALL = SubspaceNetwork(channels=(3, 4), num_pooled=1, num_outputs=3, fan_in="square")
ARMS = {
    "cross": Parametrisation(support=CROSS, basis="unitary", batches="shuffled"),
    "skew": Parametrisation(support=SKEW, basis="unitary", batches="shuffled"),
    "non_unitary": Parametrisation(support=CROSS, basis="random", batches="shuffled"),
    "cross_orbits": Parametrisation(support=CROSS, basis="unitary", batches="whole_orbits"),
}
PHASES = Phases(
    equivariant=Phase(num_epochs=1, batch_size=4, learning_rate=0.1),
    augmented=Phase(num_epochs=2, batch_size=8, learning_rate=0.1),
)


def images(num: int = 6, side: int = 6, dtype: type = np.float64) -> ArrayData:
    generator = np.random.default_rng(1)
    inputs = generator.normal(size=(num, side, side, 1)).astype(dtype)
    return upright(Samples(inputs, np.arange(num, dtype=np.int32) % 3))


def stage(name: str, phases: Phases = PHASES) -> SubspaceStage:
    selection = DataSelection(dataset="tiny", split="train")
    section = ImageTraining(domain="images", train=selection, shape=(6, 6, 1), scaling="none")
    return SubspaceStage(
        experiment="tiny", seed=0, arm=name, data=section, parametrisation=ARMS[name], network=SMALL, train=phases
    )


def equivariant_weights(model: SubspaceCnn, dtype: type = np.float32) -> tuple[jax.Array, ...]:
    make = jax.jit(lambda key: weights(equivariant_basis(model), initial_coordinates(model, key, dtype)))
    return make(jax.random.key(3))


@pytest.mark.parametrize(
    ("support", "spectral", "frobenius"),
    [
        (CROSS, 0, 0),
        (FULL, 0, 0),
        (SKEW, np.sqrt(3) / 4, np.sqrt(6) / 4),
        (CROSS_5, 0, 0),
        (SKEW_5, np.sqrt(3) / 4, 1.22474487),
    ],
)
def test_compatibility_numbers(support: tuple[str, ...], spectral: float, frobenius: float) -> None:
    np.testing.assert_allclose(commutator_norms(support_mask(support)), (spectral, frobenius), atol=1e-8)


@pytest.mark.parametrize(("side", "dimension"), [(3, 3), (5, 7), (7, 13), (2, 1), (4, 4)])
def test_basis_spans_the_fixed_space(side: int, dimension: int) -> None:
    basis = orbit_basis(np.ones((side, side), bool))
    assert basis.shape == (dimension, side * side)
    np.testing.assert_allclose(basis @ basis.T, np.eye(dimension), atol=1e-15)
    np.testing.assert_allclose(basis.T @ basis, rotation_projector(side), atol=1e-15)


@pytest.mark.parametrize(("support", "dimension"), [(CROSS, 2), (SKEW, 1), (FULL, 3), (CROSS_5, 4)])
def test_basis_of_a_support_is_fixed_and_drops_partial_orbits(support: tuple[str, ...], dimension: int) -> None:
    mask = support_mask(support)
    basis = orbit_basis(mask)
    assert basis.shape == (dimension, mask.sum())
    filters = np.zeros((dimension, *mask.shape))
    filters[:, mask] = basis
    np.testing.assert_allclose(np.rot90(filters, axes=(1, 2)), filters, atol=1e-15)


def test_basis_vectors_are_those_of_the_paper() -> None:
    """Edges and corners over 2, the centre alone."""
    basis = orbit_basis(support_mask(FULL)).reshape(3, 3, 3)
    expected = {
        "101/000/101": np.array([[1, 0, 1], [0, 0, 0], [1, 0, 1]]) / 2,
        "010/101/010": np.array([[0, 1, 0], [1, 0, 1], [0, 1, 0]]) / 2,
        "000/010/000": np.array([[0, 0, 0], [0, 1, 0], [0, 0, 0]]),
    }
    for name, filter_ in expected.items():
        assert any(np.allclose(row, filter_) for row in basis), name


@pytest.mark.parametrize(("support", "equivariant"), [(CROSS, 20672), (SKEW, 14496)])
def test_parameter_counts(support: tuple[str, ...], equivariant: int) -> None:
    model = SubspaceCnn(PUBLISHED, support, 28)
    coordinates = jax.eval_shape(partial(initial_coordinates, model), jax.random.key(0))
    layers = jax.eval_shape(partial(weights, equivariant_basis(model)), coordinates)
    assert sum(math.prod(c.shape) for c in coordinates) == equivariant
    assert sum(math.prod(w.shape) for w in layers) == 62240


def test_initial_weights_are_uniform_within_the_bound_of_each_layer() -> None:
    model = SubspaceCnn(PUBLISHED, CROSS, 28)
    layers = equivariant_weights(model)
    for layer, fan_in in zip(layers, (9, 9 * 32, 9 * 64, 64 * 49), strict=True):
        bound = fan_in**-0.5
        assert float(jnp.abs(layer).max()) <= bound * (1 + 1e-6)
        np.testing.assert_allclose(float(jnp.abs(layer).max(axis=0).max()), bound, rtol=0.06)
        np.testing.assert_allclose(float(layer.std()), bound / np.sqrt(3), rtol=0.12)


@pytest.mark.usefixtures("float64")
def test_equivariant_network_is_invariant() -> None:
    for arm in ("cross", "skew"):
        model = network(stage(arm))
        layers = equivariant_weights(model, jnp.float64)
        outputs = np.asarray(jax.jit(model.outputs)(layers, rotated(images()).reshape(-1, 6, 6, 1))).reshape(4, 6, 3)
        assert np.abs(outputs[0]).max() > 0.01
        np.testing.assert_allclose(outputs, np.stack([outputs[0]] * 4), atol=1e-13)


@pytest.mark.usefixtures("float64")
def test_augmented_gradient_on_the_subspace_is_the_projected_one() -> None:
    """On E, full augmentation and a unitary parametrisation: the gradient lies in E and equals the equivariant one."""
    model, data = network(stage("cross")), images()
    loss, target = make_loss(model), equivariant_basis(model)
    free = unconstrained_basis(model, "unitary", jax.random.key(0))

    @jax.jit
    def gradients(images: ArrayData) -> list[tuple[jax.Array, ...]]:
        coordinates = initial_coordinates(model, jax.random.key(3), jnp.float64)
        layers, inputs = weights(target, coordinates), rotated(images).reshape(-1, 6, 6, 1)
        equivariant = jax.grad(loss)(coordinates, target, images.inputs, images.targets)
        return [
            jax.grad(loss)(layers, free, inputs, jnp.tile(images.targets, 4)),
            weights(target, equivariant),
            jax.grad(loss)(layers, free, images.inputs, images.targets),
        ]

    whole, equivariant, nominal = gradients(data)
    assert float(distance(target, nominal).max()) > 1e-3
    for ours, theirs in zip(whole, equivariant, strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-15)


@pytest.mark.usefixtures("float64")
def test_full_batch_flow_stays_for_cross_and_leaves_otherwise() -> None:
    moved = {}
    for arm in ("cross", "skew", "non_unitary"):
        model, data = network(stage(arm)), images()
        target, loss = equivariant_basis(model), make_loss(model)
        basis = unconstrained_basis(model, ARMS[arm].basis, jax.random.key(5))
        basis = jax.tree.map(partial(jnp.asarray, dtype=jnp.float64), basis)
        state = jax.jit(coordinates_of)(basis, equivariant_weights(model, jnp.float64))
        measure = jax.jit(lambda b, c, target=target: jnp.linalg.norm(distance(target, weights(b, c))))
        assert float(measure(basis, state)) < 1e-13
        slope = jax.jit(jax.grad(loss))
        for _ in range(5):
            gradient = slope(state, basis, rotated(data).reshape(-1, 6, 6, 1), jnp.tile(data.targets, 4))
            state = tuple(a - 0.1 * b for a, b in zip(state, gradient, strict=True))
        moved[arm] = float(measure(basis, state))
    assert moved["cross"] < 1e-12
    assert min(moved["skew"], moved["non_unitary"]) > 1e-4


@pytest.mark.usefixtures("float64")
def test_minibatches_of_whole_orbits_keep_equivariance_and_shuffled_ones_do_not() -> None:
    data = images()
    # The images repeat, so that 8 of the 24 rotated copies make a batch.
    arms = [stage("cross").model_copy(update={"parametrisation": ARMS[arm]}) for arm in ("cross_orbits", "cross")]
    stays, leaves = (train_subspace(each, (0,), data).distances for each in arms)
    assert stays.shape == (2, 3, 1, 3)
    assert stays.max() < 1e-12
    assert leaves[-1, -1].max() > 1e-5


def test_runs_do_not_depend_on_their_block() -> None:
    data = images(dtype=np.float32)
    left, right = (train_subspace(stage("non_unitary"), members, data).distances for members in ((0, 1), (1, 2)))
    np.testing.assert_allclose(right[:, :, 0], left[:, :, 1], rtol=1e-4, atol=1e-7)
    assert not np.allclose(left[:, :, 0], left[:, :, 1], rtol=1e-2)


@pytest.mark.parametrize("arm", ["cross", "cross_orbits"])
def test_an_epoch_shows_every_rotation_of_every_image_once(arm: str) -> None:
    data = images()
    copies = np.asarray(rotated(data)).reshape(24, -1)
    more = augmented(data, ARMS[arm].batches)
    batches, rest = second_phase(stage(arm), more)._order(jax.random.key(0), jnp.asarray(0))
    assert rest is None
    shown = np.stack([np.asarray(more.batch(batch, jax.random.key(0))[0]).reshape(8, -1) for batch in batches])
    numbers = (shown[:, :, None] == copies).all(-1).argmax(-1)
    rotations, index = numbers // 6, numbers % 6
    assert rotations.shape == index.shape == (3, 8)
    pairs = {(int(g), int(n)) for g, n in zip(rotations.ravel(), index.ravel(), strict=True)}
    assert len(pairs) == 24
    orbits = [set(row.tolist()) for row in index]
    assert (max(len(row) for row in orbits) == 2) == (arm == "cross_orbits")


def test_divergence_names_run_and_phase() -> None:
    phases = PHASES.model_copy(update={"augmented": PHASES.augmented.model_copy(update={"learning_rate": 1e30})})
    with pytest.raises(DataError, match=r"run 7 of arm skew: the loss is .* in epoch \d of augmented training"):
        train_subspace(stage("skew", phases), (7,), images(dtype=np.float32))


def test_batch_larger_than_the_data() -> None:
    phases = PHASES.model_copy(update={"equivariant": PHASES.equivariant.model_copy(update={"batch_size": 7})})
    with pytest.raises(DataError, match="batch_size 7 exceeds the 6"):
        train_subspace(stage("skew", phases), (0,), images(dtype=np.float32))

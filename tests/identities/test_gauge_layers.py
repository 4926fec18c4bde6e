"""Gauge and point-group equivariance of layers and networks on links, in double precision, with negative controls."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from emergent.config.wilson_loops_training import GaugeNetwork, LinkCnn
from emergent.errors import DataError
from emergent.groups import gauge, su2
from emergent.groups.gauge import MATRICES, PointAction
from emergent.models.gauge_layers import LBilin, LCombined, LConv, traces, transported, with_conjugates, with_identity
from emergent.models.gauge_networks import CircularCnn, LCnn, PointGroupLCnn, build

SIZE = 6
EXACT = 1e-12


def links(num: int = 2, size: int = SIZE, seed: int = 0) -> np.ndarray:
    return su2.random_elements(np.random.default_rng(seed), (num, size, size, 2))


def elements(num: int = 2, size: int = SIZE) -> np.ndarray:
    return su2.random_elements(np.random.default_rng(1), (num, size, size))


def fields(channels: int, num: int = 2, size: int = SIZE) -> np.ndarray:
    return np.random.default_rng(2).normal(size=(num, size, size, channels, 4))


def turn(element: np.ndarray, field: np.ndarray) -> np.ndarray:
    """Om W Om^dagger at every site."""
    own = element[:, :, :, None]
    return su2.multiply(su2.multiply(own, field), su2.conjugate(own))


def start(module: Any, *inputs: Any) -> tuple[Any, Callable[..., np.ndarray]]:
    parameters = module.init(jax.random.key(3), *map(jnp.asarray, inputs))
    return parameters, lambda *given: np.asarray(module.apply(parameters, *map(jnp.asarray, given)))


def test_quaternions_are_matrices() -> None:
    left, right = np.random.default_rng(0).normal(size=(2, 50, 4))
    product = su2.matrices(left) @ su2.matrices(right)
    np.testing.assert_allclose(su2.matrices(su2.multiply(left, right)), product, atol=EXACT)
    adjoint = np.conj(np.swapaxes(su2.matrices(left), -1, -2))
    np.testing.assert_allclose(su2.matrices(su2.conjugate(left)), adjoint, atol=EXACT)
    np.testing.assert_allclose(su2.trace(left), np.trace(su2.matrices(left), axis1=-2, axis2=-1).real, atol=EXACT)
    unit = su2.matrices(su2.random_elements(np.random.default_rng(1), (50,)))
    np.testing.assert_allclose(np.linalg.det(unit), 1, atol=EXACT)


def test_loops_are_products_of_matrices() -> None:
    given = links(1)[0]
    found = gauge.wilson_loop(given[None], (2, 1))[0]
    u = su2.matrices(given)
    for x, y in np.ndindex(SIZE, SIZE):
        right, two, up = (x + 1) % SIZE, (x + 2) % SIZE, (y + 1) % SIZE
        lower, upper = u[x, y, 0] @ u[right, y, 0], u[x, up, 0] @ u[right, up, 0]
        loop = lower @ u[two, y, 1] @ upper.conj().T @ u[x, y, 1].conj().T
        assert abs(found[x, y] - np.trace(loop).real) < EXACT


def test_loops_are_invariant_and_plaquettes_covariant() -> None:
    given, om = links(), elements()
    moved = gauge.gauge_transform(given, om)
    for sides in ((1, 1), (1, 2), (2, 2)):
        np.testing.assert_allclose(gauge.wilson_loop(moved, sides), gauge.wilson_loop(given, sides), atol=EXACT)
    for fields_of in (gauge.plaquettes, gauge.clover):
        np.testing.assert_allclose(fields_of(moved), turn(om, fields_of(given)), atol=EXACT)


def test_gauge_transformations_and_the_point_group_are_actions() -> None:
    given, om, other = links(), elements(), elements()[::-1]
    twice = gauge.gauge_transform(gauge.gauge_transform(given, om), other)
    np.testing.assert_allclose(twice, gauge.gauge_transform(given, su2.multiply(other, om)), atol=EXACT)
    action = PointAction.of(SIZE)
    for first, second in np.ndindex(8, 8):
        product = int(np.flatnonzero((MATRICES[second] @ MATRICES[first] == MATRICES).all((1, 2)))[0])
        both = action.move_links(action.move_links(given, first), second)
        np.testing.assert_allclose(both, action.move_links(given, product), atol=EXACT)


@pytest.mark.parametrize("sides", [(1, 1), (2, 2), (1, 2)])
def test_the_point_group_moves_loops_as_links(sides: tuple[int, int]) -> None:
    given, action = links(), PointAction.of(SIZE, sides)
    kept = gauge.symmetries(sides)
    assert len(kept) == (8 if sides[0] == sides[1] else 4)
    for element in kept:
        found = gauge.wilson_loop(action.move_links(given, element), sides)
        np.testing.assert_allclose(found, action.move_loops(gauge.wilson_loop(given, sides), element), atol=EXACT)


LAYERS = {
    "transport": lambda u, w: transported(u, w, 2),
    "conjugates": lambda u, w: with_conjugates(w),
    "identity": lambda u, w: with_identity(w),
    "convolution": LConv(3, 2),
    "products": LBilin(3),
    "combined": LCombined(3, 1),
    "free leaves": LCombined(1, 1, "free"),
    "averaged leaves": LCombined(1, 1, "averaged"),
}


@pytest.mark.parametrize("name", sorted(LAYERS))
def test_layers_are_gauge_equivariant(name: str) -> None:
    with jax.enable_x64(True):
        layer, given, om, w = LAYERS[name], links(), elements(), fields(8)
        moved, w_moved = gauge.gauge_transform(given, om), turn(om, w)
        if name == "products":
            _, apply = start(layer, w, w)
            found, expected = apply(w_moved, w_moved), apply(w, w)
        elif isinstance(layer, (LConv, LCombined)):
            _, apply = start(layer, given, w)
            found, expected = apply(moved, w_moved), apply(given, w)
        else:
            found, expected = (np.asarray(layer(jnp.asarray(u), jnp.asarray(f)))  # pyright: ignore
                               for u, f in ((moved, w_moved), (given, w)))  # fmt: skip
        assert found.dtype == np.float64
        np.testing.assert_allclose(found, turn(om, expected), atol=EXACT * np.abs(expected).max())
        invariant, before = (np.asarray(traces(jnp.asarray(values))) for values in (found, expected))
        np.testing.assert_allclose(invariant, before, atol=EXACT * np.abs(expected).max())


NETWORKS = {
    "lcnn": LCnn((2, 2), 2),
    "averaged": PointGroupLCnn((1,), 1),
    "free": PointGroupLCnn((1,), 1, averaged=False),
    "cnn": CircularCnn((4, 4, 4), plaquettes=False),
    "cnn on plaquettes": CircularCnn((4, 4, 4), plaquettes=True),
}


def change(found: np.ndarray, expected: np.ndarray) -> float:
    return float(np.abs(found - expected).max() / np.abs(expected).max())


@pytest.mark.parametrize("name", sorted(NETWORKS))
def test_networks_and_negative_controls(name: str) -> None:
    with jax.enable_x64(True):
        given, action = links(), PointAction.of(SIZE)
        _, apply = start(NETWORKS[name], given)
        expected = apply(given)
        gauged = change(apply(gauge.gauge_transform(given, elements())), expected)
        turned = max(change(apply(np.asarray(action.move_links(given, element))), action.move_loops(expected, element))
                     for element in range(1, 8))  # fmt: skip
    # Convolutions on links are the control of the gauge group, free weights that of the point group.
    assert gauged > 1e-2 if name.startswith("cnn") else gauged < EXACT
    assert turned < EXACT if name == "averaged" else turned > 1e-2


def test_averaged_layers_permute_leaves_with_the_lattice() -> None:
    """The layer itself, not the network alone, commutes with D4 on sites and leaves; with free weights it does not."""
    leaves = gauge.leaf_permutations()
    with jax.enable_x64(True):
        given, action = links(), PointAction.of(SIZE)
        errors = {}
        for weights in ("averaged", "free"):
            _, apply = start(LCombined(1, 1, weights), given, gauge.clover(given))
            expected, errors[weights] = apply(given, gauge.clover(given)), 0.0
            for element in range(8):
                moved = action.move_links(given, element)
                flat = expected.reshape(2, -1, 8, 4)
                placed = np.empty_like(flat)
                placed[:, :, leaves[element]] = flat[:, action.sites[element]]
                found = apply(moved, gauge.clover(moved)).reshape(2, -1, 8, 4)
                errors[weights] = max(errors[weights], change(found, placed))
    assert errors["averaged"] < EXACT
    assert errors["free"] > 1e-2


def test_a_plaquette_is_within_reach_of_an_lcnn() -> None:
    """The unit matrix as a channel makes the trace of a plaquette an exact output, on every lattice."""
    with jax.enable_x64(True):
        module = LCnn((1,), 1)
        parameters = module.init(jax.random.key(0), jnp.asarray(links()))
        weights = np.zeros_like(parameters["params"]["LCombined_0"]["LBilin_0"]["weights"])
        # The plaquette at the site, times the identity, which is the last channel.
        weights[0, 0, -1] = 1.0
        chosen = {"LCombined_0": {"LBilin_0": {"weights": jnp.asarray(weights)}},
                  "SiteLinear_0": {"kernel": jnp.ones((1, 1)), "bias": jnp.zeros(1)}}  # fmt: skip
        for size in (4, 8):
            given = links(size=size)
            found = np.asarray(module.apply({"params": chosen}, jnp.asarray(given)))
            np.testing.assert_allclose(found, gauge.wilson_loop(given, (1, 1)), atol=EXACT)


def test_settings_build_their_networks() -> None:
    assert isinstance(build(LinkCnn(family="cnn", channels=(4,), plaquettes=True)), CircularCnn)
    assert isinstance(build(GaugeNetwork(family="lcnn", channels=(2,), reach=1)), LCnn)
    tied = GaugeNetwork(family="lcnn", channels=(2,), reach=1, point_group="weights")
    assert isinstance(build(tied), PointGroupLCnn)


@pytest.mark.parametrize("damage", ["scaled", "nan", "matrices"])
def test_links_off_the_group_are_refused(damage: str) -> None:
    given = links().astype(np.float32)
    su2.require_su2(given, "set")
    bad = {"scaled": given * 1.001, "nan": np.where(given > 0.99, np.nan, given), "matrices": given[..., :2]}[damage]
    if damage == "nan":
        bad[0, 0, 0, 0, 0] = np.nan
    with pytest.raises(DataError, match="expected links"):
        su2.require_su2(bad, "set")

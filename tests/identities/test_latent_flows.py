"""Flows in double precision: determinants, inverses, masks, densities; a flow without an inverse is refused."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import Array
from scipy import stats

from emergent.config.counterfactual_training import (
    CounterfactualStage,
    CouplingFlow,
    Descent,
    DrawnMasks,
    Helix,
    Whitening,
)
from emergent.config.counterfactuals import CounterfactualExperiment
from emergent.datasets.helix import helix_distance, helix_points
from emergent.domains.counterfactuals import HelixDomain, Scaling
from emergent.errors import DataError
from emergent.models.latent_flows import (
    LatentFlow,
    LinearMap,
    fit_whitening,
    latent_flow,
    log_normal,
    mask_rows,
    whitening_flow,
)
from emergent.training import counterfactuals
from emergent.training.latent_spaces import LatentSpace, RoundTrip, negative_log_likelihood

EXACT = 1e-12
MASKS = ("011", "101", "110", "001", "100", "010")
DESCENT = Descent(learning_rate=1e-3, batch_size=10, num_epochs=1)


def coupling(masks: Any, **settings: Any) -> CouplingFlow:
    return CouplingFlow(family="coupling", masks=masks, width=8, depth=2, train=DESCENT, **settings)


def started(config: CouplingFlow | Whitening, dimension: int, gain: float = 3.0) -> tuple[LatentFlow, Any]:
    """Returns a flow with random parameters in double precision, larger than at the start of training."""
    flow = latent_flow(config, dimension)
    if isinstance(config, Whitening):
        data = np.random.default_rng(2).normal(size=(50, dimension)) @ np.random.default_rng(3).normal(
            size=(dimension, dimension)
        )
        return flow, LinearMap(*(jnp.asarray(np.asarray(value), jnp.float64) for value in fit_whitening(config, data)))
    parameters = flow.initialise(jax.random.key(0))
    return flow, jax.tree.map(lambda leaf: gain * jnp.asarray(np.asarray(leaf), jnp.float64), parameters)


CASES = {
    "points": (coupling(MASKS * 2), 3),
    "images": (coupling(DrawnMasks(num=4)), 9),
    "linear": (Whitening(family="whitening", num=50, ridge=1e-6), 4),
}


def samples(dimension: int, num: int = 6) -> Array:
    return jnp.asarray(np.random.default_rng(1).normal(size=(num, dimension)))


@pytest.mark.parametrize("case", CASES)
def test_inverses_return_samples_and_latent_coordinates(case: str) -> None:
    config, dimension = CASES[case]
    with jax.enable_x64(True):
        flow, parameters = started(config, dimension)
        data = samples(dimension)
        latent, _ = flow.to_latent(parameters, data)
        assert np.abs(latent - data).max() > 0.1
        np.testing.assert_allclose(flow.to_data(parameters, latent), data, atol=EXACT)
        np.testing.assert_allclose(flow.to_latent(parameters, flow.to_data(parameters, data))[0], data, atol=EXACT)


@pytest.mark.parametrize("case", CASES)
def test_determinants_are_those_of_the_jacobian(case: str) -> None:
    config, dimension = CASES[case]
    with jax.enable_x64(True):
        flow, parameters = started(config, dimension)
        data = samples(dimension)
        _, found = flow.to_latent(parameters, data)
        derivative = jax.vmap(jax.jacobian(lambda one: flow.to_latent(parameters, one[None])[0][0]))(data)
        expected = jnp.linalg.slogdet(derivative)[1]
        np.testing.assert_allclose(found, expected, atol=EXACT)
        assert np.abs(np.asarray(expected)).max() > 0.1


def test_scaled_pixels_have_the_determinants_of_the_jacobian_and_come_back() -> None:
    with jax.enable_x64(True):
        generator = np.random.default_rng(0)
        scaling = Scaling(samples(5, 1)[0], jnp.asarray(generator.uniform(0.2, 2.0, 5)), jnp.asarray(0.05))
        data = jnp.asarray(generator.uniform(size=(4, 5)))
        values, found = scaling.apply(data)
        derivative = jax.vmap(jax.jacobian(lambda one: scaling.apply(one[None])[0][0]))(data)
        np.testing.assert_allclose(found, jnp.linalg.slogdet(derivative)[1], atol=EXACT)
        np.testing.assert_allclose(scaling.undo(values), data, atol=EXACT)
        assert float(scaling.undo(values + 100).max()) == 1 and float(scaling.undo(values - 100).min()) == 0


def test_a_coupling_moves_what_is_under_zero_by_what_is_under_one() -> None:
    with jax.enable_x64(True):
        flow, parameters = started(coupling(("101", "010")), 3)
        first = jax.tree.map(lambda leaf: leaf[:1], parameters)
        one = latent_flow(coupling(("101",)), 3)
        data = samples(3)
        moved = one.to_data(first, data)
        np.testing.assert_array_equal(moved[:, [0, 2]], data[:, [0, 2]])
        assert float(jnp.abs(moved[:, 1] - data[:, 1]).min()) > 1e-3
        # Factor and shift depend on the other two alone, and the factor is between 1 / e and e.
        factor = moved[:, 1] - one.to_data(first, data.at[:, 1].add(-1.0))[:, 1]
        again = one.to_data(first, data.at[:, 1].add(1.0))[:, 1] - moved[:, 1]
        np.testing.assert_allclose(again, factor, atol=EXACT)
        assert np.all((np.asarray(factor) > np.exp(-1)) & (np.asarray(factor) < np.e))
        # From latent space to data the first mask comes first.
        both = flow.to_data(parameters, data)
        second = latent_flow(coupling(("010",)), 3)
        np.testing.assert_allclose(
            both, second.to_data(jax.tree.map(lambda leaf: leaf[1:], parameters), moved), atol=EXACT
        )


def test_drawn_masks_are_halves_with_their_complements() -> None:
    rows = mask_rows(DrawnMasks(num=6), 10)
    assert rows.shape == (6, 10) and set(rows.sum(1)) == {5}
    assert np.array_equal(rows[::2], ~rows[1::2]) and len({row.tobytes() for row in rows}) == 6
    np.testing.assert_array_equal(mask_rows(DrawnMasks(num=2), 10), rows[:2])
    np.testing.assert_array_equal(mask_rows(("01", "10"), 2), [[False, True], [True, False]])


def test_densities_are_those_of_normal_laws() -> None:
    generator = np.random.default_rng(4)
    mixed = generator.normal(size=(3, 3))
    data = generator.normal(size=(400, 3)) @ mixed.T + 1.5
    fitted = fit_whitening(Whitening(family="whitening", num=400, ridge=1e-12), data)
    space = LatentSpace(whitening_flow(3), fitted, None)
    expected = -stats.multivariate_normal(data.mean(0), np.cov(data, rowvar=False)).logpdf(data[:5])
    np.testing.assert_allclose(negative_log_likelihood(space, jnp.asarray(data[:5], jnp.float32)), expected, rtol=1e-4)
    np.testing.assert_allclose(log_normal(jnp.zeros((1, 3))), [-1.5 * np.log(2 * np.pi)], rtol=1e-6)


def test_noise_within_grey_levels_has_eight_bits_a_pixel() -> None:
    """Bits a pixel are those of the density of 8-bit numbers, which has a 256th of that of numbers up to 1."""
    flow = LatentFlow(lambda key: (), lambda parameters, data: (data, jnp.zeros(len(data))), lambda p, latent: latent)
    scaling = Scaling(jnp.zeros(2), jnp.ones(2), jnp.asarray(1e-6))
    data = jnp.asarray(np.random.default_rng(0).uniform(size=(5, 2)), jnp.float32)
    bits = negative_log_likelihood(LatentSpace(flow, (), scaling), data)
    values, slopes = scaling.apply(data)
    expected = 8 - np.asarray(log_normal(values) + slopes) / (2 * np.log(2))
    np.testing.assert_allclose(bits, expected, rtol=1e-5)
    # The densities of a uniform and of a logistic law differ by the slope of the logit.
    logistic = stats.logistic.logpdf(np.asarray(values, np.float64)).sum(-1)
    np.testing.assert_allclose(logistic + np.asarray(slopes), 0, atol=1e-4)


# A flow that is not invertible


def stage() -> CounterfactualStage:
    found = CounterfactualExperiment.model_validate({
        "experiment": "case", "kind": "counterfactuals", "paper": "group_list", "title": "case", "seed": 1,
        "data": {"source": "helix", "reach": 4.0, "num": 40, "validation": 20},
        "arms": {"flow": {"generator": coupling(MASKS).model_dump(), "label": "flow"}},
        "classifiers": {"model": {"family": "mlp", "width": 4, "num_outputs": 1, "parametrisation": "pytorch"},
                        "train": DESCENT.model_dump(), "ensemble": 2, "judges": 1},
        "attack": {"num": 4, "num_steps": 3, "data_rate": 0.1, "latent_rate": 0.1, "confidence": 0.9,
                   "objective": "squared", "traced": 2, "shown": 3},
        "tolerance": 1e-9, "members": {"num": 1, "block": 1},
    }).stage("train", "flow")  # fmt: skip
    assert isinstance(found, CounterfactualStage)
    return found


def broken_flow(config: Any, dimension: int) -> LatentFlow:
    """Returns a flow whose way back is wrong by a millionth."""
    own = latent_flow(config, dimension)

    def to_data(parameters: Any, latent: Array) -> Array:
        once = own.to_data(parameters, latent)
        return once + 1e-6 * jnp.sin(once)

    return own._replace(to_data=to_data)


def test_a_flow_that_is_not_invertible_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("emergent.training.counterfactuals.latent_flow", broken_flow)
    settings = stage()
    assert isinstance(settings.data, Helix)
    domain = HelixDomain(settings.data)
    with pytest.raises(DataError, match=r"trial 0 of arm flow: expected a flow that is invertible.*before training"):
        counterfactuals.counterfactual_arrays(settings, [0], domain)


def test_a_flow_that_training_made_infinite_is_refused() -> None:
    settings, flow = stage(), latent_flow(coupling(MASKS), 3)
    parameters = jax.tree.map(lambda leaf: leaf * jnp.nan, flow.initialise(jax.random.key(0)))
    with pytest.raises(DataError, match="nan after training"):
        RoundTrip(flow).require(LatentSpace(flow, parameters, None), np.zeros((2, 3)), settings, 0, "after training")


def test_single_precision_parameters_come_back_in_double_precision() -> None:
    flow = latent_flow(coupling(MASKS * 2), 3)
    parameters = jax.tree.map(lambda leaf: 1.5 * leaf, flow.initialise(jax.random.key(1)))
    error = RoundTrip(flow).error(LatentSpace(flow, parameters, None), helix_points(np.linspace(-4, 4, 30)))
    assert error < EXACT


# Distances from the helix


def test_points_of_the_helix_are_on_it() -> None:
    parameter = np.concatenate([np.random.default_rng(0).uniform(-4, 4, 200), [-4.0, 0.0, 4.0]])
    assert helix_distance(helix_points(parameter), 4.0).max() < 1e-14


@pytest.mark.parametrize("offset", [-0.9, -0.2, 1e-6, 0.5])
def test_points_beside_the_helix_are_at_their_offset(offset: float) -> None:
    parameter = np.random.default_rng(1).uniform(-3.5, 3.5, 50)
    # The principal normal, towards the axis, has no third component.
    normal = np.stack([np.sin(parameter), np.cos(parameter), 0 * parameter], -1)
    np.testing.assert_allclose(helix_distance(helix_points(parameter) + offset * normal, 4.0), abs(offset), rtol=1e-9)
    tangent = np.stack([np.cos(parameter), -np.sin(parameter), np.ones_like(parameter)], -1) / np.sqrt(2)
    binormal = np.cross(tangent, normal)
    found = helix_distance(helix_points(parameter) + 0.3 * offset * binormal, 4.0)
    np.testing.assert_allclose(found, 0.3 * abs(offset), rtol=1e-9)


def test_beyond_the_ends_the_end_is_nearest_and_on_the_axis_all_is_as_far() -> None:
    end = helix_points(np.array([4.0]))
    tangent = np.array([[np.cos(4.0), -np.sin(4.0), 1.0]]) / np.sqrt(2)
    np.testing.assert_allclose(helix_distance(end + 2.0 * tangent, 4.0), [2.0], rtol=1e-12)
    np.testing.assert_allclose(helix_distance(np.array([[0.0, 0.0, 1.0]]), 4.0), [1.0], rtol=1e-12)


def test_no_point_of_a_fine_grid_is_nearer() -> None:
    points = 3 * np.random.default_rng(2).normal(size=(100, 3))
    grid = helix_points(np.linspace(-4, 4, 40001))
    brute = np.array([np.linalg.norm(grid - point, axis=1).min() for point in points])
    found = helix_distance(points, 4.0)
    assert np.all(found <= brute + 1e-12)
    np.testing.assert_allclose(found, brute, atol=1e-7)

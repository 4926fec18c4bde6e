"""Symmetry metrics against brute force and by hand."""

import numpy as np
import pytest
from scipy.special import softmax
from scipy.stats import entropy

from emergent.errors import ConfigError
from emergent.groups.irreps import irreps
from emergent.groups.lattices import lattice_action
from emergent.metrics.classification import correct
from emergent.metrics.orbit import (
    equivariance_error,
    orbit_mse,
    orbit_same_predictions,
    orbit_std,
    site_mean,
    squared_gap,
    symmetric_kl,
)
from emergent.metrics.output_actions import Gather, Invariant, Matrices, OutputAction, vectors
from emergent.metrics.registry import MEMBER_METRICS, member_metric
from emergent.point_groups import group_from_name

GENERATOR = np.random.default_rng(0)
OUTPUTS = GENERATOR.normal(size=(3, 5, 4, 6))  # members, samples, group elements, classes


def one_hot(classes: list[list[int]]) -> np.ndarray:
    return np.eye(3)[np.asarray(classes)]


def test_orbit_same_predictions_by_hand() -> None:
    # The identity comes first and always counts; agreement among the others alone does not.
    outputs = one_hot([[0, 0, 0, 0], [0, 1, 1, 1], [2, 1, 2, 0], [1, 1, 0, 1]])
    assert orbit_same_predictions(outputs).tolist() == [4, 1, 2, 3]
    assert orbit_same_predictions(10 * outputs - 7).tolist() == [4, 1, 2, 3]


def test_orbit_same_predictions_of_random_classifiers() -> None:
    outputs = np.random.default_rng(1).normal(size=(20000, 4, 10))
    counts = orbit_same_predictions(outputs)
    assert counts.min() == 1 and counts.max() <= 4
    # Expected: 1 + (G - 1) / K, variance (G - 1) (1 - 1/K) / K.
    error = np.sqrt(3 * 0.1 * 0.9 / len(counts))
    assert abs(counts.mean() - 1.3) < 4 * error


def test_orbit_same_predictions_of_the_trivial_group_and_of_many_members() -> None:
    assert (orbit_same_predictions(OUTPUTS[:, :, :1]) == 1).all()
    counts = orbit_same_predictions(OUTPUTS)
    assert counts.shape == (3, 5)
    np.testing.assert_array_equal(counts[1], orbit_same_predictions(OUTPUTS[1]))
    invariant = np.repeat(OUTPUTS[:, :, :1], 4, axis=2)
    assert (orbit_same_predictions(invariant) == 4).all()


def test_correct_looks_at_the_untransformed_sample() -> None:
    outputs = one_hot([[0, 2, 2, 2], [1, 0, 0, 0], [2, 2, 2, 2]])
    assert correct(outputs, np.array([0, 0, 2])).tolist() == [1, 0, 1]
    assert correct(OUTPUTS, np.zeros(5, int)).shape == (3, 5)


def test_energy_is_the_mean_over_sites_and_its_std_the_population_std() -> None:
    assert site_mean(OUTPUTS).shape == (3, 5, 4)
    energies = OUTPUTS.sum(-1) / 6
    by_hand = np.sqrt(np.square(energies - energies.mean(-1, keepdims=True)).sum(-1) / 4)
    np.testing.assert_allclose(orbit_std(OUTPUTS), by_hand, rtol=1e-12)
    np.testing.assert_allclose(orbit_std(3 * OUTPUTS + 7), 3 * by_hand, rtol=1e-12)


def test_energy_of_equivariant_site_energies_is_invariant() -> None:
    sites = GENERATOR.normal(size=(5, 16))
    equivariant = sites[:, lattice_action(group_from_name("C4"), 4)]
    assert orbit_std(equivariant).max() < 1e-15
    assert orbit_std(GENERATOR.normal(size=(5, 4, 16))).min() > 1e-2


def test_symmetric_kl_against_scipy() -> None:
    expected = np.zeros((3, 5))
    for index in np.ndindex(3, 5):
        probabilities = softmax(OUTPUTS[index], axis=-1)
        terms = [entropy(probabilities[0], q) + entropy(q, probabilities[0]) for q in probabilities]
        expected[index] = np.mean(terms)
    np.testing.assert_allclose(symmetric_kl(OUTPUTS), expected, rtol=1e-10)
    assert expected.min() > 0.01


def test_symmetric_kl_of_extreme_and_of_invariant_logits() -> None:
    huge = np.zeros((1, 2, 3), np.float32)
    huge[0, 0, 0], huge[0, 1, 1] = 1e4, 1e4
    # p = (1, 0, 0) and q = (0, 1, 0): twice 10000 for the second element, averaged with 0 for the identity.
    np.testing.assert_allclose(symmetric_kl(huge), [1e4], rtol=1e-6)
    shifted = OUTPUTS[:, :, :1] + np.arange(4)[:, None]
    np.testing.assert_allclose(symmetric_kl(shifted), 0, atol=1e-12)


@pytest.mark.parametrize("name", ["C4", "C3", "D4"])
def test_orbit_mse_of_equivariant_outputs_is_zero(name: str) -> None:
    group = group_from_name(name)
    representation = irreps(group)[-1].real if name == "D4" else np.zeros((group.order, 2, 2))
    if name != "D4":
        cosine, sine = np.cos(group.angles), np.sin(group.angles)
        representation = np.stack([cosine, -sine, sine, cosine], -1).reshape(-1, 2, 2)
    base = GENERATOR.normal(size=(7, 2))
    outputs = np.einsum("gij,nj->ngi", representation, base)
    action = Matrices(representation)
    assert orbit_mse(outputs, action).max() < 1e-28 and equivariance_error(outputs, action).max() < 1e-14
    # In the wrong order of elements it is not.
    assert orbit_mse(outputs[:, ::-1], action).max() > 1e-2 and equivariance_error(outputs[:, ::-1], action).max() > 0.1


def test_orbit_mse_and_equivariance_error_by_hand() -> None:
    action = Matrices(np.stack([np.eye(2), -np.eye(2)]))
    outputs = np.array([[[1.0, 2.0], [-1.0, 0.0]]])
    # Differences: none for the identity, (0, 2) for the inversion; mean of four squares.
    np.testing.assert_allclose(orbit_mse(outputs, action), [1.0])
    # The outputs' own mean square is (1 + 4 + 1 + 0) / 4.
    np.testing.assert_allclose(equivariance_error(outputs, action), [np.sqrt(1 / 1.5)])
    np.testing.assert_allclose(equivariance_error(5 * outputs, action), equivariance_error(outputs, action))
    np.testing.assert_allclose(orbit_mse(outputs, Invariant(2)), [(4 + 4) / 4])
    assert orbit_mse(OUTPUTS, Invariant(4)).shape == equivariance_error(OUTPUTS, Invariant(4)).shape == (3, 5)
    assert equivariance_error(np.zeros((2, 4, 3)), Invariant(4)).tolist() == [0, 0]


def test_unrelated_outputs_have_an_equivariance_error_of_the_root_of_two() -> None:
    outputs = np.random.default_rng(2).normal(size=(4000, 24, 30))
    # All but one of 24 elements: sqrt(2 * 23 / 24), up to the noise of a mean over 4000 samples of 720 numbers each.
    assert abs(equivariance_error(outputs, Invariant(24)).mean() - np.sqrt(2 * 23 / 24)) < 0.01


@pytest.mark.parametrize(
    "action",
    [
        Invariant(8),
        Matrices(group_from_name("D4").matrices),
        vectors(group_from_name("D4").matrices, 3),
        Gather(lattice_action(group_from_name("D4"), 3)),
    ],
    ids=["invariant", "matrices", "vectors", "gather"],
)
def test_output_actions_are_homomorphisms_and_metrics_vanish_on_them(action: OutputAction) -> None:
    group = group_from_name("D4")
    num = {Invariant: 5, Gather: 9}.get(type(action), 6 if getattr(action, "rho", np.eye(2)).shape[-1] == 6 else 2)
    base = GENERATOR.normal(size=(7, num))
    outputs = action.moved(base)
    assert action.order == 8 and outputs.shape == (7, 8, num)
    np.testing.assert_array_equal(outputs[:, 0], base)
    for h in range(8):
        np.testing.assert_allclose(action.moved(outputs[:, h]), outputs[:, group.product[:, h]], atol=1e-14)
    for metric in (orbit_mse, equivariance_error):
        assert metric(outputs, action).max() < 1e-14
    broken = outputs.copy()
    broken[:, 3, 0] += 1
    assert orbit_mse(broken, action).min() > 0.9 / (8 * num)
    with pytest.raises(ValueError, match="it has 8 elements, the orbits have 7"):
        orbit_mse(outputs[:, :7], action)
    if not isinstance(action, Invariant):
        with pytest.raises(ValueError, match="does not fit the outputs"):
            orbit_mse(outputs[:, :, :-1], action)


def test_classes_that_are_permuted() -> None:
    """Left and right exchange under the mirror image: the same prediction is the mirrored one."""
    action = Gather(np.array([[0, 1, 2], [1, 0, 2]]))
    outputs = one_hot([[0, 1], [0, 0], [2, 2]])
    assert orbit_same_predictions(outputs, action).tolist() == [2, 1, 2]
    assert orbit_same_predictions(outputs, Invariant(2)).tolist() == [1, 2, 2]
    assert symmetric_kl(outputs, action)[0] == 0 < symmetric_kl(outputs)[0]


def test_squared_gap_is_the_orbit_mse_of_invariant_outputs() -> None:
    expected = np.square(OUTPUTS - OUTPUTS[:, :, :1]).mean((2, 3))
    np.testing.assert_allclose(squared_gap(OUTPUTS), expected, rtol=1e-14)


def test_spread_of_another_scalar() -> None:
    largest = orbit_std(OUTPUTS, lambda outputs: outputs.max(-1))
    np.testing.assert_allclose(largest, OUTPUTS.max(-1).std(-1), rtol=1e-14)


def test_member_metrics_by_name() -> None:
    labels = np.arange(5) % 6
    for metric in MEMBER_METRICS.values():
        values = metric(OUTPUTS[0], labels, Invariant(4))
        assert values.shape == (5,) and values.dtype == metric.dtype
        given = {"labels": labels, "action": Invariant(4)}
        exact = metric.function(OUTPUTS[0], **{name: given[name] for name in metric.uses})
        np.testing.assert_allclose(values, exact, rtol=1e-6)
        if metric.needs_action:
            with pytest.raises(ConfigError, match="needs the action of the group on outputs"):
                metric(OUTPUTS[0], labels, None)
        else:
            np.testing.assert_array_equal(metric(OUTPUTS[0], labels, None), values)
    assert {name for name, metric in MEMBER_METRICS.items() if metric.needs_labels} == {"correct", "cross_entropy"}
    assert {name for name, metric in MEMBER_METRICS.items() if metric.needs_action} == {
        "equivariance_error",
        "orbit_mse",
    }


def test_large_orbits_are_counted() -> None:
    outputs = np.broadcast_to(np.array([1.0, 0.0]), (3, 300, 2))
    assert member_metric("orbit_same_predictions")(outputs, None, None).tolist() == [300] * 3


def test_unknown_metric() -> None:
    with pytest.raises(ConfigError, match="did you mean 'orbit_mse'"):
        member_metric("orbit_msa")

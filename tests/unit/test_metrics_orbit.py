"""Symmetry metrics against brute force and by hand."""

import numpy as np
import pytest
from scipy.special import softmax
from scipy.stats import entropy

from emergent.groups.irreps import irreps
from emergent.groups.lattices import lattice_action
from emergent.metrics.orbit import (
    MEMBER_METRICS,
    correct,
    orbit_energy_std,
    orbit_mse,
    orbit_same_predictions,
    site_mean,
    symmetric_kl,
)
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
    np.testing.assert_allclose(orbit_energy_std(OUTPUTS), by_hand, rtol=1e-12)
    np.testing.assert_allclose(orbit_energy_std(3 * OUTPUTS + 7), 3 * by_hand, rtol=1e-12)


def test_energy_of_equivariant_site_energies_is_invariant() -> None:
    sites = GENERATOR.normal(size=(5, 16))
    equivariant = sites[:, lattice_action(group_from_name("C4"), 4)]
    assert orbit_energy_std(equivariant).max() < 1e-15
    assert orbit_energy_std(GENERATOR.normal(size=(5, 4, 16))).min() > 1e-2


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
    assert orbit_mse(outputs, representation).max() < 1e-28
    # In the wrong order of elements it is not.
    assert orbit_mse(outputs[:, ::-1], representation).max() > 1e-2


def test_orbit_mse_by_hand() -> None:
    representation = np.stack([np.eye(2), -np.eye(2)])
    outputs = np.array([[[1.0, 2.0], [-1.0, 0.0]]])
    # Differences: none for the identity, (0, 2) for the inversion; mean of four squares.
    np.testing.assert_allclose(orbit_mse(outputs, representation), [1.0])
    invariant = np.broadcast_to(np.eye(2), (2, 2, 2))
    np.testing.assert_allclose(orbit_mse(outputs, invariant), [(4 + 4) / 4])
    assert orbit_mse(OUTPUTS, np.broadcast_to(np.eye(6), (4, 6, 6))).shape == (3, 5)


def test_member_metrics_by_name() -> None:
    labels = np.arange(5) % 6
    for function, dtype in MEMBER_METRICS.values():
        values = np.asarray(function(OUTPUTS[0], labels))
        assert values.shape == (5,)
        np.testing.assert_allclose(values.astype(dtype), values, rtol=1e-6)
    assert set(MEMBER_METRICS) == {
        "orbit_same_predictions",
        "correct",
        "orbit_energy_std",
        "symmetric_kl",
        "cross_entropy",
    }

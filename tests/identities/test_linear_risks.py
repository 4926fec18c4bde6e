"""Linear regression with a symmetry: dimensions, projection, tying and augmentation, exactly; risks by Monte Carlo."""

import itertools
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pytest

from emergent.config.base import merge, read_yaml, validate
from emergent.config.risk_gap import GapStage, RiskGapExperiment
from emergent.errors import ConfigError
from emergent.groups.permutations import cluster_generators, elements
from emergent.linear import risks
from emergent.linear.equivariant import Symmetry, averaging, dimension_by_characters
from emergent.statistics.linear_risks import Theory, crossing, fitted_crossing

CONTENT = read_yaml(Path(__file__).parents[2] / "config/experiments/risk_gap.yaml")
CONTENT.pop("scales")
CLUSTERS = [(1, 1, 1), (2, 1), (3,), (3, 2), (5,), (1, 1, 3), (2, 1, 2)]


@pytest.fixture
def double() -> Any:
    with jax.enable_x64(True):
        yield


def case(seed: int, size: int, num: int, outputs: int) -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(seed)
    return generator.normal(size=(size, num)), generator.normal(size=(size, outputs))


def copies(inputs: Any, targets: Any, clusters: tuple[int, ...], moved: bool) -> tuple[np.ndarray, np.ndarray]:
    """All permuted copies of some samples, literally."""
    group = elements(cluster_generators(clusters))
    answers = [np.asarray(targets)[:, move] if moved else np.asarray(targets) for move in group]
    return np.concatenate([np.asarray(inputs)[:, move] for move in group]), np.concatenate(answers)


@pytest.mark.parametrize("clusters", CLUSTERS)
def test_dimensions_by_orbits_characters_and_formula(clusters: tuple[int, ...]) -> None:
    generators = cluster_generators(clusters)
    counted = {"scalar": len(clusters), "permuted": len(clusters) ** 2 + sum(size > 1 for size in clusters)}
    for outputs, expected in counted.items():
        assert Symmetry.of(generators, outputs).dimension == expected  # pyright: ignore[reportArgumentType]
        assert dimension_by_characters(generators, outputs) == pytest.approx(expected)  # pyright: ignore[reportArgumentType]


def test_generators_that_are_none_are_refused() -> None:
    with pytest.raises(ValueError, match="expected permutations"):
        Symmetry.of(np.array([[0, 0, 1]]), "scalar")
    with pytest.raises(ValueError, match="sizes of at least 1"):
        cluster_generators([2, 0])


@pytest.mark.parametrize("clusters", CLUSTERS)
@pytest.mark.parametrize("moved", [False, True])
def test_augmentation_is_tying_and_projection_of_invariant_inputs(
    double: None, clusters: tuple[int, ...], moved: bool
) -> None:
    num = sum(clusters)
    inputs, targets = case(len(clusters), 2 * num, num, num if moved else 1)
    means = risks.Means.of(Symmetry.of(cluster_generators(clusters), "permuted" if moved else "scalar"))
    solution = risks.augmented(inputs, targets, means)
    literal, *_ = np.linalg.lstsq(*copies(inputs, targets, clusters, moved), rcond=None)
    np.testing.assert_allclose(solution, literal, atol=1e-11)
    np.testing.assert_allclose(solution, means.project(solution), atol=1e-12)
    np.testing.assert_allclose(solution, risks.tied(inputs, targets, means), atol=1e-11)
    # Projected least squares is another map, unless the group is trivial or the second moment of the inputs invariant.
    apart = float(np.abs(solution - means.project(risks.least_squares(inputs, targets))).max())
    assert (apart > 1e-3) == (set(clusters) != {1})
    white = np.linalg.qr(inputs)[0]
    projected = means.project(risks.least_squares(white, targets))
    np.testing.assert_allclose(risks.augmented(white, targets, means), projected, atol=1e-12)
    # So it is of a design that holds all copies of its inputs, whatever the targets of these are.
    group = elements(cluster_generators(clusters))
    design = np.concatenate([inputs[:, move] for move in group])
    _, other = case(7, len(design), num, targets.shape[1])
    projected = means.project(risks.least_squares(design, other))
    np.testing.assert_allclose(risks.augmented(design, other, means), projected, atol=1e-11)


@pytest.mark.parametrize("clusters", [(2, 1), (3,), (3, 2)])
def test_projection_is_the_mean_over_the_group(clusters: tuple[int, ...]) -> None:
    num = sum(clusters)
    weights = np.random.default_rng(0).normal(size=(num, num))
    group = elements(cluster_generators(clusters))
    mean = np.mean([weights[np.ix_(move, move)] for move in group], 0)
    found = averaging(Symmetry.of(cluster_generators(clusters), "permuted").on_maps) @ weights.reshape(-1)
    np.testing.assert_allclose(found.reshape(num, num), mean, atol=1e-14)


def stage(arm: str, **sampling: Any) -> GapStage:
    found = validate(RiskGapExperiment, merge(CONTENT, {"sampling": sampling}), "case").stage("train", arm)
    assert isinstance(found, GapStage)
    return found


@pytest.mark.parametrize("arm", ["near", "maps"])
def test_risks_are_those_of_theory(double: None, arm: str) -> None:
    settings = stage(arm, sizes=[10, 14, 20], num_draws=400)
    found = risks.risk_arrays(settings, range(8))
    task, sizes = settings.task, np.array(settings.sampling.sizes, float)
    excess = found["excess"].values
    trivial = list(task.groups).index("trivial")
    for index, name in enumerate(task.groups):
        theory = Theory(task.dimension, task.num_outputs, int(found["dimension"].values[index]),
                        float(found["bias"].values[index]), task.noise_std**2)  # fmt: skip
        gap = excess[:, :, 0, trivial] - excess[:, :, 0, index]
        tried = [(gap, theory.gap(sizes)), (excess[:, :, 0, index], theory.excess(sizes, "projected"))]
        tried += [(excess[:, :, 1, index], theory.excess(sizes, "tied"))] if task.outputs == "scalar" else []
        for values, expected in tried:
            error = values.std(0, ddof=1) / np.sqrt(len(values))
            # Eight members: 5.4 is the 99.9 % quantile of Student's distribution of seven degrees of freedom.
            assert (np.abs(values.mean(0) - expected) <= 5.4 * error + 1e-12).all(), name


def test_formula_of_the_published_crossing_and_its_fit() -> None:
    truth = np.array([1.0, 1.0, 0.92])
    truth /= np.linalg.norm(truth)
    bias = 2 / 3 * (truth[0] - truth[2]) ** 2
    smaller, larger = Theory(3, 1, 2, 0.0, 1 / 36), Theory(3, 1, 1, bias, 1 / 36)
    assert crossing(smaller, larger) == pytest.approx(4 + (1 / 36) / bias)
    assert round(crossing(smaller, larger), 2) == 22.53
    assert crossing(smaller, Theory(3, 1, 1, 0.0, 1 / 36)) == float("inf")
    sizes = np.arange(10.0, 40, 2)
    difference = larger.excess(sizes, "projected") - smaller.excess(sizes, "projected")
    assert fitted_crossing(sizes, difference, 3).size == pytest.approx(crossing(smaller, larger))
    assert np.isnan(fitted_crossing(sizes, difference + 1, 3).size)


def test_gap_of_the_specified_examples() -> None:
    """Numbers that an independent Monte Carlo run agrees with."""
    truth = np.array([1.0, 1.0, 0.92]) / np.linalg.norm([1.0, 1.0, 0.92])
    bias = np.square(truth - truth.mean()).sum()
    sizes = np.array([10.0, 20.0, 30.0])
    np.testing.assert_allclose(Theory(3, 1, 1, bias, 1 / 36).gap(sizes), [0.00776, 0.00197, 0.00064], atol=5e-6)
    np.testing.assert_allclose(Theory(3, 1, 2, 0.0, 1 / 36).gap(sizes), [0.00463, 0.00174, 0.00107], atol=5e-6)


@pytest.mark.parametrize(
    ("delta", "message"),
    [
        ({"sampling": {"sizes": [4, 12, 14]}}, r"more than D \+ 1 = 4 samples.*found 4"),
        ({"sampling": {"sizes": [6, 12, 14]}}, r"more than D \+ 1 = 6 samples.*arm maps"),
        ({"arms": {"near": {"groups": {"s2": {"clusters": [2, 2]}}}}}, r"add up to the 3 inputs, found \[2, 2\]"),
        ({"arms": {"near": {"groups": {"trivial": {"clusters": [2, 1]}}}}}, "expected a trivial one"),
        ({"arms": {"near": {"truth": [1.0]}}}, "expected 3 weights or null, found 1"),
        ({"arms": {"near": {"truth": [0.0, 0.0, 0.0]}}}, "cannot be scaled to norm 1"),
        ({"crossings": {"near": ["s2", "s4"]}}, "expected an arm and two of its groups"),
    ],
)
def test_settings_that_cannot_be_are_refused(delta: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        validate(RiskGapExperiment, merge(CONTENT, delta), "case")


def test_members_do_not_depend_on_their_block(double: None) -> None:
    settings = stage("near", sizes=[10, 12, 14], num_draws=3)
    both, second = risks.risk_arrays(settings, [0, 1]), risks.risk_arrays(settings, [1])
    for name in ("excess", "trial", "asymmetry"):
        np.testing.assert_array_equal(both[name].values[1:], second[name].values)


def test_clusters_generate_all_permutations_within() -> None:
    found = {tuple(row) for row in elements(cluster_generators([2, 3]))}
    expected = {
        (*a, *(2 + i for i in b)) for a in itertools.permutations(range(2)) for b in itertools.permutations(range(3))
    }
    assert found == expected

"""Homogeneous bundles: induced representations, Mackey's count, kernels; norms on the sphere; the kind ``bundles``."""

from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.special import eval_legendre, roots_legendre

from emergent import storage
from emergent.claims.verdict import judge
from emergent.config.base import merge, read_yaml, validate
from emergent.config.bundles import BundleExperiment, BundleStage, BundleSummary, SphereTask
from emergent.config.claims import read_claims
from emergent.config.figures import read_catalogue
from emergent.errors import ConfigError
from emergent.figures.drawing import Drawing
from emergent.figures.facts import Inputs, facts_of
from emergent.figures.plots import draw
from emergent.storage import Array
from emergent.summaries.bundles import summarise_bundles
from emergent.theorems.bundles import bundle_arrays, multipliers, norm_by_degrees, norm_by_quadrature
from emergent.theorems.induced import (
    Bundle,
    closure,
    convolution,
    equivariant_maps,
    fibre_matrix,
    inverse,
    kernel,
    kernel_defect,
    mackey_count,
    product,
)

CONFIG = Path(__file__).parents[2] / "config"
CLAIMS = [claim for claim in read_claims(CONFIG / "claims.yaml") if claim.experiment == "bundles"]
S4 = ((1, 0, 2, 3), (1, 2, 3, 0))
GROUP = tuple(closure(S4, 4))
SIX = tuple(closure([(1, 0, 2, 3), (1, 2, 0, 3)], 4))
FOUR = tuple(closure([(1, 2, 3, 0)], 4))


def study(**delta: Any) -> BundleExperiment:
    content = merge(read_yaml(CONFIG / "experiments/bundles.yaml"), {"scales": None})
    content = merge(content, {"arms": {"d4": None, "a4": None, "s4": None}})
    return validate(BundleExperiment, merge(content, delta), "case")


def arrays(**delta: Any) -> dict[str, dict[str, Array]]:
    known = study(**delta)
    stages = {name: known.stage("train", name) for name in known.arm_names}
    return {name: bundle_arrays(stage, [0]) for name, stage in stages.items() if isinstance(stage, BundleStage)}


@pytest.mark.parametrize("fibre", ["trivial", "sign", "points"])
def test_fibres_and_sections_are_representations(fibre: Any) -> None:
    bundle = Bundle(GROUP, SIX, fibre)
    generator = np.random.default_rng(0)
    for _ in range(10):
        g, h = (GROUP[int(index)] for index in generator.integers(len(GROUP), size=2))
        for matrix in (bundle.induced, lambda element: fibre_matrix(element, fibre)):
            np.testing.assert_array_equal(matrix(g) @ matrix(h), matrix(product(g, h)))
            np.testing.assert_array_equal(matrix(g) @ matrix(inverse(g)), np.eye(len(matrix(g))))
    assert bundle.size == 4 * bundle.rank and bundle.cosets[0] == (0, 1, 2, 3)


def test_dimensions_by_hand() -> None:
    # Functions on G itself commute with as many maps as G has elements; functions on four points with two.
    whole, points = Bundle(GROUP, (GROUP[0],), "trivial"), Bundle(GROUP, SIX, "trivial")
    assert len(equivariant_maps(points, points, S4)) == mackey_count(points, points) == 2
    assert mackey_count(whole, whole) == 24
    # The sign of S4 is in no function on four points.
    over_a_point = Bundle(GROUP, GROUP, "sign")
    assert len(equivariant_maps(points, over_a_point, S4)) == mackey_count(points, over_a_point) == 0


@pytest.mark.parametrize(("source", "target"), [("points", "sign"), ("sign", "points"), ("points", "points")])
def test_equivariant_maps_are_convolutions_and_others_are_not(source: Any, target: Any) -> None:
    first, second = Bundle(GROUP, FOUR, source), Bundle(GROUP, SIX, target)
    maps = equivariant_maps(first, second, S4)
    assert len(maps) == pytest.approx(mackey_count(first, second), abs=1e-12)
    # A random mixture, under an element that is no generator.
    mixed = np.tensordot(np.random.default_rng(0).standard_normal(len(maps)), maps, 1)
    g = product(product(S4[1], S4[0]), S4[1])
    np.testing.assert_allclose(second.induced(g) @ mixed, mixed @ first.induced(g), rtol=0, atol=1e-12)
    kappa = kernel(first, second, mixed)
    assert kernel_defect(first, second, kappa) < 1e-12
    np.testing.assert_allclose(convolution(first, second, kappa), mixed, rtol=0, atol=1e-12)
    # The controls: another map is not its convolution, and another kernel makes no equivariant map.
    other = np.random.default_rng(1).standard_normal(mixed.shape)
    away = kernel(first, second, other)
    assert np.abs(convolution(first, second, away) - other).max() > 0.1
    assert kernel_defect(first, second, away) > 0.1


def test_kernels_act_on_functions_as_they_should() -> None:
    # Written out: (T f)(g) = sum over h of kappa(g^-1 h) f(h), for one function.
    first, second = Bundle(GROUP, FOUR, "points"), Bundle(GROUP, SIX, "points")
    (one, *_) = equivariant_maps(first, second, S4)
    kappa, values = (
        kernel(first, second, one),
        np.random.default_rng(0).standard_normal((len(first.cosets), first.rank)),
    )

    def section(element: Any) -> np.ndarray:
        index, k = first.split(element)
        return first.rho(inverse(k)) @ values[index]

    image = [sum(kappa[product(inverse(y), h)] @ section(h) for h in GROUP) for y in second.cosets]
    np.testing.assert_allclose(np.concatenate(image), one @ values.reshape(-1), rtol=0, atol=1e-12)


def test_norms_on_the_sphere() -> None:
    factors = np.random.default_rng(0).standard_normal(20)
    nodes, weights = roots_legendre(64)
    values = sum((2 * degree + 1) / (4 * np.pi) * a * eval_legendre(degree, nodes) for degree, a in enumerate(factors))
    expected = 2 * np.pi * weights @ np.square(values)
    np.testing.assert_allclose([norm_by_quadrature(factors), norm_by_degrees(factors)], expected, rtol=1e-12)
    for limit in (3, 50):
        np.testing.assert_allclose(norm_by_quadrature(np.ones(limit + 1)), (limit + 1) ** 2 / (4 * np.pi), rtol=1e-12)
    task = study().task("sphere")
    assert isinstance(task, SphereTask)
    # The harmonic series has no end; that of one over the square has.
    slow, fast = ([norm_by_degrees(multipliers(name, task, limit)) for limit in (64, 128, 256, 512)]
                  for name in ("inverse", "inverse_power"))  # fmt: skip
    assert [round(b - a, 2) for a, b in pairwise(slow)] == [0.11] * 3
    assert fast[-1] - fast[-2] < 0.002


def written(folder: Path, found: dict[str, dict[str, Array]]) -> tuple[Any, BundleSummary]:
    settings = study().stage("summary")
    assert isinstance(settings, BundleSummary)
    blocks = {name: [folder / f"{name}.h5"] for name in found}
    for name, own in found.items():
        storage.write(blocks[name][0], stage="train", attributes={}, arrays=own)
    return summarise_bundles(settings, blocks, {}), settings


def verdicts(tables: Any) -> dict[str, set[str]]:
    rows = judge(CLAIMS, {"bundles": tables["quantities"]}, "laptop")
    return {str(name): set(part["verdict"]) for name, part in rows.groupby("id", sort=False)}


def test_claims_hold_and_fail_and_the_picture_shows_them(tmp_path: Path) -> None:
    found = arrays()
    tables, settings = written(tmp_path, found)
    assert {word for words in verdicts(tables).values() for word in words} == {"agrees"}
    (entry,) = [one for one in read_catalogue(CONFIG / "figures.yaml").values() if one.experiments == ("bundles",)]
    drawing = draw(entry, Inputs(tables, (facts_of(settings),)), {})
    assert isinstance(drawing, Drawing) and drawing.facts["num_members"] == "81"
    for name, value in (("mackey", 1.0), ("apart", 1e-3), ("defect", 1e-3)):
        found["s3"][name].values[3] += value  # type: ignore[index]
    found["s3"]["control"].values[:] = 1e-12  # type: ignore[index]
    # As if the identity had a kernel, and the band-limited operator none.
    found["sphere"]["quadrature"].values[:2] = found["sphere"]["quadrature"].values[[1, 0]]  # type: ignore[index]
    assert {word for words in verdicts(written(tmp_path, found)[0]).values() for word in words} == {"differs"}


@pytest.mark.parametrize(
    ("delta", "words"),
    [
        ({"arms": {"s3": {"generators": [[1, 1, 2]]}}}, "generators: expected permutations of the points [0, 1, 2]"),
        ({"arms": {"s3": {"subgroups": {"two": [[1, 0]]}}}}, "two: expected permutations of the points [0, 1, 2]"),
        ({"arms": {"sphere": {"band_limits": [4, 2]}}}, "band_limits: expected ascending"),
        ({"arms": {"sphere": {"band_limit": 200}}}, "expected less than the last but one of band_limits, 128"),
    ],
)
def test_bad_settings_are_refused(delta: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigError) as caught:
        study(**delta)
    assert words in str(caught.value)


def test_subgroups_that_are_none_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"a subgroup whose elements are all in the group, found \(1, 0, 2\)"):
        arrays(arms={"s3": {"generators": [[1, 2, 0]]}})

"""Summary of equivariance, from synthetic networks whose outputs are vectors with a known deviation."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from summary_cases import settings_of, stored, summarise, values_of, write_blocks

from emergent.config.groups import Augmentation
from emergent.config.questions import EquivarianceSummary
from emergent.errors import DataError
from emergent.metrics.output_actions import vectors
from emergent.point_groups import fixed_rotations, orbit_matrices

NUM_MEMBERS, NUM_SAMPLES, SIZES = 40, 150, (2, 4, 8)
FLOOR, NOISE = 0.3, 0.8
DATA = {"test": ("in", "vectors"), "far": ("ood", "vectors_far")}
ORBIT = Augmentation(group="SO3", mode="full", num_elements=5)
TETRAHEDRAL = Augmentation(group="tetrahedral", mode="random")
DRAWN = Augmentation(group="SO3", mode="random", num_elements=8)


def equivariance_settings(orbit: Augmentation = ORBIT, sizes: tuple[int, ...] = SIZES) -> EquivarianceSummary:
    arms = {f"mlp_{width}": {"group": orbit.group, "order": orbit.order, "width": width} for width in (8, 16)}
    options = {"orbits": (orbit, orbit), "augmentations": (TETRAHEDRAL, TETRAHEDRAL)}
    return settings_of("equivariance", arms, NUM_MEMBERS, DATA, ensemble_sizes=sizes, **options)


def member_outputs(matrices: np.ndarray, floor: float, noise: float, seed: int = 0) -> np.ndarray:
    """Outputs [E, M, N, G, 3]: equivariant, plus a part that all members share, plus noise of their own.

    For an element other than the identity f(gx) - rho f(x) has variance 2 (floor^2 + noise^2 / M) per output.
    """
    generator = np.random.default_rng(seed)
    base = generator.normal(size=(NUM_SAMPLES, 3))
    # Of equal length, with a mean square of 4 per output.
    base *= 2 * np.sqrt(3) / np.linalg.norm(base, axis=1, keepdims=True)
    mean = np.einsum("gij,nj->ngi", matrices, base)
    shared = floor * generator.normal(size=(1, 1, NUM_SAMPLES, len(matrices), 3))
    return mean + shared + noise * generator.normal(size=(3, NUM_MEMBERS, NUM_SAMPLES, len(matrices), 3))


@pytest.fixture
def tables(tmp_path: Path) -> dict[str, pd.DataFrame]:
    settings = equivariance_settings()
    matrices = fixed_rotations(settings.seed, 5)
    blocks = {}
    for arm in settings.arms:
        outputs = {data: member_outputs(matrices, FLOOR, NOISE, seed) for seed, data in enumerate(DATA)}
        blocks[arm.name] = write_blocks(tmp_path, arm.name, outputs, {}, settings, 2, vectors(matrices))
    return stored(summarise(settings, blocks), tmp_path)


def test_tables(tables: dict[str, pd.DataFrame]) -> None:
    assert set(tables) == {"orbit_error", "fit", "quantities"}
    errors = tables["orbit_error"]
    columns = ["arm", "width", "data", "predictor", "ensemble_size", "metric", "mean", "std", "num", "sample_stderr"]
    assert list(errors.columns) == columns
    # Two arms, two sets, two metrics; members and three sizes.
    assert len(errors) == 2 * 2 * 2 * 4
    rows = errors.query("arm == 'mlp_8' and data == 'test'").set_index(["metric", "predictor", "ensemble_size"])
    assert rows.loc[("orbit_mse", "members", 1)].num == NUM_MEMBERS and set(rows.width) == {8}
    for size, num in ((2, 20), (4, 10), (8, 5)):
        row = rows.loc[("orbit_mse", "ensemble", size)]
        # 4 of 5 elements move; 150 samples with 12 differences that share f(x).
        expected = 0.8 * 2 * (FLOOR**2 + NOISE**2 / size)
        assert row.num == num
        np.testing.assert_allclose(row["mean"], expected, rtol=0.15)
        error = rows.loc[("equivariance_error", "ensemble", size)]["mean"]
        np.testing.assert_allclose(error, np.sqrt(expected / (4 + FLOOR**2 + NOISE**2 / size)), rtol=0.2)
    np.testing.assert_allclose(rows.loc[("orbit_mse", "members", 1)]["mean"], 1.6 * (FLOOR**2 + NOISE**2), rtol=0.1)


def test_fit_and_quantities(tables: dict[str, pd.DataFrame]) -> None:
    fit = tables["fit"].set_index(["arm", "data"])
    names = [f"{name}{ending}" for name in ("floor", "slope", "ratio") for ending in ("", "_stderr")]
    subset = ["num_elements", "covering_angle"]
    assert list(tables["fit"].columns) == ["arm", "width", *subset, "data", *names, "num_members"]
    assert set(fit.num_elements) == {12}
    np.testing.assert_allclose(fit.covering_angle, 90, rtol=1e-12)
    assert len(fit) == 4 and set(fit.num_members) == {NUM_MEMBERS}
    quantities = values_of(tables)
    for data in ("test", "far"):
        # Both widths keep the same.
        narrow, wide = fit.loc["mlp_8", data], fit.loc["mlp_16", data]
        ratio = quantities.loc[f"floor_ratio/{data}"]
        np.testing.assert_allclose(ratio.value, wide.floor / narrow.floor, rtol=1e-12)
        relative = np.hypot(wide.floor_stderr / wide.floor, narrow.floor_stderr / narrow.floor)
        np.testing.assert_allclose(ratio.stderr, ratio.value * relative, rtol=1e-12)
        assert abs(ratio.value - 1) < 4 * ratio.stderr
    for (arm, data), row in fit.iterrows():
        assert abs(row.slope - 1.6 * NOISE**2) < 4 * row.slope_stderr < 0.4
        # Floor and noise add up to the members, who take no part in the fit.
        members = quantities.value[f"members_orbit_mse/{arm}/{data}"]
        np.testing.assert_allclose(row.floor + row.slope, members, rtol=0.05)
        found = quantities.loc[f"floor/{arm}/{data}"]
        assert [found.value, found.stderr, found.estimator] == [row.floor, row.floor_stderr, "fit"]
    # The part that members share is one draw on 150 samples, known to a tenth.
    np.testing.assert_allclose(fit.floor, 1.6 * FLOOR**2, rtol=0.3)
    assert (fit.floor > 3 * fit.floor_stderr).all()
    assert quantities.value["floor/mlp_8/in"] == quantities.value["floor/mlp_8/test"]
    assert quantities.estimator["orbit_mse/mlp_16/ood/4"] == "disjoint ensembles"
    assert quantities.estimator["members_equivariance_error/mlp_16/ood"] == "mean"
    names = {"orbit_mse", "equivariance_error", "members_orbit_mse", "members_equivariance_error"}
    expected = names | {"floor", "slope", "floor_ratio"}
    assert {str(name).split("/")[0] for name in quantities.index} == expected
    # There is one augmentation, which needs no name.
    assert {name for name in quantities.index if "ratio" in name} == {
        f"floor_ratio/{data}" for data in ("test", "in", "far", "ood")
    }


def test_floors_are_compared_among_arms_that_share_their_augmentation(tmp_path: Path) -> None:
    """Two parts of the rotations, of which one leaves twice as much at width 16 and the other as much at both."""
    kept = {
        "drawn_8": (DRAWN, 8, FLOOR), "drawn_16": (DRAWN, 16, FLOOR * np.sqrt(2)),
        "whole_8": (TETRAHEDRAL, 8, 2 * FLOOR), "whole_16": (TETRAHEDRAL, 16, 2 * FLOOR),
        "all_8": (Augmentation(group="SO3", mode="random"), 8, 0.0),
    }  # fmt: skip
    arms = {name: {"group": "SO3", "order": 5, "width": width} for name, (_, width, _) in kept.items()}
    settings = settings_of("equivariance", arms, NUM_MEMBERS, DATA, ensemble_sizes=SIZES, orbits=(ORBIT,) * len(arms),
                           augmentations=tuple(part for part, _, _ in kept.values()))  # fmt: skip
    matrices = fixed_rotations(settings.seed, 5)
    blocks = {
        name: write_blocks(
            tmp_path, name, dict.fromkeys(DATA, member_outputs(matrices, floor, NOISE)), {}, settings, 2,
            vectors(matrices),
        )
        for name, (_, _, floor) in kept.items()
    }  # fmt: skip
    tables = stored(summarise(settings, blocks), tmp_path)
    quantities = values_of(tables)
    ratios = {name for name in quantities.index if str(name).startswith("floor_ratio")}
    sets = ("test", "in", "far", "ood")
    # Of the group that is drawn from anew there is one width.
    assert ratios == {f"floor_ratio/{part}/{data}" for part in ("so3_8", "tetrahedral") for data in sets}
    assert abs(quantities.value["floor_ratio/so3_8/test"] - 2) < 4 * quantities.stderr["floor_ratio/so3_8/test"] < 1.5
    np.testing.assert_allclose(quantities.value["floor_ratio/tetrahedral/test"], 1, rtol=1e-6)
    assert "so3_8" in quantities.description["floor_ratio/so3_8/test"]
    fit = tables["fit"].set_index(["arm", "data"]).xs("test", level="data")
    assert fit.num_elements[["drawn_16", "whole_8"]].tolist() == [8, 12]
    assert 90 < fit.covering_angle["drawn_8"] == fit.covering_angle["drawn_16"] < 180
    assert np.isnan(fit.num_elements["all_8"]) and fit.covering_angle["all_8"] == 0


def test_part_of_a_finite_group_and_two_vectors(tmp_path: Path) -> None:
    """Equivariant pairs of vectors under some rotations of the cube have no error."""
    orbit = Augmentation(group="octahedral", mode="full", elements=(0, 5, 11))
    settings = equivariance_settings(orbit, (4,))
    matrices = orbit_matrices("octahedral", settings.seed, orbit.elements)
    outputs = np.concatenate([member_outputs(matrices, 0, 0, seed) for seed in (0, 1)], axis=-1)
    blocks = {
        arm.name: write_blocks(tmp_path, arm.name, dict.fromkeys(DATA, outputs), {}, settings, 1, vectors(matrices, 2))
        for arm in settings.arms
    }
    tables = stored(summarise(settings, blocks), tmp_path)
    assert tables["orbit_error"]["mean"].max() < 1e-6 and (tables["orbit_error"]["mean"] >= 0).all()
    # One size only: nothing is fitted.
    assert len(tables["fit"]) == 0


def test_outputs_on_other_orbits(tmp_path: Path) -> None:
    settings = equivariance_settings()
    matrices = fixed_rotations(settings.seed, 4)
    outputs = dict.fromkeys(DATA, member_outputs(matrices, 0, 1))
    blocks = {
        arm.name: write_blocks(tmp_path, arm.name, outputs, {}, settings, 1, vectors(matrices)) for arm in settings.arms
    }
    with pytest.raises(DataError, match="arm mlp_8, test: expected outputs on orbits of 5 elements"):
        summarise(settings, blocks)

"""Summary of orbit spreads of energies, from synthetic members and made-up predictions."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from summary_cases import settings_of, stored, summarise, values_of, write_blocks

from emergent import storage
from emergent.config.questions import SpreadSummary
from emergent.errors import DataError
from emergent.storage import Array
from emergent.summaries.orbit_spread import _decay

NUM_SITES, SITE_STD = 4, 0.6


def spread_settings() -> SpreadSummary:
    return settings_of(
        "orbit_spread",
        {f"mlp_{width}": {"group": "C4", "order": 4, "width": width} for width in (8, 16)},
        64,
        {"train": ("train", "ising"), "test": ("in", "ising")},
        ensemble_sizes=(2, 8, 32, 64),
        energy_scale="mean_absolute",
        infinite_arm="mlp_8",
    )


@pytest.fixture
def spread_case(tmp_path: Path) -> dict[str, pd.DataFrame]:
    """Members are independent Gaussian site energies around an equivariant mean: the energy std is known."""
    generator = np.random.default_rng(3)
    settings = spread_settings()
    names = [data.name for data in settings.data]
    means = {data: np.repeat(generator.normal(1, 1, (20, 1, NUM_SITES)), 4, axis=1) for data in names}
    arrays = {"max_learning_rate": Array(np.asarray(1.0), ())}
    for data, mean in means.items():
        covariance = np.broadcast_to(np.eye(4) * SITE_STD**2 / NUM_SITES, (20, 4, 4))
        arrays[f"{data}/mean"] = Array(mean, ("sample", "element", "site"))
        arrays[f"{data}/energy_covariance"] = Array(covariance, ("sample", "element", "element2"))
    kernel = tmp_path / "predictions.h5"
    readings = pd.DataFrame(
        {
            "dataset": ["ising"],
            "time": [1.0],
            "rule": ["per_sample"],
            "data": ["test"],
            "members_orbit_std": [1.0],
            "difference": [0.0],
        }
    )
    storage.write(kernel, stage="predict", attributes={}, arrays=arrays, tables={"readings": readings})
    blocks = {}
    for arm in (facts.name for facts in settings.arms):
        outputs = {
            data: mean + SITE_STD * generator.normal(size=(3, 64, 20, 4, NUM_SITES)) for data, mean in means.items()
        }
        blocks[arm] = write_blocks(tmp_path, arm, outputs, {}, settings)
    tables = stored(summarise(settings, blocks, {"mlp_8": kernel}), tmp_path)
    scales = {data: np.abs(mean[:, 0].mean(-1)).mean() for data, mean in means.items()}
    return tables | {"scales": pd.DataFrame([scales])}


def expected_orbit_std(size: int) -> float:
    """Mean population std of four independent Gaussian energies: sqrt(3/4) c4 sigma, c4 = 0.9213."""
    return float(np.sqrt(3 / 4) * 0.9213177 * SITE_STD / np.sqrt(NUM_SITES * size))


def test_spread_tables(spread_case: dict[str, pd.DataFrame]) -> None:
    orbit, difference = spread_case["orbit_std"], spread_case["ntk_difference"]
    assert {"orbit_std", "ntk_difference", "ntk_floor", "readings", "quantities"} == set(spread_case) - {"scales"}
    columns = ["arm", "width", "data", "predictor", "ensemble_size", "mean", "std", "num", "sample_stderr"]
    assert list(orbit.columns) == columns
    assert list(difference.columns) == [column for column in columns if column != "predictor"]
    # For the kernel and both arms on both sets: members, and four sizes of ensembles.
    assert len(orbit) == 3 * 2 * 5 and len(difference) == 3 * 2 * 4
    assert orbit.groupby("arm").width.first().to_dict() == {"mlp_16": 16, "mlp_8": 8, "ntk": np.inf}
    for data in ("train", "test"):
        scale = spread_case["scales"][data][0]
        rows = orbit[orbit.data == data].set_index(["arm", "predictor", "ensemble_size"])
        # 4000 draws x 20 samples; 64 members x 20 samples with a relative spread of 0.42.
        np.testing.assert_allclose(rows.loc[("ntk", "members", 1), "mean"] * scale, expected_orbit_std(1), rtol=0.01)
        for arm in ("mlp_8", "mlp_16"):
            members = rows.loc[(arm, "members", 1)]
            assert members.num == 64
            np.testing.assert_allclose(members["mean"] * scale, expected_orbit_std(1), rtol=4 * 0.42 / np.sqrt(1280))
            np.testing.assert_allclose(
                members["std"], rows.loc[("ntk", "members", 1), "std"], rtol=4 / np.sqrt(2 * 1280)
            )
            for size, num in ((2, 32), (8, 8), (32, 2), (64, 1)):
                row = rows.loc[(arm, "ensemble", size)]
                assert row.num == num and np.isnan(row["std"]) == (num == 1)
                tolerance = 4 * 0.42 / np.sqrt(20 * num)
                np.testing.assert_allclose(row["mean"] * scale, expected_orbit_std(size), rtol=tolerance)
        assert rows.loc[("ntk", "ensemble", 8), "mean"] < 1e-12
    ntk = difference[difference.arm == "ntk"]
    assert (ntk["mean"] == 0).all() and (ntk.num == 1).all()


def test_spread_quantities(spread_case: dict[str, pd.DataFrame]) -> None:
    quantities = values_of({"quantities": spread_case["quantities"]})
    expected = {"ntk_equivariance_error"}
    expected |= {f"ntk_floor_{name}/{data}" for name in ("by_width", "misfit") for data in ("train", "test")}
    for arm in ("mlp_8", "mlp_16"):
        for data in ("train", "test"):
            expected |= {f"{name}/{arm}/{data}" for name in ("members_orbit_std", "band_ratio", "decay_exponent")}
            expected |= {f"ntk_{name}/{arm}/{data}" for name in ("floor", "floor_squared", "noise")}
            expected |= {
                f"{name}/{arm}/{data}/{size}"
                for name in ("ensemble_orbit_std", "ntk_difference")
                for size in (2, 8, 32, 64)
            }
    assert set(quantities.index) == expected
    assert quantities.value["ntk_equivariance_error"] < 1e-12
    for name in (name for name in expected if name.startswith("decay_exponent")):
        assert abs(quantities.value[name] + 0.5) < 4 * quantities.stderr[name]
        assert quantities.stderr[name] < 0.2
    # Members are drawn around the prediction itself: nothing is left of the distance, and all of it is their noise.
    for name in (name for name in expected if name.startswith("ntk_floor_squared")):
        assert abs(quantities.value[name]) < 4 * quantities.stderr[name]
    scale = spread_case["scales"]["test"][0]
    noise = (SITE_STD / scale) ** 2 / NUM_SITES
    np.testing.assert_allclose(quantities.value["ntk_noise/mlp_8/test"], noise, rtol=4 * np.sqrt(2 / 1280))
    # Mean |Gaussian| is sqrt(2 / pi) sigma; 20 samples x 8 ensembles.
    scale = spread_case["scales"]["test"][0]
    found = quantities.value["ntk_difference/mlp_8/test/8"] * scale
    expected_gap = np.sqrt(2 / np.pi) * SITE_STD / np.sqrt(NUM_SITES * 8)
    np.testing.assert_allclose(found, expected_gap, rtol=4 * 0.756 / np.sqrt(160))
    row = spread_case["orbit_std"].query("arm == 'mlp_8' and data == 'test' and predictor == 'members'").iloc[0]
    np.testing.assert_allclose(quantities.value["members_orbit_std/mlp_8/test"], row["mean"])
    np.testing.assert_allclose(quantities.value["band_ratio/mlp_8/test"], row["std"] / row["mean"])
    words = {name.split("/")[0]: estimator for name, estimator in quantities.estimator.items()}
    assert words == {
        "members_orbit_std": "mean",
        "band_ratio": "ratio",
        "ensemble_orbit_std": "disjoint ensembles",
        "ntk_difference": "disjoint ensembles",
        "decay_exponent": "fit",
        "ntk_floor_squared": "unbiased",
        "ntk_floor": "unbiased",
        "ntk_noise": "unbiased",
        "ntk_floor_by_width": "fit",
        "ntk_floor_misfit": "fit",
        "ntk_equivariance_error": "largest",
    }


def test_predictions_of_another_arm() -> None:
    with pytest.raises(DataError, match="no predictions of arm mlp_8"):
        summarise(spread_settings(), {}, {"mlp_16": Path("x.h5")})


@pytest.mark.parametrize(("repeats", "dof"), [((4, 2, 1), 4.0), ((1, 1, 1), np.inf)])
def test_error_of_a_decay_is_known_from_repeats_alone(repeats: tuple[int, ...], dof: float) -> None:
    """From the spread of the sizes that have one; where none has, there is no error to judge by."""
    generator = np.random.default_rng(0)
    curve = [
        (size, size**-0.5 * generator.uniform(0.9, 1.1, (num, 5))) for size, num in zip((2, 4, 8), repeats, strict=True)
    ]
    found = _decay(curve, whole=True)
    assert abs(found.value + 0.5) < 0.2 and found.dof == dof
    assert (0 < found.stderr < 0.2) if np.isfinite(dof) else np.isnan(found.stderr)

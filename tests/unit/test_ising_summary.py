"""Summary of the Ising experiment, from synthetic members and a made-up kernel."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from summary_cases import make_pool, settings_of, stored, summarise, values_of

from emergent import storage
from emergent.storage import Array

NUM_SITES, SITE_STD = 4, 0.6


@pytest.fixture
def ising_case(tmp_path: Path) -> dict[str, pd.DataFrame]:
    """Members are independent Gaussian site energies around an equivariant mean: the energy std is known."""
    generator = np.random.default_rng(3)
    settings = settings_of("ising", {"mlp_8": "C4", "mlp_16": "C4"}, 64, [2, 8, 32, 64], energy_scale="mean_absolute")
    settings["widths"] = {"mlp_8": 8, "mlp_16": 16}
    settings["data"] = {
        "train": {"role": "train", "primary": True, "dataset": "ising"},
        "test": {"role": "in", "primary": True, "dataset": "ising"},
    }
    settings["data_order"] = ["train", "test"]
    means = {data: np.repeat(generator.normal(1, 1, (20, 1, NUM_SITES)), 4, axis=1) for data in settings["data"]}
    arrays = {"max_learning_rate": Array(np.asarray(1.0), ())}
    for data, mean in means.items():
        covariance = np.broadcast_to(np.eye(4) * SITE_STD**2 / NUM_SITES, (20, 4, 4))
        arrays[f"{data}/mean"] = Array(mean, ("sample", "element", "site"))
        arrays[f"{data}/energy_covariance"] = Array(covariance, ("sample", "element", "element2"))
    kernel = tmp_path / "predictions.h5"
    readings = pd.DataFrame(
        {"dataset": ["ising"], "rule": ["per_sample"], "data": ["test"], "members_orbit_std": [1.0]}
    )
    storage.write(kernel, stage="kernel", attributes={}, arrays=arrays, tables={"readings": readings})
    pools = {}
    for arm in settings["arm_order"]:
        outputs = {
            data: mean + SITE_STD * generator.normal(size=(3, 64, 20, 4, NUM_SITES)) for data, mean in means.items()
        }
        pools[arm] = make_pool(tmp_path, arm, outputs, {}, settings)
    tables = stored(summarise(settings, pools, kernel), tmp_path)
    scales = {data: np.abs(mean[:, 0].mean(-1)).mean() for data, mean in means.items()}
    return tables | {"scales": pd.DataFrame([scales])}


def expected_orbit_std(size: int) -> float:
    """Mean population std of four independent Gaussian energies: sqrt(3/4) c4 sigma, c4 = 0.9213."""
    return float(np.sqrt(3 / 4) * 0.9213177 * SITE_STD / np.sqrt(NUM_SITES * size))


def test_ising_tables(ising_case: dict[str, pd.DataFrame]) -> None:
    orbit, difference = ising_case["orbit_std"], ising_case["ntk_difference"]
    assert {"orbit_std", "ntk_difference", "readings", "quantities"} == set(ising_case) - {"scales"}
    columns = ["arm", "width", "data", "predictor", "ensemble_size", "mean", "std", "num"]
    assert list(orbit.columns) == columns
    assert list(difference.columns) == [column for column in columns if column != "predictor"]
    # For the kernel and both arms on both sets: members, and four sizes of ensembles.
    assert len(orbit) == 3 * 2 * 5 and len(difference) == 3 * 2 * 4
    assert orbit.groupby("arm").width.first().to_dict() == {"mlp_16": 16, "mlp_8": 8, "ntk": 0}
    for data in ("train", "test"):
        scale = ising_case["scales"][data][0]
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


def test_ising_quantities(ising_case: dict[str, pd.DataFrame]) -> None:
    quantities = values_of({"quantities": ising_case["quantities"]})
    expected = {"ntk_equivariance_error"}
    for arm in ("mlp_8", "mlp_16"):
        for data in ("train", "test"):
            expected |= {f"{name}/{arm}/{data}" for name in ("members_orbit_std", "band_ratio", "decay_exponent")}
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
    # Mean |Gaussian| is sqrt(2 / pi) sigma; 20 samples x 8 ensembles.
    scale = ising_case["scales"]["test"][0]
    found = quantities.value["ntk_difference/mlp_8/test/8"] * scale
    expected_gap = np.sqrt(2 / np.pi) * SITE_STD / np.sqrt(NUM_SITES * 8)
    np.testing.assert_allclose(found, expected_gap, rtol=4 * 0.756 / np.sqrt(160))
    row = ising_case["orbit_std"].query("arm == 'mlp_8' and data == 'test' and predictor == 'members'").iloc[0]
    np.testing.assert_allclose(quantities.value["members_orbit_std/mlp_8/test"], row["mean"])
    np.testing.assert_allclose(quantities.value["band_ratio/mlp_8/test"], row["std"] / row["mean"])

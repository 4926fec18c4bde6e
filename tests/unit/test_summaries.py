"""Summaries of the three kinds of experiment, from small synthetic evaluations with known answers."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from emergent import storage
from emergent.metrics.ensembles import runs_in_block
from emergent.metrics.pool import MemberPool
from emergent.metrics.quantities import COLUMNS
from emergent.metrics.summaries import POOL_SUMMARIES
from emergent.storage import Array
from emergent.training.evaluate import evaluate_set

EPOCHS = np.array([0, 1, 2])
DATA = {
    "digits": {"role": "in", "primary": True, "dataset": "digits"},
    "fields": {"role": "ood", "primary": True, "dataset": "gaussian_fields_8"},
}


def make_pool(
    folder: Path, arm: str, outputs: dict[str, np.ndarray], labels: dict[str, np.ndarray], settings: dict[str, Any]
) -> MemberPool:
    """A pool in blocks of half its members, whose networks have the given outputs [E, M, N, G, K] on each set."""
    num = settings["num_members"]
    metrics = ("orbit_energy_std",) if settings["kind"] == "ising" else ("orbit_same_predictions",)
    if settings["kind"] == "orbit_divergence":
        metrics = ("orbit_same_predictions", "symmetric_kl")
    paths = []
    for first, stop in ((0, num // 2), (num // 2, num)):
        arrays = {"members": Array(np.arange(first, stop), ("member",)), "epochs": Array(EPOCHS, ("epoch",))}
        for data, values in outputs.items():
            part = evaluate_set(
                lambda parameters: parameters["outputs"],
                {"outputs": values[:, first:stop].astype(np.float32)},
                tuple(range(first, stop)),
                labels.get(data),
                metrics + (("correct", "cross_entropy") if data in labels else ()),
                runs_in_block(tuple(settings["ensemble_sizes"]), settings["max_ensembles"], first, stop)
                + ([(first, stop)] if settings["kind"] == "orbit_divergence" else []),
                (2,) if settings["kind"] == "orbit_divergence" else (),
            )
            if settings["kind"] == "orbit_divergence":
                part["output_epochs"] = Array(EPOCHS[2:], ("output_epoch",))
            arrays |= {f"{data}/{name}": value for name, value in part.items()}
            if data in labels:
                arrays[f"{data}/labels"] = Array(labels[data], ("sample",))
        paths.append(folder / arm / f"members_{first:04d}-{stop - 1:04d}.h5")
        storage.write(paths[-1], stage="evaluate", attributes={}, arrays=arrays)
    return MemberPool(paths, num)


def settings_of(kind: str, arms: dict[str, str], num: int, sizes: list[int], **options: Any) -> dict[str, Any]:
    return {
        "kind": kind,
        "arms": arms,
        "arm_order": list(arms),
        "widths": dict.fromkeys(arms, 0),
        "data": DATA,
        "data_order": list(DATA),
        "num_members": num,
        "ensemble_sizes": sizes,
        "max_ensembles": 50,
        "reference_ensemble_size": max(sizes),
        "energy_scale": None,
    } | options


def stored(tables: dict[str, pd.DataFrame], folder: Path) -> dict[str, pd.DataFrame]:
    """The tables after a round trip through the file that figures and claims read."""
    path = folder / "summary.h5"
    storage.write(path, stage="summary", attributes={}, tables=tables, allow_nan=True)
    return {name: storage.read_table(path, name, "summary") for name in tables}


def values_of(tables: dict[str, pd.DataFrame]) -> pd.DataFrame:
    assert list(tables["quantities"].columns) == COLUMNS
    assert (tables["quantities"].description.str.len() > 5).all()
    return tables["quantities"].set_index("name")


def summarise(settings: dict[str, Any], pools: dict[str, MemberPool], kernel: Path | None) -> dict[str, pd.DataFrame]:
    return POOL_SUMMARIES[settings["kind"]](settings, pools, kernel)


@pytest.fixture
def osp_case(tmp_path: Path) -> tuple[dict[str, pd.DataFrame], dict[str, Any]]:
    """Members are noise around one invariant prediction: ensembles are more invariant, more so the larger the group."""
    generator = np.random.default_rng(0)
    settings = settings_of("orbit_same_prediction", {"cnn_c2": "C2", "cnn_c4": "C4"}, 12, [3, 6])
    labels = {data: generator.integers(0, 4, 30).astype(np.int32) for data in DATA}
    signal = np.eye(4)[labels["digits"]]
    outputs = {
        arm: {
            data: signal[:, None]
            + generator.normal(size=(3, 12, 30, order, 4)) * np.array([3, 1, 1])[:, None, None, None, None]
            for data in DATA
        }
        for arm, order in (("cnn_c2", 2), ("cnn_c4", 4))
    }
    pools = {arm: make_pool(tmp_path, arm, outputs[arm], labels, settings) for arm in settings["arm_order"]}
    tables = stored(summarise(settings, pools, None), tmp_path)
    return tables, {"outputs": outputs, "labels": labels}


def test_osp_tables(osp_case: tuple[dict[str, pd.DataFrame], dict[str, Any]]) -> None:
    tables, case = osp_case
    assert set(tables) == {"osp", "accuracy", "quantities"}
    keys = ["arm", "group", "order", "data", "epoch", "predictor", "ensemble_size"]
    statistics = ["mean", "std", "low", "high", "minimum", "maximum", "num"]
    assert list(tables["osp"].columns) == keys + statistics
    assert list(tables["accuracy"].columns) == [
        "arm",
        "data",
        "epoch",
        "predictor",
        "ensemble_size",
        "mean",
        "std",
        "num",
    ]
    # Two arms, two sets, three epochs; members and two sizes. Labels out of distribution mean nothing: no accuracy.
    assert len(tables["osp"]) == 2 * 2 * 3 * 3
    assert len(tables["accuracy"]) == 2 * 1 * 3 * 3
    assert set(tables["accuracy"].data) == {"digits"}
    assert not tables["osp"].duplicated(keys).any()

    outputs = case["outputs"]["cnn_c4"]["fields"][2].astype(np.float32)  # M N G K
    counts = (outputs.argmax(-1) == outputs.argmax(-1)[..., :1]).sum(-1).mean(-1)
    rows = (
        tables["osp"]
        .query("arm == 'cnn_c4' and data == 'fields' and epoch == 2")
        .set_index(["predictor", "ensemble_size"])
    )
    members = rows.loc[("members", 1)]
    assert (members.group, members.order, members.num) == ("C4", 4, 12)
    quantiles = np.quantile(counts, [0.25, 0.75])
    expected = [counts.mean(), counts.std(ddof=1), *quantiles, counts.min(), counts.max()]
    np.testing.assert_allclose(members[statistics[:-1]].astype(float), expected)
    means = outputs.reshape(4, 3, 30, 4, 4).mean(1, dtype=np.float64)
    counts = (means.argmax(-1) == means.argmax(-1)[..., :1]).sum(-1).mean(-1)
    ensemble = rows.loc[("ensemble", 3)]
    assert ensemble.num == 4
    np.testing.assert_allclose([ensemble["mean"], ensemble["std"]], [counts.mean(), counts.std(ddof=1)])

    labels = case["labels"]["digits"]
    right = (case["outputs"]["cnn_c2"]["digits"][1][:, :, 0].argmax(-1) == labels).mean(1)
    row = tables["accuracy"].query("arm == 'cnn_c2' and epoch == 1 and predictor == 'members'").iloc[0]
    np.testing.assert_allclose([row["mean"], row["std"]], [right.mean(), right.std(ddof=1)])


def test_osp_quantities(osp_case: tuple[dict[str, pd.DataFrame], dict[str, Any]]) -> None:
    tables, case = osp_case
    quantities = values_of(tables)
    labels = {"digits": "in", "fields": "ood"}
    expected = set()
    for data in [*labels, *labels.values()]:
        expected.add(f"gain_growth/{data}")
        for arm in ("cnn_c2", "cnn_c4"):
            expected |= {f"gain/{arm}/{data}", f"min_gain/{arm}/{data}"}
            expected |= {f"{name}/{arm}/{data}/{epoch}" for name in ("ensemble_osp", "members_osp") for epoch in EPOCHS}
    assert set(quantities.index) == expected
    # The largest size is the reference; the alias is the same number.
    row = (
        tables["osp"]
        .query("arm == 'cnn_c4' and data == 'fields' and epoch == 2 and predictor == 'ensemble' and ensemble_size == 6")
        .iloc[0]
    )
    for name in ("fields", "ood"):
        found = quantities.loc[f"ensemble_osp/cnn_c4/{name}/2"]
        np.testing.assert_allclose([found.value, found.stderr], [row["mean"], row["std"] / np.sqrt(row["num"])])
        assert found.num == row["num"] == 2
    # Gains pair each ensemble of the smallest size with the mean of its own members, after the first epoch.
    by_arm = {}
    for arm, outputs in case["outputs"].items():
        values = outputs["fields"][1:].astype(np.float32)  # E M N G K
        ensembles = values.reshape(2, 4, 3, *values.shape[2:]).mean(2, dtype=np.float64)
        own, of_ensembles = (
            (part.argmax(-1) == part.argmax(-1)[..., :1]).sum(-1).mean(-1) for part in (values, ensembles)
        )
        by_arm[arm] = of_ensembles - own.reshape(2, 4, 3).mean(2)  # E R
    gain = by_arm["cnn_c4"]
    worst = gain[gain.mean(1).argmin()]
    growth = (by_arm["cnn_c4"] - by_arm["cnn_c2"]).mean(0)
    for name, expected in (("gain/cnn_c4", gain.mean(0)), ("min_gain/cnn_c4", worst), ("gain_growth", growth)):
        found = quantities.loc[f"{name}/ood"]
        np.testing.assert_allclose([found.value, found.stderr], [expected.mean(), expected.std(ddof=1) / 2])
        assert found.num == 4 and found.value > 3 * found.stderr > 0


FLOOR, NOISE, NUM_CLASSES = 0.5, 0.8, 6


@pytest.fixture
def convergence_case(tmp_path: Path) -> dict[str, pd.DataFrame]:
    """Mean logits of the two arms differ by a vector of length FLOOR; each member adds independent noise.

    The squared distance of ensembles of M is FLOOR^2 + 2 K NOISE^2 / M.
    """
    generator = np.random.default_rng(1)
    settings = settings_of("convergence", {"cnn": "C2", "gcnn": "C2"}, 60, [1, 3, 10, 30])
    labels = {"digits": generator.integers(0, NUM_CLASSES, 100).astype(np.int32)}
    signal = 3 * np.eye(NUM_CLASSES)[labels["digits"]][:, None]
    pools = {}
    for arm, shift in (("cnn", FLOOR / np.sqrt(NUM_CLASSES)), ("gcnn", 0.0)):
        # A group convolutional network is invariant: one noise for all group elements.
        shape = (3, 60, 100, 1 if arm == "gcnn" else 2, NUM_CLASSES)
        outputs = {
            data: np.broadcast_to(signal + shift + NOISE * generator.normal(size=shape), (3, 60, 100, 2, NUM_CLASSES))
            for data in DATA
        }
        pools[arm] = make_pool(tmp_path, arm, outputs, labels, settings)
    return stored(summarise(settings, pools, None), tmp_path)


def test_convergence_tables(convergence_case: dict[str, pd.DataFrame]) -> None:
    tables = convergence_case
    assert set(tables) == {"distance", "fit", "accuracy", "quantities"}
    assert list(tables["distance"].columns) == ["data", "epoch", "ensemble_size", "mean", "std", "num"]
    assert list(tables["fit"].columns) == ["data", "epoch", "floor", "floor_stderr", "noise", "noise_stderr"]
    assert list(tables["accuracy"].columns) == ["arm", "epoch", "predictor", "ensemble_size", "mean", "std", "num"]
    assert len(tables["distance"]) == 2 * 3 * 4 and len(tables["fit"]) == 2 * 3
    assert tables["distance"].groupby("ensemble_size").num.first().to_dict() == {1: 50, 3: 20, 10: 6, 30: 2}
    # Distances are means of norms, below the root of the mean square.
    for size, part in tables["distance"].groupby("ensemble_size"):
        expected = np.sqrt(FLOOR**2 + 2 * NUM_CLASSES * NOISE**2 / size)
        np.testing.assert_allclose(part["mean"], expected, rtol=0.08)
    # In 300 repetitions of this construction noise spread as the fit states, the floor by 0.020: within 4 of each.
    assert (np.abs(tables["fit"].noise - 2 * NUM_CLASSES * NOISE**2) < 4 * tables["fit"].noise_stderr).all()
    assert (tables["fit"].noise_stderr < 0.2 * tables["fit"].noise).all()
    assert (np.abs(tables["fit"].floor - FLOOR) < 4 * 0.020).all()
    ensembles = tables["accuracy"].query("predictor == 'ensemble' and ensemble_size == 30")
    members = tables["accuracy"].query("predictor == 'members'")
    assert (ensembles["mean"].to_numpy() >= members["mean"].to_numpy()).all()
    assert set(tables["accuracy"].arm) == {"cnn", "gcnn"}


def test_convergence_quantities(convergence_case: dict[str, pd.DataFrame]) -> None:
    quantities = values_of(convergence_case)
    names = {"digits", "in", "fields", "ood"}
    expected = {f"{kind}/{data}" for kind in ("floor", "noise", "distance_ratio") for data in names}
    expected |= {f"distance/{data}/{size}" for data in names for size in (1, 3, 10, 30)}
    assert set(quantities.index) == expected | {"invariance_error/gcnn"}
    assert quantities.value["invariance_error/gcnn"] == 0
    distance = convergence_case["distance"].query("data == 'fields' and ensemble_size == 3 and epoch > 0")
    np.testing.assert_allclose(quantities.value["distance/ood/3"], distance["mean"].mean())
    ratio = quantities.value["distance/ood/30"] / quantities.value["distance/ood/1"]
    np.testing.assert_allclose(quantities.value["distance_ratio/ood"], ratio)
    assert 0 < quantities.stderr["distance_ratio/ood"] < ratio < 0.5


def test_convergence_sees_a_network_that_is_not_invariant(tmp_path: Path) -> None:
    generator = np.random.default_rng(2)
    settings = settings_of("convergence", {"cnn": "C2", "gcnn": "C2"}, 4, [1, 2])
    outputs = {arm: {data: generator.normal(size=(3, 4, 5, 2, 3)) for data in DATA} for arm in settings["arms"]}
    pools = {arm: make_pool(tmp_path, arm, outputs[arm], {}, settings) for arm in settings["arms"]}
    tables = summarise(settings, pools, None)
    assert values_of(tables).value["invariance_error/gcnn"] > 0.1
    assert tables["accuracy"].empty


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


def test_every_kind_of_experiment_has_a_summary() -> None:
    assert set(POOL_SUMMARIES) == {"ising", "orbit_same_prediction", "convergence", "orbit_divergence"}


def divergence_settings(num: int) -> dict[str, Any]:
    settings = settings_of("orbit_divergence", {"sym": "C4", "asym": "C4"}, num, [5])
    return settings | {"seed": 3, "bootstrap": {"sizes": [2, 5, 10], "num": 6, "epochs": [2]}}


@pytest.fixture
def divergence_tables(tmp_path: Path) -> dict[str, pd.DataFrame]:
    """Members are an invariant mean plus noise; those of ``asym`` have a common part that is not invariant."""
    settings = divergence_settings(20)
    generator = np.random.default_rng(0)
    labels = {"digits": np.arange(6, dtype=np.int32) % 3}
    pools = {}
    for arm, common in (("sym", 0.0), ("asym", 0.7)):
        outputs = {}
        for data in DATA:
            mean = 2 * generator.normal(size=(1, 1, 6, 1, 3)) + common * generator.normal(size=(1, 1, 6, 4, 3))
            outputs[data] = mean + generator.normal(size=(3, 20, 6, 4, 3))
        pools[arm] = make_pool(tmp_path, arm, outputs, labels, settings)
    return stored(summarise(settings, pools, None), tmp_path)


def test_divergence_tables(divergence_tables: dict[str, pd.DataFrame]) -> None:
    tables = divergence_tables
    ensembles = tables["ensembles"]
    assert set(ensembles.metric) == {"osp", "divergence", "accuracy", "loss"}
    assert set(ensembles[ensembles.data == "fields"].metric) == {"osp", "divergence"}
    assert set(ensembles.num) == {6} and set(ensembles.ensemble_size) == {2, 5, 10}
    pool = tables["pool"].set_index(["arm", "data", "epoch", "metric", "predictor"])
    assert (
        pool.loc[("sym", "digits", 0, "osp", "pool"), "mean"] > pool.loc[("sym", "digits", 0, "osp", "members"), "mean"]
    )
    assert set(tables["disjoint"].num) == {4}
    assert set(tables["law"].quantity) == {"divergence", "squared_gap"}
    # An ensemble of ten drawn without replacement diverges less than single members, and less than ensembles of five.
    points = tables["law_points"]
    by_size = points[(points.arm == "sym") & (points.data == "digits")].sort_values("ensemble_size")["mean"]
    assert (by_size.diff().dropna() < 0).all()


def test_divergence_quantities(divergence_tables: dict[str, pd.DataFrame]) -> None:
    values = values_of(divergence_tables)
    assert values.value["num_members"] == 20
    for data in ("in", "ood"):
        assert abs(values.value[f"gap_floor/sym/{data}"]) < 3 * values.stderr[f"gap_floor/sym/{data}"]
        assert values.value[f"gap_floor/asym/{data}"] > 5 * values.stderr[f"gap_floor/asym/{data}"]
        assert values.value[f"floor_difference/asym/{data}"] > 0
        assert values.value[f"pool_gain/sym/{data}"] > 0
    assert values.value["divergence/sym/in/5"] == values.value["divergence/sym/digits/5"]
    assert "floor_difference/sym/in" not in values.index


def test_significance_tells_which_arm_is_more_symmetric(divergence_tables: dict[str, pd.DataFrame]) -> None:
    table = divergence_tables["significance"].set_index(["data", "metric", "ensemble_size", "arm", "other"])
    row = table.loc[("digits", "divergence", 10, "sym", "asym")]
    assert row.difference < 0 and row.p < 0.001 and row.t < 0
    assert table.loc[("digits", "divergence", 10, "asym", "sym")].p > 0.999
    # One pool of 20 holds two ensembles of ten: their spread is the noise of the pool, which bootstraps do not see.
    assert np.isfinite(row.pool_z)

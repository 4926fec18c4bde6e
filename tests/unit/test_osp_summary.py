"""Summary of orbit same predictions, from a small synthetic evaluation with known answers."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from summary_cases import (
    DATA,
    EPOCHS,
    NUM_PARAMETERS,
    data_facts,
    settings_of,
    stored,
    summarise,
    values_of,
    write_blocks,
)

from emergent.config.groups import UniformRotations


@pytest.fixture
def osp_case(tmp_path: Path) -> tuple[dict[str, pd.DataFrame], dict[str, Any]]:
    """Members are noise around one invariant prediction: ensembles are more invariant, more so the larger the group."""
    generator = np.random.default_rng(0)
    arms = {"cnn_c2": {"group": "C2", "order": 2}, "cnn_c4": {"group": "C4", "order": 4}}
    settings = settings_of("orbit_same_prediction", arms, 12, ensemble_sizes=(3, 6))
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
    blocks = {arm: write_blocks(tmp_path, arm, outputs[arm], labels, settings) for arm in arms}
    tables = stored(summarise(settings, blocks), tmp_path)
    return tables, {"outputs": outputs, "labels": labels}


def test_osp_tables(osp_case: tuple[dict[str, pd.DataFrame], dict[str, Any]]) -> None:
    tables, case = osp_case
    assert set(tables) == {"osp", "accuracy", "element_errors", "quantities"}
    keys = ["arm", "group", "order", "data", "epoch", "predictor", "ensemble_size"]
    statistics = ["mean", "std", "low", "high", "minimum", "maximum", "num"]
    assert list(tables["osp"].columns) == [*keys, *statistics, "stderr", "image_stderr", "gain_stderr"]
    assert list(tables["accuracy"].columns) == [
        "arm",
        "data",
        "epoch",
        "predictor",
        "ensemble_size",
        "mean",
        "std",
        "num",
        "stderr",
        "image_stderr",
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


def test_errors_of_single_elements(osp_case: tuple[dict[str, pd.DataFrame], dict[str, Any]]) -> None:
    tables, case = osp_case
    rows = tables["element_errors"].query("arm == 'cnn_c4' and data == 'fields' and epoch == 1").sort_values("element")
    assert rows.element.tolist() == [0, 1, 2, 3] and set(rows.ensemble_size) == {3}
    values = case["outputs"]["cnn_c4"]["fields"][1].astype(np.float32).reshape(4, 3, 30, 4, 4).mean(1, dtype=float)
    gap, size = (values - values[:, :, :1]) ** 2, values[:, :, 0] ** 2
    expected = [np.mean([np.sqrt(gap[r, :, g].mean() / size[r].mean()) for r in range(4)]) for g in range(4)]
    np.testing.assert_allclose(rows["mean"], expected, rtol=1e-5)
    assert expected[0] == 0 < min(expected[1:])


def test_osp_quantities(osp_case: tuple[dict[str, pd.DataFrame], dict[str, Any]]) -> None:
    tables, case = osp_case
    quantities = values_of(tables)
    labels = {"digits": "in", "fields": "ood"}
    expected = set()
    for data in [*labels, *labels.values()]:
        expected.add(f"gain_growth/cnn_c4/{data}")
        for arm in ("cnn_c2", "cnn_c4"):
            expected |= {f"{name}/{arm}/{data}" for name in ("gain", "min_gain", "gain_per_element")}
            expected |= {f"{name}/{arm}/{data}/{epoch}" for name in ("ensemble_osp", "members_osp") for epoch in EPOCHS}
    sizes = {f"num_parameters/{arm}" for arm in ("cnn_c2", "cnn_c4")}
    accuracies = {name for name in quantities.index if name.startswith("accuracy/")}
    assert {name.rsplit("/", 1)[0] for name in accuracies} == {
        f"accuracy/{arm}/{data}" for arm in ("cnn_c2", "cnn_c4") for data in ("digits", "in")
    }, "of sets whose classes are learnt"
    rows = tables["accuracy"].query("arm == 'cnn_c4' and predictor == 'ensemble' and ensemble_size == 3")
    last = rows[rows.epoch == rows.epoch.max()].iloc[0]
    assert quantities.loc["accuracy/cnn_c4/digits/3"].value == last["mean"]
    quantities = quantities.drop(index=sorted(accuracies))
    assert set(quantities.index) == expected | sizes
    for name in sizes:
        assert (quantities.loc[name].value, quantities.loc[name].stderr) == (NUM_PARAMETERS, 0)
    quantities = quantities.drop(index=sorted(sizes))
    for name, estimator in quantities.estimator.items():
        assert estimator == ("mean" if name.startswith("members") else "disjoint ensembles")
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
    # An orbit of C4 has three elements beside the identity, one of C2 a single one.
    growth = (by_arm["cnn_c4"] / 3 - by_arm["cnn_c2"]).mean(0)
    for name, expected in (
        ("gain/cnn_c4", gain.mean(0)),
        ("min_gain/cnn_c4", worst),
        ("gain_per_element/cnn_c4", gain.mean(0) / 3),
        ("gain_growth/cnn_c4", growth),
    ):
        found = quantities.loc[f"{name}/ood"]
        np.testing.assert_allclose([found.value, found.stderr], [expected.mean(), expected.std(ddof=1) / 2])
        assert found.num == 4 and found.stderr > 0
        assert name.startswith("gain_growth") or found.value > 3 * found.stderr


def test_fractions_of_random_rotations_leave_the_identity_out(tmp_path: Path) -> None:
    generator = np.random.default_rng(1)
    arms = {"cnn_c4": {"group": "C4", "order": 4}, "cnn_c8": {"group": "C8", "order": 8}}
    settings = settings_of("orbit_same_prediction", arms, 12, ensemble_sizes=(3, 6))
    drawn = data_facts("turned", "in", "digits", False, rotations=UniformRotations(group="SO2", num=5))
    settings = settings.model_copy(update={"data": (*settings.data, drawn)})
    orders = {"digits": 0, "fields": 0, "turned": 6}
    # Of networks that see more rotations the draws scatter less.
    signal = 2 * np.eye(4)[np.arange(40) % 4][:, None]
    outputs = {
        arm: {data: signal + noise * generator.normal(size=(3, 12, 40, num or order, 4))
              for data, num in orders.items()}
        for arm, noise, order in (("cnn_c4", 2.0, 4), ("cnn_c8", 1.0, 8))
    }  # fmt: skip
    blocks = {arm: write_blocks(tmp_path, arm, outputs[arm], {}, settings) for arm in arms}
    tables = stored(summarise(settings, blocks), tmp_path)
    assert set(tables["osp"].data) == {"digits", "fields"} and set(tables["osp_fraction"].data) == {"turned"}
    values = outputs["cnn_c8"]["turned"].astype(np.float32)
    same = values.argmax(-1)[..., 1:] == values.argmax(-1)[..., :1]  # E M N R
    rows = tables["osp_fraction"].query("arm == 'cnn_c8' and epoch == 2").set_index(["predictor", "ensemble_size"])
    members = rows.loc[("members", 1)]
    np.testing.assert_allclose(members["mean"], same[2].mean())
    np.testing.assert_allclose(members["std"], same[2].mean((1, 2)).std(ddof=1))
    image_error = same[2].mean((0, 2)).std(ddof=1) / np.sqrt(40)
    # Over a whole test set too the draws remain a sample.
    np.testing.assert_allclose(members["image_stderr"], image_error)
    variances = same[2].var(-1, ddof=1) / 5
    np.testing.assert_allclose(members["draw_stderr"], (np.sqrt(variances.sum(1)) / 40).mean())
    means = values[2].reshape(4, 3, 40, 6, 4).mean(1, dtype=np.float64)
    of_ensembles = (means.argmax(-1)[..., 1:] == means.argmax(-1)[..., :1]).mean((1, 2))
    ensemble = rows.loc[("ensemble", 3)]
    np.testing.assert_allclose([ensemble["mean"], ensemble["std"]], [of_ensembles.mean(), of_ensembles.std(ddof=1)])
    found = values_of(tables)
    np.testing.assert_allclose(found.value["members_fraction/cnn_c8/turned/2"], same[2].mean())
    by_member = same.mean((2, 3))  # E M
    ensembles = values.reshape(3, 4, 3, 40, 6, 4).mean(2, dtype=np.float64).argmax(-1)
    gain = (ensembles[..., 1:] == ensembles[..., :1]).mean((2, 3)) - by_member.reshape(3, 4, 3).mean(2)
    np.testing.assert_allclose(found.value["fraction_gain/cnn_c8/turned"], gain[1:].mean())
    np.testing.assert_allclose(found.value["min_fraction_gain/cnn_c8/turned"], gain[1:].mean(1).min())
    growth = found.loc["fraction_growth/cnn_c8/turned"]
    assert growth.value > 3 * growth.stderr > 0
    assert not any(name.endswith("/turned") and "osp" in name for name in found.index)

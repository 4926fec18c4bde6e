"""Summary of the distance between two arms, from synthetic pools with a known law."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from summary_cases import DATA, settings_of, stored, summarise, values_of, write_blocks

FLOOR, NOISE, NUM_CLASSES = 0.5, 0.8, 6
ARMS = {"gcnn": {"group": "C2", "order": 2}, "cnn": {"group": "C2", "order": 2, "compare_to": "gcnn"}}


@pytest.fixture
def distance_case(tmp_path: Path) -> dict[str, pd.DataFrame]:
    """Mean logits of the two arms differ by a vector of length FLOOR; each member adds independent noise.

    The squared distance of ensembles of M is FLOOR^2 + 2 K NOISE^2 / M.
    """
    generator = np.random.default_rng(1)
    settings = settings_of("ensemble_distance", ARMS, 60, ensemble_sizes=(1, 3, 10, 30))
    labels = {"digits": generator.integers(0, NUM_CLASSES, 100).astype(np.int32)}
    signal = 3 * np.eye(NUM_CLASSES)[labels["digits"]][:, None]
    blocks = {}
    for arm, shift in (("cnn", FLOOR / np.sqrt(NUM_CLASSES)), ("gcnn", 0.0)):
        # A group convolutional network is invariant: one noise for all group elements.
        shape = (3, 60, 100, 1 if arm == "gcnn" else 2, NUM_CLASSES)
        outputs = {
            data: np.broadcast_to(signal + shift + NOISE * generator.normal(size=shape), (3, 60, 100, 2, NUM_CLASSES))
            for data in DATA
        }
        blocks[arm] = write_blocks(tmp_path, arm, outputs, labels, settings)
    return stored(summarise(settings, blocks), tmp_path)


def test_distance_tables(distance_case: dict[str, pd.DataFrame]) -> None:
    tables = distance_case
    assert set(tables) == {"distance", "fit", "accuracy", "quantities"}
    assert list(tables["distance"].columns) == [
        "data", "epoch", "ensemble_size", "mean", "std", "num", "sample_stderr"
    ]  # fmt: skip
    assert list(tables["fit"].columns) == [
        "data", "epoch", "floor_squared", "floor_squared_stderr", "floor", "floor_stderr", "noise", "noise_stderr"
    ]  # fmt: skip
    assert list(tables["accuracy"].columns) == [
        "arm", "epoch", "predictor", "ensemble_size", "mean", "std", "num", "sample_stderr"
    ]  # fmt: skip
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


def test_distance_quantities(distance_case: dict[str, pd.DataFrame]) -> None:
    quantities = values_of(distance_case)
    names = {"digits", "in", "fields", "ood"}
    expected = {
        f"{kind}/{data}"
        for kind in ("floor_squared", "floor", "noise", "floor_over_noise", "distance_ratio")
        for data in names
    }
    expected |= {f"distance/{data}/{size}" for data in names for size in (1, 3, 10, 30)}
    assert set(quantities.index) == expected | {"invariance_error/gcnn"}
    assert quantities.value["invariance_error/gcnn"] == 0
    distance = distance_case["distance"].query("data == 'fields' and ensemble_size == 3 and epoch > 0")
    np.testing.assert_allclose(quantities.value["distance/ood/3"], distance["mean"].mean())
    ratio = quantities.value["distance/ood/30"] / quantities.value["distance/ood/1"]
    np.testing.assert_allclose(quantities.value["distance_ratio/ood"], ratio)
    assert 0 < quantities.stderr["distance_ratio/ood"] < ratio < 0.5
    share = quantities.value["floor_squared/ood"] / quantities.value["noise/ood"]
    np.testing.assert_allclose(quantities.value["floor_over_noise/ood"], share)
    assert quantities.stderr["floor_over_noise/ood"] > 0 and quantities.dof["floor_over_noise/ood"] == 19
    words = {name.split("/")[0]: estimator for name, estimator in quantities.estimator.items()}
    assert words == {
        "distance": "disjoint ensembles",
        "floor_squared": "unbiased",
        "floor": "unbiased",
        "noise": "unbiased",
        "floor_over_noise": "unbiased",
        "distance_ratio": "ratio",
        "invariance_error": "largest",
    }


def test_distance_sees_a_network_that_is_not_invariant(tmp_path: Path) -> None:
    generator = np.random.default_rng(2)
    settings = settings_of("ensemble_distance", ARMS, 4, ensemble_sizes=(1, 2))
    outputs = {arm: {data: generator.normal(size=(3, 4, 5, 2, 3)) for data in DATA} for arm in ARMS}
    blocks = {arm: write_blocks(tmp_path, arm, outputs[arm], {}, settings) for arm in ARMS}
    tables = summarise(settings, blocks)
    assert values_of(tables).value["invariance_error/gcnn"] > 0.1
    assert tables["accuracy"].empty

"""Kind ``subspace``: its configuration, what its stages depend on, its summary and its figure."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from emergent import storage
from emergent.config.base import canonical_json, merge, read_yaml, validate
from emergent.config.figure_entry import PLACEHOLDERS
from emergent.config.figures import read_catalogue
from emergent.config.stages import SummaryStage
from emergent.config.subspace import SubspaceExperiment
from emergent.errors import ConfigError, DataError
from emergent.figures.drawing import Drawing
from emergent.figures.facts import Inputs, facts_of
from emergent.figures.plots import draw
from emergent.figures.save import fill_caption
from emergent.storage import Array
from emergent.summaries.subspace import MAX_BATCHES, summarise_subspace

ROOT = Path(__file__).parents[2]
CONTENT = read_yaml(ROOT / "config/experiments/flinth_subspace.yaml")
SCALES = CONTENT.pop("scales")
NUM_EPOCHS, NUM_STEPS, NUM_RUNS, NUM_LAYERS = 3, 700, 6, 4


def experiment(**delta: Any) -> SubspaceExperiment:
    return validate(SubspaceExperiment, merge(CONTENT, delta), "subspace")


def block(scale: float, exponent: float, members: np.ndarray) -> dict[str, Array]:
    """Returns distances that grow with a power of the number of steps, alike in all layers."""
    steps = np.arange(1, NUM_EPOCHS * NUM_STEPS + 1).reshape(NUM_EPOCHS, NUM_STEPS, 1, 1)
    speed = (scale * (1 + 0.01 * members)).reshape(1, 1, -1, 1)
    distances = np.broadcast_to(speed * steps**exponent, (NUM_EPOCHS, NUM_STEPS, len(members), NUM_LAYERS))
    losses = np.full((NUM_EPOCHS, len(members)), 0.05)
    return {
        "members": Array(members, ("member",)),
        "initial": Array(np.zeros((len(members), NUM_LAYERS)), ("member", "layer")),
        "distances": Array(distances.astype(np.float32), ("epoch", "step", "member", "layer")),
        "loss_equivariant": Array(losses, ("epoch", "member")),
        "loss_augmented": Array(losses, ("epoch", "member")),
    }


SPEEDS = {"cross": (1e-6, 0.5), "skew": (1e-5, 1.0), "non_unitary": (2e-5, 1.0), "cross_orbits": (1e-10, 0.5)}


def settings() -> SummaryStage:
    study = experiment(members={"num": NUM_RUNS, "block": 3}).stage("summary")
    assert type(study) is SummaryStage
    return study


def tables(folder: Path) -> dict[str, pd.DataFrame]:
    paths: dict[str, list[Path]] = {}
    for arm, (scale, exponent) in SPEEDS.items():
        for members in (np.arange(3, 6), np.arange(3)):
            path = folder / f"{arm}_{members[0]}.h5"
            storage.write(path, stage="train", attributes={}, arrays=block(scale, exponent, members))
            paths.setdefault(arm, []).append(path)
    return summarise_subspace(settings(), paths, {})


def test_summary(tmp_path: Path) -> None:
    found = tables(tmp_path)
    quantities = found["quantities"].set_index("name")["value"]
    assert quantities["drift/cross"] == pytest.approx((3**1.5 - 2**1.5), rel=0.01)
    assert quantities["drift/skew"] == pytest.approx(5.0, rel=0.01)
    # Four equal layers: the norm of the network is twice that of a layer; runs differ by 1 %, the median is run 2.5.
    assert quantities["largest/skew"] == pytest.approx(2 * 1e-5 * 1.05 * 2100, rel=1e-5)
    assert quantities["final/skew"] == pytest.approx(2 * 1e-5 * 1.025 * (1400.5 + 350), rel=1e-5)
    assert quantities["ratio/non_unitary"] == pytest.approx(quantities["final/non_unitary"] / quantities["final/cross"])
    assert "ratio/cross" not in quantities and "growth_excess/cross" not in quantities
    growth = {arm: quantities[f"final/{arm}"] * (1 - 1 / quantities[f"drift/{arm}"]) for arm in ("skew", "cross")}
    excess = (growth["skew"] - growth["cross"]) / quantities["final/cross"]
    assert quantities["growth_excess/skew"] == pytest.approx(excess, rel=1e-3)
    # Errors of ratios know that they come from six runs of either arm.
    assert (found["quantities"].set_index("name").loc[["ratio/skew", "growth_excess/skew"], "dof"] <= 10).all()
    table = found["subspace_distance"].query("arm == 'skew' and member == 5")
    epochs, batches = (table[table["time_unit"] == unit] for unit in ("epoch", "batch"))
    assert list(epochs["time"]) == [0, 1, 2, 3]
    assert epochs["distance"].iloc[0] == 0
    assert len(batches) <= MAX_BATCHES and batches["time"].iloc[-1] == 699
    np.testing.assert_allclose(batches["distance"], 2 * 1e-5 * 1.05 * batches["time"], rtol=1e-5)
    assert set(found["layers"]["layer"]) == set(range(NUM_LAYERS))


def test_figures(tmp_path: Path) -> None:
    found = tables(tmp_path)
    catalogue = read_catalogue(ROOT / "config/figures.yaml")
    for name in ("subspace_distance", "subspace_distance_orbits"):
        stage = experiment(members={"num": NUM_RUNS, "block": 3}).stage("summary")
        drawing = draw(catalogue[name], Inputs(found, (facts_of(stage),)), {})
        assert isinstance(drawing, Drawing)
        drawing.figure.draw_without_rendering()
        left, right = drawing.figure.axes
        num_arms = len(catalogue[name].options.arms)  # type: ignore[union-attr]
        assert len(left.lines) == len(right.lines) == num_arms * (NUM_RUNS + 1)
        assert {"#D81B60", "#1E88E5", "#FFC107"} <= {line.get_color() for line in left.lines}
        assert drawing.facts["epoch"] == "3" and drawing.facts["num_members"] == str(NUM_RUNS)
        assert set(drawing.facts) <= PLACEHOLDERS
        assert "{" not in fill_caption(catalogue[name], drawing.facts, "smoke", ())
    with pytest.raises(DataError, match="has no table 'subspace_distance'"):
        draw(catalogue["subspace_distance"], Inputs({}), {})


def test_summary_misses_a_block(tmp_path: Path) -> None:
    path = tmp_path / "part.h5"
    storage.write(path, stage="train", attributes={}, arrays=block(1.0, 1.0, np.arange(3)))
    with pytest.raises(DataError, match="expected runs 0 to 5 once each, found 3 in the blocks"):
        summarise_subspace(settings(), {arm: [path] for arm in SPEEDS}, {})


@pytest.mark.parametrize("scale", SCALES)
def test_every_scale_is_valid_and_knows_no_size_in_training(scale: str) -> None:
    study = validate(SubspaceExperiment, merge(CONTENT, SCALES[scale] or {}), scale)
    assert study.dataset_names("train") == [study.data.train.dataset] and study.dataset_names("evaluate") == []
    assert study.splits_used() == [(study.data.train.dataset, "train")]
    for arm in study.arms:
        config = study.stage("train", arm)
        assert "members" not in canonical_json(config) and config.arm == arm


def test_paper_scale_has_the_published_sizes() -> None:
    study = validate(SubspaceExperiment, merge(CONTENT, SCALES["paper"] or {}), "paper")
    assert study.members.num == 30 and study.data.train.num is None
    assert study.network.channels == (32, 64, 64)
    first, second = study.train.equivariant, study.train.augmented
    assert (first.num_epochs, first.batch_size, first.learning_rate) == (250, 100, 5e-4)
    assert (second.num_epochs, second.batch_size, second.learning_rate) == (10, 100, 2.5e-4)


@pytest.mark.parametrize(
    ("delta", "message"),
    [
        ({"arms": {"cross": {"support": []}}}, "square"),
        ({"arms": {"cross": {"support": ["01", "1"]}}}, "square"),
        ({"arms": {"cross": {"support": ["000", "000", "000"]}}}, "at least one 1"),
        ({"arms": {"cross": {"basis": "skewed"}}}, "unitary"),
        ({"data": {"shape": [28, 14, 1]}}, "square image"),
        ({"data": {"shape": [30, 30, 1]}}, "divisible by 4"),
        ({"network": {"num_pooled": 4}}, "divisible by 16|exceeds"),
        ({"train": {"augmented": {"batch_size": 90}}}, "multiple of 4"),
        ({"train": {"augmented": {"learning_rate": 0.0}}}, "greater than 0"),
    ],
)
def test_bad_input(delta: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        experiment(**delta)

"""Particles in the plane: mirror symmetry of flow, cloud and summary; bad input; the figure."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from emergent import storage
from emergent.config.base import canonical_json, merge, read_yaml, validate
from emergent.config.figure_entry import PLACEHOLDERS
from emergent.config.figures import read_catalogue
from emergent.config.flow import FlowExperiment, FlowStage, FlowSummary
from emergent.errors import ConfigError, DataError
from emergent.figures.drawing import Drawing
from emergent.figures.facts import Inputs, facts_of
from emergent.figures.plots import draw
from emergent.figures.save import fill_caption
from emergent.flows.particles import MIRROR, flow_arrays, force, initial_positions, integrate
from emergent.summaries.flow import summarise_flow

ROOT = Path(__file__).parents[2]
CONTENT = read_yaml(ROOT / "config/experiments/nordenfors_flow.yaml")
SCALES = CONTENT.pop("scales")


def experiment(**delta: Any) -> FlowExperiment:
    return validate(FlowExperiment, merge(CONTENT, {"members": {"num": 40, "block": 20}, **delta}), "flow")


FLOW = experiment()


def train_stage(arm: str, tolerance: float) -> FlowStage:
    stage = FLOW.stage("train", arm)
    assert isinstance(stage, FlowStage)
    return stage.model_copy(update={"tolerance": tolerance})


def summary_stage(flow: FlowExperiment) -> FlowSummary:
    stage = flow.stage("summary")
    assert isinstance(stage, FlowSummary)
    return stage


START = np.random.default_rng(0).normal(size=(30, 2))


def paths_at(start: np.ndarray, tilt: float = 0.0) -> np.ndarray:
    return integrate(FLOW.potential, tilt, start, FLOW.times, FLOW.tolerance)


def test_reflected_start_gives_the_reflected_trajectory() -> None:
    moved = paths_at(START)
    assert np.abs(moved[-1] - moved[0]).max() > 1
    np.testing.assert_allclose(paths_at(START * MIRROR), moved * MIRROR, atol=1e-10)
    assert np.abs(paths_at(START * MIRROR, tilt=0.4) - paths_at(START, tilt=0.4) * MIRROR).max() > 0.1


def test_mirrored_cloud_keeps_its_mean_on_the_line() -> None:
    arms = FLOW.arms
    members = range(40)
    offsets = {
        name: paths_at(initial_positions(FLOW.seed, FLOW.experiment, arms[name], members), arms[name].tilt).mean(1)
        for name in arms
    }
    assert np.abs(offsets["mirrored"][:, 1]).max() < 1e-12
    assert np.abs(offsets["displaced"][0, 1]) > 0.3
    assert np.abs(offsets["tilted"][-1, 1]) > 0.2


def test_force_is_minus_the_gradient() -> None:
    """Against differences of the potential, written out anew."""

    def potential(x: float, y: float) -> float:
        value = FLOW.potential.confinement * (x**2 + y**2) / 2
        for w in FLOW.potential.wells:
            for center in {w.y, -w.y}:
                value -= w.depth * np.exp(-((x - w.x) ** 2) / 2 / w.width_x**2 - (y - center) ** 2 / 2 / w.width_y**2)
        for ring in FLOW.potential.rings:
            radius = np.hypot(x - ring.x, y)
            value -= ring.depth * np.exp(-((radius - ring.radius) ** 2) / 2 / ring.width**2)
        return value

    step = 1e-5
    for (x, y), ours in zip(START[:5], force(FLOW.potential, START[:5]), strict=True):
        slope = [
            (potential(x + step, y) - potential(x - step, y)) / (2 * step),
            (potential(x, y + step) - potential(x, y - step)) / (2 * step),
        ]
        np.testing.assert_allclose(ours, -np.array(slope), atol=1e-8)


def test_a_particle_does_not_depend_on_its_block() -> None:
    config = train_stage("mirrored", FLOW.tolerance)
    whole, part = flow_arrays(config, range(40)), flow_arrays(config, range(7, 20))
    np.testing.assert_array_equal(part["positions"].values[0], whole["positions"].values[0, 7:20])
    np.testing.assert_allclose(part["positions"].values, whole["positions"].values[:, 7:20], atol=1e-7)


def test_particle_in_the_centre_of_a_ring_stays_finite() -> None:
    assert np.isfinite(force(FLOW.potential, np.array([[FLOW.potential.rings[0].x, 0.0]]))).all()


@pytest.mark.parametrize("scale", SCALES)
def test_every_scale_is_valid_and_knows_no_size_in_training(scale: str) -> None:
    flow = validate(FlowExperiment, merge(CONTENT, SCALES[scale] or {}), scale)
    assert flow.dataset_names("train") == [] and flow.splits_used() == []
    assert "members" not in canonical_json(flow.stage("train", "invariant"))
    assert summary_stage(flow).paired_arms == ("mirrored",)


@pytest.mark.parametrize(
    ("delta", "message"),
    [
        ({"times": [0.5, 1.0]}, "start with 0"),
        ({"times": [0.0, 1.0, 1.0]}, "ascending"),
        ({"members": {"num": 3, "block": 3}}, "pairs"),
        ({"potential": {"wells": [{"x": 0.0, "y": -1.0, "depth": 1.0, "width_x": 1.0, "width_y": 1.0}]}}, "wells.0.y"),
    ],
)
def test_bad_input(delta: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        experiment(**delta)


def summary(folder: Path) -> dict[str, pd.DataFrame]:
    paths: dict[str, list[Path]] = {}
    for arm in FLOW.arms:
        for members in (range(20), range(20, 40)):
            path = folder / f"{arm}_{members.start}.h5"
            config = train_stage(arm, 1e-6)
            storage.write(path, stage="train", attributes={}, arrays=flow_arrays(config, members))
            paths.setdefault(arm, []).insert(0, path)
    return summarise_flow(summary_stage(FLOW), paths, {})


def test_summary_and_figures(tmp_path: Path) -> None:
    tables = summary(tmp_path)
    quantities = tables["quantities"].set_index("name")
    assert quantities.at["offset/mirrored/largest", "value"] < 1e-12
    assert quantities.at["offset/mirrored/largest", "stderr"] < 1e-12
    assert 0 < quantities.at["offset/invariant/end", "stderr"] < 0.3
    num = quantities.at["offset/invariant/end", "num"]
    assert set(quantities["dof"]) <= {num - 1, num // 2 - 1}
    assert quantities.at["offset/tilted/end", "value"] > 0.2
    assert len(tables["particles"]) == 4 * 3 * 40
    catalogue = read_catalogue(ROOT / "config/figures.yaml")
    for name, panels in (("equivariant_flow", 3), ("equivariant_flow_controls", 6)):
        drawing = draw(catalogue[name], Inputs(tables, (facts_of(summary_stage(FLOW)),)), {})
        assert isinstance(drawing, Drawing)
        drawing.figure.draw_without_rendering()
        assert len(drawing.figure.axes) == panels
        assert set(drawing.data["what"]) == {"member", "mean"}
        assert set(drawing.facts) <= PLACEHOLDERS
        assert "{" not in fill_caption(catalogue[name], drawing.facts, "smoke", ())
    with pytest.raises(DataError, match="has no table 'particles'"):
        draw(catalogue["equivariant_flow"], Inputs({}), {})


def test_summary_misses_a_block(tmp_path: Path) -> None:
    path = tmp_path / "part.h5"
    config = train_stage("invariant", 1e-6)
    storage.write(path, stage="train", attributes={}, arrays=flow_arrays(config, range(20)))
    with pytest.raises(DataError, match="expected particles 0 to 39 once each, found 20 in the blocks"):
        summarise_flow(summary_stage(FLOW), {arm: [path] for arm in FLOW.arms}, {})

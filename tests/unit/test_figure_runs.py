"""What figures of single runs show: every run and its median inside the panels, in colours by position."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from emergent.config.departure_training import MODES
from emergent.config.figures import read_catalogue
from emergent.config.stages import ArmFacts
from emergent.errors import DataError
from emergent.figures.departure import LINES
from emergent.figures.drawing import Drawing
from emergent.figures.facts import Facts, Inputs
from emergent.figures.plots import draw
from emergent.figures.subspace_distance import _COLORS

CATALOGUE = read_catalogue(Path(__file__).parents[2] / "config/figures.yaml")
NUM_RUNS, NUM_STEPS = 5, 8


def arm_facts(*labels: str) -> tuple[Facts]:
    arms = tuple(ArmFacts(name=label.replace(" ", "_"), label=label) for label in labels)
    return (Facts("experiment", "", NUM_RUNS, arms, ()),)


def departures(*arms: str) -> pd.DataFrame:
    """Returns runs of very different reach: nominal a tenth of the way, augmented a 500th, equivariant 0."""
    rows = []
    for arm in arms:
        for mode, slope in (("equivariant", 0.0), ("augmented", 0.002), ("nominal", 0.1)):
            for member in range(NUM_RUNS):
                for step in range(NUM_STEPS):
                    moved = 0.1 * step * (1 + 0.4 * member) * (0.5 if mode == "augmented" else 1.0)
                    rows.append({"arm": arm, "group": "C4", "mode": mode, "member": member, "step": step,
                                 "moved": moved, "distance": slope * moved * (1 + member)})  # fmt: skip
    return pd.DataFrame(rows)


def test_every_run_and_median_is_visible() -> None:
    inputs = Inputs({"departure": departures("quarter_turns", "shifts")}, arm_facts("shifts", "quarter turns"))
    drawing = draw(CATALOGUE["image_departure"], inputs, {})
    assert isinstance(drawing, Drawing)
    drawing.figure.draw_without_rendering()
    axes = drawing.figure.axes
    # Rows in the order of the experiment, not of the table.
    assert [panel.get_title().split(":")[0] for panel in axes] == ["shifts"] * 2 + ["quarter turns"] * 2
    for left, right in zip(axes[::2], axes[1::2], strict=True):
        for panel, scale in ((left, "nominal"), (right, "augmented")):
            for mode in MODES:
                lines = [line for line in panel.lines if line.get_color() == LINES[mode][1]]
                assert len(lines) == NUM_RUNS + 1
                runs, median = lines[:-1], lines[-1]
                assert all(line.get_alpha() >= 0.3 and line.get_linewidth() >= 0.5 for line in runs)
                assert median.get_linewidth() >= 2
                reach = max(line.get_ydata().max() for line in runs)
                if mode == scale:
                    # The furthest run lies inside and fills the panel.
                    assert 0.5 * panel.get_ylim()[1] < reach <= panel.get_ylim()[1]
                assert max(line.get_xdata().max() for line in runs) <= panel.get_xlim()[1]
            equivariant = next(line for line in panel.lines[::-1] if line.get_color() == LINES["equivariant"][1])
            assert not equivariant.get_clip_on(), "the axis must not cut a line at 0 in half"
            assert equivariant.get_xdata().max() <= panel.get_xlim()[1]


def test_colours_of_subspaces_follow_the_order_of_the_experiment() -> None:
    labels = ("cross", "skew", "non unitary", "cross orbits")
    rows = [
        {"arm": label.replace(" ", "_"), "member": member, "time_unit": unit, "time": time, "distance": 1e-3 * time}
        for label in labels for member in range(2) for unit in ("epoch", "batch") for time in range(4)
    ]  # fmt: skip
    table = pd.DataFrame(rows)
    drawing = draw(CATALOGUE["subspace_distance"], Inputs({"subspace_distance": table}, arm_facts(*labels)), {})
    assert isinstance(drawing, Drawing)
    (legend,) = drawing.figure.legends
    assert [text.get_text() for text in legend.get_texts()] == ["cross", "skew", "non unitary"]
    assert [line.get_color() for line in legend.get_lines()] == list(_COLORS[:3])
    with pytest.raises(DataError, match=r"has arm.s. cross_orbits, non_unitary that"):
        draw(CATALOGUE["subspace_distance"], Inputs({"subspace_distance": table}, arm_facts("cross", "skew")), {})


def test_flow_names_its_rows_by_the_labels_of_arms() -> None:
    generator = np.random.default_rng(0)
    points = pd.DataFrame([
        {"time": time, "arm": arm, "x": x, "y": y}
        for time in (0.0, 1.0) for arm in ("displaced", "tilted") for x, y in generator.normal(size=(5, 2))
    ])  # fmt: skip
    means = points.groupby(["time", "arm"], as_index=False)[["x", "y"]].mean().assign(y_stderr=0.1, num=5)
    arms = tuple(ArmFacts(name=name, label=f"start {name}") for name in ("displaced", "tilted"))
    inputs = Inputs({"particles": points, "mean": means}, (Facts("flow", "", 5, arms, ()),))
    drawing = draw(CATALOGUE["equivariant_flow_controls"], inputs, {})
    assert isinstance(drawing, Drawing)
    axes = drawing.figure.axes
    assert [panel.get_ylabel() for panel in axes[::2]] == ["start displaced", "start tilted"]
    assert drawing.facts["arms"] == "start displaced and start tilted"
    assert all(len(panel.collections) == 1 and len(panel.collections[0].get_offsets()) == 5 for panel in axes)

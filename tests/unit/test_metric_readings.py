"""The table of readings: nearest to the published curve first, with the curve of that data set and no other."""

import pandas as pd
import pytest

from emergent.config.figure_kinds import MetricReadings
from emergent.config.figure_options import ReadingsOptions
from emergent.config.references import Reference, Series
from emergent.config.stages import ArmFacts, DataFacts
from emergent.figures.drawing import Drawing
from emergent.figures.facts import Facts, Inputs
from emergent.figures.plots import draw

CURVE = {0: 3.0, 1: 3.8, 2: 3.6}
OFFSETS = {
    ("plain", "photos"): 0.5,
    ("plain", "photos_black"): -0.1,
    ("slow", "photos"): 0.2,
    ("slow", "photos_black"): -0.4,
}
ENTRY = MetricReadings(
    name="readings", paper="gerken_kessel", id="F5a", label="l", experiments=("e",), references=("r",), title="t",
    caption="{data}, {ensemble_size}, {num_members}", plot="metric_readings",
    options=ReadingsOptions(ensemble_size=10, published_data="photos"),
)  # fmt: skip


def osp() -> pd.DataFrame:
    rows = []
    for (arm, data), offset in OFFSETS.items():
        for epoch, level in CURVE.items():
            # Far off before training, which must not count.
            place = {"arm": arm, "group": "C4", "order": 4, "data": data, "epoch": epoch}
            mean = level + offset if epoch else 1.0
            rest = dict.fromkeys(("std", "low", "high", "minimum", "maximum"), mean)
            rows.append({**place, "predictor": "ensemble", "ensemble_size": 10, "mean": mean, **rest, "num": 1})
            rows.append({**place, "predictor": "members", "ensemble_size": 1, "mean": mean - 1, **rest, "num": 10})
    return pd.DataFrame(rows)


def inputs() -> Inputs:
    arms = tuple(ArmFacts(name=name, label=name, group="C4", order=4, width=1) for name in ("plain", "slow"))
    common = {"dataset": "photos", "role": "ood", "interpolation": None, "fill": None, "label": None}
    photos = DataFacts(name="photos", primary=True, condition_of=None, condition=None, **common)
    black = DataFacts(name="photos_black", primary=False, condition_of="photos", condition="black corners", **common)
    return Inputs({"osp": osp()}, (Facts("e", "e", 10, arms, (photos, black)),))


def reference(data: str | None) -> dict[str, Reference]:
    keys = {"predictor": "ensemble", "group": "C4", "order": 4} | ({"data": data} if data else {})
    series = Series(
        quantity="osp", keys=keys, x_name="epoch", x=tuple(CURVE), y=tuple(CURVE.values()), reading="stated",
        accuracy="exact", source="S",
    )  # fmt: skip
    return {"r": Reference(paper="gerken_kessel", citation="c", sources={"S": "s"}, series=(series,))}


def test_nearest_reading_comes_first_and_the_start_does_not_count():
    table = draw(ENTRY, inputs(), reference("photos"))
    assert not isinstance(table, Drawing)
    ranked = sorted(OFFSETS.items(), key=lambda item: abs(item[1]))
    words = {"photos": "as trained", "photos_black": "black corners"}
    assert list(table.cells.index[:-1]) == [f"{arm}; {words[data]}" for (arm, data), _ in ranked]
    assert list(table.cells["distance"][:-1]) == [f"{abs(offset):.2f}" for _, offset in ranked]
    assert table.cells.at["plain; black corners", "epoch 1"] == "3.70 (2.70)"
    assert list(table.cells.iloc[-1]) == ["3.80", "3.60", "–"]
    assert set(table.data["source"]) == {"ours", "published"}


def test_error_is_that_of_the_images_where_it_is_largest():
    table = osp()
    table["image_stderr"] = 0.1 * table["epoch"]
    drawn = draw(ENTRY, Inputs({"osp": table}, inputs().facts), reference("photos"))
    assert not isinstance(drawn, Drawing)
    assert list(drawn.cells["error of images"]) == ["0.20"] * len(OFFSETS) + ["–"]


@pytest.mark.parametrize("references", [{}, reference("other"), reference(None)], ids=["none", "other set", "no set"])
def test_without_a_curve_of_this_data_set_nothing_is_ranked(references):
    table = draw(ENTRY, inputs(), references)
    assert not isinstance(table, Drawing)
    assert list(table.cells.columns) == ["epoch 1", "epoch 2"]
    assert table.cells.index[0] == "plain; as trained"
    assert set(table.data["source"]) == {"ours"}

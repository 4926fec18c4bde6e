"""The table of Ising readings: every time a row of its own, published distances beside those to infinite time."""

from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd

from emergent.config.figures import read_catalogue
from emergent.config.references import read_reference
from emergent.figures.drawing import Drawing
from emergent.figures.facts import Inputs
from emergent.figures.plots import draw

ROOT = Path(__file__).parents[2]
ENTRY = read_catalogue(ROOT / "config/figures.yaml")["ising_readings"]
REFERENCES = {"ising": read_reference(ROOT / "config/references/ising.json")}


def readings() -> pd.DataFrame:
    levels = {"train": 0.0075, "test": 0.036, "ood": 1.64}
    rows = [
        {"dataset": "ising_l4_warm", "time": time, "rule": rule, "data": data, "members_orbit_std": level,
         "difference": 0.0 if np.isinf(time) else 0.25 / time}
        for time, rule, (data, level) in product((1.0, 4.0, np.inf), ("mean_absolute",), levels.items())
    ]  # fmt: skip
    return pd.DataFrame(rows)


def test_rows_by_time_beside_published_ones() -> None:
    table = draw(ENTRY, Inputs({"readings": readings()}), REFERENCES)
    assert not isinstance(table, Drawing)
    head = table.cells.index[0]
    assert list(table.cells.index[:3]) == [head, f"{head}, 4 times as long", f"{head}, infinite time"]
    # Twice the published spread of width 2048 out of distribution (0.82), the same in distribution.
    assert list(table.cells["mismatch"]) == ["2.0x"] * 3 + ["–", "–"]
    assert list(table.cells["to infinite time, ood"]) == ["0.25", "0.062", "0", "0.75", "0.49"]
    assert not table.cells.isna().to_numpy().any()


def test_without_published_values_nothing_is_compared() -> None:
    table = draw(ENTRY, Inputs({"readings": readings()}), {})
    assert not isinstance(table, Drawing)
    assert "mismatch" not in table.cells.columns and len(table.cells) == 3
    assert np.isfinite(table.data["difference"]).all()

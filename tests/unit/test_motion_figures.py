"""Figures of learnt motion: they draw synthetic summaries and name what is missing; words have room."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from drawn import assert_words_have_room
from figure_tables import facts

from emergent.config.figures import read_catalogue
from emergent.config.references import read_reference
from emergent.errors import DataError
from emergent.figures.drawing import Drawing, Tabulation
from emergent.figures.facts import Inputs
from emergent.figures.plots import draw
from emergent.figures.save import fill_caption
from emergent.figures.style import context

ROOT = Path(__file__).parents[2]
NAMES = ("motion_errors", "motion_table", "motion_portraits")
CATALOGUE = {name: entry for name, entry in read_catalogue(ROOT / "config/figures.yaml").items() if name in NAMES}
METHODS = {"scalars": "Scalars O(3)", "mlp": "MLP", "augmented": "MLP augmented"}
PREFIXES = {"hamiltonian": "hnn", "neural_ode": "node"}


def inputs(families: tuple[str, ...] = tuple(PREFIXES)) -> Inputs:
    rows, times, portraits = list[dict[str, Any]](), list[dict[str, Any]](), list[dict[str, Any]]()
    for family in families:
        for place, (name, method) in enumerate(METHODS.items()):
            arm = f"{PREFIXES[family]}_{name}"
            for size in (1, 2) if name == "augmented" else (1,):
                head = {"experiment": "double_pendulum", "arm": arm, "family": family, "method": method,
                        "ensemble_size": size}  # fmt: skip
                for metric in ("score", "momentum_error", "equivariance_error", "lost"):
                    value = 10.0 ** (place - 4) / size
                    rows.append(head | {"metric": metric, "mean": value, "std": value / 3, "median": value, "num": 3})
                for time in (0.0, 10.0, 20.0):
                    value = 1e-7 + 1e-4 * time * (1 + place) / size
                    times.append(head | {"time": time, "mean": value, "low": value / 2, "high": 2 * value})
            portraits += [{"experiment": "double_pendulum", "arm": arm, "trajectory": 0, "time": time,
                           "q2_z": np.sin(time + 0.1), "p2_z": np.cos(time)} for time in range(9)]  # fmt: skip
    portraits += [row | {"arm": "truth"} for row in portraits[:9]]
    tables = {"rollouts": rows, "errors_by_time": times, "portraits": portraits}
    known = facts(*dict.fromkeys(row["arm"] for row in rows))._replace(experiment="double_pendulum")
    return Inputs({name: pd.DataFrame(content) for name, content in tables.items()}, (known,))


@pytest.mark.parametrize("families", [("hamiltonian", "neural_ode"), ("neural_ode",)])
@pytest.mark.parametrize("name", ["motion_errors", "motion_portraits"])
def test_figures_draw_all_families_or_one(name: str, families: tuple[str, ...]) -> None:
    drawing = draw(CATALOGUE[name], inputs(families), {})
    assert isinstance(drawing, Drawing)
    with context():
        assert_words_have_room(drawing.figure)
    assert "{" not in fill_caption(CATALOGUE[name], drawing.facts, "laptop", ())
    titles = [panel.get_title() for panel in drawing.figure.axes]
    assert any(title.startswith("N-ODE") for title in titles)
    assert any(title.startswith("HNN") for title in titles) == ("hamiltonian" in families)


def test_table_has_published_values_beside_ours() -> None:
    references = {"double_pendulum": read_reference(ROOT / "config/references/double_pendulum.json")}
    found = draw(CATALOGUE["motion_table"], inputs(), references)
    assert isinstance(found, Tabulation)
    cells = found.cells
    assert list(cells.index) == ["Scalars O(3)", "MLP", "MLP augmented", "MLP augmented, ensembles of 2"]
    assert cells.loc["Scalars O(3)", "HNN, published"] == "0.005 ± 0.002"
    assert cells.loc["MLP", "N-ODE, published"] == "0.048 ± 0"
    assert cells.loc["MLP augmented", "HNN, published"] == "–"
    assert cells.loc["MLP augmented, ensembles of 2", "HNN"] == "0.0050 ± 0.0017"
    alone = draw(CATALOGUE["motion_table"], inputs(("neural_ode",)), {})
    assert isinstance(alone, Tabulation) and not [name for name in alone.cells.columns if name.startswith("HNN")]


@pytest.mark.parametrize("name", sorted(CATALOGUE))
def test_absent_tables_are_named(name: str) -> None:
    with pytest.raises(DataError, match="has no table"):
        draw(CATALOGUE[name], Inputs({}, inputs().facts), {})

"""Figures on data efficiency: they draw synthetic summaries and name what is missing; words have room."""

from pathlib import Path

import pandas as pd
import pytest
from drawn import assert_words_have_room
from figure_tables import efficiency_tables, facts

from emergent.config.figures import read_catalogue
from emergent.config.references import read_reference
from emergent.errors import DataError
from emergent.figures.drawing import Drawing
from emergent.figures.facts import Inputs
from emergent.figures.plots import draw
from emergent.figures.save import fill_caption
from emergent.figures.style import context

ROOT = Path(__file__).parents[2]
NAMES = ("data_efficiency", "ensemble_equivariance")
CATALOGUE = {name: entry for name, entry in read_catalogue(ROOT / "config/figures.yaml").items() if name in NAMES}


def inputs(name: str) -> Inputs:
    """Returns the same table for each of the experiments of an entry."""
    names = CATALOGUE[name].experiments
    parts = [efficiency_tables()["efficiency"].assign(experiment=experiment) for experiment in names]
    known = [facts("mlp", "mlp_augmented", label=one)._replace(experiment=one) for one in names]
    return Inputs({"efficiency": pd.concat(parts, ignore_index=True)}, tuple(known))


@pytest.mark.parametrize("name", sorted(CATALOGUE))
def test_figures_draw_with_published_points_and_without(name: str) -> None:
    entry = CATALOGUE[name]
    references = {item: read_reference(ROOT / f"config/references/{item}.json") for item in entry.references}
    for given in ({}, references):
        drawing = draw(entry, inputs(name), given)
        assert isinstance(drawing, Drawing)
        with context():
            assert_words_have_room(drawing.figure)
        caption = fill_caption(entry, drawing.facts, "paper", ())
        assert "{" not in caption
        assert ("published" in set(drawing.data["source"])) == bool(given)
    assert len(drawing.figure.axes) == {"data_efficiency": 6, "ensemble_equivariance": 3}[name]


@pytest.mark.parametrize("name", sorted(CATALOGUE))
def test_missing_tables_are_named(name: str) -> None:
    with pytest.raises(DataError, match="has no table 'efficiency'"):
        draw(CATALOGUE[name], Inputs({}, inputs(name).facts), {})


def test_ensembles_are_needed_for_their_figure() -> None:
    given = inputs("ensemble_equivariance")
    table = given.tables["efficiency"]
    single = table[table["ensemble_size"] == 1]  # pyright: ignore[reportCallIssue, reportArgumentType]
    with pytest.raises(DataError, match="no row with experiment"):
        draw(CATALOGUE["ensemble_equivariance"], given._replace(tables={"efficiency": single}), {})

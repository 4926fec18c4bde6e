"""Figures on data efficiency: they draw synthetic summaries and name what is missing; words have room."""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd
import pytest
from drawn import assert_words_have_room
from figure_tables import efficiency_tables, facts

from emergent.config.figures import read_catalogue
from emergent.config.references import read_reference
from emergent.errors import DataError
from emergent.figures.built_or_learnt import relative
from emergent.figures.drawing import Drawing
from emergent.figures.facts import Inputs
from emergent.figures.plots import draw
from emergent.figures.save import fill_caption
from emergent.figures.style import context
from emergent.kinds import load_experiment

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


CHOICES = read_catalogue(ROOT / "config/figures.yaml")["built_or_learnt"]


def choice_rows(names: Sequence[str]) -> pd.DataFrame:
    parts = [efficiency_tables()["choices"].assign(experiment=experiment) for experiment in names]
    return pd.concat(parts, ignore_index=True)


def choices(names: Sequence[str] = CHOICES.experiments) -> Inputs:
    # As long as the longest label of an experiment.
    arms = "mlp", "mlp_augmented", "tensors", "relaxed"
    known = [facts(*arms, label=one[:18])._replace(experiment=one) for one in names]
    return Inputs({"choices": choice_rows(names)}, tuple(known))


def test_what_a_symmetry_gives_is_drawn_over_the_reference_network() -> None:
    drawing = draw(CHOICES, choices(), {})
    assert isinstance(drawing, Drawing) and len(drawing.figure.axes) == 2 * len(CHOICES.experiments)
    with context():
        assert_words_have_room(drawing.figure)
    assert "{" not in fill_caption(CHOICES, drawing.facts, "paper", ())
    one = drawing.data[drawing.data["experiment"] == CHOICES.experiments[0]]
    plain, ten = one[one["arm"] == "mlp"].iloc[0], one[one["ensemble_size"] == 10].iloc[0]
    assert (plain["work"], plain["error"]) == (1.0, 1.0)
    # Ten networks of 1.2 times the work, with a tenth of half of the error.
    assert ten["work"] == pytest.approx(12.0) and ten["error"] == pytest.approx(0.05)


def test_eight_tasks_have_room_side_by_side() -> None:
    names = dict.fromkeys((*CHOICES.experiments, "spring_units", "human_pose"))
    labels = [load_experiment(ROOT / "config/experiments", name, "laptop").label for name in names]
    # Each with a network of its own, and with work from a twentieth to fifty times that of the reference network.
    known = tuple(
        one._replace(
            label=label, arms=tuple(arm.model_copy(update={"label": f"{arm.label} {index % 4}"}) for arm in one.arms)
        )
        for index, (one, label) in enumerate(zip(choices(tuple(names)).facts, labels, strict=True))
    )
    table = choice_rows(tuple(names))
    table.loc[table["arm"] == "tensors", "work"] = 5e10
    table.loc[table["arm"] == "relaxed", "work"] = 5e7
    drawing = draw(CHOICES, Inputs({"choices": table}, known), {})
    assert isinstance(drawing, Drawing) and len(drawing.figure.axes) == 2 * len(names) == 16
    with context():
        assert_words_have_room(drawing.figure)


def test_an_experiment_without_choices_is_named() -> None:
    table = choice_rows(CHOICES.experiments[:-1])
    with pytest.raises(DataError, match=f"no row with experiment = '{CHOICES.experiments[-1]}'"):
        draw(CHOICES, Inputs({"choices": table}, choices().facts), {})


def test_without_a_plain_network_the_augmented_one_is_the_reference() -> None:
    rows = efficiency_tables()["choices"].assign(experiment="one")
    found = relative(rows[rows["symmetry"] != "none"])
    assert found.loc[(found["arm"] == "mlp_augmented") & (found["ensemble_size"] == 1), "work"].tolist() == [1.0]


def test_missing_choices_are_named() -> None:
    with pytest.raises(DataError, match="has no table 'choices'"):
        draw(CHOICES, Inputs({}, choices().facts), {})

"""Words of figures: none sticks out, none lies over another, and a figure needs no name that it knows beforehand."""

from pathlib import Path

import pytest
from divergence_tables import EXPERIMENTS, joined
from drawn import assert_words_have_room
from figure_tables import (
    all_inputs,
    convergence_tables,
    facts,
    fraction_table,
    given,
    ising_tables,
    learning_tables,
    lemma_tables,
    line_tables,
    orbit_errors,
    osp_table,
    sweep_tables,
)

from emergent.config.figures import read_catalogue
from emergent.config.references import read_reference
from emergent.figures.drawing import Drawing
from emergent.figures.facts import Inputs
from emergent.figures.plots import draw
from emergent.figures.style import context

ROOT = Path(__file__).parents[2]
CATALOGUE = {name: e for name, e in read_catalogue(ROOT / "config/figures.yaml").items() if e.kind == "figure"}
DIVERGENCE = {e.plot: name for name, e in CATALOGUE.items() if set(e.experiments) <= set(EXPERIMENTS)}
"""One entry of each kind of picture."""
OTHERS = sorted(name for name, entry in CATALOGUE.items()
                if entry.paper in ("gerken_kessel", "misof") and entry.plot != "samples")  # fmt: skip
SMALL = {"num": 20, "sets": (("digits", "in"), ("photo_patches", "ood")), "epochs": (0, 1, 2)}


def published(name: str) -> dict:
    return {ref: read_reference(ROOT / f"config/references/{ref}.json") for ref in CATALOGUE[name].references}


@pytest.mark.parametrize("settings", [{"num": 1000}, SMALL], ids=["paper", "small"])
@pytest.mark.parametrize("name", sorted(DIVERGENCE.values()))
def test_words_of_divergence_figures_have_room(name: str, settings: dict) -> None:
    drawing = draw(CATALOGUE[name], joined(CATALOGUE[name].experiments, **settings), published(name))
    assert isinstance(drawing, Drawing)
    with context():
        assert_words_have_room(drawing.figure)


@pytest.mark.parametrize("small", [False, True], ids=["paper", "small"])
@pytest.mark.parametrize("name", OTHERS)
def test_words_of_other_figures_have_room(name: str, small: bool) -> None:
    tables = {**ising_tables((32, 64), (2, 4, 8)), **orbit_errors(), **osp_table(("digits", "photo_patches"), (3,), 3),
              **fraction_table(("digits_so2", "photo_patches_so2")),
              **convergence_tables(), **sweep_tables((8,)), **line_tables(), **lemma_tables(),
              **learning_tables()}  # fmt: skip
    inputs = given(tables) if small else all_inputs()
    if name in ("cnn_gcnn_convergence", "cnn_gcnn_cifar10"):
        inputs = Inputs(inputs.tables, (facts("augmented_cnn", "gcnn"),))
    drawing = draw(CATALOGUE[name], inputs, published(name))
    assert isinstance(drawing, Drawing)
    with context():
        assert_words_have_room(drawing.figure)


def test_overlapping_words_are_found() -> None:
    drawing = draw(CATALOGUE["fashion_mnist_gain"], all_inputs(), {})
    assert isinstance(drawing, Drawing)
    for where, message in (((0.5, 1.02), "overlap"), ((1.2, 0.5), "sticks out")):
        text = drawing.figure.axes[1].text(*where, "a long label", transform=drawing.figure.axes[1].transAxes)
        text.set_in_layout(False)
        with context(), pytest.raises(AssertionError, match=message):
            assert_words_have_room(drawing.figure)
        text.remove()

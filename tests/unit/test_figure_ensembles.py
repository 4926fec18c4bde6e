"""What figures on resampled ensembles show: points, bars and fits of every arm, published marks, equal axes."""

from pathlib import Path

import numpy as np
import pytest
from divergence_tables import FLOORS, facts, joined
from drawn import error_bars, grey_markers, legend_labels
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_hex
from matplotlib.figure import Figure

from emergent.config.figures import read_catalogue
from emergent.config.references import read_reference
from emergent.config.stages import DataFacts
from emergent.errors import DataError
from emergent.figures import style
from emergent.figures.drawing import Drawing, Tabulation
from emergent.figures.facts import Inputs
from emergent.figures.plots import draw

ROOT = Path(__file__).parents[2]
CATALOGUE = read_catalogue(ROOT / "config/figures.yaml")
ARMS = ["sym", "asym_invariant_init", "asym", "cnn"]
COLORS = ["#1f77b4", "#ff7f0e", "#2ca02c", "#ff0000"]
NAMES = [facts().arms[index].symbol for index in range(4)]
TWENTY = {"num": 20}


def picture(name: str, inputs: Inputs | None = None, published: bool = True, **options) -> Figure:
    """Returns the figure of one entry, with some options of its own."""
    entry = CATALOGUE[name]
    entry = entry.model_copy(update={"options": entry.options.model_copy(update=options)})
    refs = {ref: read_reference(ROOT / f"config/references/{ref}.json") for ref in entry.references if published}
    drawing = draw(entry, inputs or joined(entry.experiments, **TWENTY), refs)
    assert isinstance(drawing, Drawing)
    return drawing.figure


def ours(axes: Axes) -> list[np.ndarray]:
    """Returns the series with error bars in the colours of arms, in order."""
    return [bars for color, bars in error_bars(axes) if to_hex(color) in COLORS]


def test_law_has_no_empty_panel_and_equal_axes_in_a_row() -> None:
    inputs = joined(("nordenfors_c4",), **TWENTY)
    law = inputs.tables["law"]
    law.loc[law["data"] == "cifar10", ["ratio", "ratio_stderr"]] *= 3
    figure = picture("nordenfors_c4_law", inputs)
    assert len(figure.axes) == 4
    for row in (figure.axes[:2], figure.axes[2:]):
        assert row[0].get_xlim() == row[1].get_xlim() and row[0].get_ylim() == row[1].get_ylim()
        assert all(len(axes.containers) >= len(ARMS) for axes in row)
    for axes in figure.axes[2:]:
        low, high = axes.get_ylim()
        assert low < 0 < high, "the floors are read against zero"


def test_law_draws_points_fit_and_floors_of_every_arm_alike() -> None:
    inputs = joined(("nordenfors_c4",), **TWENTY)
    figure = picture("nordenfors_c4_law", inputs)
    points, laws = inputs.tables["law_points"], inputs.tables["law"]
    for column, data in enumerate(("mnist", "cifar10")):
        top, bottom = figure.axes[column], figure.axes[2 + column]
        for arm, color, bars in zip(ARMS, COLORS, ours(top), strict=True):
            own = points[(points["arm"] == arm) & (points["data"] == data)]
            expected = np.column_stack([1 / own["ensemble_size"], own["mean"], own["stderr"]])
            np.testing.assert_allclose(bars[np.argsort(bars[:, 0])], expected[np.argsort(expected[:, 0])])
            law = laws[(laws["arm"] == arm) & (laws["data"] == data) & (laws["quantity"] == "divergence")].iloc[0]
            (fit,) = [line for line in top.lines if to_hex(line.get_color()) == color and len(line.get_xdata()) == 60]
            np.testing.assert_allclose(fit.get_ydata(), law["floor"] + law["slope"] * fit.get_xdata())
        # Two estimators for each arm, whether its floor is compatible with zero or not.
        floors = ours(bottom)
        assert len(floors) == 2 * len(ARMS)
        for place, arm in enumerate(ARMS):
            np.testing.assert_allclose(floors[2 * place], [[place - 0.24, FLOORS[arm] / 4.2, 0.0005]], atol=1e-12)
            np.testing.assert_allclose(floors[2 * place + 1], [[place, FLOORS[arm] / 4.2, 0.0004]], atol=1e-12)
    assert not any(line.get_color() in COLORS and len(set(line.get_ydata())) == 1
                   for axes in figure.axes[:2] for line in axes.lines if len(line.get_ydata()) > 1)  # fmt: skip


def test_law_draws_published_fits_and_levels_and_names_only_what_is_there() -> None:
    figure = picture("nordenfors_c4_law")
    grey = [[line for line in axes.lines if line.get_color() == style.PUBLISHED_COLOR and len(line.get_xdata()) == 60]
            for axes in figure.axes]  # fmt: skip
    assert [len(lines) for lines in grey] == [3, 2, 0, 0]
    assert all(len(set(line.get_ydata())) == 1 and line.get_xdata()[-1] == pytest.approx(0.01) for line in grey[1])
    assert not figure.axes[1].texts
    ratios = sorted(float(line.get_ydata()[0]) for line in grey_markers(figure.axes[2]))
    np.testing.assert_allclose(ratios[-1], 0.0492 / 4.38, rtol=1e-9)
    estimators = ["from the divergence", "from the squared gap"]
    assert legend_labels(figure) == [*NAMES, *estimators, "published curves, our fit, or ends", "from published curves"]
    assert legend_labels(picture("nordenfors_c4_law", published=False)) == [*NAMES, *estimators]


def test_law_gives_panels_that_differ_tenfold_an_axis_each() -> None:
    inputs = joined(("nordenfors_c4",), **TWENTY)
    law = inputs.tables["law"]
    law.loc[law["data"] == "cifar10", ["ratio", "ratio_stderr"]] *= 100
    left, right = picture("nordenfors_c4_law", inputs, published=False).axes[2:]
    assert right.get_ylim()[1] > 10 * left.get_ylim()[1]


def test_sizes_show_both_published_figures_on_one_scale() -> None:
    inputs = joined(("nordenfors_c4",), **TWENTY)
    figure = picture("nordenfors_c4_sizes", inputs)
    assert "nordenfors_c4_sizes_sum" not in CATALOGUE
    table, known = inputs.tables["ensembles"], inputs.tables["quantities"].set_index("name")
    for axes, (metric, data) in zip(
        figure.axes, [(m, d) for m in ("osp", "divergence") for d in ("mnist", "cifar10")], strict=True
    ):
        factor = 0.5 if metric == "divergence" else 1.0
        for arm, bars in zip(ARMS, ours(axes), strict=True):
            sizes = sorted(table.query("arm == @arm")["ensemble_size"].unique())
            cells = known.loc[[f"{metric}/{arm}/{data}/{size}" for size in sizes], ["value", "stderr"]].to_numpy(float)
            np.testing.assert_allclose(bars, np.column_stack([sizes, factor * cells]))
    osp = grey_markers(figure.axes[0])
    assert {line.get_markerfacecolor() for line in osp} == {"none", "#cfcfcf"}
    filled = [line for line in grey_markers(figure.axes[2]) if line.get_markerfacecolor() == "#cfcfcf"]
    open_ = [line for line in grey_markers(figure.axes[2]) if line.get_markerfacecolor() == "none"]
    # F4 publishes 0.4912 at size 5 on its own axis; F3, whose axis is the sum, is halved to nearly the same.
    assert float(open_[0].get_ydata()[0]) == pytest.approx(0.4912)
    assert float(filled[0].get_ydata()[0]) == pytest.approx(0.4912, rel=0.1)
    assert legend_labels(figure) == [*NAMES, "published in F4, pool of 1000", "published in F3, pool of 1000"]
    assert (
        figure.legends[0].get_title().get_text()
        == "ours: pool of 20, drawn with replacement as if from the published one"
    )


def test_an_error_that_is_not_known_is_no_bar() -> None:
    inputs = joined(("nordenfors_c4",), **TWENTY)
    quantities = inputs.tables["quantities"]
    quantities.loc[quantities["name"] == "osp/sym/mnist/10", "stderr"] = np.nan
    figure = picture("nordenfors_c4_sizes", inputs)
    assert np.isnan(ours(figure.axes[0])[0][:, 2]).tolist() == [False, True]
    published = [bars for color, bars in error_bars(figure.axes[0]) if color == style.PUBLISHED_COLOR]
    # Of 9 published points of the first arm 5 have a visible bar.
    assert len(published[0]) == 5 and all((bars[:, 2] > 0).all() for bars in published)


def test_metric_by_size_takes_any_metric_arm_and_data_set() -> None:
    inputs = joined(("nordenfors_c4",), num=20, sets=(("new", "in"), ("newer", "ood")))
    figure = picture("nordenfors_modelnet", inputs, metrics=("accuracy",), labels={"accuracy": "Accuracy [1]"},
                     arms=("cnn", "sym"))  # fmt: skip
    assert [axes.get_ylabel() for axes in figure.axes] == ["Accuracy [1]", ""]
    assert [axes.get_title() for axes in figure.axes] == ["new (in distribution)", "newer (out of distribution)"]
    assert legend_labels(figure) == [NAMES[0], NAMES[3]]
    with pytest.raises(DataError, match="no row with arm = 'absent'"):
        picture("nordenfors_modelnet", inputs, arms=("absent",))


def test_table_by_size_has_logarithms_of_the_divergence() -> None:
    inputs = joined(("nordenfors_c4",), **TWENTY)
    entry = CATALOGUE["nordenfors_modelnet_table"]
    made = draw(entry, inputs, {})
    assert isinstance(made, Tabulation)
    assert list(made.cells.columns) == ["5", "10"]
    table = inputs.tables["ensembles"].set_index(["arm", "data", "metric", "ensemble_size"])["mean"]
    for label, arm, data in (("sym, In dist.", "sym", "mnist"), ("as, Out of dist.", "asym", "cifar10")):
        for size in (5, 10):
            assert made.cells.at[f"{label}, OSP", str(size)] == f"{table[arm, data, 'osp', size]:.2f}"
            logarithm = np.log10(table[arm, data, "divergence", size])
            assert made.cells.at[f"{label}, log(KL-DIV)", str(size)] == f"{logarithm:.2f}"
    rows = inputs.tables["ensembles"]
    rows.loc[rows["metric"] == "divergence", "mean"] = 0.0
    invariant = draw(entry, inputs, {})
    assert isinstance(invariant, Tabulation)
    assert invariant.cells.loc["sym, In dist., log(KL-DIV)"].tolist() == ["–", "–"]


def test_pool_figure_says_how_large_both_pools_are() -> None:
    figure = picture("nordenfors_c4_epochs")
    labels = legend_labels(figure)
    assert labels[:4] == [f"{name}, pool of 20" for name in NAMES]
    assert labels[-1] == "published, pool of 1000, shaped as ours"
    for axes in figure.axes:
        assert len([line for line in axes.lines if to_hex(line.get_color()) in COLORS]) == len(ARMS) + len(
            [line for line in axes.lines if line.get_linestyle() == "None" and to_hex(line.get_color()) in COLORS]
        )
    assert len(figure.axes[0].collections) == 4 and not figure.axes[2].collections


def test_conditions_keep_labels_and_markers_off_the_curves() -> None:
    name = "nordenfors_c16_fills_in"
    figure = picture(name, joined(CATALOGUE[name].experiments, num=50))
    renderer = FigureCanvasAgg(figure).get_renderer()
    figure.draw(renderer)
    assert len(figure.axes) == 12
    for axes in figure.axes:
        last = max(bars[:, 0].max() for bars in ours(axes))
        assert last == 10 and axes.get_xlim()[1] > 1.3 * last
        for text in axes.texts:
            left = axes.transData.inverted().transform((text.get_window_extent(renderer).x0, 0))[0]
            assert left > last, f"{text.get_text()} covers the curves"
            assert text.get_window_extent(renderer).x1 <= axes.bbox.x1 + 1
        marks = [line for line in axes.lines if line.get_markeredgecolor() == style.PUBLISHED_COLOR
                 and line.get_linestyle() == "None"]  # fmt: skip
        levels = [
            line for line in axes.lines if line.get_color() == style.PUBLISHED_COLOR and len(line.get_xdata()) > 1
        ]
        assert len(marks) == len(levels) > 0
        assert all(last < mark.get_xdata()[0] < axes.get_xlim()[1] for mark in marks)
        assert len({(mark.get_xdata()[0]) for mark in marks}) == len(marks), (
            "each figure and arm has a place of its own"
        )
    assert [text.get_text() for text in figure.axes[0].texts] == ["F5"]
    assert [text.get_text() for text in figure.axes[1].texts] == ["F5", "F6"]
    assert [text.get_text() for text in figure.axes[4].texts] == ["F6"]


def test_conditions_are_those_that_the_evaluation_sets_name() -> None:
    name = "nordenfors_c16_fills_in"
    inputs = joined(CATALOGUE[name].experiments, num=50)
    first = inputs.facts[0]
    data: list[DataFacts] = [
        item.model_copy(update={"condition": "in the dark"}) if item.name == "mnist_other" else item
        for item in first.data if item.name not in ("mnist_other_fill", "mnist_other_rotation")
    ]  # fmt: skip
    arms = tuple(arm.model_copy(update={"interpolation": None}) for arm in first.arms)
    first = first._replace(data=tuple(data), arms=arms, label="Fine filters")
    figure = picture(name, inputs._replace(facts=(first, inputs.facts[1])))
    titles = [axes.get_title() for axes in figure.axes[:4]]
    assert titles[:2] == ["Fine filters,\nas trained", "Fine filters,\nin the dark"]
    assert titles[2:] == ["bilinear,\nas trained", "bilinear,\nother fill"]


def test_gap_compares_with_the_arm_that_facts_name_and_labels_experiments() -> None:
    name = "nordenfors_c4_filters"
    inputs = joined(CATALOGUE[name].experiments, **TWENTY)
    figure = picture(name, inputs)
    assert legend_labels(figure) == ["3 x 3 filters", "5 x 5 filters", NAMES[1], NAMES[2]]
    assert figure.axes[0].get_ylabel() == f"OSP, {NAMES[0]} minus arm"
    top = [error_bars(axes) for axes in figure.axes[:2]]
    assert [len(bars) for bars in top] == [4, 4]
    table = inputs.tables["significance"]
    own = table.query("experiment == 'nordenfors_c4' and data == 'mnist' and metric == 'osp' and other == 'asym'"
                      " and arm == 'sym'")  # fmt: skip
    np.testing.assert_allclose(top[0][1][1], own[["ensemble_size", "difference", "pool_stderr"]].to_numpy())
    assert [len(axes.containers) for axes in figure.axes[2:]] == [4, 4]
    everything = picture(name, inputs, arms=())
    assert legend_labels(everything)[2:] == NAMES[1:]
    orphans = tuple(one._replace(arms=tuple(arm.model_copy(update={"compare_to": None}) for arm in one.arms))
                    for one in inputs.facts)  # fmt: skip
    with pytest.raises(DataError, match="all compared with one other arm"):
        picture(name, inputs._replace(facts=orphans))

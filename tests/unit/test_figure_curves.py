"""What figures against epoch and ensemble size show: lines, error bars, order of the legend, published markers."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from drawn import error_bars, grey_markers, legend_labels
from figure_tables import all_inputs, convergence_tables, facts, given, ising_tables, osp_table
from matplotlib.colors import to_hex
from matplotlib.figure import Figure

from emergent.config.figures import read_catalogue
from emergent.config.references import read_reference
from emergent.config.stages import ArmFacts
from emergent.errors import DataError
from emergent.figures import style
from emergent.figures.drawing import Drawing
from emergent.figures.facts import Facts, Inputs
from emergent.figures.plots import draw

ROOT = Path(__file__).parents[2]
CATALOGUE = read_catalogue(ROOT / "config/figures.yaml")
SETS = ("fashion_mnist", "mnist", "cifar10", "gaussian_fields")


def picture(name: str, inputs: Inputs, published: bool = True, **options) -> Figure:
    """Returns the figure of one entry, with some options of its own."""
    entry = CATALOGUE[name]
    entry = entry.model_copy(update={"options": entry.options.model_copy(update=options)})
    refs = {ref: read_reference(ROOT / f"config/references/{ref}.json") for ref in entry.references if published}
    drawing = draw(entry, inputs, refs)
    assert isinstance(drawing, Drawing)
    return drawing.figure


def rows(inputs: Inputs, name: str, **values: object) -> pd.DataFrame:
    table = inputs.tables[name]
    assert isinstance(table, pd.DataFrame)
    for column, value in values.items():
        table = table[table[column] == value]
    return table


def test_metric_by_epoch_draws_ensemble_members_and_ceiling_of_every_arm() -> None:
    inputs = all_inputs()
    figure = picture("fashion_mnist_osp", inputs)
    assert [axes.get_title().split(" (")[0] for axes in figure.axes] == [
        "FashionMNIST", "MNIST", "CIFAR-10", "Gaussian fields"
    ]  # fmt: skip
    for axes, data in zip(figure.axes, SETS, strict=True):
        solid = [line for line in axes.lines if line.get_marker() not in ("None", "") and line.get_linestyle() == "-"]
        for line, (arm, group) in zip(solid, (("cnn_c4", "C4"), ("cnn_c8", "C8"), ("cnn_c16", "C16")), strict=True):
            own = rows(inputs, "osp", arm=arm, data=data, predictor="ensemble", ensemble_size=10)
            np.testing.assert_allclose(line.get_xydata(), own[["epoch", "mean"]].to_numpy())
            assert line.get_color() == style.group_colors(["C4", "C8", "C16"])[group]
        assert sorted(line.get_ydata()[0] for line in axes.lines if line.get_linestyle() == ":") == [4, 8, 16]
        assert len(axes.collections) == 3
        # On CIFAR-10 a curve for C16 alone was published.
        assert len(grey_markers(axes)) == {"mnist": 3, "cifar10": 1}.get(data, 0)
    labels = legend_labels(figure)
    assert labels[:3] == [f"ensemble of 10, $C_{{{order}}}$" for order in (4, 8, 16)]
    assert labels[-1] == "published, ensemble of 10"
    assert len({axes.get_ylim() for axes in figure.axes}) == 1


def test_published_ensembles_of_another_size_are_called_so() -> None:
    figure = picture("fashion_mnist_osp", given(osp_table(("digits", "photo_patches"), (3,), 2)))
    assert legend_labels(figure)[-1] == "published, ensemble of 10 (ours: 3)"


def test_metric_by_epoch_draws_a_panel_per_ensemble_size() -> None:
    """Published curves belong to the panel of their size; of the set alone that is asked for."""
    inputs = given(osp_table(("histology", "fields", "fields_clipped"), (5, 20), 20))
    figure = picture("histology_osp", inputs)
    assert [axes.get_title() for axes in figure.axes] == [
        "fields (out of distribution)\nensembles of 5", "fields (out of distribution)\nensembles of 20"
    ]  # fmt: skip
    for axes, size in zip(figure.axes, (5, 20), strict=True):
        solid = [line for line in axes.lines if line.get_marker() not in ("None", "") and line.get_linestyle() == "-"]
        for line, order in zip(solid, (4, 8, 16), strict=True):
            own = rows(inputs, "osp", arm=f"cnn_c{order}", data="fields", predictor="ensemble", ensemble_size=size)
            np.testing.assert_allclose(line.get_xydata(), own[["epoch", "mean"]].to_numpy())
        assert len(grey_markers(axes)) == (3 if size == 5 else 0)
    # The published value of C16 at epoch 20, of ensembles of 5.
    np.testing.assert_allclose(grey_markers(figure.axes[0])[2].get_xydata()[-1], (20, 15.74))
    labels = legend_labels(figure)
    assert labels[0] == "ensemble, $C_{4}$" and labels[-1] == "published (paper scale)"
    small = picture("histology_osp", given(osp_table(("histology", "fields"), (3,), 2)))
    assert [axes.get_title() for axes in small.axes] == ["fields (out of distribution)"]
    assert grey_markers(small.axes[0]) == [] and legend_labels(small)[-1] == "perfect invariance"


def test_samples_are_stretched_or_cut_off() -> None:
    values = np.linspace(-2.0, 3.0, 9 * 4 * 4 * 3).reshape(9, 4, 4, 3).astype(np.float32)
    inputs = given({"ood_samples": values})
    cut = picture("histology_samples", inputs)
    assert len(cut.axes) == 3
    shown = np.stack([np.asarray(axes.images[0].get_array()) for axes in cut.axes])
    np.testing.assert_allclose(shown, np.clip(values[:3], 0, 1))
    stretched = picture("ood_samples", inputs)
    shown = np.stack([np.asarray(axes.images[0].get_array()) for axes in stretched.axes])
    assert shown.shape == values.shape
    np.testing.assert_allclose(shown.min((1, 2, 3)), 0)
    np.testing.assert_allclose(shown.max((1, 2, 3)), 1)
    with pytest.raises(DataError, match=r"must have shape \[3, H, W, 1 or 3\]; found \(2, 4, 4, 3\)"):
        picture("histology_samples", given({"ood_samples": values[:2]}))


def test_a_band_of_unknown_width_is_not_drawn() -> None:
    table = osp_table(("digits", "photo_patches"), (3,), 2)["osp"]
    table.loc[table["predictor"] == "members", "std"] = np.nan
    figure = picture("fashion_mnist_osp", given({"osp": table}), published=False, band="std")
    assert all(len(path.vertices) == 0 for axes in figure.axes for band in axes.collections
               for path in band.get_paths())  # fmt: skip


def test_metric_by_epoch_draws_arms_of_one_group_apart() -> None:
    table = osp_table(SETS[:2])["osp"]
    table = table[table["arm"] != "cnn_c16"].assign(group="C4", order=4)
    arms = tuple(ArmFacts(name=name, label=label, group="C4", order=4)
                 for name, label in (("cnn_c8", "wide"), ("cnn_c4", "narrow")))  # fmt: skip
    figure = picture("fashion_mnist_osp", Inputs({"osp": table}, (Facts("kmnist", "", 5, arms, ()),)), published=False)
    assert legend_labels(figure)[:2] == ["ensemble of 10, wide", "ensemble of 10, narrow"]
    solid = [line for line in figure.axes[0].lines if line.get_marker() not in ("None", "")]
    assert len({line.get_color() for line in solid}) == len(solid) == 2


def test_metric_by_epoch_draws_any_metric_of_a_table() -> None:
    table = osp_table(("a_new_set", "another"))["osp"].assign(metric="equivariance_error")
    both = pd.concat([table, table.assign(metric="loss")], ignore_index=True)
    inputs = given({"metrics": both})
    figure = picture("fashion_mnist_osp", inputs, table="metrics", metric="equivariance_error")
    assert figure.axes[0].get_ylabel() == "Equivariance error" and figure.axes[0].get_yscale() == "log"
    assert figure.axes[0].get_title() == "a new set (in distribution)"
    assert not any(line.get_linestyle() == ":" for line in figure.axes[0].lines)
    with pytest.raises(DataError, match=r"several metrics; set options\.metric to one of equivariance_error, loss"):
        picture("fashion_mnist_osp", inputs, table="metrics", metric=None)


def test_gain_is_scaled_by_what_is_drawn_and_starts_after_epoch_0() -> None:
    inputs = all_inputs()
    table = rows(inputs, "osp")
    table.loc[table["epoch"] == 0, "std"] = 500.0
    figure = picture("fashion_mnist_gain", inputs)
    for axes, data in zip(figure.axes, SETS, strict=True):
        for arm, (_, bars) in zip(("cnn_c4", "cnn_c8", "cnn_c16"), error_bars(axes), strict=True):
            own = rows(inputs, "osp", arm=arm, data=data, predictor="ensemble", ensemble_size=10).query("epoch > 0")
            members = rows(inputs, "osp", arm=arm, data=data, predictor="members").query("epoch > 0")
            expected = [own["epoch"], own["mean"].to_numpy() - members["mean"].to_numpy(), own["std"]]
            np.testing.assert_allclose(bars, np.column_stack(expected))
        assert axes.get_xlim()[0] > 0 and axes.get_ylim()[1] < 10
    # Bars of the gain itself, where the summary gives them.
    inputs = given({"osp": osp_table(SETS).get("osp").assign(gain_stderr=0.25)})
    for axes in picture("fashion_mnist_gain", inputs).axes:
        assert all((bars[:, 2] == 0.25).all() for _, bars in error_bars(axes))
    assert legend_labels(figure) == ["$C_{4}$", "$C_{8}$", "$C_{16}$"]


def test_sizes_have_a_curve_each_and_no_bar_where_there_is_one_ensemble() -> None:
    inputs = all_inputs()
    (axes,) = (figure := picture("fashion_mnist_sizes", inputs)).axes
    series = error_bars(axes)
    assert [len(bars) for _, bars in series] == [11, 11, 11]
    # 100 members make one ensemble of 100: its deviation is not known, which is no bar of length 0.
    assert np.isnan(series[2][1][:, 2]).all() and np.isfinite(series[1][1][:, 2]).all()
    assert legend_labels(figure)[-3:] == [f"published, {size} models" for size in (5, 10, 100)]
    assert len(grey_markers(axes)) == 3


def test_fractions_of_one_set_have_a_curve_per_group_and_those_of_one_arm_a_curve_per_set() -> None:
    inputs = all_inputs()
    (axes,) = picture("fashion_mnist_so2", inputs).axes
    solid = [line for line in axes.lines if line.get_marker() not in ("None", "") and line.get_linestyle() == "-"]
    for line, arm in zip(solid, ("cnn_c4", "cnn_c8", "cnn_c16"), strict=True):
        own = rows(inputs, "osp_fraction", arm=arm, data="fashion_mnist_so2", predictor="ensemble", ensemble_size=10)
        np.testing.assert_allclose(line.get_xydata(), own[["epoch", "mean"]].to_numpy())
    assert len(grey_markers(axes)) == 3
    assert [line.get_ydata()[0] for line in axes.lines if line.get_linestyle() == ":"] == [1]
    (axes,) = (figure := picture("fashion_mnist_so2_data", inputs)).axes
    solid = [line for line in axes.lines if line.get_marker() not in ("None", "") and line.get_linestyle() == "-"]
    for line, data in zip(solid, ("fashion_mnist_so2", "mnist_so2", "cifar10_so2"), strict=True):
        own = rows(inputs, "osp_fraction", arm="cnn_c16", data=data, predictor="ensemble", ensemble_size=10)
        np.testing.assert_allclose(line.get_xydata(), own[["epoch", "mean"]].to_numpy())
    # Of one set a curve was published, that of the same group in the other figure.
    (grey,) = grey_markers(axes)
    assert (grey.get_ydata()[0], grey.get_ydata()[-1]) == (0.9, 0.878)
    assert legend_labels(figure)[-1] == "published (paper scale)"


def convergence() -> Inputs:
    tables = convergence_tables()
    first = tables["distance"].query("epoch == 1").assign(epoch=0, mean=lambda t: 30 * t["mean"])
    tables["distance"] = pd.concat([first, tables["distance"]], ignore_index=True)
    return Inputs(tables, (facts("augmented_cnn", "gcnn"),))


def test_distance_starts_at_epoch_1_with_the_start_in_an_inset() -> None:
    inputs = convergence()
    figure = picture("cnn_gcnn_convergence", inputs)
    left, right = figure.axes
    for size, (_, bars) in zip((1, 3, 8, 100), error_bars(left), strict=True):
        own = rows(inputs, "distance", data="gaussian_fields", ensemble_size=size).query("epoch > 0")
        np.testing.assert_allclose(bars, own[["epoch", "mean", "std"]].to_numpy())
    assert 0 < left.get_xlim()[0] < 1
    (inset,) = left.child_axes
    start = rows(inputs, "distance", data="gaussian_fields", epoch=0)
    np.testing.assert_allclose(np.concatenate([bars[:, 1] for _, bars in error_bars(inset)]), start["mean"])
    assert [label.get_text() for label in inset.get_xticklabels()] == ["1", "3", "8", "100"]
    # Nothing is drawn below the inset.
    edge = left.transData.inverted().transform(left.transAxes.transform((0, 0.6)))[1]
    drawn = np.concatenate([np.asarray(line.get_ydata(), float) for line in left.lines])
    assert np.nanmax(drawn) < edge
    assert left.get_ylabel().endswith("augmented cnn and gcnn")
    ours, last = rows(inputs, "distance", data="gaussian_fields", epoch=10), error_bars(right)
    np.testing.assert_allclose([bars[0, 1] for _, bars in last], ours["mean"] ** 2)
    errors = 2 * ours["mean"] * ours["std"] / np.sqrt(ours["num"])
    np.testing.assert_allclose([bars[0, 2] for _, bars in last], errors.where(ours["num"] > 1))
    assert all(low <= y <= high for low, high in [right.get_ylim()] for line in grey_markers(right)
               for y in line.get_ydata())  # fmt: skip


def test_distance_has_no_legend_for_what_is_not_drawn() -> None:
    inputs = convergence()
    names = [f"{size} member{'s' * (size > 1)}" for size in (1, 3, 8, 100)]
    fit, floor = r"law $d^2 = b^2 + v/M$", r"floor $b^2$"
    published = [f"published, {name}" for name in names if name != "8 members"]
    assert legend_labels(picture("cnn_gcnn_convergence", inputs)) == [*names, fit, floor, *published]
    assert legend_labels(picture("cnn_gcnn_convergence", inputs, published=False)) == [*names, fit, floor]
    fits = rows(inputs, "fit")
    inputs.tables["fit"] = fits.assign(floor_squared=0.0)  # type: ignore[index]
    figure = picture("cnn_gcnn_convergence", inputs, published=False)
    assert legend_labels(figure) == [*names, fit]
    assert not any(line.get_linestyle() == ":" for line in figure.axes[1].lines)


def test_spread_draws_every_width_and_the_infinite_ensemble() -> None:
    inputs = all_inputs()
    figure = picture("ising_invariance", inputs)
    upper, lower = figure.axes[:3], figure.axes[3:]
    for column, data in enumerate(("train", "test", "ood")):
        for panel in (upper[column], lower[column]):
            for width, (_, bars) in zip((512, 1024, 2048), error_bars(panel), strict=True):
                own = rows(inputs, "orbit_std", data=data, width=width, predictor="ensemble")
                np.testing.assert_allclose(bars, own[["ensemble_size", "mean", "std"]].to_numpy())
        assert len(upper[column].collections) - len(upper[column].containers) == 3
        assert [text.get_text() for text in lower[column].texts] == ["NTK: 3e-15"]
    assert [text.get_text() for text in upper[2].texts] == ["No Invariance"]
    assert legend_labels(figure)[:5] == ["width 512", "width 1024", "width 2048", "NTK", "NTK, one member"]


def test_spread_without_an_infinite_ensemble_does_not_name_one() -> None:
    table = ising_tables()["orbit_std"].query("arm != 'ntk'")
    figure = picture("ising_invariance", given({"orbit_mse": table}), table="orbit_mse", data=("test",))
    assert not any("NTK" in label for label in legend_labels(figure))
    assert [axes.get_ylabel() for axes in figure.axes] == ["Orbit MSE", "Orbit MSE (zoom)"]
    assert not figure.axes[0].texts


def test_sizes_too_close_for_a_label_each_are_thinned_out() -> None:
    axes = Figure().subplots()
    style.log_axis(axes, [*map(float, range(2, 11)), 5])
    assert [label.get_text() for label in axes.get_xticklabels()] == ["2", "3", "4", "5", "6", "8", "10"]
    style.log_axis(axes, [5, 10, 20])
    assert [label.get_text() for label in axes.get_xticklabels()] == ["5", "10", "20"]


def test_spare_groups_get_colours_of_their_own() -> None:
    colors = style.group_colors(["C4", "C6", "D3", "SO3"])
    assert len({to_hex(color) for color in colors.values()}) == 4 and colors["C4"] == style.GREEN
    assert style.group_name("D12") == "$D_{12}$" and style.group_name("SO3") == "SO3"

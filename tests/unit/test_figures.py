"""Figures: every plot draws synthetic summaries, is saved reproducibly, and misses a table with a clear error."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from figure_tables import all_inputs, given, ising_tables, method_tables, osp_table

from emergent import storage
from emergent.config.base import canonical_json
from emergent.config.figure_entry import PLACEHOLDERS
from emergent.config.figures import read_catalogue, read_entry
from emergent.config.references import read_reference
from emergent.errors import ConfigError, DataError
from emergent.figures.drawing import Drawing, published_table, require_rows
from emergent.figures.inputs import load_inputs, tables_of
from emergent.figures.plots import PLOTS, draw
from emergent.figures.save import fill_caption, save_figure
from emergent.figures.save_table import save_table

ROOT = Path(__file__).parents[2]
CATALOGUE = read_catalogue(ROOT / "config/figures.yaml")
REFERENCES = {path.stem: read_reference(path) for path in sorted((ROOT / "config/references").glob("*.json"))}
INFINITE_WIDTH = {name: e for name, e in CATALOGUE.items() if e.paper in ("gerken_kessel", "misof")}
FIGURES = sorted(name for name, entry in INFINITE_WIDTH.items() if entry.kind == "figure")


def references_of(entry) -> dict:
    """Returns the published values that an entry names."""
    return {name: REFERENCES[name] for name in entry.references}


def test_every_kind_in_the_catalogue_is_registered_and_used():
    assert {entry.plot for entry in CATALOGUE.values()} == set(PLOTS)


@pytest.mark.parametrize("name", FIGURES)
def test_figure_renders_and_fills_its_caption(name: str):
    entry = CATALOGUE[name]
    drawing = draw(entry, all_inputs(), references_of(entry))
    assert isinstance(drawing, Drawing)
    drawing.figure.draw_without_rendering()
    assert set(drawing.facts) <= PLACEHOLDERS
    caption = fill_caption(entry, drawing.facts, "paper", ("Drawn from a stand-in.",))
    assert "{" not in caption and caption.endswith("Drawn from a stand-in.")
    assert ("published" in set(drawing.data["source"])) == bool(entry.references)


@pytest.mark.parametrize("name", ["fashion_mnist_sizes", "ood_samples"])
def test_figure_saves_the_same_bytes_twice(name: str, tmp_path: Path):
    entry = CATALOGUE[name]
    for run in ("first", "second"):
        drawing = draw(entry, all_inputs(), references_of(entry))
        assert isinstance(drawing, Drawing)
        save_figure(drawing, tmp_path / run / name, entry, "Drawn from a stand-in.", "smoke")
    for suffix in ("pdf", "svg", "png", "csv", "txt"):
        first, second = ((tmp_path / run / f"{name}.{suffix}").read_bytes() for run in ("first", "second"))
        assert first and first == second, suffix
    for suffix, mark in (("svg", b"scale smoke"), ("png", b"scale smoke"), ("pdf", b"scale smoke")):
        content = (tmp_path / "first" / f"{name}.{suffix}").read_bytes()
        assert mark in content and b"stand-in" in content, suffix


def needs(name: str) -> tuple[str, ...]:
    """Tables and arrays of a figure; a drawing of layers has none."""
    entry = CATALOGUE[name]
    return (*tables_of(entry, PLOTS[entry.plot]), *PLOTS[entry.plot].arrays)


@pytest.mark.parametrize("name", sorted(name for name in INFINITE_WIDTH if needs(name)))
def test_missing_table_is_a_clear_error(name: str):
    entry, needed = CATALOGUE[name], needs(name)
    assert [name for name in INFINITE_WIDTH if not needs(name)] == ["equal_layers"]
    for missing in needed:
        inputs = given({key: value for key, value in all_inputs().tables.items() if key != missing})
        with pytest.raises(DataError, match=f"has no (table|array) '{missing}'"):
            draw(entry, inputs, {})


@pytest.mark.parametrize("name", FIGURES)
def test_figures_need_no_published_values(name: str):
    drawing = draw(CATALOGUE[name], all_inputs(), {})
    assert isinstance(drawing, Drawing)
    assert set(drawing.data["source"]) == {"ours"}


def test_smoke_data_sets_and_widths_are_drawn_under_their_own_names():
    inputs = given({**ising_tables((32, 64), (2, 4, 8)), **osp_table(("digits", "photo_patches"), (3,), 2)})
    for name in ("ising_invariance", "ising_ntk_difference", "fashion_mnist_osp", "fashion_mnist_sizes"):
        entry = CATALOGUE[name]
        drawing = draw(entry, inputs, references_of(entry))
        assert isinstance(drawing, Drawing)
        assert {"ours", "published"} == set(drawing.data["source"])
    osp = draw(CATALOGUE["fashion_mnist_osp"], inputs, REFERENCES)
    assert isinstance(osp, Drawing)
    titles = [axes.get_title() for axes in osp.figure.axes]
    assert titles[0].endswith("(in distribution)") and "photo patches" in titles[1]
    grey = [sum(line.get_linestyle() == "None" for line in axes.lines) for axes in osp.figure.axes]
    assert grey == [0, 3], "without MNIST the published curves belong on the first out-of-distribution panel"
    assert osp.facts["ensemble_size"] == "3"


def test_published_series_reach_the_csv():
    entry = CATALOGUE["cnn_gcnn_convergence"]
    drawing = draw(entry, all_inputs(), references_of(entry))
    theirs = drawing.data[drawing.data["source"] == "published"]
    np.testing.assert_allclose(theirs.loc[(theirs["ensemble_size"] == 100) & (theirs["epoch"] == 1), "mean"], 0.257)


def test_ood_table_shows_ours_beside_published(tmp_path: Path):
    entry = CATALOGUE["fashion_mnist_ood_table"]
    table = draw(entry, all_inputs(), references_of(entry))
    assert not isinstance(table, Drawing)
    assert list(table.cells.columns) == ["C4", "C8", "C16"]
    assert table.cells.at["DeepEns+DA, published (paper scale)", "C16"] == "15.24 ± 0.69"
    assert table.cells.at["only DA, ours", "C4"] == "3.66 ± 0.17"
    # A method that was not run has its published row only, and ours alone has no published one.
    assert "E2CNN, ours" not in table.cells.index
    assert table.cells.at["Canon, published (paper scale)", "C16"] == "12.41 ± 0.85"
    assert not any(row.startswith("orbit average") for row in table.cells.index)
    save_table(table, tmp_path / "t", entry, fill_caption(entry, table.facts, "paper", ()), "paper")
    assert r"15.24 $\pm$ 0.69" in (tmp_path / "t.tex").read_text()
    assert "| 15.24 ± 0.69 |" in (tmp_path / "t.md").read_text()
    assert "<sub>16</sub>" in (tmp_path / "t.html").read_text()


def test_methods_of_several_experiments_are_rows_of_one_table():
    osp = osp_table(("fashion_mnist", "mnist"))["osp"]
    canonical = osp[(osp["arm"] == "cnn_c8") & (osp["predictor"] == "members")].assign(arm="canonicalised_c8", mean=7.5)
    arms = ("cnn_c4", "cnn_c8", "cnn_c16", "canonicalised_c8")
    inputs = given({"osp": pd.concat([osp, canonical], ignore_index=True), **method_tables(arms)})
    table = draw(CATALOGUE["fashion_mnist_ood_table"], inputs, REFERENCES)
    assert not isinstance(table, Drawing)
    found = [table.cells.at["Canon, ours", group] for group in ("C4", "C8", "C16")]
    assert found[::2] == ["–", "–"] and found[1].startswith("7.50 ± ")
    costs = draw(CATALOGUE["fashion_mnist_methods"], inputs, {})
    assert not isinstance(costs, Drawing) and costs.facts == {"ensemble_size": "10", "num_members": "100"}
    methods = [f"{method}, {group}" for method in ("DeepEns+DA", "only DA") for group in ("C4", "C8", "C16")]
    assert list(costs.cells.index) == [*methods, "Canon, C8"]
    # An ensemble costs ten times a member; the last epoch counts.
    assert costs.cells.at["DeepEns+DA, C8", "parameters"] == "1 151 140"
    assert costs.cells.at["DeepEns+DA, C8", "inference / M"] == "31.4"
    assert costs.cells.at["only DA, C8", "inference / M"] == "3.1"
    assert costs.cells.at["only DA, C8", "accuracy in distribution"] == "0.900 ± 0.010"


def test_missing_row_names_what_is_there():
    table = osp_table(("digits",), (3,), 1)["osp"]
    with pytest.raises(DataError, match="no row with group = 'C5'; found there: C4, C8, C16"):
        require_rows(table, "osp", group="C5")


def test_unknown_placeholder_is_refused(tmp_path: Path):
    text = (ROOT / "config/figures.yaml").read_text().replace("{num_members}", "{num_member}", 1)
    path = tmp_path / "figures.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError, match="num_member"):
        read_catalogue(path)


def test_every_setting_of_a_figure_is_described():
    for entry in CATALOGUE.values():
        fields = {**type(entry).model_fields, **type(entry.options).model_fields}
        bare = [name for name, field in fields.items() if name not in ("plot", "options") and not field.description]
        assert not bare and type(entry.options).__doc__, f"{type(entry).__name__}: {bare}"


def test_no_kind_of_picture_is_named_for_a_paper_or_a_data_set():
    names = {
        *(entry.paper for entry in CATALOGUE.values()),
        *(name for e in CATALOGUE.values() for name in e.experiments),
    }
    words = {word for name in names for word in name.split("_")} - {"flow", "subspace", "risk", "gap", "inpainting"}
    assert not {kind for kind in PLOTS if words & set(kind.split("_"))}


def test_entry_survives_canonical_json(tmp_path: Path):
    for name, entry in CATALOGUE.items():
        path = tmp_path / f"{name}.json"
        path.write_text(canonical_json(entry))
        # All but the claims that it shows, which are no part of what it is drawn from.
        assert read_entry(path) == entry.model_copy(update={"claims": ()})


def test_references_keep_their_keys():
    table = published_table(REFERENCES, "orbit_std")
    assert set(table["width"]) == {512, 2048} and set(table["data"]) == {"train", "test", "ood"}
    assert len(table) == 2 * 2 * 3 * 5
    assert published_table(REFERENCES, "nothing").empty


def test_inputs_of_absent_experiment():
    with pytest.raises(DataError, match="--summary EXPERIMENT=PATH"):
        load_inputs(CATALOGUE["ising_invariance"], PLOTS["spread_by_size"], {})


def test_summary_configuration_decides_which_data_set_is_the_primary_one(tmp_path: Path):
    summary = tmp_path / "summary.h5"
    tables = osp_table(("gaussian_fields", "photo_patches", "digits"), (3,), 1)
    roles = {"gaussian_fields": ("ood", False), "photo_patches": ("ood", True), "digits": ("in", True)}
    storage.write(summary, stage="summary", attributes={"config_json": config_json(roles)}, tables=tables,
                  allow_nan=True)  # fmt: skip
    entry = CATALOGUE["fashion_mnist_ood_table"].model_copy(update={"experiments": ("fashion_mnist",)})
    inputs = load_inputs(entry, PLOTS[entry.plot], {"fashion_mnist": summary})
    table = inputs.tables["osp"]
    assert isinstance(table, pd.DataFrame)
    assert list(dict.fromkeys(table["data"])) == ["digits", "photo_patches", "gaussian_fields"]
    assert draw(entry, inputs, {}).facts["data"] == "shards of photographs"


def config_json(roles: dict[str, tuple[str, bool]]) -> str:
    """Returns the configuration of a summary whose evaluation sets have these roles."""
    empty = dict.fromkeys(("label", "condition_of", "condition", "interpolation", "fill"))
    labels = {"photo_patches": "shards of photographs"}
    data = [{**empty, "name": name, "dataset": name, "role": role, "primary": first, "label": labels.get(name)}
            for name, (role, first) in roles.items()]  # fmt: skip
    arms = [{"name": f"cnn_c{order}", "label": f"C{order}", "group": f"C{order}", "order": order}
            for order in (4, 8, 16)]  # fmt: skip
    return canonical_json({"experiment": "e", "label": "e", "num_members": 100, "arms": arms, "data": data})


@pytest.mark.parametrize(
    ("attributes", "message"),
    [({}, "no attribute config_json"), ({"config_json": "{}"}, "does not hold the facts that figures read.*label")],
    ids=["none", "empty"],
)
def test_summary_without_facts_is_a_clear_error(tmp_path: Path, attributes: dict, message: str):
    summary = tmp_path / "summary.h5"
    storage.write(summary, stage="summary", attributes=attributes, tables=osp_table(("digits",)), allow_nan=True)
    entry = CATALOGUE["fashion_mnist_osp"]
    with pytest.raises(DataError, match=message):
        load_inputs(entry, PLOTS[entry.plot], {"fashion_mnist": summary})


def test_verb_draws_and_reports_a_missing_table_without_traceback(tmp_path: Path):
    summary, config = tmp_path / "summary.h5", tmp_path / "entry.json"
    attributes = {"config_json": config_json({})}
    storage.write(summary, stage="summary", attributes=attributes, tables=ising_tables(), allow_nan=True)
    config.write_text(canonical_json(CATALOGUE["ising_ntk_difference"]))
    command = [sys.executable, "-m", "emergent.cli.figure", "--config", str(config), "--scale", "smoke",
               "--summary", f"ising={summary}", "--output-stem", str(tmp_path / "out/f1")]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "out/f1.pdf").exists()
    storage.write(summary, stage="summary", attributes=attributes, tables={})
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.startswith("error:") and "Traceback" not in done.stderr

"""The table of floors: a row per arm, and the law fitted to the published points below."""

from pathlib import Path

import numpy as np
import pytest
from figure_tables import floor_fits, given

from emergent.config.claims import EqualsClaim, read_claims
from emergent.config.figures import read_catalogue
from emergent.config.references import Reference, Series, read_reference
from emergent.figures.drawing import Drawing, Tabulation
from emergent.figures.floor_table import published_laws
from emergent.figures.plots import draw
from emergent.figures.save import fill_caption
from emergent.figures.save_table import save_table

ROOT = Path(__file__).parents[2]
ENTRY = read_catalogue(ROOT / "config/figures.yaml")["cross_product_subsets"]
REFERENCES = {"cross_product": read_reference(ROOT / "config/references/cross_product.json")}


def drawn(references: dict) -> Tabulation:
    table = draw(ENTRY, given(floor_fits()), references)
    assert not isinstance(table, Drawing)
    return table


def test_rows_are_arms_and_then_the_published_ensembles(tmp_path: Path) -> None:
    table = drawn(REFERENCES)
    arms = [f"{subset} {width}" for subset in ("tetrahedral", "so3") for width in (128, 256)]
    assert list(table.cells.index) == [*arms, "published, width 128", "published, width 256"]
    assert list(table.cells.columns)[:4] == ["elements", "covering angle (degrees)", "floor, Training Data",
                                             "slope, Training Data"]  # fmt: skip
    assert table.cells.shape == (6, 8)
    assert table.cells.loc["tetrahedral 256"].tolist()[:4] == ["12", "90.0", "0.01000 ± 0.00020", "0.0156 ± 0.0010"]
    assert table.cells.loc["so3 128"].tolist()[:2] == ["–", "0.0"]
    assert table.cells.loc["published, width 128"].tolist()[:3] == ["–", "–", "0.01572 ± 0.00032"]
    assert set(table.data["source"]) == {"ours", "published"}
    caption = fill_caption(ENTRY, table.facts, "paper", ())
    assert "of width 128 and 256" in caption and "60 members" in caption and "{" not in caption
    save_table(table, tmp_path / "t", ENTRY, caption, "paper")
    assert "| 90.0 | 0.01000 ± 0.00020 |" in (tmp_path / "t.md").read_text()


def test_no_published_values_are_needed() -> None:
    table = drawn({})
    assert len(table.cells) == 4 and set(table.data["source"]) == {"ours"}


def test_the_law_of_published_points_is_found() -> None:
    sizes = (2, 4, 8, 10)
    values = tuple(0.02 + 0.03 / size for size in sizes)
    series = Series(
        quantity="orbit_error", keys={"predictor": "ensemble", "width": 64, "data": "test"}, x_name="ensemble_size",
        x=sizes, y=values, reading="stated", accuracy="exact", source="S",
    )  # fmt: skip
    short = series.model_copy(update={"keys": {**series.keys, "width": 32}, "x": sizes[:2], "y": values[:2]})
    members = series.model_copy(update={"keys": {**series.keys, "predictor": "members"}})
    reference = Reference(
        paper="gerken_kessel", citation="c", sources={"S": "s"}, series=(series, short, members)
    )  # fmt: skip
    laws = published_laws({"r": reference})
    assert laws[["width", "data"]].to_numpy().tolist() == [[64, "test"]]
    np.testing.assert_allclose(laws[["floor", "slope"]].to_numpy(), [[0.02, 0.03]], rtol=1e-10)
    np.testing.assert_allclose(laws[["floor_stderr", "slope_stderr"]].to_numpy(), 0, atol=1e-10)
    assert published_laws({}).empty


def claim(name: str) -> EqualsClaim:
    found = next(claim for claim in read_claims(ROOT / "config/claims.yaml") if claim.id == name)
    assert isinstance(found, EqualsClaim)
    return found


@pytest.mark.parametrize("data", ["train", "test", "ood"])
def test_values_of_claims_are_those_of_the_law(data: str) -> None:
    laws = published_laws(REFERENCES).query("data == @data").set_index("width")
    ratio = laws.loc[256, ["floor", "slope"]] / laws.loc[128, ["floor", "slope"]]
    by_width = claim(f"cross_product_subsets_floor_by_width_{data}")
    assert by_width.quantity == f"floor_ratio/*/{data}" and by_width.experiment == "cross_product_subsets"
    np.testing.assert_allclose([by_width.value, by_width.denies or 0.0], ratio, atol=0.01)
    if data == "train":
        for width in (128, 256):
            for name in ("floor", "slope"):
                stated = claim(f"cross_product_{name}_{width}")
                np.testing.assert_allclose(stated.value, laws.at[width, name], atol=6e-5)

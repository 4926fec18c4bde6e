"""Summary and figure of errors under SO(2): slopes, ratios to the bound, rounding; bad input."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from emergent import storage
from emergent.config.base import canonical_json, merge, read_yaml, validate
from emergent.config.discretisation import DiscretisationExperiment, DiscretisationStage, DiscretisationSummary
from emergent.config.figures import read_catalogue
from emergent.errors import ConfigError, DataError
from emergent.figures.drawing import Drawing
from emergent.figures.facts import Inputs, facts_of
from emergent.figures.plots import draw
from emergent.figures.save import fill_caption
from emergent.storage import Array
from emergent.summaries.discretisation import fitted_slope, summarise_discretisation

CONFIG = Path(__file__).parents[2] / "config"
CONTENT = read_yaml(CONFIG / "experiments/rotation_subgroups.yaml")
CONTENT.pop("scales")
KAPPA = np.array([1.4, 0.8, 0.4, 0.2])


def experiment(**delta: Any) -> DiscretisationExperiment:
    changes = {"members": {"num": 4, "block": 2}, "orders": [2, 4, 8, 16], "times": [1, 10], **delta}
    return validate(DiscretisationExperiment, merge(CONTENT, changes), "case")


def settings() -> DiscretisationSummary:
    stage = experiment().stage("summary")
    assert isinstance(stage, DiscretisationSummary)
    return stage


def blocks(folder: Path, largest: float = 0.3) -> dict[str, list[Path]]:
    """Two files per arm: error kappa^3 until it is rounding, terms kappa, and a bound that is twice the terms."""
    paths: dict[str, list[Path]] = {}
    shape, noise = (2, len(KAPPA), 2, 3), np.random.default_rng(0)
    for arm in experiment().arms:
        for first in (2, 0):
            factor = noise.uniform(0.9, 1.1, (2, 1, 1, 1))
            error = np.broadcast_to(KAPPA[None, :, None, None] ** 3, shape) * factor * largest
            error = np.where(np.arange(len(KAPPA))[None, :, None, None] == 3, 1e-15, error)
            terms = np.broadcast_to(KAPPA[None, :, None, None], shape)
            values = {"error": error, "terms": terms, "rounding": np.full(shape, 1e-15)}
            if arm == "erf":
                values["bound"] = 2 * terms
            arrays = {name: Array(part, ("member", "order", "time", "point")) for name, part in values.items()}
            arrays["members"] = Array(np.arange(first, first + 2), ("member",))
            arrays["orders"] = Array(np.array([2, 4, 8, 16]), ("order",))
            arrays["kappa"], arrays["times"] = Array(KAPPA, ("order",)), Array(np.array([1, 10]), ("time",))
            path = folder / f"{arm}_{first}.h5"
            storage.write(path, stage="train", attributes={}, arrays=arrays)
            paths.setdefault(arm, []).append(path)
    return paths


def quantities(tables: dict[str, pd.DataFrame]) -> pd.DataFrame:
    return tables["quantities"].set_index("name")


def test_slopes_leave_out_rounding_and_ratios_are_the_largest(tmp_path: Path) -> None:
    found = quantities(summarise_discretisation(settings(), blocks(tmp_path), {}))
    for time in (1, 10):
        for arm in ("erf", "relu"):
            assert found.at[f"error_slope/{arm}/{time}", "value"] == pytest.approx(3.0)
            assert found.at[f"terms_slope/{arm}/{time}", "value"] == pytest.approx(1.0)
        assert found.at[f"bound_slope/erf/{time}", "value"] == pytest.approx(1.0)
        assert found.at[f"terms_to_bound/erf/{time}", "value"] == pytest.approx(0.5)
        assert 0.9 * 0.3 * 1.4**2 / 2 < found.at[f"error_to_bound/erf/{time}", "value"] < 1.1 * 0.3 * 1.4**2 / 2
    # Networks that the lemma is not about have no bound.
    assert not [name for name in found.index if "bound" in name and "relu" in name]


def test_an_error_above_the_bound_is_seen(tmp_path: Path) -> None:
    found = quantities(summarise_discretisation(settings(), blocks(tmp_path, largest=2.0), {}))
    assert found.at["error_to_bound/erf/1", "value"] > 1


def test_slope_of_one_point_is_none() -> None:
    assert np.isnan(fitted_slope(np.array([1.0]), np.array([2.0])))


def test_figure_has_every_line_and_a_complete_caption(tmp_path: Path) -> None:
    tables = summarise_discretisation(settings(), blocks(tmp_path), {})
    entry = read_catalogue(CONFIG / "figures.yaml")["rotation_subgroups"]
    drawing = draw(entry, Inputs(tables, (facts_of(settings()),)), {})
    assert isinstance(drawing, Drawing)
    drawing.figure.draw_without_rendering()
    assert [panel.get_title() for panel in drawing.figure.axes] == ["erf", "ReLU (no bound)"]
    shown = drawing.data.groupby("arm")["what"].agg(set).to_dict()
    assert shown == {"erf": {"error", "terms", "bound"}, "relu": {"error", "terms"}}
    assert "{" not in fill_caption(entry, drawing.facts, "smoke", ())
    with pytest.raises(DataError, match="has no table 'errors'"):
        draw(entry, Inputs({}), {})


def test_the_stage_knows_no_number_of_members() -> None:
    stage = experiment().stage("train", "relu")
    assert isinstance(stage, DiscretisationStage) and not stage.network.smooth
    assert "members" not in canonical_json(stage)


@pytest.mark.parametrize(
    ("delta", "message"),
    [
        ({"orders": [4, 2]}, "orders: expected ascending"),
        ({"times": [1, 1]}, "times: expected ascending"),
        ({"orders": [1, 2]}, "orders.0"),
        ({"arms": {"erf": {"activation": "tanh"}}}, "arms.erf.activation"),
    ],
)
def test_bad_input(delta: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        experiment(**delta)


def test_missing_training_sets_are_named(tmp_path: Path) -> None:
    paths = {arm: files[:1] for arm, files in blocks(tmp_path).items()}
    with pytest.raises(DataError, match="expected training sets 0 to 3 once each"):
        summarise_discretisation(settings(), paths, {})

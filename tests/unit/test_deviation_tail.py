"""Tail of the distance of finite ensembles from the infinite one: bound, normal members, figure, bad input."""

import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from summary_cases import settings_of, summarise, write_blocks

from emergent import storage
from emergent.config.deviation import TailSummary
from emergent.config.figures import read_catalogue
from emergent.errors import ConfigError, DataError
from emergent.figures.drawing import Drawing
from emergent.figures.facts import Inputs, facts_of
from emergent.figures.plots import draw
from emergent.figures.save import fill_caption
from emergent.kinds import load_experiment
from emergent.storage import Array
from emergent.summaries.deviation_tail import gaussian_tail, tail_bound

CONFIG = Path(__file__).parents[2] / "config"
NUM, SAMPLES, ELEMENTS, OUTPUTS = 64, 20, 2, 3


def test_the_bound_is_above_the_normal_tail_and_meets_it_far_out() -> None:
    """The difference is the next term of the expansion of the tail: a relative 1 / z^2, and no more."""
    for deviation in (0.1, 0.5, 1.0, 2.0, 4.0, 8.0):
        ratio = gaussian_tail(deviation) / tail_bound(deviation)
        assert 1 - 1 / deviation**2 < ratio < 1
    sigma, delta = 0.3, 0.5
    expected = math.sqrt(2 / math.pi) * sigma / delta * math.exp(-(delta**2) / (2 * sigma**2))
    assert tail_bound(delta / sigma) == pytest.approx(expected, rel=1e-14)
    assert gaussian_tail(1.0) == pytest.approx(0.3173105, abs=1e-7)


def settings() -> TailSummary:
    return settings_of(
        "deviation_tail", {"mlp": {"group": "SO3", "order": ELEMENTS, "width": 512}}, NUM,
        {"test": ("in", "cross_product")}, ensemble_sizes=(1, 4), deviations=(0.5, 1.0, 2.0),
    )  # fmt: skip


def tables_of(folder: Path, spread: float = 1.0, offset: float = 0.0) -> dict[str, pd.DataFrame]:
    """Independent normal members; ``spread`` times as wide as predicted, and off by ``offset`` of that width."""
    generator = np.random.default_rng(1)
    mean = generator.normal(size=(SAMPLES, ELEMENTS, OUTPUTS))
    deviations = generator.uniform(0.2, 2.0, (SAMPLES, ELEMENTS))
    covariance = np.einsum("ng,gh->ngh", deviations**2, np.eye(ELEMENTS))
    kernel = folder / "predictions.h5"
    arrays = {
        "test/mean": Array(mean, ("sample", "element", "output")),
        "test/covariance": Array(covariance, ("sample", "element", "element2")),
    }
    storage.write(kernel, stage="predict", attributes={}, arrays=arrays)
    noise = offset + spread * generator.normal(size=(3, NUM, SAMPLES, ELEMENTS, OUTPUTS))
    blocks = {"mlp": write_blocks(folder, "mlp", {"test": mean + deviations[..., None] * noise}, {}, settings())}
    return summarise(settings(), blocks, {"mlp": kernel})


def test_normal_members_have_the_normal_tail_at_every_size(tmp_path: Path) -> None:
    found = tables_of(tmp_path)["quantities"].set_index("name")
    for size in (1, 4):
        for name in (
            f"scaled_variance/mlp/test/{size}",
            *(f"tail_to_normal/mlp/test/{size}/{z}" for z in ("0_5", "1", "2")),
        ):
            value, error = found.at[name, "value"], found.at[name, "stderr"]
            assert abs(value - 1) < 4 * error and error < 0.2, name
        assert found.at[f"tail_to_bound/mlp/test/{size}/1", "value"] < 0.8


@pytest.mark.parametrize(("change", "sizes"), [({"spread": 1.5}, (1, 4)), ({"offset": 1.0}, (4,))])
def test_wider_or_displaced_members_exceed_the_bound(
    tmp_path: Path, change: dict[str, float], sizes: tuple[int, ...]
) -> None:
    found = tables_of(tmp_path, **change)["quantities"].set_index("name")
    for size in sizes:
        name = f"tail_to_bound/mlp/test/{size}/2"
        assert found.at[name, "value"] > 1 + 4 * found.at[name, "stderr"]


def test_figure_has_a_panel_per_arm_and_a_complete_caption(tmp_path: Path) -> None:
    entry = read_catalogue(CONFIG / "figures.yaml")["wide_ensembles"]
    drawing = draw(entry, Inputs(tables_of(tmp_path), (facts_of(settings()),)), {})
    assert isinstance(drawing, Drawing)
    drawing.figure.draw_without_rendering()
    assert len(drawing.figure.axes) == 1
    assert set(drawing.data["ensemble_size"]) == {1, 4} and (drawing.data["gaussian"] < drawing.data["bound"]).all()
    assert "{" not in fill_caption(entry, drawing.facts, "smoke", ())
    with pytest.raises(DataError, match="has no table 'tail'"):
        draw(entry, Inputs({}), {})


def test_predictions_of_every_arm_are_asked_for(tmp_path: Path) -> None:
    outputs = {"test": np.zeros((3, NUM, SAMPLES, ELEMENTS, OUTPUTS))}
    blocks = {"mlp": write_blocks(tmp_path, "mlp", outputs, {}, settings())}
    with pytest.raises(DataError, match="no predictions of arm mlp; add --prediction mlp=PATH"):
        summarise(settings(), blocks, {})
    text = (CONFIG / "experiments/wide_ensembles.yaml").read_text()
    (tmp_path / "wide_ensembles.yaml").write_text(text.replace("    infinite_width: {}\n", "", 1))
    with pytest.raises(ConfigError, match=r"arms\.mlp_64\.infinite_width: kind 'deviation_tail'"):
        load_experiment(tmp_path, "wide_ensembles", "laptop")

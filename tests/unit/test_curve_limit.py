"""Networks on a line beside their limit: its variance is taken off, biases are found, impossible arms refused."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from summary_cases import settings_of, values_of, write_blocks

from emergent import storage
from emergent.config.base import merge, read_yaml, validate
from emergent.config.curve_limit import CurveLimit
from emergent.errors import ConfigError
from emergent.kinds import KINDS
from emergent.storage import Array

ROOT = Path(__file__).parents[2]
BIAS, EXTRA, SIGMA, NUM, NUM_POINTS = 4.0, 3.0, 0.3, 80, 30
WIDTHS = (8, 32, 128)
DATA = {"curve": ("in", "sine")}


def test_what_networks_keep_of_their_distance_by_width(tmp_path: Path) -> None:
    """Members are normal about mean + BIAS / width, with the variance SIGMA^2 + EXTRA / width."""
    generator = np.random.default_rng(0)
    arms = {f"mlp_{width}": {"width": width} for width in WIDTHS}
    limits = dict.fromkeys(arms, "mlp_8")
    settings = settings_of("curve_limit", arms, NUM, DATA, ensemble_sizes=(1,), limits=limits)
    settings = settings.model_copy(update={"max_ensembles": NUM})
    x = np.linspace(-1, 1, NUM_POINTS)
    limit, blocks = np.sin(x)[:, None, None], {}
    places = {"curve/points": Array(x[:, None, None], ("sample", "vector", "coordinate")),
              "curve/targets": Array(np.sin(x)[:, None], ("sample", "output"))}  # fmt: skip
    for width in WIDTHS:
        noise = np.sqrt(SIGMA**2 + EXTRA / width) * generator.normal(size=(3, NUM, NUM_POINTS, 1, 1))
        outputs = {"curve": limit + BIAS / width + noise}
        blocks[f"mlp_{width}"] = write_blocks(tmp_path, f"mlp_{width}", outputs, {}, settings, others=places)
    prediction = tmp_path / "predictions.h5"
    arrays = {"curve/mean": Array(limit, ("sample", "element", "output")),
              "curve/covariance": Array(np.full((NUM_POINTS, 1, 1), SIGMA**2), ("sample", "a", "b"))}  # fmt: skip
    storage.write(prediction, stage="predict", attributes={}, arrays=arrays)
    tables = KINDS["curve_limit"].summary()(settings, blocks, {"mlp_8": prediction})
    found = values_of(tables)
    for width in WIDTHS:
        bias, excess = (found.loc[f"{what}_squared/mlp_{width}"] for what in ("bias", "excess"))
        assert abs(bias["value"] - (BIAS / width) ** 2) < 4 * bias["stderr"]
        assert abs(excess["value"] - EXTRA / width - (BIAS / width) ** 2) < 4 * excess["stderr"]
        members = found.value[f"members_squared/mlp_{width}"]
        assert members == pytest.approx(excess["value"] + SIGMA**2)
    assert abs(found.value["exponent/bias"] - 1) < 4 * found.stderr["exponent/bias"] < 0.4
    np.testing.assert_allclose(tables["limit"]["std"], SIGMA)
    curves = tables["curves"].query("arm == 'mlp_8'").pivot(index="x", columns="member", values="value")
    np.testing.assert_allclose(curves[-1], curves.drop(columns=-1).mean(axis=1), rtol=1e-6)


@pytest.mark.parametrize(
    ("delta", "message"),
    [
        ({"arms": {"mlp_64": {"learning_rate": 0.05}}}, "compares every arm with its limit"),
        ({"arms": {"mlp_64": {"model": {"num_outputs": 2}}}}, "expected 1, found 2"),
        ({"evaluate": {"max_ensembles": 3}}, "every network is drawn by itself"),
        ({"data": {"evaluate": {"curve": {"role": "ood"}}}}, "primary set of role 'in'"),
    ],
)
def test_impossible_curves_are_refused(delta: dict[str, Any], message: str) -> None:
    content = read_yaml(ROOT / "config/experiments/toy_sine.yaml")
    del content["scales"]
    with pytest.raises(ConfigError, match=message):
        validate(CurveLimit, merge(content, delta), "toy_sine.yaml")

"""Bad supports, bootstraps and checkpoints are refused where they are written, with what to do."""

from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import pytest

from emergent.config.base import read_yaml, validate
from emergent.config.models import SupportCnnModel
from emergent.config.questions import OrbitDivergence
from emergent.config.supports import support_mask
from emergent.errors import ConfigError
from emergent.kinds import load_experiment
from emergent.models.size import network_size

EXPERIMENTS = Path(__file__).parents[2] / "config" / "experiments"
CROSS = ["010", "111", "010"]


def model(**changes: Any) -> SupportCnnModel:
    """The published network with changes."""
    fields = {"family": "support_cnn", "channels": [16, 16, 16], "support": CROSS, "num_outputs": 10}
    return validate(SupportCnnModel, fields | changes, "model")


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([], "must be a square"),
        (["010", "11", "010"], "must be a square: expected 3 rows of 3 digits"),
        (["01", "10"], "expected an odd side, found 2"),
        (["010", "1x1", "010"], "written with 0 and 1 only"),
        (["000", "000", "000"], "at least one 1"),
    ],
)
def test_bad_supports(rows: list[str], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        support_mask(rows)
    with pytest.raises(ConfigError, match=message):
        model(support=rows)


def test_initial_support_is_a_part_of_the_support() -> None:
    assert model(initial_support=["010", "101", "010"]).initial_support == ("010", "101", "010")
    with pytest.raises(ConfigError, match="expected a part of the support"):
        model(initial_support=["110", "101", "010"])
    with pytest.raises(ConfigError, match="num_pooled: 4 exceeds the 3 layers"):
        model(num_pooled=4)


@pytest.mark.parametrize(
    ("support", "parameters"),
    [
        (CROSS, 10_480),
        (["110", "101", "010"], 10_480),
        (["111", "111", "111"], 12_592),
        (["00100", "01110", "11111", "01110", "00100"], 14_704),
        (["11100", "11100", "11111", "00100", "00100"], 14_704),
    ],
)
def test_published_parameter_counts(support: list[str], parameters: int) -> None:
    assert (
        network_size(model(support=support), jax.ShapeDtypeStruct((1, 28, 28, 1), jnp.float32)).num_parameters
        == parameters
    )


def test_image_that_cannot_be_pooled() -> None:
    with pytest.raises(ValueError, match="divisible by 4, found 30"):
        network_size(model(), jax.ShapeDtypeStruct((1, 30, 30, 1), jnp.float32))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"sizes": [5, 2000]}, r"\[2000\] exceed the pool, members.num = 1000"),
        ({"num": 1}, "greater than or equal to 2"),
        ({"sizes": []}, "at least 1 item"),
        ({"epochs": [11]}, r"no checkpoint at \[11\]"),
        (None, r"evaluate\.bootstrap"),
    ],
)
def test_bad_bootstraps(change: dict[str, Any] | None, message: str) -> None:
    content = load_experiment(EXPERIMENTS, "nordenfors_c4", "paper").model_dump(mode="json")
    content["evaluate"]["bootstrap"] = change and content["evaluate"]["bootstrap"] | change
    with pytest.raises(ConfigError, match=message):
        validate(OrbitDivergence, content, "test")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"checkpoint_every": 1, "checkpoints": [0, 10]}, "exclude each other"),
        ({"checkpoint_every": None, "checkpoints": [0, 4]}, "end with num_epochs = 10"),
        ({"checkpoint_every": None, "checkpoints": [4, 0, 10]}, "ascending"),
        ({"checkpoint_every": 3}, "must divide num_epochs"),
    ],
)
def test_bad_checkpoints(change: dict[str, Any], message: str) -> None:
    content = load_experiment(EXPERIMENTS, "nordenfors_c4", "paper").model_dump(mode="json")
    content["train"] |= change
    with pytest.raises(ConfigError, match=message):
        validate(OrbitDivergence, content, "test")


def test_supports_of_the_experiments_are_the_published_ones() -> None:
    """Five taps at 3 x 3 and thirteen at 5 x 5; the invariant initial law leaves out what turns would move away."""
    for name, taps in (("nordenfors_c4", 5), ("nordenfors_c4_5x5", 13)):
        arms = read_yaml(EXPERIMENTS / f"{name}.yaml")["arms"]
        for arm in ("sym", "asym_invariant_init", "asym"):
            assert support_mask(arms[arm]["model"]["support"]).sum() == taps
        initial = support_mask(arms["asym_invariant_init"]["model"]["initial_support"])
        assert (initial == initial.T).all() and (initial == initial[::-1]).all()

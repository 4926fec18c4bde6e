"""docs/engine.md, run as it stands, and what it says."""

import re
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pytest

from emergent.errors import DataError

TEXT = (Path(__file__).parents[2] / "docs/engine.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def session() -> dict[str, Any]:
    values: dict[str, Any] = {}
    blocks = re.findall(r"^```python\n(.*?)^```$", TEXT, flags=re.MULTILINE | re.DOTALL)
    assert len(blocks) == 3
    with jax.enable_x64(False):
        for block in blocks:
            exec(compile(block, "docs/engine.md", "exec"), values)
    return values


def test_the_ensemble_is_more_invariant_than_its_members(session: dict[str, Any]) -> None:
    assert session["block"].losses.shape == (5, 20)
    assert np.all(session["block"].losses[-1] < session["block"].losses[0])
    assert session["ensemble"] > session["members"]


def test_members_do_not_depend_on_others(session: dict[str, Any]) -> None:
    few = session["train_ensemble"](session["network"], session["training"], session["data"], members=[7])
    for name, values in few.parameters.items():
        np.testing.assert_array_equal(values[:, 0], session["block"].parameters[name][:, 7])


def test_both_strategies_train_the_same_members(session: dict[str, Any]) -> None:
    arguments = (session["network"], session["training"], session["data"], [0, 3])
    together = session["train_ensemble"](*arguments, strategy="block")
    for name, values in together.parameters.items():
        np.testing.assert_allclose(values, session["block"].parameters[name][:, [0, 3]], atol=2e-4)


def test_the_kernel_does_not_see_turns(session: dict[str, Any]) -> None:
    with jax.enable_x64(True):
        unturned = session["gcnn"](session["some"], session["some"]).ntk
    np.testing.assert_allclose(session["invariant_ntk"], unturned, rtol=1e-12)
    assert np.abs(session["ntk"] - unturned).max() > 1e-3 * np.abs(unturned).max()


def test_a_divergent_member_is_named(session: dict[str, Any]) -> None:
    wild = session["training"].model_copy(update={"learning_rate": 1e30, "optimiser": "sgd"})
    with pytest.raises(
        DataError, match=r"member 4 of network: the training loss is .* Lower the learning rate \(1e\+30\)"
    ):
        session["train_ensemble"](session["network"], wild, session["data"], members=[4])

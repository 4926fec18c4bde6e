"""Kernels of random networks beside their limit: what is stored, what an error of a mean is, what is refused."""

import copy
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pytest

from emergent import storage
from emergent.config.base import validate
from emergent.config.kernel_convergence import KernelConvergenceExperiment
from emergent.config.stages import ArmFacts, SummaryStage
from emergent.errors import ConfigError
from emergent.prediction.kernel_convergence import convergence_arrays
from emergent.storage import Array
from emergent.summaries.kernel_convergence import relative_errors, summarise_kernel_convergence

CONTENT: dict[str, Any] = {
    "experiment": "tiny",
    "kind": "kernel_convergence",
    "paper": "misof",
    "title": "Tiny",
    "seed": 5,
    "arms": {
        "relu": {
            "model": {
                "family": "gcnn",
                "group": "C4",
                "layers": [{"channels": 1}, {"channels": 1}],
                "readout": "mean",
                "num_outputs": 3,
                "parametrisation": "ntk",
            }
        }
    },
    "images": {"num": 2, "shape": [4, 4, 1]},
    "widths": [2, 16],
    "members": {"num": 60, "block": 30},
}


@pytest.fixture(autouse=True)
def float64():
    with jax.enable_x64(True):
        yield


def test_mean_kernels_of_a_block_approach_the_limit():
    """Within four standard errors of 60 networks at width 16, for both kernels and all pairs of images."""
    stage = validate(KernelConvergenceExperiment, CONTENT, "tiny.yaml").stage("train", "relu")
    advanced: list[int] = []
    arrays = convergence_arrays(stage, range(60), advanced.append)
    assert len(advanced) == 120
    for kernel in ("nngp", "ntk"):
        found, limit = arrays[kernel].values[:, 1], arrays[f"infinite_{kernel}"].values
        assert found.shape == (60, 2, 2) and limit.shape == (2, 2)
        errors = found.std(0, ddof=1) / np.sqrt(60)
        assert (np.abs(found.mean(0) - limit) < 4 * errors).all()
        assert (errors < 0.2 * limit).all()
    # A member is the same network in every block.
    alone = convergence_arrays(stage, [7], advanced.append)
    np.testing.assert_array_equal(alone["ntk"].values[0], arrays["ntk"].values[7])


def test_error_of_an_exact_mean_is_its_noise():
    generator = np.random.default_rng(0)
    found = [relative_errors(0.5 * generator.normal(size=(100, 4))) for _ in range(200)]
    values = np.array([error.value for error, _, _ in found])
    noise = np.sqrt(2 / np.pi) * 0.05
    assert abs(values.mean() / noise - 1) < 0.06
    assert abs(np.mean([own for _, own, _ in found]) / noise - 1) < 0.02
    # The signed deviation is 0, with intervals that hold it as often as they say.
    inside = [abs(deviation.value) < 2 * deviation.stderr for _, _, deviation in found]
    assert 0.9 < np.mean(inside) < 0.99


def test_error_of_a_mean_that_is_off_is_seen():
    generator = np.random.default_rng(1)
    found = [relative_errors(0.2 + 0.5 * generator.normal(size=(400, 4))) for _ in range(200)]
    values, errors = (np.array([getattr(error, name) for error, _, _ in found]) for name in ("value", "stderr"))
    assert abs(values.mean() - 0.2) < 0.005
    assert abs(errors.mean() / values.std(ddof=1) - 1) < 0.2


@pytest.mark.parametrize(
    ("path", "value", "words"),
    [
        ("widths", [16, 2], r"widths: expected ascending numbers, found \[16, 2\]"),
        ("members", {"num": 1, "block": 1}, "members.num: a mean with an error needs at least two networks, found 1"),
        ("arms.relu.model.parametrisation", "pytorch", "arms.relu.model: no infinite-width kernel"),
        ("arms.relu.model.family", "mlp", "family"),
    ],
)
def test_mistakes_are_refused(path: str, value: Any, words: str):
    content = copy.deepcopy(CONTENT)
    *parents, last = path.split(".")
    target = content
    for parent in parents:
        target = target[parent]
    target[last] = value
    with pytest.raises(ConfigError, match=words):
        validate(KernelConvergenceExperiment, content, "tiny.yaml")


def test_summary_of_known_kernels(tmp_path: Path):
    """NTKs a fifth too large, NNGPs right: seen in the signed deviation."""
    generator = np.random.default_rng(0)
    limit = np.array([[2.0, 1.0], [1.0, 3.0]])
    noise = 1 + 0.1 * generator.normal(size=(2, 50, 1, 2, 2))
    arrays = {
        "members": Array(np.arange(50), ("member",)),
        "widths": Array(np.array([4]), ("width",)),
        "nngp": Array(limit * noise[0], ("member", "width", "image", "image2")),
        "ntk": Array(1.2 * limit * noise[1], ("member", "width", "image", "image2")),
        "infinite_nngp": Array(limit, ("image", "image2")),
        "infinite_ntk": Array(limit, ("image", "image2")),
    }
    path = tmp_path / "relu.h5"
    storage.write(path, stage="train", attributes={}, arrays=arrays, tables={})
    settings = SummaryStage(
        experiment="tiny", seed=0, kind="kernel_convergence", title="t", label="l", num_members=50,
        arms=(ArmFacts(name="relu", label="ReLU"),),
    )  # fmt: skip
    tables = summarise_kernel_convergence(settings, {"relu": [path]}, {})
    values = tables["quantities"].set_index("name")["value"]
    assert values["error/relu/ntk/4"] == pytest.approx(0.2, abs=0.02)
    assert values["deviation/relu/ntk/4"] == pytest.approx(0.2, abs=0.02)
    assert abs(values["deviation/relu/nngp/4"]) < 0.03
    assert set(tables["convergence"]["kernel"]) == {"nngp", "ntk"}

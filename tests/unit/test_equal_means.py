"""Infinite ensembles of augmented and of equivariant networks: the same means, other variances; what is refused."""

import copy
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pytest

from emergent import storage
from emergent.config.base import validate
from emergent.config.equal_means import EqualMeansExperiment, equivariant
from emergent.config.stages import ArmFacts, SummaryStage
from emergent.domains.samples import Samples
from emergent.errors import ConfigError, DataError, ResourceError
from emergent.groups.irreps import irreps
from emergent.point_groups import group_from_name, irrep_names
from emergent.prediction.equal_means import CURVES, draw_images, equal_means_arrays
from emergent.summaries.equal_means import CURVES as SUMMARY_CURVES
from emergent.summaries.equal_means import summarise_equal_means

CONTENT: dict[str, Any] = {
    "experiment": "tiny",
    "kind": "equal_means",
    "paper": "misof",
    "title": "Tiny",
    "seed": 5,
    "data": {
        "domain": "images",
        "shape": [4, 4, 1],
        "scaling": "standardise",
        "train": {"dataset": "digits", "split": "train", "num": 30},
    },
    "model": {
        "family": "cnn", "layers": [{"channels": 4}, {"channels": 4}], "readout": "mean", "num_outputs": 2,
        "parametrisation": "ntk", "bias_std": 0.2,
    },
    "arms": {"c4": {"group": "C4"}, "d4": {"group": "D4"}},
    "sampling": {"train": 8, "test": 5},
    "times": [0.1, 10, 1000],
    "members": {"num": 2, "block": 2},
}  # fmt: skip


@pytest.fixture(autouse=True)
def float64():
    with jax.enable_x64(True):
        yield


def samples(num: int = 20) -> Samples:
    generator = np.random.default_rng(0)
    labels = np.arange(num, dtype=np.int32) % 2
    images = generator.normal(size=(num, 4, 4, 1)).astype(np.float32)
    images[labels == 1, 0] += 2
    return Samples(images, labels, None)


def stage_of(arm: str) -> Any:
    return validate(EqualMeansExperiment, CONTENT, "tiny.yaml").stage("train", arm)


@pytest.mark.parametrize("arm", ["c4", "d4"])
def test_means_are_equal_at_all_times_and_variances_are_not(arm):
    arrays = {name: array.values for name, array in equal_means_arrays(stage_of(arm), (0, 1), samples(), print).items()}
    augmented, own, plain = (CURVES.index(name) for name in ("augmented", "equivariant", "plain"))
    distance = arrays["distance"]
    assert distance.shape == (2, 3, 4) and not distance[:, own].any()
    assert distance[:, augmented].max() < 1e-10 < 1e-3 < distance[:, plain].max()
    assert arrays["asymmetry"][:, [augmented, own]].max() < 1e-10 < 1e-3 < arrays["asymmetry"][:, plain].max()
    assert np.abs(arrays["variance"][:, augmented] - arrays["variance"][:, own]).max() > 1e-4
    np.testing.assert_allclose(arrays["example"][:, augmented], arrays["example"][:, own], atol=1e-10)
    spectrum = arrays["spectrum"]
    assert spectrum.shape == (2, len(irrep_names(group_from_name(arm.upper()))), 8)
    assert (np.diff(spectrum) <= 0).all() and (spectrum > -1e-12).all()
    assert (spectrum[:, :1, 0] > spectrum[:, 1:, 0]).all(), "the kernel is positive: the trivial representation leads"


def test_members_are_draws_of_their_own():
    stage, advanced = stage_of("c4"), []
    both = equal_means_arrays(stage, (0, 1), samples(), advanced.append)
    alone = equal_means_arrays(stage, (1,), samples(), advanced.append)
    assert advanced == [1, 1, 1]
    np.testing.assert_allclose(both["distance"].values[1, 2], alone["distance"].values[0, 2], rtol=1e-12)
    train, test = draw_images(20, stage, 0)
    assert len(np.unique(np.concatenate([train, test]))) == 13
    with pytest.raises(DataError, match="a member needs 13 images, but the data set has 12"):
        draw_images(12, stage, 0)
    with pytest.raises(DataError, match="networks learn classes here"):
        equal_means_arrays(stage, (0,), Samples(samples().inputs, None, None), advanced.append)
    with pytest.raises(ResourceError, match="may be used"):
        equal_means_arrays(stage, (0,), samples(), advanced.append, memory_bytes=10_000)


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        ("times", [10, 1], "times"),
        ("sampling__average_pool", 3, "expected square images and a divisor of their side, found 4 x 4 and 3"),
        ("sampling__train", 40, "a member needs 45 images, found 30"),
        ("model__dense", [8], "no equivariant counterpart with a kernel: dense"),
        ("model__readout", "flatten", "pools over group and positions"),
        ("arms__c4__group", "C8", "Input should be 'C2', 'C4' or 'D4'"),
    ],
)
def test_impossible_experiments_are_refused(path, value, message):
    content = copy.deepcopy(CONTENT)
    *parents, last = path.split("__")
    target = content
    for parent in parents:
        target = target[parent]
    target[last] = value
    with pytest.raises(ConfigError, match=message):
        validate(EqualMeansExperiment, content, "tiny.yaml")


def test_summary(tmp_path: Path):
    assert CURVES == SUMMARY_CURVES
    stage, blocks = stage_of("c4"), [tmp_path / "a.h5", tmp_path / "b.h5"]
    for member, path in enumerate(blocks):
        arrays = equal_means_arrays(stage, (member,), samples(), lambda num: None)
        storage.write(path, stage="train", attributes={}, arrays=arrays, tables={})
    settings = SummaryStage(
        experiment="tiny", seed=0, kind="equal_means", title="t", label="l", num_members=2,
        arms=(ArmFacts(name="c4", label="C4", group="C4"),),
    )  # fmt: skip
    tables = summarise_equal_means(settings, {"c4": blocks}, {})
    quantities = tables["quantities"].set_index("name")["value"]
    assert quantities["relative_distance/c4"] < 1e-9
    assert quantities["distance/c4/plain"] > 1e-3
    assert quantities["asymmetry/c4/plain"] > 1e3 * quantities["asymmetry/c4/augmented"]
    means = tables["means"]
    assert set(means["what"]) == {"distance", "asymmetry", "accuracy", "example", "variance"}
    assert np.isinf(means["time"]).sum() == 15 and set(tables["spectrum"]["irrep"]) == {"0", "1", "2"}


def test_representations_have_names():
    for name, expected in (("C4", "0 1 2"), ("C3", "0 1"), ("D4", "A1 A2 B1 B2 E1"), ("D3", "A1 A2 E1"), ("C1", "0")):
        assert irrep_names(group_from_name(name)) == expected.split()
    group = group_from_name("D4")
    signs = np.real(irreps(group)[irrep_names(group).index("A2")][:, 0, 0])
    np.testing.assert_array_equal(signs, np.where(group.reflections, -1, 1))
    with pytest.raises(ValueError, match="of the plane only"):
        irrep_names(group_from_name("octahedral"))


def test_counterpart_has_the_same_filters():
    model = validate(EqualMeansExperiment, CONTENT, "tiny.yaml").model
    found = equivariant(model, "D4")
    assert (found.group, found.layers, found.bias_std) == ("D4", model.layers, 0.2)

"""The registry of data sets: the real file loads, and each mistake gets a message that says what to do."""

import copy
import json
import re
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest
import yaml

from emergent.cli import prepare as prepare_cli
from emergent.config.base import canonical_json
from emergent.config.datasets import MODULES, OPTIONS, load_registry, parse_entry
from emergent.datasets.prepared import load_split, write_prepared
from emergent.datasets.registry import PREPARE, prepare
from emergent.errors import ConfigError, DataError

REGISTRY = Path(__file__).parents[2] / "config" / "datasets.yaml"
CONTENT = yaml.safe_load(REGISTRY.read_text())
EMBEDDED = sorted(
    name for name, entry in CONTENT["datasets"].items() if not entry.get("files") and not entry.get("raw")
)


@pytest.fixture(scope="module")
def registry():
    return load_registry(REGISTRY)


def _load(tmp_path, change):
    content = copy.deepcopy(CONTENT)
    change(content["datasets"])
    path = tmp_path / "datasets.yaml"
    path.write_text(yaml.safe_dump(content))
    return load_registry(path)


def test_every_module_has_a_prepare_function():
    assert set(OPTIONS) <= set(PREPARE)
    assert {entry["module"] for entry in CONTENT["datasets"].values()} <= set(PREPARE)
    assert all((MODULES / f"{module}.py").is_file() for module in PREPARE)


def test_unknown_data_set_suggests_a_name(registry):
    with pytest.raises(ConfigError, match="did you mean 'fashion_mnist'"):
        registry.entry("fashon_mnist")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda d: d["digits"]["options"].update(sed=1),
            r"datasets\.digits.*options\.sed: unknown key; did you mean 'seed'",
        ),
        (lambda d: d["digits"].update(module="digit"), "no module 'digit'; did you mean 'digits'"),
        (lambda d: d["digits"].pop("licence"), r"licence: Field required"),
        (lambda d: d["mnist"]["files"][0].update(sha256=None), "needs sha256 or md5"),
        (lambda d: d["mnist"]["files"][0].update(sha256="ABC"), r"files\.0\.sha256"),
        (lambda d: d["mnist"]["files"][0].update(mirror="../up"), "relative path below the mirror"),
        (lambda d: d["mnist"]["files"][0].update(name="a/b"), r"files\.0\.name"),
        (lambda d: d["mnist"]["files"][0].update(urls=["ftp://a/b"]), r"files\.0\.urls\.0"),
        (lambda d: d["mnist"]["files"][0].update(bytes="12"), r"files\.0\.bytes"),
        (lambda d: d["mnist"]["files"].append(d["mnist"]["files"][0]), "two files have the same name"),
        (lambda d: d["cifar10_grey28"].update(raw="cifar11"), r"no entry 'cifar11'; did you mean 'cifar10'"),
        (lambda d: d["cifar10_grey28"].update(raw="digits"), "has no files of its own"),
        (lambda d: d["mnist"].update(raw="cifar10"), "'files' must be absent"),
        (lambda d: d["ising_l4_iid"]["options"].update(beta=[1.0, 0.5]), "low <= high"),
        (lambda d: d["ising_l4_iid"]["options"].update(boundary="torus"), "'periodic' or 'open'"),
        (lambda d: d["gaussian_fields_8"]["options"].update(block=6), "does not fit the half spectrum"),
        (lambda d: d["gaussian_fields_8"]["options"].update(scale=[0.0, 0.0]), "must be positive"),
        (lambda d: d["gaussian_fields_8"]["options"].update(block=1), "makes constant fields"),
        (lambda d: d.update(mnist="here"), "expected a mapping"),
        (lambda d: d.update({"Mnist": d["mnist"]}), "Mnist"),
    ],
)
def test_mistakes_are_named(tmp_path, change, message):
    with pytest.raises(ConfigError) as caught:
        _load(tmp_path, change)
    assert re.search(message, str(caught.value), re.DOTALL), str(caught.value)


def test_shared_raw_files(registry):
    assert registry.raw_owner("cifar10_grey28") == "cifar10"
    assert registry.raw_files("cifar10_grey28") == ["cifar-10-python.tar.gz"]
    assert registry.raw_files("digits") == []


def test_stage_configs_do_not_see_each_other(tmp_path, registry):
    def change(datasets):
        datasets["mnist"]["files"][0]["urls"] = ["https://elsewhere.example/file"]
        datasets["qm9"]["files"][0]["bytes"] += 1
        for name in ("title", "licence", "citation", "stand_in_for", "notes"):
            datasets["fashion_mnist"][name] = "corrected"

    changed = _load(tmp_path, change)
    assert canonical_json(changed.prepare_config("mnist")) == canonical_json(registry.prepare_config("mnist"))
    assert canonical_json(changed.download_config("mnist")) == canonical_json(registry.download_config("mnist"))
    assert canonical_json(changed.download_config("qm9")) != canonical_json(registry.download_config("qm9"))
    assert canonical_json(changed.prepare_config("qm9")) == canonical_json(registry.prepare_config("qm9"))
    assert changed.entry("fashion_mnist").citation == "corrected"
    assert canonical_json(changed.prepare_config("fashion_mnist")) == canonical_json(
        registry.prepare_config("fashion_mnist")
    )
    assert canonical_json(changed.download_config("fashion_mnist")) == canonical_json(
        registry.download_config("fashion_mnist")
    )


@pytest.mark.parametrize("dataset", sorted(CONTENT["datasets"]))
def test_stage_config_survives_json(registry, dataset):
    config = registry.prepare_config(dataset)
    assert parse_entry(json.loads(canonical_json(config)), "json") == config


@pytest.mark.parametrize("dataset", sorted(set(CONTENT["datasets"]) - set(EMBEDDED)))
def test_missing_raw_file_is_named(registry, tmp_path, dataset):
    with pytest.raises(DataError, match="no such raw file") as caught:
        prepare(dataset, registry.entry(dataset), tmp_path)
    assert any(name in str(caught.value) for name in registry.raw_files(dataset))


@pytest.mark.parametrize("dataset", ["digits", "gaussian_fields_8", "ising_l4_iid", "photo_patches"])
def test_cli_prepares_embedded_sets_reproducibly(monkeypatch, tmp_path, registry, dataset):
    config = tmp_path / "prepare.json"
    config.write_text(canonical_json(registry.prepare_config(dataset)))
    outputs = [tmp_path / "a.h5", tmp_path / "b.h5"]
    for output in outputs:
        flags = ["--config", config, "--dataset", dataset, "--raw", tmp_path / "none", "--output", output]
        monkeypatch.setattr(sys, "argv", ["prepare", *map(str, flags)])
        prepare_cli.main()
    assert outputs[0].read_bytes() == outputs[1].read_bytes()
    with h5py.File(outputs[0]) as file:
        assert file.attrs["stage"] == "prepare"
        assert file.attrs["dataset"] == dataset
        assert json.loads(file.attrs["config_json"])["module"] == registry.entry(dataset).module
        assert json.loads(file.attrs["classes_json"]) == list(registry.entry(dataset).classes)


def test_wrong_split_size_is_refused(registry, tmp_path):
    entry = registry.entry("digits").model_copy(update={"splits": {"train": 1437, "test": 361}})
    with pytest.raises(DataError, match=r"registry says splits .*361.* prepared were .*360"):
        prepare("digits", entry, tmp_path)


def test_load_split(registry, tmp_path):
    path = tmp_path / "prepared.h5"
    for dataset, split, labelled in (("digits", "train", True), ("gaussian_fields_8", "test", False)):
        entry = registry.entry(dataset)
        arrays = prepare(dataset, entry, tmp_path)
        write_prepared(path, dataset, entry, arrays)
        inputs, labels = load_split(path, split)
        np.testing.assert_array_equal(inputs, arrays[f"{split}/inputs"].values)
        assert (labels is not None) == labelled
    with pytest.raises(DataError, match=r"no split 'train'\. It has: test"):
        load_split(path, "train")

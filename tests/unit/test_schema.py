"""The schema for editors: in step with the models, fits every YAML file, and refuses what the models refuse."""

import copy
import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from emergent.schema import schemas

CONFIG = Path(__file__).parents[2] / "config"
FILES = sorted([*CONFIG.glob("*.yaml"), *(CONFIG / "experiments").glob("*.yaml")])
SCHEMA = json.loads((CONFIG / "schema.json").read_text(encoding="utf-8"))


def content(path: Path) -> Any:
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def is_valid(document: Any) -> bool:
    return jsonschema.Draft202012Validator(SCHEMA).is_valid(document)


def test_committed_schema_is_in_step_with_the_models() -> None:
    assert schemas() == SCHEMA, "run python -m emergent.cli.schema"


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_every_file_fits_and_names_the_schema(path: Path) -> None:
    assert is_valid(content(path))
    depth = len(path.relative_to(CONFIG).parts) - 1
    first = path.read_text(encoding="utf-8").splitlines()[0]
    assert first == f"# yaml-language-server: $schema={'../' * depth}schema.json"


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_an_unknown_key_does_not_fit(path: Path) -> None:
    assert not is_valid(content(path) | {"no_such_key": 1})


@pytest.mark.parametrize(
    ("keys", "value"),
    [
        (("train", "learnig_rate"), 0.1),
        (("train", "learning_rate"), "fast"),
        (("train", "optimiser"), "no such optimiser"),
        (("arms", "cnn_c4", "model", "no_such_key"), 1),
        (("scales", "laptop", "train", "no_such_key"), 1),
        (("scales", "huge"), {}),
    ],
)
def test_a_mistake_in_an_experiment_does_not_fit(keys: tuple[str, ...], value: Any) -> None:
    document = copy.deepcopy(content(CONFIG / "experiments/fashion_mnist.yaml"))
    part = document
    for key in keys[:-1]:
        part = part.setdefault(key, {})
    part[keys[-1]] = value
    assert not is_valid(document)

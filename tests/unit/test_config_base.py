"""YAML reading, readable validation errors, layering of scales and canonical JSON."""

import json
import re
from pathlib import Path
from typing import Annotated, Literal

import pytest
from pydantic import Field, PositiveInt, ValidationError

from emergent.config.base import Many, Name, StrictModel, canonical_json, digest, hint, merge, read_yaml, validate
from emergent.errors import ConfigError


class Layer(StrictModel):
    channels: PositiveInt
    stride: PositiveInt = 1


class Dense(StrictModel):
    family: Literal["dense"]
    width: PositiveInt


class Conv(StrictModel):
    family: Literal["conv"]
    layers: Many[Layer]


class Root(StrictModel):
    name: Name = "root"
    learning_rate: Annotated[float, Field(gt=0)] = 1.0
    layers: Many[Layer] = ()
    layer_of: dict[Name, Layer] = Field(default_factory=dict)
    model: Annotated[Dense | Conv, Field(discriminator="family")] = Dense(family="dense", width=1)


def message(content: dict) -> str:
    with pytest.raises(ConfigError) as caught:
        validate(Root, content, "somewhere.yaml (scale smoke)")
    return str(caught.value)


def test_valid_content_becomes_an_immutable_model() -> None:
    model = validate(Root, {"learning_rate": 2, "layers": [{"channels": 3}]}, "x.yaml")
    assert model.layers == (Layer(channels=3),)
    assert model.learning_rate == 2.0 and isinstance(model.learning_rate, float)
    with pytest.raises(ValidationError, match="frozen"):
        model.learning_rate = 3.0


@pytest.mark.parametrize(
    ("content", "parts"),
    [
        ({"lerning_rate": 0.1}, ["lerning_rate: unknown key", "did you mean 'learning_rate'?", "(found 0.1)"]),
        ({"zzz": {}}, ["zzz: unknown key", "Allowed here: layer_of, layers, learning_rate, model, name", "found {}"]),
        (
            {"layers": [{"channels": 2}, {"channels": 2, "strid": 5}]},
            ["layers.1.strid", "did you mean 'stride'?", "Allowed here: channels, stride", "(found 5)"],
        ),
        ({"layer_of": {"first": {"chanels": 7, "channels": 1}}}, ["layer_of.first.chanels", "'channels'", "found 7"]),
        ({"layers": [{"channels": 0}]}, ["layers.0.channels", "greater than 0", "(found 0)"]),
        ({"layers": [{"channels": 2.5}]}, ["layers.0.channels", "integer", "(found 2.5)"]),
        ({"layers": [{"channels": True}]}, ["layers.0.channels", "integer", "(found True)"]),
        ({"layers": [{"channels": "3"}]}, ["layers.0.channels", "integer", "(found '3')"]),
        # YAML 1.1 reads 1e-3, without a dot, as text.
        ({"learning_rate": "1e-3"}, ["learning_rate", "valid number", "(found '1e-3')"]),
        ({"learning_rate": float("nan")}, ["learning_rate", "(found nan)"]),
        ({"name": "Upper"}, ["name", "(found 'Upper')"]),
        ({"layer_of": {"bad-name": {"channels": 1}}}, ["layer_of.bad-name", "'bad-name'"]),
        ({"model": {"family": "convv"}}, ["model", "'dense', 'conv'", "convv"]),
        ({"layers": [{}]}, ["layers.0.channels", "required"]),
    ],
)
def test_error_names_file_key_path_value_and_remedy(content: dict, parts: list[str]) -> None:
    text = message(content)
    assert text.startswith("somewhere.yaml (scale smoke): 1 problem(s)")
    for part in parts:
        assert part in text, text


def test_all_problems_are_listed_at_once_and_long_values_shortened() -> None:
    text = message({"lerning_rate": 1, "layers": [{"channels": -1}], "name": "X" * 500})
    assert "3 problem(s)" in text
    assert len(text.splitlines()) == 4
    assert max(len(line) for line in text.splitlines()) < 260


@pytest.mark.parametrize(
    ("content", "allowed"),
    [
        ({"family": "conv", "layers": [], "layrs": 1}, "Allowed here: family, layers."),
        ({"family": "conv", "layers": [{"channels": 1, "chanels": 1}]}, "Allowed here: channels, stride."),
        ({"family": "dense", "width": 1, "widht": 1}, "Allowed here: family, width."),
    ],
)
def test_keys_allowed_are_those_of_the_chosen_family(content: dict, allowed: str) -> None:
    text = message({"model": content})
    assert allowed in text, text


def test_read_yaml_of_a_missing_file_suggests_a_neighbour(tmp_path: Path) -> None:
    for name in ("ising", "cnn_gcnn"):
        (tmp_path / f"{name}.yaml").write_text("a: 1\n")
    with pytest.raises(ConfigError, match=re.escape("isign.yaml: no such file; did you mean 'ising'?")) as caught:
        read_yaml(tmp_path / "isign.yaml")
    assert "cnn_gcnn, ising" in str(caught.value)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a: 1\nb: 2\na: 3\n", "key 'a' is written twice"),
        ("outer:\n  a: 1\n  a: 1\n", "key 'a' is written twice"),
        ("list:\n- {x: 1, x: 2}\n", "key 'x' is written twice"),
        ("a: [1\n", "not valid YAML"),
        ("- 1\n- 2\n", "expected a mapping of keys to values, found list"),
        ("", "expected a mapping of keys to values, found NoneType"),
        ("a: !!python/object/apply:os.system [exit]\n", "could not determine a constructor for the tag"),
        ("a: !!python/name:os.system\n", "could not determine a constructor for the tag"),
        ("a: !own {b: 1}\n", "could not determine a constructor for the tag '!own'"),
        ("a: &a [*a]\n", "alias *a before the end of what it repeats"),
        ("a: *b\n", "alias *b before the end of what it repeats"),
        # Ten lines that stand for a billion values, and a depth that would overflow the stack of the library.
        ("a0: &a0 [1, 2]\n" + "".join(f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]\n" for i in range(1, 10)),
         "more than 100000 values, with those that aliases repeat"),
        ("a: " + "[" * 200_000, "more than 50 levels"),
        ("a:\n" + "- " * 200_000 + "x\n", "more than 50 levels"),
    ],
)  # fmt: skip
def test_read_yaml_refuses(tmp_path: Path, text: str, expected: str) -> None:
    path = tmp_path / "broken.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=r"broken.yaml") as caught:
        read_yaml(path)
    assert expected in str(caught.value)


def test_read_yaml_refuses_what_is_no_text(tmp_path: Path) -> None:
    path = tmp_path / "binary.yaml"
    path.write_bytes(b"a: \xff\xfe")
    with pytest.raises(ConfigError, match=r"binary\.yaml: not valid YAML: 'utf-8' codec"):
        read_yaml(path)


def test_error_of_a_doubled_key_names_its_line(tmp_path: Path) -> None:
    path = tmp_path / "broken.yaml"
    path.write_text("a: 1\nb:\n  c: 1\n  c: 2\n")
    with pytest.raises(ConfigError, match="line 4"):
        read_yaml(path)


def test_equal_keys_of_different_mappings_and_aliases_are_fine(tmp_path: Path) -> None:
    path = tmp_path / "fine.yaml"
    path.write_text("base: &base {a: 1, b: 2}\nother: {a: 1}\nagain: *base\n")
    assert read_yaml(path) == {"base": {"a": 1, "b": 2}, "other": {"a": 1}, "again": {"a": 1, "b": 2}}


def test_merge_lays_a_delta_over_a_base() -> None:
    base = {"train": {"rate": 1.0, "epochs": 5}, "sizes": [1, 2], "note": "x", "flat": 1}
    before = canonical_json(base)
    merged = merge(base, {"train": {"epochs": 9, "new": 1}, "sizes": [3], "note": None, "flat": {"deep": 2}})
    assert merged == {"train": {"rate": 1.0, "epochs": 9, "new": 1}, "sizes": [3], "flat": {"deep": 2}}
    assert canonical_json(base) == before
    assert merge(base, {}) == base


def test_hint() -> None:
    assert hint("labtop", ["smoke", "laptop"]) == "; did you mean 'laptop'?"
    assert hint("qqqq", ["smoke", "laptop"]) == ""
    assert hint("x", []) == ""


def test_canonical_json_depends_on_content_only(tmp_path: Path) -> None:
    first, second = tmp_path / "first.yaml", tmp_path / "second.yaml"
    first.write_text("b: {y: 1, x: [1, 2]}\na: 0.5  # a comment\n")
    second.write_text("# another\na: 0.5\nb:\n  x:\n  - 1\n  - 2\n  y: 1\n")
    assert canonical_json(read_yaml(first)) == canonical_json(read_yaml(second)) == '{"a":0.5,"b":{"x":[1,2],"y":1}}'
    assert digest(read_yaml(first)) == digest(read_yaml(second))
    second.write_text("a: 0.5\nb: {x: [2, 1], y: 1}\n")
    assert digest(read_yaml(first)) != digest(read_yaml(second))


def test_canonical_json_of_a_model_includes_its_defaults() -> None:
    model = validate(Root, {"layers": [{"channels": 3}]}, "x.yaml")
    assert json.loads(canonical_json(model)) == {
        "name": "root",
        "learning_rate": 1.0,
        "layers": [{"channels": 3, "stride": 1}],
        "layer_of": {},
        "model": {"family": "dense", "width": 1},
    }
    written_out = validate(Root, {"learning_rate": 1.0, "layers": [{"stride": 1, "channels": 3}]}, "x.yaml")
    assert digest(model) == digest(written_out)
    assert re.fullmatch("[0-9a-f]{64}", digest(model))


def test_canonical_json_has_no_numbers_that_json_lacks() -> None:
    with pytest.raises(ValueError, match="JSON"):
        canonical_json({"a": float("inf")})

"""Foundations of the typed configuration: strict models, YAML reading, readable errors, canonical JSON.

No JAX here or anywhere in this package: the Snakefile imports it while it is parsed.
"""

import difflib
import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, TypeVar, get_args

import yaml
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from emergent.errors import ConfigError

Name = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]*$")]
"""A name that may appear in a path: lower case letters, digits and underscores."""


Model = TypeVar("Model", bound=BaseModel)
Item = TypeVar("Item")
Many = Annotated[tuple[Item, ...], Field(strict=False)]
"""An immutable sequence; written as a list in YAML, its items are checked strictly."""


class StrictModel(BaseModel):
    """Immutable configuration model that refuses unknown keys and silent conversions."""

    # Validators are built at first use: a job reads a few of the many models that it imports.
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, defer_build=True)


class _UniqueKeyLoader(yaml.CSafeLoader):
    """YAML loader that refuses a key written twice instead of keeping the last one."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: set[Any] = set()
        for key_node, _ in node.value:
            key = self.construct_object(key_node, deep=True)
            if key in seen:
                raise yaml.constructor.ConstructorError(
                    None, None, f"key {key!r} is written twice", key_node.start_mark
                )
            seen.add(key)
        return super().construct_mapping(node, deep)


DEEPEST, MOST = 50, 100_000
"""Levels of a YAML file, and its values with what aliases repeat. Ours have up to 8 levels and 5000 values."""


def _require_modest(text: str) -> None:
    """Checks depth and size before anything is built: a few lines of aliases can stand for billions of values.

    Raises:
        yaml.YAMLError: too deep, too large, or an alias inside what it repeats.
    """
    sizes, anchors, open_anchors = [0], dict[str, int](), list[str | None]()
    for event in yaml.parse(text, Loader=yaml.CSafeLoader):
        size = 1
        if isinstance(event, yaml.CollectionStartEvent):
            sizes.append(0)
            open_anchors.append(event.anchor)
            if len(sizes) > DEEPEST:
                raise yaml.YAMLError(f"more than {DEEPEST} levels")
            continue
        if isinstance(event, yaml.AliasEvent):
            if event.anchor not in anchors:
                raise yaml.YAMLError(f"alias *{event.anchor} before the end of what it repeats")
            size = anchors[event.anchor]
        elif isinstance(event, yaml.CollectionEndEvent):
            size += sizes.pop()
            anchors[str(open_anchors.pop())] = size
        elif isinstance(event, yaml.ScalarEvent):
            anchors[str(event.anchor)] = size
        else:
            continue
        sizes[-1] += size
        if sizes[-1] > MOST:
            raise yaml.YAMLError(f"more than {MOST} values, with those that aliases repeat")


def read_yaml(path: Path) -> dict[str, Any]:
    """Returns the mapping in a YAML file; tags that ask for more than numbers, text, lists and mappings are errors.

    Raises:
        ConfigError: the file is missing, is not valid or modest YAML, or does not hold a mapping.
    """
    try:
        text = path.read_text(encoding="utf-8")
        _require_modest(text)
        content = yaml.load(text, Loader=_UniqueKeyLoader)
    except FileNotFoundError:
        known = sorted(p.stem for p in path.parent.glob("*.yaml"))
        raise ConfigError(
            f"{path}: no such file{hint(path.stem, known)}. Files there: {', '.join(known) or 'none'}."
        ) from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: not valid YAML: {error}") from None
    if not isinstance(content, dict):
        raise ConfigError(f"{path}: expected a mapping of keys to values, found {type(content).__name__}.")
    return content


def require_ascending(name: str, values: Sequence[float]) -> None:
    """Checks that numbers ascend.

    Raises:
        ValueError: they do not, or one is there twice; pydantic makes one error of all.
    """
    if list(values) != sorted(set(values)):
        raise ValueError(f"{name}: expected ascending numbers, found {list(values)}")


def require_ensemble_sizes(sizes: Sequence[int]) -> None:
    """Checks that sizes of ensembles ascend from single networks.

    Raises:
        ValueError: they do not; pydantic makes one error of all.
    """
    if list(sizes) != sorted(set(sizes)) or list(sizes[:1]) != [1]:
        raise ValueError(f"ensemble_sizes: expected ascending numbers that begin with 1, found {list(sizes)}")


def hint(word: str, known: list[str]) -> str:
    """Returns ``"; did you mean 'x'?"`` for the closest known word, or an empty string."""
    close = difflib.get_close_matches(str(word), known, n=1, cutoff=0.6)
    return f"; did you mean {close[0]!r}?" if close else ""


def merge(base: dict[str, Any], delta: dict[str, Any]) -> dict[str, Any]:
    """Returns ``base`` with ``delta`` laid over it: mappings merge, other values are replaced, null removes a key."""
    merged = dict(base)
    for key, value in delta.items():
        if value is None:
            merged.pop(key, None)
        elif isinstance(value, dict) and isinstance(merged.get(key), dict):
            merged[key] = merge(merged[key], value)
        else:
            merged[key] = value
    return merged


def _models_in(annotation: Any) -> list[type[BaseModel]]:
    """Returns the model classes in an annotation such as ``dict[str, A | B]``, in order."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [model for part in get_args(annotation) for model in _models_in(part)]


def _locate(model: type[BaseModel], location: tuple[int | str, ...]) -> tuple[type[BaseModel], list[str]]:
    """Returns the model class that owns the last key of an error location, and the path of keys as written in YAML.

    A location names fields, keys of mappings, positions in lists and, for discriminated unions, the tag: no key.
    """
    candidates, keys, owner = [model], list[str](), model
    for part in location:
        tagged = [c for c in candidates if any(part in get_args(f.annotation) for f in c.model_fields.values())]
        fields = [c.model_fields[part] for c in candidates if isinstance(part, str) and part in c.model_fields]
        if len(candidates) > 1 and tagged:
            candidates = tagged
            continue
        keys.append(str(part))
        owner = candidates[0]
        if fields:
            candidates = [inner for field in fields for inner in _models_in(field.annotation)] or candidates
    return owner, keys


def validate(model: type[Model], content: dict[str, Any], source: str, section: str = "") -> Model:
    """Returns ``content`` as a typed model.

    Args:
        model: the pydantic model to build.
        content: parsed YAML.
        source: file name that error messages name.
        section: key of the content in that file, in front of the keys that messages name.

    Raises:
        ConfigError: listing each offending key path, the value found and what is allowed.
    """
    try:
        return model.model_validate(content)
    except ValidationError as error:
        raise _config_error(model, error, source, section) from None


def validate_json(model: type[Model], text: str, source: str) -> Model:
    """Returns canonical JSON as a typed model.

    Raises:
        ConfigError: not JSON, or as for ``validate``.
    """
    try:
        return model.model_validate_json(text)
    except ValidationError as error:
        raise _config_error(model, error, source) from None


def _config_error(model: type[BaseModel], error: ValidationError, source: str, section: str = "") -> ConfigError:
    """Returns the error with each offending key path, the value found and what is allowed."""
    lines = [f"{source}: {error.error_count()} problem(s) in the configuration:"]
    for item in error.errors():
        owner, keys = _locate(model, item["loc"])
        path = ".".join([*([section] if section else []), *keys]) or "(top level)"
        message = item["msg"].removeprefix("Value error, ")
        if item["type"] == "extra_forbidden":
            known = sorted(owner.model_fields)
            message = f"unknown key{hint(str(item['loc'][-1]), known)}"
            if known:
                message += f" Allowed here: {', '.join(known)}."
        # A check of a whole section says itself what it found.
        whole = item["type"] == "value_error" and isinstance(item.get("input"), dict)
        lines.append(f"  {path}: {message}" + ("" if whole else f" (found {_short(item.get('input'))})"))
    return ConfigError("\n".join(lines))


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 80 else text[:77] + "..."


def canonical_json(content: BaseModel | dict[str, Any]) -> str:
    """Returns the one JSON text of a configuration: sorted keys, no blanks, independent of YAML order or comments."""
    if isinstance(content, BaseModel):
        content = content.model_dump(mode="json")
    # NaN is no JSON, and other readers of these files would refuse it.
    return json.dumps(content, sort_keys=True, separators=(",", ":"), allow_nan=False)


def digest(content: BaseModel | dict[str, Any]) -> str:
    """Returns the SHA-256 of the canonical JSON, as 64 hexadecimal digits."""
    return hashlib.sha256(canonical_json(content).encode()).hexdigest()

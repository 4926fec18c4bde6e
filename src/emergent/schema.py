"""The JSON schema of all YAML files under ``config``, made from the typed models, for editors.

Experiments are checked by their models once a scale has been chosen. Their files hold a base and what each scale
changes, so that the schema asks for no key, and lets a change be null, which removes a key.
"""

from collections.abc import Sequence
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from emergent.config.claims import Claims
from emergent.config.datasets import OPTIONS, DatasetRegistry, NoOptions
from emergent.config.figures import Catalogue
from emergent.config.run import RunConfig
from emergent.config.study import SCALES
from emergent.config.throughput import Throughput
from emergent.kinds import KINDS

DIALECT = "https://json-schema.org/draft/2020-12/schema"
REFERENCE = "#/$defs/{model}"
TITLE = "Configuration of emergent: run, experiments, data sets, figures, claims"


def schemas() -> dict[str, Any]:
    """Returns one schema that fits every YAML file: it takes the form of any of them."""
    kinds = [kind.config for _, kind in sorted(KINDS.items())]
    definitions = {name: _relaxed(part) for name, part in _definitions(kinds).items()}
    for model in kinds:
        _add_scales(definitions, model.__name__)
    others = [RunConfig, DatasetRegistry, Catalogue, Claims, Throughput]
    definitions |= {name: part for name, part in _definitions(others).items() if name not in definitions}
    _add_options(definitions)
    # The name of a figure is its key in the file, which the reader fills in.
    for definition in definitions.values():
        if "caption" in definition.get("properties", {}):
            definition["required"] = [key for key in definition["required"] if key != "name"]
            del definition["properties"]["name"]
    forms = [{"$ref": REFERENCE.format(model=model.__name__)} for model in (*kinds, *others)]
    return {"$schema": DIALECT, "title": TITLE, "$defs": definitions, "anyOf": forms}


def _definitions(models: Sequence[type[BaseModel]]) -> dict[str, Any]:
    """Returns the schemas of models and of all that they are made of, by class name."""
    return models_json_schema([(model, "validation") for model in models], ref_template=REFERENCE)[1]["$defs"]


def _add_scales(definitions: dict[str, Any], kind: str) -> None:
    """Adds the key ``scales`` to the schema of a kind: each scale has the form of the experiment, or is null."""
    base = definitions[kind]
    definitions[f"{kind}Change"] = base
    change = {"anyOf": [{"$ref": REFERENCE.format(model=f"{kind}Change")}, {"type": "null"}]}
    scales = {
        "type": "object",
        "properties": dict.fromkeys(SCALES, change),
        "required": list(SCALES),
        "additionalProperties": False,
    }
    required = ["experiment", "kind", "scales"]
    definitions[kind] = base | {"properties": base["properties"] | {"scales": scales}, "required": required}


def _add_options(definitions: dict[str, Any]) -> None:
    """Says which options belong to the module of a data set."""
    definitions |= _definitions([NoOptions, *OPTIONS.values()])
    entry = definitions["DatasetEntry"]
    modules = sorted(OPTIONS)
    entry["properties"]["options"] = {"type": "object"}
    entry["allOf"] = [_options_if({"const": module}, OPTIONS[module].__name__) for module in modules] + [
        _options_if({"not": {"enum": modules}}, NoOptions.__name__)
    ]


def _options_if(module: dict[str, Any], options: str) -> dict[str, Any]:
    then = {"properties": {"options": {"$ref": REFERENCE.format(model=options)}}}
    return {"if": {"properties": {"module": module}}, "then": then}


def _relaxed(part: Any) -> Any:
    """Returns a schema that asks for no key and takes null for any value of a mapping by name."""
    if isinstance(part, list):
        return [_relaxed(item) for item in part]
    if not isinstance(part, dict):
        return part
    relaxed = {key: _relaxed(value) for key, value in part.items() if key != "required"}
    # A union is told apart by a key that a change need not repeat.
    if "discriminator" in relaxed:
        del relaxed["discriminator"]
        relaxed["anyOf"] = relaxed.pop("oneOf")
    if isinstance(relaxed.get("additionalProperties"), dict):
        relaxed["additionalProperties"] = {"anyOf": [relaxed["additionalProperties"], {"type": "null"}]}
    if "patternProperties" in relaxed:
        values = relaxed["patternProperties"].items()
        relaxed["patternProperties"] = {key: {"anyOf": [value, {"type": "null"}]} for key, value in values}
    return relaxed

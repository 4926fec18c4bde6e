"""Pages of the documentation site that are made from other files: start page, settings, reference of the package.

Hooks of MkDocs (mkdocs.yml). Nothing is written into ``docs``.
"""

import json
import re
from pathlib import Path
from typing import Any

import yaml
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "src" / "emergent"
COPIES = {"index.md": "README.md", "contributing.md": "CONTRIBUTING.md", "changelog.md": "CHANGELOG.md"}


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Puts the pages of all rooms in the place of the last entry of the navigation."""
    assert config.nav is not None
    rooms = [{room: f"reference/{room}.md"} for room in _rooms()]
    config.nav[-1] = {"Reference": [{"Settings": "reference/settings.md"}, *rooms]}
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Adds the generated pages."""
    pages = {name: _copied(source) for name, source in COPIES.items()}
    pages |= {f"reference/{room}.md": _room_page(room, purpose) for room, purpose in _rooms().items()}
    pages["reference/settings.md"] = _settings_page()
    for name, content in pages.items():
        files.append(File.generated(config, name, content=content))
    return files


def _copied(source: str) -> str:
    """Returns a page of the repository's top with links that work from ``docs``; those to code become plain text."""
    text = (ROOT / source).read_text(encoding="utf-8")
    text = re.sub(r"\]\(docs/", "](", text)
    return re.sub(r"\[([^]]+)\]\((?!https?:|#)([^)]+)\)", _checked_link, text)


def _checked_link(match: re.Match[str]) -> str:
    target = match[2].partition("#")[0]
    made = target in COPIES or target.startswith("reference/")
    return match[0] if made or (ROOT / "docs" / target).exists() else match[1]


def _rooms() -> dict[str, str]:
    """Returns what each package and module of the top level is for, from the top of the house down."""
    text = (ROOT / "docs" / "templates" / "rooms.yaml").read_text(encoding="utf-8")
    return yaml.safe_load(text)["rooms"]


def _room_page(room: str, purpose: str) -> str:
    folder = PACKAGE / room
    names = [f"emergent.{room}"]
    if folder.is_dir():
        paths = sorted(path for path in folder.rglob("*.py") if not path.name.startswith("_"))
        names = [".".join(("emergent", *path.relative_to(PACKAGE).with_suffix("").parts)) for path in paths]
    blocks = "\n\n".join(f"::: {name}" for name in names)
    return f"# {room}\n\n{purpose[0].upper()}{purpose[1:]}.\n\n{blocks}\n"


def _settings_page() -> str:
    """Returns the reference of everything that stands in YAML files, from the JSON schema of the typed settings."""
    schema = json.loads((ROOT / "config" / "schema.json").read_text(encoding="utf-8"))
    parts = [
        "# Settings\n\nEverything that may stand in the files of `config`, as `config/schema.json` has it, by which "
        "editors complete and check. Made from the typed settings in `emergent.config`; an experiment is a class named "
        "after its kind, such as `OrbitSamePrediction`.\n"
    ]
    for name, item in sorted(schema["$defs"].items()):
        parts.append(_class(name, item))
    return "\n".join(parts)


def _class(name: str, item: dict[str, Any]) -> str:
    described = _prose(item.get("description", ""))
    required = set(item.get("required", ()))
    rows = []
    for key, value in item.get("properties", {}).items():
        needed = "required" if key in required else _default(value)
        rows.append(f"| `{key}` | {_type(value)} | {needed} | {_cell(value.get('description', ''))} |")
    table = (
        "\n".join(["| key | type | default | meaning |", "| --- | --- | --- | --- |", *rows]) if rows else _type(item)
    )
    return f"## {name}\n\n{described}\n\n{table}\n"


def _prose(text: str) -> str:
    """Returns a docstring's description, with its list of attributes as one."""
    head, _, attributes = text.partition("Attributes:")
    items = re.sub(r"\n\s{4,}(?=\S)", " ", attributes.replace("\n    ", "\n")).strip()
    lines = [
        f"- `{line.partition(':')[0].strip()}`: {line.partition(':')[2].strip()}"
        for line in items.splitlines()
        if ":" in line
    ]
    return " ".join(head.split()) + ("\n\n" + "\n".join(lines) if lines else "")


def _type(value: dict[str, Any]) -> str:
    if "$ref" in value:
        name = value["$ref"].rsplit("/", 1)[-1]
        return f"[{name}](#{name.lower()})"
    if "const" in value:
        return f"`{value['const']}`"
    if "enum" in value:
        return ", ".join(f"`{word}`" for word in value["enum"])
    for key in ("anyOf", "oneOf"):
        if key in value:
            return " or ".join(dict.fromkeys(_type(item) for item in value[key]))
    if value.get("type") == "array":
        return f"list of {_type(value.get('items', {}))}" if value.get("items") else "list"
    if value.get("type") == "object" and isinstance(value.get("additionalProperties"), dict):
        return f"mapping to {_type(value['additionalProperties'])}"
    limits = {"minimum": "≥", "exclusiveMinimum": ">", "maximum": "≤", "exclusiveMaximum": "<"}
    bounds = [f"{sign} {value[key]}" for key, sign in limits.items() if key in value]
    return " ".join([str(value.get("type", "any")), *bounds])


def _default(value: dict[str, Any]) -> str:
    return f"`{value['default']}`" if "default" in value else ""


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")

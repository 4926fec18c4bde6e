"""Typed form of ``config/figures.yaml``: one entry per figure or table, its plot kind, experiments and caption."""

import json
from pathlib import Path

from pydantic import Field, model_validator

from emergent.config.base import Name, StrictModel, read_yaml, validate
from emergent.config.figure_kinds import Entry
from emergent.errors import ConfigError


class Catalogue(StrictModel):
    """All figures and tables by name."""

    figures: dict[Name, Entry] = Field(description="figures and tables by the name of their files")

    @model_validator(mode="after")
    def _check_ids(self) -> "Catalogue":
        seen: dict[str, str] = {}
        for name, entry in self.figures.items():
            key = f"{entry.paper} {entry.id}"
            if key in seen:
                raise ValueError(f"{name} and {seen[key]} both call themselves {key}; give one another id.")
            seen[key] = name
        return self


def read_catalogue(path: Path) -> dict[str, Entry]:
    """Returns every entry of ``figures.yaml`` by name; the name is the key in the file.

    Raises:
        ConfigError: unknown key, wrong type, unknown placeholder or missing file.
    """
    content = read_yaml(path)
    entries = content.get("figures")
    if isinstance(entries, dict):
        named = {name: {**entry, "name": name} if isinstance(entry, dict) else entry for name, entry in entries.items()}
        content = {**content, "figures": named}
    return validate(Catalogue, content, str(path)).figures


def read_entry(path: Path) -> Entry:
    """Returns one entry from its canonical JSON file (as ``canonical_json`` wrote it).

    Raises:
        ConfigError: the file is missing or does not hold one entry.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ConfigError(f"{path}: no such file; it holds one entry of figures.yaml as JSON.") from None
    except json.JSONDecodeError as error:
        raise ConfigError(f"{path}: not valid JSON: {error}.") from None
    name = content.get("name", "unnamed") if isinstance(content, dict) else "unnamed"
    return validate(Catalogue, {"figures": {name: content}}, str(path)).figures[name]

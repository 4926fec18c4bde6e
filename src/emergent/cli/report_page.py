"""Writes one page of the report: the assumptions behind the figures, or the provenance of the files."""

import argparse
import json
from pathlib import Path
from typing import Any

from emergent.atomic import atomic_path
from emergent.cli._run import main_guard
from emergent.config.figures import read_catalogue
from emergent.errors import DataError
from emergent.figures.pages import assumptions_page, provenance_page
from emergent.provenance import SIDECAR, read_sidecar


def read_json(path: Path) -> dict[str, Any]:
    """Returns the mapping in a JSON file."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, json.JSONDecodeError) as error:
        raise DataError(f"{path}: expected a JSON file of the pipeline ({error}); run its rule again.") from None


def assumptions(arguments: argparse.Namespace) -> str:
    """Returns the page of assumptions from stage configurations; equal settings of several stages appear once."""
    found: dict[str, dict[str, dict[str, Any]]] = {}
    for path in arguments.input:
        stage = read_json(path)
        section = found.setdefault(stage.get("experiment", path.parent.parent.name), {})
        section.update({item["key"]: item for item in stage.get("assumed", ())})
    figures: dict[str, list[str]] = {}
    for entry in read_catalogue(arguments.figures).values():
        for experiment in entry.experiments:
            figures.setdefault(experiment, []).append(f"{entry.id} ({entry.label})")
    return assumptions_page({name: list(items.values()) for name, items in found.items()}, figures)


def provenance(arguments: argparse.Namespace) -> str:
    """Returns the page of provenance from sidecar files."""
    return provenance_page({str(path).removesuffix(SIDECAR): read_sidecar(path) for path in sorted(arguments.input)})


def main() -> None:
    """Parses the command line and writes the page."""
    parser = argparse.ArgumentParser(prog="python -m emergent.cli.report_page", description=__doc__)
    pages = parser.add_subparsers(dest="page", required=True)
    for name, make in (("assumptions", assumptions), ("provenance", provenance)):
        page = pages.add_parser(name, help=make.__doc__)
        page.set_defaults(make=make)
        page.add_argument("--input", type=Path, nargs="+", required=True, help="JSON files to read")
        page.add_argument("--output", type=Path, required=True, help="HTML file to write")
        if name == "assumptions":
            page.add_argument("--figures", type=Path, required=True, help="config/figures.yaml")
    arguments = parser.parse_args()
    with atomic_path(arguments.output) as temporary:
        temporary.write_text(arguments.make(arguments), encoding="utf-8")


if __name__ == "__main__":
    main_guard(main)

"""Verb ``schema``: writes ``config/schema.json``, from which editors complete the keys of the YAML files."""

import argparse
import json
import sys
from pathlib import Path

from emergent.atomic import atomic_path
from emergent.cli._run import main_guard
from emergent.errors import ConfigError
from emergent.schema import schemas


def main() -> None:
    """Parses the flags, and writes the schema or compares it with what there is."""
    parser = argparse.ArgumentParser(prog="python -m emergent.cli.schema", description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 if the file is out of step")
    parser.add_argument("--output", type=Path, default=Path("config/schema.json"))
    arguments = parser.parse_args()
    text = json.dumps(schemas(), indent=1, sort_keys=True) + "\n"
    found = arguments.output.read_text(encoding="utf-8") if arguments.output.exists() else None
    if arguments.check:
        if found != text:
            raise ConfigError(
                f"{arguments.output}: out of step with the typed configuration; run python -m emergent.cli.schema."
            )
        return
    with atomic_path(arguments.output) as temporary:
        temporary.write_text(text, encoding="utf-8")
    print(f"{arguments.output}: {'unchanged' if found == text else 'written'}", file=sys.stderr)


if __name__ == "__main__":
    main_guard(main)

"""Verb ``prepare``: raw files of a data set, or nothing for a generated one, to ``prepared.h5``."""

import argparse
import json
from pathlib import Path

from emergent.cli._run import main_guard
from emergent.config.datasets import parse_entry
from emergent.datasets.prepared import write_prepared
from emergent.datasets.registry import prepare
from emergent.errors import ConfigError


def main() -> None:
    """Parses the flags, prepares one data set and writes it."""
    parser = argparse.ArgumentParser(prog="emergent.cli.prepare", description=__doc__)
    parser.add_argument("--config", type=Path, required=True, help="canonical JSON of the registry's entry")
    parser.add_argument("--dataset", required=True, help="name of the data set")
    parser.add_argument("--raw", type=Path, required=True, help="folder of its raw files; not read for generated data")
    parser.add_argument("--output", type=Path, required=True, help="HDF5 file to write")
    arguments = parser.parse_args()

    try:
        content = json.loads(arguments.config.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ConfigError(f"{arguments.config}: not a readable JSON file: {error}") from None
    entry = parse_entry(content, str(arguments.config))
    arrays = prepare(arguments.dataset, entry, arguments.raw)
    write_prepared(arguments.output, arguments.dataset, entry, arrays)


if __name__ == "__main__":
    main_guard(main)

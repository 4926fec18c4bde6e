"""Packs a finished run as a Workflow Run RO-Crate: what was run, on what, what came out, and a CODECHECK manifest."""

import argparse
from pathlib import Path

from emergent.cli._plan import add_plan_flags, read_plan
from emergent.cli._run import main_guard
from emergent.lineage.crate import write_crate


def main() -> None:
    """Parses the flags, packs and writes."""
    parser = argparse.ArgumentParser(prog="python -m emergent.cli.crate", description=__doc__)
    add_plan_flags(parser)
    parser.add_argument("--output", type=Path, required=True, help="ZIP file to write")
    arguments = parser.parse_args()
    plan = read_plan(arguments)
    number = write_crate(plan, Path(), arguments.output)
    print(f"{arguments.output}: {number} results")


if __name__ == "__main__":
    main_guard(main)

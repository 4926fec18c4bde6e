"""Says which experiments of a run are stale and why, and which figures and claims with them.

Reasons are by value (a setting), by code (a module) or by input (a file), each of them with the commit that made it.
"""

import argparse
from pathlib import Path

from emergent.cli._plan import add_plan_flags, read_plan
from emergent.cli._run import main_guard
from emergent.lineage.staleness import Status
from emergent.lineage.status_lines import Overview


def main() -> None:
    """Parses the flags, compares and prints."""
    parser = argparse.ArgumentParser(prog="python -m emergent.cli.status", description=__doc__)
    add_plan_flags(parser)
    parser.add_argument("--all", action="store_true", help="every figure and table by itself, up to date or not")
    arguments = parser.parse_args()
    plan = read_plan(arguments)
    overview = Overview(plan, Status(plan, Path(__file__).parents[2]))
    for line in overview.every_item() if arguments.all else overview.lines():
        print(line)


if __name__ == "__main__":
    main_guard(main)

"""Says which figures and verdicts of a run are missing or stale and why: by value, by code or by input."""

import argparse
from collections import Counter
from pathlib import Path

from emergent.cli._plan import add_plan_flags, read_plan
from emergent.cli._run import main_guard
from emergent.lineage.staleness import Status


def main() -> None:
    """Parses the flags, compares and prints."""
    parser = argparse.ArgumentParser(prog="python -m emergent.cli.status", description=__doc__)
    add_plan_flags(parser)
    parser.add_argument("--all", action="store_true", help="show what is up to date too")
    arguments = parser.parse_args()
    plan = read_plan(arguments)
    items = list(Status(plan, Path(__file__).parents[2]).items())
    counts = Counter(item.state for item in items)
    told = ", ".join(f"{counts[state]} {state}" for state in ("up to date", "stale", "missing") if counts[state])
    print(f"scale {plan.run.scale}: {len(items)} figures, tables and verdicts: {told}.")
    for item in items:
        if item.state == "up to date" and not arguments.all:
            continue
        print(f"{item.id:5s} {item.name:34s} {item.state:10s}{f'  made {item.made}' if item.made else ''}")
        for reason in item.reasons:
            print(f"        {reason}")


if __name__ == "__main__":
    main_guard(main)

"""Packs a finished run as a Workflow Run RO-Crate: what was run, on what, what came out, and a CODECHECK manifest."""

import argparse
from pathlib import Path

from emergent.cli._run import main_guard
from emergent.config.base import read_yaml
from emergent.lineage.crate import write_crate
from emergent.plan import Plan


def main() -> None:
    """Parses the flags, packs and writes."""
    parser = argparse.ArgumentParser(prog="python -m emergent.cli.crate", description=__doc__)
    parser.add_argument(
        "--scale", choices=("smoke", "laptop", "paper"), help="of the run; without it that of config.yaml"
    )
    parser.add_argument("--config", type=Path, default=Path("config"), help="the folder of configuration files")
    parser.add_argument("--output", type=Path, required=True, help="ZIP file to write")
    arguments = parser.parse_args()
    run = read_yaml(arguments.config / "config.yaml")
    plan = Plan(run | ({"scale": arguments.scale} if arguments.scale else {}), arguments.config)
    number = write_crate(plan, Path(), arguments.output)
    print(f"{arguments.output}: {number} results")


if __name__ == "__main__":
    main_guard(main)

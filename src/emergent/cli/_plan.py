"""What verbs on a whole run share: the flags that say which, and its plan."""

import argparse
from pathlib import Path

from emergent.config.base import read_yaml
from emergent.config.study import SCALES
from emergent.plan import Plan


def add_plan_flags(parser: argparse.ArgumentParser) -> None:
    """Adds ``--scale`` and ``--config``."""
    parser.add_argument("--scale", choices=SCALES, help="of the run; without it that of config.yaml")
    parser.add_argument("--config", type=Path, default=Path("config"), help="the folder of configuration files")


def read_plan(arguments: argparse.Namespace) -> Plan:
    """Returns the plan of the run that the flags name."""
    run = read_yaml(arguments.config / "config.yaml")
    return Plan(run | ({"scale": arguments.scale} if arguments.scale else {}), arguments.config)

"""Verb ``validate``: reads every configuration file and checks every experiment at every scale; computes nothing."""

import argparse
from pathlib import Path

from emergent.cli._run import main_guard
from emergent.config.base import read_yaml
from emergent.config.claims import read_claims
from emergent.config.references import read_reference
from emergent.config.study import SCALES
from emergent.metrics.registry import MEMBER_METRICS
from emergent.plan import Plan


def main() -> None:
    """Parses the flags and validates."""
    parser = argparse.ArgumentParser(prog="python -m emergent.cli.validate", description=__doc__)
    parser.add_argument("--config", type=Path, default=Path("config"), help="the folder of configuration files")
    folder = parser.parse_args().config
    run = read_yaml(folder / "config.yaml")
    for scale in SCALES:
        # All experiments, on or off in config.yaml, at this scale; figures are those of the whole catalogue.
        names = sorted(path.stem for path in (folder / "experiments").glob("*.yaml"))
        plan = Plan(run | {"scale": scale, "experiments": names, "figures": None}, folder)
        plan.require_metrics(MEMBER_METRICS)
        for name in plan.names:
            experiment = plan.experiment(scale, name)
            plan.stage_json(scale, name, "summary")
            for stage in plan.kind(scale, name).verbs:
                for arm in experiment.arms_of(stage):
                    plan.stage_json(scale, name, stage, arm)
            print(f"ok  {name:24s} {scale:7s} {len(experiment.arm_names)} arms x {experiment.members.num} members")
    claims = read_claims(folder / "claims.yaml")
    references = sorted((folder / "references").glob("*.json"))
    for path in references:
        read_reference(path)
    print(f"ok  {len(plan.figures)} figures and tables, {len(claims)} claims, {len(references)} references")


if __name__ == "__main__":
    main_guard(main)

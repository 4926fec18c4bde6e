"""Verb ``plan``: what a run will take, rule by rule: jobs, time, memory, disk, GPU-hours. Nothing is computed.

Times are those of ``config/throughput.yaml``; where jobs have finished below this folder, those of this machine.
"""

import argparse
import os
import shlex
from collections.abc import Sequence
from pathlib import Path

import yaml

import emergent
from emergent.cli._run import main_guard
from emergent.config.base import read_yaml
from emergent.config.study import SCALES
from emergent.config.throughput import Throughput, read_throughput
from emergent.errors import ConfigError
from emergent.estimates.jobs import OTHER, SIZES_MODULES, Estimates
from emergent.estimates.limits import doubts, long_jobs, long_jobs_lines, measured_keys
from emergent.estimates.measured import as_yaml, beside_estimates, fitted, measured_jobs, with_measured
from emergent.estimates.totals import all_jobs, by_experiment, table, totals, unmeasured, wall_seconds
from emergent.fingerprint import code_fingerprint
from emergent.plan import Plan
from emergent.runs.progress import duration

REMEMBERED = Path("results/memory")


def main() -> None:
    """Parses the flags and prints the plan, or the rates of this machine."""
    parser = argparse.ArgumentParser(prog="python -m emergent.cli.plan", description=__doc__)
    parser.add_argument("--config", type=Path, default=Path("config"), help="the folder of configuration files")
    parser.add_argument("--set", nargs="*", default=[], metavar="KEY=VALUE", help="as --config of snakemake")
    parser.add_argument("--cores", type=int, default=os.cpu_count() or 1, help="of one machine that runs all of it")
    parser.add_argument("--longest", type=hours, metavar="HOURS", help="warn of jobs that take longer; by default "
                        "longest_hours of throughput.yaml")  # fmt: skip
    parser.add_argument("--committed", action="store_true", help="leave out what has been measured on this machine")
    parser.add_argument("--jobs", action="store_true", help="print the finished jobs of this scale beside estimates")
    parser.add_argument("--rates", action="store_true", help="print the rates of this machine, for throughput.yaml")
    arguments = parser.parse_args()
    run = read_yaml(arguments.config / "config.yaml") | run_settings(arguments.set)
    throughput = read_throughput(arguments.config / "throughput.yaml")
    source = Path(emergent.__file__).parents[1]
    code = "+".join(code_fingerprint(module, source) for module in SIZES_MODULES)

    def estimates(scale: str) -> Estimates:
        return Estimates(Plan(run | {"scale": scale}, arguments.config), throughput, REMEMBERED, code)

    asked = estimates(str(run["scale"]))
    if arguments.jobs:
        print(beside_estimates(asked, measured_jobs(asked, Path())))
        return
    found = [] if arguments.committed else [job for scale in SCALES for job in measured_jobs(estimates(scale), Path())]
    # Processors tell nothing of GPUs.
    found = [job for job in found if job.on_gpu == bool(asked.gpus(job.job.rule))]
    own = fitted(found)
    if arguments.rates:
        print(as_yaml("this machine", own))
        return
    asked.rates = with_measured(asked.rates, own)
    rows = totals(asked)
    print(table(rows))
    is_measured = measured_keys(asked, throughput, own)
    print(f"\n{by_experiment(asked, is_measured)}\n")
    limit = throughput.longest_seconds(asked.device) if arguments.longest is None else 3600 * arguments.longest
    if warning := long_jobs_lines(long_jobs(asked, all_jobs(asked), limit), limit, asked.device):
        print("\n".join(warning) + "\n")
    for line in doubts(asked, is_measured):
        print(line)
    for line in notes(asked, throughput, len(found)):
        print(line)
    print(f"On one machine of {arguments.cores} cores: about {duration(wall_seconds(rows, arguments.cores))}.")


def notes(asked: Estimates, throughput: Throughput, num_found: int) -> list[str]:
    """Returns where the times come from, and what they do not know."""
    lines = [f"Times: measured on one core of {throughput.cpu.name}."]
    if num_found:
        lines = [f"Times: of {num_found} jobs that finished in this folder; what has not run yet is scaled by them."]
    if asked.device == "gpu":
        on_gpu = ", ".join(sorted(throughput.gpu.rates))
        lines.append(
            f"Measured on a GPU ({throughput.gpu.name}): {on_gpu}. Other networks are counted as the slowest of these, "
            "all else as on a core."
        )
    if others := unmeasured(asked):
        short = f"{asked.rate(OTHER).start:.0f} s a job"
        lines.append(
            f"Never measured, and counted as the slowest like them or, where there are none, as {short}: "
            f"{', '.join(others)}."
        )
    lines.append("Downloads are counted in bytes alone.")
    return lines


def hours(text: str) -> float:
    """Returns a number of hours above zero."""
    if not (number := float(text)) > 0:
        raise ValueError
    return number


def run_settings(pairs: Sequence[str]) -> dict[str, object]:
    """Returns settings of a run from KEY=VALUE, where values are YAML, in quotes for the shell or not."""
    pairs = ["".join(shlex.split(pair)) if '="' in pair else pair for pair in pairs]
    if wrong := [pair for pair in pairs if "=" not in pair]:
        raise ConfigError(f"--set: expected KEY=VALUE, found {wrong[0]!r}.")
    return {key: yaml.safe_load(value) for key, _, value in (pair.partition("=") for pair in pairs)}


if __name__ == "__main__":
    main_guard(main)

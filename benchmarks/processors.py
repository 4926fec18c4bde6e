"""What differs between kinds of processors: the smoke scale of some experiments under the instructions of older ones.

    python benchmarks/processors.py [--experiments ising fashion_mnist ...] [--output results/processors]

XLA, OpenBLAS and Numba are told to use the instructions of an older kind, in whose registers sums are taken in another
order. Each experiment runs once with all that this machine has and once for each older kind, in folders of their own;
printed is, for each stage, how many files are equal to the byte, and by how much the numbers of summaries differ.
"""

import argparse
import os
import subprocess
import sys
from pathlib import Path

from emergent import storage

ROOT = Path(__file__).parents[1]
KINDS = {
    "AVX2": {"XLA_FLAGS": "--xla_cpu_max_isa=AVX2", "OPENBLAS_CORETYPE": "Haswell", "NUMBA_CPU_NAME": "haswell"},
    "SSE4.2": {"XLA_FLAGS": "--xla_cpu_max_isa=SSE4_2", "OPENBLAS_CORETYPE": "Nehalem", "NUMBA_CPU_NAME": "nehalem"},
}
"""Instructions by name, with the variables that confine libraries to them."""
ROUNDING = 1e-10
"""Numbers below are errors of symmetries that are exact."""


def run(experiments: list[str], folder: Path, changes: dict[str, str]) -> None:
    """Runs the smoke scale of some experiments in a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    if not (folder / "config").exists():
        (folder / "config").symlink_to(ROOT / "config")
    command = [sys.executable, "-m", "snakemake", "--snakefile", str(ROOT / "workflow/Snakefile"), "--cores", "all",
               "--quiet", "all", "--config", f"experiments={experiments!r}", "figures=[]", "--",
               *(f"results/smoke/{name}/summary.h5" for name in experiments)]  # fmt: skip
    subprocess.run(command, cwd=folder, env=os.environ | changes, check=True)


def errors_apart(ours: Path, theirs: Path) -> float:
    """Returns the largest difference of any number that claims refer to, in its standard errors.

    Left out are numbers that are nothing but rounding, and those without an error.
    """
    first, second = (storage.read_table(path, "quantities", "summary").set_index("name") for path in (ours, theirs))
    kept = (first["stderr"] > 0) & (first["value"].abs() > ROUNDING)
    apart = (first["value"] - second["value"]).abs() / first["stderr"]
    return float(apart[kept].max())


def main() -> None:
    """Parses the command line, runs and compares."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--experiments", nargs="+", default=["ising", "fashion_mnist", "cnn_gcnn", "augmented_kernels"])
    parser.add_argument("--output", type=Path, default=Path("results/processors"))
    arguments = parser.parse_args()
    here = arguments.output.resolve() / "all"
    run(arguments.experiments, here, {})
    print("| instructions | stage | files | equal to the byte |\n| --- | --- | --- | --- |")
    for kind, changes in KINDS.items():
        there = arguments.output.resolve() / kind
        run(arguments.experiments, there, changes)
        for stage, pattern in {
            "prepared data": "results/datasets/*/prepared.h5",
            "trained members": "results/smoke/*/train/*/members_*.h5",
            "kernels": "results/smoke/*/kernels/*/*.h5",
            "evaluation": "results/smoke/*/evaluate/*/*.h5",
            "summary": "results/smoke/*/summary.h5",
        }.items():
            files = [path.relative_to(here) for path in sorted(here.glob(pattern))]
            if not files:
                continue
            equal = sum((here / file).read_bytes() == (there / file).read_bytes() for file in files)
            print(f"| {kind} | {stage} | {len(files)} | {equal} |", flush=True)
        for name in arguments.experiments:
            summary = f"results/smoke/{name}/summary.h5"
            worst = errors_apart(here / summary, there / summary)
            print(f"{kind}, {name}: numbers differ by at most {worst:.2g} of their standard errors", flush=True)


if __name__ == "__main__":
    main()

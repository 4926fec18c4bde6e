"""What differs between kinds of processors: the smoke scale of some experiments under the instructions of older ones.

    python benchmarks/processors.py [--experiments ising fashion_mnist ...] [--output results/processors]

XLA, OpenBLAS and Numba are told to use the instructions of an older kind, in whose registers sums are taken in another
order. Each experiment runs once with all that this machine has and once for each older kind, in folders of their own;
printed is, for each stage, whether bytes are equal, and by how much numbers differ.
"""

import argparse
import os
import subprocess
import sys
from pathlib import Path

import h5py
import numpy as np

ROOT = Path(__file__).parents[1]
KINDS = {
    "AVX2": {"XLA_FLAGS": "--xla_cpu_max_isa=AVX2", "OPENBLAS_CORETYPE": "Haswell", "NUMBA_CPU_NAME": "haswell"},
    "SSE4.2": {"XLA_FLAGS": "--xla_cpu_max_isa=SSE4_2", "OPENBLAS_CORETYPE": "Nehalem", "NUMBA_CPU_NAME": "nehalem"},
}
"""Instructions by name, with the variables that confine libraries to them."""


def run(experiments: list[str], folder: Path, changes: dict[str, str]) -> None:
    """Runs the smoke scale of some experiments in a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    if not (folder / "config").exists():
        (folder / "config").symlink_to(ROOT / "config")
    command = [sys.executable, "-m", "snakemake", "--snakefile", str(ROOT / "workflow/Snakefile"), "--cores", "all",
               "--quiet", "all", "--config", f"experiments={experiments!r}", "figures=[]", "--",
               *(f"results/smoke/{name}/summary.h5" for name in experiments)]  # fmt: skip
    subprocess.run(command, cwd=folder, env=os.environ | changes, check=True)


def arrays(path: Path) -> dict[str, np.ndarray]:
    """Returns all arrays of numbers in a file."""
    found: dict[str, np.ndarray] = {}
    with h5py.File(path) as file:
        file.visititems(
            lambda name, item: (
                found.update({name: item[()]}) if isinstance(item, h5py.Dataset) and item.dtype.kind in "fiu" else None
            )
        )
    return found


def difference(ours: Path, theirs: Path) -> float:
    """Returns the largest difference of any array, in units of its largest value."""
    worst = 0.0
    second = arrays(theirs)
    for name, first in arrays(ours).items():
        other = second[name]
        if first.shape != other.shape:
            return float("inf")
        both = np.isfinite(first) & np.isfinite(other)
        if first.size and both.any():
            scale = max(np.abs(first[both]).max(), np.finfo(np.float64).tiny)
            worst = max(worst, float(np.abs(first[both].astype(float) - other[both]).max() / scale))
    return worst


def main() -> None:
    """Parses the command line, runs and compares."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--experiments", nargs="+", default=["ising", "fashion_mnist", "cnn_gcnn", "augmented_kernels"])
    parser.add_argument("--output", type=Path, default=Path("results/processors"))
    arguments = parser.parse_args()
    here = arguments.output.resolve() / "all"
    run(arguments.experiments, here, {})
    print("| instructions | stage | files | equal to the byte | largest difference |\n| --- | --- | --- | --- | --- |")
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
            worst = max(difference(here / file, there / file) for file in files)
            print(f"| {kind} | {stage} | {len(files)} | {equal} | {worst:.1e} |", flush=True)


if __name__ == "__main__":
    main()

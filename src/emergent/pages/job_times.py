"""Times of the jobs behind committed summaries: a table beside them, against which estimates of times are tested."""

import hashlib
from pathlib import Path

import pandas as pd

from emergent import storage
from emergent.provenance import read_sidecar, sidecar_path

NAME = "jobs.csv"
"""File in a run's folder of ``docs/data``."""
COLUMNS = (
    "rule", "experiment", "arm", "block", "settings", "device", "cpu_seconds", "wall_seconds", "memory_mb", "num_bytes",
)  # fmt: skip
RULES = {"train": "train", "evaluate": "evaluate", "kernels": "predict"}
"""Folder of an experiment to the rule whose files lie there."""


def settings_digest(config_json: str) -> str:
    """Returns the first digits of the SHA-256 of a stage's settings: times are compared with jobs of the same alone."""
    return hashlib.sha256(config_json.encode()).hexdigest()[:12]


def job_times(results: Path, experiments: tuple[str, ...]) -> pd.DataFrame:
    """Returns the finished jobs behind some summaries: one row a job, ordered by experiment, rule, arm and block.

    They are found through the inputs that provenance names, so that files of other settings that lie beside them are
    left out. Columns: ``rule``, ``experiment``, ``arm`` and ``block`` (e.g. ``0000-0003``; both may be empty),
    ``settings`` (see ``settings_digest``), ``device`` (of JAX, ``cpu`` without it), ``cpu_seconds`` of the processor,
    ``wall_seconds``, ``memory_mb`` (the most that was resident, 10^6 bytes), ``num_bytes`` of the output.

    Args:
        results: folder of the scale's results, e.g. ``results/laptop``.
        experiments: whose summaries lie there.

    Raises:
        DataError: provenance that is no JSON, or results that are none.
    """
    found: dict[Path, dict[str, object]] = {}
    pending = [results / name / "summary.h5" for name in experiments]
    while pending:
        path = pending.pop()
        if path in found or not path.exists() or not sidecar_path(path).exists():
            continue
        facts = read_sidecar(sidecar_path(path))
        # Paths in provenance are those below the folder of the run.
        inputs = [results.parents[1] / name for name in facts.get("inputs", {})]
        pending += [name for name in inputs if name.suffix == ".h5" and results in name.parents]
        if "cpu_seconds" in facts:
            found[path] = _row(path, results, facts)
    rows = pd.DataFrame(list(found.values()), columns=list(COLUMNS))
    return rows.sort_values(list(COLUMNS[1::-1] + COLUMNS[2:4]), ignore_index=True)


def _row(path: Path, results: Path, facts: dict[str, object]) -> dict[str, object]:
    experiment, *folders = path.relative_to(results).parent.parts
    attributes = storage.read_attributes(path)
    jax, memory = facts.get("jax"), facts.get("peak_memory_bytes")
    return {
        "rule": RULES[folders[0]] if folders else "summarise",
        "experiment": experiment,
        "arm": folders[1] if folders else "",
        "block": path.stem.removeprefix("members_") if path.stem.startswith("members_") else "",
        "settings": settings_digest(attributes["config_json"]),
        "device": jax["device_kind"] if isinstance(jax, dict) else "cpu",
        "cpu_seconds": facts["cpu_seconds"],
        "wall_seconds": facts["wall_seconds"],
        "memory_mb": round(memory / 1e6) if isinstance(memory, int) else "",
        "num_bytes": path.stat().st_size,
    }


def read_job_times(path: Path) -> pd.DataFrame:
    """Returns a committed table of ``job_times``; what is empty there is an empty text."""
    return pd.read_csv(path, keep_default_na=False, dtype={"arm": str, "block": str, "settings": str})

"""How results came about, for readers: commit, device and times out of the files ``*.provenance.json``."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from emergent.errors import DataError

SIDECAR = ".provenance.json"


@dataclass(frozen=True)
class Origin:
    """What made one file.

    Attributes:
        file: its path or name.
        commit: first digits, and whether there were changes on top.
        device: and how many of them.
        ended: UTC.
    """

    file: str
    commit: str
    device: str
    ended: str


@dataclass(frozen=True)
class Costs:
    """What a stage of an experiment took.

    Attributes:
        stage: its name.
        files: how many it made.
        device: on which.
        commits: that made them.
        wall: time of all jobs together, seconds; they may have run side by side.
        cpu: the same of processors.
        memory: of the largest job, bytes.
    """

    stage: str
    files: int
    device: str
    commits: str
    wall: float
    cpu: float
    memory: int


def read_sidecar(path: Path) -> dict[str, Any]:
    """Returns the facts of one file.

    Raises:
        DataError: the file is missing or holds something else.
    """
    try:
        facts = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, json.JSONDecodeError) as error:
        raise DataError(f"{path}: expected a JSON file of the pipeline ({error}); run its rule again.") from None
    if not isinstance(facts, dict):
        raise DataError(f"{path}: expected a mapping of facts, found {type(facts).__name__}; run its rule again.")
    return facts


def origin(file: str, facts: Mapping[str, Any]) -> Origin:
    """Returns what made a file."""
    ended = str(facts.get("ended") or "").replace("T", " ").removesuffix("+00:00")
    return Origin(file, commit(facts), device(facts), ended)


def commit(facts: Mapping[str, Any]) -> str:
    """Returns the first digits of the commit, and whether there were changes on top of it."""
    git = facts.get("git") or {}
    return str(git.get("commit", "unknown"))[:10] + (" + changes" if git.get("dirty") else "")


def device(facts: Mapping[str, Any]) -> str:
    """Returns what computed a file."""
    jax = facts.get("jax")
    if not jax:
        return f"CPU ({facts['cpu_count']} cores), without JAX" if facts.get("cpu_count") else "CPU, without JAX"
    kind = str(jax["device_kind"])
    if kind == "cpu":
        return f"CPU ({facts['cpu_count']} cores)" if facts.get("cpu_count") else "CPU"
    return f"{jax['device_count']} × {kind}"


def costs(records: Mapping[str, Mapping[str, Any]]) -> tuple[Costs, ...]:
    """Returns what each stage took, in the order in which stages end.

    Args:
        records: file, as ``<stage>/...`` or, of a file that is a stage's only one, ``<stage>.h5``, to its facts.
    """
    stages: dict[str, list[Mapping[str, Any]]] = {}
    for file, facts in records.items():
        stages.setdefault(file.split("/")[0].removesuffix(".h5"), []).append(facts)
    ordered = sorted(stages.items(), key=lambda item: max(str(facts.get("ended", "")) for facts in item[1]))
    return tuple(_costs(stage, found) for stage, found in ordered)


def _costs(stage: str, found: Sequence[Mapping[str, Any]]) -> Costs:
    def total(name: str) -> float:
        return sum(float(facts.get(name) or 0.0) for facts in found)

    return Costs(
        stage, len(found), ", ".join(dict.fromkeys(device(facts) for facts in found)),
        ", ".join(dict.fromkeys(commit(facts) for facts in found)), total("wall_seconds"), total("cpu_seconds"),
        max(int(facts.get("peak_memory_bytes") or 0) for facts in found),
    )  # fmt: skip


def software(records: Mapping[str, Mapping[str, Any]]) -> tuple[tuple[dict[str, str], list[str]], ...]:
    """Returns every set of versions of packages, each with the names of what it made."""
    found: list[tuple[dict[str, str], list[str]]] = []
    for name, facts in records.items():
        versions = dict(facts.get("versions") or {})
        for known, names in found:
            if known == versions:
                names.append(name)
                break
        else:
            found.append((versions, [name]))
    return tuple(found)


def duration(seconds: float) -> str:
    """Returns a time as readers say it, e.g. ``2 h 05 min``, ``3 min 20 s`` or ``4.2 s``."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest:02d} s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02d} min"

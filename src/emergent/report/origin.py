"""How results came about, for readers: commit, device and times out of the files ``*.provenance.json``."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from emergent.provenance import commit

DIGITS = 10
"""Of a commit that a page shows."""


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


def origin(file: str, facts: Mapping[str, Any]) -> Origin:
    """Returns what made a file."""
    ended = str(facts.get("ended") or "").replace("T", " ").removesuffix("+00:00")
    return Origin(file, commit(facts, DIGITS), device(facts), ended)


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
        ", ".join(dict.fromkeys(commit(facts, DIGITS) for facts in found)), total("wall_seconds"), total("cpu_seconds"),
        max(int(facts.get("peak_memory_bytes") or 0) for facts in found),
    )  # fmt: skip


def duration(seconds: float) -> str:
    """Returns a time as readers say it, e.g. ``2 h 05 min``, ``3 min 20 s`` or ``4.2 s``."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest:02d} s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02d} min"

"""Of what was a file made, and of what that: the chain back to raw data, as provenance beside each file tells it."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from emergent import storage
from emergent.integrity import content_digest
from emergent.provenance import commit, read_sidecar, sidecar_path

SAME = "as recorded"


@dataclass(frozen=True)
class Origin:
    """One file and the files that it was made of.

    Attributes:
        path: of the file.
        state: ``as recorded``, ``changed since`` or ``gone``, by its digest in the provenance of what was made of it;
            empty where nothing recorded one.
        facts: its provenance, empty if there is none.
        attributes: root attributes of results, e.g. ``experiment`` and ``seed``; empty for other files.
        inputs: likewise.
    """

    path: Path
    state: str
    facts: Mapping[str, Any]
    attributes: Mapping[str, Any]
    inputs: tuple["Origin", ...]


def provenance_of(path: Path) -> dict[str, Any]:
    """Returns what lies beside a file, or beside the stem of the files that were made together; empty if nothing does.

    Raises:
        DataError: it is no JSON.
    """
    for sidecar in (sidecar_path(path), sidecar_path(path.with_suffix(""))):
        if sidecar.exists():
            return read_sidecar(sidecar)
    return {}


def ancestry(path: Path, recorded: str | None = None) -> Origin:
    """Returns a file with all that is known of what it was made of.

    Args:
        path: a result, a figure in any of its formats, prepared data ...
        recorded: digest of the file when something was made of it.

    Raises:
        DataError: provenance that is no JSON.
    """
    state = "" if recorded is None else file_state(path, recorded)
    attributes = storage.peek_attributes(path) if path.suffix == ".h5" else {}
    facts = provenance_of(path)
    recorded_inputs = {Path(name): digest for name, digest in facts.get("inputs", {}).items()}
    # Committed verdicts name the summaries that lie beside them.
    for name, summary in facts.get("committed_summaries", {}).items():
        recorded_inputs[path.parent / f"{name}_summary.h5"] = summary["sha256"]
    inputs = tuple(ancestry(name, digest) for name, digest in recorded_inputs.items())
    return Origin(path, state, facts, attributes, inputs)


def file_state(path: Path, recorded: str) -> str:
    """Returns how a file compares with its recorded digest, see ``Origin.state``."""
    if not path.exists():
        return "gone"
    return SAME if content_digest(path) == recorded else "changed since"


def tree(origin: Origin, depth: int = 0) -> Iterator[str]:
    """Yields the lines of a text that shows a file, how it was made and, below, its inputs.

    Of files side by side that were made alike, such as blocks of members, the first stands for all.
    """
    indent = "  " * depth
    yield f"{indent}{origin.path}{f'  [{origin.state}]' if origin.state else ''}"
    for line in (*_content(origin), *_making(origin)):
        yield f"{indent}    {line}"
    groups: dict[object, list[Origin]] = {}
    for item in origin.inputs:
        groups.setdefault(_likeness(item), []).append(item)
    for first, *others in groups.values():
        yield from tree(first, depth + 1)
        if others:
            yield f"{indent}  ... and {len(others)} more, made alike, the last {others[-1].path}"


def _likeness(origin: Origin) -> object:
    """Returns what is equal for files that need be shown once."""
    if not origin.facts or not origin.attributes:
        return origin.path
    git = origin.facts.get("git") or {}
    return (
        origin.path.parent,
        origin.state,
        origin.attributes.get("config_json"),
        origin.attributes.get("code_fingerprint"),
        git.get("commit"),
        tuple(item.state for item in origin.inputs),
    )


def _content(origin: Origin) -> Iterator[str]:
    attributes = origin.attributes
    named = [f"{key} {attributes[key]}" for key in ("experiment", "arm", "dataset", "seed") if attributes.get(key)]
    if named:
        yield ", ".join(named)
    if attributes.get("stage") != "prepare":
        return
    entry = json.loads(attributes.get("config_json", "{}"))
    for item in entry.get("files") or ():
        # Of some archives upstream publishes no better digest.
        digest = f"SHA-256 {item['sha256']}" if item["sha256"] else f"MD5 {item['md5']}"
        yield f"raw file {item['name']}: {item['bytes']} bytes, {digest}"
    if entry.get("raw"):
        yield f"raw files of data set {entry['raw']}"
    if not entry.get("files") and not entry.get("raw"):
        yield f"made by emergent.datasets.{entry.get('module')}, without downloads"


def _making(origin: Origin) -> Iterator[str]:
    facts = origin.facts
    # Committed verdicts tell digests alone.
    if "ended" not in facts:
        return
    jax = facts.get("jax") or {}
    fingerprint = origin.attributes.get("code_fingerprint") or facts.get("code_fingerprint")
    code = f", code {fingerprint}" if fingerprint else ""
    device = f" on {jax['device_kind']}" if jax else ""
    yield f"{facts['ended']}, commit {commit(facts)}{code}, {facts['wall_seconds']:.3g} s{device}"
    names = ("python", "jax", "numpy", "flax", "optax", "neural-tangents", "matplotlib", "h5py")
    versions = facts.get("versions", {})
    yield ", ".join(f"{name} {versions[name]}" for name in names if name in versions)
    if facts.get("environment"):
        yield ", ".join(f"{name}={value}" for name, value in facts["environment"].items())
    if facts.get("arguments"):
        yield f"{facts.get('verb', '')} {' '.join(facts['arguments'])}".strip()[:400]

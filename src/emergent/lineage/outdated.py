"""Results made of files that have another content today, though an older time: a clock was set back, a file restored.

Snakemake runs a job again when an input is newer than its output. Provenance tells the same by content: the digests of
what an output was made of, which results carry in front, so that all of a run are compared in a second or two.
"""

import contextlib
import os
from collections.abc import Callable, Iterable, Iterator
from functools import cache
from pathlib import Path

from emergent.errors import DataError
from emergent.integrity import content_digest
from emergent.provenance import SIDECAR, read_sidecar

EARLIER = 10**9
"""Nanoseconds that an output is dated before its input; some file systems count in seconds."""


def date_back(folders: Iterable[Path]) -> str:
    """Dates results before an input that has another content than when they were made, so that they are made again.

    Inputs that are no results (settings, published values) are left to Snakemake, which knows their content; so is an
    output that is not the one its provenance is of.

    Args:
        folders: searched with all that is in them, from the folder that paths in provenance start at; need not exist.

    Returns:
        One line on what was done; empty where nothing was.
    """
    digest = cache(content_digest)
    found: list[Path] = []
    for folder in folders:
        for sidecar in sorted(folder.rglob(f"*{SIDECAR}")):
            with contextlib.suppress(OSError, DataError):
                found += _date_back(sidecar, digest)
    if not found:
        return ""
    more = f" and {len(found) - 1} more" if len(found) > 1 else ""
    return (
        f"{found[0]}{more}: made of files that have another content today, though an older time: a clock was set back, "
        "or a file restored. They are dated before these, and made again when they are asked for."
    )


def _date_back(sidecar: Path, digest: Callable[[Path], str]) -> list[Path]:
    """Returns the output that was dated back, the first one of a stem."""
    facts = read_sidecar(sidecar)
    inputs = {Path(name): recorded for name, recorded in facts.get("inputs", {}).items() if name.endswith(".h5")}
    changed = [path for path, recorded in inputs.items() if path.exists() and digest(path) != recorded]
    if not changed:
        return []
    outputs = list(_outputs(sidecar))
    if "sha256" in facts and digest(outputs[0]) != facts["sha256"]:
        return []
    newest = max(path.stat().st_mtime_ns for path in changed)
    late = [path for path in outputs if path.stat().st_mtime_ns >= newest]
    for path in late:
        os.utime(path, ns=(newest - EARLIER, newest - EARLIER))
    return late[:1]


def _outputs(sidecar: Path) -> Iterator[Path]:
    """Yields the file that a provenance is of, or all files of its stem; and the provenance, made by the same job."""
    described = sidecar.with_name(sidecar.name.removesuffix(SIDECAR))
    if described.is_file():
        yield from (described, sidecar)
    else:
        yield from sorted(sidecar.parent.glob(f"{described.name}.*"))

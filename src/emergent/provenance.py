"""How an output came about: versions, device, flags, commit, times.

These facts differ from run to run, so they lie beside an output, in ``<output>.provenance.json``, never inside it:
equal inputs give byte-identical data files. The host's name is left out, so that results can be passed on. JAX is
described when the process has already loaded it, and never loaded for that.
"""

import hashlib
import json
import os
import platform
import resource
import subprocess
import sys
import time
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

from emergent.atomic import atomic_path
from emergent.errors import DataError
from emergent.integrity import content_digest

PACKAGES = (
    "emergent",
    "flax",
    "h5py",
    "jax",
    "jaxlib",
    "jax-cuda12-plugin",
    "matplotlib",
    "neural-tangents",
    "numpy",
    "optax",
    "pandas",
    "pydantic",
    "scikit-learn",
    "scipy",
    "seaborn",
    "snakemake",
)
"""Distributions whose version can change a result."""

VARIABLES = (
    "CUDA_VISIBLE_DEVICES",
    "MKL_NUM_THREADS",
    "NVIDIA_TF32_OVERRIDE",
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "SLURM_CPUS_PER_TASK",
    "SLURM_JOB_ID",
    "TF_CUDNN_DETERMINISTIC",
)
"""Environment variables that can change a result or its speed, besides all that begin with ``JAX_`` and ``XLA_``."""

SIDECAR = ".provenance.json"
"""What the name of a provenance file has beside that of its output."""

JAX_SETTINGS = ("jax_enable_x64", "jax_default_matmul_precision", "jax_threefry_partitionable")

_STARTED_AT = datetime.now(UTC)
_STARTED = time.perf_counter()


def versions() -> dict[str, str]:
    """Returns the versions of Python and of the installed ``PACKAGES``."""
    found = {"python": platform.python_version()}
    for name in PACKAGES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


def collect() -> dict[str, Any]:
    """Returns the facts about this process so far, ready for JSON.

    Keys: ``verb`` and ``arguments`` of the command line, ``versions``, ``platform``, ``cpu_count``, ``environment``,
    ``git`` (``commit`` and ``dirty``, or None outside a repository), ``jax`` (None when it is not loaded), ``started``
    and ``ended`` (UTC, ISO 8601), ``wall_seconds``, ``cpu_seconds``, ``peak_memory_bytes``. Times count from the import
    of this module.
    """
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return {
        "verb": Path(sys.argv[0]).stem,
        "arguments": sys.argv[1:],
        "versions": versions(),
        "platform": {"system": platform.system(), "machine": platform.machine(), "libc": "-".join(platform.libc_ver())},
        "cpu_count": os.cpu_count(),
        "environment": {
            key: value
            for key, value in sorted(os.environ.items())
            if key in VARIABLES or key.startswith(("JAX_", "XLA_"))
        },
        "git": _git(Path(__file__).parent),
        "jax": _jax(),
        "started": _STARTED_AT.isoformat(timespec="seconds"),
        "ended": datetime.now(UTC).isoformat(timespec="seconds"),
        "wall_seconds": round(time.perf_counter() - _STARTED, 3),
        "cpu_seconds": round(usage.ru_utime + usage.ru_stime, 3),
        # In bytes on macOS, in units of 1024 bytes on Linux.
        "peak_memory_bytes": usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024),
    }


def physical_memory_bytes() -> int:
    """Returns the machine's memory in bytes."""
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def processor() -> str:
    """Returns a name for the instructions that this machine's processor knows."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    known = sorted({line for line in lines if line.startswith(("model name", "flags", "Features"))})
    text = "\n".join([platform.machine(), *(known or [platform.processor()])])
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def sidecar_path(output: Path) -> Path:
    """Returns where the provenance of ``output`` lies."""
    return output.with_name(f"{output.name}{SIDECAR}")


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


def commit(facts: Mapping[str, Any], digits: int = 12) -> str:
    """Returns the first digits of the commit that made a file, and whether there were changes on top of it."""
    git = facts.get("git") or {}
    return str(git.get("commit", "unknown"))[:digits] + (" + changes" if git.get("dirty") else "")


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


def write_sidecar(output: Path, extra: Mapping[str, Any] | None = None, inputs: Iterable[Path] = ()) -> Path:
    """Writes what ``collect`` returns beside an output, atomically, and of what it was made.

    Args:
        output: the file described, or the stem of several; its folder must exist.
        extra: further facts under names of their own, e.g. ``{"code_fingerprint": "..."}``.
        inputs: files that were read. Their digests are kept under ``inputs``, by path, and the output's own under
            ``sha256`` (``emergent.integrity.content_digest``).

    Returns:
        The sidecar's path.

    Raises:
        ValueError: a name in ``extra`` is one of ``collect``.
    """
    facts = collect()
    taken = sorted(facts.keys() & (extra or {}).keys())
    if taken:
        raise ValueError(f"extra facts must not replace collected ones, found {', '.join(taken)}.")
    if output.is_file():
        facts["sha256"] = content_digest(output)
    facts["inputs"] = {str(path): content_digest(path) for path in inputs}
    path = sidecar_path(output)
    with atomic_path(path) as temporary:
        temporary.write_text(json.dumps(facts | dict(extra or {}), indent=2, sort_keys=True) + "\n", encoding="utf-8")
    return path


def _git(folder: Path) -> dict[str, Any] | None:
    try:
        commit = _git_output(folder, "rev-parse", "HEAD")
        return {"commit": commit, "dirty": bool(_git_output(folder, "status", "--porcelain"))}
    except (OSError, subprocess.SubprocessError):
        return None


def _git_output(folder: Path, *arguments: str) -> str:
    # Jobs run side by side: none may take the lock of the index.
    environment = os.environ | {"GIT_OPTIONAL_LOCKS": "0"}
    command = ["git", "-C", str(folder), *arguments]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True, timeout=20)
    return done.stdout.strip()


def _jax() -> dict[str, Any] | None:
    jax = sys.modules.get("jax")
    if jax is None:
        return None
    devices = jax.devices()
    return {
        "backend": jax.default_backend(),
        "device_kind": devices[0].device_kind,
        "device_count": len(devices),
        "settings": {name: getattr(jax.config, name) for name in JAX_SETTINGS},
    }

"""What a verb's result may depend on: the caller's shell is not part of it.

Variables that bend numbers or pictures are dropped before anything reads them, so that a configuration and its
fingerprint mean the same in every shell. What only says where to compute, how much to report or where to keep compiled
programs is left alone, and recorded in the provenance of every file.
"""

import os
from collections.abc import MutableMapping

KEPT = (
    "JAX_PLATFORMS",
    "JAX_COMPILATION_CACHE_",
    "JAX_PERSISTENT_CACHE_",
    "JAX_LOG_",
    "JAX_LOGGING_",
    "JAX_DEBUG_",
    "JAX_TRACEBACK_",
    "JAX_CUDA_",
    "JAX_ROCM_",
    "JAX_TPU_",
    "JAX_LOCAL_",
    "JAX_COORDINATOR_",
)
"""Beginnings of JAX's variables that leave numbers alone; all others (precision, promotion, ...) are dropped."""

LOOSE = ("fast_math", "fast_min_max", "excess_precision", "reduced_precision")
"""Words in flags of XLA that trade accuracy for speed."""

ACCELERATOR = "EMERGENT_ACCELERATOR"
"""Not empty where a run's configuration says ``accelerator: true``; a flag of a rule would make its jobs run anew."""

PINNED = {"MPLBACKEND": "agg", "PYTHONUTF8": "1"}
"""Notebooks name a backend that exists in their kernel only; the encoding of files is that of no locale."""


def pin(environment: MutableMapping[str, str] = os.environ) -> list[str]:
    """Drops and sets variables of this process.

    Args:
        environment: changed in place.

    Returns:
        The names of those that were dropped, sorted, and the flags of XLA that were.
    """
    dropped = sorted(name for name in environment if name.startswith("JAX_") and not name.startswith(KEPT))
    for name in dropped:
        del environment[name]
    environment.update(PINNED)
    flags = environment.get("XLA_FLAGS", "").split()
    loose = [flag for flag in flags if any(word in flag for word in LOOSE)]
    if loose:
        environment["XLA_FLAGS"] = " ".join(flag for flag in flags if flag not in loose)
    return dropped + loose

"""What a symmetry gives for its cost, built in, learnt or relaxed: one table for all experiments that compare."""

from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Float

from emergent.config.stages import Symmetry
from emergent.statistics.estimate import Estimate

COLUMNS = (
    "arm", "symmetry", "ensemble_size", "work", "error", "error_stderr", "asymmetry", "asymmetry_stderr", "num",
)  # fmt: skip


def choice(
    arm: str,
    symmetry: Symmetry | None,
    ensemble_size: int,
    work: float,
    errors: Float[np.ndarray, " M"],
    asymmetries: Float[np.ndarray, " M"],
) -> dict[str, Any]:
    """Returns one row of the table ``choices``.

    Args:
        arm: name.
        symmetry: how its networks come by it.
        ensemble_size: networks that are averaged.
        work: multiplications in matrix products of the training of one network.
        errors: on test samples, of every repeat.
        asymmetries: relative errors of equivariance, of every repeat.
    """
    error, asymmetry = Estimate.mean(errors), Estimate.mean(asymmetries)
    return {
        "arm": arm, "symmetry": symmetry or "", "ensemble_size": ensemble_size, "work": ensemble_size * float(work),
        "error": error.value, "error_stderr": error.stderr, "asymmetry": asymmetry.value,
        "asymmetry_stderr": asymmetry.stderr, "num": len(errors),
    }  # fmt: skip


def choices_table(rows: list[dict[str, Any]]) -> pd.DataFrame:
    """Returns the table of these rows."""
    return pd.DataFrame(rows, columns=list(COLUMNS))

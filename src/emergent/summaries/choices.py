"""What a symmetry gives for its cost, built in, learnt or relaxed: one table for all experiments that compare."""

from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Float

from emergent.config.stages import Symmetry
from emergent.statistics.estimate import Estimate
from emergent.summaries.quantities import Quantities

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


def add_equal_work(chosen: list[tuple[dict[str, Any], Float[np.ndarray, " M"]]], quantities: Quantities) -> None:
    """Adds ``equal_work/<arm>``: log10 of an arm's test error over that of augmented networks of no more training work.

    Of arms whose symmetry is built in or relaxed, against the largest ensemble that takes at most as much work, or one
    augmented network where that takes more; repeat by repeat.

    Args:
        chosen: rows of ``choice`` with the errors of their repeats, which arms share.
        quantities: to add to.
    """
    augmented = [item for item in chosen if item[0]["symmetry"] == "augmented"]
    if not augmented:
        return
    for row, errors in chosen:
        if row["symmetry"] not in ("built_in", "relaxed") or row["ensemble_size"] > 1:
            continue
        affordable = [item for item in augmented if item[0]["work"] <= row["work"]]
        other, theirs = max(affordable, key=_work) if affordable else min(augmented, key=_work)
        number = other["ensemble_size"]
        text = f"log10 of the test error over that of {number} augmented network(s), of no more training work"
        if not affordable:
            text = "log10 of the test error over that of one augmented network, whose training is more work"
        quantities.add(f"equal_work/{row['arm']}", Estimate.mean(np.log10(errors) - np.log10(theirs)), text)


def _work(item: tuple[dict[str, Any], Any]) -> float:
    return item[0]["work"]

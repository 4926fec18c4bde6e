"""Summary of experiments of kind ``discretisation``: errors under SO(2) against the distance of SO(2) from C_k.

References:
    arXiv 2403.03103, lemma on augmentation by a finite part of a continuous group.
"""

import numpy as np
import pandas as pd
from jaxtyping import Float

from emergent import storage
from emergent.config.discretisation import DiscretisationSummary
from emergent.statistics.estimate import Estimate, standard_error
from emergent.summaries.files import Blocks, Predictions, Tables
from emergent.summaries.quantities import Quantities
from emergent.summaries.runs import read_runs

ROUNDING_MARGIN = 10.0
"""Errors below so many times the rounding errors of one mean output are rounding, and enter no slope."""

SLOPES = {
    "error": "slope of the logarithm of the error in that of kappa, fitted over all groups",
    "terms": "the same slope, of the error without cancellation, between the two largest groups",
    "bound": "the same slope, of the bound, between the two largest groups",
}


def summarise_discretisation(settings: DiscretisationSummary, blocks: Blocks, predictions: Predictions) -> Tables:
    """Returns the tables ``errors`` and ``quantities``.

    ``errors`` (arm, order, kappa, time, what, mean, stderr, largest, num): what is ``error``, ``terms``, ``bound`` or
    ``rounding``; the mean over test points and training sets, its standard error over training sets, and the largest.

    Args:
        settings: of the summary stage.
        blocks: arm to its training files.
        predictions: not used by this kind.

    Raises:
        DataError: the files of an arm do not hold every training set once.
    """
    del predictions
    quantities, rows = Quantities(), []
    quantities.add("num_members", Estimate.exact(settings.num_members), "training sets of every arm")
    for arm in (facts.name for facts in settings.arms):
        names = ["error", "terms", "rounding", *(["bound"] if arm in settings.smooth_arms else [])]
        found = read_runs(arm, blocks[arm], settings.num_members, dict.fromkeys(names, 0), "training sets")
        axes = storage.read_arrays(blocks[arm][0], ["orders", "kappa", "times"], "train")
        means = {name: values.mean(3) for name, values in found.items()}
        for name, values in means.items():
            for index, (order, kappa) in enumerate(zip(axes["orders"], axes["kappa"], strict=True)):
                for step, time in enumerate(axes["times"]):
                    part = values[:, index, step]
                    rows.append({"arm": arm, "order": int(order), "kappa": float(kappa), "time": int(time),
                                 "what": name, "mean": float(part.mean()), "stderr": standard_error(part),
                                 "largest": float(found[name][:, index, step].max()), "num": len(part)})  # fmt: skip
        for step, time in enumerate(axes["times"]):
            _add(quantities, f"{arm}/{time}", axes["kappa"], {key: own[:, :, step] for key, own in means.items()})
            if "bound" in found:
                _add_ratios(quantities, f"{arm}/{time}", {key: own[:, :, step] for key, own in found.items()})
    return {"errors": pd.DataFrame(rows), "quantities": quantities.table()}


def _add(
    quantities: Quantities, name: str, kappa: Float[np.ndarray, " K"], means: dict[str, Float[np.ndarray, "M K"]]
) -> None:
    kept = means["error"] > ROUNDING_MARGIN * means["rounding"]
    slopes = [fitted_slope(kappa[used], values[used]) for values, used in zip(means["error"], kept, strict=True)]
    quantities.add(f"error_slope/{name}", Estimate.mean(np.array(slopes)), SLOPES["error"])
    for what in ("terms", "bound"):
        # Between the largest groups: weights of training points, and with them C(x), still change between small ones.
        if what in means:
            slopes = [fitted_slope(kappa[-2:], values[-2:]) for values in means[what]]
            quantities.add(f"{what}_slope/{name}", Estimate.mean(np.array(slopes)), SLOPES[what])


def _add_ratios(quantities: Quantities, name: str, found: dict[str, Float[np.ndarray, "M K P"]]) -> None:
    for what, text in (("error", "error"), ("terms", "error without cancellation")):
        ratio = found[what] / found["bound"]
        estimate = Estimate.exact(float(ratio.max()), "largest", ratio.size)
        quantities.add(f"{what}_to_bound/{name}", estimate, f"{text} over its bound, largest of all")


def fitted_slope(x: Float[np.ndarray, " K"], y: Float[np.ndarray, " K"]) -> float:
    """Returns the slope of log y in log x by least squares; NaN of fewer than two points."""
    return float(np.polyfit(np.log(x), np.log(y), 1)[0]) if len(x) > 1 else float("nan")

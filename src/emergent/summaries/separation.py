"""Summary of experiments of kind ``separation``: which invariants tell orbits apart, by kind of pair.

References:
    arXiv 2106.06610; arXiv 2405.08097.
"""

import numpy as np
import pandas as pd
from jaxtyping import Bool, Float

from emergent.config.separation import SeparationSummary
from emergent.statistics.estimate import Estimate
from emergent.summaries.files import Blocks, Predictions, Tables
from emergent.summaries.quantities import Quantities
from emergent.summaries.runs import read_runs

SMALLEST = 1e-17
"""Below this there are no distances of float64: clouds that agree in every digit are put there."""


def summarise_separation(settings: SeparationSummary, blocks: Blocks, predictions: Predictions) -> Tables:
    """Returns the tables ``separation`` and ``quantities``.

    ``separation`` (candidate, label, symbol, group, complete, pair, orbit, invariant, same, separated, num): medians
    over all pairs of the base-ten logarithms of both distances, and the fractions of pairs on one orbit and of
    those whose invariants differ.

    Args:
        settings: of the summary stage.
        blocks: the one arm to its training files.
        predictions: not used by this kind.

    Raises:
        DataError: the files do not hold every repetition once.
    """
    del predictions
    ((arm, paths),) = blocks.items()
    runs = read_runs(arm, paths, settings.num_members, {"orbit": 0, "invariant": 0}, "repetitions")
    quantities = Quantities()
    quantities.add("num_members", Estimate.exact(settings.num_members), "repetitions, each of many pairs of each kind")
    rows = []
    for index, candidate in enumerate(settings.candidates):
        name = candidate.name
        orbit, invariant = runs["orbit"][:, index], runs["invariant"][:, index]
        same, separated = orbit < settings.threshold, invariant >= settings.threshold
        word = "complete" if candidate.complete else "incomplete"
        if not same.all():
            text = "fraction of the pairs on two orbits whose invariants differ"
            quantities.add(f"separated/{word}/{name}", _fraction(separated, ~same), text)
        if same.any():
            text = "fraction of the pairs on one orbit whose invariants differ all the same"
            quantities.add(f"split/{name}", _fraction(separated, same), text)
        if same.any() and not same.all():
            text = "decades between the invariants of pairs on one orbit, at most, and of those on two, at least"
            quantities.add(f"decades/{word}/{name}", Estimate.mean(_decades(invariant, same)), text)
        for column, pair in enumerate(settings.pairs):
            own = separated[:, column]
            if not same[:, column].all():
                text = f"fraction of {pair} pairs on two orbits whose invariants are equal"
                quantities.add(f"missed/{name}/{pair}", _fraction(~own, ~same[:, column]), text)
            logs = (np.log10(np.maximum(values[:, column], SMALLEST)) for values in (orbit, invariant))
            medians = [float(np.median(values)) for values in logs]
            rows.append({"candidate": name, "label": candidate.label, "symbol": candidate.symbol,
                         "group": candidate.group, "complete": candidate.complete, "pair": pair, "orbit": medians[0],
                         "invariant": medians[1], "same": float(same[:, column].mean()),
                         "separated": float(own.mean()), "num": own.size})  # fmt: skip
    return {"separation": pd.DataFrame(rows), "quantities": quantities.table()}


def _fraction(which: Bool[np.ndarray, "M ..."], among: Bool[np.ndarray, "M ..."]) -> Estimate:
    """Returns the mean over members of the fraction of some pairs among others; members without any say nothing."""
    axes = tuple(range(1, among.ndim))
    num = among.sum(axes)
    return Estimate.mean(((which & among).sum(axes)[num > 0]) / num[num > 0])


def _decades(invariant: Float[np.ndarray, "M ..."], same: Bool[np.ndarray, "M ..."]) -> Float[np.ndarray, " M"]:
    axes = tuple(range(1, same.ndim))
    logs = np.log10(np.maximum(invariant, SMALLEST))
    return np.where(same, np.inf, logs).min(axes) - np.where(same, logs, -np.inf).max(axes)

"""Fractions of random rotations that leave the predicted class as it is, on sets that have rotations of their own.

Every sample has draws of its own, the same for all members and arms; the unrotated sample, which they are compared
with, is none. The scatter of draws is a part of that from sample to sample, of which errors are made: it averages out
with it, and over a whole test set remains.

References:
    arXiv 2403.03103, emergent invariance under all rotations of the plane.
"""

from collections.abc import Mapping
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd

from emergent.config.questions import EnsembleSummary
from emergent.config.stages import DataFacts
from emergent.metrics.orbit import orbit_same_predictions
from emergent.statistics.estimate import Estimate, Estimator, draws_error
from emergent.summaries.gains import ALL, Gains, errors, gains_of, statistics
from emergent.summaries.pool import MemberPool
from emergent.summaries.quantities import Quantities

FRACTION = "osp_fraction"
"""Table of fractions by arm, set, epoch, predictor and ensemble size."""


def add_fractions(settings: EnsembleSummary, pools: Mapping[str, MemberPool], quantities: Quantities) -> pd.DataFrame:
    """Returns the table of fractions, empty if no set has rotations, and adds the scalars that claims refer to.

    Args:
        settings: of the summary stage.
        pools: evaluated members of every arm.
        quantities: to which they are added.
    """
    rows: list[dict[str, Any]] = []
    rotated = [data for data in settings.data if data.rotations is not None]
    for data in rotated:
        levels: dict[str, Gains] = {}
        for arm in settings.arms:
            pool = pools[arm.name]
            head = {"arm": arm.name, "group": arm.group, "order": arm.order, "data": data.name}
            members = _draws(pool.metric(data.name, "orbit_same_predictions"))
            rows += (found := _rows(head, pool.epochs, members, data, 1))
            _add_levels(quantities, data, found)
            for size in settings.ensemble_sizes:
                parts = pool.ensembles(data.name, size, settings.max_ensembles)
                ensembles = _draws(np.stack([orbit_same_predictions(outputs) for outputs in parts]))
                rows += (found := _rows(head, pool.epochs, ensembles, data, size, members))
                if size == settings.reference_ensemble_size:
                    _add_levels(quantities, data, found)
                if size == min(settings.ensemble_sizes):
                    gain = _gain(ensembles, members, data, size)
                    _add_gains(quantities, arm.name, data, gain, pool.epochs)
                    values, images = (_fraction(ensembles, data).mean(axis) for axis in (2, 0))
                    levels[arm.name] = Gains(values[:, pool.epochs > 0], images[pool.epochs > 0], False)
        _add_growth(quantities, settings, data, levels)
    return pd.DataFrame(rows)


def _draws(counts: np.ndarray) -> np.ndarray:
    """Returns how many draws count, without the unrotated sample itself, which always does."""
    return counts.astype(np.int64) - 1


def _fraction(draws: np.ndarray, data: DataFacts) -> np.ndarray:
    assert data.rotations is not None
    return draws / data.rotations.num


def _gain(ensembles: np.ndarray, members: np.ndarray, data: DataFacts, size: int) -> Gains:
    """Returns what the fractions of ensembles [R, E, N] are above those of their own members [M, E, N]."""
    values, images = (_fraction(ensembles, data).mean(axis) for axis in (2, 0))
    # Also over a whole test set, of which the draws remain a sample.
    return gains_of(values, images, _fraction(members, data), size, False)


def _rows(
    head: dict[str, Any], epochs: np.ndarray, draws: np.ndarray, data: DataFacts, size: int,
    members: np.ndarray | None = None,
) -> list[dict[str, Any]]:  # fmt: skip
    """Returns a row per epoch of members or, where these are given beside, of ensembles with draws [R, E, N]."""
    assert data.rotations is not None
    fractions = _fraction(draws, data)
    gain = None if members is None else _gain(draws, members, data, size)
    rows = []
    for index, epoch in enumerate(epochs):
        values, images = (fractions[:, index].mean(axis) for axis in (1, 0))
        row = statistics(values) | errors(values, images, False)
        noise = {"gain_stderr": np.nan if gain is None else gain.mean(index).stderr,
                 "draw_stderr": draws_error(draws[:, index], data.rotations.num)}  # fmt: skip
        predictor = {"predictor": "members" if members is None else "ensemble", "ensemble_size": size}
        rows.append(head | {"epoch": int(epoch)} | predictor | row | noise)
    return rows


def _add_levels(quantities: Quantities, data: DataFacts, rows: list[dict[str, Any]]) -> None:
    for row in rows:
        is_ensemble = row["predictor"] == "ensemble"
        kind: Estimator = "disjoint ensembles" if is_ensemble else "mean"
        level = Estimate.of_spread(row["mean"], row["std"], row["num"], kind)
        name = f"{'ensemble' if is_ensemble else 'members'}_fraction/{row['arm']}/{{data}}/{row['epoch']}"
        text = "fraction of random rotations that leave the predicted class unchanged"
        quantities.add_on(data, (name, level.blurred(row["image_stderr"]), text))


def _add_gains(quantities: Quantities, arm: str, data: DataFacts, gain: Gains, epochs: np.ndarray) -> None:
    later = Gains(gain.values[:, epochs > 0], gain.by_image[epochs > 0], gain.whole)
    # To pick the worst epoch biases the gain downwards, against the claim that it is positive.
    worst = later.mean(int(later.values.mean(0).argmin()))
    text = "smallest ensemble minus members' mean fraction over epochs >= 1"
    quantities.add_on(data, (f"min_fraction_gain/{arm}/{{data}}", worst, text))
    text = "ensemble minus members' mean fraction, averaged over epochs >= 1"
    quantities.add_on(data, (f"fraction_gain/{arm}/{{data}}", later.mean(ALL), text))


def _add_growth(quantities: Quantities, settings: EnsembleSummary, data: DataFacts, levels: dict[str, Gains]) -> None:
    ranked = sorted((arm for arm in settings.arms if arm.order > 1), key=lambda arm: arm.order)
    for smaller, larger in pairwise(ranked):
        if smaller.order == larger.order:
            continue
        text = f"increase of the ensemble's fraction from {smaller.group} to {larger.group}, over epochs >= 1"
        growth = levels[larger.name].minus(levels[smaller.name], 1.0, 1.0).mean(ALL)
        quantities.add_on(data, (f"fraction_growth/{larger.name}/{{data}}", growth, text))

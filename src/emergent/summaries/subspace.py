"""Summary of experiments of kind ``subspace``: distance from the equivariant networks along augmented training.

The distance of a network is the root of the summed squares of its layers' distances.

References:
    arXiv 2303.13458, experimental results of the later versions.
"""

import math
from collections.abc import Mapping

import numpy as np
import pandas as pd
from jaxtyping import Float

from emergent.config.stages import SummaryStage
from emergent.statistics.estimate import Estimate, combined_dof
from emergent.summaries.files import Blocks, Predictions, Tables
from emergent.summaries.quantities import Quantities
from emergent.summaries.runs import read_runs

MAX_BATCHES = 300
"""Batches of the first epoch in the table: every k-th is kept where there are more."""
AXES = {"initial": 0, "distances": 2, "loss_equivariant": 1, "loss_augmented": 1}
"""Arrays of the training files, with their axis of runs."""


def summarise_subspace(settings: SummaryStage, blocks: Blocks, predictions: Predictions) -> Tables:
    """Returns the tables ``subspace_distance``, ``layers`` and ``quantities``.

    ``subspace_distance`` (arm, member, time_unit, time, distance): with unit ``epoch`` the mean over each epoch,
    preceded at time 0 by the start; with unit ``batch`` the value after batches of the first epoch. ``layers`` (arm,
    layer, epoch, distance): the median over runs of epoch means, layer by layer.

    Args:
        settings: of the summary stage.
        blocks: arm to its training files.
        predictions: not used by this kind.

    Raises:
        DataError: the files of an arm do not hold every run once.
    """
    del predictions
    rows, layers = [], []
    quantities = Quantities()
    totals: dict[str, np.ndarray] = {}
    for arm in (facts.name for facts in settings.arms):
        block = read_runs(arm, blocks[arm], settings.num_members, AXES)
        total = np.linalg.norm(block["distances"].astype(float), axis=-1)
        start = np.linalg.norm(block["initial"].astype(float), axis=-1)
        epochs = np.concatenate([start[None], total.mean(1)])
        # The last batch of every stretch of k.
        keep = np.arange(-(-total.shape[1] // MAX_BATCHES) - 1, total.shape[1], -(-total.shape[1] // MAX_BATCHES))
        rows += [_table(arm, "epoch", np.arange(len(epochs)), epochs), _table(arm, "batch", keep + 1, total[0, keep])]
        # Medians over runs, as in the published figure.
        per_layer = np.median(block["distances"].astype(float).mean(1), axis=1)
        for layer in range(per_layer.shape[1]):
            layers.append(pd.DataFrame({"arm": arm, "layer": layer, "epoch": np.arange(1, len(epochs)),
                                        "distance": per_layer[:, layer]}))  # fmt: skip
        _add_quantities(quantities, arm, start, total, block)
        totals[arm] = total
    for facts in settings.arms:
        if facts.compare_to is None:
            continue
        _add_comparison(quantities, facts.name, facts.compare_to, totals[facts.name], totals[facts.compare_to])
    return {
        "subspace_distance": pd.concat(rows, ignore_index=True),
        "layers": pd.concat(layers, ignore_index=True),
        "quantities": quantities.table(),
    }


def _add_quantities(
    quantities: Quantities, arm: str, start: np.ndarray, total: np.ndarray, block: Mapping[str, np.ndarray]
) -> None:
    """Adds the scalars of one arm, whose distances after every step are ``total`` [E, T, M]."""
    final = Estimate.median(total[-1].mean(0))
    quantities.add(f"initial/{arm}", Estimate.median(start), "median distance before augmented training")
    quantities.add(f"final/{arm}", final, "median of the mean distance in the last epoch")
    largest = Estimate.exact(max(float(total.max()), float(start.max())), "largest", len(start))
    quantities.add(f"largest/{arm}", largest, "largest distance of any run after any step")
    # An arm that stays in E is at round-off from it, which may be exactly 0.
    drift = total[-1].mean(0) / np.maximum(total[0].mean(0), np.finfo(np.float32).tiny)
    text = "distance in the last epoch over that in the first, median"
    quantities.add(f"drift/{arm}", Estimate.median(drift), text)
    for phase in ("equivariant", "augmented"):
        loss = Estimate.median(block[f"loss_{phase}"][-1].astype(float))
        quantities.add(f"loss_{phase}/{arm}", loss, f"median training loss in the last epoch of the {phase} phase")


def _add_comparison(
    quantities: Quantities,
    arm: str,
    control: str,
    own: Float[np.ndarray, "E T M"],
    base: Float[np.ndarray, "E T M"],
) -> None:
    """Adds what an arm's distance and its growth are beside those of its control, in units of the control's distance.

    The control is at a distance too, that of its noise or of rounding, so that a distance alone says nothing.

    Args:
        quantities: gets them.
        arm: name of the arm.
        control: name of the arm that it is compared with, which stays by theory.
        own: distances of the arm after every step.
        base: those of the control.
    """
    (first, last), (base_first, base_last) = ((total[0].mean(0), total[-1].mean(0)) for total in (own, base))
    # Arms draw starts of their own, so that their errors are independent.
    final, reference = Estimate.median(last), Estimate.median(base_last)
    ratio = final.value / reference.value
    relative = [(found.stderr / found.value, found.dof) for found in (final, reference)]
    error = ratio * math.hypot(*(error for error, _ in relative))
    text = f"final distance over that of {control}"
    quantities.add(f"ratio/{arm}", Estimate(ratio, error, len(last), "ratio", combined_dof(*relative)), text)
    growth, base_growth = Estimate.median(last - first), Estimate.median(base_last - base_first)
    excess = (growth.value - base_growth.value) / reference.value
    # Growth and final distance of the control come from the same runs: together they move the quotient like their sum.
    together = Estimate.median(base_last - base_first + excess * base_last)
    parts = [(found.stderr / reference.value, found.dof) for found in (growth, together)]
    error = math.hypot(*(error for error, _ in parts))
    text = f"growth of the distance from the first to the last epoch, less that of {control}, over its final distance"
    quantities.add(f"growth_excess/{arm}", Estimate(excess, error, len(last), "ratio", combined_dof(*parts)), text)


def _table(arm: str, unit: str, times: np.ndarray, values: np.ndarray) -> pd.DataFrame:
    """Returns [T, M] values as a tidy table."""
    num_times, num_members = values.shape
    return pd.DataFrame(
        {
            "arm": arm,
            "member": np.repeat(np.arange(num_members), num_times),
            "time_unit": unit,
            "time": np.tile(times.astype(float), num_members),
            "distance": values.T.reshape(-1),
        }
    )

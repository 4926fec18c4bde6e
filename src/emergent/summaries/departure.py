"""Summary of experiments of kind ``departure``: distance moved and distance from the equivariant weights.

References:
    arXiv 2303.13458, first version.
"""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from emergent.config.departure_training import MODES
from emergent.config.stages import SummaryStage
from emergent.statistics.estimate import Estimate
from emergent.summaries.files import Blocks, Predictions, Tables
from emergent.summaries.quantities import Quantities
from emergent.summaries.runs import read_runs

NAMES = ("moved", "distance", "loss")


def summarise_departure(settings: SummaryStage, blocks: Blocks, predictions: Predictions) -> Tables:
    """Returns the tables ``departure`` (arm, group, mode, member, step, moved, distance) and ``quantities``.

    Args:
        settings: of the summary stage.
        blocks: arm to its training files.
        predictions: not used by this kind.

    Raises:
        DataError: the files of an arm do not hold every run once.
    """
    del predictions
    rows, quantities = [], Quantities()
    for arm in settings.arms:
        block = read_runs(arm.name, blocks[arm.name], settings.num_members, dict.fromkeys(NAMES, 2))
        shares = {}
        for index, mode in enumerate(MODES):
            moved, distance, loss = (block[name][index].astype(float) for name in NAMES)
            # The start itself, which is not recorded: unmoved, and in E.
            moved, distance = (np.vstack([np.zeros_like(found[:1]), found]) for found in (moved, distance))
            rows.append(_curves({"arm": arm.name, "group": arm.group, "mode": mode}, moved, distance))
            shares[mode] = distance[-1] / moved[-1]
            text = "distance from the equivariant weights after the last step"
            for name, values, description in (
                ("moved", moved[-1], "median distance from the start after the last step"),
                ("distance", distance[-1], f"median {text}"),
                ("departure", shares[mode], f"median {text}, over the distance moved"),
                ("loss", loss[-1], "median loss before the last step"),
            ):
                quantities.add(f"{name}/{arm.name}/{mode}", Estimate.median(values), description)
        ratio = Estimate.median(shares["augmented"] / shares["nominal"])
        text = "departure of augmented over that of nominal training, run by run"
        quantities.add(f"departure_ratio/{arm.name}", ratio, text)
    return {"departure": pd.concat(rows, ignore_index=True), "quantities": quantities.table()}


def _curves(key: Mapping[str, str], moved: np.ndarray, distance: np.ndarray) -> pd.DataFrame:
    num_times, num = moved.shape
    columns = {"member": np.repeat(np.arange(num), num_times), "step": np.tile(np.arange(num_times), num)}
    return pd.DataFrame({**key, **columns, "moved": moved.T.reshape(-1), "distance": distance.T.reshape(-1)})

"""Summary of experiments of kind ``equal_means``: means of augmented and equivariant ensembles over training time.

References:
    arXiv 2406.06504, theorem on the means of augmented and of equivariant networks.
"""

import math

import numpy as np
import pandas as pd

from emergent import storage
from emergent.config.equal_means import CURVES
from emergent.config.stages import SummaryStage
from emergent.point_groups import group_from_name, irrep_names
from emergent.statistics.estimate import Estimate, standard_error
from emergent.summaries.files import Blocks, Predictions, Tables
from emergent.summaries.quantities import Quantities
from emergent.summaries.runs import read_runs

MEASURED: tuple[str, ...] = ("distance", "asymmetry", "accuracy", "example", "variance")


def summarise_equal_means(settings: SummaryStage, blocks: Blocks, predictions: Predictions) -> Tables:
    """Returns the tables ``means``, ``spectrum`` and ``quantities``.

    ``means`` (arm, curve, time, what, mean, stderr, num): over draws of images. The example is that of the first draw
    alone. ``spectrum`` (arm, irrep, rank, eigenvalue, num): geometric mean over draws.

    Args:
        settings: of the summary stage.
        blocks: arm to its training files.
        predictions: not used by this kind.

    Raises:
        DataError: the files of an arm do not hold every draw once.
    """
    del predictions
    quantities, rows, ranks = Quantities(), [], []
    quantities.add("num_members", Estimate.exact(settings.num_members), "draws of images of every arm")
    for facts in settings.arms:
        arm = facts.name
        names: dict[str, int] = dict.fromkeys((*MEASURED, "spectrum"), 0)
        found = read_runs(arm, blocks[arm], settings.num_members, names, "draws")
        times = [*storage.read_arrays(blocks[arm][0], ["times"], "train")["times"].tolist(), math.inf]
        for c, curve in enumerate(CURVES):
            for t, time in enumerate(times):
                for what in MEASURED:
                    own = found[what][:1, c, t] if what == "example" else found[what][:, c, t]
                    error = standard_error(own) if len(own) > 1 else float("nan")
                    rows.append({"arm": arm, "curve": curve, "time": time, "what": what, "mean": float(own.mean()),
                                 "stderr": error, "num": len(own)})  # fmt: skip
        _add(quantities, arm, found)
        for r, name in enumerate(irrep_names(group_from_name(facts.group))):
            positive = np.maximum(found["spectrum"][:, r], np.finfo(float).tiny)
            values = np.exp(np.log(positive).mean(0))
            ranks += [{"arm": arm, "irrep": name, "rank": rank + 1, "eigenvalue": float(value), "num": len(positive)}
                      for rank, value in enumerate(values)]  # fmt: skip
    return {"means": pd.DataFrame(rows), "spectrum": pd.DataFrame(ranks), "quantities": quantities.table()}


def _add(quantities: Quantities, arm: str, found: dict[str, np.ndarray]) -> None:
    """Adds what claims read; distances over the scale of the equivariant network's own changes, its largest output."""
    scale = found["distance"][:, CURVES.index("plain")].max(1)
    distance = found["distance"][:, CURVES.index("augmented")].max(1)
    # Exact identities leave rounding, which has no standard error: the largest of all draws.
    worst = Estimate.exact(float((distance / scale).max()), "largest", len(distance))
    text = "largest distance over time of the augmented from the equivariant mean, over that of the plain from it"
    quantities.add(f"relative_distance/{arm}", worst, text)
    for curve in CURVES:
        asymmetry = found["asymmetry"][:, CURVES.index(curve)].max(1)
        quantities.add(f"asymmetry/{arm}/{curve}", Estimate.mean(asymmetry), "largest asymmetry of the mean over time")
        accuracy = found["accuracy"][:, CURVES.index(curve), -1]
        quantities.add(f"accuracy/{arm}/{curve}", Estimate.mean(accuracy), "accuracy at infinite time")
    plain = Estimate.mean(found["distance"][:, CURVES.index("plain")].max(1))
    quantities.add(f"distance/{arm}/plain", plain, "largest distance over time of the plain from the equivariant mean")
    ratio = found["variance"][:, CURVES.index("augmented"), -1] / found["variance"][:, CURVES.index("equivariant"), -1]
    text = "variance of single augmented networks over that of equivariant ones, at infinite time"
    quantities.add(f"variance_ratio/{arm}", Estimate.mean(ratio), text)

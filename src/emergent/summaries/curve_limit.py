"""Summary of experiments of kind ``curve_limit``: networks on a line beside the infinitely wide ensemble.

At infinite width a trained network is normal about the mean of the ensemble, with a variance that is predicted too. A
network of finite width is farther from that mean: the mean over networks of its squared distance is

    noise + bias^2 = sigma^2 + O(1 / width),  bias = O(1 / width),

with the predicted variance sigma^2. What is left when sigma^2 is taken off falls like one over the width, and as a
distance like its root; so do members collapse, where sigma is small. Their mean does so like one over the width.

References:
    talks on arXiv 2403.03103: networks that learn a sine, by width, beside their limit.
"""

from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Float

from emergent import storage
from emergent.config.curve_limit import LimitSummary
from emergent.config.stages import DataFacts
from emergent.statistics.estimate import Estimate
from emergent.statistics.laws import squared_gap_law
from emergent.statistics.width_fits import width_exponent
from emergent.summaries.files import Blocks, Predictions, Tables, predictions_of
from emergent.summaries.pool import STAGE, open_pools
from emergent.summaries.quantities import Quantities


def summarise_curve_limit(settings: LimitSummary, blocks: Blocks, predictions: Predictions) -> Tables:
    """Returns the tables ``curves``, ``limit``, ``targets``, ``approach`` and ``quantities``, at the last checkpoint.

    ``curves`` (arm, width, member, x, value): of every member; member -1 is the mean of all. ``limit`` (arm, x, mean,
    std): of the infinitely wide ensemble of an arm. ``targets`` (data, role, x, value): of all evaluation sets.
    ``approach`` (arm, width, num, what, square, stderr): mean over x of the squared distance of members to the limit,
    the same without the variance that the limit has, and the bias of infinitely many members.

    Args:
        settings: of the summary stage.
        blocks: arm to its evaluated blocks.
        predictions: arm to the predictions of its infinitely wide ensemble.

    Raises:
        DataError: there are no predictions of an arm that is a limit.
    """
    data = next(entry for entry in settings.data if entry.role == "in" and entry.primary)
    x = _column(blocks, settings.arms[0].name, data, "points")
    quantities, curves, limits = Quantities(), [], {}
    approach: dict[str, list[tuple[float, Estimate]]] = {"members": [], "excess": [], "bias": []}
    rows: list[dict[str, Any]] = []
    for arm, pool in open_pools(settings, blocks).items():
        limit = settings.limits[arm]
        path = predictions_of(limit, predictions)
        found = storage.read_arrays(path, [f"{data.name}/mean", f"{data.name}/covariance"], "predict")
        mean, variance = found[f"{data.name}/mean"][:, 0, 0], found[f"{data.name}/covariance"][:, 0, 0]
        limits[limit] = pd.DataFrame({"arm": limit, "x": x, "mean": mean, "std": np.sqrt(np.maximum(variance, 0))})
        outputs = np.stack([part[-1, :, 0, 0] for part in pool.ensembles(data.name, 1, pool.num_members)])
        width = settings.arm(arm).width_in_tables
        for member, values in enumerate([outputs.mean(0), *outputs], start=-1):
            curves.append(pd.DataFrame({"arm": arm, "width": width, "member": member, "x": x, "value": values}))
        for what, estimate, text in _squares(outputs - mean, float(variance.mean())):
            approach[what].append((width, estimate))
            row = {"arm": arm, "width": width, "num": len(outputs), "what": what}
            rows.append(row | {"square": estimate.value, "stderr": estimate.stderr})
            quantities.add(f"{what}_squared/{arm}", estimate, text)
    for what, values in approach.items():
        widths, squares = zip(*values, strict=True)
        if len(set(widths)) > 2 and all(one.stderr > 0 for one in squares):
            exponent = width_exponent(widths, squares)
            if exponent is not None:
                quantities.add(f"exponent/{what}", exponent, f"p of the fit of {what} ~ width^-p over all widths")
    targets = [
        pd.DataFrame({
            "data": entry.name, "role": entry.role, "x": _column(blocks, settings.arms[0].name, entry, "points"),
            "value": _column(blocks, settings.arms[0].name, entry, "targets"),
        }) for entry in settings.data
    ]  # fmt: skip
    return {
        "curves": pd.concat(curves, ignore_index=True),
        "limit": pd.concat(limits.values(), ignore_index=True),
        "targets": pd.concat(targets, ignore_index=True),
        "approach": pd.DataFrame(rows),
        "quantities": quantities.table(),
    }


def _squares(gaps: Float[np.ndarray, "M N"], variance: float) -> list[tuple[str, Estimate, str]]:
    """Returns mean squares over x of what is apart from the limit.

    Args:
        gaps: of each member.
        variance: of the limit, mean over x.
    """
    squares = np.square(gaps).mean(1)
    members = Estimate.mean(squares)
    excess = Estimate(members.value - variance, members.stderr, members.num, "mean", members.dof)
    bias = squared_gap_law(gaps @ gaps.T / gaps.shape[1]).floor
    return [
        ("members", members, "mean square, over members and x, of the distance to the infinitely wide ensemble"),
        ("excess", excess, "the same less the predicted variance of infinitely wide networks"),
        ("bias", bias, "the same of the mean of infinitely many members, unbiased (may be negative)"),
    ]


def _column(blocks: Blocks, arm: str, data: DataFacts, what: str) -> Float[np.ndarray, " N"]:
    key = f"{data.name}/{what}"
    values = storage.read_arrays(blocks[arm][0], [key], STAGE)[key]
    return values.reshape(len(values), -1)[:, 0].astype(np.float64)

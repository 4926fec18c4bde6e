"""Summary of experiments of kind ``curve_symmetry``: networks on a line, their mean, and how far it is from even.

With d = f(x) - f(-x) of each of M members, the mean square over x of their mean is, in expectation, that of an infinite
ensemble plus 1 / M of what scatters between members. ``kept_asymmetry`` is the former over the mean square of members:
0 where the infinite ensemble is even, however odd its members are, and 1 where all members miss it alike.

References:
    talks on arXiv 2403.03103, toy example.
"""

import numpy as np
import pandas as pd
from jaxtyping import Float

from emergent import storage
from emergent.config.questions import CurveSummary
from emergent.statistics.estimate import Estimate, spread_dof
from emergent.statistics.jackknife import jackknife_error
from emergent.summaries.files import Blocks, Predictions, Tables
from emergent.summaries.pool import STAGE, open_pools
from emergent.summaries.quantities import Quantities

PLACES = {"left_end": (-1.01, -0.99), "left_minimum": (-0.75, -0.25), "middle": (-0.2, 0.2),
          "right_minimum": (0.25, 0.75), "right_end": (0.99, 1.01)}  # fmt: skip
"""Where the published ensemble was read, in units of the half width: at the ends, and extrema in these ranges."""


def summarise_curve_symmetry(settings: CurveSummary, blocks: Blocks, predictions: Predictions) -> Tables:
    """Returns the tables ``curves``, ``targets``, ``asymmetry`` and ``quantities``.

    ``curves`` (arm, epoch, member, x, value, mirrored): f(x) and f(-x) of every member at every checkpoint; member -1
    is the mean of all. ``targets`` (data, role, x, value): of all evaluation sets. ``asymmetry`` (arm, epoch, members,
    ensemble, spread, kept, num) at the panels: root mean squares over x of f(x) - f(-x) of members and of their mean,
    standard deviation between members, and the part that an infinite ensemble keeps.

    Args:
        settings: of the summary stage.
        blocks: arm to its evaluated blocks.
        predictions: not used by this kind.
    """
    del predictions
    data = next(entry for entry in settings.data if entry.role == "in" and entry.primary)
    x = _points(blocks, settings.arms[0].name, data.name)
    quantities = Quantities()
    quantities.add("num_members", Estimate.exact(settings.num_members), "members of every arm")
    curves, rows = [], []
    for arm, pool in open_pools(settings, blocks).items():
        for epoch in (int(number) for number in pool.epochs):
            read, num_samples = pool.reader(data.name, epoch)
            outputs = read(0, num_samples)[..., 0].astype(np.float64)
            together = np.concatenate([outputs.mean(0, keepdims=True), outputs])
            for member, (values, mirrored) in enumerate(np.moveaxis(together, 2, 1), start=-1):
                part = {"arm": arm, "epoch": epoch, "member": member, "x": x, "value": values, "mirrored": mirrored}
                curves.append(pd.DataFrame(part))
            if epoch in settings.panels:
                rows.append({"arm": arm, "epoch": epoch, **_asymmetry(outputs[..., 0] - outputs[..., 1]),
                             "spread": float(np.sqrt(outputs[..., 0].var(0, ddof=1).mean())),
                             "num": len(outputs)})  # fmt: skip
                _add(quantities, arm, epoch, outputs)
        _add_places(quantities, arm, x, outputs[..., 0])
    targets = [
        pd.DataFrame({"data": entry.name, "role": entry.role, "x": _points(blocks, settings.arms[0].name, entry.name),
                      "value": _targets(blocks, settings.arms[0].name, entry.name)})
        for entry in settings.data
    ]  # fmt: skip
    return {
        "curves": pd.concat(curves, ignore_index=True),
        "targets": pd.concat(targets, ignore_index=True),
        "asymmetry": pd.DataFrame(rows),
        "quantities": quantities.table(),
    }


def kept_asymmetry(differences: Float[np.ndarray, "M N"]) -> float:
    """Returns the part of the members' mean squared asymmetry that an infinite ensemble keeps, without bias from M.

    Args:
        differences: f(x) - f(-x) of at least two members.
    """
    num = len(differences)
    mean, single = np.square(differences.mean(0)).mean(), np.square(differences).mean()
    # E[mean] = kept + (single - kept) / num.
    return float((num * mean - single) / ((num - 1) * single)) if single > 0 else 0.0


def _asymmetry(differences: np.ndarray) -> dict[str, float]:
    return {
        "members": float(np.sqrt(np.square(differences).mean())),
        "ensemble": float(np.sqrt(np.square(differences.mean(0)).mean())),
        "kept": kept_asymmetry(differences),
    }


def _add(quantities: Quantities, arm: str, epoch: int, outputs: Float[np.ndarray, "M N 2"]) -> None:
    differences, num = outputs[..., 0] - outputs[..., 1], len(outputs)
    left_out = np.array([kept_asymmetry(np.delete(differences, member, 0)) for member in range(num)])
    kept = Estimate(kept_asymmetry(differences), float(jackknife_error(left_out)), num, "unbiased", spread_dof(num))
    text = f"part of the squared asymmetry of members that an infinite ensemble keeps, after {epoch} steps"
    quantities.add(f"kept_asymmetry/{arm}/{epoch}", kept, text)


def _add_places(quantities: Quantities, arm: str, x: np.ndarray, values: Float[np.ndarray, "M N"]) -> None:
    """Adds the ensemble's value at the places where the published one was read."""
    mean, half_width = values.mean(0), np.abs(x).max()
    for place, (low, high) in PLACES.items():
        inside = np.flatnonzero((low * half_width <= x) & (x <= high * half_width))
        # An extremum is read off the mean; that it is the mean's own makes no difference beside its error.
        best = inside[(mean if place == "middle" else -mean)[inside].argmax()]
        estimate = Estimate.mean(values[:, best], "pool")
        quantities.add(f"ensemble_value/{arm}/{place}", estimate, f"mean of the members, {place.replace('_', ' ')}")


def _points(blocks: Blocks, arm: str, data: str) -> Float[np.ndarray, " N"]:
    key = f"{data}/points"
    return storage.read_arrays(blocks[arm][0], [key], STAGE)[key][:, 0, 0].astype(np.float64)


def _targets(blocks: Blocks, arm: str, data: str) -> Float[np.ndarray, " N"]:
    key = f"{data}/targets"
    return storage.read_arrays(blocks[arm][0], [key], STAGE)[key][:, 0].astype(np.float64)

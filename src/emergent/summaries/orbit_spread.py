"""Summary of experiments of kind ``orbit_spread``: orbit spread of predicted energies and difference to the NTK.

The energy per site is the mean of the predicted site energies, invariant under the lattice rotations if the network is
equivariant. Its standard deviation over the orbit is divided by one scale per evaluation set, made from the mean
prediction of the infinite ensemble, so that the denominator does not fluctuate between members.

References:
    arXiv 2403.03103, Ising experiment: relative orbit standard deviation, relative difference to the NTK.
"""

import math
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Float

from emergent import storage
from emergent.config.questions import SpreadSummary
from emergent.config.stages import ArmFacts
from emergent.errors import DataError
from emergent.metrics.energy import energy_scale, gaussian_orbit_std
from emergent.metrics.orbit import orbit_std, site_mean
from emergent.statistics.estimate import Estimate, sample_std
from emergent.statistics.jackknife import jackknife_error
from emergent.summaries.files import Blocks, Predictions, Tables
from emergent.summaries.pool import MemberPool, open_pools
from emergent.summaries.quantities import Quantities

INFINITE_ARM = "ntk"
"""Name in the tables of the infinitely wide ensemble, which is no arm of the experiment."""
COLUMNS = ["arm", "width", "data", "predictor", "ensemble_size", "mean", "std", "num"]


def summarise_orbit_spread(settings: SpreadSummary, blocks: Blocks, predictions: Predictions) -> Tables:
    """Returns the tables ``orbit_std``, ``ntk_difference``, ``readings`` and ``quantities``.

    The infinitely wide ensemble has rows of its own, of infinite width.

    Args:
        settings: of the summary stage.
        blocks: arm to its evaluated blocks.
        predictions: arm to the predictions of its infinitely wide ensemble; that of one is compared with.

    Raises:
        DataError: there are no predictions of that arm.
    """
    if settings.infinite_arm not in predictions:
        raise DataError(
            f"no predictions of arm {settings.infinite_arm}; add --prediction {settings.infinite_arm}=PATH."
        )
    infinite = predictions[settings.infinite_arm]
    pools = open_pools(settings, blocks)
    orbit_rows: list[dict[str, Any]] = []
    difference_rows: list[dict[str, Any]] = []
    quantities = Quantities()
    invariance = []
    for data in (facts.name for facts in settings.data):
        energy, scale, members = _infinite(infinite, data, settings)
        invariance.append(float((np.abs(energy - energy[:, :1]).max(1) / np.abs(energy).mean()).max()))
        orbit_rows.append(_members_row(INFINITE_ARM, math.inf, data, members))
        for size in settings.ensemble_sizes:
            # One level for every size: the prediction is that of infinitely many members.
            head = {"arm": INFINITE_ARM, "width": math.inf, "data": data, "ensemble_size": size, "std": 0.0, "num": 1}
            orbit_rows.append(head | {"predictor": "ensemble", "mean": float((energy.std(-1) / scale).mean())})
            difference_rows.append(head | {"mean": 0.0})
        for arm in settings.arms:
            own = pools[arm.name].metric(data, "orbit_std").astype(np.float64)[:, -1:] / scale
            orbit_rows.append(_members_row(arm.name, arm.width_in_tables, data, own))
            _add_members(quantities, arm.name, data, own[:, 0])
            ensembles = _ensembles(settings, arm, data, pools[arm.name], energy, scale)
            orbit_rows += ensembles["orbit_std"]
            difference_rows += ensembles["difference"]
            for name, estimate, text in ensembles["quantities"]:
                quantities.add(name, estimate, text)
    text = "largest change of the infinite ensemble's energy over an orbit, relative to the mean |energy|"
    quantities.add("ntk_equivariance_error", Estimate.exact(max(invariance), "largest"), text)
    return {
        "orbit_std": pd.DataFrame(orbit_rows)[COLUMNS],
        "ntk_difference": pd.DataFrame(difference_rows)[[c for c in COLUMNS if c != "predictor"]],
        "readings": storage.read_table(infinite, "readings", "predict"),
        "quantities": quantities.table(),
    }


def _infinite(
    path: Path, data: str, settings: SpreadSummary
) -> tuple[Float[np.ndarray, "N G"], Float[np.ndarray, " N"], Float[np.ndarray, "D 1 N"]]:
    """Returns energies of the infinite ensemble, the scale that they make, and orbit stds of members of it, in it."""
    found = storage.read_arrays(path, [f"{data}/mean", f"{data}/energy_covariance"], "predict")
    energy = site_mean(found[f"{data}/mean"])
    scale = energy_scale(energy[:, 0], settings.energy_scale)
    return energy, scale, (gaussian_orbit_std(found[f"{data}/energy_covariance"]) / scale)[:, None]


def _ensembles(
    settings: SpreadSummary, arm: ArmFacts, data: str, pool: MemberPool, energy: np.ndarray, scale: np.ndarray
) -> dict[str, list[Any]]:
    """Returns rows of both tables and the quantities of the ensembles of one arm on one set, by size."""
    result: dict[str, list[Any]] = {"orbit_std": [], "difference": [], "quantities": []}
    curve = []
    for size in settings.ensemble_sizes:
        outputs = [part[-1] for part in pool.ensembles(data, size, settings.max_ensembles)]
        stds = np.array([(orbit_std(part) / scale).mean() for part in outputs])
        gaps = np.array([(np.abs(site_mean(part)[:, 0] - energy[:, 0]) / scale).mean() for part in outputs])
        head = {"arm": arm.name, "width": arm.width_in_tables, "data": data, "ensemble_size": size}
        result["orbit_std"].append(head | {"predictor": "ensemble"} | _spread(stds))
        result["difference"].append(head | _spread(gaps))
        curve.append((size, stds))
        for name, values, text in (
            ("ensemble_orbit_std", stds, "relative orbit standard deviation of ensemble means"),
            ("ntk_difference", gaps, "mean |energy - NTK energy| over the energy scale"),
        ):
            estimate = Estimate.mean(values, "disjoint ensembles")
            result["quantities"].append((f"{name}/{arm.name}/{data}/{size}", estimate, text))
    text = "slope of log ensemble orbit std against log ensemble size"
    result["quantities"].append((f"decay_exponent/{arm.name}/{data}", _decay(curve), text))
    return result


def _members_row(arm: str, width: float, data: str, members: Float[np.ndarray, "M 1 N"]) -> dict[str, Any]:
    """Returns mean and std over members, each averaged over samples, as in the published bands."""
    head = {"arm": arm, "width": width, "data": data, "predictor": "members", "ensemble_size": 1}
    return head | {
        "mean": float(members.mean()),
        "std": float(members.std(0, ddof=1).mean()),
        "num": len(members),
    }


def _add_members(quantities: Quantities, arm: str, data: str, members: Float[np.ndarray, "M N"]) -> None:
    text = "relative orbit standard deviation, mean over members and samples"
    quantities.add(f"members_orbit_std/{arm}/{data}", Estimate.mean(members.mean(1)), text)
    # Published bands have 0.42 in every panel, like the root of a sum of three squared Gaussians: C4 has order 4.
    ratio = float(members.std(0, ddof=1).mean() / members.mean())
    # One member left out at a time: the ratio is not linear in the members.
    num = len(members)
    total, squares = members.sum(0), np.square(members).sum(0)
    means = (total - members) / (num - 1)
    variances = ((squares - np.square(members)) - (num - 1) * np.square(means)) / (num - 2)
    left_out = np.sqrt(np.maximum(variances, 0)).mean(1) / means.mean(1)
    estimate = Estimate(ratio, float(jackknife_error(left_out)), num, "ratio")
    quantities.add(f"band_ratio/{arm}/{data}", estimate, "std over mean of the members' orbit std")


def _spread(values: np.ndarray) -> dict[str, float | int]:
    return {"mean": float(values.mean()), "std": sample_std(values), "num": len(values)}


def _decay(curve: list[tuple[int, np.ndarray]]) -> Estimate:
    """Returns the slope of log std against log M, weighted by the spread over disjoint ensembles.

    A single ensemble gets the relative error of a single one of the other sizes. All sizes use the same members, so
    the error is approximate.
    """
    relative = [values.std(ddof=1) / values.mean() for _, values in curve if len(values) > 1]
    # Where every size has a single ensemble nothing tells their noise; 0.2 keeps the error from being 0.
    single = float(np.mean(relative)) if relative else 0.2
    x = np.log([size for size, _ in curve])
    y = np.log([values.mean() for _, values in curve])
    weights = np.array([len(values) for _, values in curve]) / single**2
    centred = x - np.average(x, weights=weights)
    information = float((weights * centred**2).sum())
    slope = float((weights * centred * y).sum() / information)
    return Estimate(slope, float(1 / np.sqrt(information)), len(curve), "fit")

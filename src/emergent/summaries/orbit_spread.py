"""Summary of experiments of kind ``orbit_spread``: orbit spread of predicted energies and difference to the NTK.

The energy per site is the mean of the predicted site energies, invariant under the lattice rotations if the network is
equivariant. Its standard deviation over the orbit is divided by one scale per evaluation set, made from the mean
prediction of the infinite ensemble, so that the denominator does not fluctuate between members.

References:
    arXiv 2403.03103, Ising experiment: relative orbit standard deviation, relative difference to the NTK.
"""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Float

from emergent import storage
from emergent.config.questions import SpreadSummary
from emergent.config.stages import ArmFacts, DataFacts
from emergent.metrics.energy import energy_scale, gaussian_orbit_std, scale_by_sample
from emergent.metrics.orbit import orbit_std, site_mean
from emergent.statistics.estimate import Estimate, sample_std, sampling_error, spread_dof
from emergent.statistics.jackknife import jackknife_error
from emergent.summaries.files import Blocks, Predictions, Tables, predictions_of
from emergent.summaries.infinite_width_floor import Floors
from emergent.summaries.pool import MemberPool, open_pools
from emergent.summaries.quantities import Quantities

INFINITE_ARM = "ntk"
"""Name in the tables of the infinitely wide ensemble, which is no arm of the experiment."""
COLUMNS = ["arm", "width", "data", "predictor", "ensemble_size", "mean", "std", "num", "sample_stderr"]


@dataclass(frozen=True)
class Scale:
    """What is divided by on one evaluation set: a number that the same samples make, or one of each of them.

    Attributes:
        values: [N] at each sample.
        by_sample: [N] what each sample contributes, 1 in the mean.
        whole: the samples are all that there are.
    """

    values: np.ndarray
    by_sample: np.ndarray
    whole: bool

    def error(self, values: Float[np.ndarray, " N"]) -> float:
        """Returns the error of a mean over samples, in units of the scale, because others could have been drawn."""
        return sampling_error(values - values.mean() * self.by_sample, self.whole)

    def over(self, found: Estimate, values: Float[np.ndarray, " N"]) -> Estimate:
        """Returns an estimate in units of the scale with that error."""
        return found.over_samples(values - values.mean() * self.by_sample, self.whole)


def summarise_orbit_spread(settings: SpreadSummary, blocks: Blocks, predictions: Predictions) -> Tables:
    """Returns the tables ``orbit_std``, ``ntk_difference``, ``ntk_floor``, ``readings`` and ``quantities``.

    The infinitely wide ensemble has rows of its own, of infinite width.

    Args:
        settings: of the summary stage.
        blocks: arm to its evaluated blocks.
        predictions: arm to the predictions of its infinitely wide ensemble; that of one is compared with.

    Raises:
        DataError: there are no predictions of that arm.
    """
    infinite = predictions_of(settings.infinite_arm, predictions)
    pools = open_pools(settings, blocks)
    orbit_rows: list[dict[str, Any]] = []
    difference_rows: list[dict[str, Any]] = []
    quantities = Quantities()
    invariance = []
    floors = Floors()
    for facts in settings.data:
        data = facts.name
        energy, scale, members = _infinite(infinite, facts, settings)
        invariance.append(float((np.abs(energy - energy[:, :1]).max(1) / np.abs(energy).mean()).max()))
        orbit_rows.append(_members_row(INFINITE_ARM, math.inf, data, members, scale))
        for size in settings.ensemble_sizes:
            # One level for every size: the prediction is that of infinitely many members.
            head = {"arm": INFINITE_ARM, "width": math.inf, "data": data, "ensemble_size": size, "std": 0.0, "num": 1}
            spread = energy.std(-1) / scale.values
            row = {"predictor": "ensemble", "mean": float(spread.mean()), "sample_stderr": scale.error(spread)}
            orbit_rows.append(head | row)
            difference_rows.append(head | {"mean": 0.0, "sample_stderr": 0.0})
        for arm in settings.arms:
            own = pools[arm.name].metric(data, "orbit_std").astype(np.float64)[:, -1:] / scale.values
            orbit_rows.append(_members_row(arm.name, arm.width_in_tables, data, own, scale))
            _add_members(quantities, arm.name, data, own[:, 0], scale)
            energies = pools[arm.name].metric(data, "mean_output").astype(np.float64)[:, -1]
            floors.add(arm, facts, (energies - energy[:, 0]) / scale.values)
            ensembles = _ensembles(settings, arm, data, pools[arm.name], energy, scale)
            orbit_rows += ensembles["orbit_std"]
            difference_rows += ensembles["difference"]
            for name, estimate, text in ensembles["quantities"]:
                quantities.add(name, estimate, text)
    floors.add_quantities(quantities)
    text = "largest change of the infinite ensemble's energy over an orbit, relative to the mean |energy|"
    quantities.add("ntk_equivariance_error", Estimate.exact(max(invariance), "largest"), text)
    return {
        "orbit_std": pd.DataFrame(orbit_rows)[COLUMNS],
        "ntk_difference": pd.DataFrame(difference_rows)[[c for c in COLUMNS if c != "predictor"]],
        "ntk_floor": floors.table(),
        "readings": storage.read_table(infinite, "readings", "predict"),
        "quantities": quantities.table(),
    }


def _infinite(
    path: Path, facts: DataFacts, settings: SpreadSummary
) -> tuple[Float[np.ndarray, "N G"], Scale, Float[np.ndarray, "D 1 N"]]:
    """Returns energies of the infinite ensemble, the scale that they make, and orbit stds of members of it, in it."""
    names = [f"{facts.name}/mean", f"{facts.name}/energy_covariance"]
    means, covariances = storage.read_arrays(path, names, "predict").values()
    energy, rule = site_mean(means), settings.energy_scale
    scale = Scale(energy_scale(energy[:, 0], rule), scale_by_sample(energy[:, 0], rule), facts.whole)
    return energy, scale, (gaussian_orbit_std(covariances) / scale.values)[:, None]


def _ensembles(
    settings: SpreadSummary, arm: ArmFacts, data: str, pool: MemberPool, energy: np.ndarray, scale: Scale
) -> dict[str, list[Any]]:
    """Returns rows of both tables and the quantities of the ensembles of one arm on one set, by size."""
    result: dict[str, list[Any]] = {"orbit_std": [], "difference": [], "quantities": []}
    curve = []
    for size in settings.ensemble_sizes:
        if size > pool.num_members:
            continue
        outputs = [part[-1] for part in pool.ensembles(data, size, settings.max_ensembles)]
        stds = np.stack([orbit_std(part) / scale.values for part in outputs])
        gaps = np.stack([np.abs(site_mean(part)[:, 0] - energy[:, 0]) / scale.values for part in outputs])
        head = {"arm": arm.name, "width": arm.width_in_tables, "data": data, "ensemble_size": size}
        result["orbit_std"].append(head | {"predictor": "ensemble"} | _spread(stds, scale))
        result["difference"].append(head | _spread(gaps, scale))
        curve.append((size, stds))
        for name, values, text in (
            ("ensemble_orbit_std", stds, "relative orbit standard deviation of ensemble means"),
            ("ntk_difference", gaps, "mean |energy - NTK energy| over the energy scale"),
        ):
            estimate = scale.over(Estimate.mean(values.mean(1), "disjoint ensembles"), values.mean(0))
            result["quantities"].append((f"{name}/{arm.name}/{data}/{size}", estimate, text))
    text = "slope of log ensemble orbit std against log ensemble size"
    result["quantities"].append((f"decay_exponent/{arm.name}/{data}", _decay(curve, scale.whole), text))
    return result


def _members_row(
    arm: str, width: float, data: str, members: Float[np.ndarray, "M 1 N"], scale: Scale
) -> dict[str, Any]:
    """Returns mean and std over members, each averaged over samples, as in the published bands."""
    head = {"arm": arm, "width": width, "data": data, "predictor": "members", "ensemble_size": 1}
    return head | {
        "mean": float(members.mean()),
        "std": float(members.std(0, ddof=1).mean()),
        "num": len(members),
        "sample_stderr": scale.error(members.mean((0, 1))),
    }


def _add_members(quantities: Quantities, arm: str, data: str, members: Float[np.ndarray, "M N"], scale: Scale) -> None:
    text = "relative orbit standard deviation, mean over members and samples"
    average = scale.over(Estimate.mean(members.mean(1)), members.mean(0))
    quantities.add(f"members_orbit_std/{arm}/{data}", average, text)
    # Published bands have 0.42 in every panel, like the root of a sum of three squared Gaussians: C4 has order 4.
    stds, average = members.std(0, ddof=1), members.mean(0)
    ratio = float(stds.mean() / average.mean())
    # One member left out at a time: the ratio is not linear in the members.
    num = len(members)
    total, squares = members.sum(0), np.square(members).sum(0)
    means = (total - members) / (num - 1)
    variances = ((squares - np.square(members)) - (num - 1) * np.square(means)) / (num - 2)
    left_out = np.sqrt(np.maximum(variances, 0)).mean(1) / means.mean(1)
    estimate = Estimate(ratio, float(jackknife_error(left_out)), num, "ratio", spread_dof(num))
    estimate = estimate.over_samples((stds - ratio * average) / average.mean(), scale.whole)
    quantities.add(f"band_ratio/{arm}/{data}", estimate, "std over mean of the members' orbit std")


def _spread(values: Float[np.ndarray, "R N"], scale: Scale) -> dict[str, float | int]:
    own = {"mean": float(values.mean()), "std": sample_std(values.mean(1)), "num": len(values)}
    return own | {"sample_stderr": scale.error(values.mean(0))}


def _decay(curve: list[tuple[int, Float[np.ndarray, "R N"]]], whole: bool) -> Estimate:
    """Returns the slope of log std against log M, weighted by the number of disjoint ensembles.

    A single ensemble gets the relative error of a single one of the other sizes; there is no error where every size has
    one only. All sizes use the same members, so the error is approximate.
    """
    several = [values.mean(1) for _, values in curve if len(values) > 1]
    single = float(np.mean([values.std(ddof=1) / values.mean() for values in several])) if several else math.nan
    x = np.log([size for size, _ in curve])
    y = np.log([values.mean() for _, values in curve])
    weights = np.array([len(values) for _, values in curve], float)
    centred = x - np.average(x, weights=weights)
    information = float((weights * centred**2).sum())
    slope = float((weights * centred * y).sum() / information)
    dof = float(sum(len(values) - 1 for values in several)) or math.inf
    found = Estimate(slope, float(single / np.sqrt(information)), len(curve), "fit", dof)
    # What is common to all sizes, as the scale is, does not move the slope.
    by_sample = np.stack([values.mean(0) / values.mean() for _, values in curve])
    return found.over_samples(weights * centred @ by_sample / information, whole)

"""Summary of experiments of kind ``ising``: orbit spread of predicted energies and difference to the NTK.

The energy per site is the mean of the predicted site energies, invariant under the lattice rotations if the network is
equivariant. Its standard deviation over the orbit is divided by one scale per evaluation set, made from the mean
prediction of the infinite ensemble, so that the denominator does not fluctuate between members.

References:
    arXiv 2403.03103, Ising experiment: relative orbit standard deviation, relative difference to the NTK.
"""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Float

from emergent import storage
from emergent.metrics.energy import energy_scale, gaussian_orbit_std
from emergent.metrics.orbit import orbit_std, site_mean
from emergent.summaries.pool import MemberPool
from emergent.summaries.quantities import Quantities

NTK_ARM = "ntk"


def summarise_ising(
    settings: dict[str, Any], pools: dict[str, MemberPool], kernel: Path | None
) -> dict[str, pd.DataFrame]:
    """Returns the tables ``orbit_std``, ``ntk_difference``, ``readings`` and ``quantities``.

    Args:
        settings: configuration of the summary stage.
        pools: arm to its evaluated members.
        kernel: predictions of the infinite ensemble (stage ``kernel``).
    """
    assert kernel is not None
    orbit_rows: list[dict[str, Any]] = []
    difference_rows: list[dict[str, Any]] = []
    quantities = Quantities()
    invariance = []
    for data in settings["data_order"]:
        infinite = storage.read_arrays(kernel, [f"{data}/mean", f"{data}/energy_covariance"], "kernel")
        ntk_energy = site_mean(infinite[f"{data}/mean"])
        scale = energy_scale(ntk_energy[:, 0], settings["energy_scale"])
        invariance.append(float((np.abs(ntk_energy - ntk_energy[:, :1]).max(1) / np.abs(ntk_energy).mean()).max()))
        spread = gaussian_orbit_std(infinite[f"{data}/energy_covariance"]) / scale
        orbit_rows.append(_members_row(NTK_ARM, 0, data, spread[:, None]))
        ntk_std = float((orbit_std(infinite[f"{data}/mean"]) / scale).mean())
        for size in settings["ensemble_sizes"]:
            head = {"arm": NTK_ARM, "width": 0, "data": data, "ensemble_size": size, "std": 0.0, "num": 1}
            orbit_rows.append(head | {"predictor": "ensemble", "mean": ntk_std})
            difference_rows.append(head | {"mean": 0.0})
        for arm in settings["arm_order"]:
            width = settings["widths"][arm]
            pool = pools[arm]
            members = pool.metric(data, "orbit_std").astype(np.float64)[:, -1:] / scale
            orbit_rows.append(_members_row(arm, width, data, members))
            _add_members(quantities, arm, data, members[:, 0])
            curve = []
            for size in settings["ensemble_sizes"]:
                outputs = [part[-1] for part in pool.ensembles(data, size, settings["max_ensembles"])]
                stds = np.array([(orbit_std(part) / scale).mean() for part in outputs])
                gaps = np.array([(np.abs(site_mean(part)[:, 0] - ntk_energy[:, 0]) / scale).mean() for part in outputs])
                head = {"arm": arm, "width": width, "data": data, "ensemble_size": size}
                orbit_rows.append(head | {"predictor": "ensemble"} | _spread(stds))
                difference_rows.append(head | _spread(gaps))
                curve.append((size, stds))
                name = f"ensemble_orbit_std/{arm}/{data}/{size}"
                quantities.add(name, *_mean_error(stds), "relative orbit standard deviation of ensemble means")
                name = f"ntk_difference/{arm}/{data}/{size}"
                quantities.add(name, *_mean_error(gaps), "mean |energy - NTK energy| over the energy scale")
            slope, error = _decay(curve)
            name = f"decay_exponent/{arm}/{data}"
            quantities.add(name, slope, error, len(curve), "slope of log ensemble orbit std against log ensemble size")
    text = "largest change of the infinite ensemble's energy over an orbit, relative to the mean |energy|"
    quantities.add("ntk_equivariance_error", max(invariance), 0.0, 1, text)
    columns = ["arm", "width", "data", "predictor", "ensemble_size", "mean", "std", "num"]
    return {
        "orbit_std": pd.DataFrame(orbit_rows)[columns],
        "ntk_difference": pd.DataFrame(difference_rows)[[c for c in columns if c != "predictor"]],
        "readings": storage.read_table(kernel, "readings", "kernel"),
        "quantities": quantities.table(),
    }


def _members_row(arm: str, width: int, data: str, members: Float[np.ndarray, "M 1 N"]) -> dict[str, Any]:
    """Returns mean and std over members, each averaged over samples, as in the published bands."""
    return {
        "arm": arm,
        "width": width,
        "data": data,
        "predictor": "members",
        "ensemble_size": 1,
        "mean": float(members.mean()),
        "std": float(members.std(0, ddof=1).mean()),
        "num": len(members),
    }


def _add_members(quantities: Quantities, arm: str, data: str, members: Float[np.ndarray, "M N"]) -> None:
    per_member = members.mean(1)
    error = float(per_member.std(ddof=1) / np.sqrt(len(per_member)))
    text = "relative orbit standard deviation, mean over members and samples"
    quantities.add(f"members_orbit_std/{arm}/{data}", float(per_member.mean()), error, len(per_member), text)
    ratio = members.std(0, ddof=1).mean() / members.mean()
    # Leave-one-out jackknife: the ratio is not linear in the members.
    num = len(members)
    total, squares = members.sum(0), np.square(members).sum(0)
    means = (total - members) / (num - 1)
    variances = ((squares - np.square(members)) - (num - 1) * np.square(means)) / (num - 2)
    left_out = np.sqrt(np.maximum(variances, 0)).mean(1) / means.mean(1)
    jackknife = float(np.sqrt((num - 1) / num * np.square(left_out - left_out.mean()).sum()))
    quantities.add(f"band_ratio/{arm}/{data}", float(ratio), jackknife, num, "std over mean of the members' orbit std")


def _spread(values: np.ndarray) -> dict[str, float | int]:
    std = float(values.std(ddof=1)) if len(values) > 1 else float("nan")
    return {"mean": float(values.mean()), "std": std, "num": len(values)}


def _mean_error(values: np.ndarray) -> tuple[float, float, int]:
    spread = _spread(values)
    return float(spread["mean"]), float(spread["std"]) / np.sqrt(len(values)), len(values)


def _decay(curve: list[tuple[int, np.ndarray]]) -> tuple[float, float]:
    """Returns slope and standard error of log std against log M, weighted by the spread over disjoint ensembles.

    A single ensemble gets the relative error of a single one of the other sizes. All sizes use the same members, so
    the error is approximate.
    """
    relative = [values.std(ddof=1) / values.mean() for _, values in curve if len(values) > 1]
    single = float(np.mean(relative)) if relative else 0.2
    x = np.log([size for size, _ in curve])
    y = np.log([values.mean() for _, values in curve])
    weights = np.array([len(values) for _, values in curve]) / single**2
    centred = x - np.average(x, weights=weights)
    information = float((weights * centred**2).sum())
    return float((weights * centred * y).sum() / information), float(1 / np.sqrt(information))

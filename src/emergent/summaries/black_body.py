"""Summary of experiments of kind ``black_body``: errors by what a network knows of units, and the constants found.

References:
    arXiv 2204.00887; arXiv 2301.13724.
"""

import numpy as np
import pandas as pd
from jaxtyping import Float

from emergent import storage
from emergent.config.black_body import BlackBodySummary
from emergent.config.unit_powers import BASE, unit_words
from emergent.statistics.estimate import Estimate
from emergent.statistics.jackknife import jackknifed
from emergent.summaries.files import Blocks, Predictions, Tables
from emergent.summaries.quantities import Quantities
from emergent.summaries.runs import read_runs

RUNS = ("rmse", "equivariance_error")
CONSTANTS = ("units", "unknown", "implied", "collapses")
CURVES = ("wavelength", "temperature", "label", "predictions")
ROUNDING = 1e-9
PLANCK = 6.62607015e-34
"""In J s; exact by definition of the kilogram."""


def summarise_black_body(settings: BlackBodySummary, blocks: Blocks, predictions: Predictions) -> Tables:
    """Returns the tables ``errors``, ``constants``, ``curves`` and ``quantities``.

    ``errors`` (arm, ensemble_size, trial, rmse, equivariance): of ln of the radiance, and by how much it misses a
    change of units. Some networks on logarithms end far from the others: quantities are medians over trials.

    ``constants`` (arm, trial, units, kg, m, s, K, value, implied, ratio, collapses): the constants found, what Planck's
    constant would be by them, and that over Planck's constant; NaN where it is in none.

    ``curves`` (arm, wavelength, temperature, label, predictions): test samples of the first trial.

    Args:
        settings: of the summary stage.
        blocks: arm to its training files.
        predictions: not used by this kind.

    Raises:
        DataError: the files of an arm do not hold every trial once.
    """
    del predictions
    quantities = Quantities()
    quantities.add("num_members", Estimate.exact(settings.num_members), "trials")
    runs = {arm.name: read_runs(arm.name, blocks[arm.name], settings.num_members, dict.fromkeys(RUNS, 0), "trials")
            for arm in settings.arms}  # fmt: skip
    errors, found, curves = [], [], []
    for arm in settings.arms:
        own, task = runs[arm.name], settings.tasks[arm.name]
        for index, size in enumerate(task.ensemble_sizes):
            rmse, away = own["rmse"][:, index], own["equivariance_error"][:, index]
            ending = arm.name if size == 1 else f"{arm.name}/{size}"
            quantities.add(f"rmse/{ending}", Estimate.median(rmse), "root mean square error of ln of the radiance")
            text = "by how much ln of predictions misses a change of units"
            quantities.add(f"equivariance_error/{ending}", Estimate.median(away), text)
            if size > 1:
                text = f"{size} networks over single ones"
                for name, values in (("rmse", own["rmse"]), ("equivariance", own["equivariance_error"])):
                    ratio = jackknifed(_ratio, values[:, [index, 0]], "ratio")
                    quantities.add(f"ensemble_{name}_ratio/{ending}", ratio, f"{name}, {text}")
            errors.append(pd.DataFrame({"arm": arm.name, "ensemble_size": size, "trial": np.arange(len(rmse)),
                                        "rmse": rmse, "equivariance": away}))  # fmt: skip
        if arm.compare_to is not None:
            logs = np.log10(own["rmse"][:, 0]) - np.log10(runs[arm.compare_to]["rmse"][:, 0])
            text = f"log10 of its error over that of {arm.compare_to}, trial by trial"
            quantities.add(f"log_ratio/{arm.name}/{arm.compare_to}", Estimate.mean(logs), text)
            pair = np.stack([own["equivariance_error"][:, 0], runs[arm.compare_to]["equivariance_error"][:, 0]], 1)
            if (pair > ROUNDING).all():
                ratio, text = jackknifed(_ratio, pair, "ratio"), f"error of equivariance over that of {arm.compare_to}"
                quantities.add(f"equivariance_ratio/{arm.name}/{arm.compare_to}", ratio, text)
        if task.unknown is not None:
            names: dict[str, int] = dict.fromkeys(CONSTANTS, 0)
            constants = read_runs(arm.name, blocks[arm.name], settings.num_members, names, "trials")
            found += _constants(arm.name, constants, quantities)
        first = storage.read_arrays(blocks[arm.name][0], list(CURVES), "train")
        curves.append(pd.DataFrame({"arm": arm.name, **first}))
    columns = ["arm", "trial", "units", *BASE, "value", "implied", "ratio", "collapses"]
    return {
        "errors": pd.concat(errors, ignore_index=True),
        "constants": pd.DataFrame(found, columns=columns),
        "curves": pd.concat(curves, ignore_index=True),
        "quantities": quantities.table(),
    }


def _constants(arm: str, own: dict[str, np.ndarray], quantities: Quantities) -> list[dict[str, object]]:
    text = "fraction of trials whose constant leaves wavelength times temperature as the one feature"
    quantities.add(f"collapses/{arm}", Estimate.mean(own["collapses"]), text)
    implied = np.where(own["implied"] > 0, own["implied"], np.nan)
    decades = np.abs(np.log10(implied[np.isfinite(implied)] / PLANCK))
    if len(decades):
        text = "decades between Planck's constant and that by the constant found, without sign"
        quantities.add(f"planck_decades/{arm}", Estimate.mean(decades), text)
    return [
        {"arm": arm, "trial": trial, "units": unit_words([int(power) for power in units]),
         **{base: int(power) for base, power in zip(BASE, units, strict=True)}, "value": own["unknown"][trial],
         "implied": implied[trial], "ratio": implied[trial] / PLANCK, "collapses": own["collapses"][trial]}
        for trial, units in enumerate(own["units"])
    ]  # fmt: skip


def _ratio(pairs: Float[np.ndarray, "M 2"]) -> float:
    """Returns the geometric mean of ratios, trial by trial."""
    return float(np.exp(np.log(pairs[:, 0] / pairs[:, 1]).mean()))

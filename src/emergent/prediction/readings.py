"""Readings of an experiment whose settings are not published: what each would give at infinite width.

For every alternative data set and every rule for the denominator, the expected relative orbit standard deviation of an
infinitely wide member on training, test and out-of-distribution data. It costs one small kernel per data set, so all
readings are laid beside the published values before any network is trained.

References:
    arXiv 2403.03103, Ising experiment: lattice, temperature, label scale and denominator are not published.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from emergent.domains.samples import read_samples
from emergent.metrics.energy import ENERGY_SCALES, energy_scale, gaussian_orbit_std
from emergent.metrics.orbit import site_mean
from emergent.prediction.infinite import infinite_predictions

SPLITS = ("train", "test", "ood")


def readings_table(config: Mapping[str, Any], datasets: Mapping[str, Path]) -> pd.DataFrame:
    """Returns one row per alternative data set, denominator rule and split.

    Args:
        config: the stage ``kernel``; its ``kernel.readings`` names prepared data sets with splits train, test, ood.
        datasets: name to prepared file.

    Returns:
        Columns dataset, rule, data, members_orbit_std.
    """
    rows: list[dict[str, Any]] = []
    for name in config["kernel"]["readings"]:
        samples = {split: read_samples(datasets[name], split) for split in SPLITS}
        side = samples["train"].inputs.shape[1]
        own = {**config, "data": {**config["data"], "shape": [side, side, 1]}}
        arrays = infinite_predictions(own, samples["train"], samples)
        for split in SPLITS:
            energies = site_mean(arrays[f"{split}/mean"].values)[:, 0]
            spread = gaussian_orbit_std(arrays[f"{split}/energy_covariance"].values).mean(0)
            for rule in ENERGY_SCALES:
                value = float((spread / energy_scale(energies, rule)).mean())
                rows.append({"dataset": name, "rule": rule, "data": split, "members_orbit_std": value})
    return pd.DataFrame(rows)

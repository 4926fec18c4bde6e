"""Readings of an experiment whose settings are not published: what each would give at infinite width.

For every alternative data set, rule for the denominator and training time, on training, test and out-of-distribution
data: the expected relative orbit standard deviation of an infinitely wide member, and how far the ensemble is from the
one that is trained forever. It costs one small kernel per data set, so all readings are laid beside the published
values before any network is trained.

References:
    arXiv 2403.03103, Ising experiment: lattice, temperature, label scale and denominator are not published.
"""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from emergent import storage
from emergent.config.domains import DataSelection, ImageEvaluation, TestSet
from emergent.config.stages import PredictStage
from emergent.domains.images import test_samples, training_data
from emergent.errors import ConfigError
from emergent.metrics.energy import ENERGY_SCALES, energy_scale, gaussian_orbit_std
from emergent.metrics.orbit import site_mean
from emergent.prediction.infinite import energy_covariance, infinite_ensemble, predictions_at

SPLITS = ("train", "test", "ood")
# In multiples of that of this run. In standard parametrisation the NTK grows with the width: at one learning rate
# networks of width 2048 train four times as fast as those of width 512.
TIMES = (1.0, 4.0, math.inf)


def readings_table(stage: PredictStage, datasets: Mapping[str, Path]) -> pd.DataFrame:
    """Returns one row per alternative data set, training time, denominator rule and split.

    Args:
        stage: settings of the prediction; its ``readings`` name prepared data sets with splits train, test, ood.
        datasets: name to prepared file.

    Returns:
        Columns dataset, time (multiple of the run's, or infinite), rule, data, members_orbit_std, and difference:
        the mean over samples of the absolute difference to the energy after infinite time, over the same denominator.

    Raises:
        ConfigError: the outputs are no numbers per pixel, whose mean is an energy.
    """
    rows: list[dict[str, Any]] = []
    for name in stage.readings:
        own = _reading(stage, name, datasets[name])
        paths = {name: datasets[name]}
        sets = test_samples(own, paths)
        ensemble = infinite_ensemble(own, training_data(own, paths), sets)
        for split, samples in sets.items():
            predictions = predictions_at(ensemble, own, samples, TIMES)
            final = site_mean(predictions[-1].mean)[:, 0]
            for time, prediction in zip(TIMES, predictions, strict=True):
                energies = site_mean(prediction.mean)[:, 0]
                spread = gaussian_orbit_std(energy_covariance(prediction)).mean(0)
                place = {"dataset": name, "time": time, "data": split}
                for rule in ENERGY_SCALES:
                    scale, of_final = (energy_scale(some, rule) for some in (energies, final))
                    found = {"members_orbit_std": float((spread / scale).mean())}
                    found["difference"] = float((abs(energies - final) / of_final).mean())
                    rows.append(place | {"rule": rule} | found)
    return pd.DataFrame(rows)


def _reading(stage: PredictStage, dataset: str, path: Path) -> PredictStage:
    """Returns the same prediction on another data set, whose lattice may be of another size."""
    data = stage.data
    if not isinstance(data, ImageEvaluation) or data.outputs != "pixels":
        raise ConfigError("infinite_width.readings: the spread of energies needs data.outputs 'pixels'.")
    with storage.open_file(path, "prepare") as file:
        height, width = storage.read_array(file, f"{SPLITS[0]}/inputs").shape[1:3]
    sections = {
        "shape": (height, width, 1),
        "train": DataSelection(dataset=dataset, split=SPLITS[0]),
        "evaluate": {split: TestSet(dataset=dataset, split=split) for split in SPLITS},
    }
    model = stage.model.model_copy(update={"num_outputs": height * width})
    return stage.model_copy(update={"data": data.model_copy(update=sections), "model": model})

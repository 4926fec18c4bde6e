"""The infinitely wide ensemble at the training time of the finite ones, on the same samples and orbits.

References:
    arXiv 2403.03103: mean and covariance of gradient flow under the NTK; here for the same number of discrete steps.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from emergent.domains.samples import Samples
from emergent.errors import ConfigError
from emergent.groups.lattices import lattice_action
from emergent.kernels.architectures import mlp_kernel
from emergent.point_groups import FiniteGroup, group_from_name
from emergent.prediction.gradient_flow import Schedule
from emergent.prediction.regression import fit_infinite_ensemble
from emergent.storage import Array


def _orbits(maps: np.ndarray, group: FiniteGroup, side: int) -> np.ndarray:
    """Returns [G, N, side * side] float64 of lattice functions [N, side * side]."""
    flat = maps.reshape(len(maps), -1).astype(np.float64)
    return np.moveaxis(flat[:, lattice_action(group, side)], 1, 0)


def infinite_predictions(
    config: Mapping[str, Any], training: Samples, samples: Mapping[str, Samples]
) -> dict[str, Array]:
    """Returns mean [N, G, K] and the covariance of the energy per site over each orbit [N, G, G], set by set.

    Args:
        config: the stage ``kernel``.
        training: base training samples with per-site targets; their orbits are formed here.
        samples: evaluation sets by name.

    Raises:
        ConfigError: gradient descent diverges at the configured learning rate, or the data have no per-site targets.
    """
    if training.targets is None:
        raise ConfigError("the kernel stage expects per-site targets; this data set has labels.")
    side = config["data"]["shape"][0]
    group = group_from_name(config["group"])
    model = config["kernel"]["model"]
    ensemble = fit_infinite_ensemble(
        mlp_kernel(model["depth"], model["activation"], model["weight_std"], model["bias_std"]),
        group,
        _orbits(training.inputs, group, side),
        _orbits(training.targets, group, side),
        tile_size=config["kernel"]["tile_size"],
    )
    schedule = Schedule(config["learning_rate"], config["num_steps"], discrete=True)
    limit = ensemble.spectrum.max_learning_rate
    arrays = {
        "max_learning_rate": Array(
            np.asarray(limit() if callable(limit) else limit), (), "1", "gradient descent diverges above it"
        )
    }
    for name, part in samples.items():
        orbits = _orbits(part.inputs, group, side)
        order, num, _ = orbits.shape
        prediction = ensemble.predict(orbits.reshape(order * num, -1), schedule)
        num_sites = prediction.mean.shape[1]
        mean = np.swapaxes(prediction.mean.reshape(order, num, num_sites), 0, 1)
        blocks = prediction.covariance.reshape(order, num, order, num)[:, np.arange(num), :, np.arange(num)]
        arrays[f"{name}/mean"] = Array(mean, ("sample", "element", "site"), "1", "mean prediction")
        # Sites are independent channels of equal variance, so their mean has 1 / num_sites of it.
        arrays[f"{name}/energy_covariance"] = Array(
            blocks / num_sites, ("sample", "element", "element2"), "1", "covariance of a member's energy per site"
        )
    return arrays

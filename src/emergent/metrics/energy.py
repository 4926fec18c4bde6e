"""Energies predicted on orbits: what their spread is divided by, and the spread of Gaussian predictions.

References:
    arXiv 2403.03103, Ising experiment: relative orbit standard deviation.
"""

import numpy as np
from jaxtyping import Float

# arXiv 2403.03103 does not say which: readings of the experiment list all three.
ENERGY_SCALES = ("mean_absolute", "absolute_mean", "per_sample")
# Gaussian draws for the expected orbit std of an infinitely wide member; their error is about 0.5 %.
NUM_DRAWS = 4000


def energy_scale(energies: Float[np.ndarray, " N"], rule: str) -> Float[np.ndarray, " N"]:
    """Returns what orbit standard deviations of each sample are divided by.

    Args:
        energies: mean prediction of the infinite ensemble at the untransformed samples.
        rule: ``mean_absolute`` (mean of |E| over the set), ``absolute_mean`` (|mean of E|) or ``per_sample`` (|E|).
    """
    scale = {
        "mean_absolute": np.abs(energies).mean(),
        "absolute_mean": abs(energies.mean()),
        "per_sample": np.abs(energies),
    }[rule]
    return np.broadcast_to(scale, energies.shape)


def scale_by_sample(energies: Float[np.ndarray, " N"], rule: str) -> Float[np.ndarray, " N"]:
    """Returns what each sample contributes to the scale of all, in units of it: 1 in the mean.

    Args:
        energies: as for ``energy_scale``.
        rule: likewise; a sample that is divided by its own energy changes nothing for the others: all are 1.
    """
    if rule == "per_sample":
        return np.ones_like(energies)
    parts = np.abs(energies) if rule == "mean_absolute" else energies
    return parts / parts.mean()


def gaussian_orbit_std(covariance: Float[np.ndarray, "N G G"]) -> Float[np.ndarray, "D N"]:
    """Returns draws of the orbit std of Gaussian energies with a given covariance over each orbit."""
    # No Cholesky factor: the points of an orbit may coincide, and the covariance is then singular.
    values, vectors = np.linalg.eigh(covariance)
    # The same draws at every call, so that readings differ by their covariance and not by luck.
    draws = np.random.default_rng(0).standard_normal((NUM_DRAWS, *values.shape))
    return np.einsum("ngk,nk,dnk->dng", vectors, np.sqrt(np.maximum(values, 0)), draws).std(-1)

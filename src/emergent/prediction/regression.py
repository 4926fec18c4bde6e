"""The infinitely wide ensemble trained on a fully augmented data set: fit once, predict at any time anywhere.

Inputs are the N base samples with all their transformed copies; outputs are the mean of the ensemble and the
covariance of its members. Nothing larger than |G| N x N is ever built.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import jax
import numpy as np
from jaxtyping import Float

from emergent.kernels.functions import KernelFunction
from emergent.kernels.gram import GramMatrices, cross_gram, gram, nngp_within, orbit_cross_gram, orbit_gram
from emergent.point_groups import FiniteGroup
from emergent.prediction.gradient_flow import RELATIVE_CUTOFF, Schedule
from emergent.prediction.symmetric_flow import (
    SymmetricSpectrum,
    covariance_symmetric,
    diagonalise_symmetric,
    mean_symmetric,
)


class EnsemblePrediction(NamedTuple):
    """Gaussian distribution of a trained, infinitely wide network's outputs at T points.

    Attributes:
        mean: [T, K], the prediction of an infinite ensemble.
        covariance: [T, T] between points, the same for each of the K channels, which are uncorrelated.
    """

    mean: Float[np.ndarray, "T K"]
    covariance: Float[np.ndarray, "T T"]

    @property
    def variance(self) -> Float[np.ndarray, " T"]:
        """Variance of a member's output at each point; divided by M it is that of an ensemble of M members."""
        return np.diagonal(self.covariance)


class OrbitPrediction(NamedTuple):
    """The same on the orbits of T samples, with covariances within each orbit only.

    Attributes:
        mean: [T, Q, K], the prediction of an infinite ensemble at the Q points of each orbit.
        covariance: [T, Q, Q] between the points of an orbit, the same for each of the K channels.
    """

    mean: Float[np.ndarray, "T Q K"]
    covariance: Float[np.ndarray, "T Q Q"]


@dataclass(frozen=True)
class InfiniteEnsemble:
    """A kernel, an augmented training set and the block-diagonal form of the one on the other.

    Attributes:
        kernel_function: of the architecture.
        orbits: [G, N, ...], all copies of the base inputs.
        targets: [G, N, K] at all copies.
        kernels: kappa [G, N, N] of both kernels.
        spectrum: of the NTK.
        tile_size: side of a tile when kernels are computed, in samples.
    """

    kernel_function: KernelFunction
    orbits: Float[np.ndarray, "G N ..."]
    targets: Float[np.ndarray, "G N K"]
    kernels: GramMatrices
    spectrum: SymmetricSpectrum
    tile_size: int

    def predict(self, inputs: Float[np.ndarray, "T ..."], schedule: Schedule) -> EnsemblePrediction:
        """Returns mean and covariance at ``inputs``, any points: pass transformed copies too to test equivariance."""
        return self.predict_many(inputs, [schedule])[0]

    def predict_many(self, inputs: Float[np.ndarray, "T ..."], schedules: list[Schedule]) -> list[EnsemblePrediction]:
        """Returns one prediction for each schedule; the kernels are computed once."""
        cross = orbit_cross_gram(self.kernel_function, inputs, self.orbits, self.tile_size)
        prior = gram(self.kernel_function, inputs, self.tile_size).nngp
        return [
            EnsemblePrediction(
                mean_symmetric(self.spectrum, cross.ntk, self.targets, schedule),
                covariance_symmetric(self.spectrum, self.kernels.nngp, cross.nngp, prior, cross.ntk, schedule),
            )
            for schedule in schedules
        ]

    def predict_orbits(self, orbits: Float[np.ndarray, "Q T ..."], schedule: Schedule) -> OrbitPrediction:
        """Returns mean and covariance on the orbits of T samples, a few samples at a time."""
        return self.predict_orbits_many(orbits, [schedule])[0]

    def predict_orbits_many(
        self, orbits: Float[np.ndarray, "Q T ..."], schedules: list[Schedule]
    ) -> list[OrbitPrediction]:
        """Returns one prediction for each schedule.

        Kernels at all points of the orbits are computed, also where the group would give them: that predictions are
        equivariant is a result and no assumption, and the orbits may be those of another group than that of training.
        """
        num_points, num = orbits.shape[:2]
        # Pieces of equal size (the last one filled up with copies), so that kernels are compiled once.
        size = min(max(1, self.tile_size // num_points), num)
        found = [
            OrbitPrediction(np.empty((num, num_points, self.targets.shape[2])), np.empty((num, num_points, num_points)))
            for _ in schedules
        ]
        for start in range(0, num, size):
            chosen = np.minimum(np.arange(start, start + size), num - 1)
            piece = np.moveaxis(orbits[:, chosen], 0, 1)
            kept = slice(start, min(start + size, num))
            for whole, part in zip(found, self._predict_piece(np.ascontiguousarray(piece), schedules), strict=True):
                whole.mean[kept], whole.covariance[kept] = (values[: kept.stop - start] for values in part)
        return found

    def _predict_piece(
        self, samples: Float[np.ndarray, "T Q ..."], schedules: list[Schedule]
    ) -> Iterator[OrbitPrediction]:
        num, num_points = samples.shape[:2]
        flat = samples.reshape(num * num_points, *samples.shape[2:])
        cross = orbit_cross_gram(self.kernel_function, flat, self.orbits, self.tile_size)
        prior = nngp_within(self.kernel_function, samples)
        nngp, ntk = (kernel.reshape(num, num_points, *kernel.shape[1:]) for kernel in cross)
        for schedule in schedules:
            mean = mean_symmetric(self.spectrum, cross.ntk, self.targets, schedule)
            covariance = covariance_symmetric(self.spectrum, self.kernels.nngp, nngp, prior, ntk, schedule)
            yield OrbitPrediction(mean.reshape(num, num_points, -1), covariance)

    def predict_mean(self, inputs: Float[np.ndarray, "T ..."], schedule: Schedule) -> Float[np.ndarray, "T K"]:
        """Returns only the mean [T, K], without the kernels that the covariance needs."""
        ntk = np.stack(
            [cross_gram(self.kernel_function, inputs, copies, self.tile_size).ntk for copies in self.orbits], axis=1
        )
        return mean_symmetric(self.spectrum, ntk, self.targets, schedule)


def fit_infinite_ensemble(
    kernel_function: KernelFunction,
    group: FiniteGroup,
    orbits: Float[np.ndarray, "G N ..."],
    targets: Float[np.ndarray, "G N K"],
    *,
    tile_size: int = 256,
    relative_cutoff: float = RELATIVE_CUTOFF,
    mean_only: bool = False,
) -> InfiniteEnsemble:
    """Returns the infinite ensemble of an architecture on an augmented training set.

    Args:
        kernel_function: invariant under simultaneous transformation of both inputs by the group.
        group: finite group that augments the training set.
        orbits: float64; ``orbits[g, i]`` is base input i transformed by element g. For lattice index maps
            ``inputs[:, index]`` moved to shape [G, N, P].
        targets: ``targets[g, i]`` belongs to ``orbits[g, i]``: the same for all g if the labels are invariant,
            transformed like the inputs if they are equivariant.
        tile_size: side of a tile when kernels are computed, in samples.
        relative_cutoff: share of the largest eigenvalue that counts as zero at infinite time.
        mean_only: for invariant targets: solve only the N x N problem of the trivial representation, enough for
            ``predict_mean`` but not for covariances.

    Raises:
        ValueError: shapes do not fit the group, ``mean_only`` with targets that are not invariant, or kernels come
            out in float32 because x64 is off.
    """
    if orbits.shape[0] != group.order or targets.shape[:2] != orbits.shape[:2] or targets.ndim != 3:
        raise ValueError(
            f"expected orbits [{group.order}, N, ...] and targets [{group.order}, N, K] for group {group.name}, "
            f"found {orbits.shape} and {targets.shape}."
        )
    if mean_only and not np.array_equal(targets, np.broadcast_to(targets[:1], targets.shape)):
        raise ValueError("mean_only needs invariant targets: targets[g] must be the same for all g.")
    # Without x64 JAX silently computes in float32, whose rounding (1e-7 of the largest eigenvalue) exceeds the smallest
    # eigenvalues of the NTK, which decide what is learned last.
    operand = jax.ShapeDtypeStruct(orbits[0, :1].shape, jax.dtypes.canonicalize_dtype(orbits.dtype))
    probe = jax.eval_shape(kernel_function, operand, operand).ntk
    if probe.dtype != np.float64:
        raise ValueError(f"kernels come out in {probe.dtype}; pass float64 inputs with x64 switched on in JAX.")
    kernels = orbit_gram(kernel_function, orbits, group, tile_size)
    spectrum = diagonalise_symmetric(kernels.ntk, group, relative_cutoff, trivial_only=mean_only)
    return InfiniteEnsemble(kernel_function, orbits, targets, kernels, spectrum, tile_size)

"""Gradient flow on a fully augmented training set without ever building its |G| N x |G| N kernel matrix.

Training points are (h, i): base input i transformed by h. An invariant kernel has
``Theta[(g, i), (h, j)] = kappa[g^-1 h, i, j]``: it commutes with the group, so in the basis
``sqrt(d / |G|) rho(g)_ab`` of the irreducible unitary representations rho (dimension d) it falls into one block
``sum_u rho(u) (x) kappa_u`` of size d N for each rho, which occurs d times. Instead of (|G| N)^3 an
eigendecomposition costs sum_rho (d N)^3; for invariant targets the mean needs only the trivial representation, an
N x N problem. (The covariance needs all of them: single members are not invariant.)

References:
    arXiv:2403.03103 for the augmented training set; the block form is the standard one of group-invariant operators.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from jaxtyping import Complex, Float

from emergent.groups.irreps import irreps
from emergent.point_groups import FiniteGroup
from emergent.prediction.gradient_flow import RELATIVE_CUTOFF, Schedule, Spectrum, diagonalise

Representation = Complex[np.ndarray, "G d d"] | Float[np.ndarray, "G d d"]


class Block(NamedTuple):
    """One irreducible representation and the spectrum of its block.

    Attributes:
        representation: [G, d, d], real if possible.
        weight: 2 if the block also stands for its complex conjugate, else 1.
        spectrum: eigendecomposition of the d N x d N block.
    """

    representation: Representation
    weight: int
    spectrum: Spectrum

    def project(self, array: Float[np.ndarray, "G N K"]) -> np.ndarray:
        """Returns the components [d, d N, K] of a function on the training points; the first d is the multiplicity."""
        order, dimension = self.representation.shape[:2]
        # With the root the basis is orthonormal, as the blocks assume.
        parts = np.einsum("gab,gnk->abnk", self.representation.conj(), array) * np.sqrt(dimension / order)
        return parts.reshape(dimension, -1, array.shape[2])

    def project_rows(self, array: Float[np.ndarray, "T G N"]) -> np.ndarray:
        """Returns the components [d, T, d N] of rows that multiply functions on the training points from the left."""
        # Rows multiply from the left: theirs are the conjugate coefficients.
        return np.swapaxes(self.project(np.moveaxis(array, 0, 2)).conj(), 1, 2)


@dataclass(frozen=True)
class SymmetricSpectrum:
    """Block-diagonal form of an invariant kernel on an augmented training set."""

    blocks: Sequence[Block]

    @property
    def max_learning_rate(self) -> float:
        """Learning rate 2 |G| N / lambda_max below which full-batch gradient descent converges."""
        largest = max(float(block.spectrum.eigenvalues[-1]) for block in self.blocks)
        return 2 * self.blocks[0].spectrum.num_points / largest


def _distinct_representations(group: FiniteGroup) -> list[tuple[Representation, int]]:
    """Returns (representation, weight): of a complex conjugate pair only one, with weight 2."""
    result: list[tuple[Representation, int]] = []
    characters: list[np.ndarray] = []
    for representation in irreps(group):
        character = np.trace(representation, axis1=1, axis2=2)
        # The character decides, not the matrices: a representation that is its own conjugate may come in a complex
        # basis, and would count twice.
        if np.abs(np.imag(character)).max() < 1e-9:
            is_real = np.abs(np.imag(representation)).max() < 1e-12
            result.append((np.real(representation) if is_real else representation, 1))
        elif not any(np.allclose(character.conj(), other) for other in characters):
            result.append((representation, 2))
            characters.append(character)
    return result


def _block_matrix(kappa: Float[np.ndarray, "G N N"], representation: Representation) -> np.ndarray:
    size = representation.shape[1] * kappa.shape[1]
    blocks = np.tensordot(np.real(representation), kappa, axes=(0, 0))
    if np.iscomplexobj(representation):
        # In two real products: a complex one would copy all of kappa as complex numbers.
        blocks = blocks + 1j * np.tensordot(np.imag(representation), kappa, axes=(0, 0))
    matrix = blocks.transpose(0, 2, 1, 3).reshape(size, size)
    # Hermitian but for rounding, because kappa[g^-1] is the transpose of kappa[g].
    return (matrix + matrix.conj().T) / 2


def diagonalise_symmetric(
    ntk_orbit: Float[np.ndarray, "G N N"],
    group: FiniteGroup,
    relative_cutoff: float = RELATIVE_CUTOFF,
    *,
    trivial_only: bool = False,
) -> SymmetricSpectrum:
    """Returns the spectrum of the NTK on all |G| N training points from ``kappa[g, i, j] = Theta(x_i, rho(g) x_j)``.

    Args:
        ntk_orbit: from ``emergent.kernels.gram.orbit_gram``, with ``kappa[g, j, i] == kappa[inverse[g], i, j]``.
        group: finite group that augments the training set.
        relative_cutoff: share of the largest eigenvalue that counts as zero at infinite time.
        trivial_only: keep only the trivial representation: enough for the mean with invariant targets. The cut-off
            then refers to the largest eigenvalue of that block, which is the largest of all for non-negative kernels.
    """
    representations = _distinct_representations(group)[: 1 if trivial_only else None]
    num_points = group.order * ntk_orbit.shape[1]
    spectra = [diagonalise(_block_matrix(ntk_orbit, representation)) for representation, _ in representations]
    # One cut-off for all blocks, from the largest eigenvalue of the whole matrix, as if it had never been taken apart.
    cutoff = relative_cutoff * max(float(spectrum.eigenvalues[-1]) for spectrum in spectra)
    return SymmetricSpectrum(
        [
            Block(representation, weight, spectrum._replace(num_points=num_points, cutoff=cutoff))
            for (representation, weight), spectrum in zip(representations, spectra, strict=True)
        ]
    )


def mean_symmetric(
    spectrum: SymmetricSpectrum,
    ntk_cross: Float[np.ndarray, "T G N"],
    targets: Float[np.ndarray, "G N K"],
    schedule: Schedule,
) -> Float[np.ndarray, "T K"]:
    """Returns the mean output of the infinite ensemble at test points.

    Args:
        spectrum: from ``diagonalise_symmetric``.
        ntk_cross: Theta(x, rho(g) x_j) between test points and all training points.
        targets: at all training points; for equivariant targets ``targets[g, j] = rho_Y(g) y_j``.
        schedule: training time.
    """
    result = np.zeros((len(ntk_cross), targets.shape[2]))
    for block in spectrum.blocks:
        parts = zip(block.project_rows(ntk_cross), block.project(targets), strict=True)
        for rows, columns in parts:
            # A block and its complex conjugate together give twice the real part.
            result += block.weight * (rows @ block.spectrum.solve(columns, schedule)).real
    return result


def weights_symmetric(
    spectrum: SymmetricSpectrum, targets: Float[np.ndarray, "G N K"], schedule: Schedule
) -> Float[np.ndarray, "G N K"]:
    """Returns Theta^-1 (1 - residual) Y, the weight of every training point in the mean output.

    The mean at x is the sum over training points of their weights times ``Theta(x, rho(g) x_j)``.

    Args:
        spectrum: from ``diagonalise_symmetric``; that of the trivial representation alone is enough for invariant
            targets.
        targets: at all training points.
        schedule: training time.
    """
    result = np.zeros(targets.shape)
    for block in spectrum.blocks:
        order, dimension = block.representation.shape[:2]
        solved = np.stack([block.spectrum.solve(columns, schedule) for columns in block.project(targets)])
        parts = solved.reshape(dimension, dimension, *targets.shape[1:])
        whole = np.einsum("gab,abnk->gnk", block.representation, parts) * np.sqrt(dimension / order)
        result += block.weight * whole.real
    return result


def covariance_symmetric(
    spectrum: SymmetricSpectrum,
    nngp_orbit: Float[np.ndarray, "G N N"],
    nngp_cross: Float[np.ndarray, "*sets T G N"],
    nngp_test: Float[np.ndarray, "*sets T T"],
    ntk_cross: Float[np.ndarray, "*sets T G N"],
    schedule: Schedule,
) -> Float[np.ndarray, "*sets T T"]:
    """Returns the covariance of a member's outputs between test points, equal for all channels; K at time 0.

    Args:
        spectrum: from ``diagonalise_symmetric``, with all representations.
        nngp_orbit: K(x_i, rho(g) x_j) of the training points.
        nngp_cross: K(x, rho(g) x_j) between test and training points. With leading axes there are many sets of T test
            points, such as the orbits of many samples, and covariances within each set only.
        nngp_test: K between test points, set by set.
        ntk_cross: Theta(x, rho(g) x_j) between test and training points.
        schedule: training time.

    Raises:
        ValueError: the spectrum holds only the trivial representation.
    """
    components = sum(block.weight * block.representation.shape[1] ** 2 for block in spectrum.blocks)
    if components != nngp_orbit.shape[0]:
        raise ValueError(
            f"the covariance needs all representations: their squared dimensions add up to {components}, "
            f"expected |G| = {nngp_orbit.shape[0]}. Call diagonalise_symmetric without trivial_only."
        )
    sets, training = nngp_test.shape[:-1], nngp_cross.shape[-2:]
    all_ntk_rows, all_nngp_rows = ntk_cross.reshape(-1, *training), nngp_cross.reshape(-1, *training)
    result = nngp_test.copy()
    for block in spectrum.blocks:
        nngp_block = _block_matrix(nngp_orbit, block.representation)
        # The d copies of a representation have rows of their own but share one spectrum.
        for ntk_rows, nngp_rows in zip(
            block.project_rows(all_ntk_rows), block.project_rows(all_nngp_rows), strict=True
        ):
            # Products with N x N matrices go over all points at once, those between test points set by set.
            flat = block.spectrum.propagate(ntk_rows, schedule)
            weighted = (flat @ nngp_block).reshape(*sets, -1)
            weights, conjugate = flat.reshape(*sets, -1), nngp_rows.conj().reshape(*sets, -1)
            mixed = weights @ np.swapaxes(conjugate, -1, -2)
            adjoint = np.swapaxes(mixed.conj(), -1, -2)
            result += block.weight * (weighted @ np.swapaxes(weights.conj(), -1, -2) - mixed - adjoint).real
    return result

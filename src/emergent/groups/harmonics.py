"""Band-limited filters: circular harmonics times Gaussian rings, which can be turned by any angle.

A filter is a function of the plane, ``sum of c R(rho - r) cos(m phi)`` and the same with sines, over rings of radius r
and frequencies m, sampled at the taps of a square. To turn it by an angle theta shifts the phase of every harmonic by
m theta, which is exact before sampling; where the turn maps the taps onto each other (quarter turns) it is exact after
sampling too. Taps are points like the pixels of ``emergent.groups.lattices``: x to the right, y upwards, the centre of
the square at the origin; squares of even side have taps at half-integers.

What is kept of the infinitely many functions, and why:

* rings are one tap apart, from the edge of the square inwards, and as wide as makes neighbours overlap at half height;
* taps outside the disc that fits into the square are left out: turned filters would need what lies beyond the corners;
* on a ring of radius r frequencies go up to pi r / 2, so that a period along the ring is at least four taps long, twice
  what the lattice resolves. The cosine and the sine of a pair then have the same norm over the taps up to a fifth, so
  that a turn by any angle leaves a filter its size; where the lattice no longer resolves them they differ by factors;
* a harmonic of m > 0 has no direction at the origin and is 0 there.

References:
    arXiv 1911.08251, section 2.6 and appendix (harmonics, Gaussian rings, band limit).
"""

import math
from dataclasses import dataclass
from functools import cache

import numpy as np
from jaxtyping import Float, Int

RING_WIDTH = 0.6
"""Standard deviation of the Gaussian profile of a ring, in taps."""


@dataclass(frozen=True, eq=False)
class HarmonicBasis:
    """Real basis functions of filters, B of them.

    Functions of frequency m > 0 come in pairs, cosine before sine, which share their scale: turns are then orthogonal
    matrices.

    Attributes:
        side: taps along one side of the square.
        radii: [B] of the rings, in taps.
        frequencies: [B].
        sines: [B] 1 for sines, 0 for cosines.
        scales: [B] factors that make the squares of the two of a pair, over the taps, 1 on average.
    """

    side: int
    radii: Float[np.ndarray, " B"]
    frequencies: Int[np.ndarray, " B"]
    sines: Int[np.ndarray, " B"]
    scales: Float[np.ndarray, " B"]

    @property
    def num_functions(self) -> int:
        """Returns the number of functions B."""
        return len(self.radii)

    def sample(self, points: Float[np.ndarray, "P 2"]) -> Float[np.ndarray, "P B"]:
        """Returns the functions at any points (x, y)."""
        distance, angle = np.hypot(points[:, 0], points[:, 1])[:, None], np.arctan2(points[:, 1], points[:, 0])[:, None]
        rings = np.exp(-((distance - self.radii) ** 2) / (2 * RING_WIDTH**2))
        # A sine is the cosine of an angle that is a quarter turn behind.
        harmonics = np.where(self.sines == 1, np.sin(self.frequencies * angle), np.cos(self.frequencies * angle))
        directed = (self.frequencies == 0) | (distance > 0)
        inside = distance <= self.side / 2
        return self.scales * rings * harmonics * (directed & inside)

    def turned(self, angle: float) -> Float[np.ndarray, "B B"]:
        """Returns what a counter-clockwise turn by ``angle`` (radians) makes of the functions.

        Column b holds the coefficients of the turned function b: samples of it are ``sample(points) @ turned(angle)``.
        """
        phase = self.frequencies * angle
        matrix = np.diag(np.cos(phase))
        for sine in np.flatnonzero(self.sines):
            matrix[sine, sine - 1], matrix[sine - 1, sine] = np.sin(phase[sine]), -np.sin(phase[sine])
        return matrix

    def turns(self, num_rotations: int) -> Float[np.ndarray, "G B B"]:
        """Returns ``turned`` for the multiples of 360 / G degrees."""
        return np.stack([self.turned(2 * math.pi * g / num_rotations) for g in range(num_rotations)])


def highest_frequency(radius: float) -> int:
    """Returns the largest frequency on a ring: a period is at least four taps long."""
    return math.floor(math.pi * radius / 2)


def taps(side: int) -> Float[np.ndarray, "P 2"]:
    """Returns the points (x, y) of the P = side * side taps of a square, row by row from the top."""
    rows, columns = np.divmod(np.arange(side * side), side)
    return np.stack([columns - (side - 1) / 2, (side - 1) / 2 - rows], -1)


@cache
def harmonic_basis(side: int) -> HarmonicBasis:
    """Returns the basis of filters of ``side`` x ``side`` taps."""
    radii = np.arange((side - 1) % 2 / 2, side / 2)
    rows = [
        (radius, frequency, sine)
        for radius in radii
        for frequency in range(highest_frequency(radius) + 1)
        for sine in range(1 if frequency == 0 else 2)
    ]
    columns = np.array(rows).T
    parts = columns[0], columns[1].astype(np.int64), columns[2].astype(np.int64)
    squares = (HarmonicBasis(side, *parts, np.ones(len(rows))).sample(taps(side)) ** 2).sum(0)
    partner = np.arange(len(rows)) + (parts[1] > 0) * (1 - 2 * parts[2])
    return HarmonicBasis(side, *parts, 1 / np.sqrt((squares + squares[partner]) / 2))


@cache
def steered_taps(num_rotations: int, side: int) -> Float[np.ndarray, "G P B"]:
    """Returns the basis functions turned by the G multiples of 360 / G degrees, at the taps of a square."""
    basis = harmonic_basis(side)
    return basis.sample(taps(side)) @ basis.turns(num_rotations)

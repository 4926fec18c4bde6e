"""Groups of matrices by generators: a Lie algebra, elements beside it, and a metric that all of them keep.

O(n), SO(n), the Lorentz groups O(1,3), SO(1,3) and SO+(1,3), and groups about the axis z of space: O(2)_z, SO(2)_z and
the finite C2_z, D2_z, C3_z, D3_z ... What is known of a group here is all that the solver of
``emergent.groups.equivariant_maps`` and the actions of ``emergent.groups.tensors`` need; finite groups have no Lie
algebra. NumPy only, float64.
"""

import re
from dataclasses import dataclass, field
from functools import cache
from itertools import combinations
from typing import Any

import numpy as np
from jaxtyping import Float

from emergent.errors import ConfigError

BOOST_SCALE = 0.3
"""Standard deviation of the rapidities of random boosts; rotations have 1 (released code of arXiv 2104.09459)."""
TOLERANCE = 1e-10


@dataclass(frozen=True)
class MatrixGroup:
    """A group of d x d matrices.

    Attributes:
        name: as mathematics writes it, e.g. ``SO+(1,3)``.
        metric: diagonal of the form eta that the group keeps, g^T eta g = eta; ones for groups of rotations.
        lie_algebra: generators A, of elements exp(A).
        discrete: elements that generate the rest.
        scales: standard deviation of the coordinate of each generator in random elements.
    """

    name: str
    metric: Float[np.ndarray, " d"]
    lie_algebra: Float[np.ndarray, "L d d"]
    discrete: Float[np.ndarray, "K d d"]
    scales: Float[np.ndarray, " L"] = field(default_factory=lambda: np.zeros(0))

    def __post_init__(self) -> None:
        size = len(self.metric)
        for words, generators in (("lie_algebra", self.lie_algebra), ("discrete", self.discrete)):
            if np.ndim(generators) != 3 or np.shape(generators)[1:] != (size, size):
                raise ConfigError(
                    f"group {self.name}: {words}: expected generators of shape [number, {size}, {size}], found shape "
                    f"{np.shape(generators)}; give square matrices of the dimension of the metric, stacked."
                )
        if np.shape(self.scales) != (len(self.lie_algebra),):
            raise ConfigError(
                f"group {self.name}: scales: expected one for each of {len(self.lie_algebra)} generators of the Lie "
                f"algebra, found shape {np.shape(self.scales)}."
            )
        eta = np.diag(self.metric)
        for index, a in enumerate(self.lie_algebra):
            if not np.allclose(a.T @ eta + eta @ a, 0, atol=TOLERANCE):
                raise ConfigError(
                    f"group {self.name}: lie_algebra[{index}] does not keep the metric diag{tuple(self.metric)}: "
                    "expected A^T eta + eta A = 0; give a generator that does, or the metric of these."
                )
        for index, g in enumerate(self.discrete):
            if not np.allclose(g.T @ eta @ g, eta, atol=TOLERANCE):
                raise ConfigError(
                    f"group {self.name}: discrete[{index}] does not keep the metric diag{tuple(self.metric)}: "
                    "expected g^T eta g = eta; give an element that does, or the metric of these."
                )

    @property
    def dimension(self) -> int:
        """Returns d."""
        return len(self.metric)

    def inverse(self, elements: Any) -> Any:
        """Returns inverse elements [..., d, d], eta g^T eta; for arrays of NumPy and of JAX."""
        signs = np.multiply.outer(self.metric, self.metric).astype(elements.dtype)
        return elements.swapaxes(-1, -2) * signs.reshape((1,) * (elements.ndim - 2) + signs.shape)


def _plane_rotations(dimension: int, metric: Float[np.ndarray, " d"]) -> Float[np.ndarray, "L d d"]:
    """Returns a generator for every pair of axes: of a boost where their signs in the metric differ."""
    generators = []
    for i, j in combinations(range(dimension), 2):
        a = np.zeros((dimension, dimension))
        a[i, j], a[j, i] = 1.0, -metric[i] * metric[j]
        generators.append(a)
    return np.stack(generators)


def orthogonal(dimension: int, special: bool) -> MatrixGroup:
    """Returns O(n), or SO(n), whose determinants are 1.

    Raises:
        ConfigError: fewer than two dimensions.
    """
    if dimension < 2:
        raise ConfigError(f"O(n): expected two dimensions or more, found {dimension}.")
    metric = np.ones(dimension)
    algebra = _plane_rotations(dimension, metric)
    reflection = np.diag(np.r_[-1.0, np.ones(dimension - 1)])[None]
    discrete = reflection[:0] if special else reflection
    return MatrixGroup(f"{'S' * special}O({dimension})", metric, algebra, discrete, np.ones(len(algebra)))


def lorentz(name: str) -> MatrixGroup:
    """Returns O(1,3), SO(1,3) or SO+(1,3), of the metric diag(1, -1, -1, -1).

    Args:
        name: which.
    """
    metric = np.array([1.0, -1.0, -1.0, -1.0])
    algebra = _plane_rotations(4, metric)
    parity = np.diag([1.0, -1.0, -1.0, -1.0])
    discrete = {"O(1,3)": [parity, -parity], "SO(1,3)": [-np.eye(4)], "SO+(1,3)": []}[name]
    boosts = np.abs(algebra[:, 0]).sum(1) > 0
    return MatrixGroup(name, metric, algebra, np.array(discrete).reshape(-1, 4, 4), np.where(boosts, BOOST_SCALE, 1.0))


def about_z(name: str) -> MatrixGroup:
    """Returns O(2)_z, SO(2)_z, Cn_z or Dn_z, which turn the plane of x and y; O(2)_z and Dn_z also mirror x.

    Args:
        name: which, with n of at least 2.
    """
    found = re.fullmatch(r"([CD])(\d+)_z", name)
    metric = np.ones(3)
    algebra, turns = _plane_rotations(3, metric)[:1], np.zeros((0, 3, 3))
    if found:
        angle = 2 * np.pi / int(found[2])
        turn = np.array([[np.cos(angle), -np.sin(angle), 0], [np.sin(angle), np.cos(angle), 0], [0, 0, 1.0]])
        algebra, turns = algebra[:0], turn[None]
    mirror = np.diag([-1.0, 1.0, 1.0])[None]
    discrete = turns if name.startswith(("S", "C")) else np.concatenate([turns, mirror])
    return MatrixGroup(name, metric, algebra, discrete, np.ones(len(algebra)))


@cache
def matrix_group(name: str) -> MatrixGroup:
    """Returns a group by its name: ``O(5)``, ``SO(3)``, ``O(1,3)``, ``SO(1,3)``, ``SO+(1,3)``, ``O(2)_z``, ``D6_z`` ...

    Raises:
        ConfigError: no such group.
    """
    found = re.fullmatch(r"(S?)O\((\d)\)", name)
    if found:
        return orthogonal(int(found[2]), bool(found[1]))
    if name in ("O(1,3)", "SO(1,3)", "SO+(1,3)"):
        return lorentz(name)
    if name in ("O(2)_z", "SO(2)_z") or re.fullmatch(r"[CD]([2-9]|[1-9]\d)_z", name):
        return about_z(name)
    raise ConfigError(
        f"group {name!r}: expected O(n), SO(n), O(1,3), SO(1,3), SO+(1,3), O(2)_z, SO(2)_z, Cn_z or Dn_z."
    )

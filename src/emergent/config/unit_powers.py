"""Which products of powers of quantities have given units, and which have none: integer systems by Smith's normal form.

Units are integer powers of kilogram, metre, second and kelvin. Changing the units multiplies numbers by powers of four
positive factors, a group; dimensionless products are its invariants, and a label of the right units moves with it.
Settings are checked by it before anything is computed; sympy is imported where it is needed alone, because that takes a
second.

References:
    arXiv 2204.00887 (units equivariance).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Int

from emergent.errors import ConfigError

BASE = ("kg", "m", "s", "K")


def unit_words(units: Sequence[int]) -> str:
    """Returns units as people write them, e.g. ``kg m^2 s^-1``; ``1`` for none."""
    parts = [base if power == 1 else f"{base}^{power}" for base, power in zip(BASE, units, strict=True) if power]
    return " ".join(parts) or "1"


@dataclass(frozen=True)
class Powers:
    """Products of powers of k quantities.

    Attributes:
        label: [k], powers whose product has the units of the label.
        dimensionless: [r, k], powers of r products without units, a basis of all of them.
    """

    label: Int[np.ndarray, " k"]
    dimensionless: Int[np.ndarray, "r k"]


def solve(units: Mapping[str, Sequence[int]], label: Sequence[int]) -> Powers:
    """Returns integer powers of quantities that make the units of a label, and those that make none.

    Args:
        units: of each quantity, powers of kg, m, s, K.
        label: of what they are to make.

    Raises:
        ConfigError: no product of integer powers of the quantities has the units of the label.
    """
    import sympy
    from sympy.matrices.normalforms import smith_normal_decomp

    columns = np.array([list(units[name]) for name in units]).T
    diagonal, left, right = smith_normal_decomp(sympy.Matrix(columns.tolist()), domain=sympy.ZZ)
    asked = left * sympy.Matrix(list(label))
    size, found = columns.shape[1], []
    for row in range(len(asked)):
        divisor = diagonal[row, row] if row < size else sympy.Integer(0)
        if (asked[row] != 0) if divisor == 0 else (asked[row] % divisor != 0):
            known = ", ".join(f"{name} ({unit_words(own)})" for name, own in units.items())
            raise ConfigError(
                f"units: expected quantities that make {unit_words(label)}, found {known}, of which no product "
                "of integer powers does; add a quantity that has the units that are missing."
            )
        found.append(asked[row] / divisor if divisor != 0 else sympy.Integer(0))
    solution = right * sympy.Matrix((found + [sympy.Integer(0)] * size)[:size])
    free = [column for column in range(size) if column >= len(asked) or diagonal[column, column] == 0]
    basis = np.array(right.tolist(), dtype=np.int64)[:, free].T
    return Powers(np.array(list(solution), dtype=np.int64), basis)


def require_solution(units: Mapping[str, Sequence[int]], label: Sequence[int]) -> None:
    """Checks that some product of integer powers of quantities has the units of a label; arguments as for ``solve``.

    Raises:
        ConfigError: none has.
    """
    columns = np.array([list(own) for own in units.values()], float).T
    for num in range(1, len(units) + 1):
        # Powers of the first quantities, rounded, that make the label are a proof by themselves.
        powers = np.rint(np.linalg.lstsq(columns[:, :num], np.asarray(label, float), rcond=None)[0])
        if (columns[:, :num] @ powers == label).all():
            return
    solve(units, label)


def independent(units: Mapping[str, Sequence[int]], other: Sequence[int]) -> bool:
    """Returns whether a further quantity is in no product without units."""
    columns = np.array([list(own) for own in units.values()]).T
    return bool(np.linalg.matrix_rank(np.column_stack([columns, other])) > np.linalg.matrix_rank(columns))

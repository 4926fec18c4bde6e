"""Equivariant linear maps: their number is known for the classical groups, and every one commutes with the group."""

from dataclasses import replace

import numpy as np
import pytest
import scipy.linalg
import scipy.sparse

from emergent.errors import ConfigError
from emergent.groups.equivariant_maps import (
    Representation,
    invariant_tensors,
    invariants,
    null_space,
    require_representation,
    tensor_derivative,
    tensor_matrix,
    tensors,
)
from emergent.groups.matrix_groups import MatrixGroup, matrix_group

KNOWN = [
    # Riordan numbers for SO(3); without the maps that need the Levi-Civita symbol for O(3).
    ("O(3)", [1, 0, 1, 0, 3, 0]), ("SO(3)", [1, 0, 1, 1, 3, 6]),
    # The symbol has five indices, and four in space-time.
    ("O(5)", [1, 0, 1, 0, 3]), ("SO(5)", [1, 0, 1, 0, 3]),
    ("O(1,3)", [1, 0, 1, 0, 3]), ("SO(1,3)", [1, 0, 1, 0, 4]), ("SO+(1,3)", [1, 0, 1, 0, 4]),
    ("SO(2)", [1, 0, 2, 0, 6]), ("O(2)", [1, 0, 1, 0, 3]),
]  # fmt: skip


def element(group: MatrixGroup, seed: int) -> np.ndarray:
    generator = np.random.default_rng(seed)
    coordinates = generator.standard_normal(len(group.lie_algebra)) * group.scales
    found = scipy.linalg.expm(np.tensordot(coordinates, group.lie_algebra, 1))
    for discrete in group.discrete:
        found = found @ np.linalg.matrix_power(discrete, int(generator.integers(2)))
    return found


@pytest.mark.parametrize(("name", "dimensions"), KNOWN, ids=[name for name, _ in KNOWN])
def test_numbers_of_invariant_tensors_are_known_and_none_moves(name: str, dimensions: list[int]) -> None:
    group = matrix_group(name)
    for rank, dimension in enumerate(dimensions):
        # The metric raises and lowers indices: their number alone counts.
        for lower in {0, rank // 2}:
            basis = invariant_tensors(name, rank - lower, lower)
            assert basis.shape == (group.dimension**rank, dimension)
            np.testing.assert_allclose(basis.T @ basis, np.eye(dimension), atol=1e-12)
            for seed in range(2):
                moved = tensor_matrix(element(group, seed), rank - lower, lower) @ basis
                np.testing.assert_allclose(moved, basis, atol=1e-10)


def test_vectors_to_matrices_by_the_symbol_of_levi_civita() -> None:
    basis = invariant_tensors("SO(3)", 2, 1).reshape(3, 3, 3)
    np.testing.assert_allclose(basis, -basis.transpose(1, 0, 2), atol=1e-12)
    assert invariant_tensors("O(3)", 2, 1).shape[1] == 0


@pytest.mark.parametrize("name", ["SO(3)", "O(1,3)"])
def test_large_and_small_solvers_agree(name: str) -> None:
    group = matrix_group(name)
    demands = [tensor_derivative(a, 2, 2) for a in group.lie_algebra]
    demands += [tensor_matrix(h, 2, 2) - scipy.sparse.eye_array(group.dimension**4) for h in group.discrete]
    stacked = scipy.sparse.vstack(demands, format="csr")
    dense, iterated = null_space(stacked, dense=10_000), null_space(stacked, dense=1)
    np.testing.assert_allclose(dense @ dense.T, iterated @ iterated.T, atol=1e-11)


def test_a_null_space_larger_than_a_block_is_found() -> None:
    demands = scipy.sparse.csr_array(np.eye(200)[:70])
    assert null_space(demands, dense=1).shape == null_space(demands).shape == (200, 130)


def test_a_finite_group_and_a_representation_of_its_own() -> None:
    turn = np.array([[[0.0, -1.0], [1.0, 0.0]]])
    quarter_turns = MatrixGroup("C4", np.ones(2), np.zeros((0, 2, 2)), turn)
    assert invariants(quarter_turns, tensors(2, 1, 1)).shape == (4, 2)
    shifts = {0: np.eye(4), 1: np.roll(np.eye(4), 1, 0)}

    def permutation(g: np.ndarray) -> np.ndarray:
        quarters = round(np.arctan2(g[1, 0], g[0, 0]) / (np.pi / 2)) % 4
        return np.linalg.matrix_power(shifts[1], quarters)

    regular = Representation("shifts", 4, permutation, lambda a: np.zeros((4, 4)))
    assert invariants(quarter_turns, regular).shape == (4, 1)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"rho": lambda g: g + 0.1}, r"rho\(g h\) = rho\(g\) rho\(h\) does not hold"),
        ({"rho": np.transpose}, "is no representation"),
        ({"rho": lambda g: g * np.abs(g).max()}, "is no representation"),
        ({"drho": lambda a: 2 * a}, r"rho\(exp\(A\)\) = exp\(drho\(A\)\) does not hold"),
        ({"rho": lambda g: np.eye(4)}, r"expected matrices of shape \(3, 3\), found \(4, 4\)"),
        # Multiplies, and has no inverse.
        ({"rho": lambda g: np.zeros((3, 3))}, r"rho\(inverse of g\) rho\(g\) = 1 does not hold"),
    ],
)  # fmt: skip
def test_what_is_no_representation_is_refused(change: dict, message: str) -> None:
    group = matrix_group("O(3)")
    require_representation(group, tensors(3, 1))
    with pytest.raises(ConfigError, match=message):
        invariants(group, replace(tensors(3, 1), **change))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"lie_algebra": np.zeros((3, 2, 2))}, r"lie_algebra: expected generators of shape \[number, 3, 3\], found"),
        ({"discrete": np.eye(3)}, r"discrete: expected generators of shape \[number, 3, 3\], found shape \(3, 3\)"),
        ({"scales": np.ones(2)}, r"scales: expected one for each of 3 generators"),
        ({"metric": np.array([1.0, -1.0, -1.0])}, "does not keep the metric"),
        ({"discrete": 2 * np.eye(3)[None]}, r"discrete\[0\] does not keep the metric"),
    ],
)
def test_wrong_generators_are_refused(change: dict, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        replace(matrix_group("SO(3)"), **change)


@pytest.mark.parametrize("name", ["U(1)", "O(1)", "SO(1,2)"])
def test_unknown_groups_are_refused(name: str) -> None:
    with pytest.raises(ConfigError, match=r"expected O\(n\)|expected two dimensions"):
        matrix_group(name)

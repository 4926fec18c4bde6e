"""Group axioms and representations, exactly."""

import numpy as np
import pytest

from emergent.errors import ConfigError
from emergent.groups.points import point_matrices
from emergent.point_groups import group_from_name, irreps

NAMES = ["C1", "C2", "C3", "C4", "C8", "C12", "C16", "D1", "D2", "D3", "D4", "D8"]


@pytest.mark.parametrize("name", NAMES)
def test_axioms(name):
    group = group_from_name(name)
    elements = np.arange(group.order)
    assert group.order == int(name[1:]) * (2 if name[0] == "D" else 1)
    np.testing.assert_array_equal(group.product[0], elements)
    np.testing.assert_array_equal(group.product[:, 0], elements)
    np.testing.assert_array_equal(np.sort(group.product, axis=0), np.tile(elements[:, None], group.order))
    np.testing.assert_array_equal(group.product[elements, group.inverse], 0)
    left = group.product[group.product, :]
    right = group.product[elements[:, None, None], group.product[None]]
    np.testing.assert_array_equal(left, right)


@pytest.mark.parametrize("name", NAMES)
def test_matrices_represent_the_group(name):
    group = group_from_name(name)
    matrices = point_matrices(group)
    products = np.einsum("gab,hbc->ghac", matrices, matrices)
    np.testing.assert_allclose(matrices[group.product], products, atol=1e-14)
    np.testing.assert_array_equal(np.linalg.det(matrices) < 0, group.reflections)


def test_commutativity_tells_cyclic_from_dihedral():
    cyclic, dihedral = group_from_name("C8"), group_from_name("D4")
    np.testing.assert_array_equal(cyclic.product, cyclic.product.T)
    assert not np.array_equal(dihedral.product, dihedral.product.T)


@pytest.mark.parametrize("name", NAMES)
def test_irreducible_representations(name):
    group = group_from_name(name)
    representations = irreps(group)
    assert sum(rho.shape[1] ** 2 for rho in representations) == group.order
    np.testing.assert_array_equal(representations[0], np.ones((group.order, 1, 1)))
    for rho in representations:
        np.testing.assert_allclose(rho[group.product], np.einsum("gab,hbc->ghac", rho, rho), atol=1e-13)
        identity = np.broadcast_to(np.eye(rho.shape[1]), rho.shape)
        np.testing.assert_allclose(np.einsum("gab,gcb->gac", rho, rho.conj()), identity, atol=1e-13)


@pytest.mark.parametrize("name", NAMES)
def test_schur_orthogonality(name):
    group = group_from_name(name)
    columns = [rho.reshape(group.order, -1) * np.sqrt(rho.shape[1] / group.order) for rho in irreps(group)]
    basis = np.concatenate(columns, axis=1)
    np.testing.assert_allclose(basis.conj().T @ basis, np.eye(group.order), atol=1e-13)


@pytest.mark.parametrize("name", ["", "C0", "C", "E4", "c4", "C4 ", "D-1"])
def test_unknown_name(name):
    with pytest.raises(ConfigError, match="expected C or D"):
        group_from_name(name)

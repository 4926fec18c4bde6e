"""Group axioms and representations, exactly."""

import numpy as np
import pytest

from emergent.config.groups import Augmentation
from emergent.errors import ConfigError
from emergent.groups.images import image_action
from emergent.groups.irreps import irreps
from emergent.groups.lattices import lattice_action
from emergent.groups.points import point_matrices
from emergent.point_groups import POINT_GROUPS, Entry, closure, group_from_name

NAMES = ["C1", "C2", "C3", "C4", "C8", "C12", "C16", "D1", "D2", "D3", "D4", "D8"]
SOLIDS = {"tetrahedral": 12, "octahedral": 24, "icosahedral": 60}


@pytest.mark.parametrize("name", [*NAMES, *SOLIDS])
def test_axioms(name):
    group = group_from_name(name)
    elements = np.arange(group.order)
    assert group.order == (SOLIDS.get(name) or int(name[1:]) * (2 if name[0] == "D" else 1))
    np.testing.assert_array_equal(group.product[0], elements)
    np.testing.assert_array_equal(group.product[:, 0], elements)
    np.testing.assert_array_equal(np.sort(group.product, axis=0), np.tile(elements[:, None], group.order))
    np.testing.assert_array_equal(group.product[elements, group.inverse], 0)
    left = group.product[group.product, :]
    right = group.product[elements[:, None, None], group.product[None]]
    np.testing.assert_array_equal(left, right)


@pytest.mark.parametrize("name", [*NAMES, *SOLIDS])
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


@pytest.mark.parametrize("name", [*NAMES, *SOLIDS])
def test_irreducible_representations(name):
    group = group_from_name(name)
    representations = irreps(group)
    assert sum(rho.shape[1] ** 2 for rho in representations) == group.order
    np.testing.assert_array_equal(representations[0], np.ones((group.order, 1, 1)))
    for rho in representations:
        np.testing.assert_allclose(rho[group.product], np.einsum("gab,hbc->ghac", rho, rho), atol=1e-13)
        identity = np.broadcast_to(np.eye(rho.shape[1]), rho.shape)
        np.testing.assert_allclose(np.einsum("gab,gcb->gac", rho, rho.conj()), identity, atol=1e-13)


@pytest.mark.parametrize("name", [*NAMES, *SOLIDS])
def test_schur_orthogonality(name):
    group = group_from_name(name)
    columns = [rho.reshape(group.order, -1) * np.sqrt(rho.shape[1] / group.order) for rho in irreps(group)]
    basis = np.concatenate(columns, axis=1)
    np.testing.assert_allclose(basis.conj().T @ basis, np.eye(group.order), atol=1e-13)


@pytest.mark.parametrize("name", SOLIDS)
def test_rotations_of_solids(name):
    group = group_from_name(name)
    assert group.dimension == 3 and group.num_rotations == group.order
    np.testing.assert_array_equal(group.matrices[0], np.eye(3))
    identity = np.broadcast_to(np.eye(3), group.matrices.shape)
    np.testing.assert_allclose(group.matrices @ group.matrices.swapaxes(1, 2), identity, atol=1e-15)
    # How often each angle occurs, over 2 pi / n: the axes through vertices, edges and faces.
    turns, counts = np.unique(np.rint(group.angles * 60 / np.pi), return_counts=True)
    assert (
        dict(zip(turns.tolist(), counts.tolist(), strict=True))
        == {
            "tetrahedral": {0: 1, 40: 8, 60: 3},
            "octahedral": {0: 1, 30: 6, 40: 8, 60: 9},
            "icosahedral": {0: 1, 24: 12, 40: 20, 48: 12, 60: 15},
        }[name]
    )
    if name != "icosahedral":
        np.testing.assert_array_equal(group.matrices, np.rint(group.matrices))


@pytest.mark.parametrize("name", ["C8", "D3", "D4"])
def test_closure_of_generators_is_the_group_of_integers(name):
    """The two ways to make a group agree, up to the order of the elements."""
    group = group_from_name(name)
    last = group.order - 1 if group.reflections.any() else 1
    closed = closure(name, "", group.matrices[[1, last]].tolist())
    distance = np.abs(closed.matrices[:, None] - group.matrices[None]).max((2, 3))
    order = distance.argmin(1)
    assert distance.min(1).max() < 1e-14 and sorted(order) == list(range(group.order))
    np.testing.assert_array_equal(group.product[np.ix_(order, order)], order[closed.product])
    np.testing.assert_array_equal(group.reflections[order], closed.reflections)


def test_a_group_costs_one_entry(monkeypatch):
    """Rotations and mirror images of a square prism: known by name everywhere once it is in the table."""
    turn, mirror = ((0, -1, 0), (1, 0, 0), (0, 0, 1)), ((1, 0, 0), (0, 1, 0), (0, 0, -1))
    entry = Entry("C_{{{n}h}}", lambda name, symbol, n: closure(name, symbol, (turn, mirror)))
    monkeypatch.setitem(POINT_GROUPS, "prism{n}", entry)
    group = group_from_name("prism4")
    assert (group.order, group.symbol, group.num_rotations) == (8, "C_{4h}", 4)
    assert Augmentation(group="prism4", mode="full").order == 8
    assert sum(rho.shape[1] ** 2 for rho in irreps(group)) == 8


def test_bad_generators():
    with pytest.raises(ConfigError, match="not orthogonal"):
        closure("stretch", "", [[[2, 0], [0, 1]]])
    cosine, sine = np.cos(1.0), np.sin(1.0)
    with pytest.raises(ConfigError, match=r"generate more than|up to rounding"):
        closure("endless", "", [[[cosine, -sine], [sine, cosine]]])


def test_groups_of_space_do_not_act_on_images_and_lattices():
    with pytest.raises(ConfigError, match="octahedral turns space and cannot act on images of 4 x 4"):
        image_action(group_from_name("octahedral"), 4, 4)
    with pytest.raises(ConfigError, match="square lattice of side 4"):
        lattice_action(group_from_name("octahedral"), 4)


@pytest.mark.parametrize("name", ["", "C0", "C", "E4", "c4", "C4 ", "D-1", "C1000", "octahedra", "C{n}"])
def test_unknown_name(name):
    with pytest.raises(ConfigError, match="one of Cn, Dn, reflection, tetrahedral, octahedral, icosahedral"):
        group_from_name(name)


def test_hints():
    with pytest.raises(ConfigError, match="did you mean 'octahedral'"):
        group_from_name("octahedron")
    with pytest.raises(ConfigError, match="continuous"):
        group_from_name("SO3")

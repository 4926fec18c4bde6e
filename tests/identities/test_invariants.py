"""Theorems on invariants and equivariant maps of vectors, exactly in float64, each beside a control that breaks it.

References: arXiv 2106.06610; arXiv 2405.08097; the proposition of CARE, arXiv 2306.13924.
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.linalg
from jax.test_util import check_grads
from scipy.stats import ortho_group, special_ortho_group

from emergent.groups.invariants import (
    cross_product,
    diagonal_in_order,
    gram,
    minkowski_products,
    minors,
    rest_in_order,
    tie,
)
from emergent.groups.matrix_groups import matrix_group
from emergent.groups.orbit_distances import form_distance, orthogonal_distance, relabelled_distance

NUM, DIMENSION = 5, 3
EXACT = {"rtol": 0, "atol": 1e-12}
LORENTZ = matrix_group("O(1,3)")


def cloud(seed: int, num: int = NUM, dimension: int = DIMENSION) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal((num, dimension))


def rotation(seed: int, dimension: int = DIMENSION) -> np.ndarray:
    return special_ortho_group.rvs(dimension, random_state=seed)


def reflection(seed: int, dimension: int = DIMENSION) -> np.ndarray:
    return rotation(seed, dimension) @ np.diag(np.r_[-1.0, np.ones(dimension - 1)])


def boost(seed: int) -> np.ndarray:
    coordinates = np.random.default_rng(seed).standard_normal(6) * 0.5
    return scipy.linalg.expm(np.tensordot(coordinates, LORENTZ.lie_algebra, 1))


# Invariants


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("move", [rotation, reflection])
def test_equal_gram_matrices_are_one_orbit_of_rotations_and_reflections(move: Callable, seed: int) -> None:
    vectors = cloud(seed)
    moved = vectors @ move(seed).T
    np.testing.assert_allclose(gram(moved), gram(vectors), **EXACT)
    assert orthogonal_distance(vectors, moved) < 1e-13
    # A factor of Cholesky is another cloud with this Gram matrix: it too is on the orbit.
    square = cloud(seed, DIMENSION)
    assert orthogonal_distance(square, np.linalg.cholesky(gram(square))) < 1e-13
    # The control: a map that is no rotation changes the Gram matrix, and leaves the orbit.
    sheared = vectors @ (np.eye(DIMENSION) + np.eye(DIMENSION, k=1)).T
    assert np.abs(gram(sheared) - gram(vectors)).max() > 0.1 and orthogonal_distance(vectors, sheared) > 0.1


@pytest.mark.parametrize("seed", range(3))
def test_minors_tell_mirror_images_apart(seed: int) -> None:
    vectors = cloud(seed)
    turned, mirrored = vectors @ rotation(seed).T, vectors @ reflection(seed).T
    np.testing.assert_allclose(minors(turned), minors(vectors), **EXACT)
    assert orthogonal_distance(vectors, turned, special=True) < 1e-13
    # The control: Gram matrices do not see it, minors are exactly opposite, no rotation undoes it.
    np.testing.assert_allclose(gram(mirrored), gram(vectors), **EXACT)
    np.testing.assert_allclose(minors(mirrored), -minors(vectors), **EXACT)
    assert orthogonal_distance(vectors, mirrored, special=True) > 0.1
    # In fewer dimensions than the space there is a rotation that does.
    flat = vectors * np.array([1.0, 1.0, 0.0])
    assert orthogonal_distance(flat, flat @ reflection(seed).T, special=True) < 1e-13
    np.testing.assert_allclose(minors(flat), 0, **EXACT)


def test_procrustes_finds_the_best_rotation() -> None:
    first, second = cloud(0), cloud(1)
    for special, group in ((False, ortho_group), (True, special_ortho_group)):
        found = orthogonal_distance(first, second, special)
        tries = group.rvs(DIMENSION, 3000, random_state=0)
        others = np.linalg.norm(second - first @ tries.mT, axis=(1, 2)) / np.linalg.norm(first)
        assert found <= others.min() < found + 0.05
    # Stacks are pairs by themselves.
    stacked = orthogonal_distance(np.stack([first, second]), np.stack([second, second]))
    np.testing.assert_allclose(stacked, [float(orthogonal_distance(first, second)), 0.0], atol=1e-13)


@pytest.mark.parametrize("seed", range(3))
def test_minkowski_products_are_kept_by_boosts(seed: int) -> None:
    momenta, element = cloud(seed, 4, 4), boost(seed)
    metric = LORENTZ.metric
    np.testing.assert_allclose(element @ np.diag(metric) @ element.T, np.diag(metric), **EXACT)
    moved = momenta @ element.T
    np.testing.assert_allclose(minkowski_products(moved, metric), minkowski_products(momenta, metric), **EXACT)
    assert form_distance(momenta, moved, metric) < 1e-10
    # The controls: scalar products are not kept by boosts, nor Minkowski products by rotations of space-time.
    assert np.abs(gram(moved) - gram(momenta)).max() > 0.1
    turned = momenta @ rotation(seed, 4).T
    assert np.abs(minkowski_products(turned, metric) - minkowski_products(momenta, metric)).max() > 0.1
    assert form_distance(momenta, turned, metric) > 0.1


@pytest.mark.parametrize("seed", range(3))
def test_three_features_separate_relabelled_clouds(seed: int) -> None:
    vectors, generator = cloud(seed, 4), np.random.default_rng(seed)
    relabelled = vectors[generator.permutation(4)] @ reflection(seed).T
    for feature in (diagonal_in_order, rest_in_order, tie):
        np.testing.assert_allclose(feature(gram(relabelled)), feature(gram(vectors)), **EXACT)
    assert relabelled_distance(vectors, relabelled) < 1e-13
    # The control: entries beside the diagonal in an order that no relabelling makes leave f_d and f_o, and move f_star.
    matrix = gram(vectors)
    rows, columns = np.triu_indices(4, 1)
    shuffled = np.diag(np.diag(matrix))
    shuffled[rows, columns] = np.roll(matrix[rows, columns], 1)
    shuffled[columns, rows] = shuffled[rows, columns]
    np.testing.assert_array_equal(diagonal_in_order(shuffled), diagonal_in_order(matrix))
    np.testing.assert_array_equal(rest_in_order(shuffled), rest_in_order(matrix))
    assert abs(tie(shuffled) - tie(matrix)) > 0.1


def test_the_tie_by_hand() -> None:
    matrix = np.array([[1.0, 2.0, 3.0], [2.0, 5.0, 7.0], [3.0, 7.0, 11.0]])
    expected = sum(matrix[i, i] * matrix[i, j] for i in range(3) for j in range(3) if i != j)
    np.testing.assert_allclose(tie(matrix), expected)
    np.testing.assert_array_equal(rest_in_order(matrix), [2, 3, 7])


# Equivariant maps


def _coefficients(products: jax.Array) -> jax.Array:
    """Returns a number for each vector that depends on scalar products alone."""
    return jnp.sin(products).sum(-1) + products.sum() ** 2 / 10


def _of_scalars(vectors: jax.Array) -> jax.Array:
    return _coefficients(gram(vectors)) @ vectors


@pytest.mark.parametrize("seed", range(3))
def test_vectors_of_equivariant_maps_lie_in_the_span_of_the_inputs(seed: int) -> None:
    pair = cloud(seed, 2)
    with jax.enable_x64(True):
        found = np.asarray(_of_scalars(jnp.asarray(pair)))
    # The residual of least squares on the inputs.
    span = np.linalg.lstsq(pair.T, found, rcond=None)[0]
    np.testing.assert_allclose(pair.T @ span, found, **EXACT)
    # The control: a map that commutes with rotations alone leaves the span altogether.
    outside = cross_product(pair)
    left = outside - pair.T @ np.linalg.lstsq(pair.T, outside, rcond=None)[0]
    np.testing.assert_allclose(np.linalg.norm(left), np.linalg.norm(outside), rtol=1e-12)


@pytest.mark.parametrize("seed", range(3))
def test_equivariant_maps_are_gradients_of_invariants_linear_in_a_further_vector(seed: int) -> None:
    def invariant(vectors: jax.Array, further: jax.Array) -> jax.Array:
        return _coefficients(gram(vectors)) @ (vectors @ further)

    def curved(vectors: jax.Array, further: jax.Array) -> jax.Array:
        # Not linear: the further vector is in its own gradient.
        return invariant(vectors, further) + further[0] ** 2 * vectors[0, 0]

    with jax.enable_x64(True):
        vectors, further = jnp.asarray(cloud(seed)), jnp.asarray(cloud(seed + 10, 1)[0])
        element = jnp.asarray(reflection(seed))
        np.testing.assert_allclose(
            invariant(vectors @ element.T, element @ further), invariant(vectors, further), **EXACT
        )
        map_of = jax.grad(invariant, argnums=1)
        np.testing.assert_allclose(map_of(vectors, further), _of_scalars(vectors), **EXACT)
        np.testing.assert_allclose(map_of(vectors @ element.T, further), element @ map_of(vectors, further), **EXACT)
        check_grads(lambda other: invariant(vectors, other), (further,), order=1, modes=["rev"])
        # The control: the gradient of a function that is not invariant does not turn with its inputs.
        wrong = jax.grad(curved, argnums=1)
        assert np.abs(wrong(vectors @ element.T, element @ further) - element @ wrong(vectors, further)).max() > 1e-3


@pytest.mark.parametrize("dimension", [2, 3, 4, 5])
@pytest.mark.parametrize("seed", range(2))
def test_rotations_alone_add_cross_products(dimension: int, seed: int) -> None:
    vectors = cloud(seed, dimension - 1, dimension)
    found = cross_product(vectors)
    np.testing.assert_allclose(vectors @ found, 0, **EXACT)
    turned, mirrored = rotation(seed, dimension), reflection(seed, dimension)
    np.testing.assert_allclose(cross_product(vectors @ turned.T), turned @ found, **EXACT)
    # The control: a reflection reverses it besides, so that it is no map of O(d).
    np.testing.assert_allclose(cross_product(vectors @ mirrored.T), -mirrored @ found, **EXACT)
    # It is the gradient of a minor, which is linear in the last vector.
    with jax.enable_x64(True):
        gradient = jax.grad(lambda last: minors(jnp.concatenate([jnp.asarray(vectors), last[None]]))[0])
        np.testing.assert_allclose(gradient(jnp.asarray(cloud(seed, 1, dimension)[0])), found, **EXACT)
    if dimension == 3:
        np.testing.assert_allclose(found, np.cross(*vectors), **EXACT)


@pytest.mark.parametrize("seed", range(3))
def test_equal_products_of_features_are_one_orthogonal_map(seed: int) -> None:
    features = cloud(seed, 8)
    turned = features @ reflection(seed).T
    assert np.square(gram(turned) - gram(features)).mean() < 1e-28 and orthogonal_distance(features, turned) < 1e-13
    # The control: another linear map of the features has another loss, and no orthogonal map undoes it.
    stretched = features @ np.diag([1.0, 1.0, 2.0])
    assert np.square(gram(stretched) - gram(features)).mean() > 0.1 and orthogonal_distance(features, stretched) > 0.1
    # Maps compose: what undoes one augmentation and then another undoes both.
    other = rotation(seed + 5)
    np.testing.assert_allclose(turned @ other.T, features @ (other @ reflection(seed)).T, **EXACT)


def test_too_few_vectors_are_refused() -> None:
    with pytest.raises(ValueError, match="expected at least 3 vectors of 3 dimensions, found 2"):
        minors(cloud(0, 2))
    with pytest.raises(ValueError, match="expected 2 vectors of 3 dimensions, found 3"):
        cross_product(cloud(0, 3))

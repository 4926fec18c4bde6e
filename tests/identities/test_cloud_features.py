"""Features of point clouds: what leaves them alone, what they tell apart; the bound of distances by its definition."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from ott.geometry import distrib_costs, pointcloud
from ott.problems.quadratic import quadratic_problem
from ott.solvers.linear import univariate
from ott.solvers.quadratic import lower_bound
from scipy.stats import ortho_group

from emergent.config.cloud_distance import CloudNetwork
from emergent.datasets.cloud_pairs import lower_bounds, normalised, on_voxels
from emergent.domains.cloud_pairs import PairData, Pairs, resident
from emergent.errors import DataError
from emergent.models.cloud_features import ProductFeatures, centroid_features, matrix_features, product_features
from emergent.models.set_networks import STATISTICS, CloudDistance

CLOUDS = np.random.default_rng(0).standard_normal((3, 12, 3)) * [1.0, 0.7, 0.4]


def moved(clouds: np.ndarray, seed: int = 1) -> np.ndarray:
    """Turns, and in part reflects, every cloud, and puts its points in another order."""
    generator = np.random.default_rng(seed)
    matrices = ortho_group.rvs(3, size=len(clouds), random_state=generator)
    # The first is a rotation, the second a reflection.
    matrices[:2] *= (np.sign(np.linalg.det(matrices[:2])) * [1, -1])[:, None, None]
    turned = np.einsum("nij,npj->npi", matrices, clouds)
    return np.stack([cloud[generator.permutation(len(cloud))] for cloud in turned])


def symmetric(seed: int, size: int = 6) -> np.ndarray:
    values = np.random.default_rng(seed).standard_normal((size, size))
    return values + values.T


def as_sets(features: ProductFeatures) -> list[np.ndarray]:
    return [np.sort(np.asarray(features.diagonal)[..., 0], 1), np.sort(np.asarray(features.upper)[..., 0], 1),
            np.asarray(features.mixed)]  # fmt: skip


def test_products_are_alike_for_moved_clouds() -> None:
    with jax.enable_x64(True):
        before, after = (as_sets(product_features(jnp.asarray(clouds))) for clouds in (CLOUDS, moved(CLOUDS)))
        for one, other in zip(before, after, strict=True):
            np.testing.assert_allclose(one, other, rtol=0, atol=1e-12)
        stretched = as_sets(product_features(jnp.asarray(CLOUDS * [1.0, 1.0, 1.1])))
    assert all(np.abs(one - other).max() > 1e-3 for one, other in zip(before, stretched, strict=True))


def test_mixed_feature_is_its_sum() -> None:
    matrix = symmetric(0)
    by_hand = sum(matrix[i, i] * matrix[i, j] for i in range(6) for j in range(6) if i != j)
    with jax.enable_x64(True):
        found = matrix_features(jnp.asarray(matrix[None]))
    np.testing.assert_allclose(found.mixed, [[by_hand]], rtol=1e-12)
    assert found.upper.shape == (1, 21, 1)


def test_without_the_mixed_feature_matrices_are_confused() -> None:
    # Entries off the diagonal in other places: both sets stay, and only f* sees it.
    matrix, order = symmetric(0), np.random.default_rng(2).permutation(15)
    rows, columns = np.triu_indices(6, 1)
    other = matrix.copy()
    other[rows, columns] = other[columns, rows] = matrix[rows, columns][order]
    swapped = np.random.default_rng(3).permutation(6)
    conjugated = matrix[np.ix_(swapped, swapped)]
    with jax.enable_x64(True):
        first, second, third = (as_sets(matrix_features(jnp.asarray(m[None]))) for m in (matrix, other, conjugated))
    for one, same, also in zip(first[:2], second[:2], third[:2], strict=True):
        np.testing.assert_allclose(one, same, atol=1e-12)
        np.testing.assert_allclose(one, also, atol=1e-12)
    np.testing.assert_allclose(first[2], third[2], atol=1e-12)
    assert abs(first[2] - second[2]).max() > 1.0
    # They are indeed of different orbits: their eigenvalues differ.
    assert np.abs(np.linalg.eigvalsh(matrix) - np.linalg.eigvalsh(other)).max() > 0.1


def test_products_with_centroids_are_alike_for_moved_clouds() -> None:
    with jax.enable_x64(True):
        before, after = centroid_features(CLOUDS), centroid_features(moved(CLOUDS))
        np.testing.assert_allclose(before.centroids, after.centroids, atol=1e-12)
        np.testing.assert_allclose(np.sort(before.products, 1), np.sort(after.products, 1), atol=1e-12)
        norms = np.asarray(before.centroids).reshape(-1, 3, 3)[:, range(3), range(3)]
        assert (np.diff(norms, axis=1) >= 0).all()
        stretched = centroid_features(CLOUDS * [1.0, 1.0, 1.1])
    assert np.abs(before.centroids - stretched.centroids).max() > 1e-3


@pytest.mark.parametrize("features", ["products", "centroids", "coordinates"])
def test_networks_on_invariant_features_are_invariant_and_others_are_not(features: str) -> None:
    network = CloudNetwork(features=features, hidden=5, outputs=4)  # pyright: ignore[reportArgumentType]
    make = {"products": lambda c: product_features(jnp.asarray(c)), "centroids": centroid_features,
            "coordinates": jnp.asarray}[features]  # fmt: skip
    with jax.enable_x64(True):
        module = CloudDistance(network)
        first, second = make(CLOUDS), make(CLOUDS[::-1] * 0.5)
        variables = jax.tree.map(lambda leaf: leaf.astype(jnp.float64), module.init(jax.random.key(0), first, second))
        known = CloudDistance(network, known=True)
        outputs, turned = (np.asarray(known.apply(variables, *pair)) for pair in (
            (first, second), (make(moved(CLOUDS)), make(moved(CLOUDS[::-1] * 0.5, 5)))))  # fmt: skip
    error = np.abs(outputs - turned).max() / outputs.std()
    assert (error < 1e-9) == (features != "coordinates"), error
    assert STATISTICS in variables


def test_relaxed_networks_start_as_the_network_on_features() -> None:
    network = CloudNetwork(features="centroids", hidden=5, outputs=4, relaxed=True)
    clouds = (CLOUDS, CLOUDS[::-1] * 0.5)
    turned = (moved(CLOUDS), moved(CLOUDS[::-1] * 0.5, 5))

    def seen(settings: CloudNetwork, pair: tuple[np.ndarray, np.ndarray]) -> PairData:
        return resident(Pairs(*pair, np.zeros((3, 3))), settings)  # pyright: ignore[reportArgumentType]

    with jax.enable_x64(True):
        module, plain = CloudDistance(network), network.model_copy(update={"relaxed": False})
        pair, apart = seen(network, clouds), seen(network, turned)
        drawn = module.init(jax.random.key(0), pair.first, pair.second)
        drawn = jax.tree.map(lambda leaf: leaf.astype(jnp.float64), drawn)
        own: Any = drawn["params"]

        def outputs(share: float, data: PairData) -> np.ndarray:
            embedding = own["embedding"] | {"share": jnp.asarray(share)}
            variables = drawn | {"params": own | {"embedding": embedding}}
            return np.asarray(CloudDistance(network, known=True).apply(variables, data.first, data.second))

        alone = {"params": own | {"embedding": own["embedding"]["equivariant"]},
                 STATISTICS: {"embedding": drawn[STATISTICS]["embedding"]["equivariant"]}}  # fmt: skip
        own_share, features = float(own["embedding"]["share"]), seen(plain, clouds)
        expected = CloudDistance(plain, known=True).apply(alone, features.first, features.second)
        start, later = (outputs(share, pair) for share in (own_share, 0.3))
        start_turned, later_turned = (outputs(share, apart) for share in (own_share, 0.3))
    np.testing.assert_array_equal(start, expected)
    assert np.abs(start_turned - start).max() / start.std() < 1e-9
    assert np.abs(later_turned - later).max() / later.std() > 1e-3


def test_bounds_are_those_of_the_library() -> None:
    first, second = (np.asarray(CLOUDS[:2], np.float32), np.asarray(CLOUDS[1:] * 0.8, np.float32))
    found, converged = lower_bounds(jnp.asarray(first), jnp.asarray(second), 0.5)
    assert converged.all() and found.shape == (2, 2)
    cost = distrib_costs.UnivariateWasserstein(univariate.uniform_solver)
    for i, own in enumerate(first):
        for j, other in enumerate(second):
            one, two = (pointcloud.PointCloud(jnp.asarray(cloud)) for cloud in (own, other))
            with jax.numpy_rank_promotion("allow"):
                whole = lower_bound.third_lower_bound(quadratic_problem.QuadraticProblem(one, two), cost, epsilon=0.5)
            np.testing.assert_allclose(found[i, j], np.asarray(whole.reg_ot_cost), rtol=1e-4)


def test_bounds_do_not_see_how_clouds_lie() -> None:
    first, second = CLOUDS[:2].astype(np.float32), CLOUDS[1:].astype(np.float32) * np.float32(0.8)
    before, _ = lower_bounds(jnp.asarray(first), jnp.asarray(second), 0.5)
    after, _ = lower_bounds(jnp.asarray(moved(CLOUDS)[:2] + 0.3, jnp.float32), jnp.asarray(second), 0.5)
    np.testing.assert_allclose(before, after, rtol=1e-3)
    other, _ = lower_bounds(jnp.asarray(1.2 * first), jnp.asarray(second), 0.5)
    assert np.abs(before - other).max() > 0.01


def test_points_lie_at_the_surface_of_voxels() -> None:
    grid = np.zeros((8, 8, 8), bool)
    grid[1:6, 1:6, 1:6] = True
    points = on_voxels(grid)(500, np.random.default_rng(0))
    cells = np.floor(points * 2.5 + 3.5)
    # A cube of 5 cells: its surface has them all but the 27 within.
    assert points.min() >= -1 and points.max() <= 1
    assert ((cells == 1) | (cells == 5)).any(1).all()
    with pytest.raises(DataError, match="expected a grid with occupied cells"):
        on_voxels(np.zeros((4, 4, 4), bool))


def test_shapes_are_centred_and_scaled() -> None:
    points = normalised(CLOUDS[0] + 7.0)
    np.testing.assert_allclose(points.mean(0), 0, atol=1e-12)
    np.testing.assert_allclose(np.abs(points).max(), 1)

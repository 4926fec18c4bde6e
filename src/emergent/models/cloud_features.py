"""Features of point clouds that neither rotations, reflections nor the order of the points change.

References:
    arXiv 2405.08097: functions on symmetric matrices up to conjugation by permutations, and on point clouds.
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float
from sklearn.cluster import KMeans

from emergent.config.cloud_distance import Features
from emergent.models.scalar_networks import gram, upper_triangle

NUM_CENTROIDS = 3


class ProductFeatures(NamedTuple):
    """What permutations of rows and columns leave of a symmetric matrix, for almost all of them everything.

    Attributes:
        diagonal: the set of its diagonal entries [N, P, 1].
        upper: the set of its entries above and on the diagonal [N, P (P + 1) / 2, 1].
        mixed: f* = sum over i != j of X_ii X_ij [N, 1], which ties both sets together.
    """

    diagonal: Float[Array, "N P 1"]
    upper: Float[Array, "N pairs 1"]
    mixed: Float[Array, "N 1"]


class CentroidFeatures(NamedTuple):
    """Products of the points of a cloud with k centroids, and of these with one another.

    Attributes:
        products: the set of v_i . c_k over points, [N, P, k].
        centroids: C C^T [N, k k].
    """

    products: Float[Array, "N P k"]
    centroids: Float[Array, "N kk"]


class RelaxedFeatures(NamedTuple):
    """What networks whose symmetry is relaxed see.

    Attributes:
        invariant: ``ProductFeatures`` or ``CentroidFeatures``, for the network that is invariant.
        coordinates: of the points, for the free one.
    """

    invariant: Any
    coordinates: Float[Array, "N P 3"]


def matrix_features(matrices: Float[Array, "N P P"]) -> ProductFeatures:
    """Returns the features of symmetric matrices."""
    diagonal = jnp.diagonal(matrices, axis1=1, axis2=2)
    mixed = (diagonal * (matrices.sum(2) - diagonal)).sum(1)
    return ProductFeatures(diagonal[..., None], upper_triangle(matrices)[..., None], mixed[:, None])


def product_features(clouds: Float[Array, "N P 3"]) -> ProductFeatures:
    """Returns the features of the matrices of scalar products of all pairs of points."""
    return matrix_features(gram(clouds, np.ones(clouds.shape[-1])))


def centroid_features(clouds: Float[np.ndarray, "N P 3"]) -> CentroidFeatures:
    """Returns products with the centroids of k-means, these in the order of their norms.

    Clusters are looked for among the points in the order of their norms, from a fixed seed: the same cloud, in another
    order or turned, has the same clusters, up to rounding.
    """
    found = [_centroids(cloud.astype(np.float64)) for cloud in np.asarray(clouds)]
    centroids = np.stack(found).astype(clouds.dtype)
    products = np.einsum("npd,nkd->npk", np.asarray(clouds), centroids)
    inner = np.einsum("nkd,nld->nkl", centroids, centroids)
    return CentroidFeatures(jnp.asarray(products), jnp.asarray(inner.reshape(len(inner), -1)))


def _centroids(cloud: Float[np.ndarray, "P 3"]) -> Float[np.ndarray, "k 3"]:
    ordered = cloud[np.argsort(np.linalg.norm(cloud, axis=1))]
    found = KMeans(NUM_CENTROIDS, n_init=1, random_state=0).fit(ordered).cluster_centers_
    return found[np.argsort(np.linalg.norm(found, axis=1))]


def features_of(name: Features, clouds: Float[np.ndarray, "N P 3"]) -> ProductFeatures | CentroidFeatures | jax.Array:
    """Returns the features of some clouds by their name; coordinates as they are."""
    match name:
        case "products":
            return jax.jit(product_features)(jnp.asarray(clouds))
        case "centroids":
            return centroid_features(clouds)
        case "coordinates":
            return jnp.asarray(clouds)

"""Invertible maps between data and a latent space of independent standard normal coordinates.

``coupling``: affine couplings one after another (realNVP, arXiv:1605.08803). Their networks have one form and their
parameters are stacked, so that one coupling is compiled, whatever their number. ``whitening``: a linear map, which
takes moments of the data and no steps of training.
"""

from collections.abc import Callable
from typing import Any, NamedTuple, cast

import jax
import jax.numpy as jnp
import numpy as np
from flax import linen as nn
from jax.scipy.linalg import solve_triangular
from jaxtyping import Array, Bool, Float

from emergent.config.counterfactual_training import CouplingFlow, DrawnMasks, Whitening
from emergent.config.models import MlpModel
from emergent.models.mlp import Mlp

MASK_SEED = 1605
"""Drawn masks are part of the network, and the same for all seeds."""


class LatentFlow(NamedTuple):
    """Functions of a flow on D coordinates.

    Attributes:
        initialise: key to parameters.
        to_latent: parameters and data [N, D] to latent coordinates [N, D] and the logarithms of the determinants of
            their derivatives [N].
        to_data: parameters and latent coordinates [N, D] to data [N, D].
    """

    initialise: Callable[[jax.Array], Any]
    to_latent: Callable[[Any, Array], tuple[Array, Array]]
    to_data: Callable[[Any, Array], Array]


def mask_rows(masks: tuple[str, ...] | DrawnMasks, dimension: int) -> Bool[np.ndarray, "K D"]:
    """Returns which coordinates each coupling leaves as they are, those that its networks see."""
    if not isinstance(masks, DrawnMasks):
        return np.array([[letter == "1" for letter in mask] for mask in masks])
    rows = []
    for index in range(masks.num // 2):
        order = np.random.default_rng([MASK_SEED, index]).permutation(dimension)
        kept = np.zeros(dimension, bool)
        kept[order[: dimension // 2]] = True
        rows += [kept, ~kept]
    return np.array(rows)


class Coupling(nn.Module):
    """The networks of one coupling.

    Attributes:
        config: of the flow.
    """

    config: CouplingFlow

    @nn.compact
    def __call__(self, kept: Float[Array, "N D"]) -> tuple[Float[Array, "N D"], Float[Array, "N D"]]:
        """Returns s, between -1 and 1, and t of what is kept; zeros stand for the rest."""
        form = MlpModel(
            family="mlp", width=self.config.width, depth=self.config.depth, num_outputs=kept.shape[-1],
            activation="leaky_relu", parametrisation="pytorch",
        )  # fmt: skip
        return jnp.tanh(Mlp(form, name="scale")(kept)), Mlp(form, name="shift")(kept)


def coupling_flow(config: CouplingFlow, dimension: int) -> LatentFlow:
    """Returns the functions of a flow of couplings; its parameters have a leading axis of couplings."""
    masks, module = mask_rows(config.masks, dimension), Coupling(config)

    def initialise(key: jax.Array) -> Any:
        keys = jax.random.split(key, len(masks))
        return jax.vmap(module.init, (0, None))(keys, jnp.zeros((1, dimension)))

    def moves(parameters: Any, kept: Bool[Array, " D"], values: Array) -> tuple[Array, Array]:
        seen = jnp.where(kept[None], values, 0)
        scale, shift = cast(tuple[Array, Array], module.apply(parameters, seen))
        return jnp.where(kept[None], 0, scale), jnp.where(kept[None], 0, shift)

    def to_latent(parameters: Any, data: Float[Array, "N D"]) -> tuple[Array, Array]:
        def step(carry: tuple[Array, Array], item: tuple[Any, Array]) -> tuple[tuple[Array, Array], None]:
            values, total = carry
            scale, shift = moves(*item, values)
            return ((values - shift) * jnp.exp(-scale), total - scale.sum(-1)), None

        start = data, jnp.zeros(data.shape[:-1], data.dtype)
        found, _ = jax.lax.scan(step, start, (parameters, jnp.asarray(masks)), reverse=True)
        return found

    def to_data(parameters: Any, latent: Float[Array, "N D"]) -> Array:
        def step(values: Array, item: tuple[Any, Array]) -> tuple[Array, None]:
            scale, shift = moves(*item, values)
            return values * jnp.exp(scale) + shift, None

        return jax.lax.scan(step, latent, (parameters, jnp.asarray(masks)))[0]

    return LatentFlow(initialise, to_latent, to_data)


class LinearMap(NamedTuple):
    """Parameters of a whitening.

    Attributes:
        mean: [D] of the data.
        factor: [D, D], lower triangular: the Cholesky factor of their covariance.
    """

    mean: Array
    factor: Array


def whitening_flow(dimension: int) -> LatentFlow:
    """Returns the functions of a whitening; it starts as the identity, and ``fit_whitening`` gives its parameters."""

    def initialise(key: jax.Array) -> LinearMap:
        del key
        return LinearMap(jnp.zeros(dimension), jnp.eye(dimension))

    def to_latent(parameters: LinearMap, data: Float[Array, "N D"]) -> tuple[Array, Array]:
        latent = solve_triangular(parameters.factor, (data - parameters.mean[None]).T, lower=True).T
        return latent, jnp.full(data.shape[:-1], -jnp.log(jnp.diag(parameters.factor)).sum())

    def to_data(parameters: LinearMap, latent: Float[Array, "N D"]) -> Array:
        return latent @ parameters.factor.T + parameters.mean[None]

    return LatentFlow(initialise, to_latent, to_data)


def fit_whitening(config: Whitening, data: Float[np.ndarray, "N D"]) -> LinearMap:
    """Returns the whitening of some data, computed in double precision."""
    covariance = np.cov(data.astype(np.float64), rowvar=False)
    covariance += config.ridge * np.trace(covariance) / len(covariance) * np.eye(len(covariance))
    factor = np.linalg.cholesky(covariance)
    return LinearMap(jnp.asarray(data.mean(0), jnp.float32), jnp.asarray(factor, jnp.float32))


def latent_flow(config: CouplingFlow | Whitening, dimension: int) -> LatentFlow:
    """Returns the functions of a flow on so many coordinates."""
    return whitening_flow(dimension) if isinstance(config, Whitening) else coupling_flow(config, dimension)


def log_normal(latent: Float[Array, "N D"]) -> Float[Array, " N"]:
    """Returns the logarithm of the standard normal density."""
    return jax.scipy.stats.norm.logpdf(latent).sum(-1)

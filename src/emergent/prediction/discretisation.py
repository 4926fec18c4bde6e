"""Error of infinite ensembles under all rotations of the plane after augmentation by finitely many, and its bound.

In: the stage of an arm. Out: for each member (a training set), group C_k, time and test point x the error, the largest
|mu(x) - mu(g x)| over drawn rotations g; the sum that the lemma bounds; for smooth networks the bound; and rounding.

The bound, derived for infinite width. Let b in C_k be the element nearest to g and kappa the largest distance
||rho(g) - rho(b)|| over g. Targets are invariant, so mu is under C_k, and with the weights
a = Theta(X, X)^-1 (1 - exp(-eta Theta t)) Y of the training points, mu(x) = sum_i Theta(x, x_i) a_i,

    |mu(x) - mu(g x)| = |mu(b x) - mu(g x)| <= sum_i |Theta(b x, x_i) - Theta(g x, x_i)| |a_i|      (``terms``).

The kernel is invariant, Theta(g x, x_i) = Theta(x, g^-1 x_i), and a sum over layers of mean products of parameter
gradients, Theta = sum_l E[d_l f(x) . d_l f(x')]. By Cauchy and Schwarz, layer by layer,

    |Theta(x, b^-1 x_i) - Theta(x, g^-1 x_i)| <= sum_l E[||d_l f(x)|| L_l] kappa ||x_i||,

where L_l is the Lipschitz constant of d_l f on the ball that holds the training points. Together this is
kappa C(x) with C(x) = sum_l E[||d_l f(x)|| L_l] sum_i ||x_i|| |a_i|. At infinite width norms and distances of
gradients do not fluctuate: ||d_l f(x)||^2 is Theta_l(x, x), ||d_l f(x) - d_l f(x')||^2 is
Theta_l(x, x) + Theta_l(x', x') - 2 Theta_l(x, x'), and L_l^2 is the largest eigenvalue of the mixed second derivative
of Theta_l at x = x', anywhere in the ball. That needs smooth gradients: those of ReLU networks jump, L_l is infinite,
and there is no bound although ``terms`` is finite. Of a network with several hidden layers, all but the last layer are
taken as one, which only makes fewer terms of the sum over l.

C(x) is an upper estimate: it takes the largest change of gradients anywhere, and no cancellation between points.

References:
    arXiv 2403.03103, lemma on augmentation by a finite part of a continuous group (Lemma 6.2 in arXiv 2505.16581, which
    restates it). Its constant is reconstructed here; the published text was not at hand.
"""

import math
from collections.abc import Callable, Sequence
from functools import cache, partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array as JaxArray
from jaxtyping import Float

from emergent.config.discretisation import DiscretisationStage, PlaneSampling
from emergent.kernels.architectures import mlp_kernel
from emergent.kernels.functions import KernelFunction
from emergent.kernels.gram import orbit_cross_gram
from emergent.point_groups import group_from_name
from emergent.prediction.gradient_flow import Schedule
from emergent.prediction.regression import fit_infinite_ensemble
from emergent.prediction.symmetric_flow import weights_symmetric
from emergent.prng import member_key
from emergent.storage import Array

# All arms learn the same draws, so that they differ in their network only.
DRAWS = "points"
TILE = 1024
NUM_RADII = 257
"""Places where the Lipschitz constant is looked for. It is smooth in the radius, so that a grid of this many misses its
largest value by parts in 1e5."""


def covering_distance(order: int) -> float:
    """Returns kappa = 2 sin(pi / (2 k)): how far a rotation of the plane can be from C_k, in operator norm.

    It is at most pi / k away in angle, and rotations that differ by an angle a are at distance 2 sin(a / 2).

    Args:
        order: k.
    """
    return 2 * math.sin(math.pi / (2 * order))


def _layer_kernels(
    kernel_function: KernelFunction, first: Float[JaxArray, " d"], second: Float[JaxArray, " d"]
) -> Float[JaxArray, "2"]:
    """Returns the parts of the NTK that belong to the last layer, and to all layers before it."""
    kernels = kernel_function(first[None], second[None])
    # The gradient of the last layer is its input, whose mean products are the NNGP kernel (with the bias: the whole).
    return jnp.stack([kernels.nngp[0, 0], (kernels.ntk - kernels.nngp)[0, 0]])


def gradient_norms(kernel_function: KernelFunction, inputs: Float[np.ndarray, "T d"]) -> Float[np.ndarray, "T 2"]:
    """Returns the norms of the parameter gradients at each input: of the last layer, and of those before it."""
    return np.sqrt(np.asarray(_squares(kernel_function)(jnp.asarray(inputs))))


def gradient_lipschitz(kernel_function: KernelFunction, radius: float) -> Float[np.ndarray, "2"]:
    """Returns the Lipschitz constants of the parameter gradients on a disk: of the last layer, and of those before.

    Args:
        kernel_function: of a fully connected network with smooth gradients. Not of one with ReLU, whose kernel has a
            finite derivative beside its kink: nothing would tell.
        radius: of the disk around 0, in the plane.
    """
    # Kernels of fully connected networks know lengths and angles of inputs only: one direction stands for all.
    places = np.linspace([0.0, 0.0], [radius, 0.0], NUM_RADII)
    mixed = np.asarray(_mixed_derivatives(kernel_function)(jnp.asarray(places)))
    return np.sqrt(np.linalg.eigvalsh(mixed)[..., -1].max(0))


# Kept, because they take longer to compile than to run, and every member asks for them.
@cache
def _squares(kernel_function: KernelFunction) -> Callable[[JaxArray], JaxArray]:
    return jax.jit(jax.vmap(lambda x: _layer_kernels(kernel_function, x, x)))


@cache
def _mixed_derivatives(kernel_function: KernelFunction) -> Callable[[JaxArray], JaxArray]:
    """Returns a function from places [R, d] to d^2 / dx dx' of the layers' kernels at x = x', [R, 2, d, d]."""
    layers = partial(_layer_kernels, kernel_function)
    return jax.jit(jax.vmap(lambda x: jax.jacfwd(jax.jacrev(layers, 0), 1)(x, x)))


class Draw(NamedTuple):
    """One member: a training set, test points and rotations.

    Attributes:
        inputs: [N, 2].
        targets: [N, 1], those of all copies of an input.
        points: [P, 2], where the error is measured.
        angles: [A] in radians, of the rotations.
    """

    inputs: Float[np.ndarray, "N 2"]
    targets: Float[np.ndarray, "N 1"]
    points: Float[np.ndarray, "P 2"]
    angles: Float[np.ndarray, " A"]

    @classmethod
    def of(cls, seed: int, experiment: str, member: int, sampling: PlaneSampling) -> "Draw":
        """Returns the draw of one member, which depends on its index alone."""
        key = member_key(seed, experiment, DRAWS, member, "initialise")
        num = sampling.num_train, sampling.num_points, sampling.num_angles
        shapes = (num[0], 2), (num[0], 1), (num[1], 2)
        # In float32, so that it does not matter whether x64 is on.
        drawn = [
            jax.random.normal(jax.random.fold_in(key, index), shape, jnp.float32) for index, shape in enumerate(shapes)
        ]
        turns = jax.random.uniform(jax.random.fold_in(key, len(shapes)), (num[2],), jnp.float32)
        inputs, targets, points, turns = (np.asarray(values, np.float64) for values in (*drawn, turns))
        return cls(inputs, targets, points, 2 * np.pi * turns)


class Errors(NamedTuple):
    """What is measured at P points at T times.

    Attributes:
        error: [T, P], largest |mu(x) - mu(g x)| over the rotations.
        terms: [T, P], largest sum_i |Theta(b x, x_i) - Theta(g x, x_i)| |a_i|: the error without cancellation.
        scale: [T, P], sum_i ||x_i|| |a_i|, the same at all points: what the bound is proportional to.
        rounding: [T, P], size of the rounding errors of mu: smaller errors are none.
    """

    error: Float[np.ndarray, "T P"]
    terms: Float[np.ndarray, "T P"]
    scale: Float[np.ndarray, "T P"]
    rounding: Float[np.ndarray, "T P"]


def measure(kernel_function: KernelFunction, order: int, times: Sequence[float], draw: Draw) -> Errors:
    """Returns the errors of the infinite ensemble trained on one draw and its copies under C_k.

    Args:
        kernel_function: of a fully connected network; x64 must be on.
        order: k.
        times: learning rate times training time of gradient flow.
        draw: training set, test points and rotations.
    """
    group = group_from_name(f"C{order}")
    orbits = np.einsum("gij,nj->gni", group.matrices, draw.inputs)
    targets = np.broadcast_to(draw.targets, (order, *draw.targets.shape))
    ensemble = fit_infinite_ensemble(kernel_function, group, orbits, targets, tile_size=TILE, mean_only=True)
    cosine, sine = np.cos(draw.angles), np.sin(draw.angles)
    turned = np.einsum("ija,pj->pai", np.array([[cosine, -sine], [sine, cosine]]), draw.points)
    flat = np.concatenate([draw.points[:, None], turned], axis=1).reshape(-1, 2)
    cross = orbit_cross_gram(kernel_function, flat, orbits, TILE).ntk.reshape(len(turned), -1, *orbits.shape[:2])
    start, moved = cross[:, 0], cross[:, 1:]
    # Theta(b x, h x_i) = Theta(x, b^-1 h x_i), and elements of C_k are numbered by their turns.
    nearest = np.rint(draw.angles * order / (2 * np.pi)).astype(int)
    changes = moved - start[:, (np.arange(order)[None, :] - nearest[:, None]) % order]
    lengths = np.linalg.norm(draw.inputs, axis=1)
    rows = []
    for time in times:
        weights = weights_symmetric(ensemble.spectrum, targets, Schedule(1.0, time))[..., 0]
        sizes = np.abs(weights)
        difference = np.tensordot(moved, weights, 2) - np.tensordot(start, weights, 2)[:, None]
        scale = np.full(len(start), (sizes * lengths).sum())
        rounding = np.finfo(float).eps * np.tensordot(np.abs(moved), sizes, 2)
        rows.append((np.abs(difference).max(1), np.tensordot(np.abs(changes), sizes, 2).max(1), scale, rounding.max(1)))
    return Errors(*(np.stack(parts) for parts in zip(*rows, strict=True)))


def _member(
    kernel_function: KernelFunction, stage: DiscretisationStage, kappa: Float[np.ndarray, " K"], member: int
) -> dict[str, Float[np.ndarray, "K T P"]]:
    draw = Draw.of(stage.seed, stage.experiment, member, stage.sampling)
    by_order = [measure(kernel_function, order, stage.times, draw) for order in stage.orders]
    errors = Errors(*(np.stack(parts) for parts in zip(*by_order, strict=True)))
    found = {"error": errors.error, "terms": errors.terms, "rounding": errors.rounding}
    if stage.network.smooth:
        lipschitz = gradient_lipschitz(kernel_function, float(np.linalg.norm(draw.inputs, axis=1).max()))
        slopes = gradient_norms(kernel_function, draw.points) @ lipschitz
        found["bound"] = kappa[:, None, None] * slopes * errors.scale
    return found


def discretisation_arrays(stage: DiscretisationStage, members: Sequence[int]) -> dict[str, Array]:
    """Returns errors and bounds of a block of members as arrays [M, orders, times, points] to be stored.

    Args:
        stage: settings of one arm.
        members: indices over all training sets.
    """
    kappa = np.array([covering_distance(order) for order in stage.orders])
    network = stage.network
    kernel_function = mlp_kernel(network.depth, network.activation, network.weight_std, network.bias_std)
    rows = [_member(kernel_function, stage, kappa, member) for member in members]
    dims = ("member", "order", "time", "point")
    words = {
        "error": "largest difference between the mean outputs at a point and at its rotated copies",
        "terms": "the same without cancellation between training points",
        "rounding": "rounding errors of a mean output",
        "bound": "bound of the lemma on error and terms",
    }
    return {
        "members": Array(np.asarray(members), ("member",), "1", "index over all training sets"),
        "orders": Array(np.asarray(stage.orders), ("order",), "1", "elements k of the group that augments"),
        "kappa": Array(kappa, ("order",), "1", "largest distance of a rotation from the group, in operator norm"),
        "times": Array(np.asarray(stage.times), ("time",), "1", "learning rate times training time"),
        **{name: Array(np.stack([row[name] for row in rows]), dims, "1", words[name]) for name in rows[0]},
    }

"""Group convolutions of small maps with steered filters, as matrix products that the half turn splits into blocks.

A bank of filters multiplies every tap with every pair of rotations. Two facts save most of that work. Filters are sums
of B basis functions, fewer than the taps: maps are projected on these first, all positions at once by one fixed matrix,
and then multiplied with coefficients. And all that a half turn does to a basis function of frequency m is to change its
sign by (-1)^m. Sums over pairs of opposite positions, and over pairs of rotations half a turn apart, are therefore
mapped onto sums or onto differences, never onto both: both matrices fall into blocks, half of them zero.

With even and odd parts F_{sigma tau} of a feature map under the half turn of the group axis (sigma) and of the plane
(tau), and p the sign of a basis function, the layer of ``emergent.models.steerable_cnn`` is

    O_{sigma tau} = sum over p of W_p P_p F_{(sigma p) (tau p)},

P_p the projections on functions of sign p, W_p the coefficients for all pairs of rotations.

References:
    arXiv 1911.08251 (kernel constraint, basis).
"""

import math
from functools import cache, partial

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Float

from emergent.groups.harmonics import harmonic_basis, taps

# Even, odd.
SIGNS = (0, 1)
Pair = tuple[jax.Array, jax.Array]


def correlations(side: int, filter_side: int, stride: int, padding: int) -> Float[np.ndarray, "B T S"]:
    """Returns the matrices from the S pixels of a square map to the products with basis functions at T positions."""
    samples = harmonic_basis(filter_side).sample(taps(filter_side))
    num = (side + 2 * padding - filter_side) // stride + 1
    matrices = np.zeros((samples.shape[1], num, num, side, side))
    for position in np.ndindex(num, num):
        for tap, (row, column) in enumerate(np.ndindex(filter_side, filter_side)):
            y, x = stride * position[0] + row - padding, stride * position[1] + column - padding
            if 0 <= y < side and 0 <= x < side:
                matrices[:, position[0], position[1], y, x] = samples[tap]
    return matrices.reshape(len(matrices), num * num, side * side)


def parts(num: int) -> tuple[Float[np.ndarray, "S E"], Float[np.ndarray, "S O"]]:
    """Returns what makes values at S points, in an order that a half turn reverses, of the parts of ``split``."""
    half = num // 2
    pairs, centre = np.eye(num)[:, :half], np.eye(num)[:, half : num - half]
    return np.hstack([(pairs + pairs[::-1]) / 2, centre]), (pairs - pairs[::-1]) / 2


def split(values: Float[Array, "C S N"]) -> Pair:
    """Returns sums and differences of values at opposite points, with the centre, if there is one, among the sums."""
    num = values.shape[1]
    half = num // 2
    # ``lax.split`` here and below, whose gradient is one concatenation; that of slices is a sum of padded arrays.
    before, centre, after = lax.split(values, (half, num - 2 * half, half), 1)
    return jnp.concatenate([before + after[:, ::-1], centre], 1), before - after[:, ::-1]


def join(even: Float[Array, "C E N"], odd: Float[Array, "C O N"]) -> Float[Array, "C S N"]:
    """Returns the values whose halved sums and differences are given."""
    half = odd.shape[1]
    pairs, centre = lax.split(even, (half, even.shape[1] - half), 1)
    return jnp.concatenate([pairs + odd, centre, (pairs - odd)[:, ::-1]], 1)


def by_sign(side: int) -> tuple[np.ndarray, np.ndarray]:
    """Returns the indices of the basis functions of filters that a half turn keeps, and of those that it reverses."""
    odd = harmonic_basis(side).frequencies % 2
    return np.flatnonzero(odd == 0), np.flatnonzero(odd == 1)


@cache
def projections(
    side: int, filter_side: int, stride: int, padding: int
) -> dict[tuple[int, int], Float[np.ndarray, "B T S"]]:
    """Returns the matrices from parts of maps to products with basis functions, by sign of these and of the part."""
    matrices = correlations(side, filter_side, stride, padding)
    before, after = parts(matrices.shape[2]), parts(matrices.shape[1])
    functions = by_sign(filter_side)
    return {
        (sign, part): after[part ^ sign].T @ matrices[functions[sign]] @ before[part]
        for sign in SIGNS
        for part in SIGNS
    }


def paired_coefficients(coefficients: Float[Array, "B G C D"], num_rotations: int, side: int) -> tuple[Pair, Pair]:
    """Returns coefficients [h c b, g d] for rotations h, g of half a turn, by sign of output and of function."""
    half, functions = num_rotations // 2, by_sign(side)
    turns = jnp.asarray(harmonic_basis(side).turns(num_rotations)[:half], coefficients.dtype)
    # Entry h of a row rolled by g is coefficient h - g.
    relative = jnp.stack([jnp.roll(coefficients, g, 1) for g in range(half)])
    turned = jnp.einsum("gkb,gbrcd->rckgd", turns, relative)
    # Halved once here: sums and differences of the outputs need no factor then.
    near, far = turned[:half] / 2, turned[half:] / 2

    def block(output: int, sign: int) -> jax.Array:
        some = (near + far if output == sign else near - far)[:, :, functions[sign]]
        return some.reshape(math.prod(some.shape[:3]), -1)

    return (block(0, 0), block(0, 1)), (block(1, 0), block(1, 1))


def even_and_odd(maps: Float[Array, "G C S N"]) -> tuple[Pair, Pair]:
    """Returns parts [h c, s, n] of maps, h of half a turn, by sign on the group axis and in the plane."""
    channels = maps.shape[0] // 2 * maps.shape[1]
    near, far = lax.split(maps.reshape(2 * channels, *maps.shape[2:]), (channels, channels), 0)
    return split(near + far), split(near - far)


def products(matrix: Float[np.ndarray, "Q S"], values: Float[Array, "C S N"]) -> Float[Array, "C Q N"]:
    """Returns the products of a matrix with the values of every channel."""

    def multiply(matrix: np.ndarray, values: jax.Array) -> jax.Array:
        # A copy for each: with one matrix for all channels XLA would lay out values anew, before and after.
        copies = np.broadcast_to(matrix, (values.shape[0], *matrix.shape))
        return jnp.einsum("cqs,csn->cqn", jnp.asarray(copies, values.dtype), values)

    # With the transpose as an array of its own, which XLA multiplies twice as fast as a transposed one.
    apply = jax.custom_vjp(partial(multiply, matrix))
    apply.defvjp(lambda values: (multiply(matrix, values), None), lambda _, slope: (multiply(matrix.T, slope),))
    return apply(values)


@partial(jax.jit, static_argnums=(2, 3, 4))
def convolve_steered(
    maps: Float[Array, "G C H H N"], coefficients: Float[Array, "B G C D"], filter_side: int, stride: int, padding: int
) -> Float[Array, "G D Y Y N"]:
    """Returns the group convolution of square maps, the same function as that with ``filter_bank``.

    Args:
        maps: regular fields for an even number of rotations G, images last: no product then needs a copy in another
            order, and all are wide.
        coefficients: of basis functions, for every relative rotation.
        filter_side: side of the filter.
        stride: step of the filter in pixels; a half turn must map its positions onto each other.
        padding: zeros on each side.
    """
    num_rotations, _, side, _, num = maps.shape
    halves = even_and_odd(maps.reshape(*maps.shape[:2], side * side, num))
    matrices = projections(side, filter_side, stride, padding)
    weights = paired_coefficients(coefficients, num_rotations, filter_side)

    def term(rotations: int, part: int, sign: int) -> jax.Array:
        matrix = matrices[sign, part ^ sign]
        functions, positions, points = matrix.shape
        projected = products(matrix.reshape(functions * positions, points), halves[rotations ^ sign][part ^ sign])
        block = weights[rotations][sign]
        return (block.T @ projected.reshape(len(block), positions * num)).reshape(block.shape[1], positions, num)

    def output(rotations: int, part: int) -> jax.Array:
        return term(rotations, part, 0) + term(rotations, part, 1)

    even, odd = (join(output(rotations, 0), output(rotations, 1)) for rotations in SIGNS)
    outputs = jnp.concatenate([even + odd, even - odd])
    size = math.isqrt(outputs.shape[1])
    return outputs.reshape(num_rotations, -1, size, size, num)


@jax.jit
def whole_map_products(maps: Float[Array, "G C H H N"], coefficients: Float[Array, "B G C D"]) -> Float[Array, "G D N"]:
    """Returns the products with the filters of ``filter_bank`` that cover square maps, without making these.

    The maps are projected on the basis functions, which turn by phases, and then multiplied with the coefficients: a
    fraction of the work of a bank that is used at one position.

    Args:
        maps: regular fields for an even number of rotations G, images last.
        coefficients: of basis functions, for every relative rotation.
    """
    num_rotations, channels, side, _, num = maps.shape
    half, fields = num_rotations // 2, coefficients.shape[-1]
    halves = even_and_odd(maps.reshape(num_rotations, channels, side * side, num))
    matrices, turns = projections(side, side, 1, 0), harmonic_basis(side).turns(num_rotations)[:half]
    near, far = coefficients[:, :half] / 2, coefficients[:, half:] / 2

    def term(rotations: int, sign: int) -> jax.Array:
        functions = by_sign(side)[sign]
        # The position is the centre: an even one.
        turned = np.einsum("gkb,ks->gbs", turns[:, functions][:, :, functions], matrices[sign, sign][:, 0])
        projected = products(turned.reshape(-1, turned.shape[2]), halves[rotations ^ sign][sign])
        every = projected.reshape(half, channels, half, len(functions), num)
        # Rotation k + g is relative rotation k; beyond the half turn it is that of the other half with its sign.
        of_outputs = []
        for g, turned_maps in enumerate(lax.split(every, (1,) * half, 2)):
            before, after = lax.split(turned_maps, (g, half - g), 0)
            of_outputs.append(jnp.concatenate([after, before if rotations == sign else -before]))
        relative = jnp.concatenate(of_outputs, 2).transpose(0, 1, 3, 2, 4)
        weights = (near + far if rotations == sign else near - far)[functions].transpose(3, 1, 2, 0)
        return weights.reshape(fields, -1) @ relative.reshape(-1, half * num)

    even, odd = (term(rotations, 0) + term(rotations, 1) for rotations in SIGNS)
    outputs = jnp.stack([even + odd, even - odd]).reshape(2, fields, half, num)
    return outputs.transpose(0, 2, 1, 3).reshape(num_rotations, fields, num)


def saves_work(maps: Float[Array, "G C H W N"], fields: int, filter_side: int, stride: int, padding: int) -> bool:
    """Returns whether ``convolve_steered`` applies and takes fewer multiplications than a bank of filters.

    Args:
        maps: before.
        fields: after.
        filter_side: of the filter.
        stride: step of the filter in pixels.
        padding: zeros on each side.
    """
    num_rotations, channels, height, width, _ = maps.shape
    if num_rotations % 2 or height != width or (height + 2 * padding - filter_side) % stride:
        return False
    before, after = num_rotations * channels, num_rotations * fields
    per_position = harmonic_basis(filter_side).num_functions * (height**2 * before + before * after) / 2
    return per_position < filter_side**2 * before * after

"""Convolutional networks on a filter support, in two formulations of the same function.

``reference``  full filters through ``lax.conv_general_dilated``, then average pooling: plain, and slow for ensembles.
``matmul``     no convolution at all, so that it vectorises over members and runs inside loops on every backend:

* average pooling after a k x k convolution equals one (k + 1) x (k + 1) convolution of stride 2 with the box-averaged
  filter, so that the large feature maps never exist;
* grouped into 2 x 2 cells, that is a convolution of stride 1 with (k + 1) / 2 taps a side, computed as *one* matrix
  product of all cells with all taps, whose results are shifted and added (no patches are copied);
* its output lies on a grid with zero gaps that serve as the padding of the next convolution, where taps are shifts
  of the flattened grid; taps outside the support are left out.

References:
    arXiv 2410.01452, image experiment.
"""

from typing import Literal

import jax
import jax.numpy as jnp
import numpy as np
from flax import linen as nn
from jax import lax
from jaxtyping import Array, Float, Int

from emergent.config.models import SupportCnnModel
from emergent.config.supports import support_mask
from emergent.models.layers import average_pool, convolve

Formulation = Literal["matmul", "reference"]
EPSILON = 1e-5


def dense_filter(mask: np.ndarray) -> Float[np.ndarray, "kk T"]:
    """Returns the matrix that places the T weights of a support in the k x k filter."""
    return np.eye(mask.size)[:, np.flatnonzero(mask)]


def pooled_filter(mask: np.ndarray) -> Float[np.ndarray, "ll T"]:
    """Returns the matrix from the T weights to the (k + 1) x (k + 1) filter of convolution and average pooling."""
    side = mask.shape[0]
    dense = dense_filter(mask).reshape(side, side, -1)
    fused = np.zeros((side + 1, side + 1, dense.shape[-1]))
    for row in (0, 1):
        for column in (0, 1):
            fused[row : row + side, column : column + side] += dense / 4
    return fused.reshape((side + 1) ** 2, -1)


def cell_rows(side: int, pad: int) -> Int[np.ndarray, " R"]:
    """Returns the pixels of a padded map in the order cell by cell (2 x 2 pixels each); side^2 stands for padding."""
    cells = (side + 2 * pad) // 2
    row, column, down, right = np.indices((cells, cells, 2, 2)).reshape(4, -1)
    return _pixels(2 * row + down - pad, 2 * column + right - pad, side)


def gap_rows(side: int, pad: int) -> Int[np.ndarray, " R"]:
    """Returns the pixels of a map on a grid with ``pad`` empty columns and rows at its end; side^2 stands for these."""
    row, column = np.indices((side + pad, side + pad)).reshape(2, -1)
    return _pixels(row, column, side)


def patch_table(rows: np.ndarray, side: int, filter_side: int, stride: int, pad: int) -> Int[np.ndarray, "R T"]:
    """Returns the input pixels under the filter for each output pixel; side^2 stands for padding.

    Args:
        rows: output pixels in the order wanted; padding rows see padding only.
        side: side of the input map.
        filter_side: side of the (fused) filter.
        stride: 2 where pooling is fused.
        pad: zero padding.
    """
    out = side // stride
    row, column = np.divmod(rows, out)
    down, right = np.indices((filter_side, filter_side)).reshape(2, 1, -1)
    pixels = _pixels(stride * row[:, None] + down - pad, stride * column[:, None] + right - pad, side)
    return np.where((rows == out * out)[:, None], side * side, pixels)


def _pixels(row: np.ndarray, column: np.ndarray, side: int) -> np.ndarray:
    inside = (row >= 0) & (row < side) & (column >= 0) & (column < side)
    return np.where(inside, row * side + column, side * side).astype(np.int32)


def normalised_tanh(hidden: Float[Array, "N R C"], valid: np.ndarray) -> Float[Array, "N R C"]:
    """Returns tanh, normalised per image and channel over the valid rows; all other rows are 0."""
    mask, count = valid[None, :, None].astype(hidden.dtype), int(valid.sum())
    hidden = jnp.tanh(hidden) * mask
    centred = (hidden - hidden.sum(1, keepdims=True) / count) * mask
    return centred * lax.rsqrt(jnp.square(centred).sum(1, keepdims=True) / count + EPSILON)


def _shifted(hidden: Float[Array, "R C"], offset: int) -> Float[Array, "R C"]:
    """Returns the rows from ``offset`` on, zeros beyond the ends."""
    padding = (max(-offset, 0), max(offset, 0))
    padded = jnp.pad(hidden, (padding, (0, 0)))
    return lax.slice_in_dim(padded, max(offset, 0), max(offset, 0) + hidden.shape[0])


class SupportCnn(nn.Module):
    """Convolutions on a support, average pooling, tanh, spatial normalisation, linear read-out."""

    config: SupportCnnModel
    formulation: Formulation = "matmul"

    @nn.compact
    def __call__(self, inputs: Float[Array, "N H W C"]) -> Float[Array, "N K"]:
        """Returns the logits of a batch of square images whose side is divisible by 2 ^ num_pooled."""
        config = self.config
        mask = support_mask(config.support)
        initial = mask if config.initial_support is None else support_mask(config.initial_support)
        starts = initial[mask].astype(np.float32)[:, None, None]

        def initialise(key: jax.Array, shape: tuple[int, ...]) -> jax.Array:
            return jax.random.normal(key, shape) * starts

        channels = (inputs.shape[-1], *config.channels)
        kernels = [
            self.param(f"kernel_{i}", initialise, (int(mask.sum()), channels[i], channels[i + 1]))
            for i in range(len(config.channels))
        ]
        side = inputs.shape[1] // 2**config.num_pooled
        readout = self.param("readout", nn.initializers.normal(1.0), (side, side, channels[-1], config.num_outputs))
        if inputs.shape[1] != inputs.shape[2] or inputs.shape[1] != side * 2**config.num_pooled:
            raise ValueError(
                f"support_cnn: expected a square image whose side is divisible by {2**config.num_pooled}, found "
                f"{inputs.shape[1]} x {inputs.shape[2]}"
            )
        forward = _forward_matmul if self.formulation == "matmul" else _forward_reference
        return forward(inputs, kernels, readout, mask, config.num_pooled)


def _forward_reference(
    inputs: jax.Array, kernels: list[jax.Array], readout: jax.Array, mask: np.ndarray, num_pooled: int
) -> jax.Array:
    hidden = inputs
    for index, kernel in enumerate(kernels):
        full = jnp.tensordot(jnp.asarray(dense_filter(mask), kernel.dtype), kernel, 1)
        hidden = convolve(hidden, full.reshape(*mask.shape, *kernel.shape[1:]))
        hidden = jnp.tanh(average_pool(hidden, 2 if index < num_pooled else 1))
        centred = hidden - hidden.mean((1, 2), keepdims=True)
        hidden = centred * lax.rsqrt(jnp.square(centred).mean((1, 2), keepdims=True) + EPSILON)
    return hidden.reshape(hidden.shape[0], -1) @ readout.reshape(-1, readout.shape[-1])


def _forward_matmul(
    inputs: jax.Array, kernels: list[jax.Array], readout: jax.Array, mask: np.ndarray, num_pooled: int
) -> jax.Array:
    num, side, pad = inputs.shape[0], inputs.shape[1], mask.shape[0] // 2
    rows = np.zeros(0, np.int32)
    hidden = inputs
    for index, kernel in enumerate(kernels):
        pooled = index < num_pooled
        out = side // 2 if pooled else side
        matrix = jnp.tensordot(jnp.asarray((pooled_filter if pooled else dense_filter)(mask), kernel.dtype), kernel, 1)
        if index == 0:
            # Read straight from the image, in the order of rows that the next layer wants.
            rows = (cell_rows if index + 1 < num_pooled else gap_rows)(out, pad)
            hidden = _first_layer(inputs, matrix, patch_table(rows, side, mask.shape[0] + pooled, 1 + pooled, pad))
        else:
            if pooled:
                wanted = cell_rows(side, pad)
                hidden = _cell_layer(_reorder(hidden, rows, wanted, side), matrix, mask.shape[0] + 1)
            else:
                hidden = _gap_layer(hidden, kernel, mask, side + pad)
            rows = gap_rows(out, pad)
        hidden = normalised_tanh(hidden, rows < out * out)
        side = out
    padded = jnp.pad(readout, ((0, pad), (0, pad), (0, 0), (0, 0)))
    return hidden.reshape(num, -1) @ padded.reshape(-1, readout.shape[-1])


def _first_layer(inputs: jax.Array, matrix: jax.Array, table: np.ndarray) -> jax.Array:
    num, side, _, channels = inputs.shape
    flat = jnp.pad(inputs.reshape(num, side * side, channels), ((0, 0), (0, 1), (0, 0)))
    patches = flat.at[:, table].get(mode="promise_in_bounds").reshape(num * table.shape[0], -1)
    return (patches @ matrix.reshape(-1, matrix.shape[-1])).reshape(num, table.shape[0], -1)


def _cell_layer(hidden: Float[Array, "N R C"], matrix: jax.Array, fused_side: int) -> jax.Array:
    """Returns a pooled convolution of rows in cell order, on the grid with gaps."""
    num, channels, taps = hidden.shape[0], hidden.shape[2], fused_side // 2
    cells = round((hidden.shape[1] // 4) ** 0.5)
    features = matrix.shape[-1]
    bank = matrix.reshape(taps, 2, taps, 2, channels, features).transpose(1, 3, 4, 0, 2, 5)
    products = hidden.reshape(num * cells**2, 4 * channels) @ bank.reshape(4 * channels, -1)
    products = products.reshape(num * cells**2, taps**2, features)
    offsets = [row * cells + column for row in range(taps) for column in range(taps)]
    total = sum(_shifted(products[:, tap], offset) for tap, offset in enumerate(offsets))
    return jnp.asarray(total).reshape(num, cells**2, features)


def _gap_layer(hidden: Float[Array, "N R C"], kernel: jax.Array, mask: np.ndarray, grid: int) -> jax.Array:
    """Returns a convolution of rows on the grid with gaps, on the same grid; only taps of the support are read."""
    pad = mask.shape[0] // 2
    flat = hidden.reshape(-1, hidden.shape[2])
    offsets = [int(row - pad) * grid + int(column - pad) for row, column in np.argwhere(mask)]
    patches = jnp.concatenate([_shifted(flat, offset) for offset in offsets], 1)
    return (patches @ kernel.reshape(-1, kernel.shape[-1])).reshape(*hidden.shape[:2], -1)


def _reorder(hidden: jax.Array, rows: np.ndarray, wanted: np.ndarray, side: int) -> jax.Array:
    """Returns the rows in another order; nothing is done where they have it already."""
    if np.array_equal(rows, wanted):
        return hidden
    position = np.full(side * side + 1, -1)
    position[rows[::-1]] = np.arange(len(rows))[::-1]
    if position[side * side] < 0:
        hidden = jnp.pad(hidden, ((0, 0), (0, 1), (0, 0)))
        position[side * side] = hidden.shape[1] - 1
    return hidden.at[:, position[wanted]].get(mode="promise_in_bounds")

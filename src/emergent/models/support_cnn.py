"""Convolutional networks on a filter support, in two formulations of the same function.

``reference``  full filters through ``lax.conv_general_dilated``, then average pooling: plain, and slow for ensembles.
``matmul``     no convolution at all, so that it vectorises over members and runs inside loops on every backend. Each
               layer is one matrix product of the taps of its support, and nothing else of the filter is ever read:

* convolution and average pooling commute, so the input is averaged over 2 x 2 boxes and the convolution takes steps of
  two. The large feature maps never exist, and where fusing both into one (k + 1) x (k + 1) filter would take 16 taps
  for the 5 of a cross, 5 stay 5;
* of the boxes only those under a tap are made. Kept as 2 x 2 cells, a map holds every box as a sum within a cell
  (even offsets) or across the edge of two (odd offsets), which needs no strided access;
* the first layer reads its boxes straight from the image, in the order of pixels that the next layer wants.

References:
    arXiv 2410.01452, image experiment.
"""

from typing import Literal

import jax
import jax.numpy as jnp
import numpy as np
from flax import linen as nn
from jax import lax
from jaxtyping import Array, Float

from emergent.config.supports import SupportCnnModel, support_mask
from emergent.models.draws import normal
from emergent.models.layers import average_pool, convolve

Formulation = Literal["matmul", "reference"]
EPSILON = 1e-5


def _normalised_tanh(hidden: jax.Array) -> tuple[jax.Array, jax.Array, jax.Array]:
    """Returns the map, tanh and one over the standard deviation."""
    tanh = jnp.tanh(hidden)
    centred = tanh - tanh.mean(1, keepdims=True)
    scale = lax.rsqrt(jnp.square(centred).mean(1, keepdims=True) + EPSILON)
    return centred * scale, tanh, scale


@jax.custom_jvp
def normalised_tanh(hidden: Float[Array, "N P C"]) -> Float[Array, "N P C"]:
    """Returns tanh, normalised per image and channel over the pixels."""
    return _normalised_tanh(hidden)[0]


@normalised_tanh.defjvp
def _normalised_tanh_jvp(primals: tuple[jax.Array], tangents: tuple[jax.Array]) -> tuple[jax.Array, jax.Array]:
    """Gives the derivative by what the forward pass has: fewer passes over memory than differentiating its steps."""
    normalised, tanh, scale = _normalised_tanh(primals[0])
    moved = scale * (1 - jnp.square(tanh)) * tangents[0]
    along = (normalised * moved).mean(1, keepdims=True)
    return normalised, moved - moved.mean(1, keepdims=True) - normalised * along


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
        # As arXiv 2410.01452 intends; its released code sets no tap of the 3 x 3 support to zero, and wrong ones at 5 x
        # 5. Drawn for the whole support first: with a shared key, arms start alike on the taps that both of them draw.
        starts = initial[mask].astype(np.float32)[:, None, None]

        def initialise(key: jax.Array, shape: tuple[int, ...]) -> jax.Array:
            return normal(key, shape) * starts

        channels = (inputs.shape[-1], *config.channels)
        kernels = [
            self.param(f"kernel_{i}", initialise, (int(mask.sum()), channels[i], channels[i + 1]))
            for i in range(len(config.channels))
        ]
        side = inputs.shape[1] // 2**config.num_pooled
        # Unscaled as published: logits start with a standard deviation of tens, and divergences are large.
        readout = self.param("readout", normal, (side, side, channels[-1], config.num_outputs))
        if inputs.shape[1] != inputs.shape[2] or inputs.shape[1] != side * 2**config.num_pooled:
            raise ValueError(
                f"support_cnn: expected a square image whose side is divisible by {2**config.num_pooled}, found "
                f"{inputs.shape[1]} x {inputs.shape[2]}"
            )
        forward = _forward_matmul if self.formulation == "matmul" else _forward_reference
        return forward(inputs, kernels, readout, mask, config.num_pooled)


def dense_filter(mask: np.ndarray) -> Float[np.ndarray, "kk T"]:
    """Returns the matrix that places the T weights of a support in the k x k filter."""
    return np.eye(mask.size)[:, np.flatnonzero(mask)]


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
    num, side = inputs.shape[0], inputs.shape[1]
    taps = [(int(row) - mask.shape[0] // 2, int(column) - mask.shape[0] // 2) for row, column in np.argwhere(mask)]
    hidden = inputs
    for index, kernel in enumerate(kernels):
        pooled, next_pooled = index < num_pooled, index + 1 < num_pooled
        if index == 0:
            patches = _image_patches(inputs, taps, pooled, next_pooled)
        elif pooled:
            # The rows of a map that is pooled next come cell by cell.
            cells = hidden.reshape(num, side // 2, side // 2, 2, 2, -1)
            boxes = {parity: _boxes(cells, *parity) for parity in {(row % 2, column % 2) for row, column in taps}}
            # An odd box belongs to the cells on both sides of an edge; the first such lies before cell 0.
            windows = [(boxes[row % 2, column % 2], (row + 1) // 2, (column + 1) // 2) for row, column in taps]
            patches = _patches(windows, side // 2, next_pooled)
        else:
            image = hidden.reshape(num, side, side, -1)
            patches = _patches([(image, row, column) for row, column in taps], side, next_pooled)
        side = side // 2 if pooled else side
        hidden = patches.reshape(num * side**2, -1) @ kernel.reshape(-1, kernel.shape[-1])
        hidden = normalised_tanh(hidden.reshape(num, side**2, -1))
    return hidden.reshape(num, -1) @ readout.reshape(-1, readout.shape[-1])


def _image_patches(
    inputs: Float[Array, "N H W C"], taps: list[tuple[int, int]], pooled: bool, in_cells: bool
) -> Float[Array, "N P T C"]:
    """Returns what the first layer's taps see: pixels, or boxes of 2 x 2 in steps of two."""
    num, side, _, channels = inputs.shape
    pad = max(max(abs(row), abs(column)) for row, column in taps)
    stride = 2 if pooled else 1
    seen = jnp.pad(inputs, ((0, 0), (pad, pad), (pad, pad), (0, 0)))
    if pooled:
        seen = seen[:, :-1] + seen[:, 1:]
        seen = (seen[:, :, :-1] + seen[:, :, 1:]) / 4
    width = seen.shape[2]
    pixels = np.arange((side // stride) ** 2).reshape(side // stride, -1)
    if in_cells:
        pixels = pixels.reshape(len(pixels) // 2, 2, -1, 2).swapaxes(1, 2)
    rows, columns = np.divmod(pixels.reshape(-1, 1), side // stride)
    offsets = np.array(taps) + pad
    table = (stride * rows + offsets[:, 0]) * width + stride * columns + offsets[:, 1]
    return seen.reshape(num, -1, channels).at[:, table].get(mode="promise_in_bounds")


def _boxes(cells: Float[Array, "N s s 2 2 C"], odd_row: int, odd_column: int) -> Float[Array, "N a b C"]:
    """Returns the averages over boxes of 2 x 2 pixels: the cells, or boxes shifted by one row, column or both.

    Of shifted boxes there are s + 1, of which the first and last reach beyond the map.
    """
    if odd_row:
        padded = jnp.pad(cells, ((0, 0), (1, 1), *[(0, 0)] * 4))
        rows = padded[:, :-1, :, 1] + padded[:, 1:, :, 0]
    else:
        rows = cells[:, :, :, 0] + cells[:, :, :, 1]
    if odd_column:
        padded = jnp.pad(rows, ((0, 0), (0, 0), (1, 1), (0, 0), (0, 0)))
        return (padded[:, :, :-1, 1] + padded[:, :, 1:, 0]) / 4
    return (rows[:, :, :, 0] + rows[:, :, :, 1]) / 4


def _patches(windows: list[tuple[jax.Array, int, int]], side: int, in_cells: bool) -> Float[Array, "N s s TC"]:
    """Returns the windows of side x side pixels of maps, from a row and a column on, side by side in their channels.

    Args:
        windows: maps [N, a, b, C] with the first row and column of the window; there are zeros beyond a map's edges.
        side: of a window.
        in_cells: order the pixels by cells of 2 x 2.
    """
    parts = []
    for image, row, column in windows:
        before = [max(-row, 0), max(-column, 0)]
        after = [max(row + side - image.shape[1], 0), max(column + side - image.shape[2], 0)]
        padded = jnp.pad(image, ((0, 0), (before[0], after[0]), (before[1], after[1]), (0, 0)))
        top, left = max(row, 0), max(column, 0)
        parts.append(padded[:, top : top + side, left : left + side])
    patches = jnp.concatenate(parts, -1)
    if in_cells:
        patches = patches.reshape(len(patches), side // 2, 2, side // 2, 2, -1).swapaxes(2, 3)
    return patches

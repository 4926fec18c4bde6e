"""Transformers with shifted windows, on HEALPix or on a square: attention in windows that shift in every other block.

Cells are in nested order, so that both grids share all code but the shift. Attention is by cosines, with a bias for
each offset within a window, norms stand behind attention and units, as in the second version of such transformers.

References:
    arXiv:2307.07313 (HEAL-SWIN), arXiv:2103.14030 and arXiv:2111.09883 (SWIN, and its second version).
"""

import jax
import jax.numpy as jnp
from flax import linen as nn
from jaxtyping import Array, Float

from emergent.config.swin import SwinNetwork
from emergent.groups.nested_grids import Grid, neighbours_before, offsets, shift, square_order

LEAST_TEMPERATURE = 0.01
"""Of attention; the largest factor of cosines is a hundred."""
FIRST_TEMPERATURE = 0.1
SPREAD = 0.02
"""Standard deviation of weights at the start, in a normal law cut off at two of them."""
INITIAL = nn.initializers.truncated_normal(SPREAD)


class Linear(nn.Dense):
    """Linear layer on the last axis, for all else at once: on a CPU its gradient then takes a fifth of the time."""

    kernel_init: nn.initializers.Initializer = INITIAL

    def __call__(self, inputs: Float[Array, "*rest C"]) -> Float[Array, "*rest D"]:
        """Returns the layer's outputs."""
        return super().__call__(inputs.reshape(-1, inputs.shape[-1])).reshape(*inputs.shape[:-1], self.features)


class WindowAttention(nn.Module):
    """Attention of several heads within windows of cells in a row.

    Attributes:
        heads: their number; divides the channels.
        window: w, cells of a window.
        grid: of the cells.
        steps: of a shift before, and back behind; 0 for none.
    """

    heads: int
    window: int
    grid: Grid
    steps: int

    @nn.compact
    def __call__(self, cells: Float[Array, "N P C"]) -> Float[Array, "N P C"]:
        """Returns what cells take over from those of their window."""
        num, count, channels = cells.shape
        moved = shift(self.grid, count, self.steps) if self.steps else None
        given = cells if moved is None else cells[:, moved.order]
        windows = given.reshape(num, count // self.window, self.window, channels)
        size = channels // self.heads
        split = (num, count // self.window, self.window, self.heads, size)
        queries, keys, values = (Linear(channels, use_bias=name != "key")(windows).reshape(split)
                                 for name in ("query", "key", "value"))  # fmt: skip
        queries, keys = (part / jnp.sqrt(jnp.square(part).sum(-1, keepdims=True) + 1e-12) for part in (queries, keys))
        cosines = jnp.einsum("nWahc,nWbhc->nWhab", queries, keys)
        temperature = self.param("temperature", nn.initializers.constant(FIRST_TEMPERATURE), (self.heads,))
        table = self.param("bias", INITIAL, (self.heads, (2 * round(self.window**0.5) - 1) ** 2))
        logits = cosines / jnp.maximum(temperature, LEAST_TEMPERATURE)[None, None, :, None, None]
        logits += table[:, offsets(self.window)][None, None]
        if moved is not None:
            seen = neighbours_before(self.grid, count, self.window, self.steps)
            logits = jnp.where(seen[None, :, None], logits, -jnp.inf)
        found = jnp.einsum("nWhab,nWbhc->nWahc", jax.nn.softmax(logits), values).reshape(given.shape)
        found = Linear(channels)(found)
        return found if moved is None else found[:, moved.inverse]


class SwinBlock(nn.Module):
    """Attention and units, each with its norm behind and added to what comes in.

    Attributes:
        attention: within windows.
        ratio: of the hidden units to the channels.
    """

    heads: int
    window: int
    grid: Grid
    steps: int
    ratio: int

    @nn.compact
    def __call__(self, cells: Float[Array, "N P C"]) -> Float[Array, "N P C"]:
        """Returns cells that have seen their windows."""
        channels = cells.shape[-1]
        attention = WindowAttention(self.heads, self.window, self.grid, self.steps)
        cells += nn.LayerNorm()(attention(cells))
        hidden = jax.nn.gelu(Linear(self.ratio * channels)(cells), approximate=False)
        return cells + nn.LayerNorm()(Linear(channels)(hidden))


class SwinNet(nn.Module):
    """A classifier: patches of four cells, stages of blocks between which four cells become one, mean, linear layer.

    Attributes:
        settings: of the network.
        num_outputs: K.
        grid: of the cells.
    """

    settings: SwinNetwork
    num_outputs: int
    grid: Grid

    @nn.compact
    def __call__(self, images: Float[Array, "N *cells c"]) -> Float[Array, "N K"]:
        """Returns logits.

        Args:
            images: on the cells of HEALPix, in nested order, or of a square, in rows and columns.
        """
        own = self.settings
        if self.grid == "square":
            # Rows and columns of angles.
            images = images.reshape(len(images), -1, images.shape[-1])[:, square_order(images.shape[1])]
        num, count, channels = images.shape
        cells = nn.LayerNorm()(Linear(own.channels)(images.reshape(num, count // 4, 4 * channels)))
        for stage, (depth, heads) in enumerate(zip(own.depths, own.heads, strict=True)):
            if stage:
                # Of four cells one, of twice as many channels.
                merged = cells.reshape(num, -1, 4 * cells.shape[-1])
                cells = nn.LayerNorm()(Linear(2 * cells.shape[-1], use_bias=False)(merged))
            window = min(own.window, cells.shape[1])
            # A single window has no border to reach over.
            steps = own.shift if cells.shape[1] > window else 0
            for block in range(depth):
                cells = SwinBlock(heads, window, self.grid, steps if block % 2 else 0, own.ratio)(cells)
        return Linear(self.num_outputs)(nn.LayerNorm()(cells).mean(1))

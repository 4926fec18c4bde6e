"""Compiled program of pooled convolutional kernels by offsets; ``emergent.kernels.offsets`` says what it computes.

A few second images lie beside each other in memory, one in each lane of a vector register, and pass all layers together
with one first image: every loop below runs over ``x * lanes + lane`` of one row, without a branch, and is turned into
vector instructions. Numba compiles it at first use, for one precision, activation, filter size and padding.
"""

from collections.abc import Callable
from functools import cache
from typing import Any, NamedTuple

import numpy as np

from emergent.kernels.offset_activations import activation_program

# A vector register of 64 bytes; on narrower ones two or four of them.
REGISTER_BYTES = 64
# Columns that a compiler takes at a time in the loops over sums; what is left of a row it would take one by one.
COLUMNS = 4


class Program(NamedTuple):
    """A compiled program and the layout that it expects.

    Attributes:
        run: called with the arrays of ``emergent.kernels.offsets``; releases Python's lock.
        lanes: second images that are computed together.
    """

    run: Callable[..., None]
    lanes: int


@cache
def offset_program(precision: str, activation: str, size: int, padding: str) -> Program:
    """Returns the program for one kind of network.

    Args:
        precision: ``float64`` or ``float32``.
        activation: one of ``emergent.kernels.offset_activations``.
        size: side of the filters, odd.
        padding: ``SAME``, ``VALID`` or ``CIRCULAR``.
    """
    # Only here: the import takes longer than most jobs that need no such kernel.
    import numba

    number = np.dtype(precision).type
    lanes = REGISTER_BYTES // np.dtype(precision).itemsize
    zero = number(0.0)
    circular, valid = padding == "CIRCULAR", padding == "VALID"
    halo, lost = (0, size - 1) if valid else ((size - 1) // 2, 0)
    # Contraction alone is allowed to change rounding; nothing below is infinite or not a number.
    options: dict[str, Any] = {"nogil": True, "error_model": "numpy", "fastmath": {"contract", "nnan", "ninf", "nsz"}}

    @numba.njit(**options)
    def average(k_in, t_in, y, across, first, bias, gain, k_sums, t_sums, k_out, t_out):
        """One row of a convolution: sums over the filter's rows, then over its columns."""
        # Whole groups of columns: what is computed beyond the row is overwritten, and costs less than a remainder.
        num = -(-across // COLUMNS) * COLUMNS * lanes
        wide = num + (size - 1) * lanes
        for i in range(wide):
            total = k_in[y, i]
            for tap in range(1, size):
                total += k_in[y + tap, i]
            k_sums[i] = total
        if not first:
            for i in range(wide):
                total = t_in[y, i]
                for tap in range(1, size):
                    total += t_in[y + tap, i]
                t_sums[i] = total
        for i in range(num):
            total = k_sums[i]
            for tap in range(1, size):
                total += k_sums[i + tap * lanes]
            k_out[i] = bias + gain * total
        if first:
            for i in range(num):
                t_out[i] = k_out[i]
        else:
            for i in range(num):
                total = t_sums[i]
                for tap in range(1, size):
                    total += t_sums[i + tap * lanes]
                t_out[i] = k_out[i] + gain * total

    activate = activation_program(precision, activation, options)

    @numba.njit(**options)
    def surround(a, height, across):
        """Puts what lies outside of the images around ``a`` [height, across]: zeros, or the other side."""
        left, right, stop = halo * lanes, (halo + across) * lanes, (across + 2 * halo) * lanes
        for y in range(halo, halo + height):
            for i in range(left):
                a[y, i] = a[y, i + across * lanes] if circular else zero
            for i in range(right, stop):
                a[y, i] = a[y, i - across * lanes] if circular else zero
        for y in range(halo):
            for i in range(stop):
                a[y, i] = a[y + height, i] if circular else zero
                a[halo + height + y, i] = a[halo + y, i] if circular else zero

    @numba.njit(**options)
    def offset(pixels, others, firsts, seconds, gains, dy, dx, last, work, sums):
        """All layers of the pairs of pixels (t, t + d) of one offset d, added up in ``sums``."""
        height, width = pixels.shape[1], pixels.shape[2] // lanes
        h, w = (height, width) if circular else (height - abs(dy), width - abs(dx))
        y_first, x_first = (0, 0) if circular else (max(0, -dy), max(0, -dx))
        y_second, x_second = y_first + dy, x_first + dx
        k, t, k_next, t_next = work[0], work[1], work[2], work[3]
        for y in range(h):
            line = k[halo + y, halo * lanes : (halo + w) * lanes]
            line[:] = zero
            for c in range(pixels.shape[0]):
                ours = pixels[c, y_first + y, x_first * lanes : (x_first + w) * lanes]
                theirs = others[c, (y_second + y) % height, x_second * lanes : (x_second + w) * lanes]
                for i in range(w * lanes):
                    line[i] += ours[i] * theirs[i]
        num_layers = firsts.shape[0]
        for layer in range(num_layers):
            surround(k, h, w)
            if layer > 0:
                surround(t, h, w)
            h, w = h - lost, w - lost
            if h <= 0 or w <= 0:
                return
            rows = height - (layer + 1) * lost
            for y in range(h):
                k_row, t_row = k_next[halo + y, halo * lanes :], t_next[halo + y, halo * lanes :]
                average(k, t, y, w, layer == 0, gains[0], gains[1], sums[2], sums[3], k_row, t_row)
                if layer < num_layers - 1 or last:
                    # One row each: of slices along two axes Numba would not know that numbers lie side by side.
                    start, stop = x_first * lanes, (x_first + w) * lanes
                    ours = firsts[layer, 0, y_first + y, start:stop], firsts[layer, 1, y_first + y, start:stop]
                    other, start, stop = (y_second + y) % rows, x_second * lanes, (x_second + w) * lanes
                    theirs = seconds[layer, 0, other, start:stop], seconds[layer, 1, other, start:stop]
                    activate(w * lanes, k_row, t_row, ours[0], ours[1], theirs[0], theirs[1])
            k, k_next, t, t_next = k_next, k, t_next, t
        for y in range(h):
            for i in range(w * lanes):
                sums[0, i] += k[halo + y, halo * lanes + i]
                sums[1, i] += t[halo + y, halo * lanes + i]

    @numba.njit(**options)
    def run(pixels, others, firsts, seconds, begin, gains, last, repeated, result):
        """All offsets of some first images with the second images of some registers.

        Args:
            pixels: [N, C, H, W] first images, divided by the number of channels.
            others: [B, C, H, W' * lanes] second images; W' is W, or 2 W of periodic ones that lie there twice.
            firsts: [N, L, 2, H, W] what each activation needs to know of pixels (emergent.kernels.offset_activations).
            seconds: [B, L, 2, H, W' * lanes] likewise.
            begin: [N] register that each first image begins with; sums of those before are left alone.
            gains: bias and gain of a convolution.
            last: whether an activation follows the last convolution.
            repeated: [C + 2 L, H, W * lanes] working memory, in which a first image fills all lanes.
            result: [2, N, B * lanes] sums over all pairs of pixels of both kernels.
        """
        channels, height, width = pixels.shape[1], pixels.shape[2], pixels.shape[3]
        layers = firsts.shape[1]
        work = np.zeros((4, height + 2 * halo, (width + 2 * size + COLUMNS) * lanes), pixels.dtype)
        sums = np.empty((4, (width + 2 * size + COLUMNS) * lanes), pixels.dtype)
        ours = repeated[:channels]
        deviations = repeated[channels:].reshape(layers, 2, height, width * lanes)
        for n in range(pixels.shape[0]):
            for y in range(height):
                for x in range(width):
                    for lane in range(lanes):
                        for c in range(channels):
                            ours[c, y, x * lanes + lane] = pixels[n, c, y, x]
                        for layer in range(layers):
                            deviations[layer, 0, y, x * lanes + lane] = firsts[n, layer, 0, y, x]
                            deviations[layer, 1, y, x * lanes + lane] = firsts[n, layer, 1, y, x]
            for b in range(begin[n], others.shape[0]):
                sums[:2] = zero
                for dy in range(0 if circular else 1 - height, height):
                    for dx in range(0 if circular else 1 - width, width):
                        offset(ours, others[b], deviations, seconds[b], gains, dy, dx, last, work, sums)
                for lane in range(lanes):
                    for kind in range(2):
                        total = zero
                        for x in range(width):
                            total += sums[kind, x * lanes + lane]
                        result[kind, n, b * lanes + lane] = total

    return Program(run, lanes)

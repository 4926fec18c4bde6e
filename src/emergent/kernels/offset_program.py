"""Compiled program of pooled convolutional kernels by offsets; ``emergent.kernels.offsets`` says what it computes.

A few pairs of images lie beside each other in memory, one in each lane of a vector register, and pass all layers
together. Rows of pixels follow each other without a gap but the pixels that surround an image, so that every loop below
runs over many rows at once, without a branch, and is turned into vector instructions. Offsets dx and dx - W along the
columns pair every column of the first image with one of the second, and so are computed together: columns are those of
the first image, parted by pixels of value 0 where the offset changes. Numba compiles it at first use, for one
precision, activation, filter size and padding.
"""

from collections.abc import Callable
from functools import cache
from typing import NamedTuple

import numpy as np

from emergent.kernels.offset_activations import COMPILER, activation_program

# A vector register of 64 bytes; on narrower ones two or four of them.
REGISTER_BYTES = 64
# Columns that a compiler takes at a time; what is left it would take one by one.
COLUMNS = 4
# Columns, of any number of rows, that pass a layer one after another: few enough for sums to stay in the first cache.
BLOCK = 256


class Program(NamedTuple):
    """A compiled program and the layout that it expects.

    Attributes:
        run: called with the arrays of ``emergent.kernels.offsets``; releases Python's lock.
        lanes: pairs of images that are computed together.
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
    # Pixels of value 0 between the columns of two offsets. Periodic images have no such place; of VALID filters, what
    # reads across it is left out at the end.
    parting = 0 if circular or valid else halo
    activate = activation_program(precision, activation)

    @numba.njit(**COMPILER)
    def average(num, pitch, k_in, t_in, first, bias, gain, k_sums, t_sums, k_out, t_out):
        """Some columns of a convolution: sums over the filter's rows, then over its columns."""
        wide = num + (size - 1) * lanes
        k_rows, t_rows = k_in[: size * pitch].reshape(size, pitch), t_in[: size * pitch].reshape(size, pitch)
        for i in range(wide):
            total = k_rows[0, i]
            for tap in range(1, size):
                total += k_rows[tap, i]
            k_sums[i] = total
        if not first:
            for i in range(wide):
                total = t_rows[0, i]
                for tap in range(1, size):
                    total += t_rows[tap, i]
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

    @numba.njit(**COMPILER)
    def surround(a, height, width, dx, pitch, origin):
        """Puts what lies outside of the images around the pixels of ``a``: zeros, or the other side."""
        for y in range(height):
            row = origin + y * pitch
            if circular:
                for x in range(halo):
                    left, right = row + (width - halo + x) % width * lanes, row + x % width * lanes
                    for lane in range(lanes):
                        a[row - (halo - x) * lanes + lane] = a[left + lane]
                        a[row + (width + x) * lanes + lane] = a[right + lane]
            else:
                inside, after = row + (width - dx) * lanes, row + (width + parting) * lanes
                a[inside : inside + halo * lanes] = zero
                a[after : after + halo * lanes] = zero
        start, below = origin - halo * (lanes + pitch), origin - halo * lanes + height * pitch
        if circular:
            for y in range(halo):
                top = origin - halo * lanes + (height - halo + y) % height * pitch
                bottom = origin - halo * lanes + y % height * pitch
                for i in range(pitch):
                    a[start + y * pitch + i] = a[top + i]
                    a[below + y * pitch + i] = a[bottom + i]
        else:
            a[start:origin] = zero
            a[below : below + halo * (pitch + lanes)] = zero

    @numba.njit(**COMPILER)
    def add(k, t, row, start, stop, sums):
        for i in range(start, stop):
            sums[0, i] += k[row + i]
            sums[1, i] += t[row + i]

    @numba.njit(**COMPILER)
    def offset(ours, theirs, layers, shape, gains, dy, dx, last, work, sums):
        """All layers of the pairs of pixels (t, t + d) of two offsets d, added up in ``sums``."""
        height, width, pitch = shape
        origin = halo * (lanes + pitch)
        h = height if circular else height - abs(dy)
        first = 0 if circular else max(0, -dy) * pitch
        second = first + dy * pitch
        channels = len(ours) - 2 * layers
        k, t, k_next, t_next = work[0], work[1], work[2], work[3]
        line = k[origin : origin + h * pitch]
        line[:] = zero
        for c in range(channels):
            left, right = ours[c, first:], theirs[c, second:]
            for i in range(h * pitch):
                line[i] += left[i] * right[i]
        for layer in range(layers):
            surround(k, h, width, dx, pitch, origin)
            if layer > 0:
                surround(t, h, width, dx, pitch, origin)
            h = h - lost
            if h <= 0:
                return
            a, b = channels + 2 * layer, channels + 2 * layer + 1
            for start in range(0, h * pitch, BLOCK * lanes):
                # Whole groups of columns: what is computed beyond the rows is overwritten, or left out.
                num = min(BLOCK, -(-(h * pitch - start) // (COLUMNS * lanes)) * COLUMNS) * lanes
                k_out, t_out = k_next[origin + start :], t_next[origin + start :]
                average(
                    num, pitch, k[start:], t[start:], layer == 0, gains[0], gains[1], sums[2], sums[3], k_out, t_out
                )
                if layer < layers - 1 or last:
                    i, j = first + start, second + start
                    activate(num, k_out, t_out, ours[a, i:], ours[b, i:], theirs[a, j:], theirs[b, j:])
            k, k_next, t, t_next = k_next, k, t_next, t
        stop = (width - layers * lost) * lanes
        for y in range(h):
            row = origin + y * pitch
            if circular:
                add(k, t, row, 0, stop, sums)
            else:
                add(k, t, row, 0, stop - dx * lanes, sums)
                add(k, t, row, (width - dx + parting) * lanes, stop + parting * lanes, sums)

    @numba.njit(**COMPILER)
    def pack(pixels, deviations, chosen, packed):
        """Puts one image in each lane: first its channels, then what its activations need to know."""
        channels, layers = pixels.shape[1], deviations.shape[1]
        for lane in range(lanes):
            n = chosen[min(lane, len(chosen) - 1)]
            for y in range(pixels.shape[2]):
                for x in range(pixels.shape[3]):
                    for c in range(channels):
                        packed[c, y, x * lanes + lane] = pixels[n, c, y, x]
                    for layer in range(layers):
                        packed[channels + 2 * layer, y, x * lanes + lane] = deviations[n, layer, 0, y, x]
                        packed[channels + 2 * layer + 1, y, x * lanes + lane] = deviations[n, layer, 1, y, x]

    @numba.njit(**COMPILER)
    def arrange(packed, dx, turn, pitch, repeats, arranged):
        """Lays rows out for two offsets, columns beginning with ``turn``; periodic images lie there twice."""
        height, width = packed.shape[1], packed.shape[2] // lanes
        for m in range(len(packed)):
            for y in range(height * repeats):
                source = packed[m, y % height]
                row = arranged[m, y * pitch : y * pitch + (width + 2 * parting) * lanes]
                for x in range(width):
                    column = (x + turn) % width * lanes
                    place = (x + (parting if x >= width - dx else 0)) * lanes
                    for lane in range(lanes):
                        row[place + lane] = source[column + lane]
                for i in range(parting * lanes):
                    row[(width - dx) * lanes + i] = zero

    @numba.njit(**COMPILER)
    def run(pixels, others, firsts, seconds, pairs, gains, last, result):
        """All offsets of some pairs of images.

        Args:
            pixels: [N, C, H, W] first images, divided by the number of channels.
            others: [T, C, H, W] second images.
            firsts: [N, L, 2, H, W] what each activation needs to know of pixels (emergent.kernels.offset_activations).
            seconds: [T, L, 2, H, W] likewise.
            pairs: [P, 2] positions of a first and of a second image.
            gains: bias and gain of a convolution.
            last: whether an activation follows the last convolution.
            result: [2, P] sums over all pairs of pixels of both kernels.
        """
        channels, height, width = pixels.shape[1], pixels.shape[2], pixels.shape[3]
        layers, repeats = firsts.shape[1], 2 if circular else 1
        pitch = (width + 2 * halo) * lanes
        slack = (BLOCK + 2 * size) * lanes
        work = np.zeros((4, (height + 2 * halo + 1) * pitch + slack), pixels.dtype)
        sums = np.empty((4, max(pitch, BLOCK * lanes) + slack), pixels.dtype)
        packed = np.empty((2, channels + 2 * layers, height, width * lanes), pixels.dtype)
        # Columns that are in none of the images are 0, and stay so.
        ours = np.zeros((channels + 2 * layers, height * pitch + slack), pixels.dtype)
        theirs = np.zeros((channels + 2 * layers, height * repeats * pitch + slack), pixels.dtype)
        shape = (height, width, pitch)
        for start in range(0, len(pairs), lanes):
            chosen = pairs[start : start + lanes]
            pack(pixels, firsts, chosen[:, 0], packed[0])
            pack(others, seconds, chosen[:, 1], packed[1])
            sums[:2] = zero
            for dx in range(width):
                arrange(packed[0], dx, 0, pitch, 1, ours)
                arrange(packed[1], dx, dx, pitch, repeats, theirs)
                for dy in range(0 if circular else 1 - height, height):
                    offset(ours, theirs, layers, shape, gains, dy, dx, last, work, sums)
            for lane in range(len(chosen)):
                for kind in range(2):
                    total = zero
                    for x in range(width + parting):
                        total += sums[kind, x * lanes + lane]
                    result[kind, start + lane] = total

    return Program(run, lanes)

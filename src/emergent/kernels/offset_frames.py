"""Compiled program of kernels by offsets on GPUs; ``emergent.kernels.offset_cuda`` says how it cuts the work.

Numba compiles it at first use, for one precision, activation, filter size, padding and number of channels. It would
count in 64 bits, which takes a GPU twice the instructions and more, so that whole numbers are cut to 32 wherever they
come about; and what is known to be positive becomes an index without the test whether it counts from the end.
"""

from functools import cache
from typing import Any

import numba
import numpy as np
from numba import cuda as numba_cuda

from emergent.kernels.offset_activations import activation_function

# A name of the module, where Numba's simulator looks for it; of what kernels read there, only the compiler knows types.
cuda: Any = numba_cuda


@cache
def frame_program(precision: str, activation: str, size: int, padding: str, channels: int) -> Any:
    """Returns the program for one kind of network, to be launched with one block for some frames of a pair of images.

    Args:
        precision: ``float64`` or ``float32``.
        activation: one of ``emergent.kernels.offset_activations``.
        size: side of the filters, odd.
        padding: ``SAME``, ``VALID`` or ``CIRCULAR``.
        channels: of images.
    """
    number = np.dtype(precision).type
    scalar = numba.from_dtype(np.dtype(precision))
    zero = number(0.0)
    # Approximate roots and quotients: exact to the last bit or two of single precision, and too coarse for double.
    fast = precision == "float32"
    circular, valid = padding == "CIRCULAR", padding == "VALID"
    halo, lost = (0, size - 1) if valid else ((size - 1) // 2, 0)
    parting = 0 if circular or valid else halo
    # Rows, and columns, of a frame in memory beside those of an image.
    around = 2 * halo + parting
    # In 64 bits, constants are added to addresses by the instruction that reads.
    whole, index, wide = np.int32, np.uint32, np.uint64
    activate = activation_function(precision, activation, cuda.jit(device=True, fastmath=fast))

    @cuda.jit(device=True, fastmath=fast)
    def store(frame, start, height, width, y, x, value):
        """Writes a pixel, of periodic images also where it surrounds them."""
        pitch = whole(width + around)
        if circular:
            for row in range((halo + y) % height, height + around, height):
                for column in range((halo + x) % width, width + around, width):
                    frame[index(start + row * pitch + column)] = value
        else:
            frame[index(start + (halo + y) * pitch + halo + x)] = value

    @cuda.jit(device=True, fastmath=fast)
    def advance(frame, place, column):
        """Goes down one row: its sum over the columns of the filter enters, and that of the first row leaves."""
        for tap in range(size - 1):
            column[tap] = column[tap + 1]
        total = frame[wide(place)]
        for tap in range(1, size):
            total += frame[wide(place) + wide(tap)]
        column[size - 1] = total

    @cuda.jit(device=True, fastmath=fast)
    def added(column):
        """Returns the sum over the rows of the filter."""
        total = column[0]
        for tap in range(1, size):
            total += column[tap]
        return total

    @cuda.jit(fastmath=fast)
    def run(pixels, others, firsts, seconds, pairs, height, width, layers, last, bias, gain, rows, frames, partial):
        """Some frames of a pair of images in each block, whose threads are [columns, strips of rows].

        Args:
            pixels: [N C H W] first images, divided by the number of channels.
            others: [T C H W] second images.
            firsts: [N L 2 H W] what each activation needs to know of pixels (emergent.kernels.offset_activations).
            seconds: [T L 2 H W] likewise.
            pairs: [P, 2] positions of a first and of a second image.
            height: of images.
            width: of images.
            layers: convolutions.
            last: whether an activation follows the last convolution.
            bias: of a convolution.
            gain: of a convolution.
            rows: of a strip.
            frames: that a block takes one after another.
            partial: [2, P, B] sums over the pairs of pixels of a block's frames, both kernels.
        """
        shared = cuda.shared.array(0, scalar)
        column_k, column_t = cuda.local.array(size, scalar), cuda.local.array(size, scalar)
        columns = whole(cuda.blockDim.x)
        threads = whole(columns * cuda.blockDim.y)
        thread = whole(cuda.threadIdx.y * columns + cuda.threadIdx.x)
        # Rows of this thread's first strip, and from one of its strips to the next.
        ahead, stride = whole(cuda.threadIdx.y * rows), whole(cuda.blockDim.y * rows)
        blocks = whole(partial.shape[2])
        pair, block = whole(cuda.blockIdx.x // blocks), whole(cuda.blockIdx.x % blocks)
        num_pixels = whole(height * width)
        pitch = whole(width + around)
        plane = whole((height + around) * pitch)
        image, other = whole(pairs[pair, 0]), whole(pairs[pair, 1])
        for i in range(thread, whole(4 * plane), threads):
            shared[index(i)] = zero
        total_k, total_t = zero, zero
        for frame in range(whole(block * frames), whole(min(block * frames + frames, num_pixels))):
            dy, dx = whole(index(frame) // index(width)), whole(index(frame) % index(width))
            # The first row and column of the second image that lie beyond the seam.
            top, left = whole(height - dy), whole(width - dx)
            # The last layer of the frame before may be still read.
            cuda.syncthreads()
            if parting:
                for part in range(4):
                    for i in range(thread, whole(parting * pitch), threads):
                        shared[index(part * plane + (halo + top) * pitch + i)] = zero
                    for y in range(thread, whole(height + around), threads):
                        for i in range(parting):
                            shared[index(part * plane + y * pitch + halo + left + i)] = zero
            for x in range(whole(cuda.threadIdx.x), width, columns):
                beyond = x >= left
                shift = whole(dy * width + dx - (width if beyond else 0) + other * channels * num_pixels)
                column = whole(x + (parting if beyond else 0))
                for begin in range(ahead, height, stride):
                    y, stop = begin, whole(min(begin + rows, height))
                    while y < stop:
                        below = y >= top
                        i = whole(y * width + x)
                        j = whole(i + shift - (num_pixels if below else 0))
                        i = whole(i + image * channels * num_pixels)
                        value = zero
                        for _ in range(channels):
                            value += pixels[index(i)] * others[index(j)]
                            i = whole(i + num_pixels)
                            j = whole(j + num_pixels)
                        store(shared, whole(0), height, width, whole(y + (parting if below else 0)), column, value)
                        y = whole(y + 1)
            cuda.syncthreads()
            source, target = whole(0), whole(2 * plane)
            h, w = height, width
            for layer in range(layers):
                final = layer == whole(layers - 1)
                h, w = whole(h - lost), whole(w - lost)
                for x in range(whole(cuda.threadIdx.x), w, columns):
                    beyond = x >= left
                    column = whole(x + (parting if beyond else 0))
                    first = whole((image * layers + layer) * 2 * num_pixels + x)
                    second = whole((other * layers + layer) * 2 * num_pixels + x + dx + dy * width)
                    second = whole(second - (width if beyond else 0))
                    for begin in range(ahead, h, stride):
                        y, stop = begin, whole(min(begin + rows, h))
                        while y < stop:
                            # Rows on one side of the seam.
                            below = y >= top
                            until = whole(stop if below else min(stop, top))
                            row = whole(y + (parting if below else 0))
                            i = whole(first + y * width)
                            j = whole(second + y * width - (num_pixels if below else 0))
                            place = whole(source + row * pitch + column)
                            goal = whole(target + (row + halo) * pitch + column + halo)
                            for _ in range(size - 1):
                                advance(shared, place, column_k)
                                advance(shared, whole(place + plane), column_t)
                                place = whole(place + pitch)
                            while y < until:
                                inverse_first, factor_first = firsts[index(i)], firsts[index(i + num_pixels)]
                                inverse_second, factor_second = seconds[index(j)], seconds[index(j + num_pixels)]
                                advance(shared, place, column_k)
                                k = bias + gain * added(column_k)
                                t = k
                                if layer > 0:
                                    advance(shared, whole(place + plane), column_t)
                                    t += gain * added(column_t)
                                if last or not final:
                                    k, t = activate(k, t, inverse_first, factor_first, inverse_second, factor_second)
                                if final:
                                    if not valid or (
                                        (below or y < whole(top - layers * lost))
                                        and (beyond or x < whole(left - layers * lost))
                                    ):
                                        total_k += k
                                        total_t += t
                                elif circular:
                                    store(shared, target, height, width, y, x, k)
                                    store(shared, whole(target + plane), height, width, y, x, t)
                                else:
                                    shared[index(goal)] = k
                                    shared[index(goal + plane)] = t
                                y, i, j = whole(y + 1), whole(i + width), whole(j + width)
                                place, goal = whole(place + pitch), whole(goal + pitch)
                if not final:
                    cuda.syncthreads()
                source, target = target, source
        # Sums of threads, halved until one is left.
        cuda.syncthreads()
        shared[index(thread)] = total_k
        shared[index(threads + thread)] = total_t
        left_over = threads
        while left_over > 1:
            cuda.syncthreads()
            kept = whole((left_over + 1) // 2)
            if thread + kept < left_over:
                shared[index(thread)] += shared[index(thread + kept)]
                shared[index(threads + thread)] += shared[index(threads + thread + kept)]
            left_over = kept
        if thread == 0:
            partial[0, pair, block] = shared[0]
            partial[1, pair, block] = shared[index(threads)]

    return run

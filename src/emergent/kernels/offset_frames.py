"""Compiled program of kernels by offsets on GPUs; ``emergent.kernels.offset_cuda`` says how it cuts the work.

Numba compiles it at first use, for one precision, activation, filter size and padding. Whole numbers are turned into
unsigned ones where they are indices, which spares the test whether they count from the end.
"""

from functools import cache
from typing import Any

import numba
import numpy as np

# Under this name in the module itself: Numba's simulator looks for it there.
from numba import cuda

from emergent.kernels.offset_activations import activation_function


@cache
def frame_program(precision: str, activation: str, size: int, padding: str) -> Any:
    """Returns the program for one kind of network, to be launched with one block for some frames of a pair of images.

    Args:
        precision: ``float64`` or ``float32``.
        activation: one of ``emergent.kernels.offset_activations``.
        size: side of the filters, odd.
        padding: ``SAME``, ``VALID`` or ``CIRCULAR``.
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
    # Numba would count in 64 bits, which takes a GPU twice the instructions and more.
    whole, index = np.int32, np.uint32
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

    @cuda.jit(fastmath=fast)
    def run(
        pixels, others, firsts, seconds, pairs, channels, height, width, layers, last, bias, gain, rows, frames, partial
    ):
        """Some frames of a pair of images in each block.

        Args:
            pixels: [N, C H W] first images, divided by the number of channels.
            others: [T, C H W] second images.
            firsts: [N, L 2 H W] what each activation needs to know of pixels (emergent.kernels.offset_activations).
            seconds: [T, L 2 H W] likewise.
            pairs: [P, 2] positions of a first and of a second image.
            channels, height, width: of images.
            layers: convolutions.
            last: whether an activation follows the last convolution.
            bias: of a convolution.
            gain: of a convolution.
            rows: that a thread goes down at a time.
            frames: that a block takes one after another.
            partial: [2, P, B] sums over the pairs of pixels of a block's frames, both kernels.
        """
        shared = cuda.shared.array(0, scalar)
        column_k, column_t = cuda.local.array(size, scalar), cuda.local.array(size, scalar)
        thread, threads = whole(cuda.threadIdx.x), whole(cuda.blockDim.x)
        blocks = whole(partial.shape[2])
        pair, block = whole(cuda.blockIdx.x // blocks), whole(cuda.blockIdx.x % blocks)
        ours, theirs = pixels[index(pairs[pair, 0])], others[index(pairs[pair, 1])]
        ours_known, theirs_known = firsts[index(pairs[pair, 0])], seconds[index(pairs[pair, 1])]
        num_pixels = whole(height * width)
        pitch = whole(width + around)
        plane = whole((height + around) * pitch)
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
            strips = whole((height + rows - 1) // rows * width)
            for strip in range(thread, strips, threads):
                begin, x = whole(index(strip) // index(width) * rows), whole(index(strip) % index(width))
                column = whole(x + (parting if x >= left else 0))
                shift = whole(dy * width + dx - (width if x >= left else 0))
                for y in range(begin, whole(min(begin + rows, height))):
                    i = whole(y * width + x)
                    j = whole(i + shift - (num_pixels if y >= top else 0))
                    value = zero
                    for channel in range(channels):
                        value += ours[index(i)] * theirs[index(j)]
                        i = whole(i + num_pixels)
                        j = whole(j + num_pixels)
                    store(shared, whole(0), height, width, whole(y + (parting if y >= top else 0)), column, value)
            cuda.syncthreads()
            source, target = whole(0), whole(2 * plane)
            h, w = height, width
            for layer in range(layers):
                final = layer == layers - 1
                h, w = whole(h - lost), whole(w - lost)
                strips = whole((h + rows - 1) // rows * w)
                for strip in range(thread, strips, threads):
                    begin, x = whole(index(strip) // index(w) * rows), whole(index(strip) % index(w))
                    beyond = x >= left
                    column = whole(x + (parting if beyond else 0))
                    first = whole(2 * layer * num_pixels + x)
                    second = whole(first + dx + dy * width - (width if beyond else 0))
                    # The last row that the sums of columns have seen, in the frame.
                    seen = whole(begin + (parting if begin >= top else 0) - 1)
                    for y in range(begin, whole(min(begin + rows, h))):
                        below = y >= top
                        row = whole(y + (parting if below else 0))
                        # At the seam more than one row.
                        while seen < row + size - 1:
                            seen = whole(seen + 1)
                            place = whole(source + seen * pitch + column)
                            for tap in range(size - 1):
                                column_k[tap] = column_k[tap + 1]
                                column_t[tap] = column_t[tap + 1]
                            total = shared[index(place)]
                            for tap in range(1, size):
                                total += shared[index(place + tap)]
                            column_k[size - 1] = total
                            if layer > 0:
                                place = whole(place + plane)
                                total = shared[index(place)]
                                for tap in range(1, size):
                                    total += shared[index(place + tap)]
                                column_t[size - 1] = total
                        total = column_k[0]
                        for tap in range(1, size):
                            total += column_k[tap]
                        k = bias + gain * total
                        t = k
                        if layer > 0:
                            total = column_t[0]
                            for tap in range(1, size):
                                total += column_t[tap]
                            t += gain * total
                        if last or not final:
                            i = whole(first + y * width)
                            j = whole(second + y * width - (num_pixels if below else 0))
                            k, t = activate(
                                k,
                                t,
                                ours_known[index(i)],
                                ours_known[index(i + num_pixels)],
                                theirs_known[index(j)],
                                theirs_known[index(j + num_pixels)],
                            )
                        if not final:
                            store(shared, target, height, width, row, column, k)
                            store(shared, whole(target + plane), height, width, row, column, t)
                        elif not valid or (
                            (below or y < top - layers * lost) and (beyond or x < left - layers * lost)
                        ):
                            total_k += k
                            total_t += t
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

"""Kernels by offsets on a GPU with CUDA; ``emergent.kernels.offsets`` says what they are.

Of an offset (dy, dx) with 0 <= dy < H and 0 <= dx < W there are up to four: (dy or dy - H, dx or dx - W). Together they
pair every pixel of the first image with one of the second, at (y + dy) mod H and (x + dx) mod W. So their four small
images lie beside each other in one frame of H x W pixels, parted by a seam of pixels of value 0 before row H - dy and
column W - dx, and all frames are equally large. Periodic images have one frame and no seam; of VALID filters, what
reads across the seam is left out at the end.

One block of threads takes some frames of one pair of images through all layers in its shared memory. Every thread has
columns and goes down their rows in strips: sums over the filter's columns stay in registers on the way. Each block
leaves one partial sum, and these are added in a fixed order, so that results do not depend on what ran when.
"""

import math
import warnings
from functools import cache
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int

from emergent.errors import ConfigError, ResourceError

# Shared memory that every block may have unasked, on all GPUs.
SHARED_BYTES = 48 * 2**10
WARP, LARGEST_BLOCK = 32, 256
# Rows of a strip: each begins with those that the first window sees.
ROWS, FRAMES = 8, 16
# Pairs whose partial sums are in memory at a time.
PAIRS_AT_A_TIME = 8192


class LaunchShape(NamedTuple):
    """How the work of one pair of images is cut; results agree up to rounding.

    Attributes:
        rows: of a strip.
        strips: threads that share a column.
        frames: that a block takes one after another.
    """

    rows: int
    strips: int
    frames: int


class Work(NamedTuple):
    """All that the program needs to know of two sets of images and a network.

    Attributes:
        pixels: first images, divided by the number of channels.
        others: second images.
        firsts: what each activation needs to know of pixels (``emergent.kernels.offset_activations``).
        seconds: likewise.
        gains: bias and gain of a convolution.
        last: whether an activation follows the last convolution.
    """

    pixels: Float[np.ndarray, "N C H W"]
    others: Float[np.ndarray, "T C H W"]
    firsts: Float[np.ndarray, "N L 2 H W"]
    seconds: Float[np.ndarray, "T L 2 H W"]
    gains: Float[np.ndarray, "2"]
    last: bool


@cache
def missing_cuda() -> str | None:
    """Returns why no kernel can run on a GPU here; None where one can."""
    try:
        from numba import cuda

        return None if cuda.is_available() else "Numba finds no CUDA driver, or no GPU"
    except Exception as error:  # whatever a driver or a package that does not fit it raises
        return f"Numba cannot use CUDA: {error}"


@cache
def on_gpu_if_there_is_one() -> bool:
    """Returns whether kernels can run on a GPU; says so once where they cannot."""
    missing = missing_cuda()
    if missing is not None:
        warnings.warn(f"kernels by offsets run on the host: {missing}.", stacklevel=3)
    return missing is None


def frame_bytes(shape: tuple[int, int], size: int, padding: str, itemsize: int) -> int:
    """Returns the shared memory of a block: two frames of both kernels, with what surrounds them.

    Args:
        shape: pixels of an image, H and W.
        size: side of the filters, odd.
        padding: ``SAME``, ``VALID`` or ``CIRCULAR``.
        itemsize: bytes of a number.
    """
    around = {"SAME": 3, "CIRCULAR": 2, "VALID": 0}[padding] * ((size - 1) // 2)
    return 4 * (shape[0] + around) * (shape[1] + around) * itemsize


def fits(shape: tuple[int, int], size: int, padding: str, itemsize: int) -> bool:
    """Returns whether images are small enough for the shared memory of a block; arguments as of ``frame_bytes``."""
    return frame_bytes(shape, size, padding, itemsize) <= SHARED_BYTES


def require_gpu(shape: tuple[int, int], size: int, padding: str, itemsize: int) -> None:
    """Checks that kernels of such images run on a GPU here; arguments as of ``frame_bytes``.

    Raises:
        ConfigError: there is none, or images are too large; the message names the largest that are not.
    """
    missing = missing_cuda()
    if missing is not None:
        raise ConfigError(f"kernel: device 'cuda' was asked for, but {missing}; use device 'cpu'.")
    if not fits(shape, size, padding, itemsize):
        side = 1
        while fits((side + 1, side + 1), size, padding, itemsize):
            side += 1
        raise ConfigError(
            f"kernel: images of {shape[0]} x {shape[1]} pixels do not fit into the shared memory of a GPU; the largest "
            f"are {side} x {side} with numbers of {itemsize} bytes, {padding} and {size} x {size} filters. Use device "
            "'cpu'."
        )


def default_shape(height: int, width: int) -> LaunchShape:
    """Returns strips of eight rows, or of fewer where threads would be less than a warp."""
    strips = -(-height // ROWS)
    while strips < height and strips * width < WARP:
        strips += 1
    strips = min(strips, max(1, LARGEST_BLOCK // min(width, LARGEST_BLOCK)))
    return LaunchShape(min(ROWS, -(-height // strips)), strips, FRAMES)


def sums_on_gpu(
    work: Work,
    activation: str,
    size: int,
    padding: str,
    pairs: Int[np.ndarray, "P 2"],
    shape: LaunchShape | None = None,
) -> Float[np.ndarray, "2 P"]:
    """Returns the sums over all pairs of pixels of pairs of images, both kernels.

    Args:
        work: images and network.
        activation: one of ``emergent.kernels.offset_activations``.
        size: side of the filters, odd.
        padding: ``SAME``, ``VALID`` or ``CIRCULAR``.
        pairs: positions of a first and of a second image.
        shape: of the launch; None chooses one.

    Raises:
        ResourceError: too many images at a time.
    """
    # Only here: the import takes longer than most jobs that need no such kernel.
    from numba import cuda

    from emergent.kernels.offset_frames import frame_program

    _, channels, height, width = work.pixels.shape
    number = work.pixels.dtype
    arrays = [np.ascontiguousarray(array).ravel() for array in (work.pixels, work.others, work.firsts, work.seconds)]
    if max(array.size for array in arrays) >= 2**31:
        raise ResourceError("kernel: the program for GPUs counts pixels of all images in 32 bits; use smaller tiles.")
    rows, strips, frames = shape or default_shape(height, width)
    threads = min(width, LARGEST_BLOCK), strips
    blocks = -(-height * width // frames)
    program = frame_program(number.name, activation, size, padding, channels)
    # Frames, in whose place sums of threads come at the end.
    shared = max(frame_bytes((height, width), size, padding, number.itemsize), 2 * math.prod(threads) * number.itemsize)
    images = [cuda.to_device(array) for array in arrays]
    sizes = [np.int32(value) for value in (height, width, work.firsts.shape[1], work.last)]
    result = np.empty((2, len(pairs)), number)
    for start in range(0, len(pairs), PAIRS_AT_A_TIME):
        chosen = cuda.to_device(np.ascontiguousarray(pairs[start : start + PAIRS_AT_A_TIME], np.int32))
        partial = cuda.device_array((2, len(chosen), blocks), number)  # type: ignore[arg-type]
        with warnings.catch_warnings():
            # Of a few pairs, which leave most of a GPU idle.
            warnings.filterwarnings("ignore", "Grid size")
            launch = program[len(chosen) * blocks, threads, 0, shared]
        launch(*images, chosen, *sizes, *work.gains, np.int32(rows), np.int32(frames), partial)
        result[:, start : start + len(chosen)] = partial.copy_to_host().sum(2, dtype=np.float64)
    return result

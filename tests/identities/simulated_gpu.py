"""Kernels by offsets in Numba's simulator of GPUs; run as a program, because Numba reads the choice when imported.

NUMBA_ENABLE_CUDASIM=1 python tests/identities/simulated_gpu.py kernels.npz
"""

import sys

import numpy as np

from emergent.errors import ConfigError
from emergent.kernels import offset_cuda
from emergent.kernels.offset_cuda import LaunchShape
from emergent.kernels.offsets import OffsetKernel

# A network, rows of images, columns, channels, and how the work is cut: threads without a strip, last strips and blocks
# that are short, threads with more than one strip.
CASES = {
    "relu same": (OffsetKernel(2, "relu", 1.3, 0.2), (4, 3, 2), LaunchShape(3, 2, 5)),
    "relu valid": (OffsetKernel(1, "relu", 1.3, 0.2, padding="VALID"), (5, 4, 1), LaunchShape(2, 2, 20)),
    "relu valid twice": (OffsetKernel(2, "relu", 1.3, 0.2, padding="VALID"), (5, 6, 1), LaunchShape(3, 2, 15)),
    "relu circular": (OffsetKernel(2, "relu", 1.3, 0.2, padding="CIRCULAR"), (3, 4, 1), LaunchShape(3, 1, 6)),
    "relu, no activation last": (
        OffsetKernel(2, "relu", 1.3, 0.2, last_activation=False),
        (3, 3, 1),
        LaunchShape(1, 3, 4),
    ),
    "relu, no biases": (OffsetKernel(2, "relu", 1.3), (3, 4, 1), LaunchShape(1, 2, 16)),
    "leaky_relu same": (OffsetKernel(3, "leaky_relu", 1.3, 0.2), (3, 3, 3), LaunchShape(2, 2, 4)),
    "leaky_relu, large filters": (
        OffsetKernel(1, "leaky_relu", 1.3, 0.2, 7, "CIRCULAR"),
        (3, 2, 1),
        LaunchShape(1, 3, 6),
    ),
    "gelu, large filters": (OffsetKernel(2, "gelu", 1.3, 0.2, 5), (4, 3, 1), LaunchShape(4, 1, 12)),
    "gelu circular": (OffsetKernel(1, "gelu", 1.3, 0.2, padding="CIRCULAR"), (2, 3, 1), LaunchShape(1, 2, 6)),
    "erf same": (OffsetKernel(2, "erf", 1.3, 0.2), (1, 4, 1), LaunchShape(1, 1, 2)),
    "erf, filters of one pixel": (OffsetKernel(2, "erf", 1.3, 0.2, 1, "VALID"), (3, 3, 2), LaunchShape(1, 3, 9)),
    "erf, one pixel": (OffsetKernel(1, "erf", 1.3, 0.2), (1, 1, 1), LaunchShape(1, 1, 1)),
}


def images(height: int, width: int, channels: int) -> tuple[np.ndarray, np.ndarray]:
    """Returns two sets of random images: one image is blank, one has a blank half, one is in both sets."""
    first = np.random.default_rng(0).normal(size=(2, height, width, channels))
    second = np.random.default_rng(1).normal(size=(2, height, width, channels))
    first[0, : height // 2] = 0
    first[1], second[1] = 0, first[0]
    return first, second


def main() -> None:
    """Writes the kernels of all cases."""
    found = {}
    for name, (kernel, shape, launch) in CASES.items():
        offset_cuda.default_shape = lambda height, width, launch=launch: launch
        first, second = images(*shape)
        found[name] = np.stack(kernel(first, second, device="cuda"))
        if name == "relu same":
            single = first.astype(np.float32), second.astype(np.float32)
            found["single precision"] = np.stack(kernel(*single, device="cuda"))
            found["symmetric"] = np.stack(kernel(second, second, symmetric=True, device="cuda"))
            # More pairs than have partial sums in memory at a time.
            offset_cuda.PAIRS_AT_A_TIME = 3
            found["in parts"] = np.stack(kernel(first, second, device="cuda"))
    try:
        large = np.zeros((1, 40, 40, 1))
        OffsetKernel(2)(large, large, device="cuda")
    except ConfigError as error:
        found["too large"] = np.array(str(error))
    np.savez(sys.argv[1], **found)


if __name__ == "__main__":
    main()

"""Time of pooled convolutional kernels by offsets, beside neural-tangents' own layers and the literal recursion.

For each image size and depth: milliseconds a pair of images, nanoseconds for a pair of pixels and a layer, how many
times as fast as neural-tangents' layers in the same process, what a second core gains, and the part of the machine's
measured arithmetic peak (a matrix product by NumPy). Networks are (3 x 3 convolution, ReLU)^L, global average pool,
dense head, on three channels; both kernels are computed. Then the kernel of a C4 group convolutional network beside the
literal recursion over group elements and pixels. Everything is compiled before it is timed; the best of three rounds
counts.

    python benchmarks/kernels.py                  # about six minutes on two cores
    python benchmarks/kernels.py --sizes 16 32 --layers 3

Published, for orientation: neural-tangents took 2.70 ms a pair of 32 x 32 pixels at 21 layers in float32 on one NVIDIA
V100, 0.12 ns a pair of pixels and a layer.
"""

import argparse
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

import jax
import numpy as np
from timing import best

from emergent.kernels.architectures import cnn_kernel, gcnn_kernel
from emergent.kernels.neural_tangents import stax
from emergent.kernels.offsets import OffsetKernel
from emergent.point_groups import group_from_name

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "oracles"))
from group_recursion import group_network_kernels

# Operations for a pair of pixels and a layer, both kernels: 2 x 4 additions and 3 multiply-adds of the filter; of the
# rectifier 13 multiply-adds of the arcsine, 2 square roots (as one operation each) and 16 others.
OPERATIONS = 8 + 2 * 3 + 2 * 13 + 2 + 16
PEER_BYTES = 2 * 2**30
CHANNELS = 3


def peak(precision: str) -> float:
    """Returns the operations a second of a matrix product on all cores."""
    matrix = np.random.default_rng(0).normal(size=(3000, 3000)).astype(precision)
    return 2 * 3000**3 / best(lambda: matrix @ matrix)


def images(num: int, size: int, precision: str, seed: int) -> np.ndarray:
    """Returns random images."""
    return np.random.default_rng(seed).normal(size=(num, size, size, CHANNELS)).astype(precision)


def peer_kernel(num_layers: int) -> Callable[[np.ndarray, np.ndarray], object]:
    """Returns the same network built of neural-tangents' own layers, compiled by JAX."""
    layers = []
    for _ in range(num_layers):
        layers += [stax.Conv(1, (3, 3), padding="SAME", W_std=1.4, b_std=0.1), stax.Relu()]
    kernel = stax.serial(*layers, stax.GlobalAvgPool(), stax.Dense(1, W_std=1.4, b_std=0.1))[2]
    return jax.jit(lambda first, second: kernel(first, second, ("nngp", "ntk")))


def compare(size: int, num_layers: int, precision: str, peaks: dict[str, float], cores: int) -> str:
    """Returns a line of the table."""
    lanes = 8 if precision == "float64" else 16
    # Enough pairs for half a second at the slowest.
    num = max(4, 2**22 // size**4)
    first, second = images(num, size, precision, 0), images(2 * lanes, size, precision, 1)
    kernel = OffsetKernel(num_layers, "relu", 1.4, 0.1)
    seconds = best(lambda: kernel(first, second, threads=cores)) / (num * 2 * lanes)
    single = best(lambda: kernel(first, second, threads=1), 1) / (num * 2 * lanes)
    side = int(max(1, min(8, np.sqrt(PEER_BYTES / (12 * 8 * size**4)))))
    pair = images(side, size, precision, 2), images(side, size, precision, 3)
    with jax.enable_x64(precision == "float64"):
        theirs = peer_kernel(num_layers)
        peer = best(lambda: jax.block_until_ready(theirs(*pair)), 2) / side**2
        nngp, ntk = (np.asarray(part) for part in (theirs(*pair).nngp, theirs(*pair).ntk))  # type: ignore[attr-defined]
    deviation = max(np.abs(a / b - 1).max() for a, b in zip(kernel(*pair), (nngp, ntk), strict=True))
    per_layer = seconds / size**4 / num_layers
    used = OPERATIONS / per_layer / peaks[precision]
    return (
        f"| {precision} | {size} | {num_layers} | {seconds * 1e3:.3f} | {per_layer * 1e9:.2f} | {peer * 1e3:.1f} | "
        f"{peer / seconds:.0f} | {single / seconds:.2f} | {used:.0%} | {deviation:.0e} |"
    )


def group_line(size: int, cores: int, literal: bool) -> str:
    """Returns a line of the table on C4."""
    group = group_from_name("C4")
    kernel = gcnn_kernel(group, cnn_kernel([1, 1], "mean", "relu", 1.4, 0.1))
    num = max(2, 2**20 // size**4)
    first, second = images(num, size, "float64", 0), images(16, size, "float64", 1)
    os.environ["NPROC"] = str(cores)
    with jax.enable_x64(True):
        seconds = best(lambda: kernel(first, second)) / (num * 16)
        found = np.array([kernel(first[:1], second[:1]).ntk[0, 0]])
    if not literal:
        return f"| {size} | {seconds * 1e3:.2f} | – | – | – |"
    start = time.perf_counter()
    _, ntk = group_network_kernels(first[0], second[0], group, 2, "relu", 1.4, 0.1, "SAME")
    slow = time.perf_counter() - start
    return f"| {size} | {seconds * 1e3:.2f} | {slow * 1e3:.0f} | {slow / seconds:.0f} | {abs(found[0] / ntk - 1):.0e} |"


def main() -> None:
    """Prints both tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sizes", type=int, nargs="+", default=[8, 16, 28, 32])
    parser.add_argument("--layers", type=int, nargs="+", default=[2, 3, 5])
    parser.add_argument("--precisions", nargs="+", default=["float64", "float32"], choices=["float64", "float32"])
    parser.add_argument("--cores", type=int, default=len(os.sched_getaffinity(0)))
    arguments = parser.parse_args()
    peaks = {precision: peak(precision) for precision in arguments.precisions}
    print(f"{arguments.cores} cores, peak of a matrix product:", {k: f"{v / 1e9:.0f} Gop/s" for k, v in peaks.items()})
    print("\n| precision | pixels | layers | ms | ns | peer, ms | ratio | cores | of peak | differ |")
    print("|" + " --- |" * 10)
    for precision in arguments.precisions:
        for size in arguments.sizes:
            for num_layers in arguments.layers:
                print(compare(size, num_layers, precision, peaks, arguments.cores), flush=True)
    print("\n| C4, pixels | ms a pair | literal recursion, ms | ratio | differ |\n| --- | --- | --- | --- | --- |")
    for size in arguments.sizes:
        print(group_line(size, arguments.cores, size <= 16), flush=True)


if __name__ == "__main__":
    main()

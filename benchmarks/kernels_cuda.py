"""Time of pooled convolutional kernels by offsets on one GPU, beside neural-tangents' own layers on the same GPU.

First the kernels are compared with those of the program for CPUs, in both precisions. Then, for each image size and
depth: milliseconds a pair of images, nanoseconds for a pair of pixels and a layer, the part of the GPU's measured
arithmetic peak (multiply-adds in registers), and how many times as fast as neural-tangents' layers. *ms* is what one
more pair costs (the difference between twice as many pairs and once), *call* what a pair costs in one call from NumPy
to NumPy. Networks are (3 x 3 convolution, ReLU)^L, global average pool, dense head, on three channels; both kernels are
computed. The kernel of a C4 group convolutional network is four such kernels. How the work is cut is chosen among a few
ways, for each size and precision. Everything is compiled before it is timed; the best of three rounds counts.

    python benchmarks/kernels_cuda.py --json kernels_cuda.json        # a minute or two on an H100

What fails is reported, and the rest goes on; the exit status is 1 then. Published, for orientation: neural-tangents
took 2.70 ms a pair of 32 x 32 pixels at 21 layers in float32 on one NVIDIA V100, 0.12 ns a pair of pixels and a layer.
"""

import argparse
import json
import multiprocessing
import os
import sys
import time
import traceback
from collections.abc import Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import contextmanager
from functools import partial
from importlib.metadata import distributions
from pathlib import Path
from typing import Any

# Before JAX is imported: it would take most of the memory at once.
os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")

import jax
import numpy as np
from numba import cuda
from timing import best

from emergent.kernels import offset_cuda
from emergent.kernels.architectures import cnn_kernel, gcnn_kernel
from emergent.kernels.neural_tangents import stax
from emergent.kernels.offset_cuda import LaunchShape, default_shape, missing_cuda
from emergent.kernels.offsets import OffsetKernel
from emergent.point_groups import group_from_name

# Operations for a pair of pixels and a layer, as in benchmarks/kernels.py: 2 x 4 additions and 3 multiply-adds of the
# filter; of the rectifier 13 multiply-adds of the arcsine (6 in float32), 2 square roots (as one operation each) and 16
# others.
OPERATIONS = {"float64": 8 + 2 * 3 + 2 * 13 + 2 + 16, "float32": 8 + 2 * 3 + 2 * 6 + 2 + 16}
TOLERANCES = {"float64": 1e-12, "float32": 2e-5}
VERSIONS = ("numba", "llvmlite", "jax", "cuda", "nvidia-nvvm", "nvidia-nvjitlink", "numpy")
CHANNELS = 3
ROUNDS = 4096
PEER_BYTES = 2 * 2**30
NETWORKS = [("relu", "SAME"), ("relu", "VALID"), ("relu", "CIRCULAR"), ("leaky_relu", "SAME"), ("gelu", "SAME")]
NETWORKS += [("erf", "SAME")]
GAINS = (1.4, 0.1)

results: dict[str, Any] = {"failures": []}
BEGIN = time.perf_counter()


def say(*words: object) -> None:
    """Prints a line at once, with the seconds since the beginning."""
    print(f"[{time.perf_counter() - BEGIN:5.1f}]", *words, flush=True)


@contextmanager
def attempt(name: str, path: Path | None) -> Iterator[None]:
    """Reports what fails, and goes on; writes what there is so far."""
    try:
        yield
    except Exception as error:  # of one of many measurements, in a run that cannot be had again soon
        traceback.print_exc(limit=4)
        say(f"FAILED: {name}: {error}")
        results["failures"].append(f"{name}: {error}")
    if path is not None:
        path.write_text(json.dumps(results, indent=1), encoding="utf-8")


def images(num: int, height: int, width: int, precision: str, seed: int) -> np.ndarray:
    """Returns random images."""
    return np.random.default_rng(seed).normal(size=(num, height, width, CHANNELS)).astype(precision)


def compared_images(height: int, width: int, precision: str) -> tuple[np.ndarray, np.ndarray]:
    """Returns random images, of which one is blank, one half blank, and one in both sets."""
    first, second = (images(3, height, width, "float64", seed) for seed in (0, 1))
    first[0], first[1, : height // 2], second[2] = 0, 0, first[2]
    return first.astype(precision), second.astype(precision)


def on_cpu(activation: str, padding: str, shape: tuple[int, int]) -> np.ndarray:
    """Returns kernels of the program for CPUs."""
    kernel = OffsetKernel(2, activation, *GAINS, padding=padding)
    return np.stack(kernel(*compared_images(*shape, "float64"), device="cpu"))


def compare(
    activation: str, padding: str, shape: tuple[int, int], precision: str, reference: "Future[np.ndarray]"
) -> None:
    """Compares kernels of the GPU with those of the CPU.

    Raises:
        AssertionError: they differ.
    """
    start = time.perf_counter()
    kernel = OffsetKernel(2, activation, *GAINS, padding=padding)
    ours, again = (np.stack(kernel(*compared_images(*shape, precision), device="cuda")) for _ in range(2))
    took = time.perf_counter() - start
    difference = float(np.abs(ours / reference.result(timeout=90) - 1).max())
    row = {"activation": activation, "padding": padding, "precision": precision, "differ": difference}
    results.setdefault("compared", []).append(row)
    say(f"{activation} {padding} {precision}: differ by {difference:.1e} ({took:.1f} s)")
    if not (difference <= TOLERANCES[precision] and np.array_equal(ours, again)):
        raise AssertionError(f"expected kernels of the CPU within {TOLERANCES[precision]}, twice the same")


def peak(precision: str, processors: int) -> float:
    """Returns the operations a second of multiply-adds in registers."""
    number = np.dtype(precision).type
    half = number(0.5)

    @cuda.jit
    def multiply_adds(rounds, out):
        a, b, c, d = number(1), number(2), number(3), number(4)
        e, f, g, h = number(5), number(6), number(7), number(8)
        for _ in range(rounds):
            a, b, c, d = a * half + half, b * half + half, c * half + half, d * half + half
            e, f, g, h = e * half + half, f * half + half, g * half + half, h * half + half
        out[cuda.grid(1)] = a + b + c + d + e + f + g + h

    blocks, threads = processors * 8, 256
    out = cuda.device_array(blocks * threads, number)

    def launch(rounds: int) -> None:
        multiply_adds[blocks, threads](np.int32(rounds), out)
        cuda.synchronize()

    many = best(lambda: launch(2 * ROUNDS)) - best(lambda: launch(ROUNDS))
    return 2 * 8 * ROUNDS * blocks * threads / many


def sets(size: int, num_layers: int, precision: str, scale: float) -> tuple[OffsetKernel, np.ndarray, np.ndarray]:
    """Returns a kernel and images whose pairs take some ten milliseconds on a large GPU."""
    side = int(max(2, np.sqrt(scale * 2**33 / size**4 / num_layers)))
    return OffsetKernel(num_layers, "relu", *GAINS), *(images(side, size, size, precision, seed) for seed in (0, 1))


def marginal(kernel: OffsetKernel, first: np.ndarray, second: np.ndarray) -> tuple[float, float]:
    """Returns the seconds of one more pair, and of a pair in a whole call."""
    twice = np.concatenate([second, second])
    whole = best(lambda: kernel(first, twice, device="cuda"))
    once = best(lambda: kernel(first, second, device="cuda"))
    return (whole - once) / (len(first) * len(second)), whole / (len(first) * len(twice))


def launch_shapes(size: int) -> list[LaunchShape]:
    """Returns ways to cut the work: the one of the program, and others."""
    found = [default_shape(size, size)]
    for rows in (4, 8, 11, 16):
        for frames in (4, 16, 64):
            strips = max(1, min(-(-size // rows), 1024 // size))
            shape = LaunchShape(-(-size // strips), strips, min(frames, size**2))
            if shape not in found:
                found.append(shape)
    return found


def chosen_shape(size: int, precision: str, scale: float) -> LaunchShape:
    """Returns the fastest launch shape."""
    kernel, first, second = sets(size, 3, precision, scale)
    times = {}
    for shape in launch_shapes(size):
        offset_cuda.default_shape = lambda height, width, shape=shape: shape
        times[shape] = best(lambda: kernel(first, second, device="cuda"), 2) / (len(first) * len(second))
    fastest = min(times, key=lambda shape: times[shape])
    offset_cuda.default_shape = lambda height, width: fastest
    rows = [{**shape._asdict(), "microseconds_a_pair": seconds * 1e6} for shape, seconds in times.items()]
    results.setdefault("launch_shapes", []).append({"pixels": size, "precision": precision, "times": rows})
    listed = ", ".join(f"{'/'.join(map(str, shape))}: {seconds * 1e6:.2f}" for shape, seconds in times.items())
    say(f"{precision}, {size} pixels, us a pair in a call by rows/strips/frames: {listed}")
    return fastest


def time_kernel(size: int, num_layers: int, precision: str, peaks: dict[str, float], scale: float) -> dict[str, Any]:
    """Times one network, prints a line and returns it."""
    more, call = marginal(*sets(size, num_layers, precision, scale))
    per_layer = more / size**4 / num_layers
    row: dict[str, Any] = {"precision": precision, "pixels": size, "layers": num_layers, "ms": more * 1e3}
    row |= {"call_ms": call * 1e3, "ns": per_layer * 1e9, "peer_ms": None, "ratio": None}
    row["of_peak"] = OPERATIONS[precision] / per_layer / peaks[precision] if precision in peaks else None
    used = f"{row['of_peak']:.0%}" if row["of_peak"] else "?"
    say(
        f"{precision} {size} px {num_layers} layers: {more * 1e3:.4f} ms a pair (call {call * 1e3:.4f}), "
        f"{per_layer * 1e9:.5f} ns, {used} of peak"
    )
    results.setdefault("kernels", []).append(row)
    return row


def time_group(size: int, num_layers: int, precision: str, scale: float) -> None:
    """Times the kernel of a C4 group convolutional network: images in NumPy, copies turned, four kernels."""
    _, first, second = sets(size, num_layers, precision, scale / 2)
    kernel = gcnn_kernel(group_from_name("C4"), cnn_kernel([1] * num_layers, "mean", "relu", *GAINS))
    os.environ["EMERGENT_ACCELERATOR"] = "1"
    with jax.enable_x64(precision == "float64"):
        call = best(lambda: kernel(first, second)) / (len(first) * len(second))
    rows = results.get("kernels", [])
    same = [
        row["ms"] for row in rows if (row["precision"], row["pixels"], row["layers"]) == (precision, size, num_layers)
    ]
    row = {"precision": precision, "pixels": size, "layers": num_layers, "call_ms": call * 1e3}
    row["ms"] = 4 * same[0] if same else None
    results.setdefault("c4", []).append(row)
    four = f"{row['ms']:.4f} ms for four kernels, " if same else ""
    say(f"C4 {precision} {size} px {num_layers} layers: {four}{call * 1e3:.4f} ms a pair in a call")


def time_peer(row: dict[str, Any]) -> None:
    """Times neural-tangents' own layers for one row, compares their kernels, and adds both to it."""
    size, num_layers, precision = row["pixels"], row["layers"], row["precision"]
    layers = []
    for _ in range(num_layers):
        layers += [stax.Conv(1, (3, 3), padding="SAME", W_std=GAINS[0], b_std=GAINS[1]), stax.Relu()]
    network = stax.serial(*layers, stax.GlobalAvgPool(), stax.Dense(1, W_std=GAINS[0], b_std=GAINS[1]))[2]
    kernel = jax.jit(lambda first, second: network(first, second, ("nngp", "ntk")))
    side = int(max(1, min(8, np.sqrt(PEER_BYTES / (12 * 8 * size**4)))))
    pair = tuple(images(side, size, size, precision, seed) for seed in (2, 3))
    with jax.enable_x64(precision == "float64"):
        seconds = best(lambda: jax.block_until_ready(kernel(*pair))) / side**2
        theirs = kernel(*pair)
        theirs = np.stack([np.asarray(theirs.nngp), np.asarray(theirs.ntk)])
    ours = np.stack(OffsetKernel(num_layers, "relu", *GAINS)(*pair, device="cuda"))
    row["peer_ms"], row["ratio"] = seconds * 1e3, seconds * 1e3 / row["ms"]
    row["differ"] = float(np.abs(ours / theirs - 1).max())
    say(
        f"neural-tangents {precision} {size} px {num_layers} layers, {side**2} pairs: {row['peer_ms']:.3f} ms a pair, "
        f"ratio {row['ratio']:.0f}, differ by {row['differ']:.0e}"
    )


def print_tables() -> None:
    """Prints what docs/performance.md shows."""
    print(
        "\n| precision | pixels | layers | ms | ms in a call | ns | of peak | peer, ms | ratio |\n" + "|" + " --- |" * 9
    )
    for row in results.get("kernels", []):
        peer = f"{row['peer_ms']:.2f} | {row['ratio']:.0f}" if row["peer_ms"] else "– | –"
        used = f"{row['of_peak']:.0%}" if row["of_peak"] else "–"
        print(
            f"| {row['precision']} | {row['pixels']} | {row['layers']} | {row['ms']:.4f} | {row['call_ms']:.4f} | "
            f"{row['ns']:.4f} | {used} | {peer} |"
        )
    print("\n| C4, precision | pixels | layers | ms | ms in a call |\n" + "|" + " --- |" * 5)
    for row in results.get("c4", []):
        four = f"{row['ms']:.4f}" if row["ms"] else "–"
        print(f"| {row['precision']} | {row['pixels']} | {row['layers']} | {four} | {row['call_ms']:.4f} |")


def describe(peaks: dict[str, float]) -> None:
    """Prints and keeps the GPU and the versions, and measures its peaks."""
    device = cuda.get_current_device()
    name = device.name.decode() if isinstance(device.name, bytes) else str(device.name)
    processors = device.MULTIPROCESSOR_COUNT
    installed = {item.metadata["Name"]: item.version for item in distributions()}
    versions = {name: version for name, version in installed.items() if name and name.startswith(VERSIONS)}
    results["device"] = {"name": name, "multiprocessors": processors, "capability": str(device.compute_capability)}
    results["versions"] = versions
    say(name, f"{processors} multiprocessors, {cuda.__file__}", versions, "JAX on", jax.devices()[0].platform)
    for precision in ("float32", "float64"):
        peaks[precision] = peak(precision, processors)
        say(f"peak in {precision}: {peaks[precision] / 1e12:.2f} Tflop/s")
    results["peaks"] = peaks


def registers(precision: str) -> None:
    """Prints the registers of a thread of the program that is timed."""
    from emergent.kernels.offset_frames import frame_program

    found = list(frame_program(precision, "relu", 3, "SAME", CHANNELS).get_regs_per_thread().values())
    results.setdefault("registers", {})[precision] = found
    say(f"registers a thread in {precision}: {found}")


def submitted(pool: ProcessPoolExecutor, shape: tuple[int, int]) -> dict[tuple[str, str], "Future[np.ndarray]"]:
    """Returns the kernels of CPUs that processes without a GPU are computing."""
    before = os.environ.get("JAX_PLATFORMS")
    os.environ["JAX_PLATFORMS"] = "cpu"
    futures = {key: pool.submit(on_cpu, *key, shape) for key in NETWORKS}
    if before is None:
        del os.environ["JAX_PLATFORMS"]
    else:
        os.environ["JAX_PLATFORMS"] = before
    return futures


def main() -> None:
    """Compares, times and prints both tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", type=int, nargs="+", default=[32, 28, 16], help="the first ones are timed first")
    parser.add_argument("--layers", type=int, nargs="+", default=[2, 3, 5])
    parser.add_argument("--precisions", nargs="+", default=["float32", "float64"], choices=["float64", "float32"])
    parser.add_argument("--compared", type=int, nargs=2, default=[13, 10], help="height and width of compared images")
    parser.add_argument("--scale", type=float, default=1.0, help="times as many pairs; little for a simulator")
    parser.add_argument("--seconds", type=float, default=85, help="after which no other layers are compiled")
    parser.add_argument("--json", type=Path, help="file for the numbers, written on the way")
    arguments = parser.parse_args()
    if missing_cuda() is not None:
        sys.exit(f"no GPU: {missing_cuda()}.")
    shape = (arguments.compared[0], arguments.compared[1])
    guard, peaks = partial(attempt, path=arguments.json), {}
    # The programs for CPUs are compiled by processes of their own in the meantime.
    with ProcessPoolExecutor(len(NETWORKS), multiprocessing.get_context("spawn")) as pool:
        references = submitted(pool, shape)
        with guard("device"):
            describe(peaks)
        for precision in arguments.precisions:
            with guard(f"comparison {precision}"):
                compare("relu", "SAME", shape, precision, references["relu", "SAME"])
            with guard(f"registers {precision}"):
                registers(precision)
        timed = []
        for size in arguments.sizes:
            for precision in arguments.precisions:
                with guard(f"launch shapes {precision} {size}"):
                    chosen_shape(size, precision, arguments.scale)
                for num_layers in arguments.layers:
                    with guard(f"{precision} {size} {num_layers}"):
                        timed.append(time_kernel(size, num_layers, precision, peaks, arguments.scale))
                for num_layers in arguments.layers:
                    with guard(f"C4 {precision} {size} {num_layers}"):
                        time_group(size, num_layers, precision, arguments.scale)
                offset_cuda.default_shape = default_shape
        with guard("the published depth"):
            timed.append(time_kernel(arguments.sizes[0], 21, "float32", peaks, arguments.scale))
        for key in NETWORKS[1:]:
            for precision in arguments.precisions:
                with guard(f"comparison {key} {precision}"):
                    compare(*key, shape, precision, references[key])
    # Depths in turn, so that each is seen early; compilation takes most of the time.
    for row in sorted(timed, key=lambda row: (row["layers"] != 3, row["layers"])):
        if time.perf_counter() - BEGIN > arguments.seconds:
            say("no time for more of neural-tangents' layers")
            break
        with guard(f"neural-tangents {row['precision']} {row['pixels']} {row['layers']}"):
            time_peer(row)
    print_tables()
    if results["failures"]:
        sys.exit("\n".join(["", "FAILED:", *results["failures"]]))


if __name__ == "__main__":
    main()

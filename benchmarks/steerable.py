"""Images a second that steerable networks train on: this engine and a sequential PyTorch loop, both on all cores.

The networks are those of two Fashion-MNIST experiments (arXiv 2403.03103), at their published sizes, batches and
optimiser; data are random, and in memory.

engine        this package, as the pipeline runs it: one single-threaded process a core, a member each
torch         PyTorch, one member after another on all cores: filters expanded from coefficients at every step
torch a core  the same loop on one thread, one process a core

Before anything is timed, logits and gradients of the two programs are held to each other in double and in single
precision; if they differ by more than rounding, nothing is printed but that. PyTorch comes by
``pip install .[benchmark]``; without it the engine is timed alone.

    python benchmarks/steerable.py
"""

import argparse
import multiprocessing
import os
import time
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from emergent.cli._run import prepare_xla

EXPERIMENTS = Path(__file__).parents[1] / "config" / "experiments"
ARMS = {
    "51k": ("fashion_mnist_steerable", "steerable_51k"),
    "184k": ("fashion_mnist_steerable", "steerable_184k"),
    "C4": ("fashion_mnist_rivals", "steerable_c4"),
    "C8": ("fashion_mnist_rivals", "steerable_c8"),
    "C16": ("fashion_mnist_rivals", "steerable_c16"),
}
# The first epoch, which compiles, is not timed; the best of the others counts: other programs disturb them by turns.
EPOCHS = 6
CHECKED = 32
# Largest differences, relative to the largest value of an array, that rounding explains.
LIMITS = {"float64": 1e-11, "float32": 1e-4}
Wait = Callable[[], Any]
# Seconds by the clock and of the processors, at the ends of epochs.
Times = list[tuple[float, float]]


def _stage(arm: str) -> Any:
    """Returns the settings that the experiment trains an arm with, for a few epochs."""
    from emergent.kinds import load_experiment

    experiment, name = ARMS[arm]
    stage: Any = load_experiment(EXPERIMENTS, experiment, "paper").stage("train", name)
    train = stage.train.model_copy(update={"num_epochs": EPOCHS, "checkpoint_every": 1})
    return stage.model_copy(update={"train": train})


def _data(num: int) -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(0)
    return generator.normal(size=(num, 28, 28, 1)).astype(np.float32), generator.integers(0, 10, num)


def now() -> tuple[float, float]:
    """Returns the clock, and the processors' time that this process has had."""
    return time.perf_counter(), time.process_time()


def core_peak() -> float:
    """Returns the multiply-adds per second of its own time that large float32 matrix products take on one core."""
    import jax
    import jax.numpy as jnp

    size, best = 1024, np.inf
    left = jnp.ones((size, size))
    product = jax.jit(lambda a: a @ a)
    jax.block_until_ready(product(left))
    for _ in range(20):
        begin = time.process_time()
        jax.block_until_ready(product(left))
        best = min(best, time.process_time() - begin)
    return size**3 / best


def engine(arm: str, num: int, wait: Wait) -> Times:
    """Returns the times at the ends of epochs of one member."""
    import jax.numpy as jnp

    from emergent.domains.arrays import ArrayData
    from emergent.groups.actions import TrivialAction
    from emergent.training.engine import train_block

    inputs, labels = _data(num)
    data = ArrayData(jnp.asarray(inputs), jnp.asarray(labels, jnp.int32), TrivialAction(1), TrivialAction(1), "full")
    times: Times = []

    def on_progress(_: int) -> None:
        if not times:
            wait()
        times.append(now())

    train_block(_stage(arm), (0,), data, on_progress=on_progress)
    return times


def initial(arm: str, dtype: str) -> dict[str, np.ndarray]:
    """Returns random parameters of order one by flat name, the biases among them."""
    import jax

    from emergent.models.registry import build, parameter_shapes
    from emergent.training.parameters import flat_on_host

    shapes = parameter_shapes(build(_stage(arm).model), (28, 28, 1))
    generator = np.random.default_rng(1)

    def draw(leaf: Any) -> np.ndarray:
        scale = (2 / np.prod(leaf.shape[:-1])) ** 0.5 if len(leaf.shape) > 1 else 0.1
        return (generator.normal(size=leaf.shape) * scale).astype(dtype)[None]

    drawn = flat_on_host(jax.tree.map(draw, shapes), True)
    return {name.removeprefix("params/"): value[0] for name, value in drawn.items()}


def engine_slopes(arm: str, dtype: str) -> tuple[dict[str, np.ndarray], float]:
    """Returns logits and gradients of one batch, and the multiply-adds of a step per image."""
    import jax

    from emergent.models.registry import build
    from emergent.models.size import multiplications
    from emergent.training.step import cross_entropy

    jax.config.update("jax_enable_x64", dtype == "float64")
    module = build(_stage(arm).model)
    inputs, labels = _data(CHECKED)

    def loss(weights: Any) -> Any:
        logits = module.apply({"params": weights}, inputs.astype(dtype))
        return cross_entropy(logits, labels), logits

    nested: dict[str, dict[str, np.ndarray]] = {}
    for name, value in initial(arm, dtype).items():
        layer, entry = name.split("/")
        nested.setdefault(layer, {})[entry] = value
    with jax.default_matmul_precision("highest"):
        slope, logits = jax.jit(jax.grad(loss, has_aux=True))(nested)
    flat = {f"{layer}/{entry}": np.asarray(value) for layer, part in slope.items() for entry, value in part.items()}
    work = multiplications(jax.grad(lambda weights: loss(weights)[0]), nested) / CHECKED
    return flat | {"logits": np.asarray(logits)}, work


def _torch_network(arm: str, dtype: str) -> tuple[Any, dict[str, Any]]:
    """Returns the forward pass of images [N, 1, H, W] in PyTorch, and its parameters by the engine's names."""
    import torch
    from torch.nn import functional

    from emergent.groups.harmonics import steered_taps
    from emergent.models.steerable_cnn import disc_mask

    model = _stage(arm).model
    order = int(model.group[1:])
    weights = {name: torch.from_numpy(value).requires_grad_() for name, value in initial(arm, dtype).items()}
    disc = torch.from_numpy(disc_mask(28)[..., 0].astype(dtype))
    samples = {
        side: torch.from_numpy(np.ascontiguousarray(steered_taps(order, side)).astype(dtype))
        for side in (*(layer.filter_size for layer in model.layers), 7)
    }

    def bank(coefficients: Any, side: int) -> Any:
        """Returns the filters [D G, C R, k, k] of coefficients [B, R, C, D]."""
        relative = torch.stack([coefficients.roll(g, 1) for g in range(order)])
        filters = torch.einsum("gpb,gbrcd->dgcrp", samples[side], relative)
        return filters.reshape(filters.shape[0] * order, -1, side, side)

    def forward(inputs: Any) -> Any:
        hidden = inputs * disc
        steps = [(layer.filter_size, layer.stride, layer.average_pool) for layer in model.layers]
        for index, (side, stride, window) in enumerate([*steps, (7, 1, 1)]):
            whole = index == len(steps)
            filters = bank(weights[f"SteerableConv_{index}/kernel"], side)
            bias = weights[f"SteerableConv_{index}/bias"].repeat_interleave(order)
            padding = 0 if whole else model.layers[index].padding(hidden.shape[2])
            hidden = functional.relu(functional.conv2d(hidden, filters, bias, stride, padding))
            hidden = functional.avg_pool2d(hidden, window) if window > 1 else hidden
        features = hidden.reshape(len(hidden), -1, order).amax(2)
        for index in range(len(model.dense) + 1):
            features = features @ weights[f"Dense_{index}/kernel"] + weights[f"Dense_{index}/bias"]
            features = functional.relu(features) if index < len(model.dense) else features
        return features

    return forward, weights


def torch(arm: str, num: int, wait: Wait) -> Times:
    """Returns the times at the ends of epochs of one member."""
    import torch
    from torch.nn import functional

    torch.set_num_threads(int(os.environ["OMP_NUM_THREADS"]))
    forward, weights = _torch_network(arm, "float32")
    train = _stage(arm).train
    optimiser = torch.optim.Adam(weights.values(), train.learning_rate)
    pixels, classes = _data(num)
    inputs, labels = torch.from_numpy(pixels).permute(0, 3, 1, 2).contiguous(), torch.from_numpy(classes)
    times: Times = []
    for _ in range(EPOCHS):
        for some in torch.randperm(num).reshape(-1, train.batch_size):
            optimiser.zero_grad()
            functional.cross_entropy(forward(inputs[some]), labels[some]).backward()
            optimiser.step()
        if not times:
            wait()
        times.append(now())
    return times


def torch_slopes(arm: str, dtype: str) -> tuple[dict[str, np.ndarray], float]:
    """Returns logits and gradients of one batch, and the multiply-adds of a step per image."""
    import torch
    from torch.nn import functional
    from torch.utils.flop_counter import FlopCounterMode

    forward, weights = _torch_network(arm, dtype)
    pixels, classes = _data(CHECKED)
    inputs = torch.from_numpy(pixels.astype(dtype)).permute(0, 3, 1, 2)
    with FlopCounterMode(display=False) as counter:
        logits = forward(inputs)
        functional.cross_entropy(logits, torch.from_numpy(classes)).backward()
    slopes = {name: value.grad.numpy() for name, value in weights.items()}
    return slopes | {"logits": logits.detach().numpy()}, counter.get_total_flops() / 2 / CHECKED


CONTENDERS: dict[str, Callable[[str, int, Wait], Times]] = {"engine": engine, "torch": torch, "torch a core": torch}


def _work(function: Callable[..., Any], arguments: tuple[Any, ...], threads: int, start: Any, results: Any) -> None:
    # Before JAX or PyTorch start; the first as every job of the pipeline does it.
    prepare_xla(threads)
    os.environ["OMP_NUM_THREADS"] = str(threads)
    results.put(function(*arguments, *([start.wait] if start else [])))


def in_processes(processes: int, threads: int, timed: bool, function: Callable[..., Any], *arguments: Any) -> list[Any]:
    """Returns what a function of this file finds in fresh processes, which start what is timed together."""
    context = multiprocessing.get_context("spawn")
    results, start = context.Queue(), context.Barrier(processes) if timed else None
    workers = [
        context.Process(target=_work, args=(function, arguments, threads, start, results)) for _ in range(processes)
    ]
    for worker in workers:
        worker.start()
    found = [results.get() for _ in workers]
    for worker in workers:
        worker.join()
    return found


def measure(name: str, arm: str, num: int) -> tuple[float, float]:
    """Returns images a second on all cores, by the clock and by the processors' time, each in its best epoch.

    The second is what the first would be with nothing beside; where threads wait in loops, it counts their waiting.
    """
    cores = os.cpu_count() or 1
    processes = 1 if name == "torch" else cores
    found = np.array(in_processes(processes, cores // processes, True, CONTENDERS[name], arm, num))
    # An epoch takes as long as the slowest process; on both clocks, processes by epochs.
    clock, processors = np.moveaxis(np.diff(found, axis=1), 2, 0)
    return processes * num / clock.max(0).min(), processes * num * cores / processors.sum(0).min()


def compare(arm: str) -> tuple[dict[str, float], dict[str, float]]:
    """Returns the multiply-adds per image of both programs, and their largest relative differences by precision.

    Raises:
        SystemExit: they compute different functions.
    """
    gaps, work = {}, {}
    for dtype, limit in LIMITS.items():
        [(ours, work["engine"])] = in_processes(1, 1, False, engine_slopes, arm, dtype)
        [(theirs, work["torch"])] = in_processes(1, 1, False, torch_slopes, arm, dtype)
        gaps[dtype] = max(np.abs(theirs[name] - ours[name]).max() / np.abs(ours[name]).max() for name in ours)
        if set(ours) != set(theirs) or not gaps[dtype] < limit:
            raise SystemExit(f"{arm}: logits or gradients differ by {gaps[dtype]:.1e} in {dtype}; nothing to compare.")
    return work | {"torch a core": work["torch"]}, gaps


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--arms", nargs="+", choices=list(ARMS), default=list(ARMS))
    parser.add_argument("--images", type=int, default=2048, help="of an epoch, a multiple of the batch of 128")
    parser.add_argument("--rounds", type=int, default=3, help="each contender's best of so many runs in turn counts")
    arguments = parser.parse_args()
    names = [name for name in CONTENDERS if name == "engine" or find_spec("torch")]
    cores = os.cpu_count() or 1
    peak = cores * in_processes(1, 1, False, core_peak)[0]
    print(f"{cores} cores, float32 matrix products {2 * peak / 1e9:.0f} GFLOP/s")
    print("By clock, and by the processors' time; multiply-adds: of an image and step, as computed.")
    print("arm   contender         images/s   engine faster by     range of rounds, by clock   of peak   multiply-adds")
    for arm in arguments.arms:
        if "torch" in names:
            work, gaps = compare(arm)
        else:
            [(_, own)] = in_processes(1, 1, False, engine_slopes, arm, "float32")
            work, gaps = {"engine": own}, {}
        rounds = [{name: measure(name, arm, arguments.images) for name in names} for _ in range(arguments.rounds)]
        best = {name: np.max([found[name] for found in rounds], axis=0) for name in names}
        for name in names:
            (rate, own), ratios = best[name], [found["engine"][0] / found[name][0] for found in rounds]
            faster = best["engine"] / best[name]
            print(
                f"{arm:5s} {name:12s} {rate:6.0f} {own:6.0f}     {faster[0]:5.1f}x {faster[1]:5.1f}x"
                f"   {min(ratios):13.1f} to {max(ratios):4.1f} {own * work[name] / peak:17.0%}"
                f" {work[name] / 1e6:8.1f} million",
                flush=True,
            )
        for dtype, gap in gaps.items():
            print(f"      logits and gradients differ by {gap:.0e} in {dtype}")


if __name__ == "__main__":
    main()

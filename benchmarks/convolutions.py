"""Images a second that convolutional networks train on: this engine, a Flax loop, a PyTorch loop.

All train with Adam, without augmentation and with all data in memory: one member of the Fashion-MNIST experiment
(arXiv 2403.03103), or of the group convolutional networks under C4 beside augmented ones (arXiv 2406.06504), of 8
channels as at laptop scale or of 64 as at paper scale. On several cores each contender trains a member on every core.

engine   this package: convolutions as products of shifted images, an epoch per compiled program
flax     one compiled step per batch, ``lax.conv_general_dilated``, for group convolutions with a bank of turned filters
threads  the same with one member on all cores; on more than one
torch    PyTorch, a loop over batches of tensors; left out for group convolutions and where PyTorch is not installed
         (``pip install .[benchmark]``)

    python benchmarks/convolutions.py
    python benchmarks/convolutions.py --network gcnn_8 gcnn_64 --cores 2
"""

import argparse
import itertools
import multiprocessing
import os
import time
from collections.abc import Callable
from importlib.util import find_spec
from typing import Any

import numpy as np
from ensemble_throughput import matmul_peak

from emergent.cli._run import prepare_xla

SIDE, EPOCHS, RATE = 28, 3, 1e-3
LAYERS = ((1, 16, 1), (16, 32, 2), (32, 32, 2))
ORDER = 4
"""Of the group of group convolutional networks."""


def _group_multiply_adds(channels: int) -> int:
    maps = ORDER * channels
    return 9 * (784 * maps + 196 * maps**2 + 49 * maps**2) + 10 * channels


# Multiply-adds of one image, forward; training takes about three times as many.
FORWARD_MULTIPLY_ADDS = {
    "cnn": 9 * (784 * 16 + 196 * 16 * 32 + 49 * 32 * 32) + 1568 * 64 + 640,
    "gcnn_8": _group_multiply_adds(8),
    "gcnn_64": _group_multiply_adds(64),
}
NUM = {"cnn": 6144, "gcnn_8": 2048, "gcnn_64": 256}
"""Training images: as many as make an epoch of a few seconds."""


CLOCKS = {"wall": time.perf_counter, "cpu": time.process_time}
"""Seconds that pass, or that a process computes: where other programs share the cores, only the latter repeat."""
CLOCK = "BENCHMARK_CLOCK"


def _model(network: str) -> Any:
    from emergent.config.models import CnnModel, ConvLayer, GcnnModel

    if network == "cnn":
        return CnnModel(
            family="cnn",
            layers=tuple(ConvLayer(channels=channels, stride=stride) for _, channels, stride in LAYERS),
            readout="flatten",
            dense=(64,),
            num_outputs=10,
            parametrisation="pytorch",
        )
    channels = int(network.removeprefix("gcnn_"))
    pools = (2, 2, 1)
    return GcnnModel(
        family="gcnn",
        group="C4",
        layers=tuple(ConvLayer(channels=channels, average_pool=pool) for pool in pools),
        readout="mean",
        num_outputs=10,
    )


def _stage(network: str, batch: int) -> Any:
    from emergent.config.domains import DataSelection, ImageTraining
    from emergent.config.groups import Augmentation
    from emergent.config.stages import TrainStage
    from emergent.config.training import Training

    return TrainStage(
        experiment="benchmark",
        seed=0,
        arm="cnn",
        initialisation="cnn",
        data=ImageTraining(
            domain="images",
            train=DataSelection(dataset="benchmark", split="train"),
            shape=(SIDE, SIDE, 1),
            scaling="none",
        ),
        model=_model(network),
        augmentation=Augmentation(group="C1", mode="random"),
        train=Training(
            loss="cross_entropy",
            optimiser="adam",
            learning_rate=RATE,
            batch_size=batch,
            num_epochs=EPOCHS,
            checkpoint_every=1,
        ),
    )


def _data(network: str) -> tuple[np.ndarray, np.ndarray]:
    generator, num = np.random.default_rng(0), NUM[network]
    return generator.normal(size=(num, SIDE, SIDE, 1)).astype(np.float32), generator.integers(0, 10, num)


def engine(network: str, batch: int) -> list[float]:
    """Returns the times at the ends of epochs."""
    import jax.numpy as jnp

    from emergent.domains.arrays import ArrayData
    from emergent.groups.actions import TrivialAction
    from emergent.training.engine import train_block

    inputs, labels = _data(network)
    data = ArrayData(jnp.asarray(inputs), jnp.asarray(labels, jnp.int32), TrivialAction(1), TrivialAction(1), "random")
    times: list[float] = []
    train_block(_stage(network, batch), (0,), data, on_progress=lambda _: times.append(CLOCKS[os.environ[CLOCK]]()))
    return times


def convolve_by_library(inputs: Any, kernel: Any, stride: int = 1) -> Any:
    """Returns the convolution as XLA has it."""
    from jax import lax

    pad = kernel.shape[0] // 2
    return lax.conv_general_dilated(
        inputs,
        kernel,
        (stride, stride),
        ((pad, pad), (pad, pad)),
        dimension_numbers=("NHWC", "HWIO", "NHWC"),
    )


def flax(network: str, batch: int) -> list[float]:
    """Returns the times at the ends of epochs."""
    import jax
    import jax.numpy as jnp
    import optax

    from emergent.models import gcnn, layers
    from emergent.models.registry import build
    from emergent.training.step import cross_entropy

    layers.convolve = gcnn.convolve_wide = convolve_by_library
    module, optimiser = build(_model(network)), optax.adam(RATE)
    weights = jax.jit(module.init)(jax.random.key(0), jnp.zeros((1, SIDE, SIDE, 1)))["params"]
    state = (weights, optimiser.init(weights))

    def step(state: Any, images: jax.Array, targets: jax.Array) -> Any:
        weights, moments = state
        slope = jax.grad(lambda w: cross_entropy(module.apply({"params": w}, images), targets))(weights)
        updates, moments = optimiser.update(slope, moments)
        return optax.apply_updates(weights, updates), moments

    compiled, times = jax.jit(step, donate_argnums=0), []
    inputs, labels = _data(network)
    for epoch in range(EPOCHS):
        for some in np.random.default_rng(epoch).permutation(NUM[network]).reshape(-1, batch):
            state = compiled(state, inputs[some], labels[some])
        jax.block_until_ready(state)
        times.append(CLOCKS[os.environ[CLOCK]]())
    return times


def torch(network: str, batch: int) -> list[float]:
    """Returns the times at the ends of epochs."""
    import torch
    from torch import nn

    torch.set_num_threads(1)
    convolutions = [
        part for before, after, stride in LAYERS for part in (nn.Conv2d(before, after, 3, stride, padding=1), nn.ReLU())
    ]
    network = nn.Sequential(*convolutions, nn.Flatten(), nn.Linear(1568, 64), nn.ReLU(), nn.Linear(64, 10))
    optimiser, loss, times = torch.optim.Adam(network.parameters(), RATE), nn.CrossEntropyLoss(), []
    pixels, classes = _data(network)
    inputs, labels = torch.from_numpy(pixels).permute(0, 3, 1, 2).contiguous(), torch.from_numpy(classes)
    for _ in range(EPOCHS):
        for some in torch.randperm(NUM[network]).reshape(-1, batch):
            optimiser.zero_grad()
            loss(network(inputs[some]), labels[some]).backward()
            optimiser.step()
        times.append(CLOCKS[os.environ[CLOCK]]())
    return times


CONTENDERS = {"engine": engine, "flax": flax, "threads": flax, "torch": torch}


def _work(function: Callable[..., Any], arguments: tuple[Any, ...], threads: int, results: Any, start: Any) -> None:
    # Before JAX or PyTorch start; the first as every job of the pipeline does it.
    prepare_xla(threads)
    os.environ["OMP_NUM_THREADS"] = str(threads)
    start.wait()
    results.put(function(*arguments))


def alone(function: Callable[..., Any], *arguments: Any, processes: int = 1, threads: int = 1) -> list[Any]:
    """Returns what a function of this file finds in processes of its own, side by side.

    Args:
        function: of this file.
        arguments: of it.
        processes: how many run at a time.
        threads: cores of each.
    """
    context = multiprocessing.get_context("spawn")
    results, start = context.Queue(), context.Barrier(processes)
    workers = [
        context.Process(target=_work, args=(function, arguments, threads, results, start)) for _ in range(processes)
    ]
    for worker in workers:
        worker.start()
    found = [results.get() for _ in workers]
    for worker in workers:
        worker.join()
    return found


def measure(name: str, network: str, batch: int, cores: int) -> float:
    """Returns images a second on all cores; the first epoch, which compiles, is not counted."""
    together = name == "threads"
    runs = alone(CONTENDERS[name], network, batch, processes=1 if together else cores, threads=cores if together else 1)
    return sum((EPOCHS - 1) * NUM[network] / (times[-1] - times[0]) for times in runs)


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--network", nargs="+", choices=list(NUM), default=["cnn"])
    parser.add_argument("--batch", type=int, nargs="+", default=[32, 128])
    parser.add_argument("--cores", type=int, default=1)
    parser.add_argument("--clock", choices=list(CLOCKS), default="wall", help="cpu where other programs run beside")
    parser.add_argument("--rounds", type=int, default=3, help="each contender's best of so many runs in turn counts")
    arguments = parser.parse_args()
    # Processes inherit it.
    os.environ[CLOCK] = arguments.clock
    peak = sum(alone(matmul_peak, processes=arguments.cores))
    print(f"{arguments.cores} core(s), float32 matrix products {2 * peak / 1e9:.0f} GFLOP/s")
    print("network  batch  contender   images/s   engine faster by   range within one round   of peak")
    for network, batch in itertools.product(arguments.network, arguments.batch):
        names = [
            name
            for name in CONTENDERS
            # Threads that wait for others count as computing.
            if (name != "threads" or (arguments.cores > 1 and arguments.clock == "wall"))
            and (name != "torch" or (network == "cnn" and find_spec("torch")))
        ]
        rounds = [
            {name: measure(name, network, batch, arguments.cores) for name in names} for _ in range(arguments.rounds)
        ]
        best = {name: max(found[name] for found in rounds) for name in names}
        for name in names:
            ratios = [found["engine"] / found[name] for found in rounds]
            share = best[name] * 3 * FORWARD_MULTIPLY_ADDS[network] / peak
            print(
                f"{network:7s} {batch:6d}  {name:9s} {best[name]:10.0f} {best['engine'] / best[name]:17.1f}x"
                f"   {min(ratios):12.1f} to {max(ratios):.1f} {share:15.0%}",
                flush=True,
            )


if __name__ == "__main__":
    main()

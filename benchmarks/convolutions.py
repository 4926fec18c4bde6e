"""Images a second and core that a convolutional network trains on: this engine, a Flax loop, a PyTorch loop.

All train one member of the Fashion-MNIST experiment (arXiv 2403.03103) with Adam and without augmentation, on one core
and with all data in memory.

engine   this package: convolutions as products of shifted images, an epoch per compiled program
flax     one compiled step per batch, ``lax.conv_general_dilated``
torch    PyTorch, a loop over batches of tensors; left out where PyTorch is not installed (``pip install .[benchmark]``)

    python benchmarks/convolutions.py
"""

import argparse
import multiprocessing
import os
import time
from collections.abc import Callable
from importlib.util import find_spec
from typing import Any

import numpy as np
from ensemble_throughput import matmul_peak

from emergent.cli._run import prepare_xla

SIDE, NUM, EPOCHS, RATE = 28, 6144, 3, 1e-3
LAYERS = ((1, 16, 1), (16, 32, 2), (32, 32, 2))
# Multiply-adds of one image, forward; training takes about three times as many.
FORWARD_MULTIPLY_ADDS = 9 * (784 * 16 + 196 * 16 * 32 + 49 * 32 * 32) + 1568 * 64 + 640


def _stage(batch: int) -> Any:
    from emergent.config.domains import DataSelection, ImageTraining
    from emergent.config.groups import Augmentation
    from emergent.config.models import CnnModel, ConvLayer
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
        model=CnnModel(
            family="cnn",
            layers=tuple(ConvLayer(channels=channels, stride=stride) for _, channels, stride in LAYERS),
            readout="flatten",
            dense=(64,),
            num_outputs=10,
            parametrisation="pytorch",
        ),
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


def _data() -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(0)
    return generator.normal(size=(NUM, SIDE, SIDE, 1)).astype(np.float32), generator.integers(0, 10, NUM)


def engine(batch: int) -> list[float]:
    """Returns the times at the ends of epochs."""
    import jax.numpy as jnp

    from emergent.domains.arrays import ArrayData
    from emergent.groups.actions import TrivialAction
    from emergent.training.engine import train_block

    inputs, labels = _data()
    data = ArrayData(jnp.asarray(inputs), jnp.asarray(labels, jnp.int32), TrivialAction(1), TrivialAction(1), "random")
    times: list[float] = []
    train_block(_stage(batch), (0,), data, on_progress=lambda _: times.append(time.perf_counter()))
    return times


def convolve_by_library(inputs: Any, kernel: Any, stride: int) -> Any:
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


def flax(batch: int) -> list[float]:
    """Returns the times at the ends of epochs."""
    import jax
    import jax.numpy as jnp
    import optax

    from emergent.models import layers
    from emergent.models.registry import build
    from emergent.training.step import cross_entropy

    layers.convolve = convolve_by_library
    module, optimiser = build(_stage(batch).model), optax.adam(RATE)
    weights = jax.jit(module.init)(jax.random.key(0), jnp.zeros((1, SIDE, SIDE, 1)))["params"]
    state = (weights, optimiser.init(weights))

    def step(state: Any, images: jax.Array, targets: jax.Array) -> Any:
        weights, moments = state
        slope = jax.grad(lambda w: cross_entropy(module.apply({"params": w}, images), targets))(weights)
        updates, moments = optimiser.update(slope, moments)
        return optax.apply_updates(weights, updates), moments

    compiled, times = jax.jit(step, donate_argnums=0), []
    inputs, labels = _data()
    for epoch in range(EPOCHS):
        for some in np.random.default_rng(epoch).permutation(NUM).reshape(-1, batch):
            state = compiled(state, inputs[some], labels[some])
        jax.block_until_ready(state)
        times.append(time.perf_counter())
    return times


def torch(batch: int) -> list[float]:
    """Returns the times at the ends of epochs."""
    import torch
    from torch import nn

    torch.set_num_threads(1)
    convolutions = [
        part for before, after, stride in LAYERS for part in (nn.Conv2d(before, after, 3, stride, padding=1), nn.ReLU())
    ]
    network = nn.Sequential(*convolutions, nn.Flatten(), nn.Linear(1568, 64), nn.ReLU(), nn.Linear(64, 10))
    optimiser, loss, times = torch.optim.Adam(network.parameters(), RATE), nn.CrossEntropyLoss(), []
    pixels, classes = _data()
    inputs, labels = torch.from_numpy(pixels).permute(0, 3, 1, 2).contiguous(), torch.from_numpy(classes)
    for _ in range(EPOCHS):
        for some in torch.randperm(NUM).reshape(-1, batch):
            optimiser.zero_grad()
            loss(network(inputs[some]), labels[some]).backward()
            optimiser.step()
        times.append(time.perf_counter())
    return times


CONTENDERS = {"engine": engine, "flax": flax, "torch": torch}


def _work(function: Callable[..., Any], arguments: tuple[Any, ...], results: Any) -> None:
    # Before JAX or PyTorch start; the first as every job of the pipeline does it.
    prepare_xla(1)
    os.environ["OMP_NUM_THREADS"] = "1"
    results.put(function(*arguments))


def alone(function: Callable[..., Any], *arguments: Any) -> Any:
    """Returns what a function of this file finds in a process of its own on one core."""
    context = multiprocessing.get_context("spawn")
    results = context.Queue()
    worker = context.Process(target=_work, args=(function, arguments, results))
    worker.start()
    found = results.get()
    worker.join()
    return found


def measure(name: str, batch: int) -> float:
    """Returns images a second on one core; the first epoch, which compiles, is not counted."""
    times = alone(CONTENDERS[name], batch)
    return (EPOCHS - 1) * NUM / (times[-1] - times[0])


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--batch", type=int, nargs="+", default=[32, 128])
    parser.add_argument("--rounds", type=int, default=3, help="each contender's best of so many runs in turn counts")
    arguments = parser.parse_args()
    names = [name for name in CONTENDERS if name != "torch" or find_spec("torch")]
    peak = alone(matmul_peak)
    print(f"one core, float32 matrix products {2 * peak / 1e9:.0f} GFLOP/s")
    print("batch  contender   images/s   engine faster by   range within one round   of peak")
    for batch in arguments.batch:
        rounds = [{name: measure(name, batch) for name in names} for _ in range(arguments.rounds)]
        best = {name: max(found[name] for found in rounds) for name in names}
        for name in names:
            ratios = [found["engine"] / found[name] for found in rounds]
            share = best[name] * 3 * FORWARD_MULTIPLY_ADDS / peak
            print(
                f"{batch:5d}  {name:9s} {best[name]:10.0f} {best['engine'] / best[name]:17.1f}x"
                f"   {min(ratios):12.1f} to {max(ratios):.1f} {share:15.0%}"
            )


if __name__ == "__main__":
    main()

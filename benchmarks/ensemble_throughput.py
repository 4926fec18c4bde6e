"""Member-epochs per hour of this engine, of a PyTorch loop over members, and of a Flax loop over members.

All contenders train the ``sym`` network of arXiv 2410.01452 (C4 augmentation, SGD, batches of 32) from the same initial
weights, in the same data order, with the same rotations, which come from the engine's keys; the last column is the
largest difference of the weights to the engine's after eight steps, relative to the largest weight: rounding, which
later grows exponentially, as it does between any two programs that train these networks.

engine          this package, as the pipeline runs it: one single-threaded process per core
torch pipeline  one member after another, each image through PIL, tensor, normalisation and rotation in torchvision and
                PyTorch's data loader without workers: the manner of the released code
torch tensors   the same with data, batches and rotations as tensors; also with one process per core
flax            one member after another, one compiled step per batch, ordinary convolutions

PyTorch's rows need PyTorch and torchvision (``pip install .[benchmark]``); without them they are left out.

    python benchmarks/ensemble_throughput.py
"""

import argparse
import json
import multiprocessing
import os
import time
from collections.abc import Callable
from importlib.util import find_spec
from typing import Any

import numpy as np

from emergent.cli._run import prepare_xla

BATCH, SIDE, RATE, FULL_EPOCH, CHECKED_STEPS = 32, 28, 0.01, 1875, 8
SUPPORT = ("010", "111", "010")
# Multiply-adds of the network as defined, on the five taps, forward; training takes about three times as many.
FORWARD_MULTIPLY_ADDS = 384_160
EPOCHS = 3
Contender = Callable[[int, int], tuple[float, dict[str, np.ndarray]]]


def images(steps: int) -> tuple[np.ndarray, np.ndarray]:
    """Returns 8-bit images [32 steps, 28, 28] and labels."""
    generator = np.random.default_rng(0)
    shape = (BATCH * steps, SIDE, SIDE)
    return generator.integers(0, 256, shape, dtype=np.uint8), generator.integers(0, 10, shape[0]).astype(np.int32)


def _task(steps: int) -> tuple[Any, Any]:
    """Returns the settings of the engine's arm and its resident data."""
    import jax.numpy as jnp

    from emergent.config.domains import DataSelection, ImageTraining
    from emergent.config.groups import Augmentation
    from emergent.config.models import SupportCnnModel
    from emergent.config.stages import TrainStage
    from emergent.config.training import Training
    from emergent.domains.arrays import ArrayData
    from emergent.groups.actions import TrivialAction
    from emergent.groups.images import image_action
    from emergent.point_groups import group_from_name

    pixels, labels = images(steps)
    selection = DataSelection(dataset="benchmark", split="train")
    stage = TrainStage(
        experiment="benchmark",
        seed=0,
        arm="sym",
        initialisation="sym",
        data=ImageTraining(domain="images", train=selection, shape=(SIDE, SIDE, 1), scaling="none"),
        model=SupportCnnModel(family="support_cnn", channels=(16, 16, 16), support=SUPPORT, num_outputs=10),
        augmentation=Augmentation(group="C4", mode="random"),
        train=Training(
            loss="cross_entropy",
            optimiser="sgd",
            learning_rate=RATE,
            batch_size=BATCH,
            num_epochs=EPOCHS,
            checkpoint_every=1,
        ),
    )
    inputs = jnp.asarray(pixels[..., None] / np.float32(255) - np.float32(0.5))
    action = image_action(group_from_name("C4"), SIDE, SIDE)
    return stage, ArrayData(inputs, jnp.asarray(labels), action, TrivialAction(4), "random")


def schedule(steps: int, member: int) -> tuple[np.ndarray, np.ndarray, dict[str, np.ndarray]]:
    """Returns the engine's sample indices [S, B] and quarter turns [S, B] of one epoch, and its initial weights."""
    import jax
    import jax.numpy as jnp

    from emergent.models.registry import build
    from emergent.prng import member_key

    stage, data = _task(steps)
    with jax.threefry_partitionable(True):
        order_key = jax.random.fold_in(member_key(0, "benchmark", "sym", member, "order"), 0)
        order = jax.random.permutation(order_key, BATCH * steps).reshape(steps, BATCH)
        augment = member_key(0, "benchmark", "sym", member, "augment")
        turns = [jax.random.randint(jax.random.fold_in(augment, step), (BATCH,), 0, 4) for step in range(steps)]
        start = build(stage.model).init(member_key(0, "benchmark", "sym", member, "initialise"), data.inputs[:1])
    weights = {name: np.array(value) for name, value in start["params"].items()}
    return np.array(order), np.array(jnp.stack(turns)), weights


def engine(steps: int, member: int) -> tuple[float, dict[str, np.ndarray]]:
    """Trains with this package; the first epoch, which compiles, is not timed."""
    from emergent.training.engine import train_block

    stage, data = _task(steps)
    times: list[float] = []
    result = train_block(stage, (member,), data, on_progress=lambda _: times.append(time.perf_counter()))
    weights = {name.removeprefix("params/"): value[1, 0] for name, value in result.parameters.items()}
    return (times[-1] - times[0]) / ((EPOCHS - 1) * steps), weights


def flax(steps: int, member: int) -> tuple[float, dict[str, np.ndarray]]:
    """Trains with ordinary convolutions and one compiled step per batch."""
    import jax
    import jax.numpy as jnp

    from emergent.models.support_cnn import SupportCnn
    from emergent.training.step import cross_entropy

    order, turns, start = schedule(steps, member)
    stage, data = _task(steps)
    module = SupportCnn(stage.model, "reference")

    @jax.jit
    def step(weights: Any, inputs: jax.Array, labels: jax.Array) -> Any:
        slope = jax.grad(lambda w: cross_entropy(module.apply({"params": w}, inputs), labels))(weights)
        return jax.tree.map(lambda value, change: value - RATE * change, weights, slope)

    rotated = np.stack([np.rot90(data.inputs, k, (1, 2)) for k in range(4)])
    labels = np.asarray(data.targets)
    weights: Any = {name: jnp.asarray(value) for name, value in start.items()}
    jax.block_until_ready(step(weights, data.inputs[:BATCH], data.targets[:BATCH]))
    begin = time.perf_counter()
    for batch, elements in zip(order, turns, strict=True):
        weights = step(weights, rotated[elements, batch], labels[batch])
    jax.block_until_ready(weights)
    return (time.perf_counter() - begin) / steps, {name: np.asarray(value) for name, value in weights.items()}


def _torch(steps: int, member: int, batches: Callable[[Any, Any, Any, Any], Any]) -> tuple[float, Any]:
    """Trains on what ``batches(pixels, labels, order, turns)`` yields; its set-up and a first step are not timed."""
    import torch
    from torch.nn import functional

    order, turns, start = schedule(steps, member)
    pixels, labels = images(steps)
    taps = torch.tensor([1, 3, 4, 5, 7])
    weights = {name: torch.from_numpy(value.copy()).requires_grad_() for name, value in start.items()}
    optimiser = torch.optim.SGD(weights.values(), lr=RATE)

    def forward(inputs: torch.Tensor) -> torch.Tensor:
        hidden = inputs
        for layer in range(3):
            kernel = weights[f"kernel_{layer}"].permute(2, 1, 0)
            full = torch.zeros(*kernel.shape[:2], 9)
            full[:, :, taps] = kernel
            hidden = functional.conv2d(hidden, full.view(*kernel.shape[:2], 3, 3), padding=1)
            hidden = torch.tanh(functional.avg_pool2d(hidden, 2) if layer < 2 else hidden)
            hidden = functional.layer_norm(hidden, hidden.shape[2:])
        readout = weights["readout"].permute(2, 0, 1, 3).reshape(-1, 10)
        return hidden.flatten(1) @ readout

    def one_step(inputs: torch.Tensor, targets: torch.Tensor) -> None:
        optimiser.zero_grad()
        functional.cross_entropy(forward(inputs), targets).backward()
        optimiser.step()

    one_step(*next(iter(batches(pixels, labels, order, turns))))
    with torch.no_grad():
        for name, value in start.items():
            weights[name].copy_(torch.from_numpy(value))
    loader = iter(batches(pixels, labels, order, turns))
    begin = time.perf_counter()
    for inputs, targets in loader:
        one_step(inputs, targets)
    seconds = (time.perf_counter() - begin) / steps
    return seconds, {name: value.detach().numpy() for name, value in weights.items()}


def torch_pipeline(steps: int, member: int) -> tuple[float, dict[str, np.ndarray]]:
    """Trains in PyTorch with every image prepared by itself, in torchvision's transforms and a plain data loader."""
    import torch
    from PIL import Image
    from torch.utils.data import DataLoader, Dataset
    from torchvision.transforms import Compose, Normalize, ToTensor

    class Images(Dataset):
        """8-bit images, made into normalised tensors and rotated when they are asked for."""

        def __init__(self, pixels: np.ndarray, labels: np.ndarray, turns: np.ndarray) -> None:
            self.pixels, self.labels = pixels, labels
            # Without workers the images are asked for in the order of the batches.
            self.turns = iter(turns.ravel().tolist())
            self.transform = Compose(
                [ToTensor(), Normalize((0.5,), (1.0,)), lambda image: torch.rot90(image, next(self.turns), (1, 2))]
            )

        def __len__(self) -> int:
            return len(self.labels)

        def __getitem__(self, index: int) -> tuple[Any, int]:
            return self.transform(Image.fromarray(self.pixels[index])), int(self.labels[index])

    def batches(pixels: np.ndarray, labels: np.ndarray, order: np.ndarray, turns: np.ndarray) -> Any:
        return DataLoader(Images(pixels, labels, turns), batch_sampler=order.tolist())

    return _torch(steps, member, batches)


def torch_tensors(steps: int, member: int) -> tuple[float, dict[str, np.ndarray]]:
    """Trains in PyTorch with all data and all four rotations in one tensor."""
    import torch

    def batches(pixels: np.ndarray, labels: np.ndarray, order: np.ndarray, turns: np.ndarray) -> Any:
        tensor = torch.from_numpy(pixels)[:, None].float().div(255).sub(0.5)
        rotated = torch.stack([torch.rot90(tensor, k, (2, 3)) for k in range(4)])
        targets = torch.from_numpy(labels).long()
        return ((rotated[turn, batch], targets[batch]) for batch, turn in zip(order, turns, strict=True))

    return _torch(steps, member, batches)


CONTENDERS: dict[str, Contender] = {
    "engine": engine,
    "flax": flax,
    "torch pipeline": torch_pipeline,
    "torch tensors": torch_tensors,
}


def _work(name: str, steps: int, member: int, threads: int, results: Any) -> None:
    """Times one contender; its weights come from a run of a few steps."""
    # Before JAX or PyTorch start; the first as every job of the pipeline does it.
    prepare_xla(threads)
    os.environ["OMP_NUM_THREADS"] = str(threads)
    seconds, _ = CONTENDERS[name](steps, member)
    results.put((member, seconds, CONTENDERS[name](CHECKED_STEPS, member)[1]))


def measure(name: str, steps: int, processes: int, threads: int) -> tuple[float, dict[str, np.ndarray]]:
    """Returns member-epochs (60,000 images) per hour, and the weights of member 0 after a few steps."""
    context = multiprocessing.get_context("spawn")
    results = context.Queue()
    workers = [context.Process(target=_work, args=(name, steps, i, threads, results)) for i in range(processes)]
    for worker in workers:
        worker.start()
    found = sorted((results.get() for _ in workers), key=lambda item: item[0])
    for worker in workers:
        worker.join()
    seconds = max(item[1] for item in found)
    return processes * 3600 / (seconds * FULL_EPOCH), found[0][2]


def matmul_peak() -> float:
    """Returns the multiply-adds per second of large float32 matrix products on all cores."""
    import jax
    import jax.numpy as jnp

    size, best = 2048, np.inf
    left = jnp.ones((size, size))
    product = jax.jit(lambda a: a @ a)
    jax.block_until_ready(product(left))
    for _ in range(5):
        begin = time.perf_counter()
        jax.block_until_ready(product(left))
        best = min(best, time.perf_counter() - begin)
    return size**3 / best


def main() -> None:
    """Prints the table, and with ``--json`` writes it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=300, help="batches per (shortened) epoch")
    parser.add_argument("--rounds", type=int, default=3, help="each contender's best of so many runs in turn counts")
    parser.add_argument("--json", help="file for the numbers")
    arguments = parser.parse_args()
    cores = os.cpu_count() or 1
    rows = [("engine", cores, 1), ("flax", 1, cores)]
    if find_spec("torch") and find_spec("torchvision"):
        rows += [("torch pipeline", 1, cores), ("torch tensors", 1, cores), ("torch tensors", cores, 1)]
    else:
        print("PyTorch and torchvision are not installed: their rows are left out (pip install .[benchmark]).")
    peak, runs = matmul_peak(), []
    for _ in range(arguments.rounds):
        runs.append([measure(name, arguments.steps, processes, threads) for name, processes, threads in rows])
        print(f"round {len(runs)}, member-epochs/h:", *(f"{rate:.0f}" for rate, _ in runs[-1]), flush=True)
    rates = [max(rate for rate, _ in column) for column in zip(*runs, strict=True)]
    reference = runs[0][0][1]
    largest = max(np.abs(value).max() for value in reference.values())
    print(f"\n{cores} cores, float32 matrix products {2 * peak / 1e9:.0f} GFLOP/s\n")
    print("contender       processes x threads   member-epochs/h   engine faster by   of peak   weights differ by")
    table = []
    for (name, processes, threads), rate, (_, weights) in zip(rows, rates, runs[0], strict=True):
        faster = rates[0] / rate
        gap = max(np.abs(weights[key] - value).max() for key, value in reference.items()) / largest
        share = rate / 3600 * FULL_EPOCH * BATCH * 3 * FORWARD_MULTIPLY_ADDS / peak
        print(
            f"{name:15s} {processes:9d} x {threads:<7d}   {rate:15.0f}   {faster:15.1f}x   {share:7.1%}   {gap:16.1e}"
        )
        row = {"contender": name, "processes": processes, "threads": threads, "member_epochs_per_hour": rate}
        table.append(row | {"engine_faster_by": faster, "of_matmul_peak": share, "weights_differ_by": float(gap)})
    if arguments.json:
        with open(arguments.json, "w", encoding="utf-8") as file:
            json.dump({"cores": cores, "matmul_gflops": 2 * peak / 1e9, "rows": table}, file, indent=1)


if __name__ == "__main__":
    main()

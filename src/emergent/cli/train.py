"""Verb ``train``: one block of members of one arm, from a prepared data set to parameters at checkpoints.

Where there is a block to resume that was trained in the very same way for fewer epochs, training goes on from there.
"""

import sys

import jax.numpy as jnp

from emergent.cli._block import training_arguments, write_result
from emergent.cli._pairs import parse_pairs
from emergent.cli._run import file_attributes, main_guard, progress, read_stage_config
from emergent.config.blocks import parse_block
from emergent.domains.samples import load_training
from emergent.training.engine import train_block
from emergent.training.step import TrainingData
from emergent.training.tasks import (
    augmentation_action,
    block_task,
    data_digest,
    earlier_epochs,
    result_arrays,
)


def main() -> None:
    """Parses the flags, trains and writes."""
    arguments = training_arguments("train", __doc__)
    config = read_stage_config(arguments.config, "train")
    datasets = parse_pairs(arguments.dataset, "--dataset")
    task = block_task(config, parse_block(arguments.members))
    samples, scaling = load_training(datasets[config["data"]["train"]["dataset"]], config["data"])
    targets = samples.labels if samples.labels is not None else samples.targets
    data = TrainingData(jnp.asarray(samples.inputs), jnp.asarray(targets), augmentation_action(config, scaling))
    attributes = file_attributes(config, arguments.fingerprint) | {"data_digest": data_digest(data)}
    start = None
    if arguments.resume:
        start = earlier_epochs(arguments.resume, attributes, task.training, task.members)
    done = start.epochs[-1] if start else 0
    if start:
        print(f"{arguments.resume}: trained for {done} epochs already; going on from there.", file=sys.stderr)
    total = len(task.members) * (task.training.num_epochs - done)
    advance = progress(total, "member-epochs", f"{task.arm} {arguments.members}", images_per_unit=len(samples.inputs))
    result = train_block(task, data, on_progress=advance, start=start)
    write_result(arguments, config, "train", result_arrays(task, result), attributes)


if __name__ == "__main__":
    main_guard(main)

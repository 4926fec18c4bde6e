"""Verb ``train``: one block of members of one arm, from a prepared data set to parameters at checkpoints."""

import argparse
from pathlib import Path

import jax.numpy as jnp

from emergent import provenance, storage
from emergent.cli._pairs import parse_pairs
from emergent.cli._run import file_attributes, limit_threads, main_guard, progress, read_stage_config
from emergent.training.engine import train_block
from emergent.training.samples import load_training
from emergent.training.step import TrainingData
from emergent.training.tasks import augmentation_action, block_task, parse_block, result_arrays


def main() -> None:
    """Parses the flags, trains and writes."""
    parser = argparse.ArgumentParser(prog="python -m emergent.cli.train", description=__doc__)
    parser.add_argument("--config", type=Path, required=True, help="canonical JSON of the stage 'train' of one arm")
    parser.add_argument(
        "--dataset", action="append", required=True, metavar="NAME=PATH", help="prepared data; repeatable"
    )
    parser.add_argument("--members", required=True, help="block of members, e.g. 0000-0099")
    parser.add_argument("--threads", type=int, required=True, help="processors that this job may use")
    parser.add_argument("--fingerprint", required=True, help="fingerprint of the code, stored in the output")
    parser.add_argument("--output", type=Path, required=True, help="HDF5 file to write")
    arguments = parser.parse_args()

    limit_threads(arguments.threads)
    config = read_stage_config(arguments.config, "train")
    datasets = parse_pairs(arguments.dataset, "--dataset")
    task = block_task(config, parse_block(arguments.members))
    samples, scaling = load_training(datasets[config["data"]["train"]["dataset"]], config["data"])
    targets = samples.labels if samples.labels is not None else samples.targets
    data = TrainingData(jnp.asarray(samples.inputs), jnp.asarray(targets), augmentation_action(config, scaling))
    total = len(task.members) * task.training.num_epochs
    advance = progress(total, "member-epochs", f"{task.arm} {arguments.members}", images_per_unit=len(samples.inputs))
    result = train_block(task, data, on_progress=advance)
    storage.write(
        arguments.output,
        stage="train",
        attributes=file_attributes(config, arguments.fingerprint),
        arrays=result_arrays(task, result),
    )
    provenance.write_sidecar(arguments.output)


if __name__ == "__main__":
    main_guard(main)

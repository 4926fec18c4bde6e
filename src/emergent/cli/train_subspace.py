"""Verb ``train_subspace``: one block of runs of one arm, trained equivariantly and then on all rotations."""

import argparse
from pathlib import Path

from emergent import provenance, storage
from emergent.cli._pairs import parse_pairs
from emergent.cli._run import file_attributes, limit_threads, main_guard, progress, read_stage_config
from emergent.training.samples import load_training
from emergent.training.subspace import load_images, result_arrays, subspace_task, train_subspace
from emergent.training.tasks import parse_block


def main() -> None:
    """Parses the flags, trains and writes."""
    parser = argparse.ArgumentParser(prog="python -m emergent.cli.train_subspace", description=__doc__)
    parser.add_argument("--config", type=Path, required=True, help="canonical JSON of the stage 'train' of one arm")
    parser.add_argument(
        "--dataset", action="append", required=True, metavar="NAME=PATH", help="prepared data; repeatable"
    )
    parser.add_argument("--members", required=True, help="block of runs, e.g. 0000-0009")
    parser.add_argument("--threads", type=int, required=True, help="processors that this job may use")
    parser.add_argument("--fingerprint", required=True, help="fingerprint of the code, stored in the output")
    parser.add_argument("--output", type=Path, required=True, help="HDF5 file to write")
    arguments = parser.parse_args()

    limit_threads(arguments.threads)
    config = read_stage_config(arguments.config, "train")
    task = subspace_task(config, parse_block(arguments.members))
    datasets = parse_pairs(arguments.dataset, "--dataset")
    samples, _ = load_training(datasets[config["data"]["train"]["dataset"]], config["data"])
    total = len(task.members) * (task.phases.equivariant.num_epochs + task.phases.augmented.num_epochs)
    advance = progress(total, "run-epochs", f"{task.name} {arguments.members}")
    result = train_subspace(task, load_images(samples), advance)
    storage.write(
        arguments.output,
        stage="train",
        attributes=file_attributes(config, arguments.fingerprint),
        arrays=result_arrays(task, result),
    )
    provenance.write_sidecar(arguments.output)


if __name__ == "__main__":
    main_guard(main)

"""Verb ``train_points``: one block of members of one arm on point clouds drawn from prepared meshes."""

import argparse
from pathlib import Path

from emergent import provenance, storage
from emergent.cli._pairs import parse_pairs
from emergent.cli._run import file_attributes, limit_threads, main_guard, progress, read_stage_config
from emergent.training.mesh_samples import load_meshes
from emergent.training.point_clouds import PointTask, block_arrays, train_points
from emergent.training.tasks import parse_block


def main() -> None:
    """Parses the flags, trains and writes."""
    parser = argparse.ArgumentParser(prog="python -m emergent.cli.train_points", description=__doc__)
    parser.add_argument("--config", type=Path, required=True, help="canonical JSON of the stage 'train' of one arm")
    parser.add_argument(
        "--dataset", action="append", required=True, metavar="NAME=PATH", help="prepared data; repeatable"
    )
    parser.add_argument("--members", required=True, help="block of members, e.g. 0000-0009")
    parser.add_argument("--threads", type=int, required=True, help="processors that this job may use")
    parser.add_argument("--fingerprint", required=True, help="fingerprint of the code, stored in the output")
    parser.add_argument("--output", type=Path, required=True, help="HDF5 file to write")
    arguments = parser.parse_args()

    limit_threads(arguments.threads)
    config = read_stage_config(arguments.config, "train")
    task = PointTask.from_config(config, parse_block(arguments.members))
    path = parse_pairs(arguments.dataset, "--dataset")[config["data"]["dataset"]]
    meshes = load_meshes(path, config["data"], task.model.num_outputs)
    total = len(task.members) * task.training.num_epochs
    result = train_points(task, meshes, progress(total, "member-epochs", f"{task.arm} {arguments.members}"))
    storage.write(
        arguments.output,
        stage="train",
        attributes=file_attributes(config, arguments.fingerprint),
        arrays=block_arrays(task, result),
    )
    provenance.write_sidecar(arguments.output)


if __name__ == "__main__":
    main_guard(main)

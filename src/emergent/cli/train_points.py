"""Verb ``train_points``: one block of members of one arm on point clouds drawn from prepared meshes."""

from emergent.cli._block import training_arguments, write_result
from emergent.cli._pairs import parse_pairs
from emergent.cli._run import main_guard, progress, read_stage_config
from emergent.config.blocks import parse_block
from emergent.domains.meshes import load_meshes
from emergent.training.point_clouds import PointTask, block_arrays, train_points


def main() -> None:
    """Parses the flags, trains and writes."""
    arguments = training_arguments("train_points", __doc__)
    config = read_stage_config(arguments.config, "train")
    task = PointTask.from_config(config, parse_block(arguments.members))
    path = parse_pairs(arguments.dataset, "--dataset")[config["data"]["dataset"]]
    meshes = load_meshes(path, config["data"], task.model.num_outputs)
    total = len(task.members) * task.training.num_epochs
    result = train_points(task, meshes, progress(total, "member-epochs", f"{task.arm} {arguments.members}"))
    write_result(arguments, config, "train", block_arrays(task, result))


if __name__ == "__main__":
    main_guard(main)

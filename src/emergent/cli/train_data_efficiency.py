"""Verb ``train_data_efficiency``: one block of trials of one arm, at all sizes of the training set, to test errors."""

from emergent.cli._block import training_arguments, write_result
from emergent.cli._run import main_guard, progress, read_stage
from emergent.config.blocks import parse_block
from emergent.config.data_efficiency_training import DataEfficiencyStage
from emergent.training.data_efficiency import data_efficiency_arrays


def main() -> None:
    """Parses the flags, trains and writes."""
    arguments = training_arguments("train_data_efficiency", __doc__, datasets="none")
    stage = read_stage(arguments.config, DataEfficiencyStage)
    members = parse_block(arguments.members)
    epochs = sum(stage.train.epochs(size) for size in stage.task.sizes)
    total = len(members) * stage.network.networks * epochs
    advance = progress(total, "network-epochs", f"{stage.arm} {arguments.members}")
    write_result(arguments, stage, "train", data_efficiency_arrays(stage, members, advance))


if __name__ == "__main__":
    main_guard(main)

"""Verb ``train_unit_dynamics``: one block of trials of one arm that learns many pendulums, to errors of rollouts."""

from emergent.cli._block import training_arguments, write_result
from emergent.cli._run import main_guard, progress, read_stage
from emergent.config.blocks import parse_block
from emergent.config.unit_dynamics_training import UnitStage
from emergent.training.unit_dynamics import unit_dynamics_arrays


def main() -> None:
    """Parses the flags, trains and writes."""
    arguments = training_arguments("train_unit_dynamics", __doc__, datasets="none")
    stage = read_stage(arguments.config, UnitStage)
    members = parse_block(arguments.members)
    total = len(members) * stage.network.networks * stage.train.num_epochs
    advance = progress(total, "network-epochs", f"{stage.arm} {arguments.members}")
    write_result(arguments, stage, "train", unit_dynamics_arrays(stage, members, advance))


if __name__ == "__main__":
    main_guard(main)

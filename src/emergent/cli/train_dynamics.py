"""Verb ``train_dynamics``: one block of trials of one arm, networks that learn dynamics, to errors of rollouts."""

from emergent.cli._block import training_arguments, write_result
from emergent.cli._run import main_guard, progress, read_stage
from emergent.config.blocks import parse_block
from emergent.config.dynamics_training import DynamicsStage
from emergent.training.dynamics import dynamics_arrays


def main() -> None:
    """Parses the flags, trains and writes."""
    arguments = training_arguments("train_dynamics", __doc__, datasets="none")
    stage = read_stage(arguments.config, DynamicsStage)
    members = parse_block(arguments.members)
    total = len(members) * stage.network.networks * stage.train.num_epochs
    advance = progress(total, "network-steps", f"{stage.arm} {arguments.members}")
    write_result(arguments, stage, "train", dynamics_arrays(stage, members, advance))


if __name__ == "__main__":
    main_guard(main)

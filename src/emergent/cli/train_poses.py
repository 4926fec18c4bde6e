"""Verb ``train_poses``: a block of trials of one arm, networks that tell where joints are from an image."""

from emergent.cli._block import training_arguments, write_result
from emergent.cli._pairs import parse_pairs
from emergent.cli._run import main_guard, progress, read_stage
from emergent.config.blocks import parse_block
from emergent.config.poses import PosesStage
from emergent.domains.poses import read_poses
from emergent.training.poses import poses_arrays


def main() -> None:
    """Parses the flags, trains and writes."""
    arguments = training_arguments("train_poses", __doc__)
    stage = read_stage(arguments.config, PosesStage)
    trials = parse_block(arguments.members)
    train, test = read_poses(parse_pairs(arguments.dataset, "--dataset")[stage.dataset])
    num = len(trials) * stage.network.networks * stage.train.num_epochs
    advance = progress(num, "epochs", f"{stage.arm} {arguments.members}")
    write_result(arguments, stage, "train", poses_arrays(stage, trials, train, test, advance))


if __name__ == "__main__":
    main_guard(main)

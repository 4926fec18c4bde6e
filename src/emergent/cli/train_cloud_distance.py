"""Verb ``train_cloud_distance``: a block of trials of one arm, networks that learn distances of point clouds."""

from emergent.cli._block import training_arguments, write_result
from emergent.cli._pairs import parse_pairs
from emergent.cli._run import main_guard, progress, read_stage
from emergent.config.blocks import parse_block
from emergent.config.cloud_distance import CloudDistanceStage
from emergent.domains.cloud_pairs import read_pairs
from emergent.training.cloud_distance import cloud_distance_arrays


def main() -> None:
    """Parses the flags, trains and writes."""
    arguments = training_arguments("train_cloud_distance", __doc__)
    stage = read_stage(arguments.config, CloudDistanceStage)
    trials = parse_block(arguments.members)
    train, test = read_pairs(parse_pairs(arguments.dataset, "--dataset")[stage.dataset])
    num = len(trials) * stage.network.networks * stage.train.num_epochs
    advance = progress(num, "steps", f"{stage.arm} {arguments.members}")
    write_result(arguments, stage, "train", cloud_distance_arrays(stage, trials, train, test, advance))


if __name__ == "__main__":
    main_guard(main)

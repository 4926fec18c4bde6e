"""Verb ``train_traffic``: a block of trials of one arm, networks that predict speeds at sensors on roads."""

from emergent.cli._block import training_arguments, write_result
from emergent.cli._pairs import parse_pairs
from emergent.cli._run import main_guard, progress, read_stage
from emergent.config.blocks import parse_block
from emergent.config.traffic import TrafficStage
from emergent.domains.traffic import read_series
from emergent.training.traffic import traffic_arrays


def main() -> None:
    """Parses the flags, trains and writes."""
    arguments = training_arguments("train_traffic", __doc__)
    stage = read_stage(arguments.config, TrafficStage)
    trials = parse_block(arguments.members)
    series = read_series(parse_pairs(arguments.dataset, "--dataset")[stage.data.dataset])
    num = len(trials) * stage.network.networks * stage.train.num_epochs
    advance = progress(num, "epochs", f"{stage.arm} {arguments.members}")
    write_result(arguments, stage, "train", traffic_arrays(stage, trials, series, advance))


if __name__ == "__main__":
    main_guard(main)

"""Verb ``train_departure``: one block of runs of one arm, each trained in three ways from one equivariant point."""

from emergent.cli._block import training_arguments, write_result
from emergent.cli._pairs import parse_pairs
from emergent.cli._run import main_guard, progress, read_stage
from emergent.config.blocks import parse_block
from emergent.config.departure_training import MODES, DepartureStage
from emergent.domains.samples import load_training
from emergent.training.departure import departure_arrays


def main() -> None:
    """Parses the flags, trains and writes."""
    arguments = training_arguments("train_departure", __doc__, datasets="optional")
    stage = read_stage(arguments.config, DepartureStage)
    members = parse_block(arguments.members)
    samples = None
    if stage.data:
        paths = parse_pairs(arguments.dataset or [], "--dataset")
        samples, _ = load_training(paths[stage.data.train.dataset], stage.data)
    advance = progress(len(members) * len(MODES), "trainings", f"{stage.arm} {arguments.members}")
    write_result(arguments, stage, "train", departure_arrays(stage, members, samples, advance))


if __name__ == "__main__":
    main_guard(main)

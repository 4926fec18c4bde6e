"""Verb ``train_separation``: distances of pairs of clouds and of their invariants, over a block of repetitions."""

from emergent.cli._block import training_arguments, write_result
from emergent.cli._run import main_guard, read_stage
from emergent.config.blocks import parse_block
from emergent.config.separation import SeparationStage


def main() -> None:
    """Parses the flags, computes and writes."""
    arguments = training_arguments("train_separation", __doc__, datasets="none")
    from emergent.theorems.separation import separation_arrays

    stage = read_stage(arguments.config, SeparationStage)
    write_result(arguments, stage, "train", separation_arrays(stage, parse_block(arguments.members)))


if __name__ == "__main__":
    main_guard(main)

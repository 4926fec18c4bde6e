"""Verb ``train_black_body``: radiation learnt in one way, over a block of trials."""

from emergent.cli._block import training_arguments, write_result
from emergent.cli._run import main_guard, read_stage
from emergent.config.black_body import BlackBodyStage
from emergent.config.blocks import parse_block


def main() -> None:
    """Parses the flags, computes and writes."""
    arguments = training_arguments("train_black_body", __doc__, datasets="none")
    from emergent.units.black_body import black_body_arrays

    stage = read_stage(arguments.config, BlackBodyStage)
    write_result(arguments, stage, "train", black_body_arrays(stage, parse_block(arguments.members)))


if __name__ == "__main__":
    main_guard(main)

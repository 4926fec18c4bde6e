"""Verb ``train_bundles``: equivariant maps between sections of bundles of one arm, and their kernels."""

from emergent.cli._block import training_arguments, write_result
from emergent.cli._run import main_guard, read_stage
from emergent.config.blocks import parse_block
from emergent.config.bundles import BundleStage


def main() -> None:
    """Parses the flags, computes and writes."""
    arguments = training_arguments("train_bundles", __doc__, datasets="none")
    from emergent.theorems.bundles import bundle_arrays

    stage = read_stage(arguments.config, BundleStage)
    write_result(arguments, stage, "train", bundle_arrays(stage, parse_block(arguments.members)))


if __name__ == "__main__":
    main_guard(main)

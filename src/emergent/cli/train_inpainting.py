"""Verb ``train_inpainting``: a block of runs of one arm, networks that fill in the missing squares of images."""

from emergent.cli._block import training_arguments, write_result
from emergent.cli._pairs import parse_pairs
from emergent.cli._run import main_guard, progress, read_stage
from emergent.config.blocks import parse_block
from emergent.config.inpainting import InpaintingStage
from emergent.domains.inpainting import read_pool
from emergent.training.inpainting import inpainting_arrays


def main() -> None:
    """Parses the flags, trains and writes."""
    arguments = training_arguments("train_inpainting", __doc__)
    stage = read_stage(arguments.config, InpaintingStage)
    members = parse_block(arguments.members)
    pool = read_pool(parse_pairs(arguments.dataset, "--dataset"), stage.data)
    num = len(members) * len(stage.blocks) * stage.ensemble
    advance = progress(num, "networks", f"{stage.arm} {arguments.members}")
    write_result(arguments, stage, "train", inpainting_arrays(stage, members, pool, advance))


if __name__ == "__main__":
    main_guard(main)

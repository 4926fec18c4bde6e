"""Verb ``train_contrastive``: a block of networks of one arm, encoders that learn from images without labels."""

from emergent.cli._block import training_arguments, write_result
from emergent.cli._pairs import parse_pairs
from emergent.cli._run import main_guard, progress, read_stage
from emergent.config.blocks import parse_block
from emergent.config.contrastive import ContrastiveStage
from emergent.domains.contrastive import read_images
from emergent.training.contrastive import contrastive_arrays


def main() -> None:
    """Parses the flags, trains and writes."""
    arguments = training_arguments("train_contrastive", __doc__)
    stage = read_stage(arguments.config, ContrastiveStage)
    members = parse_block(arguments.members)
    images = read_images(parse_pairs(arguments.dataset, "--dataset"), stage.data)
    advance = progress(len(members) * stage.train.num_epochs, "network-epochs", f"{stage.arm} {arguments.members}")
    write_result(arguments, stage, "train", contrastive_arrays(stage, members, images, advance))


if __name__ == "__main__":
    main_guard(main)

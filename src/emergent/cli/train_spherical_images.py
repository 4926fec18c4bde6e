"""Verb ``train_spherical_images``: networks of one arm that learn from images on the sphere, to their tests."""

from emergent.cli._block import training_arguments, write_result
from emergent.cli._pairs import parse_pairs
from emergent.cli._run import main_guard, progress, read_stage
from emergent.config.blocks import parse_block
from emergent.config.spherical_images_training import SphereStage
from emergent.domains.spherical_images import read_planar
from emergent.training.spherical_images import spherical_images_arrays


def main() -> None:
    """Parses the flags, trains and writes."""
    arguments = training_arguments("train_spherical_images", __doc__)
    stage = read_stage(arguments.config, SphereStage)
    members = parse_block(arguments.members)
    planar = read_planar(parse_pairs(arguments.dataset, "--dataset")[stage.data.dataset], stage.data)
    advance = progress(len(members) * stage.train.num_epochs, "network-epochs", f"{stage.arm} {arguments.members}")
    arrays, times = spherical_images_arrays(stage, members, planar, advance)
    write_result(arguments, stage, "train", arrays, measured=times if stage.timed else None)


if __name__ == "__main__":
    main_guard(main)

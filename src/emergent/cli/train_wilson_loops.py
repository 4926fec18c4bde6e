"""Verb ``train_wilson_loops``: one block of networks of one arm that learn Wilson loops, to test errors."""

from emergent import storage
from emergent.cli._block import training_arguments, write_result
from emergent.cli._pairs import parse_pairs
from emergent.cli._run import main_guard, progress, read_stage
from emergent.config.blocks import parse_block
from emergent.config.wilson_loops_training import LoopStage
from emergent.training.wilson_loops import wilson_loops_arrays


def main() -> None:
    """Parses the flags, trains and writes."""
    arguments = training_arguments("train_wilson_loops", __doc__)
    stage = read_stage(arguments.config, LoopStage)
    members = parse_block(arguments.members)
    path = parse_pairs(arguments.dataset, "--dataset")[stage.data.dataset]
    splits = ("train", "validation", *(f"test_{size}" for size in stage.data.sizes))
    with storage.open_file(path, "prepare") as file:
        links = {split: storage.read_array(file, f"{split}/inputs") for split in splits}
    advance = progress(len(members) * stage.train.num_epochs, "network-epochs", f"{stage.arm} {arguments.members}")
    write_result(arguments, stage, "train", wilson_loops_arrays(stage, members, links, advance))


if __name__ == "__main__":
    main_guard(main)

"""Verb ``train_subspace``: one block of runs of one arm, trained equivariantly and then on all rotations."""

from emergent.cli._block import training_arguments, write_result
from emergent.cli._pairs import parse_pairs
from emergent.cli._run import main_guard, progress, read_stage
from emergent.config.blocks import parse_block
from emergent.config.subspace_training import SubspaceStage
from emergent.domains.samples import load_training
from emergent.training.subspace import result_arrays, train_subspace, upright


def main() -> None:
    """Parses the flags, trains and writes."""
    arguments = training_arguments("train_subspace", __doc__)
    stage = read_stage(arguments.config, SubspaceStage)
    members = parse_block(arguments.members)
    samples, _ = load_training(parse_pairs(arguments.dataset, "--dataset")[stage.data.train.dataset], stage.data)
    total = len(members) * (stage.train.equivariant.num_epochs + stage.train.augmented.num_epochs)
    advance = progress(total, "run-epochs", f"{stage.arm} {arguments.members}")
    result = train_subspace(stage, members, upright(samples), advance)
    write_result(arguments, stage, "train", result_arrays(members, result))


if __name__ == "__main__":
    main_guard(main)

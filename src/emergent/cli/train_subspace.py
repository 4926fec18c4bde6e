"""Verb ``train_subspace``: one block of runs of one arm, trained equivariantly and then on all rotations."""

from emergent.cli._block import training_arguments, write_result
from emergent.cli._pairs import parse_pairs
from emergent.cli._run import main_guard, progress, read_stage_config
from emergent.config.blocks import parse_block
from emergent.domains.samples import load_training
from emergent.training.subspace import load_images, result_arrays, subspace_task, train_subspace


def main() -> None:
    """Parses the flags, trains and writes."""
    arguments = training_arguments("train_subspace", __doc__)
    config = read_stage_config(arguments.config, "train")
    task = subspace_task(config, parse_block(arguments.members))
    datasets = parse_pairs(arguments.dataset, "--dataset")
    samples, _ = load_training(datasets[config["data"]["train"]["dataset"]], config["data"])
    total = len(task.members) * (task.phases.equivariant.num_epochs + task.phases.augmented.num_epochs)
    advance = progress(total, "run-epochs", f"{task.name} {arguments.members}")
    result = train_subspace(task, load_images(samples), advance)
    write_result(arguments, config, "train", result_arrays(task, result))


if __name__ == "__main__":
    main_guard(main)

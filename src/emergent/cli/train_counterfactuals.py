"""Verb ``train_counterfactuals``: a block of trials of one arm, samples moved to another class in X and in Z."""

from emergent.cli._block import training_arguments, write_result
from emergent.cli._pairs import parse_pairs
from emergent.cli._run import main_guard, progress, read_stage
from emergent.config.blocks import parse_block
from emergent.config.counterfactual_training import CounterfactualStage
from emergent.domains.counterfactuals import read_domain
from emergent.training.counterfactuals import counterfactual_arrays, epochs_of


def main() -> None:
    """Parses the flags, trains, attacks and writes."""
    arguments = training_arguments("train_counterfactuals", __doc__, datasets="optional")
    stage = read_stage(arguments.config, CounterfactualStage)
    trials = parse_block(arguments.members)
    domain = read_domain(parse_pairs(arguments.dataset or [], "--dataset"), stage.data)
    advance = progress(len(trials) * epochs_of(stage), "network-epochs", f"{stage.arm} {arguments.members}")
    write_result(arguments, stage, "train", counterfactual_arrays(stage, trials, domain, advance))


if __name__ == "__main__":
    main_guard(main)

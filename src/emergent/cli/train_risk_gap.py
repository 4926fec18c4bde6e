"""Verb ``train_risk_gap``: risks of linear estimators of one arm, over a block of repetitions, in float64."""

import jax

from emergent.cli._block import training_arguments, write_result
from emergent.cli._run import main_guard, read_stage
from emergent.config.blocks import parse_block
from emergent.config.risk_gap import GapStage


def main() -> None:
    """Parses the flags, computes and writes."""
    arguments = training_arguments("train_risk_gap", __doc__, datasets="none")
    # Imported here, so that a JAX release outside the tested range is reported as an error of this verb.
    from emergent.linear.risks import risk_arrays

    jax.config.update("jax_enable_x64", True)
    stage = read_stage(arguments.config, GapStage)
    write_result(arguments, stage, "train", risk_arrays(stage, parse_block(arguments.members)))


if __name__ == "__main__":
    main_guard(main)

"""Verb ``train_discretisation``: a block of training sets of one arm, learnt by infinitely wide networks in float64."""

import jax

from emergent.cli._block import training_arguments, write_result
from emergent.cli._run import main_guard, read_stage
from emergent.config.blocks import parse_block
from emergent.config.discretisation import DiscretisationStage


def main() -> None:
    """Parses the flags, computes and writes."""
    arguments = training_arguments("train_discretisation", __doc__, datasets="none")
    # Imported here, so that a JAX release outside the tested range is reported as an error of this verb.
    from emergent.prediction.discretisation import discretisation_arrays

    jax.config.update("jax_enable_x64", True)
    stage = read_stage(arguments.config, DiscretisationStage)
    write_result(arguments, stage, "train", discretisation_arrays(stage, parse_block(arguments.members)))


if __name__ == "__main__":
    main_guard(main)

"""Verb ``train_kernel_convergence``: kernels of a block of random networks of one arm, in float64."""

import jax

from emergent.cli._block import training_arguments, write_result
from emergent.cli._run import main_guard, progress, read_stage
from emergent.config.blocks import parse_block
from emergent.config.kernel_convergence import ConvergenceStage


def main() -> None:
    """Parses the flags, computes and writes."""
    arguments = training_arguments("train_kernel_convergence", __doc__, datasets="none")
    # Imported here, so that a JAX release outside the tested range is reported as an error of this verb.
    from emergent.prediction.kernel_convergence import convergence_arrays

    jax.config.update("jax_enable_x64", True)
    stage = read_stage(arguments.config, ConvergenceStage)
    members = parse_block(arguments.members)
    advance = progress(len(members) * len(stage.widths), "networks", f"{stage.arm} {arguments.members}")
    write_result(arguments, stage, "train", convergence_arrays(stage, members, advance))


if __name__ == "__main__":
    main_guard(main)

"""Verb ``train_kernel_regression``: random splits of one arm, learnt by infinitely wide networks in float64."""

import jax

from emergent.cli._block import training_arguments, write_result
from emergent.cli._pairs import parse_pairs
from emergent.cli._run import main_guard, progress, read_stage
from emergent.config.base import canonical_json
from emergent.config.blocks import parse_block
from emergent.config.kernel_regression import KernelRegressionStage


def main() -> None:
    """Parses the flags, computes and writes."""
    arguments = training_arguments("train_kernel_regression", __doc__)
    # Imported here, so that a JAX release outside the tested range is reported as an error of this verb.
    from emergent.domains.samples import load_training
    from emergent.kernels.tile_store import TileStore
    from emergent.prediction.kernel_regression import kernel_regression_arrays

    jax.config.update("jax_enable_x64", True)
    stage = read_stage(arguments.config, KernelRegressionStage)
    paths = parse_pairs(arguments.dataset or [], "--dataset")
    samples, _ = load_training(paths[stage.data.train.dataset], stage.data)
    members = parse_block(arguments.members)
    advance = progress(len(members), "splits", f"{stage.arm} {arguments.members}")
    # Beside the result, until that is written: what is finished of a run that is cut short is found again.
    store = TileStore(arguments.output.with_suffix(".tiles"), canonical_json(stage) + arguments.fingerprint)
    write_result(arguments, stage, "train", kernel_regression_arrays(stage, members, samples, advance, store=store))
    store.remove()


if __name__ == "__main__":
    main_guard(main)

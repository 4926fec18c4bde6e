"""Verb ``train_equal_means``: augmented, equivariant and plain infinite ensembles of one arm, in float64."""

import jax

from emergent.cli._block import training_arguments, write_result
from emergent.cli._pairs import parse_pairs
from emergent.cli._run import main_guard, progress, read_stage
from emergent.config.blocks import parse_block
from emergent.config.equal_means import MeansStage


def main() -> None:
    """Parses the flags, computes and writes."""
    arguments = training_arguments("train_equal_means", __doc__)
    # Imported here, so that a JAX release outside the tested range is reported as an error of this verb.
    from emergent.domains.samples import load_training
    from emergent.prediction.equal_means import equal_means_arrays

    jax.config.update("jax_enable_x64", True)
    stage = read_stage(arguments.config, MeansStage)
    paths = parse_pairs(arguments.dataset or [], "--dataset")
    samples, _ = load_training(paths[stage.data.train.dataset], stage.data)
    members = parse_block(arguments.members)
    advance = progress(len(members), "draws", f"{stage.arm} {arguments.members}")
    write_result(arguments, stage, "train", equal_means_arrays(stage, members, samples, advance))


if __name__ == "__main__":
    main_guard(main)

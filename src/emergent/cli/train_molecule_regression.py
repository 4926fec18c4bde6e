"""Verb ``train_molecule_regression``: random splits of one arm, learnt by infinitely wide networks in float64."""

import jax

from emergent.cli._block import training_arguments, write_result
from emergent.cli._pairs import parse_pairs
from emergent.cli._run import main_guard, progress, read_stage
from emergent.config.blocks import parse_block
from emergent.config.molecule_regression import MoleculeStage


def main() -> None:
    """Parses the flags, computes and writes."""
    arguments = training_arguments("train_molecule_regression", __doc__)
    # Imported here, so that a JAX release outside the tested range is reported as an error of this verb.
    from emergent.domains.atoms import read_molecules
    from emergent.prediction.molecule_regression import molecule_regression_arrays

    jax.config.update("jax_enable_x64", True)
    stage = read_stage(arguments.config, MoleculeStage)
    paths = parse_pairs(arguments.dataset or [], "--dataset")
    molecules = read_molecules(paths[stage.data.dataset], stage.data)
    members = parse_block(arguments.members)
    advance = progress(len(members), "splits", f"{stage.arm} {arguments.members}")
    write_result(arguments, stage, "train", molecule_regression_arrays(stage, members, molecules, advance))


if __name__ == "__main__":
    main_guard(main)

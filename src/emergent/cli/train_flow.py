"""Verb ``train_flow``: one block of particles of one arm, drawn and pushed by a gradient flow in the plane."""

from emergent.cli._block import training_arguments, write_result
from emergent.cli._run import main_guard, read_stage_config
from emergent.config.blocks import parse_block
from emergent.flows.particles import flow_arrays


def main() -> None:
    """Parses the flags, integrates and writes."""
    arguments = training_arguments("train_flow", __doc__, datasets="none")
    config = read_stage_config(arguments.config, "train")
    write_result(arguments, config, "train", flow_arrays(config, parse_block(arguments.members)))


if __name__ == "__main__":
    main_guard(main)

"""Verb ``train_flow``: one block of particles of one arm, drawn and pushed by a gradient flow in the plane."""

from emergent.cli._block import training_arguments, write_result
from emergent.cli._run import main_guard, read_stage
from emergent.config.blocks import parse_block
from emergent.config.flow import FlowStage
from emergent.flows.particles import flow_arrays


def main() -> None:
    """Parses the flags, integrates and writes."""
    arguments = training_arguments("train_flow", __doc__, datasets="none")
    stage = read_stage(arguments.config, FlowStage)
    write_result(arguments, stage, "train", flow_arrays(stage, parse_block(arguments.members)))


if __name__ == "__main__":
    main_guard(main)

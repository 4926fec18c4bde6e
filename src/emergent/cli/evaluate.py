"""Verb ``evaluate``: one trained block on the orbits of all evaluation sets, reduced to what metrics need."""

from emergent.cli._block import evaluation_arguments, write_result
from emergent.cli._pairs import parse_pairs
from emergent.cli._run import main_guard, progress, read_stage
from emergent.config.blocks import parse_block
from emergent.config.stages import EvaluateStage
from emergent.domains.registry import orbit_sets
from emergent.evaluation.costs import cost_arrays
from emergent.evaluation.orbits import evaluate_block
from emergent.training.blocks import read_members


def main() -> None:
    """Parses the flags, evaluates and writes."""
    arguments = evaluation_arguments("evaluate", __doc__)
    stage = read_stage(arguments.config, EvaluateStage)
    sets = orbit_sets(stage, parse_pairs(arguments.dataset, "--dataset"))
    block = read_members(arguments.block, parse_block(arguments.members))
    total = len(block[1]) * len(block[2]) * len(sets)
    advance = progress(total, "member-checkpoints", f"{stage.arm} {arguments.block.stem}")
    found = evaluate_block(stage, block, sets, advance)
    write_result(arguments, stage, "evaluate", found | (cost_arrays(stage) if stage.evaluate.costs else {}))


if __name__ == "__main__":
    main_guard(main)

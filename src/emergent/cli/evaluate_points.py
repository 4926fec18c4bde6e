"""Verb ``evaluate_points``: logits of one trained block on every evaluation cloud, unrotated and rotated."""

from emergent.cli._block import evaluation_arguments, write_result
from emergent.cli._pairs import parse_pairs
from emergent.cli._run import main_guard, progress, read_stage_config
from emergent.domains.meshes import load_meshes
from emergent.evaluation.point_clouds import evaluate_points
from emergent.training.tasks import read_block


def main() -> None:
    """Parses the flags, evaluates and writes."""
    arguments = evaluation_arguments("evaluate_points", __doc__)
    config = read_stage_config(arguments.config, "evaluate")
    paths = parse_pairs(arguments.dataset, "--dataset")
    sets = {name: load_meshes(paths[part["dataset"]], part) for name, part in config["data"].items()}
    block = read_block(arguments.block)
    advance = progress(len(block[1]) * len(sets), "member-sets", f"{config['arm']} {arguments.block.stem}")
    arrays = evaluate_points(config, block, sets, advance)
    write_result(arguments, config, "evaluate", arrays)


if __name__ == "__main__":
    main_guard(main)

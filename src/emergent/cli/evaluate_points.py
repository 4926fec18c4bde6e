"""Verb ``evaluate_points``: logits of one trained block on every evaluation cloud, unrotated and rotated."""

import argparse
from pathlib import Path

from emergent import provenance, storage
from emergent.cli._pairs import parse_pairs
from emergent.cli._run import file_attributes, limit_threads, main_guard, progress, read_stage_config
from emergent.training.mesh_samples import load_meshes
from emergent.training.point_evaluation import evaluate_points
from emergent.training.tasks import read_block


def main() -> None:
    """Parses the flags, evaluates and writes."""
    parser = argparse.ArgumentParser(prog="python -m emergent.cli.evaluate_points", description=__doc__)
    parser.add_argument("--config", type=Path, required=True, help="canonical JSON of the stage 'evaluate' of one arm")
    parser.add_argument("--block", type=Path, required=True, help="trained block")
    parser.add_argument(
        "--dataset", action="append", required=True, metavar="NAME=PATH", help="prepared data; repeatable"
    )
    parser.add_argument("--threads", type=int, required=True, help="processors that this job may use")
    parser.add_argument("--fingerprint", required=True, help="fingerprint of the code, stored in the output")
    parser.add_argument("--output", type=Path, required=True, help="HDF5 file to write")
    arguments = parser.parse_args()

    limit_threads(arguments.threads)
    config = read_stage_config(arguments.config, "evaluate")
    paths = parse_pairs(arguments.dataset, "--dataset")
    sets = {name: load_meshes(paths[part["dataset"]], part) for name, part in config["data"].items()}
    block = read_block(arguments.block)
    advance = progress(len(block[1]) * len(sets), "member-sets", f"{config['arm']} {arguments.block.stem}")
    arrays = evaluate_points(config, block, sets, advance)
    attributes = file_attributes(config, arguments.fingerprint)
    storage.write(arguments.output, stage="evaluate", attributes=attributes, arrays=arrays)
    provenance.write_sidecar(arguments.output)


if __name__ == "__main__":
    main_guard(main)

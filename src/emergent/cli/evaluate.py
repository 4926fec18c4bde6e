"""Verb ``evaluate``: one trained block on the orbits of all evaluation sets, reduced to what metrics need."""

import argparse
from pathlib import Path

from emergent import provenance, storage
from emergent.cli._pairs import parse_pairs
from emergent.cli._run import file_attributes, limit_threads, main_guard, progress, read_stage_config
from emergent.training.evaluate import evaluate_block
from emergent.training.samples import load_evaluation, load_training
from emergent.training.tasks import evaluation_action, model_from, read_block


def main() -> None:
    """Parses the flags, evaluates and writes."""
    parser = argparse.ArgumentParser(prog="python -m emergent.cli.evaluate", description=__doc__)
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
    datasets = parse_pairs(arguments.dataset, "--dataset")
    data = config["data"]
    _, scaling = load_training(datasets[data["train"]["dataset"]], data)
    samples = {
        name: load_evaluation(datasets[entry["dataset"]], data, name, scaling)
        for name, entry in data["evaluate"].items()
    }
    block = read_block(arguments.block)
    total = len(block[1]) * len(block[2]) * len(samples)
    arrays = evaluate_block(
        model_from(config),
        block,
        samples,
        {name: evaluation_action(config, scaling, name) for name in samples},
        config["evaluate"],
        progress(total, "member-checkpoints", f"{config['arm']} {arguments.block.stem}"),
    )
    attributes = file_attributes(config, arguments.fingerprint)
    storage.write(arguments.output, stage="evaluate", attributes=attributes, arrays=arrays)
    provenance.write_sidecar(arguments.output)


if __name__ == "__main__":
    main_guard(main)

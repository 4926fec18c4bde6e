"""Verb ``summarise``: all evaluated blocks of an experiment to the small tables that figures and claims read."""

import argparse
from pathlib import Path

import numpy as np

from emergent import provenance, storage
from emergent.cli._pairs import parse_pairs
from emergent.cli._run import file_attributes, main_guard, read_stage_config
from emergent.storage import Array
from emergent.summaries.registry import summarise


def main() -> None:
    """Parses the flags, summarises and writes."""
    parser = argparse.ArgumentParser(prog="python -m emergent.cli.summarise", description=__doc__)
    parser.add_argument("--config", type=Path, required=True, help="canonical JSON of the stage 'summary'")
    parser.add_argument(
        "--block", action="append", required=True, metavar="ARM=PATH", help="evaluated block; repeatable"
    )
    parser.add_argument("--kernel", type=Path, help="infinite-width predictions, where the experiment has them")
    parser.add_argument("--samples", type=Path, help="prepared data whose first nine test inputs are kept for a figure")
    parser.add_argument("--fingerprint", required=True, help="fingerprint of the code, stored in the output")
    parser.add_argument("--output", type=Path, required=True, help="HDF5 file to write")
    arguments = parser.parse_args()

    config = read_stage_config(arguments.config, "summary")
    blocks: dict[str, list[Path]] = {arm: [] for arm in config["arm_order"]}
    for item in arguments.block:
        ((arm, path),) = parse_pairs([item], "--block").items()
        blocks[arm].append(path)
    tables = summarise(config, blocks, arguments.kernel)
    arrays = {}
    if arguments.samples:
        tiles = storage.read_arrays(arguments.samples, ["test/inputs"], "prepare")["test/inputs"][:9]
        arrays["ood_samples"] = Array(tiles.astype(np.float32), ("sample", "row", "column", "channel"))
    attributes = file_attributes(config, arguments.fingerprint)
    storage.write(
        arguments.output, stage="summary", attributes=attributes, arrays=arrays, tables=tables, allow_nan=True
    )
    provenance.write_sidecar(arguments.output)


if __name__ == "__main__":
    main_guard(main)

"""Verb ``train_permutations``: one block of runs of one arm on graphs, from an equivariant start."""

import argparse
from pathlib import Path

from emergent import provenance, storage
from emergent.cli._run import file_attributes, limit_threads, main_guard, progress, read_stage_config
from emergent.training.permutations import permutation_arrays
from emergent.training.tasks import parse_block


def main() -> None:
    """Parses the flags, trains and writes."""
    parser = argparse.ArgumentParser(prog="python -m emergent.cli.train_permutations", description=__doc__)
    parser.add_argument("--config", type=Path, required=True, help="canonical JSON of the stage 'train' of one arm")
    parser.add_argument("--members", required=True, help="block of runs, e.g. 0000-0009")
    parser.add_argument("--threads", type=int, required=True, help="processors that this job may use")
    parser.add_argument("--fingerprint", required=True, help="fingerprint of the code, stored in the output")
    parser.add_argument("--output", type=Path, required=True, help="HDF5 file to write")
    arguments = parser.parse_args()

    limit_threads(arguments.threads)
    config = read_stage_config(arguments.config, "train")
    members = parse_block(arguments.members)
    advance = progress(len(members), "runs", f"{config['arm']} {arguments.members}")
    storage.write(
        arguments.output,
        stage="train",
        attributes=file_attributes(config, arguments.fingerprint),
        arrays=permutation_arrays(config, members, advance),
    )
    provenance.write_sidecar(arguments.output)


if __name__ == "__main__":
    main_guard(main)

"""What the verbs that train one block share: their flags, and how the block is written."""

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from emergent import provenance, storage
from emergent.cli._run import file_attributes, limit_threads
from emergent.storage import Array


def block_arguments(
    verb: str, description: str | None, datasets: Literal["required", "optional", "none"] = "required"
) -> argparse.Namespace:
    """Returns the parsed flags of a training verb, and keeps the job to its processors.

    Args:
        verb: name of the verb.
        description: its module docstring.
        datasets: whether it reads prepared data always, in some experiments or never.
    """
    parser = argparse.ArgumentParser(prog=f"python -m emergent.cli.{verb}", description=description)
    parser.add_argument("--config", type=Path, required=True, help="canonical JSON of the stage 'train' of one arm")
    if datasets != "none":
        required = datasets == "required"
        parser.add_argument(
            "--dataset", action="append", required=required, metavar="NAME=PATH", help="prepared data; repeatable"
        )
    parser.add_argument("--members", required=True, help="block of members, e.g. 0000-0099")
    parser.add_argument(
        "--resume", type=Path, help="the same block after fewer epochs; networks on images go on from it"
    )
    parser.add_argument("--threads", type=int, required=True, help="processors that this job may use")
    parser.add_argument("--fingerprint", required=True, help="fingerprint of the code, stored in the output")
    parser.add_argument("--output", type=Path, required=True, help="HDF5 file to write")
    arguments = parser.parse_args()
    limit_threads(arguments.threads)
    return arguments


def write_block(
    arguments: argparse.Namespace,
    config: dict[str, Any],
    arrays: Mapping[str, Array],
    attributes: Mapping[str, str] | None = None,
) -> None:
    """Writes a trained block and its provenance; without attributes, with those of every file."""
    attributes = attributes or file_attributes(config, arguments.fingerprint)
    storage.write(arguments.output, stage="train", attributes=attributes, arrays=arrays)
    provenance.write_sidecar(arguments.output)

"""What the verbs that train or evaluate one block share: their flags, and how the result is written."""

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from emergent import provenance, storage
from emergent.cli._pairs import parse_pairs
from emergent.cli._run import file_attributes, prepare_xla
from emergent.config.stages import Stage
from emergent.storage import Array


def training_arguments(
    verb: str,
    description: str | None,
    datasets: Literal["required", "optional", "none"] = "required",
    *,
    resumes: bool = False,
) -> argparse.Namespace:
    """Returns the parsed flags of a training verb, and keeps the job to its processors.

    Args:
        verb: name of the verb.
        description: its module docstring.
        datasets: whether it reads prepared data always, in some experiments or never.
        resumes: whether it goes on from a shorter training.
    """
    parser = argparse.ArgumentParser(prog=f"python -m emergent.cli.{verb}", description=description)
    parser.add_argument("--config", type=Path, required=True, help="canonical JSON of the stage 'train' of one arm")
    if datasets != "none":
        required = datasets == "required"
        parser.add_argument(
            "--dataset", action="append", required=required, metavar="NAME=PATH", help="prepared data; repeatable"
        )
    parser.add_argument("--members", required=True, help="block of members, e.g. 0000-0099")
    if resumes:
        parser.add_argument(
            "--resume", type=Path, help="the same block after fewer epochs; plain gradient descent goes on from it"
        )
    return _parse(parser)


def evaluation_arguments(verb: str, description: str | None) -> argparse.Namespace:
    """Returns the parsed flags of an evaluating verb, and keeps the job to its processors.

    Args:
        verb: name of the verb.
        description: its module docstring.
    """
    parser = argparse.ArgumentParser(prog=f"python -m emergent.cli.{verb}", description=description)
    parser.add_argument("--config", type=Path, required=True, help="canonical JSON of the stage 'evaluate' of one arm")
    parser.add_argument("--block", type=Path, required=True, help="trained block")
    parser.add_argument("--members", required=True, help="those of the block that are evaluated, e.g. 0000-0099")
    parser.add_argument(
        "--dataset", action="append", required=True, metavar="NAME=PATH", help="prepared data; repeatable"
    )
    return _parse(parser)


def _parse(parser: argparse.ArgumentParser) -> argparse.Namespace:
    """Returns the parsed flags, those of every job among them, and keeps the job to its processors."""
    parser.add_argument("--threads", type=int, required=True, help="processors that this job may use")
    parser.add_argument("--fingerprint", required=True, help="fingerprint of the code, stored in the output")
    parser.add_argument("--output", type=Path, required=True, help="HDF5 file to write")
    arguments = parser.parse_args()
    prepare_xla(arguments.threads)
    return arguments


def write_result(
    arguments: argparse.Namespace,
    settings: Stage,
    stage: Literal["train", "evaluate"],
    arrays: Mapping[str, Array],
    attributes: Mapping[str, str] | None = None,
    measured: Mapping[str, float] | None = None,
) -> None:
    """Writes a trained or evaluated block and its provenance; without attributes, with those of every file.

    What was ``measured`` differs from run to run and goes with the provenance.
    """
    attributes = attributes or file_attributes(settings, arguments.fingerprint)
    storage.write(arguments.output, stage=stage, attributes=attributes, arrays=arrays)
    extra = None if measured is None else {"measured": dict(measured)}
    provenance.write_sidecar(arguments.output, extra, inputs=_inputs(arguments))


def _inputs(arguments: argparse.Namespace) -> list[Path]:
    """Returns the files that a block was made of. A shorter training that it went on from changes nothing in it."""
    datasets = parse_pairs(getattr(arguments, "dataset", None) or [], "--dataset").values()
    block = getattr(arguments, "block", None)
    return [arguments.config, *datasets, *([block] if block else [])]

"""Verb ``summarise``: all evaluated blocks of an experiment to the small tables that figures and claims read."""

import argparse
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path

import numpy as np

from emergent import provenance, storage
from emergent.cli._environment import ACCELERATOR
from emergent.cli._pairs import parse_pairs
from emergent.cli._run import file_attributes, main_guard, read_stage
from emergent.config.questions import EnsembleSummary
from emergent.config.stages import SummaryStage
from emergent.errors import ConfigError
from emergent.kinds import KINDS
from emergent.statistics.computing import Computing, computing_on
from emergent.storage import Array
from emergent.summaries.infinite_width import infinite_width_table

ACCELERATOR_FLOATS = 2**27
"""Of ensembles' outputs that exist at a time on an accelerator: with all that is made of them some 10 GB."""
NUM_SHOWN = 9
"""Samples that are kept for a figure of the inputs themselves."""


def read_summary_stage(path: Path) -> SummaryStage:
    """Returns the settings of the summary, in the class of the experiment's kind."""
    try:
        kind = json.loads(path.read_text(encoding="utf-8")).get("kind")
    except (OSError, ValueError, AttributeError) as error:
        raise ConfigError(f"{path}: not a readable stage configuration: {error}") from None
    if kind not in KINDS:
        raise ConfigError(f"{path}: kind: expected one of {', '.join(KINDS)}, found {kind!r}.")
    return read_stage(path, KINDS[kind].settings)


@contextmanager
def accelerator() -> Iterator[None]:
    """Computes on JAX's default device, in the precision of a host."""
    # Only here: on a host summaries do without JAX, whose import takes longer than most of them.
    import jax
    import jax.numpy as jnp

    with (
        jax.enable_x64(True),
        jax.default_matmul_precision("highest"),
        computing_on(Computing(jnp.asarray, jax.jit, ACCELERATOR_FLOATS, row_multiple=1024)),
    ):
        yield


def main() -> None:
    """Parses the flags, summarises and writes."""
    parser = argparse.ArgumentParser(prog="python -m emergent.cli.summarise", description=__doc__)
    parser.add_argument("--config", type=Path, required=True, help="canonical JSON of the stage 'summary'")
    parser.add_argument(
        "--block", action="append", required=True, metavar="ARM=PATH", help="evaluated block; repeatable"
    )
    parser.add_argument(
        "--prediction", action="append", default=[], metavar="ARM=PATH", help="infinitely wide ensemble; repeatable"
    )
    parser.add_argument("--samples", type=Path, help="prepared data whose first nine test inputs are kept for a figure")
    parser.add_argument("--fingerprint", required=True, help="fingerprint of the code, stored in the output")
    parser.add_argument("--output", type=Path, required=True, help="HDF5 file to write")
    arguments = parser.parse_args()

    stage = read_summary_stage(arguments.config)
    blocks: dict[str, list[Path]] = {arm.name: [] for arm in stage.arms}
    for item in arguments.block:
        ((arm, path),) = parse_pairs([item], "--block").items()
        if arm not in blocks:
            raise ConfigError(f"--block {item}: expected one of the arms {', '.join(blocks)}, found {arm!r}.")
        blocks[arm].append(path)
    predictions = parse_pairs(arguments.prediction, "--prediction")
    with accelerator() if os.environ.get(ACCELERATOR) else nullcontext():
        tables = KINDS[stage.kind].summary()(stage, blocks, predictions)
    if predictions and isinstance(stage, EnsembleSummary):
        tables = {**tables, "infinite_width": infinite_width_table(stage, blocks, predictions)}
    arrays = {}
    if arguments.samples:
        tiles = storage.read_arrays(arguments.samples, ["test/inputs"], "prepare")["test/inputs"][:NUM_SHOWN]
        arrays["ood_samples"] = Array(tiles.astype(np.float32), ("sample", "row", "column", "channel"))
    attributes = file_attributes(stage, arguments.fingerprint)
    # NaN stands for errors that could not be estimated.
    storage.write(
        arguments.output, stage="summary", attributes=attributes, arrays=arrays, tables=tables, allow_nan=True
    )
    evaluated = [path for paths in blocks.values() for path in paths]
    samples = [arguments.samples] if arguments.samples else []
    provenance.write_sidecar(arguments.output, inputs=[arguments.config, *evaluated, *predictions.values(), *samples])


if __name__ == "__main__":
    main_guard(main)

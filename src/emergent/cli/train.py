"""Verb ``train``: one block of members of one arm, from a prepared data set to parameters at checkpoints.

Where there is a block to resume that was trained in the very same way for fewer epochs, training goes on from there.
"""

import sys

from emergent.cli._block import training_arguments, write_result
from emergent.cli._pairs import parse_pairs
from emergent.cli._run import file_attributes, main_guard, progress, read_stage
from emergent.config.blocks import parse_block
from emergent.config.stages import TrainStage
from emergent.domains.registry import training_data
from emergent.training.blocks import data_digest, earlier_epochs, result_arrays
from emergent.training.engine import train_block


def main() -> None:
    """Parses the flags, trains and writes."""
    arguments = training_arguments("train", __doc__, resumes=True)
    stage = read_stage(arguments.config, TrainStage)
    members = parse_block(arguments.members)
    data = training_data(stage, parse_pairs(arguments.dataset, "--dataset"))
    # Prepared data are not in the configuration: only their digest tells whether a block to resume saw the same ones.
    attributes = file_attributes(stage, arguments.fingerprint) | {"data_digest": data_digest(data)}
    start = earlier_epochs(arguments.resume, attributes, stage, members) if arguments.resume else None
    done = start.epochs[-1] if start else 0
    if start:
        print(f"{arguments.resume}: trained for {done} epochs already; going on from there.", file=sys.stderr)
    total = len(members) * (stage.train.num_epochs - done)
    label = f"{stage.arm} {arguments.members}"
    advance = progress(total, "member-epochs", label, samples_per_unit=data.num_samples)
    result = train_block(stage, members, data, on_progress=advance, start=start)
    write_result(arguments, stage, "train", result_arrays(members, result), attributes)


if __name__ == "__main__":
    main_guard(main)

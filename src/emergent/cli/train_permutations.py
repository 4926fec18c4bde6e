"""Verb ``train_permutations``: one block of runs of one arm on graphs, from an equivariant start."""

from emergent.cli._block import block_arguments, write_block
from emergent.cli._run import main_guard, progress, read_stage_config
from emergent.training.permutations import permutation_arrays
from emergent.training.tasks import parse_block


def main() -> None:
    """Parses the flags, trains and writes."""
    arguments = block_arguments("train_permutations", __doc__, datasets=False)
    config = read_stage_config(arguments.config, "train")
    members = parse_block(arguments.members)
    advance = progress(len(members), "runs", f"{config['arm']} {arguments.members}")
    write_block(arguments, config, permutation_arrays(config, members, advance))


if __name__ == "__main__":
    main_guard(main)

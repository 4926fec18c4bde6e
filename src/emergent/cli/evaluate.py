"""Verb ``evaluate``: one trained block on the orbits of all evaluation sets, reduced to what metrics need."""

from emergent.cli._block import evaluation_arguments, write_result
from emergent.cli._pairs import parse_pairs
from emergent.cli._run import main_guard, progress, read_stage_config
from emergent.domains.samples import load_evaluation, load_training
from emergent.evaluation.orbits import evaluate_block
from emergent.training.tasks import evaluation_action, model_from, read_block


def main() -> None:
    """Parses the flags, evaluates and writes."""
    arguments = evaluation_arguments("evaluate", __doc__)
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
    write_result(arguments, config, "evaluate", arrays)


if __name__ == "__main__":
    main_guard(main)

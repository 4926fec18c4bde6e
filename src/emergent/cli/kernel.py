"""Verb ``kernel``: prediction of the infinitely wide ensemble on the orbits of all evaluation sets, in float64."""

import argparse
from pathlib import Path

import jax

from emergent import provenance, storage
from emergent.cli._pairs import parse_pairs
from emergent.cli._run import file_attributes, limit_threads, main_guard, read_stage_config
from emergent.domains.samples import load_evaluation, load_training


def main() -> None:
    """Parses the flags, computes and writes."""
    parser = argparse.ArgumentParser(prog="python -m emergent.cli.kernel", description=__doc__)
    parser.add_argument("--config", type=Path, required=True, help="canonical JSON of the stage 'kernel'")
    parser.add_argument(
        "--dataset", action="append", required=True, metavar="NAME=PATH", help="prepared data; repeatable"
    )
    parser.add_argument("--threads", type=int, required=True, help="processors that this job may use")
    parser.add_argument("--fingerprint", required=True, help="fingerprint of the code, stored in the output")
    parser.add_argument("--output", type=Path, required=True, help="HDF5 file to write")
    arguments = parser.parse_args()

    # Imported here, so that a JAX release outside the tested range is reported as an error of this verb.
    from emergent.prediction.infinite import infinite_predictions
    from emergent.prediction.readings import readings_table

    limit_threads(arguments.threads)
    jax.config.update("jax_enable_x64", True)
    config = read_stage_config(arguments.config, "kernel")
    datasets = parse_pairs(arguments.dataset, "--dataset")
    data = config["data"]
    training, scaling = load_training(datasets[data["train"]["dataset"]], data)
    samples = {
        name: load_evaluation(datasets[entry["dataset"]], data, name, scaling)
        for name, entry in data["evaluate"].items()
    }
    arrays = infinite_predictions(config, training, samples)
    attributes = file_attributes(config, arguments.fingerprint)
    tables = {"readings": readings_table(config, datasets)}
    storage.write(arguments.output, stage="kernel", attributes=attributes, arrays=arrays, tables=tables)
    provenance.write_sidecar(arguments.output)


if __name__ == "__main__":
    main_guard(main)

"""Verb ``predict``: the infinitely wide ensemble of one arm on the orbits of all evaluation sets, in float64."""

import argparse
from pathlib import Path

import jax

from emergent import provenance, storage
from emergent.cli._pairs import parse_pairs
from emergent.cli._run import file_attributes, main_guard, prepare_xla, read_stage
from emergent.config.stages import PredictStage
from emergent.domains.registry import test_samples, training_data


def main() -> None:
    """Parses the flags, computes and writes."""
    parser = argparse.ArgumentParser(prog="python -m emergent.cli.predict", description=__doc__)
    parser.add_argument("--config", type=Path, required=True, help="canonical JSON of the stage 'predict' of one arm")
    parser.add_argument(
        "--dataset", action="append", required=True, metavar="NAME=PATH", help="prepared data; repeatable"
    )
    parser.add_argument("--threads", type=int, required=True, help="processors that this job may use")
    parser.add_argument("--fingerprint", required=True, help="fingerprint of the code, stored in the output")
    parser.add_argument("--output", type=Path, required=True, help="HDF5 file to write")
    arguments = parser.parse_args()

    # Imported here, so that a JAX release outside the tested range is reported as an error of this verb.
    from emergent.prediction.infinite import infinite_predictions, prediction_arrays
    from emergent.prediction.readings import readings_table

    prepare_xla(arguments.threads)
    # In this verb alone: training and evaluation stay in float32.
    jax.config.update("jax_enable_x64", True)
    stage = read_stage(arguments.config, PredictStage)
    datasets = parse_pairs(arguments.dataset, "--dataset")
    data = training_data(stage, datasets)
    learning_rate, predictions = infinite_predictions(stage, data, test_samples(stage, datasets))
    storage.write(
        arguments.output,
        stage="predict",
        attributes=file_attributes(stage, arguments.fingerprint),
        arrays=prediction_arrays(stage, learning_rate, predictions),
        tables={"readings": readings_table(stage, datasets)} if stage.readings else None,
    )
    provenance.write_sidecar(arguments.output, inputs=[arguments.config, *datasets.values()])


if __name__ == "__main__":
    main_guard(main)

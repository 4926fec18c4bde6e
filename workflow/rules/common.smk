# Reads and validates all configuration; the only place with Python beyond one-line input functions.
#
# PLAN knows every experiment at every scale; CODE maps a command-line verb to the fingerprint of all code behind it.

import shlex
import sys
from pathlib import Path

# Jobs run in the environment of this snakemake and find the package there or, not installed, beside the Snakefile.
SOURCE = Path(workflow.basedir) / "src"
sys.path.insert(0, str(SOURCE))
shell.prefix(
    f"export PATH={shlex.quote(str(Path(sys.executable).parent))}:$PATH PYTHONPATH={shlex.quote(str(SOURCE))};"
    " set -euo pipefail; "
)

from emergent.config.plan import Plan
from emergent.errors import EmergentError
from emergent.fingerprint import code_fingerprint

try:
    PLAN = Plan(config, Path(workflow.basedir) / "config")
except EmergentError as error:
    # One readable message; a traceback through the workflow engine would bury it.
    sys.exit(f"error: {error}")

CODE = {
    verb: code_fingerprint(f"emergent.cli.{verb}", SOURCE)
    for verb in (
        "kernel",
        *PLAN.all_verbs(),
        "summarise",
        "figure",
        "table",
        "claims",
        "report_page",
    )
}


wildcard_constraints:
    scale="smoke|laptop|paper",
    experiment="|".join(PLAN.names),
    arm="[a-z][a-z0-9_]*",
    stage="[a-z][a-z0-9_]*",
    dataset="[a-z][a-z0-9_]*",
    paper="[a-z][a-z0-9_]*",
    name="[a-z][a-z0-9_]*",
    block="[0-9]+-[0-9]+",


def dataset_code(dataset):
    """Returns the fingerprint of the code that prepares one data set."""
    modules = (
        f"emergent.datasets.{PLAN.registry.entry(dataset).module}",
        "emergent.datasets.prepared",
    )
    return "+".join(code_fingerprint(module, SOURCE) for module in modules)


def prepared(wildcards, stage="evaluate"):
    """Returns name and path of every prepared data set that a stage of an experiment reads."""
    names = PLAN.datasets(wildcards.scale, wildcards.experiment, stage)
    return {name: f"results/datasets/{name}/prepared.h5" for name in names}


def prepared_for_kernel(wildcards):
    """Returns name and path of every prepared data set that the kernel stage reads."""
    return prepared(wildcards, "kernel")


def prepared_for_training(wildcards):
    """Returns name and path of every prepared data set that training reads."""
    return prepared(wildcards, "train")


def dataset_flags(wildcards, stage):
    """Returns the flags that name the prepared data sets of a stage."""
    return [
        f"--dataset {name}={path}" for name, path in prepared(wildcards, stage).items()
    ]


def verb(wildcards, stage):
    """Returns the command-line verb of a stage; kinds without a stage have none, and no rule asks for it."""
    return PLAN.verb(wildcards.scale, wildcards.experiment, stage) or "validate"


def final_stage(scale, experiment):
    """Returns the stage whose files the summary reads."""
    return "evaluate" if PLAN.verb(scale, experiment, "evaluate") else "train"


def evaluated(wildcards):
    """Returns the blocks of all arms that the summary of an experiment reads."""
    stage = final_stage(wildcards.scale, wildcards.experiment)
    folder = f"results/{wildcards.scale}/{wildcards.experiment}/{stage}"
    return [
        f"{folder}/{block}"
        for block in PLAN.blocks(wildcards.scale, wildcards.experiment)
    ]


def figure_files(scale):
    """Returns the main file of every figure and table of this run."""
    return [
        f"figures/{scale}/{PLAN.figures[name].paper}/{name}.{'pdf' if PLAN.figures[name].kind == 'figure' else 'md'}"
        for name in PLAN.selected_figures()
    ]


def claim_files(scale):
    """Returns the verdict table and the pages of the report."""
    return [
        f"figures/{scale}/claims.md",
        f"figures/{scale}/assumptions.html",
        f"figures/{scale}/provenance.html",
    ]


def figure_inputs(wildcards):
    """Returns the summaries of the experiments behind a figure."""
    return [
        f"results/{wildcards.scale}/{name}/summary.h5"
        for name in PLAN.figures[wildcards.name].experiments
    ]


def figure_references(wildcards):
    """Returns the files with published values that a figure shows beside ours."""
    return [
        f"config/references/{name}.json"
        for name in PLAN.figures[wildcards.name].references
    ]


def figure_flags(wildcards, input):
    """Returns the flags that name summaries, references and notes on stand-in data."""
    experiments = PLAN.figures[wildcards.name].experiments
    notes = PLAN.stand_in_notes(wildcards.scale, experiments)
    flags = [
        f"--summary {name}={path}" for name, path in zip(experiments, input.summaries)
    ]
    flags += [f"--reference {path}" for path in input.references]
    return flags + [f"--note {shlex.quote(note)}" for note in notes]


def summaries(wildcards):
    """Returns EXPERIMENT=PATH of every experiment that is on."""
    return {
        name: f"results/{wildcards.scale}/{name}/summary.h5"
        for name in PLAN.run.experiments
    }


def sidecars(wildcards):
    """Returns the provenance of everything behind the summaries."""
    files = []
    for name in PLAN.run.experiments:
        folder = f"results/{wildcards.scale}/{name}"
        stages = dict.fromkeys(["train", final_stage(wildcards.scale, name)])
        files += [
            f"{folder}/{stage}/{block}"
            for stage in stages
            for block in PLAN.blocks(wildcards.scale, name)
        ]
        if PLAN.has_kernel(wildcards.scale, name):
            files += [f"{folder}/kernels/predictions.h5"]
        files += [f"{folder}/summary.h5"]
    return [f"{file}.provenance.json" for file in files]

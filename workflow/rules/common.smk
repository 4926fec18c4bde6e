# Reads and validates all configuration; the only place with Python beyond one-line input functions.
#
# PLAN knows every experiment at every scale; CODE maps a command-line verb to the fingerprint of all code behind it.

import os
import sys
from pathlib import Path

# Jobs find the package without it being installed, for those who manage their own environment.
SOURCE = Path(workflow.basedir) / "src"
sys.path.insert(0, str(SOURCE))
os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [str(SOURCE), os.environ.get("PYTHONPATH")]))

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
        "train",
        "evaluate",
        "summarise",
        "figure",
        "table",
        "claims",
        "report_page",
    )
}
RUN = f"{sys.executable} -m emergent.cli"


wildcard_constraints:
    scale="smoke|laptop|paper",
    experiment="[a-z][a-z0-9_]*",
    arm="[a-z][a-z0-9_]*",
    stage="[a-z][a-z0-9_]*",
    dataset="[a-z][a-z0-9_]*",
    paper="[a-z][a-z0-9_]*",
    name="[a-z][a-z0-9_]*",
    block="[0-9]+-[0-9]+",


def dataset_code(dataset):
    """Returns the fingerprint of the code that prepares one data set."""
    modules = (f"emergent.datasets.{PLAN.registry.entry(dataset).module}", "emergent.datasets.prepared")
    return "+".join(code_fingerprint(module, SOURCE) for module in modules)


def prepared(wildcards):
    """Returns NAME=PATH of every prepared data set of an experiment."""
    return {
        name: f"results/datasets/{name}/prepared.h5" for name in PLAN.datasets(wildcards.scale, wildcards.experiment)
    }


def evaluated(wildcards):
    """Returns the evaluated blocks of all arms of an experiment."""
    experiment = PLAN.experiment(wildcards.scale, wildcards.experiment)
    folder = f"results/{wildcards.scale}/{wildcards.experiment}/evaluate"
    return [f"{folder}/{arm}/members_{block}.h5" for arm in experiment.arms for block in experiment.members.blocks()]


def figure_files(scale):
    """Returns the main file of every figure and table of this run."""
    return [
        f"figures/{scale}/{PLAN.figures[name].paper}/{name}.{'pdf' if PLAN.figures[name].kind == 'figure' else 'md'}"
        for name in PLAN.selected_figures()
    ]


def claim_files(scale):
    """Returns the verdict table and the pages of the report."""
    return [f"figures/{scale}/claims.md", f"figures/{scale}/assumptions.html", f"figures/{scale}/provenance.html"]

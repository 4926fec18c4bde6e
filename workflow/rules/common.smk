# Comes in: everything under config/. Made: PLAN, which knows every experiment, data set and figure of this run, and CODE, the
# fingerprint of all code behind a command-line verb. No rule: the others ask these two.
#
# Why here: configuration is read and validated while Snakemake parses its files, so that any mistake is reported before
# the first job. A rule reruns when its data, the canonical JSON of its stage or its code's fingerprint changes; Snakemake
# itself does not see edits inside an imported package. The only Python beyond one-line input functions is in this file.

import contextlib
import shlex
import sys
from pathlib import Path

import snakemake.exceptions
import snakemake.jobs
import snakemake.logging

# Jobs run in the environment of this snakemake and find the package there or, not installed, beside the workflow: where
# this file is, whichever Snakefile includes it. The configuration is that of the working folder, like all other paths.
# Bytecode is kept whatever the caller's shell says: a job that compiles all that it imports takes ten seconds more.
SOURCE = Path(str(workflow.current_basedir)).resolve().parents[1] / "src"
sys.path.insert(0, str(SOURCE))
shell.prefix(
    f"export PATH={shlex.quote(str(Path(sys.executable).parent))}:$PATH PYTHONPATH={shlex.quote(str(SOURCE))};"
    " unset PYTHONDONTWRITEBYTECODE PYTHONHOME PYTHONSTARTUP PYTHONINSPECT; set -euo pipefail; "
)

# First: sizes of networks are derived in this process, and jobs inherit its environment.
from emergent.cli._environment import pin

pin()

from emergent import job_memory
from emergent.atomic import not_writable, require_writable
from emergent.config.throughput import read_throughput
from emergent.estimates.jobs import GPU_STAGES, SIZES_MODULES, Estimates
from emergent.estimates.limits import long_jobs, long_jobs_lines
from emergent.estimates.totals import Job
from emergent.plan import Plan
from emergent.errors import EmergentError
from emergent.fingerprint import code_fingerprint, files_digest
from emergent.lineage.outdated import date_back
from emergent.metrics.registry import MEMBER_METRICS
from emergent.runs import bytecode, clock, failures, lock
from emergent.runs.progress import RunProgress


def print_if_any(message):
    """Prints a line on what was found before the run begins, where there is one."""
    if message:
        print(message, file=sys.stderr)


# Jobs on other machines are processes of Snakemake too, and work for the run that has the lock.
RUN_LOCK = lock.join() if workflow.is_main_process else lock.RunLock()
print_if_any(RUN_LOCK.message)
if workflow.is_main_process:
    # Times first: what is newer by its content too is then left as it is.
    for dated in (clock.settle, date_back):
        print_if_any(dated([Path("results"), Path("figures")]))


def refuse_locked_files():
    """Ends this run with one line. Snakemake's page advises to unlock the folder, in which another run is at work."""
    sys.exit(f"error: {RUN_LOCK.conflict()}")


snakemake.exceptions.LockException = refuse_locked_files


def refuse_protected_files(job, files):
    """Ends this run with one line where files that it has to replace may not be written; Snakemake lists the rule's."""
    sys.exit(f"error: {not_writable(Path(files[0]), 'read-only', files[0])}")


snakemake.jobs.ProtectedOutputException = refuse_protected_files


def refuse_folders_that_may_not_be_written(dag):
    """Ends this run with one line before its first job, where Snakemake would show where in its code it failed."""
    try:
        require_writable(
            {Path(file).parent for job in dag.needrun_jobs() for file in job.output}
        )
    except EmergentError as error:
        sys.exit(f"error: {error}")


def follow_progress(workflow):
    """Says now and then how many jobs of this run are done, and about how long the others take."""
    if not workflow.is_main_process or workflow.output_settings.quiet:
        return
    cores = workflow.cores if workflow.local_exec else None
    expected = {
        workflow.dag.jobid(job): expected_seconds(job)
        for job in workflow.dag.needrun_jobs()
    }
    snakemake.logging.logger.addHandler(RunProgress(expected, cores))


def warn_of_long_jobs(workflow):
    """Says which jobs will ask a scheduler for more time than it may give, before the first of them."""
    if workflow.local_exec or not workflow.is_main_process:
        return
    jobs = [
        Job(
            job.rule.name, "", given["scale"], given["experiment"], given.get("arm", "")
        )
        for job in workflow.dag.needrun_jobs()
        for given in [job.wildcards_dict]
        if job.rule.name in GPU_STAGES
    ]
    limit = THROUGHPUT.longest_seconds(ASKED.device)
    found = long_jobs(ASKED, jobs, limit, THROUGHPUT.safety)
    for line in long_jobs_lines(found, limit, ASKED.device, "ask for"):
        print(line, file=sys.stderr)


def expected_seconds(job):
    """Returns how long a job takes, by its rule and wildcards."""
    given, of = job.wildcards_dict, job.rule.name
    if of == "prepare":
        return ASKED.seconds(of, name=given["dataset"])
    if of in ("train", "evaluate", "predict", "summarise"):
        where = given["scale"], given["experiment"], given.get("arm", "")
        return ASKED.seconds(of, *where)
    # What writes settings is quick.
    return ASKED.seconds(of) if of in ("figure", "table", "claims") else 1.0


def tell_failures(log):
    """Prints what failed and why, at the end and in a line a job."""
    lines = failures.failures(Path(log if isinstance(log, str) else log[0]))
    for line in lines:
        print(f"failed: {line}", file=sys.stderr)
    if any(bytecode.SIGN in line for line in lines):
        num = bytecode.remove_damaged()
        print(
            f"{num} compiled modules that a full disk had cut are removed; run again.",
            file=sys.stderr,
        )


# Sizes of networks are derived from their own code, which takes JAX and a few seconds. They are remembered here, by a digest of
# all that they depend on, this code included.
REMEMBERED = Path("results/memory")
SIZES_CODE = "+".join(code_fingerprint(module, SOURCE) for module in SIZES_MODULES)


def require_memory():
    """Refuses blocks of members that cannot fit into memory, before the first job."""
    if workflow.remote_exec:
        # A job of a cluster, which has been given what it asked for; other machines need not have as much.
        return
    known = REMEMBERED / job_memory.memory_digest(PLAN, SIZES_CODE)
    if not known.exists():
        job_memory.require_memory(PLAN)
        # Results that may only be read can be looked at all the same.
        with contextlib.suppress(OSError):
            known.parent.mkdir(parents=True, exist_ok=True)
            known.touch()


try:
    PLAN = Plan(config, Path("config"))
    PLAN.require_metrics(MEMBER_METRICS)
    require_memory()
    # What jobs ask a scheduler for.
    THROUGHPUT = read_throughput(Path("config/throughput.yaml"))
    ASKED = Estimates(PLAN, THROUGHPUT, REMEMBERED, SIZES_CODE)
except EmergentError as error:
    # One readable message; a traceback through the workflow engine would bury it.
    sys.exit(f"error: {error}")

CODE = {
    verb: code_fingerprint(f"emergent.cli.{verb}", SOURCE)
    for verb in (
        *PLAN.all_verbs(),
        "summarise",
        "figure",
        "table",
        "animate",
        "claims",
        "report",
        "report_page",
    )
}
PAGE = files_digest(sorted((SOURCE / "emergent/report/templates").iterdir()))


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


def prepared(stage):
    """Returns an input function: name and path of every prepared data set that a stage of an experiment reads."""

    def paths(wildcards):
        names = PLAN.datasets(wildcards.scale, wildcards.experiment, stage)
        return {name: f"results/datasets/{name}/prepared.h5" for name in names}

    return paths


def dataset_flags(stage):
    """Returns a parameter function: the flags that name the prepared data sets of a stage."""
    return lambda wildcards: [
        f"--dataset {name}={path}" for name, path in prepared(stage)(wildcards).items()
    ]


def job(wildcards):
    """Returns scale, experiment and, where a job belongs to one, arm."""
    arm = [wildcards.arm] if "arm" in wildcards.keys() else []
    return (wildcards.scale, wildcards.experiment, *arm)


def verb(wildcards, stage):
    """Returns the command-line verb of a stage of an experiment; an experiment without that stage is an error."""
    return PLAN.verb(wildcards.scale, wildcards.experiment, stage)


def evaluated(wildcards):
    """Returns the blocks of all arms that the summary of an experiment reads."""
    stage = PLAN.kind(wildcards.scale, wildcards.experiment).final_stage
    folder = f"results/{wildcards.scale}/{wildcards.experiment}/{stage}"
    return [
        f"{folder}/{block}"
        for block in PLAN.blocks(wildcards.scale, wildcards.experiment)
    ]


def predicted(wildcards):
    """Returns the predictions of infinitely wide ensembles that the summary of an experiment reads."""
    return list(PLAN.predictions(wildcards.scale, wildcards.experiment).values())


def figure_files(scale):
    """Returns the main file of every figure and table of this run."""
    return [PLAN.figure_path(scale, name) for name in PLAN.selected_figures()]


def claim_files(scale):
    """Returns the verdict table and the pages of the report."""
    return [
        f"figures/{scale}/claims.md",
        f"figures/{scale}/assumptions.html",
        f"figures/{scale}/provenance.html",
    ]


def page_inputs(wildcards):
    """Returns the pictures, cells, numbers and captions that the page holds."""
    return [
        f"figures/{wildcards.scale}/{PLAN.figures[name].paper}/{name}.{suffix}"
        for name in PLAN.selected_figures()
        for suffix in (
            "png" if PLAN.figures[name].kind == "figure" else "md",
            "csv",
            "txt",
        )
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
        final = PLAN.kind(wildcards.scale, name).final_stage
        files += [
            f"{folder}/{stage}/{block}"
            # Without an evaluation the last stage is the training: no file twice.
            for stage in dict.fromkeys(["train", final])
            for block in PLAN.blocks(wildcards.scale, name, stage)
        ]
        files += PLAN.predictions(wildcards.scale, name).values()
        files += [f"{folder}/summary.h5"]
    return [f"{file}.provenance.json" for file in files]

# Needs: summaries, config/claims.yaml. Makes: figures/<scale>/claims.*, assumptions.html and provenance.html


def summaries(wildcards):
    """Returns EXPERIMENT=PATH of every experiment that is on."""
    return {name: f"results/{wildcards.scale}/{name}/summary.h5" for name in PLAN.run.experiments}


def sidecars(wildcards):
    """Returns the provenance of everything behind the summaries."""
    files = []
    for name in PLAN.run.experiments:
        experiment, folder = PLAN.experiment(wildcards.scale, name), f"results/{wildcards.scale}/{name}"
        blocks = [f"{arm}/members_{block}.h5" for arm in experiment.arms for block in experiment.members.blocks()]
        files += [f"{folder}/{stage}/{block}" for stage in ("train", "evaluate") for block in blocks]
        files += [f"{folder}/kernels/predictions.h5"] if experiment.kernel else []
        files += [f"{folder}/summary.h5"]
    return [f"{file}.provenance.json" for file in files]


rule claims:
    """Compares this run with what the papers report."""
    input:
        unpack(summaries),
        claims="config/claims.yaml",
    output:
        markdown="figures/{scale}/claims.md",
        csv="figures/{scale}/claims.csv",
        html=report(
            "figures/{scale}/claims.html",
            caption="../report/claims.rst",
            category="claims and verdicts",
        ),
    params:
        summaries=lambda wildcards: [f"--summary {name}={path}" for name, path in summaries(wildcards).items()],
        code=CODE["claims"],
    log:
        "results/{scale}/logs/claims.log",
    resources:
        mem_mb=1000,
    shell:
        "{RUN}.claims"
        " --claims {input.claims}"
        " --scale {wildcards.scale}"
        " {params.summaries}"
        " --output-stem figures/{wildcards.scale}/claims"
        " 2>&1 | tee {log}"


rule assumptions:
    """Lists every setting that the papers leave open."""
    input:
        stages=lambda wildcards: [
            f"results/{wildcards.scale}/{name}/config/summary.json" for name in PLAN.run.experiments
        ],
        figures="config/figures.yaml",
    output:
        report(
            "figures/{scale}/assumptions.html",
            caption="../report/assumptions.rst",
            category="assumptions",
        ),
    params:
        code=CODE["report_page"],
    log:
        "results/{scale}/logs/assumptions.log",
    resources:
        mem_mb=1000,
    shell:
        "{RUN}.report_page assumptions"
        " --input {input.stages}"
        " --figures {input.figures}"
        " --output {output}"
        " 2>&1 | tee {log}"


rule provenance:
    """Lists software, device, commit, time and memory of every file of the run."""
    input:
        sidecars,
    output:
        report(
            "figures/{scale}/provenance.html",
            caption="../report/provenance.rst",
            category="provenance",
        ),
    params:
        code=CODE["report_page"],
    log:
        "results/{scale}/logs/provenance.log",
    resources:
        mem_mb=1000,
    shell:
        "{RUN}.report_page provenance"
        " --input {input}"
        " --output {output}"
        " 2>&1 | tee {log}"

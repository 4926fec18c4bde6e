# Comes in: summaries, config/claims.yaml with config/references, stage configurations, provenance files, figures. Made:
# figures/<scale>/claims.* (what the papers report beside this run, with a verdict each), assumptions.html, provenance.html,
# and report.html, one page of all of it.
#
# Why: a reproduction answers "does it agree?" in numbers, and says what was assumed and how every file came about.


rule claims:
    """Compares this run with what the papers report."""
    input:
        unpack(summaries),
        claims="config/claims.yaml",
        # Claims on published curves take their numbers from there.
        references=sorted(
            str(path) for path in Path("config/references").glob("*.json")
        ),
    output:
        markdown="figures/{scale}/claims.md",
        csv="figures/{scale}/claims.csv",
        html=report(
            "figures/{scale}/claims.html",
            caption="../report/claims.rst",
            category="claims and verdicts",
        ),
        provenance="figures/{scale}/claims.provenance.json",
    log:
        "results/{scale}/logs/claims.log",
    group:
        "figures"
    resources:
        mem_mb=lambda wildcards, attempt: attempt * ASKED.memory_mb("claims"),
        runtime=lambda wildcards, attempt: attempt * ASKED.minutes("claims"),
    params:
        summaries=lambda wildcards: [
            f"--summary {name}={path}" for name, path in summaries(wildcards).items()
        ],
        references=lambda wildcards, input: [
            f"--reference {path}" for path in input.references
        ],
        notes=lambda wildcards: [
            f"--note {shlex.quote(note)}"
            for note in PLAN.stand_in_notes(wildcards.scale, PLAN.run.experiments)
        ],
        code=CODE["claims"],
    shell:
        "python -m emergent.cli.claims"
        " --claims {input.claims}"
        " {params.references}"
        " --fingerprint {params.code}"
        " --scale {wildcards.scale}"
        " {params.summaries}"
        " {params.notes}"
        " --output-stem figures/{wildcards.scale}/claims"
        " 2>&1 | tee {log}"


rule assumptions:
    """Lists every setting that the papers leave open."""
    input:
        stages=lambda wildcards: [
            f"results/{wildcards.scale}/{name}/config/summary.json"
            for name in PLAN.run.experiments
        ],
        figures="config/figures.yaml",
    output:
        report(
            "figures/{scale}/assumptions.html",
            caption="../report/assumptions.rst",
            category="assumptions",
        ),
    log:
        "results/{scale}/logs/assumptions.log",
    group:
        "figures"
    resources:
        mem_mb=lambda wildcards, attempt: attempt * ASKED.memory_mb("assumptions"),
        runtime=lambda wildcards, attempt: attempt * ASKED.minutes("assumptions"),
    params:
        code=CODE["report_page"],
    shell:
        "python -m emergent.cli.report_page assumptions"
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
    log:
        "results/{scale}/logs/provenance.log",
    group:
        "figures"
    resources:
        mem_mb=lambda wildcards, attempt: attempt * ASKED.memory_mb("provenance"),
        runtime=lambda wildcards, attempt: attempt * ASKED.minutes("provenance"),
    params:
        code=CODE["report_page"],
    shell:
        "python -m emergent.cli.report_page provenance"
        " --input {input}"
        " --output {output}"
        " 2>&1 | tee {log}"


rule page:
    """Puts figures, verdicts, assumptions, times and provenance on one page; made when asked for by its name."""
    input:
        unpack(summaries),
        claims="figures/{scale}/claims.csv",
        figures=page_inputs,
        sidecars=sidecars,
        catalogue="config/figures.yaml",
        references=sorted(
            str(path) for path in Path("config/references").glob("*.json")
        ),
    output:
        "figures/{scale}/report.html",
    log:
        "results/{scale}/logs/page.log",
    resources:
        mem_mb=2000,
    params:
        figures=lambda wildcards: PLAN.selected_figures(),
        experiments=lambda wildcards: list(PLAN.run.experiments),
        settings=lambda wildcards: [
            f"--setting {shlex.quote(text)}" for text in PLAN.settings(wildcards.scale)
        ],
        notes=lambda wildcards: [
            f"--note {shlex.quote(note)}"
            for note in PLAN.stand_in_notes(wildcards.scale, PLAN.run.experiments)
        ],
        code=CODE["report"],
        templates=PAGE,
    shell:
        "python -m emergent.cli.report"
        " --scale {wildcards.scale}"
        " --figure {params.figures}"
        " --experiment {params.experiments}"
        " --provenance {input.sidecars}"
        " {params.settings}"
        " {params.notes}"
        " --output {output}"
        " 2>&1 | tee {log}"

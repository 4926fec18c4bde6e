# Needs: summaries, config/figures.yaml (through PLAN), config/references. Makes: figures/<scale>/<paper>/<name>.*


import shlex


rule figure_config:
    """Writes the entry of one figure or table."""
    output:
        "results/figures/{name}.json",
    params:
        content=lambda wildcards: PLAN.figure_json(wildcards.name),
    log:
        "results/figures/{name}.log",
    localrule: True
    shell:
        "printf '%s\n' {params.content:q} > {output} 2> {log}"


def figure_inputs(wildcards):
    """Returns the summaries of the experiments behind a figure."""
    return [f"results/{wildcards.scale}/{name}/summary.h5" for name in PLAN.figures[wildcards.name].experiments]


def figure_references(wildcards):
    """Returns the files with published values that a figure shows beside ours."""
    return [f"config/references/{name}.json" for name in PLAN.figures[wildcards.name].references]


def figure_flags(wildcards, input):
    """Returns the flags that name summaries, references and notes on stand-in data."""
    experiments = PLAN.figures[wildcards.name].experiments
    notes = PLAN.stand_in_notes(wildcards.scale, experiments)
    flags = [f"--summary {name}={path}" for name, path in zip(experiments, input.summaries)]
    flags += [f"--reference {path}" for path in input.references]
    return flags + [f"--note {shlex.quote(note)}" for note in notes]


rule figure:
    """Draws one figure."""
    input:
        config="results/figures/{name}.json",
        summaries=figure_inputs,
        references=figure_references,
    output:
        pdf="figures/{scale}/{paper}/{name}.pdf",
        svg=report(
            "figures/{scale}/{paper}/{name}.svg",
            caption="../report/figure.rst",
            category="{paper}",
            labels=lambda wildcards: PLAN.report_labels(wildcards.name),
        ),
        png="figures/{scale}/{paper}/{name}.png",
        csv="figures/{scale}/{paper}/{name}.csv",
        caption="figures/{scale}/{paper}/{name}.txt",
    params:
        flags=figure_flags,
        code=CODE["figure"],
    log:
        "results/{scale}/logs/figure_{paper}_{name}.log",
    wildcard_constraints:
        name="|".join(n for n, e in PLAN.figures.items() if e.kind == "figure"),
    resources:
        mem_mb=2000,
    shell:
        "{RUN}.figure"
        " --config {input.config}"
        " --scale {wildcards.scale}"
        " {params.flags}"
        " --output-stem figures/{wildcards.scale}/{wildcards.paper}/{wildcards.name}"
        " 2>&1 | tee {log}"


rule table:
    """Makes one table."""
    input:
        config="results/figures/{name}.json",
        summaries=figure_inputs,
        references=figure_references,
    output:
        markdown="figures/{scale}/{paper}/{name}.md",
        html=report(
            "figures/{scale}/{paper}/{name}.html",
            caption="../report/figure.rst",
            category="{paper}",
            labels=lambda wildcards: PLAN.report_labels(wildcards.name),
        ),
        tex="figures/{scale}/{paper}/{name}.tex",
        csv="figures/{scale}/{paper}/{name}.csv",
        caption="figures/{scale}/{paper}/{name}.txt",
    params:
        flags=figure_flags,
        code=CODE["table"],
    log:
        "results/{scale}/logs/table_{paper}_{name}.log",
    wildcard_constraints:
        name="|".join(n for n, e in PLAN.figures.items() if e.kind == "table"),
    resources:
        mem_mb=2000,
    shell:
        "{RUN}.table"
        " --config {input.config}"
        " --scale {wildcards.scale}"
        " {params.flags}"
        " --output-stem figures/{wildcards.scale}/{wildcards.paper}/{wildcards.name}"
        " 2>&1 | tee {log}"

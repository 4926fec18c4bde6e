# Comes in: summaries, published curves in config/references, and the entry of config/figures.yaml, through PLAN. Made:
# figures/<scale>/<paper>/<name>.*, each figure in three formats (a table in four), with its caption and the CSV behind it.
#
# Why one job each: an edited caption or plot redraws what it touches, and a missing experiment stops one figure only.


rule figure_config:
    """Writes the entry of one figure or table."""
    output:
        "results/figures/{name}.json",
    log:
        "results/figures/{name}.log",
    localrule: True
    params:
        content=lambda wildcards: PLAN.figure_json(wildcards.name),
    shell:
        "printf '%s\n' {params.content:q} > {output} 2> {log}"


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
        provenance="figures/{scale}/{paper}/{name}.provenance.json",
    log:
        "results/{scale}/logs/figure_{paper}_{name}.log",
    benchmark:
        "results/{scale}/benchmarks/figure_{paper}_{name}.tsv"
    # Figures and tables have captions and data files of the same form: the name tells which rule makes them.
    wildcard_constraints:
        name="|".join(n for n, e in PLAN.figures.items() if e.kind == "figure"),
    group:
        "figures"
    resources:
        mem_mb=lambda wildcards, attempt: attempt * ASKED.memory_mb("figure"),
        runtime=lambda wildcards, attempt: attempt * ASKED.minutes("figure"),
    params:
        flags=figure_flags,
        code=CODE["figure"],
    shell:
        "python -m emergent.cli.figure"
        " --config {input.config}"
        " --scale {wildcards.scale}"
        " {params.flags}"
        " --fingerprint {params.code}"
        " --output-stem figures/{wildcards.scale}/{wildcards.paper}/{wildcards.name}"
        " 2>&1 | tee {log}"


rule animation:
    """Animates one figure, where pictures of its kind move; made when asked for by its name."""
    input:
        config="results/figures/{name}.json",
        summaries=figure_inputs,
    output:
        "figures/{scale}/{paper}/{name}.gif",
    log:
        "results/{scale}/logs/animation_{paper}_{name}.log",
    group:
        "figures"
    resources:
        mem_mb=lambda wildcards, attempt: attempt * ASKED.memory_mb("animation"),
        runtime=lambda wildcards, attempt: attempt * ASKED.minutes("animation"),
    params:
        summaries=lambda wildcards, input: [
            f"--summary {name}={path}"
            for name, path in zip(
                PLAN.figures[wildcards.name].experiments, input.summaries
            )
        ],
        code=CODE["animate"],
    shell:
        "python -m emergent.cli.animate"
        " --config {input.config}"
        " {params.summaries}"
        " --output {output}"
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
        provenance="figures/{scale}/{paper}/{name}.provenance.json",
    log:
        "results/{scale}/logs/table_{paper}_{name}.log",
    benchmark:
        "results/{scale}/benchmarks/table_{paper}_{name}.tsv"
    wildcard_constraints:
        name="|".join(n for n, e in PLAN.figures.items() if e.kind == "table"),
    group:
        "figures"
    resources:
        mem_mb=lambda wildcards, attempt: attempt * ASKED.memory_mb("table"),
        runtime=lambda wildcards, attempt: attempt * ASKED.minutes("table"),
    params:
        flags=figure_flags,
        code=CODE["table"],
    shell:
        "python -m emergent.cli.table"
        " --config {input.config}"
        " --scale {wildcards.scale}"
        " {params.flags}"
        " --fingerprint {params.code}"
        " --output-stem figures/{wildcards.scale}/{wildcards.paper}/{wildcards.name}"
        " 2>&1 | tee {log}"

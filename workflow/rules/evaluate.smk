# Needs: trained blocks, prepared data. Makes: evaluate/<arm>/members_<block>.h5 and summary.h5 of an experiment


rule evaluate:
    """Evaluates one trained block on the orbits of all evaluation sets."""
    input:
        unpack(prepared),
        config="results/{scale}/{experiment}/config/{arm}/evaluate.json",
        block="results/{scale}/{experiment}/train/{arm}/members_{block}.h5",
    output:
        block="results/{scale}/{experiment}/evaluate/{arm}/members_{block}.h5",
        provenance="results/{scale}/{experiment}/evaluate/{arm}/members_{block}.h5.provenance.json",
    log:
        "results/{scale}/{experiment}/logs/evaluate_{arm}_{block}.log",
    benchmark:
        "results/{scale}/{experiment}/benchmarks/evaluate_{arm}_{block}.tsv"
    threads: 1
    resources:
        mem_mb=lambda wildcards: PLAN.evaluation_mb(
            wildcards.scale, wildcards.experiment, wildcards.arm
        ),
    params:
        verb=lambda wildcards: verb(wildcards, "evaluate"),
        datasets=lambda wildcards: dataset_flags(wildcards, "evaluate"),
        code=lambda wildcards: CODE[verb(wildcards, "evaluate")],
    shell:
        "python -m emergent.cli.{params.verb}"
        " --config {input.config}"
        " --block {input.block}"
        " {params.datasets}"
        " --threads {threads}"
        " --fingerprint {params.code}"
        " --output {output.block}"
        " 2>&1 | tee {log}"


rule summarise:
    """Merges the evaluated blocks of an experiment into the tables that figures and claims read."""
    input:
        config="results/{scale}/{experiment}/config/summary.json",
        blocks=evaluated,
        kernel=lambda wildcards: (
            f"results/{wildcards.scale}/{wildcards.experiment}/kernels/predictions.h5"
            if PLAN.has_kernel(wildcards.scale, wildcards.experiment)
            else []
        ),
        samples=lambda wildcards: PLAN.sample_paths(
            wildcards.scale, wildcards.experiment
        ),
    output:
        summary="results/{scale}/{experiment}/summary.h5",
        provenance="results/{scale}/{experiment}/summary.h5.provenance.json",
    log:
        "results/{scale}/{experiment}/logs/summarise.log",
    benchmark:
        "results/{scale}/{experiment}/benchmarks/summarise.tsv"
    resources:
        mem_mb=8000,
    params:
        blocks=lambda wildcards, input: [
            f"--block {Path(path).parent.name}={path}" for path in input.blocks
        ],
        kernel=lambda wildcards, input: (
            f"--kernel {input.kernel}" if input.kernel else ""
        ),
        samples=lambda wildcards, input: (
            f"--samples {input.samples}" if input.samples else ""
        ),
        code=CODE["summarise"],
    shell:
        "python -m emergent.cli.summarise"
        " --config {input.config}"
        " {params.blocks}"
        " {params.kernel}"
        " {params.samples}"
        " --fingerprint {params.code}"
        " --output {output.summary}"
        " 2>&1 | tee {log}"

# Comes in: trained blocks, prepared test sets, predictions of infinitely wide ensembles. Made: evaluate/<arm>/members_<block>.h5,
# what members do on the orbits of the test sets, and summary.h5, the few small tables that figures and claims read.
#
# Why two steps: outputs on whole orbits are large and belong to a block; what is asked of them belongs to the experiment,
# changes often, and is computed in seconds.


rule evaluate:
    """Evaluates one trained block on the orbits of all evaluation sets."""
    input:
        unpack(prepared("evaluate")),
        config="results/{scale}/{experiment}/config/{arm}/evaluate.json",
        # Those of another arm, where an arm evaluates what that one trains.
        block=lambda wildcards: PLAN.trained_block(
            wildcards.scale, wildcards.experiment, wildcards.arm, wildcards.block
        ),
    output:
        block="results/{scale}/{experiment}/evaluate/{arm}/members_{block}.h5",
        provenance="results/{scale}/{experiment}/evaluate/{arm}/members_{block}.h5.provenance.json",
    log:
        "results/{scale}/{experiment}/logs/evaluate_{arm}_{block}.log",
    benchmark:
        "results/{scale}/{experiment}/benchmarks/evaluate_{arm}_{block}.tsv"
    group:
        lambda wildcards: ASKED.group(wildcards.scale, wildcards.experiment)
    threads: 1
    resources:
        mem_mb=lambda wildcards, attempt: (
            attempt * ASKED.memory_mb("evaluate", *job(wildcards))
        ),
        runtime=lambda wildcards, attempt: (
            attempt * ASKED.minutes("evaluate", *job(wildcards))
        ),
        gpu=ASKED.gpus("evaluate"),
    params:
        verb=lambda wildcards: verb(wildcards, "evaluate"),
        datasets=dataset_flags("evaluate"),
        code=lambda wildcards: CODE[verb(wildcards, "evaluate")],
    shell:
        "python -m emergent.cli.{params.verb}"
        " --config {input.config}"
        " --block {input.block}"
        " --members {wildcards.block}"
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
        predictions=predicted,
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
    group:
        lambda wildcards: ASKED.group(wildcards.scale, wildcards.experiment)
    resources:
        mem_mb=lambda wildcards, attempt: attempt * ASKED.memory_mb("summarise"),
        runtime=lambda wildcards, attempt: (
            attempt * ASKED.minutes("summarise", *job(wildcards))
        ),
        gpu=ASKED.gpus("summarise"),
    params:
        # Files of blocks lie in a folder named after their arm.
        blocks=lambda wildcards, input: [
            f"--block {Path(path).parent.name}={path}" for path in input.blocks
        ],
        predictions=lambda wildcards, input: [
            f"--prediction {Path(path).parent.name}={path}"
            for path in input.predictions
        ],
        samples=lambda wildcards, input: (
            f"--samples {input.samples[0]}" if input.samples else ""
        ),
        code=CODE["summarise"],
    shell:
        "python -m emergent.cli.summarise"
        " --config {input.config}"
        " {params.blocks}"
        " {params.predictions}"
        " {params.samples}"
        " --fingerprint {params.code}"
        " --output {output.summary}"
        " 2>&1 | tee {log}"

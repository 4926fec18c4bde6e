# Comes in: prepared training data and config/<arm>/train.json. Made: results/<scale>/<experiment>/train/<arm>/members_<block>.h5,
# the parameters of a block of members at the checkpoints of training.
#
# Why blocks: a member is the same network whatever its block, so that a larger ensemble adds blocks and recomputes none, and
# a cluster trains them side by side.


rule train:
    """Trains one block of members of one arm."""
    input:
        unpack(prepared("train")),
        config="results/{scale}/{experiment}/config/{arm}/train.json",
    output:
        block="results/{scale}/{experiment}/train/{arm}/members_{block}.h5",
        provenance="results/{scale}/{experiment}/train/{arm}/members_{block}.h5.provenance.json",
        # A second name of the block, which is not deleted before the job runs again: what longer training goes on from, in the
        # kinds that can.
        resume=update("results/{scale}/{experiment}/train/{arm}/resume_{block}.h5"),
    log:
        "results/{scale}/{experiment}/logs/train_{arm}_{block}.log",
    benchmark:
        "results/{scale}/{experiment}/benchmarks/train_{arm}_{block}.tsv"
    # Small experiments are one job of a cluster each, with all of their blocks.
    group:
        lambda wildcards: ASKED.group(wildcards.scale, wildcards.experiment)
    # Small networks train faster in jobs of one thread side by side than in one job on all cores.
    threads: 1
    # What a job was not given enough of at the first attempt, it asks twice of at the second.
    resources:
        mem_mb=lambda wildcards, attempt: (
            attempt * ASKED.memory_mb("train", *job(wildcards))
        ),
        runtime=lambda wildcards, attempt: (
            attempt * ASKED.minutes("train", *job(wildcards))
        ),
        gpu=ASKED.gpus("train"),
    params:
        verb=lambda wildcards: verb(wildcards, "train"),
        datasets=dataset_flags("train"),
        resume=lambda wildcards, output: (
            f"--resume {output.resume}"
            if PLAN.kind(wildcards.scale, wildcards.experiment).resumes
            else ""
        ),
        code=lambda wildcards: CODE[verb(wildcards, "train")],
    # A hard link takes no space; where a file system has none it is a copy.
    shell:
        "python -m emergent.cli.{params.verb}"
        " --config {input.config}"
        " {params.datasets}"
        " {params.resume}"
        " --members {wildcards.block}"
        " --threads {threads}"
        " --fingerprint {params.code}"
        " --output {output.block}"
        " 2>&1 | tee {log};"
        " ln -f {output.block} {output.resume} || cp {output.block} {output.resume}"

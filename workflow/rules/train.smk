# Needs: prepared training data, config/<arm>/train.json. Makes: results/<scale>/<experiment>/train/<arm>/members_<block>.h5


rule train:
    """Trains one block of members of one arm."""
    input:
        unpack(prepared_for_training),
        config="results/{scale}/{experiment}/config/{arm}/train.json",
    output:
        block="results/{scale}/{experiment}/train/{arm}/members_{block}.h5",
        provenance="results/{scale}/{experiment}/train/{arm}/members_{block}.h5.provenance.json",
    log:
        "results/{scale}/{experiment}/logs/train_{arm}_{block}.log",
    benchmark:
        "results/{scale}/{experiment}/benchmarks/train_{arm}_{block}.tsv"
    threads: 1
    resources:
        mem_mb=4000,
    params:
        verb=lambda wildcards: verb(wildcards, "train"),
        datasets=lambda wildcards: dataset_flags(wildcards, "train"),
        code=lambda wildcards: CODE[verb(wildcards, "train")],
    shell:
        "python -m emergent.cli.{params.verb}"
        " --config {input.config}"
        " {params.datasets}"
        " --members {wildcards.block}"
        " --threads {threads}"
        " --fingerprint {params.code}"
        " --output {output.block}"
        " 2>&1 | tee {log}"

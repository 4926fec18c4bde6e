# Needs: the prepared training set, config/<arm>/train.json. Makes: results/<scale>/<experiment>/train/<arm>/members_<block>.h5


rule train:
    """Trains one block of members of one arm."""
    input:
        config="results/{scale}/{experiment}/config/{arm}/train.json",
        dataset=training_set,
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
        code=CODE["train"],
    shell:
        "python -m emergent.cli.train"
        " --config {input.config}"
        " --dataset {input.dataset}"
        " --members {wildcards.block}"
        " --threads {threads}"
        " --fingerprint {params.code}"
        " --output {output.block}"
        " 2>&1 | tee {log}"

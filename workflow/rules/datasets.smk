# Comes in: config/datasets.yaml, through PLAN, and files from a mirror folder or the network. Made:
# results/datasets/<dataset>/raw/<file>, verified bytes, and prepared.h5, arrays by split.
#
# Why two steps: embedded or generated sets need no download. Addresses are read from the registry by the job itself, and drive
# nothing: one that has moved must neither fetch again what is there, nor prepare it again.


rule download:
    """Fetches one file, from the mirror if there is one, and verifies it."""
    input:
        config="results/datasets/{dataset}/config/download.json",
    output:
        "results/datasets/{dataset}/raw/{file}",
    log:
        "results/datasets/{dataset}/logs/download_{file}.log",
    wildcard_constraints:
        file=r"[A-Za-z0-9][A-Za-z0-9._-]*",
    # On the machine that Snakemake runs on: the nodes of many clusters have no way to the network.
    localrule: True
    # No fingerprint of code: a file is known by its digest, whatever fetched it.
    resources:
        mem_mb=ASKED.memory_mb("download"),
    shell:
        "python -m emergent.cli.download"
        " --config {input.config}"
        " --registry config/datasets.yaml"
        " --dataset {wildcards.dataset}"
        " --file {wildcards.file}"
        " --output {output}"
        " 2>&1 | tee {log}"


rule prepare:
    """Turns raw files, or a generator, into arrays."""
    input:
        config="results/datasets/{dataset}/config/prepare.json",
        raw=lambda wildcards: PLAN.raw_paths(wildcards.dataset),
    output:
        "results/datasets/{dataset}/prepared.h5",
    log:
        "results/datasets/{dataset}/logs/prepare.log",
    benchmark:
        "results/datasets/{dataset}/benchmarks/prepare.tsv"
    group:
        "data"
    resources:
        mem_mb=lambda wildcards, attempt: attempt * ASKED.memory_mb("prepare"),
        runtime=lambda wildcards, attempt: (
            attempt * ASKED.minutes("prepare", name=wildcards.dataset)
        ),
    params:
        raw=lambda wildcards: f"results/datasets/{PLAN.registry.raw_owner(wildcards.dataset)}/raw",
        # The module of this data set alone: an edit of one generator must not prepare every data set again.
        code=lambda wildcards: dataset_code(wildcards.dataset),
    shell:
        "python -m emergent.cli.prepare"
        " --config {input.config}"
        " --dataset {wildcards.dataset}"
        " --raw {params.raw}"
        " --output {output}"
        " 2>&1 | tee {log}"

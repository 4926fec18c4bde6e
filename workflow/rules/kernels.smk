# Comes in: prepared training and test sets, and config/<arm>/predict.json. Made:
# results/<scale>/<experiment>/kernels/<arm>/predictions.h5, for every arm with a section infinite_width.
#
# Why: an infinitely wide ensemble under gradient flow is a Gaussian process whose mean and covariance follow from two
# kernels (NNGP and NTK). It is predicted at the training time of the finite members, on the same orbits, so that the
# summary can lay both side by side.


rule predict:
    """Predicts mean and covariance of the infinitely wide ensemble of one arm."""
    input:
        unpack(prepared("predict")),
        config="results/{scale}/{experiment}/config/{arm}/predict.json",
    output:
        predictions="results/{scale}/{experiment}/kernels/{arm}/predictions.h5",
        provenance="results/{scale}/{experiment}/kernels/{arm}/predictions.h5.provenance.json",
    log:
        "results/{scale}/{experiment}/logs/predict_{arm}.log",
    benchmark:
        "results/{scale}/{experiment}/benchmarks/predict_{arm}.tsv"
    group:
        lambda wildcards: ASKED.group(wildcards.scale, wildcards.experiment)
    threads: 2
    resources:
        mem_mb=lambda wildcards, attempt: (
            attempt * ASKED.memory_mb("predict", *job(wildcards))
        ),
        runtime=lambda wildcards, attempt: (
            attempt * ASKED.minutes("predict", *job(wildcards))
        ),
        gpu=ASKED.gpus("predict"),
    params:
        verb=lambda wildcards: verb(wildcards, "predict"),
        datasets=dataset_flags("predict"),
        code=lambda wildcards: CODE[verb(wildcards, "predict")],
    shell:
        "python -m emergent.cli.{params.verb}"
        " --config {input.config}"
        " {params.datasets}"
        " --threads {threads}"
        " --fingerprint {params.code}"
        " --output {output.predictions}"
        " 2>&1 | tee {log}"

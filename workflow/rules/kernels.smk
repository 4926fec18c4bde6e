# Needs: prepared data, config/kernel.json. Makes: results/<scale>/<experiment>/kernels/predictions.h5


rule kernel:
    """Predicts mean and covariance of the infinitely wide ensemble."""
    input:
        unpack(prepared_for_kernel),
        config="results/{scale}/{experiment}/config/kernel.json",
    output:
        predictions="results/{scale}/{experiment}/kernels/predictions.h5",
        provenance="results/{scale}/{experiment}/kernels/predictions.h5.provenance.json",
    log:
        "results/{scale}/{experiment}/logs/kernel.log",
    benchmark:
        "results/{scale}/{experiment}/benchmarks/kernel.tsv"
    threads: 2
    resources:
        mem_mb=8000,
    params:
        datasets=lambda wildcards: [
            f"--dataset {name}={path}"
            for name, path in prepared_for_kernel(wildcards).items()
        ],
        code=CODE["kernel"],
    shell:
        "python -m emergent.cli.kernel"
        " --config {input.config}"
        " {params.datasets}"
        " --threads {threads}"
        " --fingerprint {params.code}"
        " --output {output.predictions}"
        " 2>&1 | tee {log}"

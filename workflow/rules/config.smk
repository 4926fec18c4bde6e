# Comes in: config/experiments/*.yaml and config/datasets.yaml, through PLAN. Made: results/<scale>/<experiment>/config/[<arm>/]<stage>.json
#
# Why: each stage reads only its own canonical JSON, so that a setting of another stage, the order of keys or a comment never
# makes it run again. The rule runs when the text changes.


localrules:
    stage_config,
    arm_config,
    dataset_config,


rule stage_config:
    """Writes what one stage of an experiment depends on."""
    output:
        "results/{scale}/{experiment}/config/{stage}.json",
    log:
        "results/{scale}/{experiment}/logs/config_{stage}.log",
    params:
        content=lambda wildcards: PLAN.stage_json(
            wildcards.scale, wildcards.experiment, wildcards.stage
        ),
    shell:
        "printf '%s\n' {params.content:q} > {output} 2> {log}"


rule arm_config:
    """Writes what one stage of one arm depends on."""
    output:
        "results/{scale}/{experiment}/config/{arm}/{stage}.json",
    log:
        "results/{scale}/{experiment}/logs/config_{arm}_{stage}.log",
    params:
        content=lambda wildcards: PLAN.stage_json(
            wildcards.scale, wildcards.experiment, wildcards.stage, wildcards.arm
        ),
    shell:
        "printf '%s\n' {params.content:q} > {output} 2> {log}"


rule dataset_config:
    """Writes what downloading or preparing one data set depends on."""
    output:
        "results/datasets/{dataset}/config/{stage}.json",
    log:
        "results/datasets/{dataset}/logs/config_{stage}.log",
    params:
        content=lambda wildcards: PLAN.dataset_json(wildcards.dataset, wildcards.stage),
    shell:
        "printf '%s\n' {params.content:q} > {output} 2> {log}"

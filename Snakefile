# From raw data to published figures. Targets: `all` (default) makes every figure, table and verdict at config["scale"];
# any single file can be named instead, at any scale: figures/laptop/gerken_kessel/ising_invariance.pdf
#
# The pipeline, left to right: datasets -> kernels, train -> evaluate -> summary -> figures -> claims -> report.

from snakemake.utils import min_version

min_version("9.0")


configfile: "config/config.yaml"


include: "workflow/rules/common.smk"
include: "workflow/rules/config.smk"
include: "workflow/rules/datasets.smk"
include: "workflow/rules/kernels.smk"
include: "workflow/rules/train.smk"
include: "workflow/rules/evaluate.smk"
include: "workflow/rules/figures.smk"
include: "workflow/rules/claims.smk"


report: "workflow/report/workflow.rst"


localrules:
    all,


rule all:
    default_target: True
    input:
        figure_files(PLAN.run.scale),
        claim_files(PLAN.run.scale),

# The workflow is in workflow/Snakefile, where Snakemake's catalogue and deployment tools look for it. This file lets
# `snakemake` find it under the name that people look for; a target of an included file is no default, hence the rule.


include: "workflow/Snakefile"


localrules:
    default,


rule default:
    default_target: True
    input:
        rules.all.input,

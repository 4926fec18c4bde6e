# The workflow is in workflow/Snakefile, where Snakemake's catalogue and deployment tools look for it. This file lets
# `snakemake` find it under the name that people look for.


include: "workflow/Snakefile"

"""Metrics of ensembles, in and out of distribution, a column per ensemble size.

Input: summary table ``ensembles``. arXiv:2410.01452 has such a table for point clouds; its values are not known.
"""

import math

import pandas as pd

from emergent.config.figure_kinds import MetricBySizeTable
from emergent.figures.arms import arm_looks
from emergent.figures.drawing import References, Tabulation, listed, require_rows, span, stack
from emergent.figures.facts import Inputs
from emergent.figures.metric_by_size import rows_at_last_epoch
from emergent.figures.metrics import metric_look

ROWS = {"in": "In dist.", "ood": "Out of dist."}


def tabulate(inputs: Inputs, references: References, entry: MetricBySizeTable) -> Tabulation:
    """Returns the metrics, decimal logarithms of those with a logarithmic axis, a column per ensemble size.

    Args:
        inputs: holds ``ensembles``.
        references: not used.
        entry: titles and options.

    Raises:
        DataError: the table, or the rows of a metric or an arm, are missing.
    """
    del references
    options = entry.options
    chosen, sets = rows_at_last_epoch(inputs, options.metrics, options.arms)
    sizes = sorted({int(size) for size in chosen["ensemble_size"]})
    looks, arms = arm_looks(inputs), [arm.name for arm in inputs.arms_in(chosen)]
    cells: dict[str, dict[str, str]] = {}
    for arm in arms:
        prefix = f"{looks[arm].word}, " if len(arms) > 1 else ""
        for role, data in sets.items():
            for metric in options.metrics:
                rows = require_rows(chosen, "ensembles", arm=arm, data=data, metric=metric)
                means = rows.set_index("ensemble_size")["mean"]
                log, axis = metric_look(metric).log, metric_look(metric).axis
                cells[f"{prefix}{ROWS[role]}, {f'log({axis})' if log else axis}"] = {
                    str(size): _cell(log, float(means[size])) if size in means.index else "–" for size in sizes
                }
    facts = {
        "epoch": str(int(chosen["epoch"].iloc[0])),
        "data": inputs.data_names(list(sets.values())),
        "arms": listed([looks[arm].word for arm in arms]),
        "ensemble_sizes": listed(sizes),
        "num_ensembles": span([int(num) for num in chosen["num"]]),
    }
    columns = [str(size) for size in sizes]
    table = pd.DataFrame.from_dict(cells, orient="index", columns=columns)
    return Tabulation(table, stack(chosen, pd.DataFrame()), facts)


def _cell(log: bool, mean: float) -> str:
    if not log:
        return f"{mean:.2f}"
    return f"{math.log10(mean):.2f}" if mean > 0 else "–"

"""Reads what a figure draws: summary tables and arrays of the experiments that its entry names, and their facts.

The summary's own configuration says which data set is in distribution and which out-of-distribution set is the primary
one; rows are put in that order and get a column ``role``.
"""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from emergent import storage
from emergent.config.figure_kinds import Entry
from emergent.config.figure_options import MetricOptions
from emergent.errors import DataError
from emergent.figures.facts import Facts, Inputs, read_facts
from emergent.figures.plots import Plot

STAGE = "summary"


def load_inputs(entry: Entry, plot: Plot, summaries: Mapping[str, Path]) -> Inputs:
    """Returns the tables and arrays that a plot reads, and the facts of its experiments.

    Tables of several experiments stand below one another; a leading column ``experiment`` tells them apart.

    Args:
        entry: the figure.
        plot: its kind.
        summaries: experiment to its ``summary.h5``.

    Raises:
        DataError: an experiment, table, array or fact is missing, or an array is asked of several experiments.
    """
    if missing := [name for name in entry.experiments if name not in summaries]:
        raise DataError(
            f"figure {entry.name} draws experiment(s) {', '.join(missing)}, but no summary of theirs was given; "
            f"given: {', '.join(sorted(summaries)) or 'none'}. Add --summary EXPERIMENT=PATH."
        )
    if plot.arrays and len(entry.experiments) != 1:
        raise DataError(f"figure {entry.name} reads arrays and so takes one experiment, not {len(entry.experiments)}.")
    facts = tuple(read_facts(summaries[name]) for name in entry.experiments)
    tables: dict[str, pd.DataFrame | np.ndarray] = {}
    for name in tables_of(entry, plot):
        parts = []
        for experiment, known in zip(entry.experiments, facts, strict=True):
            table = storage.read_table(summaries[experiment], name, STAGE)
            table.insert(0, "experiment", experiment)
            parts.append(with_roles(table, known))
        tables[name] = pd.concat(parts, ignore_index=True)
    if plot.arrays:
        tables.update(storage.read_arrays(summaries[entry.experiments[0]], list(plot.arrays), STAGE))
    return Inputs(tables, facts)


def tables_of(entry: Entry, plot: Plot) -> tuple[str, ...]:
    """Returns the summary tables of an entry: those of its kind, or the one that its options name."""
    return (entry.options.table,) if isinstance(entry.options, MetricOptions) else plot.tables


def with_roles(table: pd.DataFrame, facts: Facts) -> pd.DataFrame:
    """Returns a table with a column ``role``, in-distribution sets first and primary ones first among each role.

    A table without a column ``data``, or with readings of other data sets, is returned as it is.
    """
    sets = {data.name: data for data in facts.data}
    if "data" not in table or not set(table["data"]) <= set(sets):
        return table
    order = sorted(sets, key=lambda name: (sets[name].role != "in", not sets[name].primary))
    table = table.assign(role=[sets[name].role for name in table["data"]])
    return table.iloc[table["data"].map(order.index).argsort(kind="stable")].reset_index(drop=True)

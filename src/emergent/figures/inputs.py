"""Reads what a figure draws: summary tables and arrays of the experiments that its entry names.

The summary's own configuration says which data set is in distribution and which out-of-distribution set is the primary
one; rows are put in that order and get a column ``role``.
"""

import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from emergent import storage
from emergent.config.figures import Entry
from emergent.errors import DataError
from emergent.figures.plots import Plot

STAGE = "summary"


def load_inputs(entry: Entry, plot: Plot, summaries: Mapping[str, Path]) -> dict[str, pd.DataFrame | np.ndarray]:
    """Returns the tables and arrays that a plot reads, by name.

    Tables of several experiments stand below one another; a leading column ``experiment`` tells them apart.

    Args:
        entry: the figure.
        plot: its kind.
        summaries: experiment to its ``summary.h5``.

    Raises:
        DataError: an experiment, table or array is missing, or an array is asked of several experiments.
    """
    if missing := [name for name in entry.experiments if name not in summaries]:
        raise DataError(
            f"figure {entry.name} draws experiment(s) {', '.join(missing)}, but no summary of theirs was given; "
            f"given: {', '.join(sorted(summaries)) or 'none'}. Add --summary EXPERIMENT=PATH."
        )
    if plot.arrays and len(entry.experiments) != 1:
        raise DataError(f"figure {entry.name} reads arrays and so takes one experiment, not {len(entry.experiments)}.")
    inputs: dict[str, pd.DataFrame | np.ndarray] = {}
    for name in plot.tables:
        parts = []
        for experiment in entry.experiments:
            table = storage.read_table(summaries[experiment], name, STAGE)
            table.insert(0, "experiment", experiment)
            parts.append(_with_roles(table, summaries[experiment]))
        inputs[name] = pd.concat(parts, ignore_index=True)
    if plot.arrays:
        inputs.update(storage.read_arrays(summaries[entry.experiments[0]], list(plot.arrays), STAGE))
    return inputs


def _with_roles(table: pd.DataFrame, summary: Path) -> pd.DataFrame:
    settings = json.loads(str(storage.read_attributes(summary).get("config_json", "{}"))).get("data", {})
    if "data" not in table or not set(table["data"]) <= set(settings):
        return table
    rank = {name: (facts["role"] != "in", not facts["primary"]) for name, facts in settings.items()}
    order = sorted(settings, key=lambda name: rank[name])
    table = table.assign(role=[settings[name]["role"] for name in table["data"]])
    return table.iloc[table["data"].map(order.index).argsort(kind="stable")].reset_index(drop=True)

"""Readings of unpublished settings laid side by side: a metric of ensembles by epoch, and how far each is from print.

Input: summary table ``osp``, whose arms are settings of training and whose test sets are conditions of testing.
"""

from typing import Any

import numpy as np
import pandas as pd

from emergent.config.figure_kinds import MetricReadings
from emergent.figures import style
from emergent.figures.arms import arm_looks
from emergent.figures.conditions import AS_TRAINED
from emergent.figures.drawing import (
    References,
    Tabulation,
    metric_rows,
    nearest_size,
    published_table,
    require_rows,
    span,
    stack,
)
from emergent.figures.facts import Inputs
from emergent.figures.metric_by_epoch import COLUMNS

ERROR = "error of images"


def tabulate(inputs: Inputs, references: References, entry: MetricReadings) -> Tabulation:
    """Returns a row per reading, the nearest to the published curve first, and the published curve.

    Its distance is the root of the mean square difference over the epochs after the start that both have; its error the
    largest of these epochs that the choice of images leaves, where the table knows it.

    Args:
        inputs: holds the table that the options name.
        references: published values; series of the table's name with a key ``data`` and the group of the arms.
        entry: titles and options.

    Raises:
        DataError: the table or a row is missing.
    """
    options = entry.options
    table = metric_rows(inputs, options, COLUMNS)
    table = table[table["epoch"] > 0]
    ensembles = require_rows(table, options.table, predictor="ensemble")
    size = nearest_size(ensembles, options.ensemble_size)
    ensembles = require_rows(ensembles, options.table, ensemble_size=size)
    members = require_rows(table, options.table, predictor="members")
    published = published_table(references, options.table)
    published = published[published["data"] == options.published_data] if "data" in published else published[:0]
    by_predictor = published.groupby("predictor") if len(published) else ()
    theirs = {str(predictor): rows.set_index("epoch") for predictor, rows in by_predictor}
    curve = theirs["ensemble"]["mean"] if "ensemble" in theirs else pd.Series(dtype=float)
    epochs = sorted(int(epoch) for epoch in set(ensembles["epoch"]))
    facts = inputs.experiment(entry.experiments[0])
    conditions = {data.name: data.condition or AS_TRAINED for data in facts.data}
    looks = arm_looks(inputs)
    found: list[tuple[float, str, dict[str, str]]] = []
    for (arm, data), rows in ensembles.groupby(["arm", "data"], sort=False):
        ours = rows.set_index("epoch")["mean"]
        own = require_rows(members, options.table, arm=arm, data=data).set_index("epoch")["mean"]
        images = rows.get("image_stderr")
        cells = {f"epoch {epoch}": f"{ours[epoch]:.2f} ({own[epoch]:.2f})" for epoch in epochs}
        distance = _distance(ours, curve)
        if len(curve):
            cells["distance"] = f"{distance:.2f}"
        if images is not None:
            cells[ERROR] = f"{images.max():.2f}"
        found.append((distance, f"{looks[str(arm)].label}; {conditions[str(data)]}", cells))
    # Without a published curve all distances are NaN, and the order is that of the configuration.
    ranked = sorted(found, key=lambda row: row[0]) if len(curve) else found
    cells = {label: row for _, label, row in ranked}
    if len(curve):
        cells[style.PUBLISHED_LABEL] = _published_cells(theirs, epochs)
    columns = [f"epoch {epoch}" for epoch in epochs] + (["distance"] if len(curve) else [])
    columns += [ERROR] if "image_stderr" in ensembles else []
    words = {
        "data": inputs.data_name(next(data.name for data in facts.data if data.condition_of is None)),
        "ensemble_size": str(size),
        "num_ensembles": span([int(num) for num in ensembles["num"]]),
        "num_members": span([int(num) for num in members["num"]]),
    }
    data = stack(pd.concat([ensembles, members], ignore_index=True), published)
    return Tabulation(pd.DataFrame.from_dict(cells, orient="index", columns=columns), data, words)


def _distance(ours: pd.Series, published: pd.Series) -> float:
    gaps = (ours - published.reindex(ours.index)).dropna()
    return float(np.sqrt(np.square(gaps).mean())) if len(gaps) else float("nan")


def _published_cells(theirs: dict[Any, pd.DataFrame], epochs: list[int]) -> dict[str, str]:
    curve, band = theirs["ensemble"]["mean"], theirs.get("members")
    cells = {}
    for epoch in epochs:
        if epoch in curve.index:
            inner = "" if band is None else f" ({band.loc[epoch, 'low']:.2f} to {band.loc[epoch, 'high']:.2f})"
            cells[f"epoch {epoch}"] = f"{curve[epoch]:.2f}{inner}"
    return {**cells, "distance": "–", ERROR: "–"}

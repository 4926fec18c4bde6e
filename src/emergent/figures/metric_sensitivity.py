"""What a metric of ensembles and members does when one unpublished setting changes at a time.

Input: summary table ``osp``, whose arms differ from the first one in one setting each. Our own table; it has no
published values, because it asks which features of published curves hold whatever the settings were.
"""

import pandas as pd

from emergent.config.figure_kinds import MetricSensitivity
from emergent.figures.arms import arm_looks
from emergent.figures.drawing import (
    References,
    Tabulation,
    metric_rows,
    nearest_size,
    require_rows,
    span,
    stack,
)
from emergent.figures.facts import Inputs
from emergent.figures.metric_by_epoch import COLUMNS


def tabulate(inputs: Inputs, references: References, entry: MetricSensitivity) -> Tabulation:
    """Returns a row per arm and evaluation set, at the last epoch, with the smallest gain after the start.

    Whether the ensemble lies above its members depends on what a band over members means; the column *above* says
    how many of them it is above: ``all``, three quarters (``3/4``), the ``mean``, or ``none`` of these.

    Args:
        inputs: holds the table that the options name.
        references: not used.
        entry: titles and options.

    Raises:
        DataError: the table or a row is missing.
    """
    del references
    options = entry.options
    table = metric_rows(inputs, options, (*COLUMNS, "minimum", "maximum"))
    table = table[table["epoch"] > 0]
    ensembles = require_rows(table, options.table, predictor="ensemble")
    size = nearest_size(ensembles, options.ensemble_size)
    ensembles = require_rows(ensembles, options.table, ensemble_size=size)
    members = require_rows(table, options.table, predictor="members")
    looks = arm_looks(inputs)
    cells: dict[str, dict[str, str]] = {}
    shown = []
    names = [name for name in options.data if name in set(ensembles["data"])] or list(dict.fromkeys(ensembles["data"]))
    for data in names:
        for arm in dict.fromkeys(ensembles["arm"]):
            place = {"arm": arm, "data": data}
            ours = require_rows(ensembles, options.table, **place).set_index("epoch").sort_index()
            own = require_rows(members, options.table, **place).set_index("epoch").sort_index()
            gains = ours["mean"] - own["mean"]
            last, band = ours.iloc[-1], own.iloc[-1]
            worst = gains.idxmin()
            error = ours.at[worst, "gain_stderr"] if "gain_stderr" in ours else float("nan")
            cells[f"{inputs.data_name(data)}; {looks[str(arm)].label}"] = {
                "ensemble": f"{last['mean']:.2f}",
                "members": f"{band['mean']:.2f}",
                "quartiles": f"{band['low']:.2f} to {band['high']:.2f}",
                "range": f"{band['minimum']:.2f} to {band['maximum']:.2f}",
                "above": _above(float(last["mean"]), band),
                "smallest gain": f"{gains[worst]:+.2f}" + (f" ± {error:.2f}" if error == error else ""),
            }
            shown += [ours.reset_index(), own.reset_index()]
    words = {
        "epoch": str(int(ensembles["epoch"].max())),
        "ensemble_size": str(size),
        "num_members": span([int(num) for num in members["num"]]),
    }
    data = stack(pd.concat(shown, ignore_index=True), pd.DataFrame())
    return Tabulation(pd.DataFrame.from_dict(cells, orient="index"), data, words)


def _above(ensemble: float, band: pd.Series) -> str:
    for level, word in (("maximum", "all"), ("high", "3/4"), ("mean", "mean")):
        if ensemble > float(band[level]):
            return word
    return "none"

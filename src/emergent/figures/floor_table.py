"""What infinite ensembles keep of their orbit error, arm by arm, beside what augmented the training.

Input: summary table ``fit``. arXiv:2403.03103 shows ensembles of two to ten networks; the law is fitted to its points.
"""

import math

import numpy as np
import pandas as pd

from emergent.config.figure_kinds import FloorTable
from emergent.figures.arms import arm_looks
from emergent.figures.drawing import (
    References,
    Tabulation,
    listed,
    measured,
    published_table,
    require_rows,
    require_table,
    span,
    stack,
)
from emergent.figures.facts import Inputs
from emergent.statistics.size_fits import fit_noise_floor

COLUMNS = ("arm", "width", "num_elements", "covering_angle", "data", "floor", "floor_stderr", "slope", "slope_stderr",
           "num_members")  # fmt: skip
QUANTITY = "orbit_error"
ELEMENTS, ANGLE = "elements", "covering angle (degrees)"
FITTED = ("floor", "slope")


def tabulate(inputs: Inputs, references: References, entry: FloorTable) -> Tabulation:
    """Returns a row per arm: elements of its augmentation, their covering angle, floor and slope on each set.

    Below stand floors and slopes of the published ensembles of each width.

    Args:
        inputs: holds ``fit``.
        references: published values; ensembles' series of quantity ``orbit_error``.
        entry: titles and options.

    Raises:
        DataError: the table, a column or the row of an arm is missing.
    """
    table = require_table(inputs, "fit", COLUMNS)
    published = published_laws(references)
    cells: dict[str, dict[str, str]] = {}
    looks = arm_looks(inputs)
    for arm in inputs.arms_in(table):
        rows = require_rows(table, "fit", arm=arm.name)
        first = rows.iloc[0]
        cells[looks[arm.name].word] = {
            ELEMENTS: _number(float(first["num_elements"]), 0),
            ANGLE: _number(float(first["covering_angle"]), 1),
        }
        for data in entry.options.data:
            law = require_rows(rows, "fit", data=data).iloc[0]
            cells[looks[arm.name].word] |= _law_cells(inputs, data, law)
    for law in published.to_dict("records"):
        if law["data"] in entry.options.data:
            row = cells.setdefault(f"published, width {law['width']}", {})
            row |= _law_cells(inputs, law["data"], law)
    heads = [_head(inputs, name, data) for data in entry.options.data for name in FITTED]
    shown = pd.DataFrame.from_dict(cells, orient="index", columns=[ELEMENTS, ANGLE, *heads]).fillna("–")
    facts = {
        "num_members": span([int(num) for num in table["num_members"]]),
        "widths": listed(sorted({int(width) for width in table["width"]})),
    }
    return Tabulation(shown, stack(table, published), facts)


def published_laws(references: References) -> pd.DataFrame:
    """Returns ``floor + slope / M`` of the published ensembles (width, data, floor, slope, their errors).

    Least squares; the errors are those of the points' scatter about the law, which knows nothing of what all points
    share: their members and the reading of the axes. Curves of fewer than three points are left out.
    """
    points = published_table(references, QUANTITY)
    rows = []
    ensembles = points[points["predictor"] == "ensemble"] if len(points) else points
    for (width, data), curve in ensembles.groupby(["width", "data"], sort=False) if len(ensembles) else ():
        known = curve.dropna(subset=["mean"])
        if len(known) < 3:
            continue
        sizes, values = known["ensemble_size"].to_numpy(float), known["mean"].to_numpy(float)
        (floor, slope), covariance = fit_noise_floor(sizes, values, np.ones_like(values))
        scatter = math.sqrt(np.square(values - floor - slope / sizes).sum() / (len(values) - 2))
        errors = scatter * np.sqrt(np.diag(covariance))
        rows.append({"width": int(width), "data": str(data), "floor": floor, "floor_stderr": errors[0], "slope": slope,
                     "slope_stderr": errors[1]})  # fmt: skip
    return pd.DataFrame(rows)


def _law_cells(inputs: Inputs, data: str, law: pd.Series | dict) -> dict[str, str]:
    return {_head(inputs, name, data): measured(float(law[name]), float(law[f"{name}_stderr"])) for name in FITTED}


def _head(inputs: Inputs, name: str, data: str) -> str:
    return f"{name}, {inputs.data_name(data)}"


def _number(value: float, decimals: int) -> str:
    return f"{value:.{decimals}f}" if math.isfinite(value) else "–"

"""What plots take and give: tables checked on the way in, a figure with its data and facts on the way out."""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from emergent.config.figure_options import MetricOptions
from emergent.config.references import Reference
from emergent.errors import DataError
from emergent.figures.facts import Inputs

References = Mapping[str, Reference]


class Drawing(NamedTuple):
    """A finished figure.

    Attributes:
        figure: the picture, not yet saved.
        data: every number drawn, tidy, with a column ``source`` (``ours`` or ``published``).
        facts: words for the placeholders of the caption.
    """

    figure: Figure
    data: pd.DataFrame
    facts: dict[str, str]


class Animation(NamedTuple):
    """A picture that moves.

    Attributes:
        figure: as it is before the first frame.
        frames: names of the frames in order, e.g. times.
        show: changes the figure to one of these frames.
        lasting: frames that stay for longer.
    """

    figure: Figure
    frames: Sequence[int]
    show: Callable[[int], None]
    lasting: frozenset[int]


class Tabulation(NamedTuple):
    """A finished table.

    Attributes:
        cells: text as printed, row labels in the index.
        data: every number behind the text, tidy, with a column ``source``.
        facts: words for the placeholders of the caption.
    """

    cells: pd.DataFrame
    data: pd.DataFrame
    facts: dict[str, str]


def require_table(inputs: Inputs, name: str, columns: Sequence[str]) -> pd.DataFrame:
    """Returns a summary table that has the given columns and at least one row.

    Raises:
        DataError: the table, a column or every row is missing.
    """
    table = inputs.tables.get(name)
    if table is None or isinstance(table, np.ndarray):
        raise DataError(f"the summary has no table {name!r}, which this plot draws; it has: {_listed(inputs)}.")
    if missing := [column for column in columns if column not in table.columns]:
        raise DataError(f"summary table {name!r} lacks column(s) {missing}; it has {list(table.columns)}.")
    if table.empty:
        raise DataError(f"summary table {name!r} is empty; run the experiment's summary stage again.")
    return table


def metric_rows(inputs: Inputs, options: MetricOptions, columns: Sequence[str]) -> pd.DataFrame:
    """Returns the rows of one metric from the table that an entry's options name.

    Raises:
        DataError: the table, a column or every row of the metric is missing.
    """
    table = require_table(inputs, options.table, columns)
    if "metric" not in table.columns:
        return table
    if options.metric is None:
        known = ", ".join(dict.fromkeys(str(name) for name in table["metric"]))
        raise DataError(f"summary table {options.table!r} holds several metrics; set options.metric to one of {known}.")
    return require_rows(table, options.table, metric=options.metric)


def require_array(inputs: Inputs, name: str) -> np.ndarray:
    """Returns a summary array.

    Raises:
        DataError: there is no such array.
    """
    array = inputs.tables.get(name)
    if not isinstance(array, np.ndarray):
        raise DataError(f"the summary has no array {name!r}, which this plot draws; it has: {_listed(inputs)}.")
    return array


def require_rows(table: pd.DataFrame, what: str, **values: object) -> pd.DataFrame:
    """Returns the rows whose columns have the given values.

    Args:
        table: a tidy table.
        what: its name, for the message.
        values: column to required value.

    Raises:
        DataError: no row is left; the message lists what the first failing column holds.
    """
    rows = table
    for column, value in values.items():
        kept = rows[rows[column] == value]
        if kept.empty:
            known = ", ".join(str(item) for item in dict.fromkeys(rows[column]))
            raise DataError(f"summary table {what!r} has no row with {column} = {value!r}; found there: {known}.")
        rows = kept
    return rows


def data_roles(table: pd.DataFrame) -> dict[str, str]:
    """Returns each data set's role in the table's order.

    Without a column ``role`` the first of several is ``in`` and the others are ``ood``.
    """
    if "role" in table:
        return {str(data): str(role) for data, role in zip(table["data"], table["role"], strict=True)}
    names = list(dict.fromkeys(str(data) for data in table["data"]))
    return {name: "in" if index == 0 and len(names) > 1 else "ood" for index, name in enumerate(names)}


def select_data(table: pd.DataFrame, wanted: str, what: str) -> str:
    """Returns the data set that ``wanted`` means: its own name, or the first one with that role (``in``, ``ood``).

    Raises:
        DataError: there is no such data set.
    """
    roles = data_roles(table)
    if wanted in roles:
        return wanted
    for name, role in roles.items():
        if role == wanted:
            return name
    raise DataError(f"summary table {what!r} has no data set {wanted!r}; found there: {', '.join(roles)}.")


def nearest_size(table: pd.DataFrame, wanted: int) -> int:
    """Returns the largest ensemble size of a table that does not exceed ``wanted``, or else the smallest one."""
    sizes = sorted({int(size) for size in table["ensemble_size"]})
    return max((size for size in sizes if size <= wanted), default=sizes[0])


def nearest_epoch(table: pd.DataFrame, wanted: int | str) -> int:
    """Returns the first epoch of a table not before ``wanted``; the last one for ``last`` or if the run was shorter."""
    epochs = sorted({int(epoch) for epoch in table["epoch"]})
    if wanted == "last":
        return epochs[-1]
    return next((epoch for epoch in epochs if epoch >= int(wanted)), epochs[-1])


def published_table(references: References, quantity: str) -> pd.DataFrame:
    """Returns the published series of one quantity as a tidy table.

    Returns:
        Columns: those of the series' keys, its ``x_name``, ``mean``, ``low``, ``high``, ``spread``, ``uncertainty``
        (error of the mean); NaN where nothing was published. Empty if no reference has the quantity.
    """
    rows = []
    for reference in references.values():
        for series in reference.series:
            if series.quantity != quantity:
                continue
            for i, x in enumerate(series.x):
                row: dict[str, object] = {**series.keys, series.x_name: x, "mean": series.y[i]}
                for name in ("low", "high", "spread"):
                    values = getattr(series, name)
                    row[name] = values[i] if values is not None else None
                row["uncertainty"] = series.error(i) if series.uncertainty is not None else None
                rows.append(row)
    table = pd.DataFrame(rows)
    for column in ("mean", "low", "high", "spread", "uncertainty"):
        if column in table:
            table[column] = table[column].astype(float)
    return table


def stack(ours: pd.DataFrame, published: pd.DataFrame) -> pd.DataFrame:
    """Returns both tables below one another with a leading column ``source``."""
    parts = [part.assign(source=name) for name, part in (("ours", ours), ("published", published)) if len(part)]
    joined = pd.concat([part.dropna(axis="columns", how="all") for part in parts], ignore_index=True)
    return joined[["source", *[column for column in joined.columns if column != "source"]]]


def listed(items: Sequence[object], conjunction: str = "and") -> str:
    """Returns items as English prose: ``a``, ``a and b``, ``a, b and c``."""
    words = [str(item) for item in items]
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} {conjunction} {words[-1]}"


def measured(value: float, error: float) -> str:
    """Returns a value with its error, both to the error's second significant digit."""
    if not math.isfinite(error) or error <= 0:
        return f"{value:.3g}"
    decimals = max(0, 1 - math.floor(math.log10(error)))
    return f"{value:.{decimals}f} ± {error:.{decimals}f}"


def span(numbers: Sequence[int]) -> str:
    """Returns ``5`` or ``2 to 10`` for the range of some counts."""
    low, high = min(numbers), max(numbers)
    return f"{low}" if low == high else f"{low} to {high}"


def _listed(inputs: Inputs) -> str:
    return ", ".join(sorted(inputs.tables)) or "nothing"

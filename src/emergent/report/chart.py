"""A chart that readers move through: its axes, panels and curves, as data for the script of the page.

Every row of a curve has a value for each axis, or null where it holds for all of them. One axis is drawn, the others
are sliders; readers may swap them.
"""

import json
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

DIGITS = 4
"""Significant digits of numbers in charts; the CSV has all of them."""

Style = Literal["line", "thin", "dashed", "dotted", "points", "published"]
Row = tuple[float | None, ...]
"""A value for each axis, then height, lower and upper end of the bar or band."""


@dataclass(frozen=True)
class Axis:
    """What a chart can be drawn against.

    Attributes:
        label: its name.
        values: of ours, ascending.
        start: value of the slider at first.
        log: whether it is drawn logarithmically.
    """

    label: str
    values: tuple[float, ...]
    start: float
    log: bool = False


@dataclass(frozen=True)
class Curve:
    """One curve of a panel.

    Attributes:
        label: in the legend; curves of a label are shown and hidden together.
        color: hexadecimal, as in the printed figure.
        style: of the line or markers.
        rows: its points.
        band: whether lower and upper ends are a band instead of bars.
    """

    label: str
    color: str
    style: Style
    rows: tuple[Row, ...]
    band: bool = False


@dataclass(frozen=True)
class Panel:
    """One panel.

    Attributes:
        title: above it.
        y: label of the vertical axis.
        log: whether that axis is logarithmic at first.
        curves: in the order of the legend.
        ends: lower and upper end of that axis, where curves may leave the panel; None holds all of them.
    """

    title: str
    y: str
    log: bool
    curves: tuple[Curve, ...]
    ends: tuple[float, float] | None = None


@dataclass(frozen=True)
class Chart:
    """A chart.

    Attributes:
        axes: what it can be drawn against; the first one is drawn at first.
        panels: side by side.
        note: what bars and bands are, one sentence.
        swap: whether readers may draw it against another of its axes.
    """

    axes: tuple[Axis, ...]
    panels: tuple[Panel, ...]
    note: str
    swap: bool = True

    @property
    def moves(self) -> bool:
        """Whether there is a slider, or another axis to draw it against."""
        return sum(len(axis.values) > 1 for axis in self.axes) > 1

    def to_json(self) -> str:
        """Returns the chart for the script of the page: JSON that can stand inside an element ``script``."""
        content = {
            "note": self.note,
            "swap": self.swap,
            "axes": [
                {"label": axis.label, "values": [_short(value) for value in axis.values], "start": _short(axis.start),
                 "log": axis.log}
                for axis in self.axes
            ],
            "panels": [
                {
                    "title": panel.title,
                    "y": panel.y,
                    "log": panel.log,
                    "ends": None if panel.ends is None else [_short(end) for end in panel.ends],
                    "curves": [
                        {"label": curve.label, "color": curve.color, "style": curve.style, "band": curve.band,
                         "rows": [[_short(value) for value in row] for row in curve.rows]}
                        for curve in panel.curves
                    ],
                }
                for panel in self.panels
            ],
        }  # fmt: skip
        text = json.dumps(content, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
        return text.replace("<", "\\u003c")


def _short(value: float | None) -> float | int | None:
    if value is None or not math.isfinite(value):
        return None
    rounded = float(f"{value:.{DIGITS}g}")
    return int(rounded) if rounded.is_integer() and abs(rounded) < 1e15 else rounded


def row(at: Sequence[float | None], value: float, low: float = math.nan, high: float = math.nan) -> Row | None:
    """Returns a row of a curve; None if there is no value."""
    if not math.isfinite(value):
        return None
    ends = (low, high) if math.isfinite(low) and math.isfinite(high) else (None, None)
    return (*at, float(value), *ends)


def rows(found: Iterable[Row | None]) -> tuple[Row, ...]:
    """Returns the rows that have a value."""
    return tuple(item for item in found if item is not None)


def axis(label: str, values: Iterable[float], start: float | None = None, log: bool = False) -> Axis:
    """Returns an axis with its values once and ascending; the slider starts at the largest unless told otherwise."""
    known = tuple(sorted({float(value) for value in values}))
    return Axis(label, known, known[-1] if start is None else float(start), log)


def chart(axes: Sequence[Axis], panels: Sequence[Panel], note: str, swap: bool = True) -> Chart | None:
    """Returns a chart of the curves that have points; None if there is nothing to move through or to read off."""
    kept = []
    for panel in panels:
        curves = tuple(curve for curve in panel.curves if curve.rows)
        if any(curve.style != "published" for curve in curves):
            kept.append(replace(panel, curves=curves))
    if not kept or not axes or len(axes[0].values) < 2:
        return None
    return Chart(tuple(axes), tuple(kept), note, swap)

"""Reads back what a figure shows: error bars, grey markers, legends, and where its words stand."""

from collections.abc import Iterator
from itertools import combinations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.container import ErrorbarContainer
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.text import Text
from matplotlib.transforms import Bbox

from emergent.figures import style


def error_bars(axes: Axes) -> list[tuple[str, np.ndarray]]:
    """Returns colour and rows (x, y, half length) of each series with error bars; no bar has length NaN."""
    found = []
    for container in axes.containers:
        assert isinstance(container, ErrorbarContainer)
        line, _, collections = container
        points = np.asarray(line.get_xydata(), float)
        lengths = np.full(len(points), np.nan)
        segments = {round(float(s[0, 0]), 9): s for part in collections for s in part.get_segments() if len(s)}
        for index, x in enumerate(points[:, 0]):
            if round(float(x), 9) in segments:
                segment = segments[round(float(x), 9)]
                lengths[index] = (segment[1, 1] - segment[0, 1]) / 2
        found.append((str(line.get_color()), np.column_stack([points, lengths])))
    return found


def grey_markers(axes: Axes) -> list[Line2D]:
    """Returns the series of published markers."""
    grey = [line for line in axes.lines if line.get_markeredgecolor() == style.PUBLISHED_COLOR]
    return [line for line in grey if line.get_linestyle() == "None" and str(line.get_marker()) in "os^Dv"]


def legend_labels(figure: Figure) -> list[str]:
    """Returns the words of the figure's legend in order."""
    (legend,) = figure.legends
    return [text.get_text() for text in legend.get_texts()]


def all_axes(figure: Figure) -> list[Axes]:
    """Returns the panels that are shown, and their insets."""
    shown = [axes for axes in figure.axes if axes.get_visible()]
    return [*shown, *(child for axes in shown for child in axes.child_axes if isinstance(child, Axes))]


def words(figure: Figure) -> Iterator[tuple[str, Bbox]]:
    """Yields every text that the figure shows, and the box it takes in pixels."""
    renderer = FigureCanvasAgg(figure).get_renderer()
    figure.draw(renderer)
    texts: list[Text] = [text for legend in figure.legends for text in (*legend.get_texts(), legend.get_title())]
    texts += figure.texts
    for axes in all_axes(figure):
        texts += [axes.title, *axes.texts]
        if not axes.axison:
            continue
        for axis in (axes.xaxis, axes.yaxis):
            texts += [axis.label, axis.get_offset_text()]
            low, high = sorted(axis.get_view_interval())
            ticks = zip(axis.get_ticklocs(), axis.get_ticklabels(), strict=False)
            texts += [label for place, label in ticks if low <= place <= high]
    for text in texts:
        if text.get_visible() and text.get_text().strip():
            yield text.get_text(), text.get_window_extent(renderer)


def assert_words_have_room(figure: Figure) -> None:
    """Fails if a text sticks out of the figure or lies over another one (by more than a pixel)."""
    found = list(words(figure))
    assert found
    page = figure.bbox
    for text, box in found:
        inside = page.x0 - 1 <= box.x0 and box.x1 <= page.x1 + 1 and page.y0 - 1 <= box.y0 and box.y1 <= page.y1 + 1
        assert inside, f"{text!r} sticks out of the figure: {box} in {page}"
    for (first, one), (second, two) in combinations(found, 2):
        width = min(one.x1, two.x1) - max(one.x0, two.x0)
        height = min(one.y1, two.y1) - max(one.y0, two.y0)
        assert not (width > 1 and height > 1), f"{first!r} and {second!r} overlap by {width:.1f} x {height:.1f} pixels"

"""The one visual style: sizes in inches, fonts, colours and markers per arm, human names, axes without clutter.

Colours follow the published figures (tab10-like blue, orange, green for widths and red for the NTK; green, blue, red
for C4, C8, C16) in shades that stay apart for colour-blind readers; every series has its own marker as well.
"""

import math
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import NullFormatter, NullLocator

WIDTHS = {"one": 3.25, "two": 6.75}
"""Inches of one and two columns of the proceedings' page."""

RC: dict[Any, Any] = {
    "font.family": "DejaVu Sans",
    "font.size": 8.0,
    "axes.titlesize": 8.0,
    "axes.labelsize": 8.0,
    "xtick.labelsize": 7.0,
    "ytick.labelsize": 7.0,
    "legend.fontsize": 7.0,
    "legend.title_fontsize": 7.0,
    "legend.frameon": False,
    "legend.handlelength": 1.9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.linewidth": 0.7,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#e4e4e4",
    "grid.linewidth": 0.5,
    "xtick.major.width": 0.7,
    "ytick.major.width": 0.7,
    "lines.linewidth": 1.3,
    "lines.markersize": 3.5,
    "errorbar.capsize": 1.5,
    "figure.dpi": 100.0,
    "savefig.dpi": 200.0,
    "pdf.fonttype": 42,
    # Without a salt of its own matplotlib draws random ids, and files differ from run to run.
    "svg.hashsalt": "emergent",
    # Letters as outlines: the picture is the same where the font is missing.
    "svg.fonttype": "path",
    "axes.formatter.use_mathtext": True,
}

BLUE, ORANGE, GREEN, RED, PURPLE = "#0072B2", "#E08A00", "#009E73", "#C8321E", "#7B5AA6"
NTK_COLOR = RED
PUBLISHED_COLOR = "#6f6f6f"
BAND_ALPHA = 0.2
CLOSEST_LABELS = 0.09
"""Smallest distance of two labels on a logarithmic axis, as a fraction of its length."""
PUBLISHED_LABEL = "published (paper scale)"

_GROUP_COLORS = {"C4": GREEN, "C8": BLUE, "C16": RED, "C12": PURPLE}
_WIDTH_COLORS = (BLUE, ORANGE, GREEN, PURPLE)
_SIZE_COLORS = (RED, ORANGE, GREEN, BLUE, PURPLE)
_MARKERS = ("o", "s", "^", "D", "v")

_DATA_NAMES = {
    "train": "Training Data",
    "test": "Test Data",
    "ood": "Out of Distribution Data",
    "mnist": "MNIST",
    "fashion_mnist": "FashionMNIST",
    "cifar10": "CIFAR-10",
    "cifar10_jpeg": "CIFAR-10 (JPEG variant)",
    "digits": "handwritten digits",
    "photo_patches": "photo patches",
    "gaussian_fields": "Gaussian fields",
    "modelnet10": "ModelNet10",
    "modelnet40": "ModelNet40",
    "generated_solids": "generated solids",
    "generated_solids_ood": "other generated solids",
}


@contextmanager
def context() -> Iterator[None]:
    """Draws and saves what happens inside in this style, whatever a user's own matplotlib settings are."""
    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(RC)
        yield


def data_name(data: str) -> str:
    """Returns a data set's name as readers know it."""
    return _DATA_NAMES.get(data, data.replace("_", " "))


def group_name(group: str) -> str:
    """Returns a group's name as mathematics, e.g. ``$C_{4}$``; a name of another form stays as it is."""
    return f"${group[0]}_{{{group[1:]}}}$" if re.fullmatch(r"[A-Z][0-9]+", group) else group


def group_colors(groups: Sequence[str]) -> dict[str, str]:
    """Returns one colour per group: the published one, or a spare one for a group that was not published."""
    spare = [color for color in (PURPLE, ORANGE, *_SIZE_COLORS) if color not in {_GROUP_COLORS.get(g) for g in groups}]
    unknown = [group for group in groups if group not in _GROUP_COLORS]
    return {**{g: _GROUP_COLORS[g] for g in groups if g in _GROUP_COLORS}, **dict(zip(unknown, spare, strict=False))}


def width_colors(widths: Sequence[int]) -> dict[int, str]:
    """Returns one colour per width, the narrowest first."""
    return {width: _WIDTH_COLORS[i % len(_WIDTH_COLORS)] for i, width in enumerate(sorted(widths))}


def size_colors(sizes: Sequence[int]) -> dict[int, str]:
    """Returns one colour per ensemble size, the smallest first."""
    return {size: _SIZE_COLORS[i % len(_SIZE_COLORS)] for i, size in enumerate(sorted(sizes))}


def item_colors(items: Sequence[str]) -> dict[str, str]:
    """Returns one colour per item, in the order given."""
    return {item: _SIZE_COLORS[i % len(_SIZE_COLORS)] for i, item in enumerate(items)}


def markers(items: Sequence[object]) -> dict[object, str]:
    """Returns one marker per item, in the order given."""
    return {item: _MARKERS[i % len(_MARKERS)] for i, item in enumerate(items)}


def new_figure(width: str, height: float) -> Figure:
    """Returns an empty figure one or two columns wide and ``height`` inches high."""
    return Figure(figsize=(WIDTHS[width], height), layout="constrained")


def published(axes: Axes, x: Sequence[float], y: Sequence[float], marker: str, face: str = "none") -> None:
    """Draws published values as thin grey markers, open or filled with ``face``, without a line."""
    axes.plot(x, y, linestyle="none", marker=marker, markersize=4.2, markerfacecolor=face,
              markeredgecolor=PUBLISHED_COLOR, markeredgewidth=0.8, zorder=4)  # fmt: skip


def log_decades(axes: Axes) -> None:
    """Makes the vertical axis logarithmic from one full decade to another, so that its ticks are powers of ten."""
    axes.set_yscale("log")
    axes.yaxis.set_minor_formatter(NullFormatter())
    low, high = axes.dataLim.minposy, axes.dataLim.y1
    if 0 < low <= high and math.isfinite(low):
        axes.set_ylim(10 ** math.floor(math.log10(low) - 0.02), 10 ** math.ceil(math.log10(high) + 0.02))


def published_handle(marker: object = "o", detail: str = "", face: str = "none") -> Line2D:
    """Returns the legend entry of the published values, or of those that ``detail`` names."""
    return Line2D([], [], linestyle="none", marker=str(marker), markersize=4.2, markerfacecolor=face,
                  markeredgecolor=PUBLISHED_COLOR, markeredgewidth=0.8,
                  label=f"published{detail}" if detail else PUBLISHED_LABEL)  # fmt: skip


def log_axis(axes: Axes, sizes: Sequence[float]) -> None:
    """Makes the horizontal axis logarithmic, labelled with plain numbers if it spans less than two decades.

    Of sizes that lie too close for a label each, the larger one is labelled.
    """
    axes.set_xscale("log")
    known = sorted({float(size) for size in sizes}, reverse=True)
    span = math.log10(known[0] / known[-1])
    if span < 2:
        ticks: list[float] = []
        for size in known:
            if not ticks or math.log10(ticks[-1] / size) >= CLOSEST_LABELS * span:
                ticks.append(size)
        axes.set_xticks(ticks[::-1], [f"{size:g}" for size in ticks[::-1]])
        axes.xaxis.set_minor_locator(NullLocator())

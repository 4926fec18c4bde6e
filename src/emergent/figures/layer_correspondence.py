"""Which layers of augmented networks correspond to which of group convolutional ones, and how kernels pass a layer.

No input: a drawing of two theorems of arXiv:2406.06504, and of the recursion behind them.
"""

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.patches import FancyBboxPatch

from emergent.config.infinite_width_figures import LayerCorrespondence
from emergent.figures import style
from emergent.figures.drawing import Drawing, References, stack
from emergent.figures.facts import Inputs

PAIRS = {
    "MLP": (
        ("MLP", ("dense", "$\\sigma$", "dense", "$\\sigma$", "dense", None)),
        ("GCNN", ("lifting,\nall of $X$", "$\\sigma$", "group conv.,\nall of $G$", "$\\sigma$",
                  "group conv.,\nall of $G$", "group pool")),
        "$\\Theta^{GCNN}(f, f') = \\frac{1}{|G|}\\sum_{g} \\Theta^{MLP}(f, \\rho(g) f')$",
    ),
    "CNN": (
        ("CNN", ("conv.", "$\\sigma$", "conv.", "$\\sigma$", "conv.", "pool")),
        ("GCNN", ("lifting", "$\\sigma$", "group conv.", "$\\sigma$", "group conv.", "group pool")),
        "$\\Theta^{GCNN}(f, f') = \\frac{1}{n}\\sum_{r \\in C_n} \\Theta^{CNN}(f, \\rho(r) f')$",
    ),
}  # fmt: skip
RECURSION = (
    ("lifting", "$K'_{g,g'} = \\langle K_{\\rho(g)x, \\rho(g')x}\\rangle_{x \\in S}$", "$\\Theta' = K'$"),
    ("group conv.", "$K'_{g,g'} = \\langle K_{gh, g'h}\\rangle_{h \\in S}$",
     "$\\Theta' = K' + \\langle \\Theta_{gh, g'h}\\rangle_{h \\in S}$"),
    ("$\\sigma$", "$K' = E[\\sigma(u)\\,\\sigma(v)]$", "$\\Theta' = E[\\dot\\sigma(u)\\,\\dot\\sigma(v)]\\;\\Theta$"),
    ("group pool", "$K' = \\langle K_{g,g'}\\rangle_{g,g' \\in G}$",
     "$\\Theta' = \\langle \\Theta_{g,g'}\\rangle_{g,g' \\in G}$"),
)  # fmt: skip
WIDTH, HEIGHT, GAP = 1.5, 0.62, 0.3


def draw(inputs: Inputs, references: References, entry: LayerCorrespondence) -> Drawing:
    """Returns rows of boxes, pair by pair, and the recursion below them.

    Args:
        inputs: nothing of it is read.
        references: none are drawn.
        entry: titles and options.
    """
    del inputs, references
    figure = style.new_figure(entry.width, 4.6)
    panel = figure.subplots()
    panel.set_axis_off()
    colors = style.item_colors(["plain", "group"])
    boxes = []
    for index, (plain, group, theorem) in enumerate(PAIRS.values()):
        top = -2.6 * index
        for row, (name, layers) in enumerate((plain, group)):
            y = top - row * (HEIGHT + 0.45)
            panel.text(-0.3, y + HEIGHT / 2, name, ha="right", va="center", fontweight="bold")
            for column, layer in enumerate(layers):
                if layer is not None:
                    _box(panel, column, y, layer, colors["group" if row else "plain"])
                boxes.append({"pair": index, "network": name, "position": column, "layer": layer or ""})
        panel.text(3 * (WIDTH + GAP), top - HEIGHT - 0.72, theorem, ha="center", va="top")
    for row, (layer, nngp, ntk) in enumerate(RECURSION):
        y = -5.15 - 0.62 * row
        panel.text(-0.3, y, layer, ha="right", va="center")
        panel.text(0.0, y, nngp, ha="left", va="center")
        panel.text(3 * (WIDTH + GAP), y, ntk, ha="left", va="center")
    panel.set_xlim(-1.6, 6 * (WIDTH + GAP))
    panel.set_ylim(-5.15 - 0.62 * len(RECURSION) + 0.2, HEIGHT + 0.15)
    return Drawing(figure, stack(pd.DataFrame(boxes), pd.DataFrame()), {})


def _box(panel: Axes, column: int, y: float, text: str, color: str) -> None:
    x = column * (WIDTH + GAP)
    panel.add_patch(
        FancyBboxPatch((x, y), WIDTH, HEIGHT, boxstyle="round,pad=0.03", facecolor=color, edgecolor="none", alpha=0.25)
    )
    panel.text(x + WIDTH / 2, y + HEIGHT / 2, text, ha="center", va="center", fontsize="small", linespacing=0.95)
    if column:
        panel.annotate(
            "", (x - 0.04, y + HEIGHT / 2), (x - GAP + 0.04, y + HEIGHT / 2), arrowprops={"arrowstyle": "->"}
        )

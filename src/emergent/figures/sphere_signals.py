"""A molecule and the functions on the sphere that networks see of its first atom.

Input: summary tables ``signals`` and ``atoms``. The talks on arXiv:2406.06504 show such inputs on balls.
"""

import numpy as np
import pandas as pd
from matplotlib.figure import SubFigure

from emergent.config.infinite_width_figures import SphereSignals
from emergent.figures import style
from emergent.figures.drawing import Drawing, References, require_rows, require_table, stack
from emergent.figures.facts import Inputs

COLUMNS = {"signals": ("element", "power", "latitude", "longitude", "value"), "atoms": ("charge", "x", "y", "z")}
SYMBOLS = {1: "H", 6: "C", 7: "N", 8: "O", 9: "F"}
# Two atoms nearer than this, in angstrom, are drawn with a bond.
BOND = 1.75


def draw(inputs: Inputs, references: References, entry: SphereSignals) -> Drawing:
    """Returns the molecule at the left and a map for every element and power at the right.

    Args:
        inputs: holds ``signals`` and ``atoms``.
        references: none are drawn.
        entry: titles and options.

    Raises:
        DataError: a table or the rows of a map are missing.
    """
    del references
    signals, atoms = (require_table(inputs, name, columns) for name, columns in COLUMNS.items())
    figure = style.new_figure(entry.width, 2.4)
    parts = figure.subfigures(1, 2, squeeze=False, width_ratios=[1, 3.2])
    left, right = parts[0]
    _molecule(left, atoms)
    elements, powers = (list(dict.fromkeys(signals[name])) for name in ("element", "power"))
    grid = right.subplots(len(powers), len(elements), subplot_kw={"projection": "mollweide"}, squeeze=False)
    for panels, power in zip(grid, powers, strict=True):
        for panel, element in zip(panels, elements, strict=True):
            rows = require_rows(signals, "signals", element=element, power=power)
            values = rows.pivot(index="latitude", columns="longitude", values="value")
            # From -180 degrees to 180, and closed there.
            longitudes = values.columns.to_numpy(float)
            turned = np.where(longitudes > 180, longitudes - 360, longitudes)
            order = np.argsort(turned)
            largest = float(values.to_numpy().max())
            shares = values.to_numpy()[:, order] / (largest or 1.0)
            panel.pcolormesh(
                np.radians(turned[order]), np.radians(values.index.to_numpy(float)), shares,
                cmap="viridis" if largest > 0 else "Greys", vmin=0, vmax=1, shading="nearest", rasterized=True,
            )  # fmt: skip
            panel.set_xticks([])
            panel.set_yticks([])
            panel.grid(False)
            panel.set_title(f"{SYMBOLS.get(int(element), element)}, $1/r^{{{power}}}$", fontsize="small")
    return Drawing(figure, stack(pd.concat([signals, atoms]), pd.DataFrame()), {})


def _molecule(part: SubFigure, atoms: pd.DataFrame) -> None:
    panel = part.subplots()
    places = atoms[["x", "y", "z"]].to_numpy()
    for i, j in zip(*np.triu_indices(len(places), 1), strict=True):
        if np.linalg.norm(places[i] - places[j]) < BOND:
            panel.plot(places[[i, j], 0], places[[i, j], 1], color="#999999", linewidth=1.5, zorder=1)
    colors = style.item_colors([SYMBOLS[charge] for charge in SYMBOLS])
    for charge in dict.fromkeys(atoms["charge"].sort_values()):
        rows = atoms[atoms["charge"] == charge]
        symbol = SYMBOLS.get(int(charge), str(charge))
        size = 25 if charge == 1 else 60
        panel.scatter(rows["x"], rows["y"], s=size, color=colors.get(symbol, "#555555"), label=symbol, zorder=2)
    panel.scatter(atoms["x"][:1], atoms["y"][:1], s=150, facecolors="none", edgecolors="black", zorder=3)
    panel.set_aspect("equal")
    panel.margins(0.25)
    panel.set_axis_off()
    panel.legend(loc="upper center", bbox_to_anchor=(0.5, -0.02), ncols=5, fontsize="small", handletextpad=0.1,
                 columnspacing=0.8)  # fmt: skip

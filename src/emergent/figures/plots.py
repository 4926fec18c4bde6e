"""The registry of plots: kind in ``config/figures.yaml`` to the function that draws it and the inputs it reads."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from emergent.config.figures import Entry
from emergent.figures import (
    cnn_gcnn_convergence,
    fashion_mnist_gain,
    fashion_mnist_ood_table,
    fashion_mnist_osp,
    fashion_mnist_sizes,
    ising_invariance,
    ising_ntk_difference,
    ising_readings,
    ood_samples,
    style,
)
from emergent.figures.drawing import Drawing, References, Tables, Tabulation


@dataclass(frozen=True)
class Plot:
    """One kind of figure or table.

    Attributes:
        draw: called with (tables, references, entry of the catalogue).
        tables: summary tables that it reads.
        arrays: summary arrays that it reads.
    """

    draw: Callable[[Any, Any, Any], Drawing | Tabulation]
    tables: tuple[str, ...] = ()
    arrays: tuple[str, ...] = ()


PLOTS: dict[str, Plot] = {
    "ising_invariance": Plot(ising_invariance.draw, tables=("orbit_std",)),
    "ising_ntk_difference": Plot(ising_ntk_difference.draw, tables=("ntk_difference",)),
    "fashion_mnist_osp": Plot(fashion_mnist_osp.draw, tables=("osp",)),
    "fashion_mnist_gain": Plot(fashion_mnist_gain.draw, tables=("osp",)),
    "fashion_mnist_sizes": Plot(fashion_mnist_sizes.draw, tables=("osp",)),
    "fashion_mnist_ood_table": Plot(fashion_mnist_ood_table.tabulate, tables=("osp",)),
    "cnn_gcnn_convergence": Plot(cnn_gcnn_convergence.draw, tables=("distance", "fit")),
    "ising_readings": Plot(ising_readings.tabulate, tables=("readings",)),
    "ood_samples": Plot(ood_samples.draw, arrays=("ood_samples",)),
}


def draw(entry: Entry, inputs: Tables, references: References) -> Drawing | Tabulation:
    """Returns the figure or table of one entry, drawn in the common style.

    Args:
        entry: an entry of the catalogue.
        inputs: summary tables and arrays by name.
        references: published values by file name.

    Raises:
        DataError: an input is missing.
    """
    with style.context():
        return PLOTS[entry.plot].draw(inputs, references, entry)

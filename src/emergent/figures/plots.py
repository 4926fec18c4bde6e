"""The registry of plots: kind in ``config/figures.yaml`` to the function that draws it and the inputs it reads."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from emergent.config.figures import Entry
from emergent.figures import (
    cnn_gcnn_convergence,
    departure,
    equivariant_flow,
    fashion_mnist_gain,
    fashion_mnist_ood_table,
    fashion_mnist_osp,
    fashion_mnist_sizes,
    ising_invariance,
    ising_ntk_difference,
    ising_readings,
    nordenfors_accuracy_table,
    nordenfors_epochs,
    nordenfors_fills,
    nordenfors_fills_table,
    nordenfors_filters,
    nordenfors_law,
    nordenfors_points_table,
    nordenfors_significance_table,
    nordenfors_sizes,
    ood_samples,
    point_clouds,
    style,
    subspace_distance,
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
    "equivariant_flow": Plot(equivariant_flow.draw, tables=("particles", "mean")),
    "departure": Plot(departure.draw, tables=("departure",)),
    "subspace_distance": Plot(subspace_distance.draw, tables=("subspace_distance",)),
    "cnn_gcnn_convergence": Plot(cnn_gcnn_convergence.draw, tables=("distance", "fit")),
    "ising_readings": Plot(ising_readings.tabulate, tables=("readings",)),
    "nordenfors_epochs": Plot(nordenfors_epochs.draw, tables=("pool",)),
    "nordenfors_sizes": Plot(nordenfors_sizes.draw, tables=("ensembles", "pool", "quantities")),
    "nordenfors_law": Plot(nordenfors_law.draw, tables=("law_points", "law", "quantities")),
    "nordenfors_fills": Plot(nordenfors_fills.draw, tables=("disjoint",)),
    "nordenfors_fills_table": Plot(nordenfors_fills_table.tabulate, tables=("disjoint",)),
    "nordenfors_filters": Plot(nordenfors_filters.draw, tables=("significance", "quantities")),
    "nordenfors_accuracy_table": Plot(nordenfors_accuracy_table.tabulate, tables=("ensembles", "pool")),
    "nordenfors_significance_table": Plot(nordenfors_significance_table.tabulate, tables=("significance",)),
    "nordenfors_points_table": Plot(nordenfors_points_table.tabulate, tables=("quantities", "law")),
    "point_clouds": Plot(point_clouds.draw, tables=("ensembles",)),
    "point_clouds_table": Plot(point_clouds.tabulate, tables=("ensembles",)),
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

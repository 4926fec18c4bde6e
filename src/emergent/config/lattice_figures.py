"""Entries of ``config/figures.yaml`` on gauge symmetry of lattices."""

from typing import Literal

from emergent.config.figure_entry import Figure
from emergent.config.figure_options import NoOptions


class ErrorByLattice(Figure):
    """Test errors against the size of the lattice, and errors of symmetries against the size of ensembles."""

    plot: Literal["error_by_lattice"]
    options: NoOptions = NoOptions()


LatticeEntry = ErrorByLattice
"""All of them."""

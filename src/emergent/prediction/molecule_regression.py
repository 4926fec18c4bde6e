"""Kernel regression of molecules' energies: error against the size of the training set.

In: the stage of an arm and its molecules. Out: for every split and size the error on test molecules, with the
regulariser that is best on validation molecules. Everything is in float64.

References:
    arXiv 2406.06504: networks on atoms, summed up, and a linear layer behind the sum.
"""

from collections.abc import Callable, Sequence

import numpy as np
from jaxtyping import Float, Int

from emergent.config.molecule_regression import CHANNEL_ELEMENTS, CHANNEL_POWERS, MoleculeStage
from emergent.config.spherical import SphericalGcnnModel
from emergent.domains.atoms import Molecules, neighbours, signal_coefficients, signal_values
from emergent.groups.rotation_harmonics import sphere_grid
from emergent.kernels.functions import KernelFunction
from emergent.kernels.gram import GramMatrices, require_memory
from emergent.kernels.registry import kernel_function, spherical_kernel
from emergent.kernels.spherical import SphericalKernel
from emergent.kernels.sums import Branch, sum_gram
from emergent.prediction.ridge import (
    ROUNDING,
    Measure,
    Split,
    chosen_regularisers,
    draw_split,
    ridge_predictions,
    stored_measures,
)
from emergent.provenance import physical_memory_bytes
from emergent.storage import Array

MEV = 1000.0
"""In one electronvolt."""
ERROR = Measure("error", "meV", "mean absolute error of the energies of test molecules", "molecules")
# Both kernels of molecules, their symmetric form, and that of the networks.
MATRIX_COPIES = 5
# Of the grid of a picture.
SHOWN_BAND_LIMIT = 16
# Atoms on which the error of the quadrature is measured.
PROBED_ATOMS = 16
# Kernels of a tile of pairs of atoms, and what they are made of.
TILE_COPIES = 16


def atom_inputs(stage: MoleculeStage, molecules: Molecules) -> tuple[KernelFunction, Float[np.ndarray, "A ..."]]:
    """Returns the kernel function of networks on atoms and their inputs, atom by atom."""
    found = neighbours(molecules)
    if isinstance(stage.model, SphericalGcnnModel):
        # Its linear head comes behind the sum over atoms.
        return spherical_kernel(stage.model, head=False), signal_coefficients(found, stage.band_limit)
    values = signal_values(found, sphere_grid(stage.band_limit))
    return kernel_function(stage.model, values.shape[1:]), values


def branches(charges: Int[np.ndarray, "N A"], kind: str, inputs: Float[np.ndarray, "A ..."]) -> list[Branch]:
    """Returns the atoms that each network sees: those of one slot, or of one element."""
    owners, slots = np.nonzero(charges)
    labels = slots if kind == "slots" else charges[owners, slots]
    return [Branch(inputs[labels == label], owners[labels == label]) for label in np.unique(labels)]


def molecule_kernels(kernels: GramMatrices) -> GramMatrices:
    """Returns the kernels behind a linear layer of unit gain, from those of its inputs."""
    return GramMatrices(kernels.nngp, kernels.nngp + kernels.ntk)


def quadrature_error(kernel_of_atoms: KernelFunction, inputs: Float[np.ndarray, "A ..."], seed: int) -> float:
    """Returns the relative error of kernels, measured on some atoms."""
    if not isinstance(kernel_of_atoms, SphericalKernel):
        return ROUNDING
    chosen = np.random.default_rng([seed, 5]).permutation(len(inputs))[:PROBED_ATOMS]
    return max(ROUNDING, kernel_of_atoms.quadrature_error(inputs[chosen]))


def shown_atom(molecules: Molecules, molecule: int) -> dict[str, Array]:
    """Returns the functions on the sphere of the first atom of a molecule, for a picture of the inputs."""
    one = Molecules(*(part[molecule : molecule + 1] for part in molecules))
    real = one.charges[0] > 0
    values = signal_values(neighbours(one), sphere_grid(SHOWN_BAND_LIMIT))[0]
    grid = values.reshape(len(CHANNEL_ELEMENTS), len(CHANNEL_POWERS), 2 * SHOWN_BAND_LIMIT, 2 * SHOWN_BAND_LIMIT - 1)
    dims = ("element", "power", "latitude", "longitude")
    return {
        "shown_signal": Array(grid, dims, "1", "functions on the sphere of the first atom of a molecule"),
        "shown_positions": Array(one.positions[0, real], ("atom", "axis"), "angstrom", "atoms of this molecule"),
        "shown_charges": Array(one.charges[0, real], ("atom",), "e", "their nuclear charges"),
    }


def regression_errors(
    kernel: Float[np.ndarray, "N N"],
    energies: Float[np.ndarray, " N"],
    split: Split,
    sizes: Sequence[int],
    regularisers: Sequence[float],
    rounding: float = ROUNDING,
) -> tuple[Float[np.ndarray, "S Q V"], Float[np.ndarray, "S Q T"]]:
    """Returns predictions less energies, of validation and of test molecules, in units of the energies.

    Networks start with mean 0: energies are learnt less their mean over the largest training set.

    Args:
        kernel: NTK of all molecules.
        energies: of all molecules.
        split: of one member.
        sizes: of the training set, its first molecules.
        regularisers: added to the diagonal of the Gram matrix, in units of its mean.
        rounding: relative error of the kernel.

    Raises:
        ConfigError: the kernel is no kernel: its Gram matrix is not positive.
    """
    centre = energies[split.train].mean()
    errors = []
    for size in sizes:
        train = split.train[:size]
        targets = (energies[train] - centre)[:, None]
        cross = kernel[np.ix_(split.others, train)]
        found = ridge_predictions(kernel[np.ix_(train, train)], cross, targets, regularisers, rounding)[:, :, 0]
        errors.append(found + centre - energies[split.others])
    stacked = np.stack(errors)
    return stacked[:, :, : len(split.validation)], stacked[:, :, len(split.validation) :]


def molecule_regression_arrays(
    stage: MoleculeStage,
    members: Sequence[int],
    molecules: Molecules,
    advance: Callable[[int], None],
    memory_bytes: int | None = None,
) -> dict[str, Array]:
    """Returns what is stored of a block of splits.

    Args:
        stage: settings of the arm.
        members: splits of the block.
        molecules: all of them.
        advance: called with 1 after every split.
        memory_bytes: memory that may be used; None takes the machine's.

    Raises:
        DataError: too few molecules, or damaged ones.
        ResourceError: kernels would need more memory.
    """
    num = len(molecules.energies)
    splits = [draw_split(num, stage.splits, stage.seed, member) for member in members]
    kernel_of_atoms, inputs = atom_inputs(stage, molecules)
    kept, available = inputs.nbytes + MATRIX_COPIES * 8 * num**2, memory_bytes or physical_memory_bytes()
    require_memory(kept, stage.tile_size, TILE_COPIES, available)
    parts = branches(molecules.charges, stage.branches, inputs)
    kernel = molecule_kernels(sum_gram(kernel_of_atoms, parts, num, stage.tile_size)).ntk
    rounding = quadrature_error(kernel_of_atoms, inputs, stage.seed)
    grids, chosen, deviation = [], [], []
    for split in splits:
        validation, test = regression_errors(
            kernel, molecules.energies, split, stage.splits.train, stage.regularisers, rounding
        )
        grids.append(MEV * np.abs(test).mean(2))
        chosen.append(chosen_regularisers(-np.abs(validation).mean(2)))
        deviation.append(MEV * np.sqrt(np.square(test).mean(2))[np.arange(len(test)), chosen[-1]])
        advance(1)
    return {
        **stored_measures(ERROR, members, stage.splits, stage.regularisers, grids, chosen),
        **shown_atom(molecules, int(splits[0].test[0])),
        "root_mean_square": Array(np.stack(deviation), ("member", "size"), "meV", "root of the mean squared error"),
        "kernel_error": Array(np.array(rounding), (), "1", "relative error of kernels of two atoms"),
    }

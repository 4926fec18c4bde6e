"""Made-up molecules with energies of a pair potential: a small stand-in for QM9, in the same layout.

Atoms are put one after another at a bond length from an earlier one, in a random direction, where no other is near.
The energy is a sum of Morse potentials over pairs, invariant under rotations like that of molecules.
"""

from pathlib import Path

import numpy as np
from jaxtyping import Float

from emergent.config.generators import MoleculeOptions
from emergent.datasets.molecules import molecule_split, padded
from emergent.storage import Array

_ELEMENTS = np.array([1, 6, 7, 8])
_SHARES = np.array([0.5, 0.35, 0.05, 0.1])
_BOND = (1.0, 1.5)  # angstrom
_NEAREST = 0.9  # angstrom
_MINIMUM, _STEEPNESS = 1.3, 1.5  # of the potential, in angstrom and 1 / angstrom


def _places(num: int, generator: np.random.Generator) -> Float[np.ndarray, "num 3"]:
    found = np.zeros((1, 3))
    while len(found) < num:
        direction = generator.normal(size=3)
        bond = generator.uniform(*_BOND) * direction / np.linalg.norm(direction)
        place = found[generator.integers(len(found))] + bond
        if np.linalg.norm(found - place, axis=1).min() > _NEAREST:
            found = np.vstack([found, place])
    return found - found.mean(0)


def pair_energy(positions: Float[np.ndarray, "atoms 3"], charges: np.ndarray) -> float:
    """Returns the sum of Morse potentials over pairs, in eV, deeper between heavier atoms."""
    first, second = np.triu_indices(len(positions), 1)
    fall = np.exp(-_STEEPNESS * (np.linalg.norm(positions[first] - positions[second], axis=1) - _MINIMUM))
    depth = np.sqrt(charges[first].astype(float) * charges[second])
    return float((depth * (fall**2 - 2 * fall)).sum())


def prepare(raw: Path, options: MoleculeOptions) -> dict[str, Array]:
    """Returns positions [N, 29, 3] in angstrom, charges, num_atoms and energies in eV of split ``all``."""
    del raw
    positions, charges = [], []
    for index in range(options.num):
        # Each from its own draws, so that more molecules extend fewer.
        generator = np.random.default_rng([options.seed, index])
        num = int(generator.integers(options.num_atoms[0], options.num_atoms[1] + 1))
        charges.append(generator.choice(_ELEMENTS, size=num, p=_SHARES))
        positions.append(_places(num, generator))
    energies = [pair_energy(*molecule) for molecule in zip(positions, charges, strict=True)]
    return molecule_split("all", *padded(positions, [list(own) for own in charges]), np.array(energies))

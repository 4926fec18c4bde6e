"""Ising configurations on a square lattice and their per-site energies.

Output: splits ``train``, ``test`` (spins drawn from the Boltzmann distribution) and ``ood`` (N(0, 1) reals), each with
inputs [N, L, L] and targets [N, L * L] = label_scale * E(i), E(i) = sum over neighbours j of s_i s_j.

References:
    arXiv:2403.03103, Ising experiment. Lattice size, temperature, boundary and label scale are not published.
"""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from jaxtyping import Float

from emergent.config.generators import IsingOptions
from emergent.datasets.heat_bath import neighbour_sum, sample_spins
from emergent.errors import DataError
from emergent.storage import Array

_MAX_ROUNDS = 200


def prepare(raw: Path, options: IsingOptions) -> dict[str, Array]:
    """Returns inputs [N, L, L] and targets [N, L * L] float32 of the splits train, test and ood.

    Raises:
        DataError: fewer different configurations exist, or turn up, than ``distinct`` asks for.
    """
    size = options.lattice_size
    # Shared by training and test set: no orbit is in both.
    seen: set[bytes] = set()
    spins = {
        split: _draw(options, num, np.random.default_rng([options.seed, stream]), seen)
        for stream, (split, num) in enumerate((("train", options.num_train), ("test", options.num_test)))
    }
    spins["ood"] = np.random.default_rng([options.seed, 2]).standard_normal((options.num_ood, size, size))
    arrays: dict[str, Array] = {}
    for split, values in spins.items():
        # Targets from the spins as stored, so that inputs and targets agree to float32 round-off.
        inputs = values.astype(np.float32)
        energies = options.label_scale * site_energies(inputs.astype(np.float64), options.boundary)
        targets = energies.reshape(len(inputs), -1).astype(np.float32)
        description = "spins" if split != "ood" else "N(0, 1) reals in place of spins"
        arrays[f"{split}/inputs"] = Array(inputs, ("sample", "row", "column"), "1", description)
        arrays[f"{split}/targets"] = Array(targets, ("sample", "site"), "1", "label_scale * E(i), sites row by row")
    return arrays


def site_energies(spins: Float[np.ndarray, "N L L"], boundary: str) -> Float[np.ndarray, "N L L"]:
    """Returns E(i) = sum_{j in N(i)} s_i s_j; the total energy is -(J / n) sum_i E(i) for n sites.

    Equivariant under the rotations of the lattice.
    """
    return spins * neighbour_sum(spins, boundary)


def _draw(options: IsingOptions, num: int, generator: np.random.Generator, seen: set[bytes]) -> np.ndarray:
    """Returns ``num`` configurations [num, L, L] with the orbits asked for, and adds these orbits to ``seen``."""
    if not (options.distinct or options.full_orbits):
        return sample_spins(options, num, generator)
    kept: list[np.ndarray] = []
    for configuration in _stream(options, num, generator):
        orbit = {np.rot90(configuration, turns).tobytes() for turns in range(4)}
        # The same name for all four rotations, whichever of them was drawn.
        name = min(orbit)
        if (options.full_orbits and len(orbit) < 4) or (options.distinct and name in seen):
            continue
        seen.add(name)
        kept.append(configuration)
        if len(kept) == num:
            return np.stack(kept)
    raise DataError(
        f"Ising: only {len(kept)} of {num} configurations with different C4 orbits turned up in {_MAX_ROUNDS * num} "
        f"draws at beta {options.beta} on {options.lattice_size} x {options.lattice_size} sites. Ask for fewer, use a "
        "larger lattice or a smaller beta, or set distinct: false."
    )


def _stream(options: IsingOptions, num: int, generator: np.random.Generator) -> Iterator[np.ndarray]:
    for _ in range(_MAX_ROUNDS):
        yield from sample_spins(options, num, generator)

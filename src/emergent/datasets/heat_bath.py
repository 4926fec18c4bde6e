"""Heat-bath sampling of the Ising model, vectorised over independent chains.

Sites of one colour do not interact, so that all of them are redrawn at once from their conditional distribution.
"""

import numpy as np
from jaxtyping import Float, Int, Int8, Shaped

from emergent.config.generators import IsingOptions


def neighbour_sum(spins: Shaped[np.ndarray, "N L L"], boundary: str) -> Shaped[np.ndarray, "N L L"]:
    """Returns the sum over the four nearest neighbours (fewer on the edge of an open lattice), in the input's dtype."""
    if boundary == "periodic":
        # Sums of four spins fit into their 8 bits.
        return sum(np.roll(spins, shift, axis) for axis in (1, 2) for shift in (1, -1))  # type: ignore[return-value]
    padded = np.pad(spins, ((0, 0), (1, 1), (1, 1)))
    return padded[:, 2:, 1:-1] + padded[:, :-2, 1:-1] + padded[:, 1:-1, 2:] + padded[:, 1:-1, :-2]


def colouring(size: int, boundary: str) -> Int[np.ndarray, "L L"]:
    """Returns a colour for each site such that neighbours differ: two colours, or three on an odd periodic lattice.

    An odd ring needs three colours c(x) = 0, 1, 0, 1, ..., 2; then c(x) + c(y) mod 3 colours the torus, because
    neighbours differ in one summand by something that is not a multiple of three.
    """
    ring = np.arange(size) % 2
    if boundary == "open" or size % 2 == 0:
        return (ring[:, None] + ring[None, :]) % 2
    ring[-1] = 2
    return (ring[:, None] + ring[None, :]) % 3


def sample_spins(options: IsingOptions, num: int, generator: np.random.Generator) -> Int8[np.ndarray, "N L L"]:
    """Returns ``num`` independent configurations of spins +-1 with weight exp(beta J sum over bonds s_i s_j).

    Each comes from its own chain: random start, then ``num_sweeps`` sweeps at its own temperature. Without
    interaction the random start is already exact.
    """
    size = options.lattice_size
    spins = generator.choice(np.array([-1, 1], np.int8), (num, size, size))
    low, high = options.beta if isinstance(options.beta, tuple) else (options.beta, options.beta)
    strength = options.coupling * generator.uniform(low, high, num)
    if not strength.any():
        return spins
    colours = colouring(size, options.boundary)
    masks = [colours == colour for colour in range(colours.max() + 1)]
    for _ in range(options.num_sweeps):
        for mask in masks:
            spins[:, mask] = _redraw(neighbour_sum(spins, options.boundary)[:, mask], strength, generator)
    return spins


def _redraw(
    field: Int8[np.ndarray, "N S"], strength: Float[np.ndarray, " N"], generator: np.random.Generator
) -> Int8[np.ndarray, "N S"]:
    """Returns spins drawn given their neighbours' sum h: P(s = +1) = 1 / (1 + exp(-2 beta J h))."""
    # The same as a hyperbolic tangent, which cannot overflow at low temperature.
    probability = 0.5 * (1.0 + np.tanh(strength[:, None] * field))
    return np.where(generator.random(field.shape) < probability, 1, -1).astype(np.int8)

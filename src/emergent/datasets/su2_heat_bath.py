"""Heat-bath sampling of SU(2) lattice gauge theory in two dimensions, vectorised over chains and a checkerboard.

Links in one direction at sites of one colour share no plaquette, so that all of them are redrawn at once from their
conditional distribution. Weight exp(beta / 2 sum over plaquettes Re Tr P).

References:
    M. Creutz, Monte Carlo study of quantized SU(2) gauge theory, Phys. Rev. D 21 (1980) 2308.
"""

import numpy as np
from jaxtyping import Bool, Float

from emergent.groups.su2 import conjugate, multiply, random_elements

PROPOSALS = 8
TINY = 1e-12


def staples(links: Float[np.ndarray, "N L L 2 4"], mu: int) -> Float[np.ndarray, "N L L 4"]:
    """Returns the sum A of staples, for which the plaquettes of a link U give Re Tr (U A)."""
    own, other = links[..., mu, :], links[..., 1 - mu, :]

    def ahead(values: np.ndarray, direction: int) -> np.ndarray:
        return np.roll(values, -1, 1 + direction)

    nu = 1 - mu
    upper = multiply(multiply(ahead(other, mu), conjugate(ahead(own, nu))), conjugate(other))
    lower = multiply(multiply(conjugate(ahead(other, mu)), conjugate(own)), other)
    return upper + np.roll(lower, 1, 1 + nu)


def redraw(
    old: Float[np.ndarray, "N 4"],
    field: Float[np.ndarray, "N 4"],
    beta: Float[np.ndarray, " N"],
    generator: np.random.Generator,
) -> Float[np.ndarray, "N 4"]:
    """Returns links drawn given the sum of their staples: exp(beta / 2 Re Tr (U A)) on SU(2).

    With A = k V for V in SU(2), U V has a first component a with density sqrt(1 - a^2) exp(beta k a), and no direction.
    It is proposed from the exponential and accepted with probability sqrt(1 - a^2). A fixed number of proposals is
    drawn; a link that takes none of them stays as it was, which leaves the distribution as it is, because whether that
    happens does not depend on the link.
    """
    strength = np.linalg.norm(field, axis=-1)
    rate = np.maximum(beta * strength, TINY)
    uniform = generator.random((PROPOSALS, 2, len(old)))
    # Inverse of the cumulative exponential on [-1, 1], written so that nothing overflows.
    proposed = 1 + np.log1p(-uniform[:, 0] * -np.expm1(-2 * rate)) / rate
    accepted = np.square(uniform[:, 1]) < 1 - np.square(proposed)
    first = accepted.argmax(0)
    cosine = np.take_along_axis(proposed, first[None], 0)[0]
    direction = generator.standard_normal((len(old), 3))
    direction *= (np.sqrt(np.maximum(1 - cosine**2, 0)) / np.linalg.norm(direction, axis=-1))[:, None]
    drawn = np.concatenate([cosine[:, None], direction], 1)
    new = multiply(drawn, conjugate(field / np.maximum(strength, TINY)[:, None]))
    return np.where(accepted.any(0)[:, None], new, old)


def sweep(
    links: Float[np.ndarray, "N L L 2 4"],
    beta: Float[np.ndarray, " N"],
    even: Bool[np.ndarray, "L L"],
    generator: np.random.Generator,
) -> None:
    """Redraws every link once, in place, and brings all back to norm 1, from which rounding takes them away."""
    for mu in range(2):
        for mask in (even, ~even):
            rates = np.repeat(beta, mask.sum())
            old, field = links[:, mask, mu].reshape(-1, 4), staples(links, mu)[:, mask].reshape(-1, 4)
            links[:, mask, mu] = redraw(old, field, rates, generator).reshape(len(links), -1, 4)
    links /= np.linalg.norm(links, axis=-1, keepdims=True)


def sample_links(
    size: int,
    betas: Float[np.ndarray, " B"],
    num: int,
    warm_up: int,
    spacing: int,
    generator: np.random.Generator,
) -> Float[np.ndarray, "B num L L 2 4"]:
    """Returns ``num`` configurations at each coupling, from one chain each that starts at random.

    Args:
        size: L, even.
        betas: couplings.
        num: configurations of each chain.
        warm_up: sweeps before the first.
        spacing: sweeps between two.
        generator: of everything.
    """
    links = random_elements(generator, (len(betas), size, size, 2))
    even = np.add.outer(np.arange(size), np.arange(size)) % 2 == 0
    found = np.empty((len(betas), num, size, size, 2, 4))
    for _ in range(warm_up):
        sweep(links, betas, even, generator)
    for index in range(num):
        for _ in range(spacing if index else 0):
            sweep(links, betas, even, generator)
        found[:, index] = links
    return found

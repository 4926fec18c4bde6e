"""Energies of double pendulums with constants of their own, by networks that see numbers with units or without.

Vectors are p1, p2, q1 and y = q2 - q1, beside them gravity g; constants are masses m, stiffness k and lengths l of both
springs. All that networks see are products of vectors, so that energies are invariant under O(3).

References:
    arXiv 2204.00887, experiment on a double pendulum of springs; products as in its released code.
"""

from typing import NamedTuple

import jax.numpy as jnp
from flax import linen as nn
from jaxtyping import Array, Float

from emergent.dynamics.springs import Springs, vectors
from emergent.models.feedforward import FeedForward

NUM_INPUTS, NUM_ENERGIES = 32, 26
PAIRS = ((0, 1), (0, 2), (0, 3), (1, 2), (1, 3), (2, 3))


class Seen(NamedTuple):
    """What networks see of a pendulum: products of vectors, and constants.

    Attributes:
        gram: products of p1, p2, q1 and y [N, 4, 4].
        lengths: of these vectors [N, 4].
        along: their products with gravity [N, 4].
        pull: strength of gravity [N].
    """

    gram: Float[Array, "N 4 4"]
    lengths: Float[Array, "N 4"]
    along: Float[Array, "N 4"]
    pull: Float[Array, " N"]

    @classmethod
    def of(cls, states: Float[Array, "N 12"], springs: Springs) -> "Seen":
        """Returns the products of states."""
        q1, q2, p1, p2 = vectors(states)
        found = jnp.stack([p1, p2, q1, q2 - q1], -2)
        # In full precision on every device: what is left of the symmetry otherwise is that of rounded products.
        gram = jnp.einsum("...ai,...bi->...ab", found, found, precision="highest")
        along = jnp.einsum("...ai,...i->...a", found, springs.gravity, precision="highest")
        pull = jnp.sqrt(jnp.square(springs.gravity).sum(-1))
        return cls(gram, jnp.sqrt(jnp.diagonal(gram, axis1=-2, axis2=-1)), along, pull)

    def pairs(self) -> list[Array]:
        """Returns the six products of two different vectors."""
        return [self.gram[..., i, j] for i, j in PAIRS]


def plain_inputs(states: Float[Array, "N 12"], springs: Springs) -> Float[Array, "N 32"]:
    """Returns constants, products and lengths of vectors, and inverse constants, in the units that they have."""
    seen = Seen.of(states, springs)
    constants = jnp.concatenate([springs.masses, springs.stiffness, springs.lengths], -1)
    parts = (
        constants,
        jnp.square(seen.pull)[..., None],
        seen.along,
        jnp.square(seen.lengths),
        jnp.stack(seen.pairs(), -1),
        seen.pull[..., None],
        seen.lengths,
        1 / constants,
    )
    return jnp.concatenate(parts, -1)


def dimensionless_inputs(states: Float[Array, "N 12"], springs: Springs) -> Float[Array, "N 32"]:
    """Returns ratios of constants, cosines of angles, and lengths in units of the pendulum's own."""
    seen = Seen.of(states, springs)

    def both_ways(pair: Float[Array, "N 2"]) -> Float[Array, "N 2"]:
        return pair / pair[..., ::-1]

    sag = springs.masses * seen.pull[..., None] / (springs.stiffness * springs.lengths)
    sag = jnp.concatenate([sag, 1 / sag], -1)
    momenta = springs.lengths * jnp.sqrt(springs.masses * springs.stiffness)
    own = seen.lengths / jnp.concatenate([momenta, springs.lengths], -1)
    cosines = [seen.gram[..., i, j] / (seen.lengths[..., i] * seen.lengths[..., j]) for i, j in PAIRS]
    parts = (
        both_ways(springs.masses),
        both_ways(springs.stiffness),
        both_ways(springs.lengths),
        sag,
        seen.along / (seen.pull[..., None] * seen.lengths),
        jnp.stack(cosines, -1),
        own,
        jnp.square(sag),
        jnp.square(own),
    )
    return jnp.concatenate(parts, -1)


def energies(states: Float[Array, "N 12"], springs: Springs) -> Float[Array, "N 26"]:
    """Returns products of vectors and constants that have the units of an energy."""
    seen = Seen.of(states, springs)
    (p11, p22, q11, y11), (l1, l2) = jnp.moveaxis(jnp.square(seen.lengths), -1, 0), jnp.moveaxis(springs.lengths, -1, 0)
    of_springs = [l1 * l1, l1 * l2, l2 * l2, q11, y11, seen.lengths[..., 2] * seen.lengths[..., 3]]
    of_motion = [p11, p22, seen.gram[..., 0, 1]]
    of_height = [seen.along[..., 2], seen.along[..., 3], l1 * seen.pull, l2 * seen.pull]
    found = [
        factor[..., index] * value
        for factor, values in (
            (springs.stiffness, of_springs),
            (1 / springs.masses, of_motion),
            (springs.masses, of_height),
        )
        for index in range(2)
        for value in values
    ]
    return jnp.stack(found, -1)


class Scaling(NamedTuple):
    """By what inputs and energies are scaled: statistics of what a network is trained on.

    Attributes:
        mean: of inputs, subtracted.
        std: of inputs.
        lowest: energies, subtracted.
        span: of energies.
    """

    mean: Float[Array, "32"]
    std: Float[Array, "32"]
    lowest: Float[Array, "26"]
    span: Float[Array, "26"]

    @classmethod
    def over(cls, inputs: Float[Array, "N 32"], found: Float[Array, "N 26"]) -> "Scaling":
        """Returns the statistics of inputs and energies."""
        return cls(inputs.mean(0), inputs.std(0), found.min(0), found.max(0) - found.min(0))


class UnitEnergy(nn.Module):
    """Energy of pendulums: the sum of 26 outputs of a network, swish units, times energies where inputs have no units.

    Attributes:
        width: units per hidden layer.
        depth: number of hidden layers.
        dimensionless: inputs have no units, and outputs are coefficients of energies.
        shifted: energies are brought to [0, 1] in the training set; otherwise only divided, so that the sum is one in
            every system of units.
    """

    width: int
    depth: int
    dimensionless: bool
    shifted: bool = True

    @nn.compact
    def __call__(self, states: Float[Array, "N 12"], springs: Springs, scaling: Scaling) -> Float[Array, " N"]:
        """Returns the energies of a batch."""
        given = (dimensionless_inputs if self.dimensionless else plain_inputs)(states, springs)
        network = FeedForward(self.width, self.depth, NUM_ENERGIES, nn.swish)
        outputs = network((given - scaling.mean[None]) / scaling.std[None])
        if not self.dimensionless:
            return outputs.sum(-1)
        base = energies(states, springs) - (scaling.lowest[None] if self.shifted else 0.0)
        return (outputs * base / scaling.span[None]).sum(-1)

"""Ways to learn the dynamics of many pendulums: by energies of numbers with units, without, or in changing units."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array as JaxArray
from jaxtyping import Float, PRNGKeyArray

from emergent.config.unit_dynamics_training import DimensionlessUnits, PlainUnits, UnitNetwork
from emergent.dynamics.integrators import VectorField, hamiltonian_field
from emergent.dynamics.springs import STATE, Springs, UnitChange
from emergent.models.unit_energies import (
    Scaling,
    UnitEnergy,
    dimensionless_inputs,
    energies,
    plain_inputs,
)


class UnitMethod(NamedTuple):
    """How a network makes a vector field.

    Attributes:
        module: from states, pendulums and scaling to energies.
        equivariant: under changes of units, by construction.
        largest_change: of units of mass, length and time in training.
    """

    module: UnitEnergy
    equivariant: bool
    largest_change: tuple[float, float, float]

    @classmethod
    def of(cls, network: UnitNetwork) -> "UnitMethod":
        """Returns the way to learn that settings describe."""
        match network:
            case PlainUnits():
                return cls(UnitEnergy(network.width, network.depth, False), False, network.largest_change)
            case DimensionlessUnits():
                module = UnitEnergy(network.width, network.depth, True, network.shifted)
                return cls(module, not network.shifted, (1.0, 1.0, 1.0))

    @property
    def augmented(self) -> bool:
        """Whether units change in training."""
        return max(self.largest_change) > 1

    def draw(self, key: PRNGKeyArray, num: int) -> UnitChange:
        """Returns random changes of units, one for each of ``num`` pieces."""
        largest = jnp.log(jnp.asarray(self.largest_change))
        return UnitChange(*jnp.exp(largest[:, None] * jax.random.uniform(key, (3, num), minval=-1.0)))

    def initialise(self, key: PRNGKeyArray) -> Any:
        """Returns initial parameters."""
        state, one = jnp.arange(1.0, STATE + 1)[None], jnp.ones((1, 2))
        springs = Springs(one, one, one, jnp.ones((1, 3)))
        inputs = (dimensionless_inputs if self.module.dimensionless else plain_inputs)(state, springs)
        scaling = Scaling(jnp.zeros_like(inputs[0]), jnp.ones_like(inputs[0]), *(jnp.ones(26),) * 2)
        return self.module.init(key, state, springs, scaling)

    def scaling(self, key: PRNGKeyArray, states: Float[JaxArray, "N 12"], springs: Springs) -> Scaling:
        """Returns the statistics of what networks see at the first points of pieces, in units as in training."""
        if self.augmented:
            change = self.draw(key, len(states))
            states, springs = states * change.of_state(), change.of_springs(springs)
        inputs = (dimensionless_inputs if self.module.dimensionless else plain_inputs)(states, springs)
        return Scaling.over(inputs, energies(states, springs))

    def field(
        self, parameters: Any, springs: Springs, scaling: Scaling, change: UnitChange | None = None
    ) -> VectorField:
        """Returns the velocities that a network gives of states in given units.

        Args:
            parameters: of the network.
            springs: constants of each state's pendulum, in the same units.
            scaling: of inputs and energies.
            change: units that the network sees states and pendulums in.
        """
        if change is None:
            return hamiltonian_field(lambda states: self.module.apply(parameters, states, springs, scaling))  # pyright: ignore
        moved, factors = change.of_springs(springs), change.of_state()
        # In other units the energy is a multiple, and its derivatives are taken in the given ones.
        return hamiltonian_field(
            lambda states: self.module.apply(parameters, states * factors, moved, scaling) / change.of_energy  # pyright: ignore
        )

    def mean_field(self, parameters: Any, springs: Springs, scalings: Scaling) -> VectorField:
        """Returns the mean velocities of networks [M, ...], which are those of the mean of their energies."""

        def field(states: Float[JaxArray, "N 12"]) -> Float[JaxArray, "N 12"]:
            return jax.vmap(lambda one, own: self.field(one, springs, own)(states))(parameters, scalings).mean(0)

        return field

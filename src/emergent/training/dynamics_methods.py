"""Ways to learn the dynamics of a pendulum: by energies or velocities, plainly, on tensors, on scalar products."""

from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from flax import linen as nn
from jaxtyping import Array, Float

from emergent.config.dynamics_training import (
    SYMMETRY,
    DynamicsMethod,
    Family,
    PlainDynamics,
    ScalarDynamics,
    TensorDynamics,
)
from emergent.dynamics.integrators import VectorField, hamiltonian_field, runge_kutta
from emergent.dynamics.springs import NUM_VECTORS, STATE
from emergent.groups.tensors import TensorSpace
from emergent.models.feedforward import FeedForward
from emergent.models.relaxed_tensors import RelaxedTensorNetwork
from emergent.models.scalar_dynamics import ScalarEnergy, ScalarVelocities
from emergent.models.tensor_layers import TensorNetwork

STATES = TensorSpace(3, ((NUM_VECTORS, 1),))
"""States as tensors: four vectors."""
ENERGIES = TensorSpace(3, ((1, 0),))


@dataclass(frozen=True)
class LearnedDynamics:
    """How a network makes a vector field.

    Attributes:
        family: what it gives.
        module: from states [N, 12] (and ``span``, where it sees that) to energies [N, 1] or velocities [N, 12].
        group: that it is equivariant under by construction; None for none.
        augmented: pieces are moved by random elements in training.
        sees_span: of the scalars of the training pieces.
    """

    family: Family
    module: nn.Module
    group: str | None
    augmented: bool
    sees_span: bool

    def initialise(self, key: jax.Array) -> Any:
        """Returns initial parameters."""
        return self.module.init(key, jnp.ones((1, STATE)), *([jnp.arange(2.0)] if self.sees_span else []))

    def field(self, parameters: Any, span: Float[Array, "2"]) -> VectorField:
        """Returns the velocities that a network gives."""
        given, module = (span,) if self.sees_span else (), self.module
        if isinstance(module, TensorNetwork | RelaxedTensorNetwork):
            # Once for all steps of an integration.
            parameters, module = module.project(parameters), module.of_projected()

        def outputs(states: Float[Array, "N 12"]) -> Float[Array, "N K"]:
            return module.apply(parameters, states, *given)  # pyright: ignore[reportReturnType]

        return outputs if self.family == "neural_ode" else hamiltonian_field(lambda states: outputs(states)[:, 0])

    def mean_field(self, parameters: Any, span: Float[Array, "2"]) -> VectorField:
        """Returns the mean velocities of networks [M, ...], which are those of the mean of their energies."""

        def field(states: Float[Array, "N 12"]) -> Float[Array, "N 12"]:
            return jax.vmap(lambda one: self.field(one, span)(states))(parameters).mean(0)

        return field


def make_dynamics(family: Family, settings: DynamicsMethod) -> LearnedDynamics:
    """Returns a way to learn dynamics."""
    target = ENERGIES if family == "hamiltonian" else STATES
    build = partial(LearnedDynamics, family)
    match settings:
        case PlainDynamics():
            module: nn.Module = FeedForward(settings.width, settings.depth, target.size, nn.swish)
            return build(module, None, settings.augmented, False)
        case TensorDynamics():
            tensors = TensorNetwork(settings.group, STATES, target, settings.channels, settings.depth)
            if not settings.relaxed:
                return build(tensors, settings.group, False, False)
            free = FeedForward(settings.channels, settings.depth, target.size, nn.swish)
            return build(RelaxedTensorNetwork(tensors, free), None, False, False)
        case ScalarDynamics() if family == "hamiltonian":
            return build(ScalarEnergy(settings.width, settings.depth), SYMMETRY, False, False)
        case ScalarDynamics():
            return build(ScalarVelocities(settings.width, settings.depth, settings.gaussians), SYMMETRY, False, True)


def draw_about_z(key: jax.Array, num: int) -> Float[Array, "num 3 3"]:
    """Returns uniform random elements of O(2) about the axis z."""
    turns, mirrors = jax.random.split(key)
    angle = jax.random.uniform(turns, (num,), maxval=2 * jnp.pi)
    sign = jax.random.rademacher(mirrors, (num,), angle.dtype)
    cos, sin, zero = jnp.cos(angle), jnp.sin(angle), jnp.zeros(num, angle.dtype)
    # A turn after a mirror that takes x to sign * x.
    rows = ((sign * cos, -sin, zero), (sign * sin, cos, zero), (zero, zero, zero + 1))
    return jnp.stack([jnp.stack(row, -1) for row in rows], -2)


def move_states(states: Float[Array, "N ... 12"], elements: Float[Array, "N 3 3"]) -> Float[Array, "N ... 12"]:
    """Returns states, or pieces of trajectories, moved by an element each."""
    vectors = states.reshape(len(states), -1, 3)
    return jnp.einsum("nij,nkj->nki", elements, vectors, precision="highest").reshape(states.shape)


def piece_error(field: VectorField, pieces: Float[Array, "N P 12"], interval: float, steps: int) -> Float[Array, ""]:
    """Returns the mean squared error of pieces that are integrated from their first points."""
    return jnp.square(runge_kutta(field, pieces[:, 0], pieces.shape[1], interval, steps) - pieces).mean()

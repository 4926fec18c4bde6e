"""Group convolutional networks on the pixel lattice, exactly equivariant to a finite point group.

Feature maps carry a group axis: F[n, y, x, g, c]. For a filter psi the lifting layer computes
``(psi * f)(g, t) = sum_s psi(g^-1 s) f(t + s)`` and the group convolution
``(kappa * F)(g, t) = sum_h sum_s kappa(g^-1 h, g^-1 s) F(h, t + s)``; both are one ordinary convolution with a bank of
rotated filters. Rotating the input by r maps F(g, t) to F(r^-1 g, r^-1 t), so the mean over g and t is invariant.

References:
    arXiv 2406.06504, lifting and group convolution layers for C_n acting on the plane.
"""

import jax
import jax.numpy as jnp
from flax import linen as nn
from jaxtyping import Array, Float

from emergent.config.models import GcnnModel
from emergent.groups.lattices import lattice_action
from emergent.models.layers import ACTIVATIONS, Dense, ScaledModule, average_pool, convolve_wide
from emergent.point_groups import FiniteGroup, group_from_name


def rotated_filters(group: FiniteGroup, filters: Float[Array, "k k ..."]) -> Float[Array, "G k k ..."]:
    """Returns ``(g . psi)(s) = psi(g^-1 s)`` for every group element g."""
    size = filters.shape[0]
    flat = filters.reshape(size * size, *filters.shape[2:])
    # A gather: rotated filters are exact copies of the weights.
    return flat[lattice_action(group, size)].reshape(group.order, *filters.shape)


class Lifting(ScaledModule):
    """Lifts an image to a feature map on the group and the lattice."""

    group_name: str = "C4"
    features: int = 1
    filter_size: int = 3

    @nn.compact
    def __call__(self, inputs: Float[Array, "N H W C"]) -> Float[Array, "N H W G D"]:
        """Returns the lifted feature maps."""
        group = group_from_name(self.group_name)
        size, channels = self.filter_size, inputs.shape[-1]
        fan_in = size**2 * channels
        bank = rotated_filters(group, self.weights((size, size, channels, self.features), fan_in))
        bank = jnp.moveaxis(bank, 0, 3).reshape(size, size, channels, group.order * self.features)
        outputs = convolve_wide(inputs, bank)
        # One bias per channel for all elements: one for each element would break equivariance.
        return self.add_bias(outputs.reshape(*outputs.shape[:3], group.order, self.features), fan_in)


class GroupConv(ScaledModule):
    """Convolution over group and lattice."""

    group_name: str = "C4"
    features: int = 1
    filter_size: int = 3

    @nn.compact
    def __call__(self, inputs: Float[Array, "N H W G C"]) -> Float[Array, "N H W G D"]:
        """Returns the convolved feature maps."""
        group = group_from_name(self.group_name)
        size, channels = self.filter_size, inputs.shape[-1]
        # The sum of an output runs over the group too.
        fan_in = size**2 * group.order * channels
        kernel = self.weights((size, size, group.order, channels, self.features), fan_in)
        rotated = rotated_filters(group, kernel)
        # relative[g, h] = g^-1 h
        relative = group.product[group.inverse]
        # bank[s, h, c, g, d] = (g . kappa)[s, g^-1 h, c, d]
        bank = jnp.stack([rotated[g][:, :, relative[g]] for g in range(group.order)], axis=4)
        bank = bank.reshape(size, size, group.order * channels, group.order * self.features)
        flat: jax.Array = inputs.reshape(*inputs.shape[:3], group.order * channels)
        outputs = convolve_wide(flat, bank)
        return self.add_bias(outputs.reshape(*outputs.shape[:3], group.order, self.features), fan_in)


class Gcnn(nn.Module):
    """Lifting layer, group convolutions, group pooling (mean over group and positions), dense head."""

    config: GcnnModel

    @nn.compact
    def __call__(self, inputs: Float[Array, "N H W C"]) -> Float[Array, "N K"]:
        """Returns the logits of a batch of images, invariant to the group."""
        config = self.config
        gains = (config.parametrisation, config.weight_std, config.bias_std)
        activation = ACTIVATIONS[config.activation]
        hidden: jax.Array = inputs
        for index, layer in enumerate(config.layers):
            convolution = (Lifting if index == 0 else GroupConv)(
                *gains, config.group, layer.channels, config.filter_size
            )
            hidden = activation(convolution(hidden))
            # Windows divide the image (average_pool insists), so that the group maps windows onto windows.
            flat = hidden.reshape(*hidden.shape[:3], -1)
            hidden = average_pool(flat, layer.average_pool)
            hidden = hidden.reshape(*hidden.shape[:3], -1, layer.channels)
        hidden = hidden.mean((1, 2, 3))
        for width in config.dense:
            hidden = activation(Dense(*gains, width)(hidden))
        return Dense(*gains, config.num_outputs)(hidden)

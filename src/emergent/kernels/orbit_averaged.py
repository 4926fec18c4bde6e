"""Kernel of a network whose outputs are averaged over the copies of its input under a group: C8, C16, D12 ...

With the same parameters for all copies it is ``1/|G|^2 sum_{r, r'} Theta(rho(r) f, rho(r') f')``, positive whatever the
copies are. Where the group maps pixels to pixels it is the kernel of the group convolutional network
(``gcnn_kernel``); other turns are interpolated. Group convolutional networks with these turns do not exist on a
pixel grid, so that this is what replaces their kernel, and the kernel of an ``OrbitAveragedModel`` of any finite width.

Images that are 0 outside of their inscribed disc lose nothing to the corners when they are turned.

References:
    arXiv:2406.06504, kernel of C_n x R^2 group convolutional networks.
"""

from typing import Literal

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from emergent.groups.images import image_action, transform
from emergent.kernels.architectures import CnnKernel, KernelFunction, Kernels
from emergent.kernels.offsets import OffsetKernel
from emergent.point_groups import FiniteGroup


class OrbitAveragedKernel:
    """Kernel function of an orbit average.

    Attributes:
        by_offsets: the fast formulation of the network's kernel, where it has one.
    """

    def __init__(
        self,
        group: FiniteGroup,
        kernel: KernelFunction,
        interpolation: Literal["bilinear", "nearest"] = "bilinear",
        fill: float = 0.0,
    ) -> None:
        """Keeps the kernel function of the network.

        Args:
            group: of the plane.
            kernel: of the network, invariant under quarter turns and mirror images of both images.
            interpolation: of copies whose pixels lie between those of the image.
            fill: what enters the copies from outside the frame.
        """
        self.by_offsets: OffsetKernel | None = getattr(kernel, "by_offsets", None)
        self._group = group
        self._kernel = kernel
        self._interpolation: Literal["bilinear", "nearest"] = interpolation
        self._fill = fill
        self._representatives = self._independent_elements()

    def _independent_elements(self) -> Int[np.ndarray, " R"]:
        """Returns one element r of each class H r, H the elements that map pixels to pixels.

        Theta(rho(h r) f, rho(r') f') = Theta(rho(r) f, rho(h^-1 r') f'), since h turns interpolated images exactly: the
        sum over all r' has the same value for every element of a class.
        """
        exact = self._group.on_grid
        if self._interpolation == "nearest" and not exact.all():
            # Equally near pixels are chosen by the evenness of rows, which a turn changes.
            return np.arange(self._group.order)
        return np.unique(self._group.product[exact].min(0))

    def __call__(
        self, first: Float[Array | np.ndarray, "N H W C"], second: Float[Array | np.ndarray, "T H W C"]
    ) -> Kernels:
        """Returns both kernels [N, T].

        Raises:
            ConfigError: the group does not act on images of this size, or the network reads turned ones elsewhere.
        """
        action = image_action(self._group, second.shape[1], second.shape[2], self._interpolation, self._fill)
        if isinstance(self._kernel, CnnKernel):
            self._kernel.require(second, symmetric=True)
        copies = action.orbit(second)
        turned = (transform(action, first, jnp.full(len(first), element)) for element in self._representatives)
        # One pair of elements at a time: the pixel covariances of all at once would need |G| times the memory.
        terms = (self._kernel(ours, theirs) for ours in turned for theirs in copies)
        nngp, ntk = next(terms)
        for term in terms:
            nngp, ntk = nngp + term.nngp, ntk + term.ntk
        num_terms = len(self._representatives) * self._group.order
        return Kernels(nngp / num_terms, ntk / num_terms)

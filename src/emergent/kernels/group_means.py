"""Means of kernels over pairs of transformed copies of both inputs: of group convolutional networks and orbit averages.

A network whose outputs are averaged over the copies of its input has the kernel
``1/|G|^2 sum_{r, r'} Theta(rho(r) f, rho(r') f')``, positive whatever the copies are. Where the group maps pixels to
pixels it is that of the group convolutional network (``gcnn_kernel``). Other turns are interpolated, on a grid on which
no group convolutional network exists: C8, C16, D12 ... Images that are 0 outside of their inscribed disc lose nothing
to the corners then.

Of the pairs of elements few are independent. With H the elements that map pixels to pixels, under which the network's
kernel is invariant, ``Theta(rho(h r) f, rho(h r') f') = Theta(rho(r) f, rho(r') f')``, since h turns interpolated
images exactly. And of the inputs of one set with themselves the pairs (r', r) are the transpose of (r, r').

References:
    arXiv:2406.06504, kernel of C_n x R^2 group convolutional networks.
"""

from collections.abc import Iterator
from typing import Literal, NamedTuple

import numpy as np
from jaxtyping import Array, Bool, Float

from emergent.groups.images import image_action, orbit
from emergent.kernels.functions import KernelFunction, Kernels, symmetric_kernels
from emergent.kernels.offsets import OffsetKernel
from emergent.point_groups import FiniteGroup


class ElementPair(NamedTuple):
    """One of the independent pairs of elements.

    Attributes:
        first: element of the first input.
        second: element of the second input.
        weight: share of all pairs that have its kernel.
        symmetric: whether its kernels of a set of inputs with themselves are symmetric.
    """

    first: int
    second: int
    weight: float
    symmetric: bool


def independent_pairs(group: FiniteGroup, exact: Bool[np.ndarray, " G"], transposed: bool) -> list[ElementPair]:
    """Returns pairs of elements whose kernels give those of all pairs.

    Args:
        group: of the copies.
        exact: elements of a subgroup, simultaneous transformations by which leave kernels alone.
        transposed: leave pairs out whose kernels are the transpose of others, which then count twice.
    """
    order = group.order
    moved = group.product[exact]
    # Of each class the pair that comes first stands for it.
    classes = (moved[:, :, None] * order + moved[:, None, :]).min(0)
    kept, counts = np.unique(classes, return_counts=True)
    pairs = []
    for code, count in zip(kept, counts, strict=True):
        first, second = divmod(int(code), order)
        mirrored = int(classes[second, first])
        if not transposed or code <= mirrored:
            pairs.append(ElementPair(first, second, float(count) / order**2, mirrored == code))
    return pairs


class GroupMeanKernel:
    """Kernel function of a mean over pairs of copies.

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
        exact = group.on_grid
        if interpolation == "nearest" and not exact.all():
            # Equally near pixels are chosen by the evenness of rows, which a turn changes: only the identity is left.
            exact = np.arange(group.order) == 0
        self._pairs = independent_pairs(group, exact, transposed=False)
        self._half = independent_pairs(group, exact, transposed=True)

    def __call__(
        self, first: Float[Array | np.ndarray, "N H W C"], second: Float[Array | np.ndarray, "T H W C"]
    ) -> Kernels:
        """Returns both kernels [N, T].

        Raises:
            ConfigError: the group does not act on images of this size, or the network reads turned ones elsewhere.
        """
        ours, theirs = self._copies(first), self._copies(second)
        # One pair of elements at a time: the pixel covariances of all at once would need their number times the memory.
        return _weighted_sum((pair.weight, self._kernel(ours[pair.first], theirs[pair.second])) for pair in self._pairs)

    def symmetric(
        self, first: Float[Array | np.ndarray, "N H W C"], second: Float[Array | np.ndarray, "N H W C"]
    ) -> Kernels:
        """Returns both kernels [N, N], known to be symmetric; of one set of images with itself one half is computed.

        Raises:
            ConfigError: as of a call.
        """
        if second is not first:
            return self(first, second)
        copies = self._copies(first)

        def term(pair: ElementPair) -> Kernels:
            ours, theirs = copies[pair.first], copies[pair.second]
            if pair.symmetric:
                return symmetric_kernels(self._kernel, ours, theirs)
            kernels = self._kernel(ours, theirs)
            # Twice: its weight is that of its own class, and the transposed one has as many pairs.
            return Kernels(kernels.nngp + kernels.nngp.T, kernels.ntk + kernels.ntk.T)

        return _weighted_sum((pair.weight, term(pair)) for pair in self._half)

    def _copies(self, images: Float[Array | np.ndarray, "N H W C"]) -> Float[Array, "G N H W C"]:
        action = image_action(self._group, images.shape[1], images.shape[2], self._interpolation, self._fill)
        require = getattr(self._kernel, "require", None)
        if require is not None:
            require(images, symmetric=True)
        return orbit(action, images)


def _weighted_sum(terms: Iterator[tuple[float, Kernels]]) -> Kernels:
    weight, kernels = next(terms)
    nngp, ntk = weight * kernels.nngp, weight * kernels.ntk
    for weight, kernels in terms:
        nngp, ntk = nngp + weight * kernels.nngp, ntk + weight * kernels.ntk
    return Kernels(nngp, ntk)

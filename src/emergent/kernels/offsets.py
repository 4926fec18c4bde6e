"""Kernels of convolutional networks with a global average pool, exactly, without ever holding all pairs of pixels.

The covariance of pixels t and t' of two images passes filters and activations together with those of the same offset
t' - t only, as long as strides are 1 and nothing is pooled on the way. A pair of H x W images is then (2H - 1)(2W - 1)
independent small images, one of each offset, which pass all layers in the caches, and of which sums leave: as many
pairs of pixels a layer as always, but memory for H W of them. Deviations of pixels are computed once an image.

This is the fast formulation of ``emergent.kernels.architectures.cnn_kernel``, equal to it up to rounding, for CPUs and
for GPUs with CUDA; a group convolutional network is a mean of such kernels (``gcnn_kernel``).

References:
    arXiv:2406.06504, kernel recursions; the formulation by offsets is ours.
"""

import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import reduce
from typing import Literal

import numpy as np
from jaxtyping import Float, Int

from emergent.errors import ConfigError, ResourceError
from emergent.kernels.offset_activations import pixel_sizes
from emergent.kernels.offset_cuda import Work, fits, on_gpu_if_there_is_one, require_gpu, sums_on_gpu
from emergent.kernels.offset_program import offset_program

# Registers full of pairs in one piece of work: few, so that threads finish at about the same time.
PIECES, LARGEST_PIECE = 4, 64
AGREEMENT = {"float64": 1e-10, "float32": 1e-4}
"""Of both programs, relative."""
_AGREEING: set[tuple["OffsetKernel", tuple[int, ...], str]] = set()


@dataclass(frozen=True)
class _Prepared:
    """Images and, before each activation, the inverse of their pixels' deviations and what values are multiplied by."""

    pixels: Float[np.ndarray, "N C H W"]
    deviations: Float[np.ndarray, "N L 2 H W"]


@dataclass(frozen=True)
class OffsetKernel:
    """Kernel of: (convolution, activation)^L, mean over all positions, linear head; strides 1, NTK parametrisation.

    Attributes:
        num_layers: convolutions L.
        activation: ``relu``, ``leaky_relu``, ``gelu`` or ``erf``.
        weight_std: standard deviation W_std of all weights.
        bias_std: standard deviation b_std of all biases.
        filter_size: side of the square filters, odd.
        padding: ``SAME`` (zeros), ``VALID`` or ``CIRCULAR``.
        last_activation: whether the activation follows the last convolution too.
    """

    num_layers: int
    activation: str = "relu"
    weight_std: float = 1.0
    bias_std: float = 0.0
    filter_size: int = 3
    padding: Literal["SAME", "VALID", "CIRCULAR"] = "SAME"
    last_activation: bool = True

    def __call__(
        self,
        first: Float[np.ndarray, "N H W C"],
        second: Float[np.ndarray, "T H W C"],
        threads: int | None = None,
        symmetric: bool = False,
        device: Literal["cpu", "cuda"] | None = None,
    ) -> tuple[Float[np.ndarray, "N T"], Float[np.ndarray, "N T"]]:
        """Returns both kernels, (nngp, ntk), in the precision of the images.

        Args:
            first: images.
            second: images of the same size; so many pairs as fill vector registers (8 in float64, 16 in float32) cost
                no more than one.
            threads: processors; None takes those that the job was given (``NPROC``), or all that the process may use.
            symmetric: kernels are known to be so, and what lies below the diagonal is not computed.
            device: where to compute; None takes a GPU in runs that ask for one (``EMERGENT_ACCELERATOR``), where there
                is one and images fit into its shared memory.

        Raises:
            ConfigError: images of different sizes, or too small for the filters; or a GPU was asked for, and there is
                none, or images are too large for it.
        """
        first, second = np.asarray(first), np.asarray(second)
        self.require(first, second)
        if symmetric and len(first) != len(second):
            raise ConfigError(f"kernel: expected as many images on both sides, found {len(first)} and {len(second)}.")
        on_gpu = self._on_gpu(device, first)
        ours, theirs = self._prepared(first), self._prepared(second)
        pairs = np.indices((len(first), len(second))).reshape(2, -1).T
        pairs = pairs[pairs[:, 0] <= pairs[:, 1]] if symmetric else pairs
        sums = np.empty((2, len(first), len(second)), first.dtype)
        gains = np.array([self.bias_std**2, self.weight_std**2 / self.filter_size**2], first.dtype)
        work = Work(
            np.ascontiguousarray(ours.pixels / first.dtype.type(first.shape[3])),
            theirs.pixels,
            ours.deviations,
            theirs.deviations,
            gains,
            self.last_activation,
        )
        if on_gpu:
            found = sums_on_gpu(work, self.activation, self.filter_size, self.padding, pairs)
            if device is None:
                self._require_agreement(work, pairs, found)
        else:
            available = int(os.environ.get("NPROC") or len(os.sched_getaffinity(0)))
            found = self._sums(work, pairs, threads or available)
        sums[:, pairs[:, 0], pairs[:, 1]] = found
        if symmetric:
            sums[:, pairs[:, 1], pairs[:, 0]] = found
        height, width = self._positions(first.shape[1:3])
        nngp, ntk = sums / np.asarray((height * width) ** 2, first.dtype)
        head = self.bias_std**2 + self.weight_std**2 * nngp
        return head.astype(first.dtype), (head + self.weight_std**2 * ntk).astype(first.dtype)

    def require(self, first: Float[np.ndarray, "N H W C"], second: Float[np.ndarray, "T H W C"]) -> None:
        """Checks images.

        Raises:
            ConfigError: naming what was expected and what was found.
        """
        if first.ndim != 4 or first.shape[1:] != second.shape[1:] or 0 in first.shape or 0 in second.shape:
            raise ConfigError(
                f"kernel: expected images [N, H, W, C] of one size on both sides, found {first.shape}, {second.shape}."
            )
        if first.dtype != second.dtype or first.dtype.name not in ("float64", "float32"):
            raise ConfigError(
                f"kernel: expected images in float64 (or both in float32), found {first.dtype} and {second.dtype}."
            )
        for name, images in (("first", first), ("second", second)):
            # Compiled for numbers: anything else would come out as some other number.
            if wrong := np.flatnonzero(~np.isfinite(images).all((1, 2, 3))).tolist():
                raise ConfigError(f"kernel: {name} images {wrong[:5]} hold infinities or what is not a number (NaN).")
        if min(self._positions(first.shape[1:3])) < 1:
            raise ConfigError(
                f"kernel: {self.num_layers} convolutions of {self.filter_size} x {self.filter_size} leave nothing of "
                f"images of {first.shape[1]} x {first.shape[2]} pixels; pad them, or use fewer or smaller ones."
            )

    def _on_gpu(self, device: str | None, images: np.ndarray) -> bool:
        network = images.shape[1:3], self.filter_size, self.padding, images.dtype.itemsize
        if device == "cuda":
            require_gpu(*network)
        elif device is None:
            return bool(os.environ.get("EMERGENT_ACCELERATOR")) and fits(*network) and on_gpu_if_there_is_one()
        elif device != "cpu":
            raise ConfigError(f"kernel: device: expected 'cpu' or 'cuda', found {device!r}.")
        return device == "cuda"

    def _require_agreement(self, work: Work, pairs: Int[np.ndarray, "P 2"], found: Float[np.ndarray, "2 P"]) -> None:
        """Holds the first pair against the program for processors, once in a process for each network and size.

        A driver, a compiler or a GPU that computes something else is found before a run is spent on it.

        Raises:
            ResourceError: they differ.
        """
        key = self, work.pixels.shape[1:], work.pixels.dtype.name
        if key in _AGREEING:
            return
        expected = self._sums(work, pairs[:1], 1)
        difference = np.abs(found[:, :1] - expected).max() / max(np.abs(expected).max(), np.finfo(expected.dtype).tiny)
        if not difference <= AGREEMENT[work.pixels.dtype.name]:
            raise ResourceError(
                f"kernel: the GPU and the processor differ by {difference:.1e} of their result for one pair of images, "
                f"expected at most {AGREEMENT[work.pixels.dtype.name]:.0e}. Run without accelerator: true, and tell us."
            )
        _AGREEING.add(key)

    def _positions(self, shape: tuple[int, ...]) -> tuple[int, int]:
        lost = self.num_layers * (self.filter_size - 1) if self.padding == "VALID" else 0
        return shape[0] - lost, shape[1] - lost

    def _prepared(self, images: np.ndarray) -> _Prepared:
        """Returns images, and what the angles of their pixels need to know of each of them."""
        pixels = np.moveaxis(images, 3, 1)
        variance = np.square(images).mean(3, dtype=np.float64)
        num, height, width = variance.shape
        deviations = np.zeros((num, self.num_layers, 2, height, width))
        for layer in range(self.num_layers):
            variance = self.bias_std**2 + self.weight_std**2 * self._average(variance)
            found = deviations[:, layer, :, : variance.shape[1], : variance.shape[2]]
            found[:, 0], found[:, 1], variance = pixel_sizes(self.activation, variance)
        return _Prepared(np.ascontiguousarray(pixels), deviations.astype(images.dtype))

    def _average(self, maps: Float[np.ndarray, "N H W"]) -> Float[np.ndarray, "N H W"]:
        """Returns the mean over the filter around each position."""
        size, side = self.filter_size, (self.filter_size - 1) // 2
        if self.padding != "VALID":
            mode = "wrap" if self.padding == "CIRCULAR" else "constant"
            maps = np.pad(maps, ((0, 0), (side, side), (side, side)), mode=mode)
        rows, columns = (side - size + 1 for side in maps.shape[1:])
        down = reduce(np.add, (maps[:, tap : tap + rows] for tap in range(size)))
        return reduce(np.add, (down[:, :, tap : tap + columns] for tap in range(size))) / size**2

    def _sums(self, work: Work, pairs: Int[np.ndarray, "P 2"], threads: int) -> Float[np.ndarray, "2 P"]:
        """Returns the sums over all pairs of pixels of pairs of images, each piece of work in a thread of its own."""
        number = work.pixels.dtype
        program = offset_program(number.name, self.activation, self.filter_size, self.padding)
        result = np.empty((2, len(pairs)), number)
        num_registers = -(-len(pairs) // program.lanes)
        piece = program.lanes * max(1, min(LARGEST_PIECE, num_registers // (PIECES * threads)))

        def compute(start: int) -> None:
            part = np.empty((2, len(pairs[start : start + piece])), number)
            chosen = np.ascontiguousarray(pairs[start : start + piece])
            program.run(*work[:4], chosen, work.gains, work.last, part)
            result[:, start : start + piece] = part

        starts = range(0, len(pairs), piece)
        if threads == 1 or len(starts) == 1:
            for start in starts:
                compute(start)
        else:
            with ThreadPoolExecutor(min(threads, len(starts))) as pool:
                list(pool.map(compute, starts))
        return result

"""Training steps of planar networks and transformers on the sphere, beside the same functions as Flax writes them.

The networks of the laptop scale (arXiv 2202.03990, arXiv 2307.07313) on batches of 32 images, on one core. Contenders
take turns in one process; what is compared are medians of the processor's seconds of a gradient, compiling left out.

planar       this package against ``nn.Conv``, ``nn.ConvTranspose`` and ``nn.max_pool``: the same parameters, and the
             same gradients up to rounding, which is checked first
transformer  eight images at a time with linear layers on flattened cells, against whole batches and ``nn.Dense``

    python benchmarks/spheres.py
"""

import argparse
import statistics
import time
from collections.abc import Callable
from typing import Any, NamedTuple
from unittest import mock

from emergent.cli._run import prepare_xla

BATCH, BANDWIDTH, NSIDE = 32, 12, 8


def seconds(functions: dict[str, Callable[[], Any]], rounds: int) -> dict[str, float]:
    """Returns the median of the processor's seconds of each function, called in turns."""
    import jax

    found: dict[str, list[float]] = {name: [] for name in functions}
    for number in range(rounds + 1):
        for name, function in functions.items():
            start = time.process_time()
            jax.block_until_ready(function())
            if number:
                found[name].append(time.process_time() - start)
    return {name: statistics.median(times) for name, times in found.items()}


def main() -> None:
    """Prints milliseconds and ratios."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=15)
    arguments = parser.parse_args()
    prepare_xla(1)
    import jax
    import jax.numpy as jnp
    import numpy as np
    import optax
    from flax import linen as nn

    from emergent.config.spherical_images_training import PlanarCnn
    from emergent.config.swin import SwinNetwork
    from emergent.models import planar_cnn, swin
    from emergent.training.spherical_images import ATTENDED
    from emergent.training.step import batch_gradient

    class FlaxConv(nn.Module):
        """Stands in for ``PlanarConv``, with its parameters."""

        features: int
        side: int = 1
        stride: int = 1
        restored: int | None = None

        @nn.compact
        def __call__(self, inputs: Any) -> Any:
            window, strides = (self.side, self.side), (self.stride, self.stride)
            if self.restored is None:
                layer: nn.Module = nn.Conv(self.features, window, strides, padding="VALID")
            else:
                missing = self.restored - ((inputs.shape[1] - 1) * self.stride + self.side)
                pad = (self.side - 1, self.side - 1 + missing)
                layer = nn.ConvTranspose(self.features, window, strides, padding=(pad, pad))
            nn.share_scope(self, layer)
            return layer(inputs)  # pyright: ignore

    class Resident(NamedTuple):
        """One batch."""

        inputs: Any
        targets: Any

        def batch(self, indices: Any, key: Any) -> tuple[Any, Any]:
            del indices, key
            return self.inputs, self.targets

    def gradient(module: nn.Module, piece: int | None) -> Callable[..., Any]:
        def objective(parameters: Any, held: Any, inputs: Any, targets: Any) -> Any:
            del held
            outputs = module.apply(parameters, inputs)
            return optax.softmax_cross_entropy_with_integer_labels(outputs, targets).mean()  # pyright: ignore

        of_batch = batch_gradient(objective, piece)
        return jax.jit(lambda parameters, data: of_batch(parameters, (), data, None, jax.random.key(0))[1])

    def row(name: str, functions: dict[str, Callable[[], Any]]) -> None:
        times = seconds(functions, arguments.rounds)
        ours, theirs = times.values()
        print(
            f"{name:12} ours {1e3 * ours:6.1f} ms   flax {1e3 * theirs:6.1f} ms   ratio {theirs / ours:.1f}", flush=True
        )

    side = 2 * BANDWIDTH
    images = jax.random.normal(jax.random.key(0), (BATCH, side, side, 1))
    for name, features, segments in (("classes", (24, 48, 96), False), ("masks", (16, 32, 64), True)):
        config = PlanarCnn(family="cnn", features=features, kernels=(3, 5, 5), strides=(1, 2, 2))
        module = planar_cnn.PlanarCnnNet(config, 10 + segments, segments)
        parameters = module.init(jax.random.key(1), images)
        shape = images.shape[:3] if segments else images.shape[:1]
        data = Resident(images, jax.random.randint(jax.random.key(2), shape, 0, 10))
        own, theirs = gradient(module, None), gradient(module, None)
        found = own(parameters, data)
        pools = mock.patch.object(planar_cnn, "max_pool", lambda maps, k, s: nn.max_pool(maps, (k, k), (s, s)))
        FlaxConv.__name__ = "PlanarConv"
        with pools, mock.patch.object(planar_cnn, "PlanarConv", FlaxConv):
            expected = theirs(parameters, data)
        for one, other in zip(jax.tree.leaves(found), jax.tree.leaves(expected), strict=True):
            np.testing.assert_allclose(one, other, atol=1e-4 * float(jnp.abs(other).max()))
        row(name, {"ours": lambda: own(parameters, data), "flax": lambda: theirs(parameters, data)})  # noqa: B023
    layers = {"channels": 24, "depths": (2,), "heads": (2,), "window": 16, "shift": 2}
    for name, nside, shape in (("HEAL-SWIN", NSIDE, (BATCH, 12 * NSIDE**2, 1)), ("SWIN", None, (BATCH, 32, 32, 1))):
        family = "flat_swin" if nside is None else "heal_swin"
        network = SwinNetwork(family=family, nside=nside, **layers)
        module = swin.SwinNet(network, 10, "square" if nside is None else "healpix")
        data = Resident(jax.random.normal(jax.random.key(0), shape), jnp.zeros(BATCH, int))
        parameters = module.init(jax.random.key(1), data.inputs)
        own, theirs = gradient(module, ATTENDED), gradient(module, None)
        with mock.patch.object(swin.Linear, "__call__", nn.Dense.__call__):
            theirs(parameters, data)
        row(name, {"ours": lambda: own(parameters, data), "flax": lambda: theirs(parameters, data)})  # noqa: B023


if __name__ == "__main__":
    main()

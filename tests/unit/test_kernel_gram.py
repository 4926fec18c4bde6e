"""Gram matrices in tiles, their use of symmetry, and the memory estimate."""

import subprocess
import sys

import jax
import numpy as np
import pytest

from emergent.config.models import CnnModel, ConvLayer, MlpModel
from emergent.config.prediction_memory import floats_per_pair
from emergent.errors import ConfigError, ResourceError
from emergent.groups.lattices import lattice_action
from emergent.kernels.architectures import cnn_kernel, gcnn_kernel, mlp_kernel
from emergent.kernels.gram import cross_gram, gram, orbit_cross_gram, orbit_gram, require_memory
from emergent.kernels.registry import kernel_function
from emergent.point_groups import group_from_name


@pytest.fixture(autouse=True)
def float64():
    with jax.enable_x64(True):
        yield


@pytest.fixture
def inputs():
    return np.random.default_rng(0).normal(size=(11, 16))


def test_tiles_make_no_difference(inputs):
    kernel_function = mlp_kernel(2, "relu", 1.3, 0.2)
    whole = kernel_function(inputs, inputs)
    for tile_size in (1, 4, 11, 64):
        for tiled, expected in zip(gram(kernel_function, inputs, tile_size), whole, strict=True):
            np.testing.assert_allclose(tiled, expected, atol=1e-13)
            np.testing.assert_array_equal(tiled, tiled.T)
        for tiled, expected in zip(cross_gram(kernel_function, inputs[:5], inputs, tile_size), whole, strict=True):
            np.testing.assert_allclose(tiled, expected[:5], atol=1e-13)


def test_half_of_the_tiles_is_computed(inputs):
    kernel_function, calls = mlp_kernel(1), []

    def counting(first, second):
        calls.append(1)
        return kernel_function(first, second)

    gram(counting, inputs[:8], 2)
    assert len(calls) == 4 * 5 / 2


def test_a_single_tile_computes_one_half_only(inputs):
    """Of kernels that know no symmetry: 10 of 4 x 4 tiles."""
    kernel_function, pairs = mlp_kernel(1), []

    def counting(first, second):
        pairs.append(len(first) * len(second))
        return kernel_function(first, second)

    found = gram(counting, inputs[:8], 64)
    assert sum(pairs) == 10 * 2 * 2 < 0.65 * 8 * 8
    np.testing.assert_allclose(found.ntk, kernel_function(inputs[:8], inputs[:8]).ntk, rtol=1e-12)


@pytest.mark.parametrize(("tile_size", "tiles"), [(64, 2), (4, 2 * 2 + 4)])
def test_kernels_that_know_their_symmetry_compute_one_half_of_a_tile(tile_size, tiles):
    """Identity and half turn one half each, quarter turns one of two: 2 instead of 4 on the diagonal."""
    images = np.random.default_rng(0).normal(size=(8, 5, 5, 1))
    group, cnn, computed = group_from_name("C4"), cnn_kernel([1], "mean", "relu", 1.3, 0.2), []

    class Counted:
        by_offsets = cnn.by_offsets

        def __call__(self, first, second):
            computed.append(1.0)
            return cnn(first, second)

        def symmetric(self, first, second):
            computed.append(0.5)
            return cnn.symmetric(first, second)

    orbits = np.stack([np.rot90(images, turns, axes=(1, 2)) for turns in range(4)])
    found = orbit_gram(Counted(), orbits, group, tile_size)
    for kappa, kind in zip(found, ("nngp", "ntk"), strict=True):
        np.testing.assert_array_equal(kappa, np.swapaxes(kappa[group.inverse], 1, 2))
        for g in range(4):
            np.testing.assert_allclose(kappa[g], getattr(cnn(orbits[0], orbits[g]), kind), rtol=1e-12)
    # Off the diagonal all four turns are needed.
    assert sum(computed) == tiles

    # The kernel of the group network: the same sums inside.
    computed.clear()
    matrices = gram(gcnn_kernel(group, Counted()), images, tile_size)
    whole = gcnn_kernel(group, cnn)(images, images)
    np.testing.assert_allclose(matrices.ntk, whole.ntk, rtol=1e-12)
    assert sum(computed) == tiles


@pytest.mark.parametrize("name", ["C4", "D4"])
def test_orbit_gram_holds_the_whole_gram_matrix(inputs, name):
    group = group_from_name(name)
    kernel_function = mlp_kernel(1, "relu", 1.0, 0.1)
    orbits = np.moveaxis(inputs[:, lattice_action(group, 4)], 1, 0)
    whole = kernel_function(orbits.reshape(-1, 16), orbits.reshape(-1, 16))
    tiled = orbit_gram(kernel_function, orbits, group, 4)
    num = len(inputs)
    for kappa, expected in zip(tiled, whole, strict=True):
        np.testing.assert_allclose(kappa, np.swapaxes(kappa[group.inverse], 1, 2), atol=1e-15)
        blocks = np.asarray(expected).reshape(group.order, num, group.order, num)
        for g in range(group.order):
            for h in range(group.order):
                np.testing.assert_allclose(blocks[g, :, h], kappa[group.product[group.inverse[g], h]], atol=1e-13)
    cross = orbit_cross_gram(kernel_function, inputs[:3], orbits, 4)
    np.testing.assert_allclose(cross.ntk, np.moveaxis(tiled.ntk[:, :3], 0, 1), atol=1e-13)


def cnn(pools, readout, activation="relu"):
    layers = tuple(ConvLayer(channels=3, average_pool=pool) for pool in pools)
    return CnnModel(family="cnn", layers=layers, readout=readout, num_outputs=2, activation=activation)


@pytest.mark.parametrize(
    ("model", "shape", "side"),
    [
        (MlpModel(family="mlp", width=5, depth=3, num_outputs=2, bias_std=0.1), (36,), 64),
        (cnn([1, 1], "flatten"), (8, 8, 1), 64),
        (cnn([1, 2], "mean", "erf"), (8, 8, 1), 4),
        (cnn([1, 2], "mean", "gelu"), (8, 8, 1), 4),
        (cnn([1, 2], "mean", "leaky_relu"), (8, 8, 1), 4),
        (cnn([2, 1], "flatten"), (8, 8, 1), 4),
    ],
)
def test_memory_estimate_bounds_what_the_compiler_allocates(model, shape, side):
    operand = jax.ShapeDtypeStruct((side, *shape), np.float64)
    compiled = jax.jit(kernel_function(model, shape)).lower(operand, operand).compile()
    allocated = compiled.memory_analysis().temp_size_in_bytes
    estimate = floats_per_pair(model, shape) * side**2 * 8
    assert estimate / 8 < allocated <= 1.1 * estimate


def test_kernels_by_offsets_take_the_memory_of_few_images():
    """What pairs of 32 x 32 pixels add to the peak of a process that computed small ones: below 200 MB."""
    model = cnn([1, 1, 1], "mean")
    assert floats_per_pair(model, (32, 32, 3)) * 12 * 8 * 8 < 200e6
    program = (
        "import resource, numpy as np\n"
        "from emergent.kernels.offsets import OffsetKernel\n"
        "kernel, draw = OffsetKernel(3), np.random.default_rng(0).normal\n"
        "for shape in ((4, 4, 1), (32, 32, 3)):\n"
        "    kernel(draw(size=(4 * shape[2], *shape)), draw(size=(8, *shape)))\n"
        "    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    small, large = (1024 * int(line) for line in done.stdout.split())
    assert large - small < 200e6


def test_memory_check():
    kept = 2 * 8 * 100**2
    needed = require_memory(kept, tile_size=10, floats_per_pair=50, available_bytes=10**6)
    assert needed == kept + 100 * 50 * 8
    with pytest.raises(ResourceError, match=r"need 0\.00387 GiB, but 0\.000931 GiB .* tiles of at most 45"):
        require_memory(kept, tile_size=100, floats_per_pair=50, available_bytes=10**6)
    require_memory(kept, tile_size=45, floats_per_pair=50, available_bytes=10**6)
    with pytest.raises(ResourceError, match=r"at most 17\.7% of the samples"):
        require_memory(2 * 8 * 1000**2, tile_size=1, floats_per_pair=50, available_bytes=10**6)
    with pytest.raises(ResourceError, match="not even one pair"):
        require_memory(2 * 8 * 100, tile_size=1, floats_per_pair=10**6, available_bytes=10**6)


def test_what_has_no_kernel_is_refused():
    with pytest.raises(ConfigError, match="'tanh'"):
        mlp_kernel(1, "tanh")
    with pytest.raises(ConfigError, match="'max'"):
        cnn_kernel([1], "max")
    with pytest.raises(ConfigError, match="C8 does not act"):
        gcnn_kernel(group_from_name("C8"), cnn_kernel([1], "mean"))


def test_single_precision_is_refused(inputs):
    """A cast afterwards would hide that small eigenvalues are lost."""
    single = np.asarray(inputs, np.float32)
    with jax.enable_x64(False), pytest.raises(ConfigError, match="expected kernels in float64, found float32"):
        gram(mlp_kernel(1), single, 4)

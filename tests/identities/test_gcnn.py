"""Group convolutional networks are exactly symmetric, and what is not symmetric is seen not to be; in float64."""

from typing import Any

import jax
import numpy as np
import pytest
from flax import linen as nn

from emergent.config.models import CnnModel, ConvLayer, GcnnModel
from emergent.groups.images import image_action, orbit
from emergent.groups.lattices import lattice_action
from emergent.models.gcnn import GroupConv, Lifting, rotated_filters
from emergent.models.registry import build
from emergent.point_groups import FiniteGroup, group_from_name

pytestmark = pytest.mark.usefixtures("float64")

LAYERS = (ConvLayer(channels=4, average_pool=2), ConvLayer(channels=6, average_pool=2), ConvLayer(channels=12))


def images(num: int = 2, size: int = 8, channels: int = 2) -> np.ndarray:
    return np.random.default_rng(0).normal(size=(num, size, size, channels))


def orbit_of(name: str, inputs: np.ndarray) -> np.ndarray:
    """All rotated copies [G, N, H, W, C]; index maps where they are exact."""
    group = group_from_name(name)
    if name == "C8":
        return np.asarray(orbit(image_action(group, *inputs.shape[1:3]), inputs))
    flat = inputs.reshape(len(inputs), -1, inputs.shape[3])
    return np.moveaxis(flat[:, lattice_action(group, inputs.shape[1])], 1, 0).reshape(group.order, *inputs.shape)


def random_parameters(module: nn.Module, inputs: np.ndarray, seed: int = 0) -> Any:
    """Parameters N(0, 1) in double precision, whatever a network would start from: symmetry holds for all."""
    generator = np.random.default_rng(seed)
    with jax.enable_x64(False):
        shapes = jax.eval_shape(module.init, jax.random.key(0), np.asarray(inputs, np.float32))
    return jax.tree.map(lambda leaf: generator.normal(size=leaf.shape), shapes)


def run(config: CnnModel, inputs: np.ndarray) -> np.ndarray:
    """Outputs on inputs [..., H, W, C] of a network with random parameters."""
    module = build(config)
    flat = inputs.reshape(-1, *inputs.shape[-3:])
    outputs = np.asarray(jax.jit(module.apply)(random_parameters(module, flat[:1]), flat))
    assert outputs.dtype == np.float64
    return outputs.reshape(*inputs.shape[:-3], -1)


def gcnn(group: str, parametrisation: str = "ntk", **options) -> GcnnModel:
    settings = {"layers": LAYERS, "bias_std": 0.3, "parametrisation": parametrisation} | options
    return GcnnModel(family="gcnn", group=group, readout="mean", num_outputs=6, **settings)  # type: ignore[arg-type]


def symmetry_breaking(outputs: np.ndarray) -> float:
    """Largest change over the orbit (first axis) relative to the differences between images (second axis)."""
    return float(np.abs(outputs - outputs[:1]).max() / np.abs(outputs[0, 0] - outputs[0, 1]).max())


@pytest.mark.parametrize(
    ("group", "parametrisation"), [("C1", "ntk"), ("C2", "ntk"), ("C4", "ntk"), ("D4", "ntk"), ("C4", "pytorch")]
)
def test_network_is_invariant_to_its_group(group: str, parametrisation: str) -> None:
    outputs = run(gcnn(group, parametrisation), orbit_of(group, images()))
    assert symmetry_breaking(outputs) < 1e-12


@pytest.mark.parametrize(("group", "larger"), [("C2", "C4"), ("C4", "D4"), ("D4", "C8")])
def test_network_is_not_invariant_to_more(group: str, larger: str) -> None:
    assert symmetry_breaking(run(gcnn(group), orbit_of(larger, images()))) > 1e-3


def test_plain_convolutional_network_is_not_invariant() -> None:
    config = CnnModel(family="cnn", layers=LAYERS, readout="mean", num_outputs=6)
    assert symmetry_breaking(run(config, orbit_of("C4", images()))) > 1e-3


def test_network_of_the_trivial_group_is_a_plain_convolutional_network() -> None:
    plain = CnnModel(family="cnn", layers=LAYERS, readout="mean", num_outputs=6, bias_std=0.3)
    inputs = images()
    group_parameters = random_parameters(build(gcnn("C1")), inputs)["params"]
    names = {"Lifting_0": "Conv_0", "GroupConv_0": "Conv_1", "GroupConv_1": "Conv_2"}
    parameters = {
        names.get(layer, layer): {
            name: value[:, :, 0] if name == "kernel" and layer.startswith("GroupConv") else value
            for name, value in content.items()
        }
        for layer, content in group_parameters.items()
    }
    outputs = build(plain).apply({"params": parameters}, inputs)
    np.testing.assert_allclose(outputs, run(gcnn("C1"), inputs), rtol=1e-12, atol=1e-12)


def act(group: FiniteGroup, element: int, maps: np.ndarray) -> np.ndarray:
    """(r . F)(g, t) = F(r^-1 g, r^-1 t) for feature maps [N, H, W, G, D]."""
    moved = maps[:, :, :, group.product[group.inverse[element]]]
    turned = orbit_of(group.name, moved.reshape(*moved.shape[:3], -1))[element]
    return turned.reshape(maps.shape)


@pytest.mark.parametrize(("group_name", "size"), [("C4", 5), ("D4", 6)])
def test_feature_maps_turn_with_the_image(group_name: str, size: int) -> None:
    group = group_from_name(group_name)
    inputs = images(size=size)
    lifting, convolution = Lifting("ntk", 1.4, 0.2, group_name, 3, 3), GroupConv("ntk", 1.4, 0.2, group_name, 2, 5)
    first = random_parameters(lifting, inputs)
    lift = jax.jit(lambda images: lifting.apply(first, images))
    lifted = np.asarray(lift(inputs))
    second = random_parameters(convolution, lifted, 1)
    convolve = jax.jit(lambda maps: convolution.apply(second, maps))
    convolved = np.asarray(convolve(lifted))
    for element, turned in enumerate(orbit_of(group_name, inputs)):
        turned_lifted = np.asarray(lift(turned))
        np.testing.assert_allclose(turned_lifted, act(group, element, lifted), atol=1e-12)
        turned_convolved = np.asarray(convolve(turned_lifted))
        np.testing.assert_allclose(turned_convolved, act(group, element, convolved), atol=1e-12)
        if element:
            # Neither half of the action alone would do.
            assert np.abs(turned_lifted - lifted).max() > 0.1
            spatial = orbit_of(group_name, lifted.reshape(*lifted.shape[:3], -1))[element].reshape(lifted.shape)
            assert np.abs(turned_lifted - spatial).max() > 0.1


@pytest.mark.parametrize("group_name", ["C4", "D4"])
def test_layers_follow_their_definitions(group_name: str) -> None:
    """Both layers as literal sums over group elements and pixels, the filters read at rotated offsets."""
    group = group_from_name(group_name)
    inputs = images(1, 4, 2)[0]
    lifting, convolution = Lifting("pytorch", 1.0, 0.0, group_name, 2, 3), GroupConv("pytorch", 1, 0, group_name, 2, 3)
    first = random_parameters(lifting, inputs[None])
    lifted = np.asarray(lifting.apply(first, inputs[None]))[0]
    second = random_parameters(convolution, lifted[None], 1)
    convolved = np.asarray(convolution.apply(second, lifted[None]))[0]
    psi, kappa = (part["params"]["kernel"] for part in (first, second))
    biases = [part["params"]["bias"] for part in (first, second)]
    turns, flips = np.arange(group.order) % 4, group.reflections

    def back(element: int, offset: tuple[int, int]) -> tuple[int, int]:
        """g^-1 s for a pixel offset s = (row, column), rows downwards."""
        row, column = offset
        for _ in range(turns[element]):
            # Inverse of a counter-clockwise quarter turn of (x, y) = (column, -row): (x, y) -> (y, -x).
            row, column = column, -row
        return (row, -column) if flips[element] else (row, column)

    offsets = [(row, column) for row in (-1, 0, 1) for column in (-1, 0, 1)]
    inside = range(4)
    for g in range(group.order):
        for row in inside:
            for column in inside:
                lift, sums = biases[0].copy(), biases[1].copy()
                for offset in offsets:
                    r, c = row + offset[0], column + offset[1]
                    if r not in inside or c not in inside:
                        continue
                    i, j = back(g, offset)
                    lift += inputs[r, c] @ psi[i + 1, j + 1]
                    for h in range(group.order):
                        sums += lifted[r, c, h] @ kappa[i + 1, j + 1, group.product[group.inverse[g], h]]
                np.testing.assert_allclose(lifted[row, column, g], lift, atol=1e-12)
                np.testing.assert_allclose(convolved[row, column, g], sums, atol=1e-12)


def test_rotated_filters() -> None:
    filters = np.random.default_rng(0).normal(size=(3, 3, 2, 4))
    for turns, rotated in enumerate(np.asarray(rotated_filters(group_from_name("C4"), filters))):
        np.testing.assert_array_equal(rotated, np.rot90(filters, turns))
    mirrored = np.asarray(rotated_filters(group_from_name("D4"), filters))[4]
    np.testing.assert_array_equal(mirrored, filters[:, ::-1])

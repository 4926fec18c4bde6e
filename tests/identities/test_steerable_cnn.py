"""Steerable networks: filters that turn exactly, symmetry to round-off under quarter turns, and what sampling costs."""

import math
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from emergent.config.base import validate
from emergent.config.steerable import SteerableCnnModel
from emergent.errors import ConfigError
from emergent.groups.harmonics import HarmonicBasis, harmonic_basis, highest_frequency, steered_taps, taps
from emergent.kinds import load_experiment
from emergent.models.steerable_cnn import SteerableCnn, SteerableConv, disc_mask, filter_bank

EXPERIMENTS = Path(__file__).parents[2] / "config" / "experiments"


def model(group: str, layers: list[dict[str, Any]], **options: Any) -> SteerableCnnModel:
    content = {"family": "steerable_cnn", "group": group, "layers": layers, "num_outputs": 3, "disc": True}
    return validate(SteerableCnnModel, content | options, "test")


def outputs(settings: SteerableCnnModel, images: np.ndarray) -> np.ndarray:
    """Logits [G, N, K] of copies [G, N, H, W, C], in their precision, with random parameters of order one."""
    module = SteerableCnn(settings)
    with jax.enable_x64(False):
        shapes = jax.eval_shape(module.init, jax.random.key(0), np.zeros((1, *images.shape[2:]), np.float32))
    generator = np.random.default_rng(5)

    def draw(leaf: Any) -> np.ndarray:
        # Weights keep the size of the maps from layer to layer; biases are small beside them, so that no field dies.
        scale = (2 / np.prod(leaf.shape[:-1])) ** 0.5 if len(leaf.shape) > 1 else 0.1
        return (generator.normal(size=leaf.shape) * scale).astype(images.dtype)

    parameters = jax.tree.map(draw, shapes)
    found = np.asarray(jax.jit(module.apply)(parameters, images.reshape(-1, *images.shape[2:])))
    assert found.dtype == images.dtype
    return found.reshape(*images.shape[:2], -1)


def quarter_turns(images: np.ndarray) -> np.ndarray:
    return np.stack([np.rot90(images, turns, (1, 2)) for turns in range(4)])


def departure(logits: np.ndarray) -> float:
    """Largest change over the orbit, in units of the largest output."""
    # A network whose outputs did not depend on the image would be symmetric too.
    assert logits[0].std(0).max() > 0.01 * np.abs(logits).max()
    return float(np.abs(logits - logits[:1]).max() / np.abs(logits).max())


# Odd filters on odd sides and even filters on even sides take steps of two; windows divide what is left.
STRIDED_ODD = [{"fields": 2, "stride": 2}, {"fields": 2, "filter_size": 7, "stride": 2}]
POOLED = [{"fields": 2, "average_pool": 4}, {"fields": 2}]
STEPS_OF_TWO = [{"fields": 2, "filter_size": 6, "stride": 2, "average_pool": 2}, {"fields": 2}]
NETWORKS = {28: STEPS_OF_TWO, 29: STRIDED_ODD, 32: POOLED, 33: STRIDED_ODD}


@pytest.mark.parametrize(
    ("side", "group", "dtype", "limit"),
    [
        (28, "C4", np.float64, 1e-12),
        (29, "C8", np.float64, 1e-12),
        (32, "C4", np.float64, 1e-12),
        (33, "C4", np.float64, 1e-12),
        (28, "C16", np.float32, 1e-5),
        (33, "C4", np.float32, 1e-5),
    ],
)
def test_quarter_turns_change_nothing_but_round_off(side: int, group: str, dtype: Any, limit: float) -> None:
    # One way out or the other: a last filter on the whole map, and the mean over positions.
    options = {"whole_map_fields": 3} if side % 2 == 0 else {"dense": [4]}
    images = np.random.default_rng(side).normal(size=(3, side, side, 2)).astype(dtype)
    with jax.enable_x64(dtype == np.float64):
        assert departure(outputs(model(group, NETWORKS[side], **options), quarter_turns(images))) < limit


@pytest.mark.usefixtures("float64")
def test_a_smaller_group_is_not_symmetric_under_quarter_turns() -> None:
    images = np.random.default_rng(0).normal(size=(3, 13, 13, 1))
    assert departure(outputs(model("C2", STRIDED_ODD, whole_map_fields=3), quarter_turns(images))) > 0.01


def strokes(angle: float, side: int) -> np.ndarray:
    """Four images of four soft strokes in the disc, drawn anew at every angle: turned without interpolation."""
    generator = np.random.default_rng(2)
    points = taps(side)
    images = np.zeros((4, len(points)))
    for image in images:
        for _ in range(4):
            radius, place, along, height = generator.uniform(size=4)
            place, along = 2 * np.pi * place + angle, np.pi * along + angle
            offset = points - side / 4 * radius * np.array([np.cos(place), np.sin(place)])
            length = offset @ np.array([np.cos(along), np.sin(along)])
            width = offset @ np.array([-np.sin(along), np.cos(along)])
            image += (0.5 + height) * np.exp(-(length**2) / (2 * 4.0**2) - width**2 / (2 * 2.5**2))
    return images.reshape(4, side, side, 1)


@pytest.mark.usefixtures("float64")
def test_other_turns_of_smooth_images_cost_what_sampling_costs() -> None:
    """At 45 degrees a network of C8 is symmetric up to sampling, one of C4 is not."""
    turned = np.stack([strokes(np.pi * g / 4, 19) for g in range(3)])
    errors = {}
    for group in ("C4", "C8"):
        logits = outputs(model(group, [{"fields": 4}, {"fields": 4}]), turned)
        errors[group] = np.sqrt(((logits - logits[:1]) ** 2).mean((1, 2))) / logits[0].std(0).max()
        # The images are drawn anew at each angle; that the last one is a quarter turn is seen here.
        assert errors[group][2] < 1e-12
    assert errors["C8"][1] < 0.1 and errors["C4"][1] > 4 * errors["C8"][1]


@pytest.mark.usefixtures("float64")
@pytest.mark.parametrize(("order", "side"), [(4, 5), (8, 4)])
def test_layers_follow_their_definitions(order: int, side: int) -> None:
    """Sums over taps and group elements, each filter evaluated at points turned back; no matrices of phases."""
    generator, size, padding, stride = np.random.default_rng(1), 5, 1, 2
    basis, points = harmonic_basis(side), taps(side)
    images = generator.normal(size=(1, size, size, 2))
    maps = generator.normal(size=(1, size, size, order, 2))
    for inputs, relative in ((images, 1), (maps, order)):
        coefficients = generator.normal(size=(basis.num_functions, relative, 2, 3))
        bias = generator.normal(size=3)
        module = SteerableConv("pytorch", 1.0, 0.0, order, 3, side, stride, padding)
        found = module.apply({"params": {"kernel": coefficients, "bias": bias}}, inputs)
        padded = np.pad(
            inputs[0].reshape(size, size, relative, 2), ((padding, padding), (padding, padding), (0, 0), (0, 0))
        )
        number = (size + 2 * padding - side) // stride + 1
        expected = np.zeros((number, number, order, 3)) + bias
        for g in range(order):
            cosine, sine = np.cos(2 * np.pi * g / order), np.sin(2 * np.pi * g / order)
            # g^-1 s: the inverse of a counter-clockwise turn.
            samples = basis.sample(points @ np.array([[cosine, -sine], [sine, cosine]]))
            for h in range(relative):
                kernel = np.einsum("pb,bcd->pcd", samples, coefficients[:, (h - g) % order if relative > 1 else 0])
                for y, x in np.ndindex(number, number):
                    patch = padded[stride * y : stride * y + side, stride * x : stride * x + side, h].reshape(-1, 2)
                    expected[y, x, g] += np.einsum("pc,pcd->d", patch, kernel)
        np.testing.assert_allclose(np.asarray(found)[0], expected, atol=1e-10)


@pytest.mark.usefixtures("float64")
@pytest.mark.parametrize(("side", "shape"), [(4, (4, 4, 2)), (5, (5, 5, 8, 2))])
def test_a_filter_on_the_whole_map_is_a_convolution_at_one_position(side: int, shape: tuple[int, ...]) -> None:
    inputs = np.random.default_rng(0).normal(size=(3, *shape))
    layers = [SteerableConv("ntk", 1.0, 0.5, 8, 3, side, 1, padding) for padding in (0, None)]
    parameters = layers[0].init(jax.random.key(0), inputs)
    convolved, whole = (np.asarray(layer.apply(parameters, inputs)) for layer in layers)
    assert whole.shape == (3, 1, 1, 8, 3)
    np.testing.assert_allclose(whole, convolved, atol=1e-12)


@pytest.mark.parametrize("side", [3, 4, 5, 6, 7, 8, 9])
def test_functions_are_nearly_orthogonal_and_turn_exactly(side: int) -> None:
    basis, points = harmonic_basis(side), taps(side)
    samples = basis.sample(points)
    values = np.linalg.svd(samples, compute_uv=False)
    assert values[0] / values[-1] < 4
    # Pairs have norm one on average, and turns keep it to a quarter of the filters' energy at any angle.
    generator = np.random.default_rng(side)
    for angle in generator.uniform(0, 2 * np.pi, 5):
        back = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        np.testing.assert_allclose(samples @ basis.turned(angle), basis.sample(points @ back), atol=1e-12)
        np.testing.assert_allclose(basis.turned(angle) @ basis.turned(angle).T, np.eye(basis.num_functions), atol=1e-12)
        norms = np.linalg.norm(samples @ basis.turned(angle), axis=0)
        assert norms.min() > 0.75 and norms.max() < 1.25
    assert np.all(samples[np.hypot(*points.T) > side / 2] == 0)


def ratio_of_norms(side: int, radius: float, frequency: int) -> float:
    """Larger norm over smaller one of the cosine and the sine on a ring, over the taps."""
    parts = np.full(2, radius), np.full(2, frequency), np.array([0, 1]), np.ones(2)
    norms = np.linalg.norm(HarmonicBasis(side, *parts).sample(taps(side)), axis=0)
    return float(norms.max() / norms.min())


@pytest.mark.parametrize("side", [3, 4, 5, 6, 7])
def test_limit_of_frequencies_keeps_pairs_alike(side: int) -> None:
    for radius in np.arange((side - 1) % 2 / 2, side / 2):
        limit = highest_frequency(radius)
        assert all(ratio_of_norms(side, radius, frequency) < 1.2 for frequency in range(1, limit + 1))
        # The first even frequency that the lattice does not resolve; those of odd ones are alike by symmetry.
        if radius:
            assert ratio_of_norms(side, radius, 2 * math.ceil(math.pi * radius / 2)) > 1.25


@pytest.mark.parametrize(("order", "side"), [(4, 5), (8, 6)])
def test_quarter_turned_filters_are_turned_arrays(order: int, side: int) -> None:
    samples = steered_taps(order, side).reshape(order, side, side, -1)
    np.testing.assert_allclose(samples[order // 4], np.rot90(samples[0]), atol=1e-12)
    coefficients = np.random.default_rng(0).normal(size=(samples.shape[-1], order, 1, 1)).astype(np.float32)
    bank = np.asarray(filter_bank(jnp.asarray(coefficients), order, side)).reshape(side, side, order, order)
    quarter = order // 4
    moved = np.roll(np.rot90(bank), (quarter, quarter), (2, 3))
    np.testing.assert_allclose(moved, bank, atol=1e-5)


def test_disc_is_turned_onto_itself() -> None:
    for side in (8, 9):
        mask = disc_mask(side)
        np.testing.assert_array_equal(mask, np.rot90(mask))
        assert mask[side // 2, 0] > 0.99 and mask[0, 0] < 0.6 and mask[side // 2, side // 2] == 1


@pytest.mark.parametrize(
    ("layers", "options", "side", "message"),
    [
        (
            [{"fields": 2, "stride": 2}],
            {},
            28,
            r"layers\[0\]: a filter of side 5 with stride 2 .*work: 21, 23, 25",
        ),
        ([{"fields": 2, "filter_size": 6, "stride": 2}], {}, 29, r"that work: 22, 24, 26, 28, 30"),
        ([{"fields": 2}, {"fields": 2, "average_pool": 3}], {}, 28, r"layers\[1\].average_pool.*work: 21, 24, 27, 30"),
        ([{"fields": 2, "filter_size": 4}], {}, 28, r"near 28 that work: none"),
        ([{"fields": 2, "average_pool": 28}], {"whole_map_fields": 2}, 28, r"whole_map_fields: the layers leave 1 x 1"),
    ],
)
def test_sizes_and_strides_that_break_the_group_are_named(
    layers: list[dict[str, Any]], options: dict[str, Any], side: int, message: str
) -> None:
    settings = model("C8", layers, **options)
    misfit = settings.misfit((side, side, 1))
    with pytest.raises(ValueError, match=message):
        raise ValueError(misfit)
    with pytest.raises(ValueError, match=message.split(".*")[0]):
        SteerableCnn(settings).init(jax.random.key(0), jnp.zeros((1, side, side, 1)))


def test_sizes_that_are_said_to_work_do() -> None:
    settings = model("C4", STRIDED_ODD)
    misfit = settings.misfit((28, 28, 1))
    assert misfit is not None
    for side in misfit.rsplit(": ", 1)[1].split(", "):
        images = np.random.default_rng(0).normal(size=(2, int(side), int(side), 1)).astype(np.float32)
        assert settings.misfit(images.shape[1:]) is None
    assert "29" in misfit and "28," not in misfit.rsplit(": ", 1)[1]


@pytest.mark.parametrize("group", ["D4", "C0", "octahedral"])
def test_other_groups_are_refused(group: str) -> None:
    with pytest.raises(ConfigError, match="group"):
        model(group, POOLED)


def test_an_experiment_with_sizes_that_break_the_group_is_refused() -> None:
    """When it is read, with the arm and the sizes that work."""
    experiment = load_experiment(EXPERIMENTS, "fashion_mnist_rivals", "paper")
    content = experiment.model_dump(mode="json")
    validate(type(experiment), content, "rivals.yaml")
    content["data"]["shape"] = [29, 29, 1]
    with pytest.raises(
        ConfigError, match=r"arms.steerable_c4.model.layers\[0\]: .* sides near 29 that work: 24, 28, 32"
    ):
        validate(type(experiment), content, "rivals.yaml")

"""Steered products of small maps against banks of filters: the same numbers and gradients, for less work."""

from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from emergent.groups.harmonics import harmonic_basis
from emergent.kinds import load_experiment
from emergent.models.size import PIECE, STEERED_PIECE, inputs_at_a_time, multiplications
from emergent.models.steerable_cnn import convolve_with_bank
from emergent.models.steered_maps import convolve_steered, saves_work, whole_map_products

EXPERIMENTS = Path(__file__).parents[2] / "config" / "experiments"
PUBLISHED = [("fashion_mnist_steerable", "steerable_51k"), ("fashion_mnist_steerable", "steerable_184k")]
PUBLISHED += [("fashion_mnist_rivals", f"steerable_c{order}") for order in (4, 8, 16)]
# Order, fields before and after, side, filter, stride, padding: odd and even sides, positions that are one, or skip.
CASES = [
    (4, 8, 16, 7, 5, 1, 2),
    (2, 2, 3, 6, 5, 1, 2),
    (8, 2, 3, 8, 6, 2, 2),
    (16, 1, 2, 7, 4, 1, 1),
    (6, 2, 1, 9, 5, 2, 2),
    (4, 3, 2, 5, 5, 1, 0),
]


def drawn(order: int, before: int, after: int, side: int, filter_side: int) -> tuple[jax.Array, jax.Array]:
    generator = np.random.default_rng(order + side)
    functions = harmonic_basis(filter_side).num_functions
    maps = generator.normal(size=(order, before, side, side, 3))
    return jnp.asarray(maps), jnp.asarray(generator.normal(size=(functions, order, before, after)))


def values_and_slopes(function: Any, maps: jax.Array, coefficients: jax.Array) -> list[np.ndarray]:
    """Outputs, and gradients by maps and coefficients of a sum of them with drawn weights."""
    outputs, pullback = jax.vjp(function, maps, coefficients)
    weights = np.random.default_rng(1).normal(size=outputs.shape)
    return [np.asarray(value) for value in (outputs, *pullback(jnp.asarray(weights)))]


def largest_difference(found: list[np.ndarray], expected: list[np.ndarray]) -> float:
    assert [value.shape for value in found] == [value.shape for value in expected]
    return max(np.abs(a - b).max() / np.abs(b).max() for a, b in zip(found, expected, strict=True))


def differ(case: tuple[int, ...]) -> float:
    order, before, after, side, *steps = case
    arguments = drawn(order, before, after, side, steps[0])
    steered = values_and_slopes(lambda maps, weights: convolve_steered(maps, weights, *steps), *arguments)
    bank = values_and_slopes(lambda maps, weights: convolve_with_bank(maps, weights, order, *steps), *arguments)
    return largest_difference(steered, bank)


@pytest.mark.usefixtures("float64")
@pytest.mark.parametrize("case", CASES)
def test_outputs_and_gradients_are_those_of_a_bank(case: tuple[int, ...]) -> None:
    assert differ(case) < 1e-12


@pytest.mark.usefixtures("float64")
def test_positions_that_a_half_turn_does_not_map_onto_each_other_are_refused_for_a_reason() -> None:
    case = (4, 2, 2, 8, 5, 2, 2)
    maps, _ = drawn(*case[:5])
    assert not saves_work(maps, case[2], *case[4:])
    assert differ(case) > 0.1


@pytest.mark.usefixtures("float64")
@pytest.mark.parametrize(("order", "side"), [(2, 4), (4, 7), (8, 5), (16, 4)])
def test_a_filter_on_the_whole_map_is_a_bank_at_one_position(order: int, side: int) -> None:
    arguments = drawn(order, 2, 3, side, side)
    whole = values_and_slopes(whole_map_products, *arguments)
    bank = values_and_slopes(
        lambda maps, weights: convolve_with_bank(maps, weights, order, side, 1, 0)[:, :, 0, 0], *arguments
    )
    assert largest_difference(whole, bank) < 1e-12


@pytest.mark.parametrize(("order", "side", "expected"), [(4, 7, True), (16, 7, True), (3, 7, False), (4, 28, False)])
def test_large_maps_and_odd_groups_take_a_bank(order: int, side: int, expected: bool) -> None:
    maps = jnp.zeros((order, 8, side, side, 2))
    assert saves_work(maps, 16, 5, 1, 2) == expected
    if order % 2:
        return
    # The rule is that of the multiplications which XLA is given, and each count grows with the images.
    coefficients = jnp.zeros((harmonic_basis(5).num_functions, order, 8, 16))
    many = [jnp.zeros((*maps.shape[:4], 512)), coefficients]
    steered = multiplications(lambda m, w: convolve_steered(m, w, 5, 1, 2), *many)
    bank = multiplications(lambda m, w: convolve_with_bank(m, w, order, 5, 1, 2), *many)
    assert (steered < bank) == expected


@pytest.mark.skipif(jax.default_backend() != "cpu", reason="accelerators take banks")
@pytest.mark.parametrize(("experiment", "arm"), PUBLISHED)
def test_published_networks_take_the_short_way(experiment: str, arm: str) -> None:
    stage: Any = load_experiment(EXPERIMENTS, experiment, "paper").stage("train", arm)
    example = jax.ShapeDtypeStruct((1, 28, 28, 1), jnp.float32)
    assert inputs_at_a_time(stage.model, example) == (STEERED_PIECE, False)
    # Without a layer on small maps, as any other network that convolves by slices.
    lifting = stage.model.model_copy(update={"layers": stage.model.layers[:1], "whole_map_fields": None})
    assert inputs_at_a_time(lifting, example) == (PIECE, False)

"""Steerable layers against escnn, the library of arXiv 1911.08251: the same filters, and the same outputs of them.

``tests/golden/steerable/make.py`` says how the values were made. escnn samples its filters in single precision.
"""

from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from emergent.groups.harmonics import steered_taps
from emergent.models.steerable_cnn import SteerableConv, filter_bank

ORDERS = (4, 8, 16)


@pytest.fixture(scope="module")
def golden() -> dict[str, np.ndarray]:
    with np.load(Path(__file__).parent / "steerable" / "escnn.npz") as file:
        return dict(file)


def theirs_as_bank(filters: np.ndarray, order: int, relative: int) -> np.ndarray:
    """Filters [D G, C R, k, k] of escnn, fields before rotations, as ours, [P, R, C, G, D]."""
    side = filters.shape[-1]
    fields = filters.reshape(-1, order, filters.shape[1] // relative, relative, side * side)
    return fields.transpose(4, 3, 2, 1, 0)


def coefficients_of(bank: np.ndarray, order: int) -> np.ndarray:
    """Coefficients [B, R, C, D] by least squares from the filters of the first rotation alone."""
    samples = steered_taps(order, int(len(bank) ** 0.5))[0]
    found = np.linalg.lstsq(samples, bank[:, :, :, 0].reshape(len(bank), -1), rcond=None)[0]
    return found.reshape(-1, *bank.shape[1:3], bank.shape[4])


@pytest.mark.usefixtures("float64")
@pytest.mark.parametrize("order", ORDERS)
def test_filters_and_outputs_are_those_of_escnn(golden: dict[str, np.ndarray], order: int) -> None:
    values = {key.split("/")[1]: value for key, value in golden.items() if key.startswith(f"c{order}/")}
    first_padding, second_padding, stride = (int(step) for step in values["steps"])
    hidden = values["inputs"].transpose(0, 2, 3, 1).astype(np.float64)
    layers = (("lift_filter", "lift_bias", "lifted", 1), ("filter", "bias", "convolved", order))
    for layer, (weights, bias, outputs, relative) in enumerate(layers):
        theirs = theirs_as_bank(values[weights].astype(np.float64), order, relative)
        coefficients = coefficients_of(theirs, order)
        side = int(len(theirs) ** 0.5)
        # The filters of one rotation give those of all others: same space, same sense of turning, same order.
        ours = np.asarray(filter_bank(jnp.asarray(coefficients), order, side))
        np.testing.assert_allclose(ours, theirs, atol=1e-6 * np.abs(theirs).max(), rtol=0)
        steps = (1, first_padding) if layer == 0 else (stride, second_padding)
        module = SteerableConv("pytorch", 1.0, 0.0, order, coefficients.shape[-1], side, *steps)
        # escnn keeps the bias of a regular field in the basis of irreducible representations: value / sqrt(order).
        parameters = {"params": {"kernel": coefficients, "bias": values[bias].astype(np.float64) / order**0.5}}
        hidden = np.maximum(np.asarray(jax.jit(module.apply)(parameters, hidden)), 0)
        expected = values[outputs].reshape(2, -1, order, *values[outputs].shape[2:]).transpose(0, 3, 4, 2, 1)
        assert (expected > 0).mean() > 0.1
        np.testing.assert_allclose(hidden, expected, atol=3e-6 * expected.max(), rtol=0)
    pooled = values["pooled"].transpose(0, 2, 3, 1)
    np.testing.assert_allclose(hidden.max(3), pooled, atol=3e-6 * pooled.max(), rtol=0)

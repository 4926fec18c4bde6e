"""Kernels of random networks on the sphere against their limit, seeded, within 4 standard errors of the mean."""

from typing import Any, cast, get_args

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from emergent.config.networks import CLOSED_FORMS
from emergent.config.spherical import SphericalGcnnModel
from emergent.kernels.empirical import empirical_kernels
from emergent.kernels.registry import kernel_function
from emergent.models.registry import build

NUM, WIDTH = 120, 24
CASES = [(1, "relu"), (2, "relu"), (2, "erf"), (3, "erf"), (2, "gelu"), (2, "leaky_relu")]


def model(num_layers: int, activation: str, **changes: Any) -> SphericalGcnnModel:
    fields = {
        "family": "spherical_gcnn", "channels": (WIDTH,) * num_layers, "band_limit": 2, "resolution": 4,
        "num_outputs": 4, "activation": activation, "weight_std": 1.3, "bias_std": 0.4,
    }  # fmt: skip
    return SphericalGcnnModel.model_validate({**fields, **changes})


@pytest.mark.parametrize(("num_layers", "activation"), CASES)
def test_mean_kernels_of_networks_on_the_sphere(num_layers, activation):
    """From the first layer on; with filters cut off at a band limit below that of the inputs."""
    with jax.enable_x64(True):
        inputs = np.random.default_rng(3).normal(size=(3, 2, 9))
        settings = model(num_layers, activation)
        network = build(settings)

        def apply(parameters: Any, some: jax.Array) -> jax.Array:
            return cast(jax.Array, network.apply(parameters, some))

        @jax.jit
        def kernels(key: jax.Array) -> jax.Array:
            parameters = network.init(key, jnp.asarray(inputs))
            return jnp.stack(empirical_kernels(apply, parameters, jnp.asarray(inputs), jnp.asarray(inputs)))

        drawn = np.stack([kernels(key) for key in jax.random.split(jax.random.key(5), NUM)])
        errors = drawn.std(0, ddof=1) / np.sqrt(NUM)
        for ours, mean, error in zip(
            kernel_function(settings, (2, 9))(inputs, inputs), drawn.mean(0), errors, strict=True
        ):
            deviation = np.abs(mean - ours) / error
            assert (deviation < 4).all(), deviation
        # The same kernels with filters of all degrees are others: the test would see it.
        other = kernel_function(settings.model_copy(update={"band_limit": None}), (2, 9))(inputs, inputs)
        assert (np.abs(drawn.mean(0) - np.stack(other)) / errors > 6).any()


def test_no_option_is_left_out() -> None:
    """A new option or activation needs a case above; widths, resolution and outputs are in every case."""
    assert set(SphericalGcnnModel.model_fields) == {
        "family", "channels", "band_limit", "resolution", "num_outputs", "activation", "parametrisation", "weight_std",
        "bias_std",
    }  # fmt: skip
    assert {activation for _, activation in CASES} == set(CLOSED_FORMS)
    assert set(get_args(SphericalGcnnModel.model_fields["activation"].annotation)) == set(CLOSED_FORMS)

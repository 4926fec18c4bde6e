"""Kernels by the settings of networks: one for each family that is said to have one, and clear refusals of the rest."""

from typing import Any, get_args

import jax
import numpy as np
import pytest

from emergent.config.models import (
    CnnModel,
    ConvLayer,
    GcnnModel,
    MlpModel,
    NetworkModel,
    OrbitAveragedModel,
    SupportCnnModel,
)
from emergent.config.networks import Network
from emergent.errors import ConfigError
from emergent.kernels.architectures import cnn_kernel, gcnn_kernel
from emergent.kernels.registry import KERNELS, kernel_function
from emergent.models.registry import build
from emergent.point_groups import group_from_name

LAYER = ConvLayer(channels=4)
CNN: dict[str, Any] = {"family": "cnn", "layers": (LAYER, LAYER), "readout": "mean", "num_outputs": 2}
GCNN: dict[str, Any] = {**CNN, "family": "gcnn", "group": "C4"}


@pytest.mark.parametrize("model", get_args(NetworkModel), ids=lambda model: model.__name__)
def test_settings_that_say_when_they_have_a_kernel_have_one(model: type[Network]) -> None:
    assert (model.missing_kernel is not Network.missing_kernel) == (model in KERNELS)
    # A hidden width that stayed in the settings would be part of the infinitely wide network's.
    wide = model.hidden_width is not Network.hidden_width
    assert model not in KERNELS or wide == (model.infinitely_wide is not Network.infinitely_wide)


def test_kernel_is_that_of_the_settings() -> None:
    images = np.random.default_rng(0).normal(size=(2, 4, 4, 1)).astype(np.float32)
    gains = {
        "activation": "erf",
        "weight_std": 1.3,
        "bias_std": 0.2,
        "layers": (ConvLayer(channels=8, average_pool=2),),
    }
    cnn = cnn_kernel([2], "mean", "erf", 1.3, 0.2)
    expected = {
        CnnModel(**CNN | gains): cnn,
        GcnnModel(**GCNN | gains): gcnn_kernel(group_from_name("C4"), cnn),
        CnnModel(**CNN | gains | {"filter_size": 5}): cnn_kernel([2], "mean", "erf", 1.3, 0.2, filter_size=5),
        CnnModel(**CNN | gains | {"dense": (3,)}): cnn_kernel([2], "mean", "erf", 1.3, 0.2, num_hidden_dense=1),
        CnnModel(**CNN | gains | {"readout": "flatten"}): cnn_kernel([2], "flatten", "erf", 1.3, 0.2),
    }
    found = [np.asarray(kernel_function(model, (4, 4, 1))(images, images).ntk) for model in expected]
    for ntk, function in zip(found, expected.values(), strict=True):
        np.testing.assert_array_equal(ntk, function(images, images).ntk)
    assert min(np.abs(a - b).max() for i, a in enumerate(found) for b in found[:i]) > 1e-3


def test_widths_do_not_matter_and_programs_are_kept() -> None:
    wide, narrow = (MlpModel(family="mlp", width=width, num_outputs=3) for width in (512, 2))
    assert wide.infinitely_wide() == narrow.infinitely_wide()
    assert kernel_function(wide, (4,)) is kernel_function(narrow, (4,))
    wide, narrow = (
        CnnModel(**CNN | {"layers": (ConvLayer(channels=channels),), "dense": (channels,)}) for channels in (64, 2)
    )
    assert wide.infinitely_wide() == narrow.infinitely_wide()
    assert wide.infinitely_wide() != CnnModel(**CNN | {"layers": (LAYER,)}).infinitely_wide()


def averaged(network: Any, group: str, **options: Any) -> OrbitAveragedModel:
    return OrbitAveragedModel(family="orbit_averaged", network=network, group=group, **options)


def test_orbit_averages_share_the_kernel_of_their_widths() -> None:
    wide, narrow = (averaged(MlpModel(family="mlp", width=width, num_outputs=3), "C8") for width in (512, 2))
    assert kernel_function(wide, (4, 4, 1)) is kernel_function(narrow, (4, 4, 1))
    other = averaged(MlpModel(family="mlp", width=2, num_outputs=3), "C8", fill=1.0)
    assert kernel_function(other, (4, 4, 1)) is not kernel_function(narrow, (4, 4, 1))


SUPPORT = SupportCnnModel(family="support_cnn", channels=(4, 4), support=("111", "111", "111"), num_outputs=2)
REFUSED = {
    "family": (SUPPORT, (8, 8, 1), "family 'support_cnn' has no kernel in"),
    "parametrisation": (
        CnnModel(**CNN, parametrisation="pytorch"),
        (8, 8, 1),
        "'ntk', found 'pytorch'",
    ),
    "activation": (
        MlpModel(family="mlp", width=4, num_outputs=1, activation="tanh"),
        (8,),
        "use one of relu, leaky_relu, gelu, erf",
    ),
    "stride": (
        CnnModel(**CNN | {"layers": (LAYER, ConvLayer(channels=4, stride=2))}),
        (8, 8, 1),
        r"layers\[1\].stride: .* found stride 2 on 8 x 8; use stride 1 with average_pool",
    ),
    "pool": (
        CnnModel(**CNN | {"layers": (ConvLayer(channels=4, average_pool=2), ConvLayer(channels=4, average_pool=2))}),
        (6, 6, 1),
        r"layers\[1\].average_pool: 2 does not divide 3 x 3",
    ),
    "nearest": (
        averaged(CnnModel(**CNN), "C8", interpolation="nearest"),
        (8, 8, 1),
        "interpolation: the nearest pixels .* differ under C8.* use 'bilinear'",
    ),
    "inside": (
        averaged(MlpModel(family="mlp", width=4, num_outputs=1, activation="tanh"), "C8"),
        (8, 8, 1),
        "network: activation 'tanh'",
    ),
    "group_and_dense": (GcnnModel(**GCNN, dense=(5,)), (8, 8, 1), "no hidden dense layers after group pooling"),
}


@pytest.mark.parametrize("name", sorted(REFUSED))
def test_what_has_no_kernel_of_the_same_network_is_refused(name: str) -> None:
    model, shape, message = REFUSED[name]
    with pytest.raises(ConfigError, match=message):
        kernel_function(model, shape)


def test_strides_that_pad_alike_are_the_network() -> None:
    """On 9 pixels a stride of 2 takes positions 0, 2 ... 8: network and kernel agree at initialisation."""
    strided = (ConvLayer(channels=64, stride=2), ConvLayer(channels=64))
    model = CnnModel(**CNN | {"layers": strided, "num_outputs": 64})
    assert model.missing_kernel((9, 9, 1)) is None
    images = np.random.default_rng(0).normal(size=(2, 9, 9, 1)).astype(np.float32)
    module = build(model)

    @jax.jit
    def product_of(member: int) -> jax.Array:
        outputs = module.apply(module.init(jax.random.key(member), images), images)
        return outputs @ outputs.T / 64

    products = [np.asarray(product_of(member), np.float64) for member in range(60)]
    error = np.std(products, axis=0, ddof=1) / np.sqrt(60)
    expected = np.asarray(kernel_function(model, (9, 9, 1))(images, images).nngp)
    assert (error < 0.1 * np.diagonal(expected).max()).all()
    assert np.abs((np.mean(products, axis=0) - expected) / error).max() < 4

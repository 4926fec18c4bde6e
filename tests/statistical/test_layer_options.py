"""Every option of a layer: random networks have, in the mean, the kernels of the same settings, or these are refused.

Outputs of a network with one hidden layer are, given that layer, Gaussian with the covariance that its units have, and
these are independent: the mean over networks of the products of outputs, and of gradients, is the infinite-width kernel
at every width, without a correction. A second hidden layer sees the first one's covariance fluctuate by
1 / sqrt(width), which leaves a bias of the order of 1 / width. Within 4 standard errors, and that.
"""

from collections.abc import Callable, Iterator
from itertools import combinations, product
from typing import Any, get_args

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from emergent.config.models import (
    Activation,
    CnnModel,
    ConvLayer,
    GcnnModel,
    MlpModel,
    NetworkModel,
    OrbitAveragedModel,
    Parametrisation,
)
from emergent.config.networks import CLOSED_FORMS
from emergent.config.spherical import SphericalGcnnModel
from emergent.errors import ConfigError
from emergent.kernels.registry import KERNELS, kernel_function
from emergent.models.registry import build

SIDES = (4, 5, 6, 7)
OPTIONS: dict[str, tuple[Any, ...]] = {
    "stride": (1, 2),
    "average_pool": (1, 2),
    "filter_size": (1, 3),
    "readout": ("flatten", "mean"),
    "dense": (False, True),
    "num_layers": (1, 2),
    "activation": CLOSED_FORMS,
    "bias_std": (0.0, 0.6),
    "group": (None, "C1", "C2", "C4", "D4"),
}
"""Values of every option; a group makes a group convolutional network."""
REFUSED = {"activation": ("tanh",), "parametrisation": ("pytorch", "pytorch_unbiased")}
"""Values without a kernel."""
SIZES = ("family", "layers", "channels", "num_outputs", "width", "depth", "weight_std")
"""What is in every case: widths, gains, and what ``num_layers`` stands for."""
NARROW, WIDE, NUM_OUTPUTS = 6, 48, 2
NUM_SHALLOW, NUM_DEEP = 1000, 400
# Of the geometric mean of two variances, at width 1.
CORRECTION = 2.0
Case = dict[str, Any]


def cases() -> Iterator[Case]:
    """All combinations that settings allow; what group convolutional networks refuse anyway is left out.

    Each pair of them is drawn (the slow ones too), since no option that two others change together is known.
    """
    for values in product(*OPTIONS.values(), SIDES):
        case = dict(zip([*OPTIONS, "side"], values, strict=True))
        if case["group"] is not None and (case["stride"], case["readout"], case["dense"]) != (1, "mean", False):
            continue
        # A second hidden layer of one kind at a time.
        if case["dense"] and case["num_layers"] > 1:
            continue
        yield case


def covering(parts_of: Callable[[Case], set[Any]]) -> list[Case]:
    """Returns few cases, chosen one after another, in which every part of a case that a network can have occurs."""
    parts = {name_of(case): parts_of(case) for case in reversed(EVERYTHING) if agrees(case)}
    left, chosen = set().union(*parts.values()), []
    while left:
        chosen.append(max(parts, key=lambda name: len(left & parts[name])))
        left -= parts[chosen[-1]]
    return chosen


def values_by_parity(case: Case) -> set[Any]:
    """Every value of an option on an even and on an odd size, every group on one of them."""
    # Two layers over a large group take minutes, and are left to the slow cases.
    if case["side"] > 5 or (case["num_layers"] > 1 and case["group"] in ("C4", "D4")):
        return set()
    return {(key, case[key], case["side"] % 2) for key in OPTIONS if key != "group"} | {case["group"]}


def pairs_of_values(case: Case) -> set[Any]:
    return set(combinations(case.items(), 2))


def agrees(case: Case) -> bool:
    """Returns whether the network exists: its pools drop no pixel."""
    side = case["side"]
    for _ in range(case["num_layers"] if case["group"] else 1):
        side = -(-side // case["stride"])
        if side % case["average_pool"]:
            return False
        side //= case["average_pool"]
    return True


def model_of(case: Case) -> NetworkModel:
    deep = case["num_layers"] > 1 or case["dense"]
    layer = ConvLayer(channels=WIDE if deep else NARROW, stride=case["stride"], average_pool=case["average_pool"])
    plain = layer.model_copy(update={"stride": 1, "average_pool": 1})
    shared: Case = {
        # The second one has neither stride nor pool, but in group convolutions, which have other code for it.
        "layers": (layer, *[layer if case["group"] else plain] * (case["num_layers"] - 1)),
        "num_outputs": NUM_OUTPUTS,
        "weight_std": 1.2,
        **{key: case[key] for key in ("filter_size", "readout", "activation", "bias_std")},
    }
    if case["group"] is None:
        return CnnModel(family="cnn", dense=(WIDE,) if case["dense"] else (), **shared)
    return GcnnModel(family="gcnn", group=case["group"], **shared)


def name_of(case: Case) -> str:
    return "-".join(str(value) for value in case.values())


def sampled(model: NetworkModel, images: np.ndarray, num: int, with_gradients: bool) -> dict[str, np.ndarray]:
    """Returns products of outputs, and of gradients, of random networks [M, N, N]."""
    module, inputs = build(model), jnp.asarray(images)

    def products(key: jax.Array) -> dict[str, jax.Array]:
        parameters = module.init(key, inputs)
        outputs = module.apply(parameters, inputs)
        found = {"nngp": outputs @ outputs.T / NUM_OUTPUTS}
        if with_gradients:
            slopes = jax.jacrev(lambda p: module.apply(p, inputs)[:, 0])(parameters)
            flat = jnp.concatenate([leaf.reshape(len(images), -1) for leaf in jax.tree.leaves(slopes)], 1)
            found["ntk"] = flat @ flat.T
        return found

    draw = jax.jit(lambda keys: jax.lax.map(products, keys, batch_size=50))
    found = draw(jax.random.split(jax.random.key(11), num))
    return {kind: np.asarray(values, np.float64) for kind, values in found.items()}


def require_agreement(model: NetworkModel, images: np.ndarray, deep: bool) -> None:
    num = NUM_DEEP if deep else NUM_SHALLOW
    # Without the registry's refusals: where the kernel gives an answer at all it must be that of the networks.
    expected = KERNELS[type(model)](model)(images, images)._asdict()
    for kind, values in sampled(model, images, num, with_gradients=not deep).items():
        kernel = np.asarray(expected[kind], np.float64)
        error = values.std(0, ddof=1) / np.sqrt(num)
        size = np.sqrt(np.outer(np.diag(kernel), np.diag(kernel)))
        assert (error <= 0.1 * size).all(), kind
        deviation = np.abs(values.mean(0) - kernel)
        assert (deviation <= 4 * error + deep * CORRECTION / WIDE * size).all(), (kind, deviation / error)


def images_of(side: int) -> np.ndarray:
    generator = np.random.default_rng(side)
    # One of them a single bright pixel, which tells how a filter pads and where a stride begins.
    pixel = np.zeros((1, side, side, 1))
    pixel[0, 1, 1] = 3.0
    return np.concatenate([generator.normal(size=(2, side, side, 1)), pixel]).astype(np.float32)


EVERYTHING = list(cases())
QUICK = covering(values_by_parity)


@pytest.mark.parametrize(
    "name",
    [*QUICK, *(pytest.param(name, marks=pytest.mark.slow) for name in covering(pairs_of_values) if name not in QUICK)],
)
def test_networks_have_the_kernel_of_their_settings(name: str) -> None:
    case = next(case for case in EVERYTHING if name_of(case) == name)
    deep = case["num_layers"] > 1 or case["dense"]
    require_agreement(model_of(case), images_of(case["side"]), deep)


def test_networks_that_would_drop_pixels_are_refused() -> None:
    dropped = [case for case in EVERYTHING if not agrees(case)]
    assert len(dropped) > 100
    for case in dropped:
        model, shape = model_of(case), (case["side"], case["side"], 1)
        with pytest.raises(ConfigError, match=r"stride|average_pool"):
            kernel_function(model, shape)
        with pytest.raises(ConfigError, match="average pool"):
            KERNELS[type(model)](model)(images_of(case["side"]), images_of(case["side"]))


@pytest.mark.parametrize(
    ("depth", "bias_std", "activation"),
    [
        pytest.param(*case, marks=() if case in ((1, 0.0, "relu"), (2, 0.6, "erf")) else pytest.mark.slow)
        for case in product((1, 2), OPTIONS["bias_std"], CLOSED_FORMS)
    ],
)
def test_dense_networks(depth: int, bias_std: float, activation: Any) -> None:
    settings: Case = {"activation": activation, "bias_std": bias_std, "num_outputs": NUM_OUTPUTS, "weight_std": 1.2}
    model = MlpModel(family="mlp", width=WIDE if depth > 1 else NARROW, depth=depth, **settings)
    require_agreement(model, images_of(4), depth > 1)


@pytest.mark.parametrize("readout", ["mean", "flatten"])
@pytest.mark.parametrize("fill", [0.0, 0.7])
def test_orbit_averages(readout: Any, fill: float) -> None:
    """Interpolated turns, of networks whose kernel at infinite width is exact: one hidden layer."""
    settings: Case = {"bias_std": 0.6, "num_outputs": NUM_OUTPUTS, "weight_std": 1.2, "readout": readout}
    network = CnnModel(family="cnn", layers=(ConvLayer(channels=NARROW),), **settings)
    model = OrbitAveragedModel(family="orbit_averaged", network=network, group="C8", fill=fill)
    require_agreement(model, images_of(5), deep=False)


@pytest.mark.parametrize(("option", "value"), [(key, value) for key, values in REFUSED.items() for value in values])
def test_values_without_a_kernel_are_refused_by_name(option: str, value: str) -> None:
    base = next(case for case in EVERYTHING if case["group"] == "C4" and agrees(case))
    for model in (model_of(base), model_of(base | {"group": None}), MlpModel(family="mlp", width=2, num_outputs=1)):
        with pytest.raises(ConfigError, match=f"{option}.*{value}"):
            kernel_function(model.model_copy(update={option: value}), (4, 4, 1))


def test_no_option_is_left_out() -> None:
    """A new option, a new value of one, or a new architecture with a kernel needs a case above."""
    # Those of networks on the sphere are in test_spherical_monte_carlo.py.
    assert set(KERNELS) == {CnnModel, GcnnModel, MlpModel, OrbitAveragedModel, SphericalGcnnModel}
    assert set(OrbitAveragedModel.model_fields) == {"family", "network", "group", "interpolation", "fill"}
    fields = {name for model in (CnnModel, GcnnModel, MlpModel, ConvLayer) for name in model.model_fields}
    assert fields == {*OPTIONS, *REFUSED, *SIZES} - {"num_layers"}
    assert {*OPTIONS["activation"], *REFUSED["activation"]} == set(get_args(Activation))
    assert {"ntk", *REFUSED["parametrisation"]} == set(get_args(Parametrisation))
    assert set(OPTIONS["readout"]) == set(get_args(CnnModel.model_fields["readout"].annotation))
    assert {*OPTIONS["group"]} - {None} == set(get_args(GcnnModel.model_fields["group"].annotation))
    assert {side % 2 for side in SIDES} == {0, 1}

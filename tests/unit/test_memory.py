"""Memory estimates: sizes against the real networks, and refusals that name what would fit."""

import re
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pytest
from flax import traverse_util

from emergent.config.base import merge, validate
from emergent.config.experiment import Experiment
from emergent.config.memory import block_bytes, physical_memory_bytes, require_memory
from emergent.config.models import CnnModel, ConvLayer, GcnnModel, MlpModel
from emergent.config.network_size import network_size
from emergent.config.studies import experiment_names, load_experiment
from emergent.config.study import SCALES
from emergent.errors import ConfigError, ResourceError
from emergent.models.registry import build, parameter_shapes

EXPERIMENTS = Path(__file__).parents[2] / "config" / "experiments"

POOLED = (ConvLayer(channels=3, average_pool=2), ConvLayer(channels=5, average_pool=2), ConvLayer(channels=4))
STRIDED = (ConvLayer(channels=3), ConvLayer(channels=5, stride=2), ConvLayer(channels=2, stride=3))
NTK_BIAS = {"bias_std": 0.1}
PYTORCH = {"parametrisation": "pytorch"}


def mlp(**options: Any) -> MlpModel:
    return MlpModel(family="mlp", **{"width": 7, "depth": 3, "num_outputs": 5} | options)


def cnn(**options: Any) -> CnnModel:
    return CnnModel(family="cnn", **{"layers": POOLED, "readout": "mean", "num_outputs": 6} | options)


def gcnn(group: str, **options: Any) -> GcnnModel:
    model = {"family": "gcnn", "group": group, "layers": POOLED, "readout": "mean", "num_outputs": 6} | options
    return GcnnModel(**model)  # type: ignore[arg-type]


def num_parameters(model: MlpModel | CnnModel | GcnnModel, shape: tuple[int, int, int]) -> int:
    leaves = traverse_util.flatten_dict(parameter_shapes(build(model), shape))
    return sum(int(np.prod(leaf.shape)) for leaf in leaves.values())


@pytest.mark.parametrize("options", [{}, NTK_BIAS, PYTORCH], ids=["ntk", "ntk_bias", "pytorch"])
@pytest.mark.parametrize(
    ("family", "shape"),
    [
        (lambda **o: mlp(**o), (3, 5, 2)),
        (lambda **o: mlp(depth=1, width=1, **o), (4, 4, 1)),
        (lambda **o: cnn(**o), (8, 8, 1)),
        (lambda **o: cnn(readout="flatten", dense=(9, 4), **o), (8, 12, 3)),
        (lambda **o: cnn(readout="flatten", layers=STRIDED, filter_size=5, **o), (9, 7, 2)),
        (lambda **o: gcnn("C1", **o), (8, 8, 2)),
        (lambda **o: gcnn("C4", dense=(3,), **o), (8, 8, 2)),
        (lambda **o: gcnn("D4", filter_size=5, **o), (4, 4, 1)),
    ],
    ids=["mlp", "mlp_small", "cnn", "cnn_dense", "cnn_strided", "gcnn_c1", "gcnn_c4", "gcnn_d4"],
)
def test_number_of_parameters_is_that_of_the_network(family: Any, shape: tuple[int, int, int], options: Any) -> None:
    model = family(**options)
    assert network_size(model, shape).num_parameters == num_parameters(model, shape)


@pytest.mark.parametrize("name", experiment_names(EXPERIMENTS))
@pytest.mark.parametrize("scale", SCALES)
def test_number_of_parameters_of_every_configured_arm(name: str, scale: str) -> None:
    experiment = load_experiment(EXPERIMENTS, name, scale)
    if not isinstance(experiment, Experiment):
        pytest.skip("a kind with networks of its own")
    for arm in experiment.arms.values():
        assert network_size(arm.model, experiment.data.shape).num_parameters == num_parameters(
            arm.model, experiment.data.shape
        )


def test_number_of_activations() -> None:
    # Input, two hidden layers of 7, output.
    assert network_size(mlp(depth=2), (2, 3, 1)).num_activations == 6 + 7 + 7 + 5
    # 8 x 8 x 3, pooled, 4 x 4 x 5, pooled, 2 x 2 x 4, then the pooled features and the outputs.
    assert network_size(cnn(), (8, 8, 1)).num_activations == 192 + 80 + 16 + 4 + 6
    # A group convolutional network has them for every group element.
    assert network_size(gcnn("D4"), (8, 8, 1)).num_activations == 8 * (192 + 80 + 16) + 4 + 6


def test_pooling_window_must_divide_the_feature_map() -> None:
    with pytest.raises(ConfigError, match=r"layers\.1\.average_pool: expected a divisor of the feature map 3 x 4"):
        network_size(cnn(), (6, 8, 1))
    module = build(cnn())
    with pytest.raises(ValueError, match="expected a divisor of the image size 3 x 4"):
        jax.eval_shape(module.init, jax.random.key(0), jax.ShapeDtypeStruct((1, 6, 8, 1), np.float32))


def experiment_with(name: str = "fashion_mnist", **delta: Any) -> Experiment:
    content = load_experiment(EXPERIMENTS, name, "laptop").model_dump(mode="json")
    return validate(Experiment, merge(content, delta), name)


def test_estimate_grows_with_what_needs_memory() -> None:
    base = block_bytes(experiment_with(), "cnn_c4", 5, 1)
    assert block_bytes(experiment_with(), "cnn_c4", 10, 1) > base
    assert block_bytes(experiment_with(), "cnn_c4", 5, 5) > base
    assert block_bytes(experiment_with(train={"batch_size": 64}), "cnn_c4", 5, 1) > base
    assert block_bytes(experiment_with(data={"train": {"num": 5000}}), "cnn_c4", 5, 1) > base
    assert block_bytes(experiment_with(train={"checkpoint_every": 2}), "cnn_c4", 5, 1) < base
    assert block_bytes(experiment_with(train={"optimiser": "sgd"}), "cnn_c4", 5, 1) < base
    full = {"cnn_c8": {"augmentation": {"mode": "full"}}}
    assert block_bytes(experiment_with(arms=full), "cnn_c8", 5, 1) > block_bytes(experiment_with(), "cnn_c8", 5, 1)


def test_estimate_covers_the_stored_checkpoints() -> None:
    experiment = experiment_with()
    parameters = network_size(experiment.arms["cnn_c4"].model, experiment.data.shape).num_parameters
    stored = 4 * parameters * len(experiment.train.checkpoint_epochs()) * 5
    assert block_bytes(experiment, "cnn_c4", 5, 1) > stored


@pytest.mark.parametrize("vectorised", [False, True])
def test_refusal_names_the_largest_block_that_fits(vectorised: bool) -> None:
    experiment = experiment_with(members={"num": 60, "block": 60})
    in_flight = 60 if vectorised else 1
    limit = int(block_bytes(experiment, "cnn_c4", 60, in_flight) * 0.8)
    with pytest.raises(ResourceError, match="fashion_mnist, arm cnn_c4: a block of 60 members needs about") as caught:
        require_memory(experiment, limit, vectorised)
    found = re.search(r"set members\.block to (\d+) or a smaller divisor of members\.num", str(caught.value))
    assert found is not None, caught.value
    named = int(found[1])
    assert 1 <= named < 60

    def with_block(block: int) -> Experiment:
        return experiment.model_copy(update={"members": experiment.members.model_copy(update={"block": block})})

    require_memory(with_block(named), limit, vectorised)
    with pytest.raises(ResourceError):
        require_memory(with_block(min(b for b in range(named + 1, 61) if 60 % b == 0)), limit, vectorised)


def test_named_block_is_one_that_the_configuration_allows() -> None:
    experiment = experiment_with(members={"num": 60, "block": 60})
    for share in (0.75, 0.85, 0.9, 0.95):
        with pytest.raises(ResourceError) as caught:
            require_memory(experiment, int(block_bytes(experiment, "cnn_c4", 60, 1) * share), vectorised=False)
        named = int(re.findall(r"members\.block to (\d+)", str(caught.value))[0])
        experiment_with(members={"num": 60, "block": named})


def test_not_even_one_member_fits() -> None:
    with pytest.raises(ResourceError, match=r"0.1 GiB may be used; not even one member fits: use a smaller batch"):
        require_memory(experiment_with(), 2**27, vectorised=False)


def test_exactly_enough_is_enough() -> None:
    experiment = experiment_with()
    need = max(block_bytes(experiment, arm, 5, 1) for arm in experiment.arms)
    require_memory(experiment, need, vectorised=False)
    with pytest.raises(ResourceError):
        require_memory(experiment, need - 1, vectorised=False)


def test_training_set_of_unknown_size_counts_as_a_large_one() -> None:
    unknown = load_experiment(EXPERIMENTS, "ising", "smoke")
    train = unknown.data.train.model_copy(update={"num": 128})
    known = unknown.model_copy(update={"data": unknown.data.model_copy(update={"train": train})})
    assert block_bytes(unknown, "mlp_512", 1, 1) > block_bytes(known, "mlp_512", 1, 1)


def test_physical_memory_is_plausible() -> None:
    assert 2**28 < physical_memory_bytes() < 2**50

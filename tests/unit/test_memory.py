"""Memory estimates: sizes against the real networks, and refusals that name what would fit."""

import re
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import traverse_util

from emergent.config.base import merge
from emergent.config.blocks import Members
from emergent.config.evaluation import orbit_bytes
from emergent.config.models import CnnModel, ConvLayer, GcnnModel, MlpModel, NetworkModel, SupportCnnModel
from emergent.config.stages import TrainStage
from emergent.config.study import SCALES
from emergent.domains.arrays import ArrayOrbits, TestSamples
from emergent.errors import ConfigError, ResourceError
from emergent.evaluation.memory import evaluation_bytes, require_evaluation_memory
from emergent.groups.images import image_action
from emergent.kinds import experiment_names, load_experiment
from emergent.models.registry import build, parameter_shapes
from emergent.models.size import NetworkSize, forward_floats, network_size
from emergent.point_groups import group_from_name
from emergent.provenance import physical_memory_bytes
from emergent.training.memory import block_bytes, require_memory, size_of

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


def size(model: NetworkModel, shape: tuple[int, ...]) -> NetworkSize:
    return network_size(model, jax.ShapeDtypeStruct((1, *shape), jnp.float32))


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
    assert size(model, shape).num_parameters == num_parameters(model, shape)


@pytest.mark.parametrize("name", experiment_names(EXPERIMENTS))
@pytest.mark.parametrize("scale", SCALES)
def test_every_configured_arm_has_a_network_that_fits_its_inputs(name: str, scale: str) -> None:
    experiment = load_experiment(EXPERIMENTS, name, scale)
    for arm in experiment.arms_of("train"):
        stage = experiment.stage("train", arm)
        if isinstance(stage, TrainStage):
            assert size_of(stage).num_parameters > 30 and size_of(stage).num_activations > 30


def test_number_of_activations_is_what_the_backward_pass_keeps() -> None:
    """By hand: of a linear layer its input; of a ReLU where it was positive (a byte each), and what replaces it."""
    assert size(mlp(depth=2), (2, 3, 1)).num_activations == 6 + 7 + 7 + 14 + -(-14 // 4)
    assert size(mlp(depth=2, activation="tanh"), (2, 3, 1)).num_activations == 6 + 7 + 7 + 2 * 7
    # A network that is wider, or has the same layers for every group element, keeps more in proportion.
    wide = size(mlp(depth=1, width=700), (2, 3, 1)).num_activations
    assert 60 < wide / size(mlp(depth=1), (2, 3, 1)).num_activations < 100
    one, eight = (size(gcnn(group), (8, 8, 1)).num_activations for group in ("C1", "D4"))
    assert 5 < eight / one < 8


@pytest.mark.parametrize("family", ["mlp", "cnn", "support"])
def test_estimate_of_a_step_is_near_what_the_compiler_asks_for(family: str) -> None:
    """Temporary memory of a compiled gradient, within a factor of two."""
    support = SupportCnnModel(family="support_cnn", channels=(8, 8), support=("010", "111", "010"), num_outputs=4)
    model, shape = {"mlp": (mlp(width=128), (4, 4, 1)), "cnn": (cnn(), (8, 8, 1)), "support": (support, (16, 16, 1))}[
        family
    ]
    module, num = build(model), 256
    inputs = jax.ShapeDtypeStruct((num, *shape), jnp.float32)

    def gradient(parameters: Any, values: jax.Array) -> Any:
        return jax.grad(lambda p: jnp.square(module.apply(p, values)).sum())(parameters)

    compiled = jax.jit(gradient).lower(parameter_shapes(module, shape), inputs).compile()
    analysis = compiled.memory_analysis()
    assert analysis is not None
    estimate = 4 * 2 * num * size(model, shape).num_activations
    assert 0.5 < estimate / analysis.temp_size_in_bytes < 2


def test_pooling_window_must_divide_the_feature_map() -> None:
    stage = experiment_with(model={"layers": [{"channels": 3, "average_pool": 5}]}, arm="cnn_c4")
    with pytest.raises(ConfigError, match=r"fashion_mnist, arm cnn_c4: model: average_pool: expected a divisor of the"):
        size_of(stage)
    module = build(cnn())
    with pytest.raises(ValueError, match="expected a divisor of the image size 3 x 4"):
        jax.eval_shape(module.init, jax.random.key(0), jax.ShapeDtypeStruct((1, 6, 8, 1), np.float32))


def experiment_with(arm: str = "cnn_c4", name: str = "fashion_mnist", **delta: Any) -> TrainStage:
    stage = load_experiment(EXPERIMENTS, name, "laptop").stage("train", arm)
    assert isinstance(stage, TrainStage)
    return TrainStage.model_validate(merge(stage.model_dump(mode="json"), delta))


NUM = 1000


def bytes_of(block: int, in_flight: int, num: int = NUM, **delta: Any) -> int:
    return block_bytes(experiment_with(**delta), block, num, in_flight)


def test_estimate_grows_with_what_needs_memory() -> None:
    base = bytes_of(5, 1)
    assert bytes_of(10, 1) > base
    assert bytes_of(5, 5) > base
    assert bytes_of(5, 1, train={"batch_size": 64}) > base
    assert bytes_of(5, 1, num=5000) > base
    assert bytes_of(5, 1, train={"checkpoint_every": 2}) < base
    assert bytes_of(5, 1, train={"optimiser": "sgd"}) < base
    assert bytes_of(5, 1, train={"optimiser": "sgd", "momentum": 0.9}) > bytes_of(5, 1, train={"optimiser": "sgd"})
    assert bytes_of(5, 1, arm="cnn_c8", augmentation={"mode": "full"}) > bytes_of(5, 1, arm="cnn_c8")
    part = {"mode": "full", "elements": [0, 4]}
    assert bytes_of(5, 1, arm="cnn_c8", augmentation=part) < bytes_of(5, 1, arm="cnn_c8", augmentation={"mode": "full"})


def test_estimate_covers_the_stored_checkpoints() -> None:
    stage = experiment_with()
    stored = 4 * size_of(stage).num_parameters * len(stage.train.checkpoint_epochs()) * 5
    assert bytes_of(5, 1) > stored


@pytest.mark.parametrize("vectorised", [False, True])
def test_refusal_names_the_largest_block_that_fits(vectorised: bool) -> None:
    stage, members = experiment_with(), Members(num=60, block=60)
    limit = int(bytes_of(60, 60 if vectorised else 1) * 0.8)
    with pytest.raises(ResourceError, match="fashion_mnist, arm cnn_c4: a block of 60 members needs about") as caught:
        require_memory([stage], members, NUM, limit, vectorised)
    found = re.search(r"set members\.block to (\d+) or a smaller divisor of members\.num", str(caught.value))
    assert found is not None, caught.value
    named = int(found[1])
    assert 1 <= named < 60
    require_memory([stage], Members(num=60, block=named), NUM, limit, vectorised)
    larger = min(b for b in range(named + 1, 61) if 60 % b == 0)
    with pytest.raises(ResourceError):
        require_memory([stage], Members(num=60, block=larger), NUM, limit, vectorised)


def test_named_block_is_one_that_the_configuration_allows() -> None:
    for share in (0.75, 0.85, 0.9, 0.95):
        limit = int(bytes_of(60, 1) * share)
        with pytest.raises(ResourceError) as caught:
            require_memory([experiment_with()], Members(num=60, block=60), NUM, limit, vectorised=False)
        named = int(re.findall(r"members\.block to (\d+)", str(caught.value))[0])
        Members(num=60, block=named)


def test_not_even_one_member_fits() -> None:
    with pytest.raises(ResourceError, match=r"0.1 GiB may be used; not even one member fits: use a smaller batch"):
        require_memory([experiment_with()], Members(num=5, block=5), NUM, 2**27, vectorised=False)


def test_exactly_enough_is_enough() -> None:
    stages = [experiment_with(arm=arm) for arm in ("cnn_c4", "cnn_c8")]
    need = max(block_bytes(stage, 5, NUM, 1) for stage in stages)
    require_memory(stages, Members(num=5, block=5), NUM, need, vectorised=False)
    with pytest.raises(ResourceError):
        require_memory(stages, Members(num=5, block=5), NUM, need - 1, vectorised=False)


def test_physical_memory_is_plausible() -> None:
    assert 2**28 < physical_memory_bytes() < 2**50


# Histology: images so large that data, not networks, fill the memory.

HISTOLOGY = load_experiment(EXPERIMENTS, "histology", "paper")
SETS = {name: entry.num or 833 for name, entry in HISTOLOGY.test_sets().items()}


def test_training_counts_large_images_on_host_and_device() -> None:
    stage = HISTOLOGY.stage("train", "cnn_c16")
    assert isinstance(stage, TrainStage)
    images = 9167 * 224 * 224 * 3 * 4
    need = block_bytes(stage, 5, 9167, 1)
    assert 2 * images < need < 2 * images + 2**31
    with pytest.raises(ResourceError, match=r"histology, arm cnn_c16: a block of 5 members needs about 1\d\.\d GiB"):
        require_memory([stage], HISTOLOGY.members, 9167, 8 * 2**30, vectorised=True)


@pytest.mark.parametrize("vectorised", [False, True])
def test_evaluation_counts_large_images_on_their_orbits(vectorised: bool) -> None:
    image = 224 * 224 * 3 * 4
    orbits = {order: order * image * (sum(SETS.values()) + 2 * max(SETS.values())) for order in (4, 16)}
    for arm, order in (("cnn_c4", 4), ("cnn_c16", 16)):
        need = evaluation_bytes(HISTOLOGY, arm, SETS, vectorised)
        assert orbits[order] < need < orbits[order] + 6 * 2**30
    limit = evaluation_bytes(HISTOLOGY, "cnn_c8", SETS, vectorised)
    with pytest.raises(ResourceError, match=r"arm cnn_c12: evaluating a block of 5 members on the orbits of \d+ sam"):
        require_evaluation_memory(HISTOLOGY, SETS, limit, vectorised)
    require_evaluation_memory(HISTOLOGY, SETS, evaluation_bytes(HISTOLOGY, "cnn_c16", SETS, vectorised), vectorised)


@pytest.mark.parametrize("vectorised", [False, True])
def test_evaluation_counts_rotations_that_a_set_has_of_its_own(vectorised: bool) -> None:
    study = load_experiment(EXPERIMENTS, "fashion_mnist", "paper")
    sizes = dict.fromkeys(study.test_sets(), 1)
    turned = next(name for name, facts in study.test_sets().items() if facts.rotations is not None)
    few, many = (evaluation_bytes(study, "cnn_c4", sizes | {turned: num}, vectorised) for num in (10_000, 20_000))
    # The copies themselves, and twice more while they are laid out.
    copies = 10_000 * study.test_sets()[turned].rotations.order
    assert many - few >= 3 * copies * 28 * 28 * 4


def test_a_forward_pass_holds_its_largest_layer_and_the_input_of_that() -> None:
    inputs = jax.ShapeDtypeStruct((1, 8, 8, 1), jnp.float32)
    assert forward_floats(cnn(), inputs) == 2 * 8 * 8 * 3
    assert forward_floats(cnn(layers=(ConvLayer(channels=30),)), inputs) == 2 * 8 * 8 * 30
    # Eight members of 8192 small inputs each were measured at some 6 GB.
    paper = load_experiment(EXPERIMENTS, "nordenfors_c4", "paper")
    sets = {name: entry.num or 10_000 for name, entry in paper.test_sets().items()}
    assert 2 * 2**30 < evaluation_bytes(paper, "cnn", sets, vectorised=True) < 12 * 2**30


def test_orbits_of_a_set_are_as_large_as_the_estimate_says() -> None:
    samples = TestSamples(np.ones((10, 24, 24, 3), np.float32), image_action(group_from_name("C12"), 24, 24))
    # 120 inputs, filled up to 128; while they are laid out they are there twice more.
    assert ArrayOrbits(samples, 64).batches().nbytes == orbit_bytes([128 * 24 * 24 * 3]) / 3

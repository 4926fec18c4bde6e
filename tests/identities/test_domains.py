"""Training data of every domain: what augmentation does to a gradient, and what does not fit is refused."""

from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from emergent import storage
from emergent.config.groups import Augmentation
from emergent.config.models import MlpModel
from emergent.config.stages import EvaluateStage, TrainStage
from emergent.domains import registry
from emergent.domains.arrays import ArrayData, array_data
from emergent.domains.registry import DOMAINS, example, orbit_sets, training_data
from emergent.domains.space import VectorAction, matrices, training_action
from emergent.errors import ConfigError, DataError
from emergent.groups.actions import GatherAction, HaarAction, MatrixAction, PixelAction, TrivialAction, subset
from emergent.groups.images import image_action
from emergent.groups.lattices import lattice_action
from emergent.metrics.output_actions import Gather, Invariant, Matrices
from emergent.models.registry import build
from emergent.point_groups import fixed_rotations, group_from_name
from emergent.storage import Array
from emergent.training.step import MemberState, make_optimiser, make_step, network_gradient

GENERATOR = np.random.default_rng(0)
SIDE, NUM = 3, 4
TETRAHEDRAL = group_from_name("tetrahedral").matrices


def cases() -> dict[str, ArrayData]:
    """One training set per action in float64, on whole orbits."""
    images = GENERATOR.normal(size=(NUM, SIDE, SIDE, 1))
    numbers = GENERATOR.normal(size=(NUM, SIDE * SIDE))
    pairs, products = GENERATOR.normal(size=(NUM, 2, 3)), GENERATOR.normal(size=(NUM, 6))
    turns = image_action(group_from_name("C4"), SIDE, SIDE)
    part = subset(image_action(group_from_name("D4"), SIDE, SIDE), [0, 2, 5])
    sites = GatherAction(jnp.asarray(lattice_action(group_from_name("D4"), SIDE)))
    rotations = MatrixAction(jnp.asarray(TETRAHEDRAL))
    labels = np.arange(NUM, dtype=np.int32) % 3
    return {
        "labels": array_data(images, labels, turns, TrivialAction(4), "full"),
        "pixels": array_data(images, numbers, turns, PixelAction(turns), "full"),
        "part": array_data(images, numbers, part, PixelAction(part), "full"),
        "sites": array_data(numbers, numbers, sites, sites, "full"),
        "vectors": array_data(pairs, products, rotations, VectorAction(rotations), "full"),
    }


def moved_alike(data: ArrayData, element: int) -> ArrayData:
    """The training set with every sample moved by one element."""
    elements = jnp.full(data.num_samples, element)
    inputs, targets = data.on_inputs.transform(data.inputs, elements), data.on_targets.transform(data.targets, elements)
    one = TrivialAction(1)
    return ArrayData(inputs, targets, one, one, "full")


@pytest.mark.usefixtures("float64")
@pytest.mark.parametrize("name", ["labels", "pixels", "part", "sites", "vectors"])
def test_gradient_on_whole_orbits_is_the_mean_over_the_elements(name: str) -> None:
    data = cases()[name]
    num_outputs = 3 if data.targets.ndim == 1 else data.targets.shape[1]
    module = build(MlpModel(family="mlp", width=5, num_outputs=num_outputs, activation="tanh"))
    parameters = module.init(jax.random.key(0), data.example())
    gradient = network_gradient(module, "mse")
    whole = jax.jit(lambda part: gradient(parameters, (), part, None, jax.random.key(0)))
    value, slope = whole(data)
    order = data.copies
    single = [whole(moved_alike(data, element)) for element in range(order)]
    np.testing.assert_allclose(value, np.mean([found[0] for found in single]), rtol=1e-12)
    mean = jax.tree.map(lambda *parts: sum(parts) / order, *(found[1] for found in single))
    for ours, theirs in zip(jax.tree.leaves(slope), jax.tree.leaves(mean), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-10, atol=1e-13)


@pytest.mark.parametrize("name", ["labels", "pixels", "part", "sites", "vectors"])
def test_random_elements_move_inputs_and_targets_alike(name: str) -> None:
    """Every sample of a random batch is one of its copies, with the target of that very copy."""
    full = cases()[name]
    drawn = ArrayData(full.inputs, full.targets, full.on_inputs, full.on_targets, "random")
    copies, answers = (np.asarray(part) for part in full.batch(None, jax.random.key(0)))
    seen = set()
    for seed in range(20):
        inputs, targets = (np.asarray(part) for part in drawn.batch(None, jax.random.key(seed)))
        for sample in range(NUM):
            mine = copies.reshape(-1, NUM, *copies.shape[1:])[:, sample]
            equal = np.isclose(mine, inputs[sample], atol=1e-6).reshape(len(mine), -1).all(1)
            assert equal.any()
            theirs = answers.reshape(-1, NUM, *answers.shape[1:])[:, sample][equal]
            np.testing.assert_allclose(theirs, np.broadcast_to(targets[sample], theirs.shape), atol=1e-6)
            seen.add(int(equal.argmax()))
    assert len(seen) == full.on_inputs.order


def test_continuous_rotations_turn_inputs_and_targets_alike() -> None:
    """The Gram matrix of all vectors, inputs and targets together, is what no rotation changes."""
    pairs, products = (GENERATOR.normal(size=(NUM, 2, 3)), GENERATOR.normal(size=(NUM, 6)))
    data = array_data(pairs, products, HaarAction(), VectorAction(HaarAction()), "random")

    def gram(inputs: Any, targets: Any) -> np.ndarray:
        together = np.concatenate([np.asarray(inputs), np.asarray(targets).reshape(NUM, 2, 3)], 1)
        return np.einsum("nvi,nwi->nvw", together, together)

    moved = data.batch(None, jax.random.key(1))
    np.testing.assert_allclose(gram(*moved), gram(pairs, products), atol=1e-5)
    assert not np.allclose(moved[0], data.batch(None, jax.random.key(2))[0], atol=1e-2)


@pytest.mark.usefixtures("float64")
def test_equivariant_networks_stay_equivariant() -> None:
    """An orbit of networks on vectors, trained on whole orbits, stays one: its mean turns with its inputs."""
    data = cases()["vectors"]
    rotations = TETRAHEDRAL
    module = build(MlpModel(family="mlp", width=7, num_outputs=6, activation="tanh"))
    weights = [GENERATOR.normal(size=shape) for shape in ((6, 7), (7, 6))]
    optimiser = make_optimiser("sgd", 0.5)
    states = []
    for matrix in rotations:
        turn = np.kron(np.eye(2), matrix)
        kernels = [turn @ weights[0], weights[1] @ turn.T]
        parameters = {"params": {f"Dense_{i}": {"kernel": jnp.asarray(w)} for i, w in enumerate(kernels)}}
        states.append(MemberState(parameters, optimiser.init(parameters)))
    members = jax.tree.map(lambda *leaves: jnp.stack(leaves), *states)
    step = jax.jit(jax.vmap(make_step(network_gradient(module, "mse"), optimiser), (0, None, None, None, None)))
    fresh = GENERATOR.normal(size=(5, 2, 3))
    copies = np.einsum("gij,nvj->gnvi", rotations, fresh)
    apply = jax.jit(jax.vmap(module.apply, (0, None)))
    for index in range(6):
        outputs = np.asarray(apply(members.parameters, jnp.asarray(copies.reshape(-1, 2, 3))))
        outputs = outputs.reshape(len(rotations), len(rotations), 5, 2, 3)
        mean = outputs.mean(0)
        np.testing.assert_allclose(mean, np.einsum("gij,nvj->gnvi", rotations, mean[0]), atol=1e-11)
        # No single member is equivariant.
        alone = outputs[0]
        assert np.abs(alone - np.einsum("gij,nvj->gnvi", rotations, alone[0])).max() > 1e-2
        before = members.parameters["params"]["Dense_0"]["kernel"]
        members, _, _ = step(members, (), None, jax.random.key(index), data)
        assert np.abs(np.asarray(members.parameters["params"]["Dense_0"]["kernel"] - before)).max() > 1e-4


def stage(**changes: Any) -> TrainStage:
    content: dict[str, Any] = {
        "experiment": "tiny",
        "seed": 3,
        "arm": "mlp",
        "initialisation": "mlp",
        "data": {"domain": "vectors", "num_vectors": 2, "outputs": "vectors", "train": {"dataset": "a", "split": "t"}},
        "model": {"family": "mlp", "width": 4, "num_outputs": 3},
        "augmentation": {"group": "octahedral", "mode": "full"},
        "train": {"loss": "mse", "optimiser": "adam", "learning_rate": 0.1, "batch_size": None, "num_epochs": 1},
    }
    return TrainStage.model_validate(content | changes)


def prepared(folder: Path, **arrays: np.ndarray) -> dict[str, Path]:
    path = folder / "a.h5"
    named = {
        f"t/{name}": Array(values, ("sample", *(f"axis{i}" for i in range(values.ndim - 1))))
        for name, values in arrays.items()
    }
    storage.write(path, stage="prepare", attributes={}, arrays=named)
    return {"a": path}


PAIRS, PRODUCTS = np.ones((5, 2, 3), np.float32), np.ones((5, 3), np.float32)
LABELS = np.arange(5, dtype=np.int32)
IMAGES = {"domain": "images", "shape": (4, 4, 1), "scaling": "none", "train": {"dataset": "a", "split": "t"}}
MLP = {"family": "mlp", "width": 4}


@pytest.mark.parametrize(
    ("arrays", "changes", "error", "message"),
    [
        ({"inputs": PAIRS}, {}, DataError, "training needs an array 'targets', but the data set has none"),
        ({"inputs": PAIRS[:, :1], "targets": PRODUCTS}, {}, DataError, r"inputs of shape \(1, 3\), data.num_vectors"),
        ({"inputs": PAIRS, "targets": PRODUCTS[:, :2]}, {}, DataError, r"targets have shape \(2,\) .* has 3 outputs"),
        (
            {"inputs": PAIRS, "targets": PRODUCTS[:, :2]},
            {"model": MLP | {"num_outputs": 2}},
            DataError,
            "'vectors', which have 3 coordinates each; found 2 targets",
        ),
        (
            {"inputs": PAIRS, "targets": PRODUCTS},
            {"augmentation": {"group": "C4", "mode": "full"}},
            ConfigError,
            "group C4: acts on the plane, but the inputs are points of space",
        ),
        (
            {"inputs": np.ones((5, 4, 4), np.float32), "labels": LABELS},
            {"data": IMAGES, "augmentation": {"group": "C4", "mode": "full"}},
            DataError,
            "labels reach 4, but the network has 3 outputs; set model.num_outputs to 5",
        ),
        (
            {"inputs": np.ones((5, 4, 4), np.float32)},
            {"data": IMAGES, "augmentation": {"group": "C4", "mode": "full"}},
            DataError,
            "training on classes needs labels, but the data set has none",
        ),
        (
            {"inputs": np.ones((5, 4, 4), np.float32), "targets": np.ones((5, 3), np.float32)},
            {"data": IMAGES | {"outputs": "pixels"}, "augmentation": {"group": "C4", "mode": "full"}},
            DataError,
            "'pixels', which needs one target for each of 16 pixels; found 3",
        ),
    ],
)
def test_data_that_do_not_fit_are_refused(
    arrays: dict[str, np.ndarray], changes: dict[str, Any], error: type[Exception], message: str, tmp_path: Path
) -> None:
    with pytest.raises(error, match=message):
        training_data(stage(**changes), prepared(tmp_path, **arrays))


def test_actions_that_do_not_fit_are_refused() -> None:
    rotations = MatrixAction(jnp.asarray(TETRAHEDRAL))
    with pytest.raises(ConfigError, match="12 elements and that on targets 4"):
        array_data(PAIRS, PRODUCTS, rotations, TrivialAction(4), "full")
    with pytest.raises(ValueError, match="the action does not fit"):
        array_data(np.ones((5, 4), np.float32), PRODUCTS, rotations, VectorAction(rotations), "full")
    with pytest.raises(ValueError, match=r"expected vectors of 3 coordinates, \[N, 3 V\], found shape \(5, 4\)"):
        array_data(PAIRS, np.ones((5, 4), np.float32), rotations, VectorAction(rotations), "full")
    with pytest.raises(ConfigError, match="orbit of a continuous group is infinite"):
        array_data(PAIRS, PRODUCTS, HaarAction(), VectorAction(HaarAction()), "full")


def test_rotations_of_training_and_evaluation_differ() -> None:
    """A finite part of SO(3) that is trained on is not what orbits of test sets begin with, but for the identity."""
    part = Augmentation(group="SO3", mode="full", num_elements=6)
    action = training_action(part, 3)
    assert isinstance(action, MatrixAction)
    tested = matrices(part, 3)
    np.testing.assert_array_equal(tested, fixed_rotations(3, 6))
    np.testing.assert_array_equal(action.matrices[0], np.eye(3))
    assert np.abs(np.asarray(action.matrices)[1:, None] - tested[1:]).max((2, 3)).min() > 0.05
    elements = Augmentation(group="octahedral", mode="full", elements=(3, 0, 7))
    np.testing.assert_array_equal(matrices(elements, 0), group_from_name("octahedral").matrices[[0, 3, 7]])
    assert isinstance(training_action(Augmentation(group="SO3", mode="random"), 0), HaarAction)


def evaluation(data: dict[str, Any], **orbit: Any) -> EvaluateStage:
    sets = {"evaluate": {"test": {"dataset": "a", "split": "t"}}}
    settings = {
        "member_metrics": (),
        "ensemble_sizes": (2,),
        "max_ensembles": 1,
        "batch_size": None,
        "output_epochs": (),
        "whole_blocks": False,
    }
    return EvaluateStage.model_validate(
        {"experiment": "tiny", "seed": 3, "arm": "mlp", "data": data | sets, "model": MLP | {"num_outputs": 3}}
        | {"orbit": {"mode": "full"} | orbit, "evaluate": settings}
    )


def test_orbits_of_test_sets_and_how_outputs_move(tmp_path: Path) -> None:
    vectors = {"domain": "vectors", "num_vectors": 2, "outputs": "vectors", "train": {"dataset": "a", "split": "t"}}
    paths = prepared(tmp_path, inputs=GENERATOR.normal(size=(5, 2, 3)), targets=PRODUCTS)
    found = orbit_sets(evaluation(vectors, group="SO3", num_elements=4), paths)["test"]
    assert isinstance(found.output_action, Matrices) and found.output_action.order == 4
    np.testing.assert_array_equal(found.rotations, fixed_rotations(3, 4))
    seen = found.outputs(lambda parameters, batch: batch.reshape(len(batch), -1), None, 0)
    # The "network" returns its inputs: two vectors that turn with the elements.
    expected = np.einsum("gij,nvj->ngvi", found.rotations, seen[:, 0].reshape(5, 2, 3)).reshape(5, 4, 6)
    np.testing.assert_allclose(seen, expected, atol=1e-6)
    invariant = evaluation(vectors | {"outputs": "invariant"}, group="tetrahedral")
    assert registry.test_samples(invariant, paths)["test"].output_action == Invariant(12)
    paths = prepared(tmp_path, inputs=np.ones((5, 4, 4), np.float32))
    pixels = evaluation(IMAGES | {"outputs": "pixels"}, group="C4", elements=(0, 2))
    action = registry.test_samples(pixels, paths)["test"].output_action
    assert isinstance(action, Gather)
    np.testing.assert_array_equal(action.index[1], np.rot90(np.arange(16).reshape(4, 4), 2).ravel())
    turned = evaluation(IMAGES | {"outputs": "pixels"}, group="C8")
    # Interpolated pixels are no permutation of pixels.
    assert registry.test_samples(turned, paths)["test"].output_action is None


@pytest.mark.parametrize("name", sorted(DOMAINS))
def test_examples_tell_the_shapes_of_inputs(name: str) -> None:
    sampling = {"num_points": 8, "num_neighbours": 3}
    sections = {
        "images": (IMAGES, [(1, 4, 4, 1)]),
        "point_clouds": ({"domain": name, "sampling": sampling, "train": IMAGES["train"]}, [(1, 8, 3), (1, 8, 3)]),
        "vectors": ({"domain": name, "num_vectors": 2, "train": IMAGES["train"]}, [(1, 2, 3)]),
    }
    content, shapes = sections[name]
    found = example(stage(data=content).data)
    assert [leaf.shape for leaf in jax.tree.leaves(found)] == shapes

"""Canonicalised and orbit-averaged networks: invariant to round-off where the group maps pixels to pixels."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from emergent.config.domains import DataSelection, ImageEvaluation
from emergent.config.evaluation import EvaluationSettings
from emergent.config.groups import Augmentation
from emergent.config.models import CanonicalisedCnnModel, CnnModel, ConvLayer, OrbitAveragedModel
from emergent.config.stages import EvaluateStage
from emergent.evaluation.costs import cost_arrays
from emergent.groups.images import image_action
from emergent.models.canonicalised_cnn import best
from emergent.models.registry import build
from emergent.point_groups import group_from_name

GENERATOR = np.random.default_rng(0)
TINY = DataSelection(dataset="tiny", split="train")
SETTINGS = EvaluationSettings(
    member_metrics=(), ensemble_sizes=(1,), max_ensembles=1, batch_size=None, output_epochs=(), whole_blocks=False
)
CNN: dict[str, Any] = {
    "layers": (ConvLayer(channels=4), ConvLayer(channels=5, stride=2)),
    "readout": "flatten",
    "dense": (6,),
    "num_outputs": 3,
    "parametrisation": "pytorch",
}
PLAIN = CnnModel(family="cnn", **CNN)


def canonicalised(group: str, **options: Any) -> CanonicalisedCnnModel:
    energy = (ConvLayer(channels=3, stride=2),)
    return CanonicalisedCnnModel(family="canonicalised_cnn", **CNN, group=group, energy=energy, **options)


def averaged(group: str) -> OrbitAveragedModel:
    return OrbitAveragedModel(family="orbit_averaged", network=PLAIN, group=group)


def drawn(network: Any, images: Any) -> Any:
    """Parameters of the network's shapes, without compiling its own draws."""
    shapes = jax.eval_shape(network.init, jax.random.key(0), images)
    return jax.tree.map(lambda leaf: jnp.asarray(0.4 * GENERATOR.normal(size=leaf.shape), images.dtype), shapes)


def orbit_outputs(model: Any, group: str, side: int) -> np.ndarray:
    """Outputs [G, N, K] of a network in double precision on the orbits of five images."""
    with jax.enable_x64(True):
        images = jnp.asarray(GENERATOR.normal(size=(5, side, side, 1)))
        copies = image_action(group_from_name(group), side, side).orbit(images)
        network: Any = build(model)
        outputs = jax.jit(network.apply)(drawn(network, images), copies.reshape(-1, *images.shape[1:]))
        assert outputs.dtype == jnp.float64
        return np.asarray(outputs).reshape(*copies.shape[:2], -1)


@pytest.mark.parametrize(("make", "group"), [(canonicalised, "D4"), (averaged, "C4")])
def test_networks_are_invariant_to_round_off_under_exact_elements(make: Any, group: str) -> None:
    outputs = orbit_outputs(make(group), group, 8)
    np.testing.assert_allclose(outputs, np.broadcast_to(outputs[:1], outputs.shape), rtol=0, atol=1e-12)
    assert np.abs(outputs - outputs[:, :1]).max() > 1e-2, "different images have different outputs"


def test_the_network_inside_is_not_invariant() -> None:
    outputs = orbit_outputs(PLAIN, "C4", 8)
    assert np.abs(outputs - outputs[:1]).max((1, 2))[1:].min() > 1e-2


def test_other_turns_are_exact_up_to_interpolation_only() -> None:
    outputs = orbit_outputs(canonicalised("C8"), "C8", 9)
    difference = np.abs(outputs - outputs[:1]).max((1, 2))
    assert difference[[0, 2, 4, 6]].max() < 1e-12 and difference[[1, 3, 5, 7]].min() > 1e-4


def test_the_best_copy_is_picked_with_the_gradient_of_a_softmax() -> None:
    scores = jnp.array([[0.0, 2.0], [1.0, -1.0], [0.5, 0.0]])
    copies = jnp.asarray(GENERATOR.normal(size=(3, 2, 5)), jnp.float32)
    np.testing.assert_array_equal(best(copies, scores), np.stack([copies[1, 0], copies[0, 1]]))
    gradient = jax.jacobian(lambda s: best(copies, s))(scores)
    expected = jax.jacobian(lambda s: jnp.einsum("gn,gnp->np", jax.nn.softmax(s, 0), copies))(scores)
    np.testing.assert_allclose(gradient, expected, atol=1e-6)
    assert np.abs(gradient).max() > 0.1


def test_the_canonicaliser_learns() -> None:
    network: Any = build(canonicalised("C4"))
    images = jnp.asarray(GENERATOR.normal(size=(6, 8, 8, 1)), jnp.float32)
    gradient = jax.jit(jax.grad(lambda p: jnp.square(network.apply(p, images)).sum()))(drawn(network, images))
    for part in ("scores", "classifier"):
        assert all(np.abs(leaf).max() > 0 for leaf in jax.tree.leaves(gradient["params"][part])), part


def test_many_members_at_a_time_on_an_accelerator_give_the_same_outputs(monkeypatch: pytest.MonkeyPatch) -> None:
    images = jnp.asarray(GENERATOR.normal(size=(4, 8, 8, 1)), jnp.float32)
    network: Any = build(canonicalised("C4"))
    members = [drawn(network, images) for _ in range(2)]
    alone = [jax.jit(network.apply)(parameters, images) for parameters in members]
    monkeypatch.setattr(jax, "default_backend", lambda: "gpu")
    stacked = jax.tree.map(lambda *leaves: jnp.stack(leaves), *members)
    together = jax.jit(jax.vmap(network.apply, (0, None)))(stacked, images)
    np.testing.assert_allclose(together, jnp.stack(alone), atol=1e-5)


def test_costs_count_every_copy() -> None:
    stages = {
        name: EvaluateStage(
            experiment="tiny",
            seed=0,
            arm="cnn",
            data=ImageEvaluation(domain="images", train=TINY, shape=(8, 8, 1), scaling="none", evaluate={}),
            model=model,
            orbit=Augmentation(group="C4", mode="full"),
            evaluate=SETTINGS,
        )
        for name, model in (("plain", PLAIN), ("averaged", averaged("C4")), ("canonicalised", canonicalised("C4")))
    }
    costs = {
        name: {key: int(found.values[0]) for key, found in cost_arrays(stage).items()} for name, stage in stages.items()
    }
    # Two convolutions, of which the second leaves 4 x 4 pixels, and two dense layers.
    inference = 8 * 8 * 9 * 4 + 4 * 4 * 9 * 4 * 5 + 4 * 4 * 5 * 6 + 6 * 3
    assert costs["plain"]["costs/inference"] == inference
    # Gradients of all weights and of all inputs but the image's.
    assert costs["plain"]["costs/training"] == 3 * inference - 8 * 8 * 9 * 4
    assert costs["averaged"] == costs["plain"] | {"costs/inference": 4 * inference}
    small = 4 * (4 * 4 * 9 * 3 + 4 * 4 * 3)
    assert small <= costs["canonicalised"]["costs/inference"] - inference <= small + 4 * 8 * 8


def test_a_trained_network_is_averaged_with_its_own_parameters() -> None:
    network, around = (build(model) for model in (PLAIN, averaged("C4")))
    images = jnp.asarray(GENERATOR.normal(size=(2, 8, 8, 1)), jnp.float32)
    parameters = drawn(network, images)
    assert jax.tree.map(jnp.shape, parameters) == jax.tree.map(jnp.shape, drawn(around, images))
    copies = image_action(group_from_name("C4"), 8, 8).orbit(images)
    plain: Any = network.apply(parameters, copies.reshape(-1, 8, 8, 1))
    averages: Any = around.apply(parameters, images)
    np.testing.assert_allclose(averages, plain.reshape(4, 2, 3).mean(0), atol=1e-5)
    assert averaged("C4").trained() == PLAIN and averaged("C4").num_outputs == 3

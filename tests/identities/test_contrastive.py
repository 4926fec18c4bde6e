"""Contrastive learning: losses against independent forms, CARE's proposition, views, networks and probes."""

from functools import partial
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from scipy.stats import ortho_group

from emergent.config.base import merge, read_yaml, validate
from emergent.config.contrastive import ContrastiveExperiment, ContrastiveStage
from emergent.domains.contrastive import Labelled, Unlabelled
from emergent.errors import ConfigError, DataError
from emergent.models.projected_encoder import EncoderNet
from emergent.training.contrastive import contrastive_arrays, learner
from emergent.training.contrastive_losses import info_nce, inner_product_change, uniformity
from emergent.training.embedding_probes import composed_residual, fit_rotation, fit_view

CONTENT = read_yaml(Path(__file__).parents[2] / "config/experiments/contrastive.yaml")
SCALES = CONTENT.pop("scales")
SMALL: dict[str, Any] = {
    "data": {"train": {"num": None}, "test": {"num": None}},
    "train": {"batch_size": 8, "sub_batches": 2, "num_epochs": 1},
    "probes": {"images": 32, "pairs_of": 8, "statistics": 16, "neighbours": 3},
}


def experiment(scale: str = "smoke", **delta: Any) -> ContrastiveExperiment:
    return validate(ContrastiveExperiment, merge(merge(CONTENT, SCALES[scale]), delta), "case")


def stage(arm: str, **delta: Any) -> ContrastiveStage:
    found = experiment(**merge(SMALL, delta)).stage("train", arm)
    assert isinstance(found, ContrastiveStage)
    return found


def images(num: int = 24, test: int = 40) -> tuple[Labelled, Labelled]:
    generator = np.random.default_rng(0)
    labels = np.arange(num + test) % 3
    pixels = generator.integers(0, 80, (num + test, 8, 8, 1)) + 80 * labels[:, None, None, None] * (np.arange(8) > 3)[
        None, :, None, None
    ]  # fmt: skip
    pixels = np.clip(pixels, 0, 255).astype(np.uint8)
    return Labelled(pixels[:num], labels[:num]), Labelled(pixels[num:], labels[num:])


def sphere(*shape: int, seed: int = 0) -> np.ndarray:
    drawn = np.random.default_rng(seed).normal(size=shape)
    return drawn / np.linalg.norm(drawn, axis=-1, keepdims=True)


def test_info_nce_is_that_of_a_library_and_of_the_formula() -> None:
    first, second = sphere(6, 4), sphere(6, 4, seed=1)
    with jax.enable_x64(True):
        ours = float(info_nce(jnp.asarray(first), jnp.asarray(second), 0.5))
        spread = float(uniformity(jnp.asarray(first), jnp.asarray(second), 0.5))
        with jax.numpy_rank_promotion("allow"):
            theirs = optax.losses.ntxent(jnp.asarray(np.concatenate([first, second])), jnp.tile(jnp.arange(6), 2), 0.5)
    views, terms, negatives = np.concatenate([first, second]), [], []
    for index in range(12):
        partner = (index + 6) % 12
        others = [np.exp(views[index] @ views[k] / 0.5) for k in range(12) if k not in (index, partner)]
        positive = np.exp(views[index] @ views[partner] / 0.5)
        terms.append(-np.log(positive / (positive + sum(others))))
        negatives.append(np.log(np.mean(others)))
    np.testing.assert_allclose(ours, np.mean(terms), rtol=1e-12)
    np.testing.assert_allclose(ours, float(theirs), rtol=1e-12)
    np.testing.assert_allclose(spread, np.mean(negatives), rtol=1e-12)


def test_change_of_inner_products_is_its_formula() -> None:
    first, second = sphere(3, 5, 4), sphere(3, 5, 4, seed=1)
    with jax.enable_x64(True):
        ours = float(inner_product_change(jnp.asarray(first), jnp.asarray(second)))
    total = [
        2 * np.mean([sum((a[i] @ a[j] - b[i] @ b[j]) ** 2 for j in range(5) if j != i) for i in range(5)])
        for a, b in zip(first, second, strict=True)
    ]
    np.testing.assert_allclose(ours, np.mean(total), rtol=1e-12)


def test_proposition_rotations_change_no_inner_product_and_other_maps_do() -> None:
    points = sphere(2, 40, 5)
    rotations = ortho_group.rvs(5, size=2, random_state=0)
    turned = points @ rotations
    stretched = points @ (rotations * np.linspace(0.5, 1.5, 5))
    stretched /= np.linalg.norm(stretched, axis=-1, keepdims=True)
    with jax.enable_x64(True):
        assert float(inner_product_change(jnp.asarray(points), jnp.asarray(turned))) < 1e-26
        assert float(inner_product_change(jnp.asarray(points), jnp.asarray(stretched))) > 0.1
    # And back: where no inner product changes a rotation is found, on points that did not fit it.
    np.testing.assert_allclose(fit_rotation(points[0], turned[0]), rotations[0], atol=1e-12)
    fit, other = fit_view(points[0], turned[0]), fit_view(points[0], stretched[0])
    assert fit.residual < 1e-12 < 0.1 < fit.shift
    assert fit.unrelated > 1
    assert 0.05 < other.residual < other.shift


def test_rotations_of_an_equivariant_map_compose_and_others_do_not() -> None:
    points = sphere(60, 4)
    first, second = ortho_group.rvs(4, size=2, random_state=1)
    product, own = composed_residual(points, points @ first, points @ second, points @ first @ second)
    assert max(product, own) < 1e-12
    product, own = composed_residual(points, points @ first, points @ second, points @ second @ first)
    assert own < 1e-12 < 0.1 < product


def test_embeddings_have_norm_one_and_batches_their_own_statistics() -> None:
    network = stage("care").network
    module, pixels = EncoderNet(network), jax.random.normal(jax.random.key(5), (16, 8, 8, 1))
    variables = module.init(jax.random.key(6), pixels, False)
    (features, embedded), stored = module.apply({"params": variables["params"]}, pixels, True, mutable=["batch_stats"])  # pyright: ignore
    assert features.shape == (16, network.channels[-1]) and embedded.shape == (16, network.outputs)
    np.testing.assert_allclose(np.linalg.norm(embedded, axis=1), 1, atol=1e-5)
    again = module.apply({"params": variables["params"], **stored}, pixels, False)  # pyright: ignore
    np.testing.assert_allclose(np.asarray(again[1]), embedded, atol=1e-5)


def test_the_published_network_is_a_resnet_50() -> None:
    network = experiment("paper").network
    pixels = jax.ShapeDtypeStruct((2, 32, 32, 3), jnp.float32)
    module = EncoderNet(network)
    variables = jax.eval_shape(lambda key, x: module.init(key, x, False), jax.random.key(0), pixels)
    num = sum(leaf.size for leaf in jax.tree.leaves(variables["params"]))
    # 25 557 032 with its readout of 2049 * 1000 numbers and a stem of 7 x 7 * 3 * 64 instead of 3 x 3 * 3 * 64.
    projection = 2048 * 512 + 2 * 512 + 512 * 128 + 128
    assert num - projection == 25_557_032 - 2049 * 1000 - (49 - 9) * 3 * 64
    features, embedded = jax.eval_shape(lambda v, x: module.apply(v, x, False), variables, pixels)
    assert features.shape == (2, 2048) and embedded.shape == (2, 128)


def test_the_change_of_inner_products_is_part_of_the_objective() -> None:
    own = stage("care")
    data = Unlabelled(jnp.asarray(images()[0].images))
    parameters, _ = learner(own).initialise(jax.random.key(0), data.example(), None)

    @partial(jax.jit, static_argnums=0)
    def found(weight: float) -> tuple[jax.Array, Any]:
        objective = own.objective.model_copy(update={"weight": weight})
        of_arm = learner(own.model_copy(update={"objective": objective}))
        return of_arm.gradient(parameters, (), data, jnp.arange(8), jax.random.key(1))

    low, high, highest = (found(weight) for weight in (0.5, 1.0, 1.5))
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(high))
    change = float(high[0] - low[0])
    assert change > 1e-3
    np.testing.assert_allclose(float(highest[0] - high[0]), change, rtol=1e-3)


def test_networks_are_the_same_alone_and_together() -> None:
    own = stage("care")
    together = contrastive_arrays(own, [0, 1], images(), vectorised=True)
    alone = contrastive_arrays(own, [1], images(), vectorised=False)
    for name in ("residual", "loss", "products"):
        np.testing.assert_allclose(together[name].values[1], alone[name].values[0], rtol=2e-3, atol=2e-4)
    assert together["changes"].values.shape == (2, 2, 28)
    assert (together["readout"].values <= 1).all()


def test_too_few_images_and_divergence_are_refused() -> None:
    with pytest.raises(DataError, match=r"probes\.images: expected at most the 20 images"):
        contrastive_arrays(stage("simclr"), [0], images(test=20))
    with pytest.raises(DataError, match="network 0 of arm simclr: the training loss is nan"):
        contrastive_arrays(stage("simclr", train={"learning_rate": 1e38, "num_epochs": 2}), [0], images())


@pytest.mark.parametrize(
    ("delta", "message"),
    [
        ({"train": {"sub_batches": 3}}, "cuts the batch of 32 images into equal parts"),
        ({"train": {"sub_batches": 32}}, "at least 2"),
        ({"views": {"hue": 0.1}}, "need 3 channels"),
        ({"views": {"area": [1.0, 0.5]}}, "smaller number first"),
        ({"probes": {"images": 12}}, "even number of at least 16"),
        ({"probes": {"pairs_of": 60}}, "at most 50"),
        ({"network": {"family": "residual"}}, "expected 2 numbers for a residual network"),
        ({"data": {"std": [1.0, 1.0]}}, "expected 1 numbers, as of data.mean"),
    ],
)
def test_settings_that_do_not_fit_are_refused(delta: dict, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        experiment(**delta)

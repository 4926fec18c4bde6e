"""Networks on graphs: their equivariant weights, three ways of training, graphs, summary and figure."""

import itertools
import json
import math
from functools import cache
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from emergent import storage
from emergent.config.base import merge, read_yaml, validate
from emergent.config.figures import PLACEHOLDERS, read_catalogue
from emergent.config.permutation_training import GraphNetworkSettings
from emergent.config.permutations import PermutationExperiment
from emergent.datasets.block_graphs import block_graphs
from emergent.errors import ConfigError, DataError
from emergent.figures.drawing import Drawing
from emergent.figures.plots import draw
from emergent.figures.save import fill_caption
from emergent.metrics.permutation_summary import summarise_permutations
from emergent.models.graph_network import (
    GraphWeights,
    difference,
    index_patterns,
    initial_weights,
    logits,
    norm,
    project,
)
from emergent.training.permutations import loss, mean_gradient, permutation_arrays, relabel

ROOT = Path(__file__).parents[2]
CONTENT = read_yaml(ROOT / "config/experiments/flinth_permutations.yaml")
SCALES = CONTENT.pop("scales")
SETTINGS = GraphNetworkSettings(channels=2, features=3, hidden=2, weight_std=1.0)
NODES = 4
TINY = {
    "graphs": {"num": 8, "block_size": 2},
    "network": {"channels": 2, "features": 3, "hidden": 2},
    "train": {"num_steps": 3, "learning_rate": 0.1, "batch_size": 4, "num_passes": 2},
    "members": {"num": 2, "block": 1},
}


def experiment(**delta: Any) -> PermutationExperiment:
    return validate(PermutationExperiment, merge(CONTENT, delta), "permutations")


def weights(projected: bool = True) -> GraphWeights:
    generator = np.random.default_rng(2)
    shapes = ((16, 16, 2), (16, 2, 3), (3, 2), (2, 1))
    drawn = GraphWeights(*(jnp.asarray(generator.normal(size=shape)) for shape in shapes))
    return jax.jit(project, static_argnums=1)(drawn, NODES) if projected else drawn


def graphs() -> tuple[jax.Array, jax.Array]:
    inputs, labels = block_graphs(8, 2, 0.5, 0.3, np.random.default_rng(0))
    return jnp.asarray(inputs, jnp.float64), jnp.asarray(labels)


@pytest.mark.parametrize(("num_nodes", "num_indices", "patterns"), [(4, 4, 15), (10, 4, 15), (10, 2, 2), (3, 4, 14)])
def test_number_of_index_patterns(num_nodes: int, num_indices: int, patterns: int) -> None:
    """Bell numbers; three nodes cannot fill four different indices."""
    assert index_patterns(num_nodes, num_indices).max() + 1 == patterns


def test_patterns_are_the_orbits_of_relabelling() -> None:
    pattern = index_patterns(NODES, 4).reshape((NODES,) * 4)
    for order in itertools.permutations(range(NODES)):
        np.testing.assert_array_equal(pattern[np.ix_(order, order, order, order)], pattern)


@pytest.mark.usefixtures("float64")
def test_projected_weights_are_invariant_and_others_are_not() -> None:
    inputs, _ = graphs()
    order = jnp.asarray([2, 0, 3, 1])
    evaluate = jax.jit(logits)
    for projected, same in ((True, True), (False, False)):
        before, after = evaluate(weights(projected), inputs), evaluate(weights(projected), relabel(inputs, order))
        assert np.allclose(before, after, atol=1e-12) == same
    twice = jax.jit(project, static_argnums=1)(weights(), NODES)
    assert float(norm(difference(twice, weights()))) < 1e-13


@pytest.mark.usefixtures("float64")
def test_fully_augmented_gradient_on_the_subspace_is_the_projected_one() -> None:
    """All 24 relabellings: the mean gradient at an equivariant point is the nominal one projected onto E."""
    inputs, labels = graphs()
    every = jnp.asarray(list(itertools.permutations(range(NODES))))[:, None]
    gradient = jax.jit(mean_gradient, static_argnums=4)
    _, augmented = gradient(weights(), inputs, labels, every, 8)
    _, nominal = gradient(weights(), inputs, labels, jnp.arange(NODES)[None, None], 8)
    expected = project(nominal, NODES)
    assert float(norm(difference(nominal, expected))) > 1e-3
    assert float(norm(difference(augmented, expected))) < 1e-12


@pytest.mark.usefixtures("float64")
def test_batches_add_up_to_the_whole() -> None:
    inputs, labels = graphs()
    identity = jnp.broadcast_to(jnp.arange(NODES), (1, 4, NODES))
    value, gradient = jax.jit(mean_gradient, static_argnums=4)(weights(False), inputs, labels, identity, 2)
    whole, expected = jax.jit(jax.value_and_grad(loss))(weights(False), inputs, labels)
    np.testing.assert_allclose(value, whole, rtol=1e-12)
    assert float(norm(difference(gradient, expected))) < 1e-12


def test_published_weights_start_equivariant() -> None:
    shapes = jax.eval_shape(lambda key: initial_weights(key, experiment().network, 10), jax.random.key(0))
    assert [part.shape for part in shapes] == [(100, 100, 32), (100, 32, 64), (64, 32), (32, 1)]
    assert sum(math.prod(part.shape) for part in shapes) == 320000 + 204800 + 2048 + 32


@cache
def connected_probability(left: int, right: int, inside: float, across: float) -> float:
    """Returns the exact probability that a two-block graph is connected, by the component of its first node."""
    if left == 0:
        left, right = right, left
    total = 1.0
    for i in range(1, left + 1):
        for j in range(right + 1):
            if (i, j) == (left, right):
                continue
            missing = (1 - inside) ** (i * (left - i) + j * (right - j)) * (1 - across) ** (
                i * (right - j) + j * (left - i)
            )
            ways = math.comb(left - 1, i - 1) * math.comb(right, j)
            total -= ways * connected_probability(i, j, inside, across) * missing
    return total


def test_graphs_have_the_expected_statistics() -> None:
    """3000 graphs, four standard errors; 2 x 10 x 0.5 + 25 x 0.05 = 11.25 edges."""
    inputs, labels = block_graphs(3000, 5, 0.5, 0.05, np.random.default_rng(5))
    np.testing.assert_array_equal(inputs, inputs.transpose(0, 2, 1))
    assert not inputs[:, np.arange(10), np.arange(10)].any()
    expected = connected_probability(5, 5, 0.5, 0.05)
    assert connected_probability(5, 0, 0.5, 0.05) == pytest.approx(728 / 1024)
    assert abs(labels.mean() - expected) < 4 * np.sqrt(expected * (1 - expected) / 3000)
    edges = inputs.sum((1, 2)) / 2
    assert abs(edges.mean() - 11.25) < 4 * edges.std() / np.sqrt(3000)
    # Relabelled: an edge between any two nodes is equally likely.
    share = inputs.mean(0)[np.triu_indices(10, 1)]
    assert np.abs(share - 0.25).max() < 5 * np.sqrt(0.25 * 0.75 / 3000)


def run(folder: Path) -> tuple[dict[str, Any], dict[str, list[Path]]]:
    study = experiment(**TINY)
    paths: dict[str, list[Path]] = {}
    for arm in study.arms:
        arrays = permutation_arrays(study.stage_config("train", arm), range(2))
        path = folder / f"{arm}.h5"
        storage.write(path, stage="train", attributes={}, arrays=arrays)
        paths[arm] = [path]
    return study.stage_config("summary", None), paths


def test_three_ways_of_training_to_the_figure(tmp_path: Path) -> None:
    settings, paths = run(tmp_path)
    tables = summarise_permutations(settings, paths)
    quantities = tables["quantities"].set_index("name")["value"]
    assert quantities["distance/equivariant"] < 1e-5
    assert quantities["distance/nominal"] > 1e-3
    assert quantities["distance/augmented"] > 1e-3
    # All arms of a run start alike: the first nominal loss is that of equivariant training.
    first = {arm: storage.read_arrays(paths[arm][0], ["loss"])["loss"][0] for arm in ("equivariant", "nominal")}
    np.testing.assert_allclose(first["equivariant"], first["nominal"], rtol=1e-6)
    assert set(tables["departure"]["step"]) == {0, 1, 2, 3}
    entry = read_catalogue(ROOT / "config/figures.yaml")["permutation_departure"]
    drawing = draw(entry, tables, {})
    assert isinstance(drawing, Drawing)
    drawing.figure.draw_without_rendering()
    left, right = drawing.figure.axes
    assert left.get_xlim() == right.get_xlim()
    assert set(drawing.facts) <= PLACEHOLDERS
    assert "{" not in fill_caption(entry, drawing.facts, "smoke", ())
    with pytest.raises(DataError, match="expected runs 0 to 2 once each, found 2"):
        summarise_permutations(settings | {"num_members": 3}, paths)


def test_divergence_names_the_run() -> None:
    config = experiment(**merge(TINY, {"train": {"learning_rate": 1e38}})).stage_config("train", "nominal")
    with pytest.raises(DataError, match=r"run 1 of arm nominal: .* after step \d"):
        permutation_arrays(config, [1])


@pytest.mark.parametrize("scale", SCALES)
def test_every_scale_is_valid_and_knows_no_size_in_training(scale: str) -> None:
    study = experiment(**(SCALES[scale] or {}))
    assert "members" not in json.dumps(study.stage_config("train", "nominal"))
    assert study.dataset_names("train") == [] and study.splits_used() == []


def test_batches_must_divide_the_graphs() -> None:
    with pytest.raises(ConfigError, match="expected a divisor of the 1000 graphs, found 300"):
        experiment(train={"batch_size": 300})

"""Network on point clouds: sizes, initial laws, the graph, and outputs against a plain transcription of its text."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import linen as nn

from emergent.config.base import validate
from emergent.config.pointnet import PointNetModel, Sampling
from emergent.errors import ConfigError
from emergent.models.pointnet import Clouds, PointNet, dense_layers, initial_parameters, nearest_neighbours, normalise

PUBLISHED = {
    "family": "point_net",
    "encoder": [50, 50, 100],
    "local_net": [103, 200],
    "global_net": [200, 300],
    "decoder": [200, 100],
    "num_outputs": 10,
    "initialisation": "xavier",
    "normalisation": "per_point",
}
SMALL = PUBLISHED | {"encoder": [4, 5], "local_net": [7, 6], "global_net": [5, 8], "decoder": [6], "num_outputs": 3}
NORMALISATIONS = ("per_point", "per_message", "consecutive_rows")


def model(content: dict, **changes: object) -> PointNetModel:
    return validate(PointNetModel, content | changes, "test")


def transcription(parameters: dict, points: np.ndarray, neighbours: np.ndarray, normalisation: str) -> np.ndarray:
    """Logits with one explicit row per message, neighbours first and then every point's message to itself."""
    weights = {name: (np.asarray(p["kernel"]), np.asarray(p["bias"])) for name, p in parameters["params"].items()}

    def apply(name: str, rows: np.ndarray) -> np.ndarray:
        return rows @ weights[name][0] + weights[name][1]

    def norm(rows: np.ndarray) -> np.ndarray:
        return (rows - rows.mean()) / np.sqrt(rows.var() + 1e-5)

    num_clouds, num_points, k = neighbours.shape
    features = np.tanh(apply("encoder_1", np.tanh(apply("encoder_0", points))))
    edges = [(b, j, i) for b in range(num_clouds) for i in range(num_points) for j in neighbours[b, i]]
    edges += [(b, i, i) for b in range(num_clouds) for i in range(num_points)]
    rows = np.stack([np.concatenate([features[b, j], points[b, j] - points[b, i]]) for b, j, i in edges])
    if normalisation == "per_message":
        blocks = [[row] for row in range(len(edges))]
    elif normalisation == "consecutive_rows":
        blocks = np.arange(len(edges)).reshape(-1, k + 1).tolist()
    else:
        targets = [(b, i) for b, _, i in edges]
        blocks = [[r for r, t in enumerate(targets) if t == target] for target in dict.fromkeys(targets)]
    for name in ("local_0", "local_1"):
        rows = np.tanh(apply(name, rows))
        for block in blocks:
            rows[block] = norm(rows[block])
    means = np.zeros((num_clouds, num_points, rows.shape[-1]))
    for (b, _, i), row in zip(edges, rows, strict=True):
        means[b, i] += row / (k + 1)
    for name in ("global_0", "global_1"):
        means = np.tanh(apply(name, means))
        means = np.stack([[norm(point) for point in cloud] for cloud in means])
    return apply("output_0", np.tanh(apply("decoder_0", means.mean(1))))


@pytest.mark.parametrize("normalisation", NORMALISATIONS)
@pytest.mark.usefixtures("float64")
def test_outputs_against_a_transcription(normalisation: str) -> None:
    config = model(SMALL, normalisation=normalisation)
    generator = np.random.default_rng(0)
    points = generator.normal(size=(2, 7, 3))
    neighbours = np.stack([np.stack([generator.permutation(6)[:3] for _ in range(7)]) for _ in range(2)])
    # Distinct others: indices from i on move up by one.
    neighbours = neighbours + (neighbours >= np.arange(7)[:, None])
    parameters = {
        "params": {
            layer.name: {
                "kernel": generator.normal(size=(layer.fan_in, layer.features)) / layer.fan_in**0.5,
                "bias": generator.normal(size=layer.features),
            }
            for layer in dense_layers(config)
        }
    }
    outputs = jax.jit(PointNet(config).apply)(parameters, Clouds(jnp.asarray(points), jnp.asarray(neighbours)))
    expected = transcription(parameters, points, neighbours, normalisation)
    np.testing.assert_allclose(outputs, expected, rtol=1e-10, atol=1e-12)


def test_number_of_parameters() -> None:
    config = model(PUBLISHED)
    drawn = jax.eval_shape(lambda key: initial_parameters(config, key), jax.random.key(0))
    assert sum(leaf.size for leaf in jax.tree.leaves(drawn)) == 221_172
    points, neighbours = jax.ShapeDtypeStruct((1, 8, 3), jnp.float32), jax.ShapeDtypeStruct((1, 8, 6), jnp.int32)
    declared = jax.eval_shape(partial(nn.Module.init, PointNet(config)), jax.random.key(0), Clouds(points, neighbours))
    assert jax.tree.map(lambda leaf: leaf.shape, declared) == jax.tree.map(lambda leaf: leaf.shape, drawn)


@pytest.mark.parametrize(
    ("initialisation", "expected"),
    [
        ("xavier", {"local_0": 0.164, "local_1": 0.135, "global_0": 0.118, "global_1": 0.105}),
        ("released", {"local_0": 0.0568, "local_1": 0.0568, "global_0": 0.041, "global_1": 0.041}),
    ],
)
def test_initial_standard_deviations(initialisation: str, expected: dict[str, float]) -> None:
    config = model(PUBLISHED, initialisation=initialisation)
    drawn = jax.jit(lambda key: initial_parameters(config, key))(jax.random.key(0))["params"]
    for name, std in expected.items():
        kernel = np.asarray(drawn[name]["kernel"])
        # The smallest matrix has 10609 entries: standard error of a std 0.7 %, tolerance 4 of them plus rounding.
        np.testing.assert_allclose(kernel.std(), std, rtol=0.03)
        np.testing.assert_allclose(kernel.mean(), 0, atol=4 * std / np.sqrt(kernel.size))
        # Fourth moment: 3 for a Gaussian, 9/5 for a uniform law, which no rotation of its rows leaves as it is.
        kurtosis = (kernel**4).mean() / (kernel**2).mean() ** 2
        np.testing.assert_allclose(kurtosis, 3.0 if initialisation == "xavier" else 1.8, rtol=0.08)
    for layer in dense_layers(config):
        bias = np.asarray(drawn[layer.name]["bias"]) * layer.fan_in**0.5
        assert 0.7 < np.abs(bias).max() <= 1.0
    encoder = np.asarray(drawn["encoder_0"]["kernel"])
    np.testing.assert_allclose(encoder.std(), 5 / 3 * np.sqrt(2 / 53), rtol=4 / np.sqrt(2 * encoder.size))


def test_members_differ_and_no_number_is_used_twice() -> None:
    config = model(SMALL, initialisation="released")
    drawn = jax.jit(jax.vmap(lambda key: initial_parameters(config, key)))(jax.random.split(jax.random.key(0)))
    values, others = np.concatenate([np.asarray(leaf).reshape(2, -1) for leaf in jax.tree.leaves(drawn)], 1)
    assert len(np.unique(values)) == len(values)
    assert not np.isclose(values, others, atol=0).any()


def test_nearest_neighbours() -> None:
    points = np.random.default_rng(0).normal(size=(20, 3)).astype(np.float32) + np.float32(1000)
    distances = np.linalg.norm(points[:, None].astype(np.float64) - points[None], axis=-1)
    np.fill_diagonal(distances, np.inf)
    expected = distances.argsort(1)[:, :6]
    np.testing.assert_array_equal(nearest_neighbours(jnp.asarray(points), 6), expected)


def test_a_point_is_never_its_own_neighbour() -> None:
    points = jnp.zeros((5, 3))
    neighbours = np.asarray(nearest_neighbours(points, 4))
    assert [sorted(row) for row in neighbours.tolist()] == [[j for j in range(5) if j != i] for i in range(5)]


def test_normalise() -> None:
    inputs = np.random.default_rng(0).normal(3.0, 2.0, (4, 5, 6)).astype(np.float32)
    outputs = np.asarray(normalise(jnp.asarray(inputs), (-2, -1)))
    np.testing.assert_allclose(outputs.mean((-2, -1)), 0, atol=1e-6)
    np.testing.assert_allclose(outputs.var((-2, -1)), 1, atol=1e-4)
    constant = np.asarray(normalise(jnp.ones((2, 3)), (-1,)))
    np.testing.assert_array_equal(constant, 0)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"num_points": 6, "num_neighbours": 6}, "have no other point|of 6 points"),
        ({"num_points": 6, "num_neighbors": 3}, "did you mean 'num_neighbours'"),
    ],
)
def test_mistakes_in_the_sampling(content: dict, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        validate(Sampling, content, "test")


def test_mistakes_in_the_model() -> None:
    with pytest.raises(ConfigError, match="local_net"):
        model(PUBLISHED, local_net=[])
    with pytest.raises(ConfigError, match="'xavier' or 'released'"):
        model(PUBLISHED, initialisation="kaiming")

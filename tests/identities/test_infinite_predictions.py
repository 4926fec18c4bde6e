"""Predictions of infinitely wide ensembles from the settings of an arm: theorems, and the plain dense solution."""

import tracemalloc

import numpy as np
import prediction_stages as tiny
import pytest

from emergent.config.models import MlpModel, NetworkModel
from emergent.config.prediction_memory import BASE_BYTES, prediction_bytes, prediction_size
from emergent.domains.space import VectorAction
from emergent.errors import ConfigError, ResourceError
from emergent.groups.actions import Action, MatrixAction, PixelAction, TrivialAction
from emergent.groups.images import image_action
from emergent.kernels.gram import gram
from emergent.kernels.registry import kernel_function
from emergent.point_groups import group_from_name
from emergent.prediction.gradient_flow import Schedule, covariance, diagonalise, mean
from emergent.prediction.infinite import infinite_predictions, prediction_arrays
from emergent.prediction.regression import OrbitPrediction

pytestmark = pytest.mark.usefixtures("float64")

LABELS = np.array([0, 2, 1, 1, 0], np.int32)


def action(name: str) -> Action:
    return image_action(group_from_name(name), tiny.SIDE, tiny.SIDE)


def predict(model: NetworkModel, group: str, orbit: str, num_steps: int) -> OrbitPrediction:
    """Prediction on the orbits of 3 test images after training on 5 labelled ones."""
    stage = tiny.stage(model, group, orbit, num_steps)
    on_inputs = action(group)
    data = tiny.training(tiny.images(5, 0), LABELS, on_inputs, TrivialAction(on_inputs.order))
    return infinite_predictions(stage, data, tiny.one_set(tiny.images(3, 1), action(orbit)))[1]["test"]


@pytest.mark.parametrize("num_steps", [1, 40, 3000])
def test_augmented_cnn_and_gcnn_predict_the_same_mean_at_all_times(num_steps: int) -> None:
    """On all orbits of test images, far from the training set too; members differ all the same (arXiv 2406.06504)."""
    augmented, group_network = predict(tiny.CNN, "C4", "C4", num_steps), predict(tiny.GCNN, "C1", "C4", num_steps)
    scale = np.abs(augmented.mean).max()
    assert scale > 1e-2
    np.testing.assert_allclose(augmented.mean, group_network.mean, atol=1e-8 * scale)
    # Members of the CNN spread over an orbit, those of the GCNN cannot.
    within = np.diagonal(augmented.covariance, axis1=1, axis2=2) - augmented.covariance[:, 0]
    assert np.abs(within[:, 1:]).mean() > 1e-3
    flat = group_network.covariance - group_network.covariance[:, :1, :1]
    np.testing.assert_allclose(flat, 0, atol=1e-10)


def test_without_augmentation_the_cnn_is_no_gcnn() -> None:
    plain, group_network = predict(tiny.CNN, "C1", "C4", 40), predict(tiny.GCNN, "C1", "C4", 40)
    assert np.abs(plain.mean - group_network.mean).max() > 1e-3
    assert np.abs(plain.mean - plain.mean[:, :1]).max() > 1e-3


@pytest.mark.parametrize(("model", "group"), [(tiny.CNN, "D4"), (tiny.GCNN, "C4")])
def test_predictions_are_those_of_the_dense_problem(model: NetworkModel, group: str) -> None:
    """All copies as points of their own, labels as one-hot vectors minus 1/K, one large eigendecomposition."""
    train, test = tiny.images(5, 0).astype(np.float64), tiny.images(3, 1).astype(np.float64)
    copies = np.asarray(action(group).orbit(train)).reshape(-1, tiny.SIDE, tiny.SIDE, 1)
    targets = np.tile(np.eye(3)[LABELS] - 1 / 3, (len(copies) // 5, 1))
    points = np.asarray(action("C4").orbit(test)).reshape(-1, tiny.SIDE, tiny.SIDE, 1)
    nngp, ntk = gram(kernel_function(model, train.shape[1:]), np.concatenate([copies, points]), 64)
    known, asked = slice(0, len(copies)), slice(len(copies), None)
    spectrum, schedule = diagonalise(ntk[known, known]), Schedule(0.5, 30, discrete=True)
    expected_mean = mean(spectrum, ntk[asked, known], targets, schedule)
    blocks = (nngp[known, known], nngp[asked, known], nngp[asked, asked], ntk[asked, known])
    expected = covariance(spectrum, *blocks, schedule).reshape(4, 3, 4, 3)
    prediction = predict(model, group, "C4", 30)
    np.testing.assert_allclose(prediction.mean, expected_mean.reshape(4, 3, 3).swapaxes(0, 1), atol=1e-11)
    np.testing.assert_allclose(prediction.covariance, expected[:, np.arange(3), :, np.arange(3)], atol=1e-11)


def test_outputs_per_pixel_move_with_the_image() -> None:
    model = MlpModel(family="mlp", width=1, depth=2, num_outputs=tiny.SIDE**2, bias_std=0.2)
    stage, moves = tiny.stage(model, "D4", rate=2.0, outputs="pixels"), action("D4")
    inputs = tiny.images(6, 0)
    data = tiny.training(inputs, inputs.reshape(6, -1) ** 2, moves, PixelAction(moves))
    limit, predictions = infinite_predictions(stage, data, tiny.one_set(3 * tiny.images(2, 1), moves))
    prediction = predictions["test"]
    expected = np.moveaxis(np.asarray(PixelAction(moves).orbit(prediction.mean[:, 0])), 0, 1)
    assert np.abs(prediction.mean[:, 1:] - prediction.mean[:, :1]).max() > 0.1
    np.testing.assert_allclose(prediction.mean, expected, atol=1e-10)
    arrays = prediction_arrays(stage, limit, predictions)
    assert sorted(arrays) == ["max_learning_rate", "test/energy_covariance", "test/mean"]
    assert arrays["test/mean"].values.shape == (2, 8, 16)
    np.testing.assert_array_equal(arrays["test/energy_covariance"].values, prediction.covariance / 16)


def test_vectors_turn_with_their_inputs() -> None:
    """A group of space, whose irreducible representations have dimensions up to 3, and outputs that are vectors."""
    model = MlpModel(family="mlp", width=1, num_outputs=3, bias_std=0.3)
    stage = tiny.stage(model, "octahedral", rate=1.0, num_steps=100, domain="vectors", num_vectors=2, outputs="vectors")
    turns = MatrixAction(group_from_name("octahedral").matrices)
    train, test = np.random.default_rng(0).normal(size=(2, 4, 2, 3)).astype(np.float32)
    targets = np.cross(train[:, 0], train[:, 1])
    data = tiny.training(train, targets, turns, VectorAction(turns))
    limit, predictions = infinite_predictions(stage, data, tiny.one_set(test, turns))
    prediction = predictions["test"]
    expected = np.moveaxis(np.asarray(turns.orbit(prediction.mean[:, 0])), 0, 1)
    assert np.abs(prediction.mean).max() > 0.05
    np.testing.assert_allclose(prediction.mean, expected, atol=1e-10)
    assert prediction_arrays(stage, limit, predictions)["test/covariance"].values.shape == (4, 24, 24)


def test_steps_above_the_stable_rate_and_points_without_memory_are_refused() -> None:
    data = tiny.training(tiny.images(5, 0), LABELS, action("C4"), TrivialAction(4))
    sets = tiny.one_set(tiny.images(3, 1), action("C4"))
    with pytest.raises(ConfigError, match="stay below"):
        infinite_predictions(tiny.stage(tiny.CNN, rate=1e3), data, sets)
    with pytest.raises(
        ResourceError, match=r"in tiles of 5 need .* GiB, but .* GiB may be used: use tiles of at most [1-4]\."
    ):
        infinite_predictions(tiny.stage(tiny.CNN), data, sets, memory_bytes=10**5)
    with pytest.raises(ResourceError, match="of the samples"):
        infinite_predictions(tiny.stage(tiny.CNN), data, sets, memory_bytes=2000)


@pytest.mark.parametrize("group", ["C1", "D4"])
def test_memory_estimate_bounds_what_numpy_holds(group: str) -> None:
    """Traced are NumPy's arrays; the tile, in the compiler's memory, has a test of its own."""
    model = MlpModel(family="mlp", width=1, num_outputs=3)
    stage, moves, num = tiny.stage(model, group), action(group), 100
    data = tiny.training(tiny.images(num, 0), np.arange(num, dtype=np.int32) % 3, moves, TrivialAction(moves.order))
    sets = tiny.one_set(tiny.images(64, 1), moves)
    infinite_predictions(stage, data, sets)
    tracemalloc.start()
    infinite_predictions(stage, data, sets)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    size = prediction_size(stage, (tiny.SIDE, tiny.SIDE, 1), num, 64)
    assert 0.3 * size.kept_bytes < peak <= size.kept_bytes
    assert prediction_bytes(stage, num, 64) == size.num_bytes == BASE_BYTES + size.kept_bytes + 16**2 * 12 * 8

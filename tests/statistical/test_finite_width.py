"""Networks of finite width against the infinite-width theory, seeded, within 4 standard errors.

Where trained networks of width n are compared with the limit, c / n is added for the corrections to it, with c stated.
"""

from typing import Any

import jax
import numpy as np
import pytest

from emergent.config.domains import DataSelection, ImageEvaluation, ImageTraining
from emergent.config.groups import Augmentation
from emergent.config.models import CnnModel, ConvLayer, GcnnModel, MlpModel
from emergent.config.stages import PredictStage, TrainStage
from emergent.config.training import Training
from emergent.domains.arrays import TestSamples, array_data
from emergent.groups.actions import PixelAction
from emergent.groups.images import image_action
from emergent.groups.lattices import lattice_action
from emergent.kernels.architectures import mlp_kernel
from emergent.kernels.registry import kernel_function
from emergent.models.registry import build
from emergent.point_groups import group_from_name
from emergent.prediction.infinite import infinite_predictions, prediction_arrays
from emergent.prng import member_key
from emergent.statistics.ensembles import disjoint_ensembles
from emergent.training.engine import train_block

NUM_NETWORKS, WEIGHT_STD, BIAS_STD = 400, 1.3, 0.2
CNN_LAYERS = (ConvLayer(channels=24, average_pool=2), ConvLayer(channels=24))
GCNN_LAYERS = (ConvLayer(channels=8, average_pool=2), ConvLayer(channels=8))
GAINS: dict[str, Any] = {"weight_std": WEIGHT_STD, "bias_std": BIAS_STD, "num_outputs": 4}
NETWORKS: dict[str, MlpModel | CnnModel] = {
    "mlp": MlpModel(family="mlp", width=64, depth=2, activation="erf", **GAINS),
    "cnn": CnnModel(family="cnn", layers=CNN_LAYERS, readout="mean", **GAINS),
    "gcnn": GcnnModel(family="gcnn", group="C4", layers=GCNN_LAYERS, readout="mean", **GAINS),
}


@pytest.mark.parametrize("name", sorted(NETWORKS))
def test_outputs_at_initialisation_have_the_covariance_of_the_kernel(name: str) -> None:
    """Corrections of order 1 / width are smaller than the standard errors here."""
    config = NETWORKS[name]
    kernel = kernel_function(config, (4, 4, 1))
    inputs = np.random.default_rng(0).normal(size=(3, 4, 4, 1)).astype(np.float32)
    module = build(config)

    @jax.jit
    def outputs_of(member: int) -> jax.Array:
        return module.apply(module.init(member_key(0, "statistics", name, member, "initialise"), inputs), inputs)

    outputs = np.stack([np.asarray(outputs_of(member), np.float64) for member in range(NUM_NETWORKS)])
    products = np.einsum("mik,mjk->mijk", outputs, outputs).mean(-1)
    error = products.std(0, ddof=1) / np.sqrt(NUM_NETWORKS)
    expected = np.asarray(kernel(inputs, inputs).nngp, np.float64)
    assert (error < 0.1 * np.diagonal(expected).max()).all()
    assert np.abs((products.mean(0) - expected) / error).max() < 4
    # Different outputs are independent, with mean 0.
    mean_error = np.sqrt(np.diagonal(expected) / NUM_NETWORKS)[:, None]
    assert np.abs(outputs.mean(0) / mean_error).max() < 4
    cross = (outputs[:, :, 0] * outputs[:, :, 1]).mean(0)
    assert np.abs(cross / (np.diagonal(expected) / np.sqrt(NUM_NETWORKS))).max() < 4


SIDE, NUM_SITES, WIDTH, NUM_MEMBERS, NUM_STEPS, RATE = 3, 9, 1024, 240, 12, 1.5


@pytest.fixture(scope="module")
def trained() -> dict[str, np.ndarray]:
    """Outputs [M, N, G, S] of trained networks on orbits, and the infinite-width mean and energy covariance there."""
    generator = np.random.default_rng(0)
    spins = generator.choice([-1.0, 1.0], (4, SIDE, SIDE, 1))
    energies = -0.25 * sum(spins * np.roll(spins, shift, axis) for shift in (1, -1) for axis in (1, 2))
    targets = energies.reshape(4, NUM_SITES).astype(np.float32)
    # A training configuration, another one, and one of real numbers.
    other = np.array([[1, 1, -1], [-1, 1, -1], [-1, -1, -1]])[None, :, :, None]
    test = np.concatenate([spins[:1], other, generator.normal(size=(1, SIDE, SIDE, 1))])
    test = test.astype(np.float32)

    model = MlpModel(family="mlp", width=WIDTH, num_outputs=NUM_SITES)
    rows = {"domain": "images", "shape": (SIDE, SIDE, 1), "scaling": "none", "outputs": "pixels"}
    rows["train"] = DataSelection(dataset="tiny", split="train")
    augmentation = Augmentation(group="C4", mode="full")
    common: dict[str, Any] = {
        "experiment": "statistics",
        "seed": 0,
        "arm": "mlp",
        "model": model,
        "augmentation": augmentation,
        "train": Training(loss="mse", optimiser="sgd", learning_rate=RATE, batch_size=None, num_epochs=NUM_STEPS),
    }
    action = image_action(group_from_name("C4"), SIDE, SIDE)
    data = array_data(spins.astype(np.float32), targets, action, PixelAction(action), "full")
    arm = TrainStage(**common, initialisation="mlp", data=ImageTraining.model_validate(rows))
    result = train_block(arm, tuple(range(NUM_MEMBERS)), data, "block")
    first, second = (result.parameters[f"params/Dense_{i}/kernel"][0] for i in (0, 1))
    orbits = test.reshape(3, NUM_SITES)[:, lattice_action(group_from_name("C4"), SIDE)]  # N G P
    hidden = np.maximum(np.einsum("ngp,mpw->mngw", orbits, first, optimize=True) / np.sqrt(NUM_SITES), 0)
    outputs = np.einsum("mngw,mws->mngs", hidden, second, optimize=True) / np.sqrt(WIDTH)

    evaluated = ImageEvaluation.model_validate(rows | {"evaluate": {}})
    stage = PredictStage(**common, data=evaluated, orbit=augmentation, tile_size=32)
    with jax.enable_x64(True):
        limit, predictions = infinite_predictions(stage, data, {"test": TestSamples(test, action)})
    assert limit > RATE
    infinite = prediction_arrays(stage, limit, predictions)
    return {
        "outputs": outputs.astype(np.float64),
        "targets": targets,
        "mean": infinite["test/mean"].values,
        "energy_covariance": infinite["test/energy_covariance"].values,
    }


def variance(trained: dict[str, np.ndarray]) -> np.ndarray:
    """Predicted variance [N, G] of one output of one member: sites are independent, so their mean has 1 / S of it."""
    return np.diagonal(trained["energy_covariance"], axis1=1, axis2=2) * NUM_SITES


def test_training_has_moved_the_mean(trained: dict[str, np.ndarray]) -> None:
    """The comparison below is one of trained networks: untrained ones have mean 0."""
    assert np.abs(trained["mean"][0, 0]).max() > 0.2
    np.testing.assert_allclose(np.sign(trained["mean"][0, 0]).sum(), np.sign(trained["targets"][0]).sum(), atol=4)


# Corrections at finite width, c / width. Measured with 2000 members at widths 64 and 128: the mean was off by up to
# 9 / width of the largest prediction (root mean square), the variance by up to 18 / width of itself.
MEAN_CORRECTION, VARIANCE_CORRECTION = 20, 20


def test_ensemble_mean_is_the_infinite_width_mean(trained: dict[str, np.ndarray]) -> None:
    error = np.sqrt(variance(trained) / NUM_MEMBERS)[:, :, None]
    deviation = np.abs(trained["outputs"].mean(0) - trained["mean"])
    tolerance = 4 * error + MEAN_CORRECTION / WIDTH * np.abs(trained["mean"]).max()
    assert (deviation < tolerance).all()
    # Root mean square over 108 outputs, of which those on one orbit are correlated.
    assert np.sqrt(np.square(deviation / error).mean()) < 1.5
    # The tolerance is small enough to see a wrong prediction, such as that of untrained networks.
    assert (np.abs(trained["mean"][0]) > 1.5 * tolerance[0]).all()


def test_member_variance_is_the_predicted_covariance(trained: dict[str, np.ndarray]) -> None:
    spread = trained["outputs"].var(0, ddof=1).mean(-1)
    # M - 1 degrees of freedom at each of S independent sites.
    tolerance = 4 * np.sqrt(2 / ((NUM_MEMBERS - 1) * NUM_SITES)) + VARIANCE_CORRECTION / WIDTH
    assert np.abs(spread / variance(trained) - 1).max() < tolerance
    # Untrained, the variance of spins would be that of the kernel at initialisation: far beyond this tolerance.
    inputs = np.ones((1, NUM_SITES), np.float32)
    initial = float(mlp_kernel(1)(inputs, inputs).nngp[0, 0])
    assert np.abs(variance(trained)[:2] / initial - 1).min() > 2 * tolerance


def test_energies_vary_over_the_orbit_as_predicted(trained: dict[str, np.ndarray]) -> None:
    energies = trained["outputs"].mean(-1)  # M N G
    centred = energies - energies.mean(0)
    covariance = np.einsum("mng,mnh->ngh", centred, centred) / (NUM_MEMBERS - 1)
    expected = trained["energy_covariance"]
    diagonal = np.diagonal(expected, axis1=1, axis2=2)
    error = np.sqrt((expected**2 + diagonal[:, :, None] * diagonal[:, None, :]) / (NUM_MEMBERS - 1))
    tolerance = 4 * error + VARIANCE_CORRECTION / WIDTH * diagonal[:, :, None]
    assert (np.abs(covariance - expected) < tolerance).all()
    # The energies on an orbit are neither independent nor the same: the training configuration's are anticorrelated.
    correlations = expected[0, 0, 1:] / expected[0, 0, 0]
    assert -0.5 < correlations.min() < -0.1


@pytest.mark.parametrize("size", [4, 12, 40])
def test_spread_of_disjoint_ensembles_falls_as_the_root_of_their_size(
    trained: dict[str, np.ndarray], size: int
) -> None:
    ensembles = disjoint_ensembles(size, NUM_MEMBERS, NUM_MEMBERS)
    means = np.stack([trained["outputs"][slice(*run)].mean(0) for run in ensembles])
    assert len(means) == NUM_MEMBERS // size
    spread = means.var(0, ddof=1).mean(-1)
    tolerance = 4 * np.sqrt(2 / ((len(means) - 1) * NUM_SITES)) + VARIANCE_CORRECTION / WIDTH
    assert np.abs(spread / (variance(trained) / size) - 1).max() < tolerance


def test_infinite_ensemble_is_equivariant(trained: dict[str, np.ndarray]) -> None:
    moves = lattice_action(group_from_name("C4"), SIDE)
    mean = trained["mean"]
    for g, move in enumerate(moves):
        np.testing.assert_allclose(mean[:, g], mean[:, 0][:, move], atol=1e-10)
    # Finite ensembles are so only up to their spread.
    outputs = trained["outputs"].mean(0)
    assert np.abs(outputs[:, 1] - outputs[:, 0][:, moves[1]]).max() > 1e-3

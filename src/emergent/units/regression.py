"""Regression by scikit-learn's MLP, by ensembles of them, or by a constant where there is nothing to depend on."""

import warnings
from collections.abc import Sequence

import numpy as np
from jaxtyping import Float
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPRegressor

from emergent.config.black_body import Perceptron

LARGEST_SEED = 2**31


def train(
    features: Float[np.ndarray, "N r"], labels: Float[np.ndarray, " N"], settings: Perceptron, seed: int, most: int
) -> MLPRegressor:
    """Returns a trained network.

    Args:
        features: what it sees.
        labels: what it learns.
        settings: of network and training.
        seed: of its weights and of the order of samples.
        most: epochs.
    """
    network = MLPRegressor(
        hidden_layer_sizes=settings.hidden,
        activation="relu",
        solver="adam",
        learning_rate_init=settings.learning_rate,
        max_iter=most,
        random_state=seed,
    )
    with warnings.catch_warnings():
        # That training ended by its number of epochs is what they were set for.
        warnings.simplefilter("ignore", ConvergenceWarning)
        return network.fit(features, labels)


class Ensemble:
    """Networks of which each has been trained on features and labels of its own; a constant without features."""

    def __init__(self, settings: Perceptron) -> None:
        """Starts without networks."""
        self._settings = settings
        self._networks: list[MLPRegressor] = []
        self._constants: list[float] = []

    def add(self, features: Float[np.ndarray, "N r"], labels: Float[np.ndarray, " N"], seed: int) -> None:
        """Trains one more network; features without columns leave the mean of the labels."""
        if features.shape[1]:
            self._networks.append(train(features, labels, self._settings, seed, self._settings.max_iterations))
        else:
            self._constants.append(float(labels.mean()))

    def predict(self, features: Float[np.ndarray, "N r"], sizes: Sequence[int]) -> Float[np.ndarray, "E N"]:
        """Returns the mean of the first networks, for several numbers of them."""
        constants = [np.full(len(features), value) for value in self._constants]
        outputs = np.stack([*constants, *(network.predict(features) for network in self._networks)])
        return np.stack([outputs[:size].mean(0) for size in sizes])

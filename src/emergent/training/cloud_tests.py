"""Errors of predicted distances of point clouds, and of their invariance under rotations: of networks and ensembles."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float
from scipy import stats

from emergent.domains.cloud_pairs import Pairs
from emergent.statistics.ensembles import disjoint_ensembles


def invariance_error(
    turned: Float[np.ndarray, "R A B"], outputs: Float[np.ndarray, "A B"], bounds: Float[np.ndarray, "A B"]
) -> float:
    """Returns the root mean square of what turning changes, over the standard deviation of the distances."""
    return float(np.sqrt(np.square(turned - outputs[None], dtype=np.float64).mean()) / bounds.std(dtype=np.float64))


class Tested(NamedTuple):
    """What a network or an ensemble gives.

    Attributes:
        mse: on test pairs.
        mse_turned: on turned test pairs.
        mse_train: on training pairs.
        spearman: rank correlation with the distances of test pairs.
        spearman_train: the same on training pairs.
        asymmetry: error of invariance.
    """

    mse: float
    mse_turned: float
    mse_train: float
    spearman: float
    spearman_train: float
    asymmetry: float


class Outputs(NamedTuple):
    """Predicted distances of M networks.

    Attributes:
        train: [M, A, B].
        test: [M, A, B].
        turned: [M, R, A, B], of turned test clouds.
    """

    train: Float[np.ndarray, "M A B"]
    test: Float[np.ndarray, "M A B"]
    turned: Float[np.ndarray, "M R A B"]

    def mean(self, first: int, stop: int) -> "Outputs":
        """Returns the outputs of the ensemble of some networks, as those of one network."""
        return Outputs(*(values[first:stop].mean(0, keepdims=True) for values in self))


def tested(outputs: Outputs, train: Pairs, test: Pairs) -> Tested:
    """Returns the errors of one network or ensemble."""
    own, turned, seen = outputs.test[0], outputs.turned[0], outputs.train[0]

    def mse(values: np.ndarray, bounds: np.ndarray) -> float:
        return float(np.square(values - bounds, dtype=np.float64).mean())

    def ranks(values: np.ndarray, bounds: np.ndarray) -> float:
        return float(stats.spearmanr(values.reshape(-1), bounds.reshape(-1)).statistic)  # pyright: ignore

    return Tested(mse(own, test.bounds), mse(turned, test.bounds[None]), mse(seen, train.bounds),
                  ranks(own, test.bounds), ranks(seen, train.bounds),
                  invariance_error(turned, own, test.bounds))  # fmt: skip


def by_size(outputs: Outputs, train: Pairs, test: Pairs) -> list[Tested]:
    """Returns what ensembles of 1 ... M networks give, mean over the disjoint ones."""
    num, rows = len(outputs.test), []
    for size in range(1, num + 1):
        groups = [tested(outputs.mean(*ensemble), train, test) for ensemble in disjoint_ensembles(size, num)]
        rows.append(Tested(*np.mean(groups, 0).tolist()))
    return rows

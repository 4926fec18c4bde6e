"""A series of speeds at sensors as windows that networks see, with the graph and the clusters of the sensors."""

from pathlib import Path
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int
from sklearn.cluster import KMeans

from emergent import storage
from emergent.config.traffic import TrafficNetwork, TrafficWindows
from emergent.datasets.traffic_series import require_graph
from emergent.errors import DataError
from emergent.models.diffusion_network import random_walks


class Series(NamedTuple):
    """Speeds [T, N] in miles an hour, times of day [T], weights [N, N] of the graph and positions [N, 2]."""

    speed: Float[np.ndarray, "T N"]
    time: Float[np.ndarray, " T"]
    weights: Float[np.ndarray, "N N"]
    positions: Float[np.ndarray, "N 2"]


class TrafficData(NamedTuple):
    """Resident series, of which windows are cut.

    Attributes:
        inputs: standardised speed and time of day [T, N, 2].
        speed: [T, N] in miles an hour; 0 where it is missing.
        mean: of the speeds for training.
        std: of these.
        walks: see ``emergent.models.diffusion_network.random_walks``.
        cluster: of each sensor.
        offsets: of the steps of a window, past ones first; those that are predicted follow.
        validation: first steps of the windows that choose the epoch.
    """

    inputs: Float[Array, "T N 2"]
    speed: Float[Array, "T N"]
    mean: Float[Array, ""]
    std: Float[Array, ""]
    walks: Float[Array, "2 N N"]
    cluster: Int[Array, " N"]
    offsets: tuple[Int[Array, " P"], Int[Array, " H"]]
    validation: Int[Array, " V"]

    def window(self, starts: Int[Array, " B"]) -> tuple[Float[Array, "B P N 2"], Float[Array, "B H N"]]:
        """Returns what is seen of some windows, and the speeds that follow."""
        past, future = self.offsets
        return self.inputs[starts[:, None] + past[None]], self.speed[starts[:, None] + future[None]]

    def example(self) -> Float[Array, "1 P N 2"]:
        """Returns what is seen of one window."""
        return self.inputs[self.offsets[0]][None]


class Parts(NamedTuple):
    """First steps of windows: for training, for the choice of the epoch, and for testing, in this order in time."""

    train: int
    validation: np.ndarray
    test: np.ndarray


def read_series(path: Path) -> Series:
    """Returns a series and its graph.

    Raises:
        DataError: the file is missing or damaged, holds no series, or its graph does not match.
    """
    with storage.open_file(path, "prepare") as file:
        if "series" not in file or "graph" not in file:
            raise DataError(
                f"{path}: expected a series and its graph, found {', '.join(sorted(file))}; choose another."
            )
        names = ("series/speed", "series/time", "graph/weights", "graph/positions")
        series = Series(*(storage.read_array(file, name) for name in names))
    require_graph(str(path), series.speed, series.weights, series.positions)
    return series


def parts_of(num_steps: int, data: TrafficWindows) -> Parts:
    """Returns which windows are for what.

    Raises:
        DataError: the series is too short.
    """
    num = num_steps - data.past - data.future + 1
    test, validation = round(data.test * num), round(data.validation * num)
    train = num - test - validation
    if num < 1 or min(train, test, validation) < 1:
        raise DataError(f"{data.dataset}: {num_steps} steps are too few for windows of {data.past} + {data.future}.")
    return Parts(train, np.arange(train, train + validation), np.arange(num - test, num))


def sparsified(weights: Float[np.ndarray, "N N"], threshold: float) -> Float[np.ndarray, "N N"]:
    """Returns a graph without its smaller weights; every sensor keeps the way to itself, if it had one."""
    return np.where((weights >= threshold) | np.eye(len(weights), dtype=bool), weights, 0)


def clusters_of(positions: Float[np.ndarray, "N 2"], num: int) -> Int[np.ndarray, " N"]:
    """Returns the cluster of each sensor: k-means of the positions, from a fixed seed.

    Raises:
        DataError: more clusters than sensors.
    """
    if num > len(positions):
        raise DataError(f"expected at most as many clusters as sensors, {len(positions)}, found {num}; lower clusters.")
    return KMeans(num, n_init=10, random_state=0).fit_predict(positions.astype(np.float64)).astype(np.int32)


def resident(series: Series, data: TrafficWindows, network: TrafficNetwork) -> tuple[TrafficData, Parts]:
    """Returns what networks see, and which windows are for what.

    Raises:
        DataError: the series is too short, or has fewer sensors than clusters.
    """
    parts = parts_of(len(series.speed), data)
    seen = series.speed[: parts.train + data.past - 1].astype(np.float64)
    mean, std = np.float32(seen.mean()), np.float32(seen.std())
    time = np.broadcast_to(series.time[:, None], series.speed.shape)
    weights = sparsified(series.weights.astype(np.float64), network.threshold)
    return TrafficData(
        jnp.asarray(np.stack([(series.speed - mean) / std, time], -1).astype(np.float32)),
        jnp.asarray(series.speed),
        jnp.asarray(mean),
        jnp.asarray(std),
        jnp.asarray(random_walks(weights).astype(np.float32)),
        jnp.asarray(clusters_of(series.positions, network.clusters)),
        (jnp.arange(data.past), jnp.arange(data.past, data.past + data.future)),
        jnp.asarray(parts.validation),
    ), parts

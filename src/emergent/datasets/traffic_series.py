"""Speeds at sensors on roads every five minutes, and the weighted graph of these sensors.

References:
    Li, Yu, Shahabi and Liu, Diffusion convolutional recurrent neural network, ICLR 2018 (METR-LA and its graph).
"""

from pathlib import Path

import numpy as np
from jaxtyping import Float

from emergent.config.traffic_series import MadeSeries, TrafficOptions
from emergent.datasets.raw_files import load_npz
from emergent.errors import DataError
from emergent.storage import Array

WEEK = "metr_la_week_subset.npz"
STEPS_A_DAY = 288


def prepare(raw: Path, options: TrafficOptions) -> dict[str, Array]:
    """Returns speeds [T, N] in miles an hour and times of day [T], weights [N, N] and positions [N, 2] of sensors.

    Raises:
        DataError: the file is missing or damaged, or its graph is not that of the sensors.
    """
    source = options.source
    speed, weights, positions = _made(source) if isinstance(source, MadeSeries) else _week(raw / WEEK)
    return series_arrays(speed, np.arange(len(speed)) % STEPS_A_DAY / STEPS_A_DAY, weights, positions)


def series_arrays(
    speed: Float[np.ndarray, "T N"],
    time: Float[np.ndarray, " T"],
    weights: Float[np.ndarray, "N N"],
    positions: Float[np.ndarray, "N 2"],
) -> dict[str, Array]:
    """Returns a series and its graph as they are stored.

    Args:
        speed: in miles an hour, every five minutes; 0 stands for a missing one.
        time: of the day, as a fraction of it.
        weights: of the graph, of the way from the first sensor to the second.
        positions: latitude and longitude in degrees.
    """
    return {
        "series/speed": Array(speed.astype(np.float32), ("time", "sensor"), "mi/h", "every five minutes; 0 is missing"),
        "series/time": Array(time.astype(np.float32), ("time",), "day", "since midnight"),
        "graph/weights": Array(
            weights.astype(np.float32), ("sensor", "other"), "1", "of the way from one to the other"
        ),
        "graph/positions": Array(positions.astype(np.float32), ("sensor", "axis"), "degree", "latitude, longitude"),
    }


def require_graph(
    source: str, speed: Float[np.ndarray, "T N"], weights: Float[np.ndarray, "N N"], positions: Float[np.ndarray, "N 2"]
) -> None:
    """Checks a series of speeds, and that a graph is one of its sensors.

    Args:
        source: for messages.
        speed: in miles an hour; 0 stands for a missing one.
        weights: of the graph.
        positions: of the sensors.

    Raises:
        DataError: speeds are no table, not finite or negative; another number of sensors; weights that are negative or
            not finite; positions that are no pairs of finite numbers.
    """
    if speed.ndim != 2 or 0 in speed.shape:
        raise DataError(
            f"{source}: expected speeds as a table of time steps and sensors, found shape {speed.shape}; give one row "
            "for every step and one column for every sensor."
        )
    # Neither NaN nor infinity is at least 0 and below infinity.
    bad = np.argwhere(~((speed >= 0) & (speed < np.inf)))
    if len(bad):
        step, sensor = bad[0]
        raise DataError(
            f"{source}: expected finite speeds of at least 0, found {speed[step, sensor]} at step {step}, sensor "
            f"{sensor}, and {len(bad)} such in all; write 0 where a speed is missing."
        )
    num = speed.shape[1]
    if weights.shape != (num, num) or positions.shape[:1] != (num,):
        raise DataError(
            f"{source}: the graph does not match the series: expected weights {num} x {num} and {num} positions for "
            f"its {num} sensors, found weights {' x '.join(map(str, weights.shape))} and "
            f"{len(np.atleast_1d(positions))} positions; take the graph of these sensors."
        )
    if positions.shape != (num, 2) or not np.isfinite(positions).all():
        raise DataError(
            f"{source}: expected finite positions [{num}, 2], found shape {positions.shape}"
            f"{'' if np.isfinite(positions).all() else ' with others'}; give latitude and longitude of every sensor."
        )
    if (
        not np.isfinite(weights).all()
        or weights.min() < 0
        or (weights.sum(0) == 0).any()
        or (weights.sum(1) == 0).any()
    ):
        raise DataError(f"{source}: expected weights of at least 0, and some way from and to every sensor.")


def _week(path: Path) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    content = load_npz(path, ("speed_mph", "sensor_ids", "adj_dcrnn", "dcrnn_sensor_ids", "latlon"))
    require_graph(str(path), content["speed_mph"], content["adj_dcrnn"], content["latlon"])
    own, others = content["sensor_ids"], content["dcrnn_sensor_ids"]
    if own.shape != others.shape or (own != others).any():
        raise DataError(f"{path}: the graph does not match the series: its sensors are others, or in another order.")
    return content["speed_mph"], content["adj_dcrnn"], content["latlon"]


def _made(source: MadeSeries) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    generator, num = np.random.default_rng(source.seed), source.num_sensors
    places, times = np.arange(num) / num, np.arange(source.num_steps)[:, None] / STEPS_A_DAY
    # Two halves of the ring slow down at different times of the day.
    shift = np.where(places < 0.5, 0.0, 0.3)
    waves = np.sin(2 * np.pi * (8 * times - places[None])) + 2 * np.cos(2 * np.pi * (times - shift[None]))
    speed = np.clip(50 + 5 * waves + generator.normal(size=waves.shape), 1, 70)
    weights = np.eye(num) + np.roll(np.eye(num), 1, 1) + 0.3 * np.roll(np.eye(num), -1, 1)
    angles = 2 * np.pi * places
    return speed, weights, np.stack([np.cos(angles), np.sin(angles)], 1)

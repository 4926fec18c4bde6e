"""METR-LA from the files of its authors: four months of speeds, the weighted graph of the sensors, and where they are.

Input: ``metr-la.h5``, a pandas table in the fixed layout of PyTables, of which h5py reads speeds, times and sensors
alone; ``adj_mx.pkl``, a pickle of [sensors, index of each sensor, weights], of which nothing is executed; and
``graph_sensor_locations.csv``. Output: the same arrays as of ``emergent.datasets.traffic_series``. All three files name
the sensors, which must agree.

References:
    Li, Yu, Shahabi and Liu, Diffusion convolutional recurrent neural network, ICLR 2018, and its repository.
"""

import csv
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from jaxtyping import Float, Int

from emergent.config.datasets import NoOptions
from emergent.datasets.pickled_arrays import load_pickled_arrays
from emergent.datasets.raw_files import reading
from emergent.datasets.traffic_series import STEPS_A_DAY, require_graph, series_arrays
from emergent.errors import DataError
from emergent.storage import Array

SPEEDS, GRAPH, PLACES = "metr-la.h5", "adj_mx.pkl", "graph_sensor_locations.csv"
TABLE = "df"
"""Key of the table in ``metr-la.h5``."""
VALUES, TIMES, SENSORS = "block0_values", "axis1", "block0_items"
"""What PyTables calls the numbers, their rows and their columns."""
COLUMNS = ("sensor_id", "latitude", "longitude")
DAY = 86_400 * 10**9
"""Nanoseconds, in which pandas counts times since 1970."""


def prepare(raw: Path, options: NoOptions) -> dict[str, Array]:
    """Returns speeds [T, N] in miles an hour and times of day [T], weights [N, N] and positions [N, 2] of sensors.

    Raises:
        DataError: a file is missing, damaged or of another layout, or the files are not about the same sensors.
    """
    del options
    speed, times, sensors = read_speeds(raw / SPEEDS)
    ids, weights = read_graph(raw / GRAPH)
    require_same_sensors(raw / GRAPH, sensors, ids)
    positions = read_positions(raw / PLACES, sensors)
    require_graph(str(raw / SPEEDS), speed, weights, positions)
    return series_arrays(speed, times % DAY / DAY, weights, positions)


def read_speeds(path: Path) -> tuple[Float[np.ndarray, "T N"], Int[np.ndarray, " T"], list[str]]:
    """Returns speeds as float32, times in nanoseconds since 1970 and the names of the sensors.

    Raises:
        DataError: the file is missing or damaged, has no such table, or its times are not five minutes apart.
    """
    with reading(path), h5py.File(path, "r") as file:
        values, times, sensors = (_dataset(path, file, name) for name in (VALUES, TIMES, SENSORS))
        if values.ndim != 2 or values.dtype.kind != "f" or values.shape != (*times.shape, *sensors.shape):
            raise DataError(
                f"{path}: {TABLE}/{VALUES}: expected numbers, a row for each of {len(times)} times and a column for "
                f"each of {len(sensors)} sensors, found {values.dtype} of shape {values.shape}; fetch the file anew."
            )
        if times.dtype.kind != "i":
            raise DataError(
                f"{path}: {TABLE}/{TIMES}: expected times in whole nanoseconds, found {times.dtype}; fetch it anew."
            )
        # In single precision as they are read: no copy in double precision is made.
        speed, stamps, names = values.astype(np.float32)[:], times[:].astype(np.int64), sensors[:]
    wrong = np.flatnonzero(np.diff(stamps) != DAY // STEPS_A_DAY)
    if len(wrong):
        raise DataError(
            f"{path}: expected a speed every five minutes, found another step after row {wrong[0]}, and {len(wrong)} "
            "such in all; windows would skip time. Give all rows, in order, with 0 where a speed is missing."
        )
    return speed, stamps, [name.decode("latin1") if isinstance(name, bytes) else str(name) for name in names.tolist()]


def _dataset(path: Path, file: h5py.File, name: str) -> h5py.Dataset:
    table = file.get(TABLE)
    if not isinstance(table, h5py.Group):
        raise DataError(f"{path}: expected a table {TABLE!r}, found {sorted(file)}; choose the file that has it.")
    found = table.get(name)
    if not isinstance(found, h5py.Dataset) or not found.shape:
        raise DataError(
            f"{path}: expected {TABLE}/{name}, as pandas writes in its fixed format, found {sorted(table)}; store the "
            "table with format='fixed', or fetch the file anew."
        )
    return found


def read_graph(path: Path) -> tuple[list[str], Float[np.ndarray, "N N"]]:
    """Returns the names of the sensors and the weights of the ways between them.

    Raises:
        DataError: the file is missing, or no pickle of names, their indices and weights; nothing of it was executed.
    """
    with reading(path):
        content = path.read_bytes()
    try:
        found = load_pickled_arrays(content)
    except Exception as error:  # what a file raises that is no pickle depends on what it is instead
        raise _no_graph(path, f"{type(error).__name__}: {error}") from None
    if not isinstance(found, list | tuple) or len(found) != 3:
        raise _no_graph(path, f"a {type(found).__name__}" + (f" of {len(found)}" if hasattr(found, "__len__") else ""))
    names, index, weights = found
    if (
        not isinstance(names, list | tuple)
        or not isinstance(index, dict)
        or not all(isinstance(name, str) for name in (*names, *index))
        or not all(isinstance(place, int) for place in index.values())
    ):
        raise _no_graph(path, f"{type(names).__name__}, {type(index).__name__} and {type(weights).__name__} of others")
    if not isinstance(weights, np.ndarray) or weights.dtype.kind != "f":
        raise _no_graph(path, f"weights as {getattr(weights, 'dtype', type(weights).__name__)}")
    if index != {name: place for place, name in enumerate(names)}:
        raise DataError(
            f"{path}: expected the index of every sensor to be its place in the list of {len(names)}, found others; "
            "fetch the file anew, or make it with the list of sensors that it is for."
        )
    return list(names), weights


def _no_graph(path: Path, found: Any) -> DataError:
    return DataError(
        f"{path}: expected a pickle of a list of sensors, a dictionary of their indices and an array of weights, found "
        f"{found}. Nothing of it was executed. Fetch the file anew."
    )


def require_same_sensors(path: Path, sensors: list[str], ids: list[str]) -> None:
    """Checks that a graph is about the sensors of a series, in the same order.

    Args:
        path: of the graph, for messages.
        sensors: of the series.
        ids: of the graph.

    Raises:
        DataError: the number of sensors, the sensors or their order differ.
    """
    if sensors == ids:
        return
    if sorted(sensors) == sorted(ids):
        place = next(i for i, pair in enumerate(zip(sensors, ids, strict=True)) if pair[0] != pair[1])
        found = f"another order: first at place {place}, where the series has {sensors[place]}, the graph {ids[place]}"
    else:
        missing, more = sorted(set(sensors) - set(ids)), sorted(set(ids) - set(sensors))
        found = f"{len(ids)} sensors, without {_some(missing)}, with {_some(more)} besides"
    raise DataError(
        f"{path}: the graph does not match the series: expected its {len(sensors)} sensors in its order, found {found}"
        f"; take the graph that was made for {SPEEDS}."
    )


def _some(names: list[str]) -> str:
    return (", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")) or "none"


def read_positions(path: Path, sensors: list[str]) -> Float[np.ndarray, "N 2"]:
    """Returns latitude and longitude of sensors in degrees, in their order.

    Raises:
        DataError: the file is missing or no such table, or a sensor is not in it.
    """
    with reading(path), open(path, newline="", encoding="latin1") as stream:
        rows = list(csv.DictReader(stream))
    if not rows or not all(isinstance(row.get(name), str) for row in rows for name in COLUMNS):
        raise DataError(
            f"{path}: expected rows with {', '.join(COLUMNS)}, found {len(rows)} rows with "
            f"{', '.join(map(str, rows[0])) if rows else 'nothing'}; fetch the file anew."
        )
    places = {row["sensor_id"]: (row["latitude"], row["longitude"]) for row in rows}
    if missing := [name for name in sensors if name not in places]:
        raise DataError(
            f"{path}: expected a position of every sensor of the series, found none of {_some(missing)}; take the "
            f"positions that belong to {SPEEDS}."
        )
    try:
        return np.array([places[name] for name in sensors]).astype(np.float64)
    except ValueError as error:
        raise DataError(f"{path}: expected latitude and longitude in degrees, found others ({error}).") from None

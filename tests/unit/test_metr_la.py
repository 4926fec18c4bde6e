"""The four months of METR-LA: made-up files in the official layout, bad ones, and the way through the registry."""

import json
import pickle
import struct
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import yaml
from pooch import file_hash

from emergent.cli import download as download_cli
from emergent.cli import prepare as prepare_cli
from emergent.config.base import canonical_json
from emergent.config.datasets import NoOptions, load_registry
from emergent.config.traffic import TrafficExperiment, TrafficStage
from emergent.config.traffic_memory import training_bytes
from emergent.datasets import metr_la
from emergent.datasets.metr_la import GRAPH, PLACES, SPEEDS
from emergent.domains.traffic import parts_of, read_series
from emergent.errors import DataError, ResourceError
from emergent.job_memory import own_training_bytes, require_own_memory
from emergent.kinds import load_experiment
from emergent.storage import Array

ROOT = Path(__file__).parents[2]
IDS = ("773869", "767541", "717447")
FIVE_MINUTES = 300 * 10**9
START = 1_330_560_000 * 10**9
"""1 March 2012, midnight, in nanoseconds."""


def write_speeds(path: Path, speed: np.ndarray, ids: tuple[str, ...], **change: np.ndarray | None) -> None:
    """Writes a table as PyTables does in its fixed layout; ``change`` replaces arrays, or leaves them out."""
    names = np.array([name.encode() for name in ids])
    times = START + FIVE_MINUTES * np.arange(len(speed))
    content: dict[str, Any] = {"axis0": names, "axis1": times, "block0_items": names, "block0_values": speed}
    content.update(change)
    with h5py.File(path, "w") as file:
        file.attrs.update({"CLASS": "GROUP", "PYTABLES_FORMAT_VERSION": "2.1", "TITLE": "", "VERSION": "1.0"})
        table = file.create_group("df")
        table.attrs.update({"CLASS": "GROUP", "pandas_type": "frame", "pandas_version": "0.15.2", "ndim": 2,
                            "nblocks": 1, "axis0_variety": "regular", "axis1_variety": "regular"})  # fmt: skip
        for name, values in content.items():
            if values is not None:
                table.create_dataset(name, data=values, compression="gzip" if values.ndim == 2 else None)
                table[name].attrs.update({"CLASS": "ARRAY", "FLAVOR": "numpy", "TITLE": "", "VERSION": "2.4"})
        table["axis0"].attrs["kind"] = table["block0_items"].attrs["kind"] = "string"


def protocol_0(ids: tuple[str, ...], weights: np.ndarray) -> bytes:
    """Returns a graph as Python 2 pickled the official one: text alone, with byte strings as Python 2 printed them."""
    names = b"".join(b"S'%s'\na" % name.encode() for name in ids)
    index = b"".join(b"S'%s'\nI%d\ns" % (name.encode(), place) for place, name in enumerate(ids))
    array = b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(I0\ntS'b'\ntR"
    dtype = b"cnumpy\ndtype\n(S'f4'\nI0\nI1\ntR(I3\nS'<'\nNNNI-1\nI-1\nI0\ntb"
    values = repr(weights.astype("<f4").tobytes())[1:].encode()
    state = b"(I1\n(I%d\nI%d\nt%sI00\nS%s\ntb" % (*weights.shape, dtype, values)
    return b"(l(l" + names + b"a(d" + index + b"a" + array + state + b"a."


def protocol_2(ids: tuple[str, ...], weights: np.ndarray) -> bytes:
    """Returns the same in the second protocol, with byte strings as they are."""
    texts = [b"U" + bytes([len(name)]) + name.encode() for name in ids]
    index = b"".join(text + b"K" + bytes([place]) for place, text in enumerate(texts))
    raw = weights.astype("<f4").tobytes()
    shape = b"".join(b"K" + bytes([length]) for length in weights.shape) + b"\x86"
    dtype = b"cnumpy\ndtype\nU\x02f4K\x00K\x01\x87R(K\x03U\x01<NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb"
    array = b"cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85U\x01b\x87R"
    state = b"(K\x01" + shape + dtype + b"\x89T" + struct.pack("<i", len(raw)) + raw + b"tb"
    return b"\x80\x02](](" + b"".join(texts) + b"e}(" + index + b"u" + array + state + b"e."


def python_3(ids: tuple[str, ...], weights: np.ndarray) -> bytes:
    """Returns a graph as the script of the authors writes it today."""
    index = {name: place for place, name in enumerate(ids)}
    return pickle.dumps([list(ids), index, weights.astype(np.float32)], protocol=2)


def write_places(path: Path, ids: tuple[str, ...]) -> None:
    rows = [f"{i},{name},{34 + i / 100:.5f},{-118 - i / 100:.5f}" for i, name in enumerate(ids)]
    # The official file ends without a new line.
    path.write_text("\n".join(["index,sensor_id,latitude,longitude", *rows]))


WEIGHTS = np.array([[1.0, 0.39, 0.0], [0.0, 1.0, 0.2], [0.7, 0.0, 1.0]], np.float32)


def speeds(num_steps: int = 300) -> np.ndarray:
    drawn = np.random.default_rng(0).uniform(20, 70, (num_steps, 3))
    drawn[4, 1] = 0
    return drawn


@pytest.fixture
def raw(tmp_path: Path) -> Path:
    write_speeds(tmp_path / SPEEDS, speeds(), IDS)
    (tmp_path / GRAPH).write_bytes(protocol_0(IDS, WEIGHTS))
    write_places(tmp_path / PLACES, IDS)
    return tmp_path


def read(raw: Path) -> dict[str, Array]:
    return metr_la.prepare(raw, NoOptions())


@pytest.mark.parametrize("written", [protocol_0, protocol_2, python_3])
def test_official_layout_is_read(raw: Path, written: Callable[..., bytes]) -> None:
    (raw / GRAPH).write_bytes(written(IDS, WEIGHTS))
    found = {name: array.values for name, array in read(raw).items()}
    np.testing.assert_array_equal(found["series/speed"], speeds().astype(np.float32))
    np.testing.assert_allclose(found["series/time"][[0, 1, 287, 288]], [0, 1 / 288, 287 / 288, 0], rtol=1e-6)
    np.testing.assert_array_equal(found["graph/weights"], WEIGHTS)
    np.testing.assert_allclose(found["graph/positions"], [[34, -118], [34.01, -118.01], [34.02, -118.02]])


def test_series_may_begin_at_any_time(raw: Path) -> None:
    times = START + 3600 * 10**9 + FIVE_MINUTES * np.arange(300)
    write_speeds(raw / SPEEDS, speeds(), IDS, axis1=times)
    np.testing.assert_allclose(read(raw)["series/time"].values[0], 1 / 24, rtol=1e-6)


@pytest.mark.parametrize("name", [SPEEDS, GRAPH, PLACES])
def test_missing_files_are_named(raw: Path, name: str) -> None:
    (raw / name).unlink()
    with pytest.raises(DataError, match=f"{name}: no such raw file"):
        read(raw)


def test_truncated_and_other_files_in_place_of_the_table_are_refused(raw: Path) -> None:
    whole = (raw / SPEEDS).read_bytes()
    for content in (whole[:-500], whole[:1000], b"no table", b""):
        (raw / SPEEDS).write_bytes(content)
        with pytest.raises(DataError, match=rf"{SPEEDS}: truncated or damaged \(.*{len(content)} bytes found"):
            read(raw)
    with h5py.File(raw / SPEEDS, "w") as file:
        file.create_group("speed")
    with pytest.raises(DataError, match=r"expected a table 'df', found \['speed'\]"):
        read(raw)


TIMES = START + FIVE_MINUTES * np.arange(300)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"block0_values": None}, r"expected df/block0_values, .* found \['axis0', 'axis1', 'block0_items'\]"),
        ({"axis1": None}, "expected df/axis1"),
        ({"block0_values": np.ones((300, 2))}, r"each of 3 sensors, found float64 of shape \(300, 2\)"),
        ({"block0_values": np.ones((3, 300))}, r"found float64 of shape \(3, 300\)"),
        ({"block0_values": np.ones((300, 3), int)}, "found int64 of shape"),
        ({"axis1": TIMES.astype(float)}, "expected times in whole nanoseconds, found float64"),
        ({"axis1": np.where(np.arange(300) > 7, TIMES + 1, TIMES)}, "another step after row 7, and 1 such in all"),
        ({"block0_values": np.full((300, 3), np.nan)}, "found nan at step 0, sensor 0, and 900 such in all"),
    ],
)
def test_tables_of_another_layout_are_refused(raw: Path, change: dict[str, np.ndarray | None], words: str) -> None:
    write_speeds(raw / SPEEDS, speeds(), IDS, **change)
    with pytest.raises(DataError, match=f"{SPEEDS}: .*{words}"):
        read(raw)


@pytest.mark.parametrize(
    ("ids", "words"),
    [
        (
            ("773869", "717447", "767541"),
            "another order: first at place 1, where the series has 767541, the graph 717447",
        ),
        (("773869", "767541"), "found 2 sensors, without 717447, with none besides"),
        (("773869", "767541", "111111", "222222"), "4 sensors, without 717447, with 111111, 222222 besides"),
    ],
)
def test_graphs_of_other_sensors_are_refused(raw: Path, ids: tuple[str, ...], words: str) -> None:
    (raw / GRAPH).write_bytes(protocol_2(ids, np.eye(len(ids))))
    with pytest.raises(
        DataError, match=rf"{GRAPH}: the graph does not match the series: expected its 3 .*{words}; take"
    ):
        read(raw)


def test_tables_of_other_sensors_are_refused(raw: Path) -> None:
    write_speeds(raw / SPEEDS, np.ones((300, 5)), ("1", "2", "3", "4", "5"))
    with pytest.raises(
        DataError, match=r"expected its 5 sensors .* without 1, 2, 3 and 2 more, with 717447, 767541, 77"
    ):
        read(raw)


class Runs:
    """An object whose pickle makes a folder when it is read as usual."""

    def __init__(self, trace: Path) -> None:
        self.trace = trace

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.mkdir, (self.trace,)


INDEX = {name: place for place, name in enumerate(IDS)}


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (lambda trace: pickle.dumps([list(IDS), INDEX, Runs(trace)], protocol=2), r"refuses .*(getattr|Path|mkdir)"),
        (lambda trace: b"cos\nsystem\n(S'true'\ntR.", "UnpicklingError: refuses os.system"),
        (lambda trace: protocol_2(IDS, WEIGHTS)[:-40], "(UnpicklingError|EOFError): "),
        (lambda trace: b"", "EOFError"),
        (lambda trace: pickle.dumps(WEIGHTS, protocol=2), "found a ndarray of 3|found list"),
        (lambda trace: pickle.dumps([list(IDS), INDEX]), "found a list of 2"),
        (lambda trace: pickle.dumps([list(IDS), [0, 1, 2], WEIGHTS]), "found list, list and ndarray of others"),
        (lambda trace: pickle.dumps([[1, 2, 3], INDEX, WEIGHTS]), "found list, dict and ndarray of others"),
        (lambda trace: pickle.dumps([list(IDS), INDEX, WEIGHTS > 0]), "found weights as bool"),
        (lambda trace: pickle.dumps([list(IDS), INDEX, WEIGHTS.tolist()]), "found weights as list"),
    ],
    ids=["run", "system", "short", "empty", "array", "two", "no index", "numbers", "ways", "lists"],
)
def test_graphs_are_read_without_running_them(raw: Path, content: Callable[[Path], bytes], words: str) -> None:
    trace = raw / "it ran"
    (raw / GRAPH).write_bytes(content(trace))
    with pytest.raises(
        DataError, match=rf"{GRAPH}: expected a pickle of a list of sensors.*({words})(.|\n)*Nothing of it"
    ):
        read(raw)
    assert not trace.exists()


def test_graphs_whose_index_is_not_that_of_their_list_or_matrix_are_refused(raw: Path) -> None:
    wrong = {"773869": 0, "767541": 2, "717447": 1}
    (raw / GRAPH).write_bytes(pickle.dumps([list(IDS), wrong, WEIGHTS]))
    with pytest.raises(DataError, match="expected the index of every sensor to be its place in the list of 3"):
        read(raw)
    (raw / GRAPH).write_bytes(pickle.dumps([list(IDS), INDEX, WEIGHTS[:2, :2]]))
    with pytest.raises(DataError, match="the graph does not match the series: expected weights 3 x 3"):
        read(raw)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (
            "index,sensor_id,latitude,longitude\n0,773869,34.1,-118.3",
            "a position of every .* none of 767541, 717447; take",
        ),
        ("index,sensor_id,lat,lon\n0,773869,34.1,-118.3", "found 1 rows with index, sensor_id, lat, lon"),
        ("index,sensor_id,latitude,longitude\n0,773869,34.1", "expected rows with sensor_id, latitude, longitude"),
        ("", "found 0 rows with nothing"),
        ("sensor_id,latitude,longitude\n" + "".join(f"{name},here,1\n" for name in IDS), "in degrees, found others"),
    ],
)
def test_positions_of_another_layout_are_refused(raw: Path, text: str, words: str) -> None:
    (raw / PLACES).write_text(text)
    with pytest.raises(DataError, match=rf"{PLACES}: .*{words}"):
        read(raw)


def through_the_registry(monkeypatch: pytest.MonkeyPatch, folder: Path, mirror: Path) -> Path:
    """Downloads from a mirror folder and prepares, by verbs of the workflow; digests are those of the files."""
    entry = load_registry(ROOT / "config/datasets.yaml").entry("metr_la")
    content = entry.model_dump(mode="json")
    for file in content["files"]:
        path = mirror / file["mirror"]
        file.update(bytes=path.stat().st_size, sha256=file_hash(str(path)), urls=[])
    registry = folder / "datasets.yaml"
    registry.write_text(yaml.safe_dump({"datasets": {"metr_la": content}}))
    loaded = load_registry(registry)
    (folder / "download.json").write_text(canonical_json(loaded.download_config("metr_la")))
    (folder / "prepare.json").write_text(canonical_json(loaded.prepare_config("metr_la")))
    assert json.loads((folder / "prepare.json").read_text())["splits"] == {"series": 34272, "graph": 207}

    def run(main: Callable[[], None], **flags: object) -> None:
        words = [part for name, value in flags.items() for part in (f"--{name}", str(value))]
        monkeypatch.setattr(sys, "argv", ["verb", "--dataset", "metr_la", *words])
        main()

    for name in loaded.raw_files("metr_la"):
        run(download_cli.main, config=folder / "download.json", registry=registry, file=name, mirror=mirror,
            output=folder / "raw" / name)  # fmt: skip
    run(prepare_cli.main, config=folder / "prepare.json", raw=folder / "raw", output=folder / "prepared.h5")
    return folder / "prepared.h5"


def write_mirror(folder: Path, num_sensors: int) -> Path:
    """Writes files of as many rows as the official ones into a mirror folder, and returns that."""
    ids, data = tuple(str(700000 + 7 * i) for i in range(num_sensors)), folder / "mirror" / "metr_la"
    data.mkdir(parents=True)
    speed = np.full((34272, num_sensors), 60.0)
    speed[100:200] = 0
    write_speeds(data / SPEEDS, speed, ids)
    (data / GRAPH).write_bytes(protocol_0(ids, np.eye(num_sensors) + 0.3 * np.roll(np.eye(num_sensors), 1, 1)))
    write_places(data / PLACES, ids)
    return data.parent


def paper() -> TrafficExperiment:
    found = load_experiment(ROOT / "config/experiments", "traffic_week", "paper")
    assert isinstance(found, TrafficExperiment)
    return found


def test_the_whole_series_goes_from_a_mirror_folder_into_training(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert paper().data.dataset == "metr_la"
    series = read_series(through_the_registry(monkeypatch, tmp_path, write_mirror(tmp_path, 207)))
    assert series.speed.shape == (34272, 207) and series.speed.dtype == np.float32
    assert series.weights.shape == (207, 207)
    # As in the released code: rounded parts of 34267 windows.
    parts = parts_of(len(series.speed), paper().data)
    assert (parts.train, len(parts.validation), len(parts.test)) == (23987, 3427, 6853)


def test_another_number_of_sensors_than_registered_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(DataError, match=r"'series': 34272}, prepared were {'graph': \[206\], 'series': \[34272\]}"):
        through_the_registry(monkeypatch, tmp_path, write_mirror(tmp_path, 206))


def test_windows_are_not_counted_as_memory_and_the_series_is() -> None:
    stage = paper().stage("train", "sparse_1")
    assert isinstance(stage, TrafficStage)
    week, months = (training_bytes(stage, steps, 207, 1) for steps in (2016, 34272))
    # Speeds alone; all windows of three and three steps would be six times as many.
    assert 4 * (34272 - 2016) * 207 * 12 < months - week < 4 * 34272 * 207 * 20
    assert training_bytes(stage, 34272, 207, 3) > months
    size = {"series": 34272, "graph": 207}
    assert own_training_bytes(paper(), "sparse_1", lambda dataset, split: size[split]) == months
    require_own_memory(paper(), 2 * 2**30, lambda dataset, split: size[split])
    with pytest.raises(
        ResourceError, match=r"traffic_week, arm sparse_1: training .* about 1\.\d GiB, but 1\.0 GiB may"
    ):
        require_own_memory(paper(), 2**30, lambda dataset, split: size[split])

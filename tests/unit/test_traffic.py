"""Experiments of kind ``traffic``: networks on graphs, windows, bad input, a tiny training, summary and pictures."""

from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from drawn import assert_words_have_room

from emergent import storage
from emergent.config.base import canonical_json, merge, read_yaml, validate
from emergent.config.figures import read_catalogue
from emergent.config.references import read_reference
from emergent.config.traffic import TrafficExperiment, TrafficNetwork, TrafficStage, TrafficSummary, TrafficWindows
from emergent.config.traffic_series import TrafficOptions
from emergent.datasets import traffic_series
from emergent.datasets.traffic_series import require_graph
from emergent.domains.traffic import Series, clusters_of, parts_of, read_series, resident, sparsified
from emergent.errors import ConfigError, DataError
from emergent.figures.drawing import Drawing, Tabulation
from emergent.figures.facts import Facts, Inputs
from emergent.figures.plots import draw
from emergent.figures.save import fill_caption
from emergent.figures.style import context
from emergent.kinds import load_experiment
from emergent.models.diffusion_network import DiffusionCell, TrafficNet, departure, random_walks
from emergent.summaries.traffic import summarise_traffic
from emergent.training import traffic
from emergent.training.traffic import by_size, chance, error_of_windows, masked_error, predict, traffic_arrays

ROOT = Path(__file__).parents[2]
CONTENT = read_yaml(ROOT / "config/experiments/traffic_week.yaml")
CONTENT.pop("scales")
TINY: dict[str, Any] = {
    "data": {"dataset": "made_traffic"},
    "arms": {
        "sparse_1": None,
        "sparse_2": None,
        "sparse_9": None,
        "full_9": None,
        "full_1": {"units": 3, "networks": 1, "compare_to": None},
        "full_2": {"units": 3, "networks": 2},
    },
    "train": {"num_epochs": 2},
    "members": {"num": 2, "block": 2},
    "assumed": [],
}
WINDOWS = TrafficWindows(dataset="made_traffic", past=3, future=3, validation=0.1, test=0.2)


def study(**delta: Any) -> TrafficExperiment:
    return validate(TrafficExperiment, merge(merge(CONTENT, TINY), delta), "tiny.yaml")


def stage(arm: str, **delta: Any) -> TrafficStage:
    found = study(**delta).stage("train", arm)
    assert isinstance(found, TrafficStage)
    return found


def made(num_sensors: int = 6, num_steps: int = 60) -> dict[str, storage.Array]:
    source = {"series": "made", "num_sensors": num_sensors, "num_steps": num_steps, "seed": 0}
    return traffic_series.prepare(Path(), validate(TrafficOptions, {"source": source}, "options"))


def series(**change: np.ndarray) -> Series:
    arrays = made()
    names = ("series/speed", "series/time", "graph/weights", "graph/positions")
    return Series(*(arrays[name].values for name in names))._replace(**change)


def test_published_settings() -> None:
    paper = load_experiment(ROOT / "config/experiments", "traffic_week", "paper")
    assert isinstance(paper, TrafficExperiment)
    train, data = paper.train, paper.data
    assert (train.learning_rate, train.epsilon, train.clip, train.batch_size, train.num_epochs) == (
        0.01,
        1e-3,
        5,
        64,
        30,
    )
    assert (data.past, data.future, paper.arms["full_2"].units, train.sampling_steps) == (3, 3, 64, 2000)
    assert sorted({arm.clusters for arm in paper.arms.values()}) == [1, 2, 9]


def test_walks_keep_what_they_carry() -> None:
    weights = np.abs(np.random.default_rng(0).standard_normal((5, 5)))
    walks = random_walks(weights)
    np.testing.assert_allclose(walks.sum(1), 1)
    one = np.eye(5)[2]
    np.testing.assert_allclose(walks[0] @ one, weights[2] / weights[2].sum())
    np.testing.assert_allclose(walks[1] @ one, weights[:, 2] / weights[:, 2].sum())


def permuted(num_clusters: int, labels: np.ndarray) -> float:
    """Returns by how much a trained-like cell misses to commute with a permutation of nodes and graph."""
    generator, num = np.random.default_rng(1), 6
    with jax.enable_x64(True):
        cell, order = DiffusionCell(4, num_clusters), generator.permutation(num)
        weights = np.abs(generator.standard_normal((num, num)))
        inputs, state = (jnp.asarray(generator.standard_normal((2, num, size))) for size in (2, 4))
        cluster = jnp.asarray(labels)
        variables = cell.init(jax.random.key(0), inputs, state, jnp.asarray(random_walks(weights)), cluster)
        # Away from the start, where all clusters are alike.
        shifted = jax.tree.map(lambda leaf: jnp.asarray(generator.standard_normal(leaf.shape)), variables)
        before = cell.apply(shifted, inputs, state, jnp.asarray(random_walks(weights)), cluster)
        moved = jnp.asarray(random_walks(weights[np.ix_(order, order)]))
        after = cell.apply(shifted, inputs[:, order], state[:, order], moved, cluster)
        return float(np.abs(np.asarray(after) - np.asarray(before)[:, order]).max())  # pyright: ignore


def test_one_cluster_commutes_with_permutations_and_two_do_not() -> None:
    assert permuted(1, np.zeros(6, int)) < 1e-12
    assert permuted(2, np.zeros(6, int)) < 1e-12
    assert permuted(2, np.arange(6) % 2) > 1e-3


def test_networks_of_several_clusters_start_as_one_of_one_cluster() -> None:
    generator = np.random.default_rng(0)
    past, true = jnp.asarray(generator.standard_normal((2, 3, 6, 2))), jnp.asarray(generator.standard_normal((2, 3, 6)))
    walks, told = jnp.asarray(random_walks(np.eye(6) + 0.1)), jnp.zeros(3, bool)
    found = []
    for num in (1, 3):
        net = TrafficNet(4, num)
        arguments = past, walks, jnp.arange(6) % num, true, told
        variables = net.init(jax.random.key(0), *arguments)
        found.append(np.asarray(net.apply(variables, *arguments)))
        others = np.asarray(net.apply(variables, past, walks, jnp.arange(6) % num, true + 1, told))
        np.testing.assert_array_equal(found[-1], others)
        shown = np.asarray(net.apply(variables, past, walks, jnp.arange(6) % num, true + 1, ~told))
        # What the decoder is told changes later steps alone.
        np.testing.assert_allclose(shown[:, 0], found[-1][:, 0], rtol=1e-6)
        assert np.abs(shown[:, 1] - found[-1][:, 1]).max() > 1e-4
    np.testing.assert_allclose(*found, rtol=1e-5, atol=1e-6)


def test_departure_is_that_of_weights_from_their_mean() -> None:
    same = np.ones((3, 2, 2))
    assert departure(same) == 0
    np.testing.assert_allclose(departure(np.stack([np.full((2, 2), 3.0), np.full((2, 2), 1.0)])), 0.5)


def test_missing_speeds_do_not_count() -> None:
    predicted, speed = jnp.asarray([[[1.0, 5.0]]]), jnp.asarray([[[3.0, 0.0]]])
    assert float(masked_error(predicted, speed)) == 2.0
    assert float(masked_error(predicted, jnp.zeros_like(speed))) == 0.0
    found = by_size(np.asarray([[[[1.0, 5.0]]], [[[5.0, 1.0]]]]), np.asarray(speed))
    np.testing.assert_allclose(found, [2.0, 0.0])


def test_errors_of_windows_a_few_at_a_time_are_those_of_all(monkeypatch: pytest.MonkeyPatch) -> None:
    speed = series().speed.copy()
    speed[10:14, 2] = 0
    data, parts = resident(series(speed=speed), WINDOWS, TrafficNetwork(clusters=2))
    module, starts = TrafficNet(3, 2), jnp.arange(parts.train)
    true, told = jnp.zeros((1, 3, 6)), jnp.zeros(3, bool)
    parameters = module.init(jax.random.key(0), data.example(), data.walks, data.cluster, true, told)
    at_once = float(masked_error(predict(module, parameters, data, starts), data.window(starts)[1]))
    for size in (5, 38, 64):
        monkeypatch.setattr(traffic, "WINDOWS_AT_A_TIME", size)
        np.testing.assert_allclose(float(error_of_windows(module, parameters, data, starts)), at_once, rtol=1e-6)


def test_the_decoder_is_told_less_and_less() -> None:
    found = np.asarray([float(chance(jnp.asarray(step), 2000)) for step in (0, 10000, 20000, 40000)])
    np.testing.assert_allclose(found[0], 2000 / 2001)
    assert (np.diff(found) < 0).all() and found[-1] < 0.01


def test_windows_do_not_overlap_in_what_they_predict() -> None:
    data, parts = resident(series(), WINDOWS, TrafficNetwork(clusters=1))
    assert (parts.train, len(parts.validation), len(parts.test)) == (38, 6, 11)
    assert parts.test[-1] + 6 == 60
    past, future = data.window(jnp.asarray([4]))
    np.testing.assert_array_equal(np.asarray(future)[0], series().speed[7:10])
    np.testing.assert_allclose(np.asarray(past)[0, :, :, 0] * data.std + data.mean, series().speed[4:7], rtol=1e-5)
    with pytest.raises(DataError, match="made_traffic: 6 steps are too few for windows of 3"):
        parts_of(6, WINDOWS)


def test_sparse_graphs_keep_large_weights_and_clusters_are_places() -> None:
    weights = np.array([[1.0, 0.6, 0.2], [0.1, 0.3, 0.5], [0.0, 0.0, 1.0]])
    np.testing.assert_array_equal(sparsified(weights, 0.5), [[1, 0.6, 0], [0, 0.3, 0.5], [0, 0, 1]])
    places = np.array([[0.0, 0], [0, 0.1], [5, 5], [5, 5.1]])
    found = clusters_of(places, 2)
    assert found[0] == found[1] != found[2] == found[3]
    with pytest.raises(DataError, match="at most as many clusters as sensors, 4, found 9; lower clusters"):
        clusters_of(places, 9)


def test_graphs_that_do_not_match_are_refused(tmp_path: Path) -> None:
    given = series()
    with pytest.raises(DataError, match="the graph does not match the series: expected weights 6 x 6 and 6 positions"):
        require_graph("here", given.speed, given.weights[:5, :5], given.positions)
    with pytest.raises(DataError, match="expected weights of at least 0"):
        require_graph("here", given.speed, -given.weights, given.positions)
    arrays = made()
    arrays["graph/weights"] = made(num_sensors=5)["graph/weights"]
    storage.write(tmp_path / "prepared.h5", stage="prepare", attributes={}, arrays=arrays)
    with pytest.raises(DataError, match=r"prepared\.h5: the graph does not match the series.*found weights 5 x 5"):
        read_series(tmp_path / "prepared.h5")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"speed": np.full(60, 50.0)}, r"expected speeds as a table of time steps and sensors, found shape \(60,\)"),
        ({"speed": np.zeros((0, 6))}, r"found shape \(0, 6\)"),
        ({"speed": np.full((60, 6), np.nan)}, "found nan at step 0, sensor 0, and 360 such in all; write 0 where"),
        ({"speed": np.where(np.eye(60, 6) * np.arange(6) == 5, np.inf, 1.0)}, "found inf at step 5, sensor 5, and 1"),
        ({"speed": np.full((60, 6), -1.0)}, "found -1.0 at step 0"),
        ({"weights": np.ones(6)}, "found weights 6 and 6 positions"),
        ({"weights": np.full((6, 6), np.nan)}, "expected weights of at least 0"),
        ({"positions": np.ones(6)}, r"expected finite positions \[6, 2\], found shape \(6,\); give"),
        ({"positions": np.full((6, 2), np.nan)}, r"found shape \(6, 2\) with others"),
    ],
)
def test_bad_series_are_refused_when_prepared(tmp_path: Path, change: dict[str, np.ndarray], words: str) -> None:
    given = series()._replace(**change)
    with pytest.raises(DataError, match=f"here: .*{words}"):
        require_graph("here", given.speed, given.weights, given.positions)
    ids, content = np.arange(6).astype(str), given._asdict()
    np.savez(tmp_path / traffic_series.WEEK, speed_mph=content["speed"], adj_dcrnn=content["weights"],
             latlon=content["positions"], sensor_ids=ids, dcrnn_sensor_ids=ids)  # fmt: skip
    with pytest.raises(DataError, match=words):
        traffic_series.prepare(tmp_path, validate(TrafficOptions, {"source": {"series": "week"}}, "options"))


def test_series_of_one_sensor_without_a_table_are_refused_when_read(tmp_path: Path) -> None:
    arrays = made()
    arrays["series/speed"] = storage.Array(arrays["series/speed"].values[:, 0], ("time",))
    storage.write(tmp_path / "prepared.h5", stage="prepare", attributes={}, arrays=arrays)
    with pytest.raises(DataError, match=r"prepared\.h5: expected speeds as a table .* found shape \(60,\)"):
        read_series(tmp_path / "prepared.h5")


def test_clusters_and_windows_larger_than_the_data_are_refused_with_the_settings() -> None:
    size = {"graph": 2, "series": 5}
    found = list(study().too_large(lambda dataset, split: size[split]))
    assert [words.partition(":")[0] for words in found] == ["data"] and "5 steps of made_traffic, found 6" in found[0]
    more = study(arms={"full_2": {"clusters": 3}}).too_large(lambda dataset, split: {"graph": 2, "series": 6}[split])
    assert list(more) == ["arms.full_2.clusters: expected at most the 2 sensors of made_traffic, found 3; lower it."]


def week(folder: Path, **change: np.ndarray) -> None:
    ids, speed = np.array(["1", "2", "3"]), np.full((4, 3), 50.0, np.float32)
    content: dict[str, Any] = {"speed_mph": speed, "sensor_ids": ids, "dcrnn_sensor_ids": ids}
    content |= {"adj_dcrnn": np.eye(3, dtype=np.float32), "latlon": np.zeros((3, 2))}
    content.update(change)
    np.savez(folder / traffic_series.WEEK, **content)


def test_the_week_is_read_with_its_own_graph(tmp_path: Path) -> None:
    options = validate(TrafficOptions, {"source": {"series": "week"}}, "options")
    week(tmp_path)
    arrays = traffic_series.prepare(tmp_path, options)
    assert arrays["series/speed"].values.shape == (4, 3) and arrays["graph/weights"].values.shape == (3, 3)
    week(tmp_path, dcrnn_sensor_ids=np.array(["1", "3", "2"]))
    with pytest.raises(DataError, match="its sensors are others, or in another order"):
        traffic_series.prepare(tmp_path, options)
    week(tmp_path, adj_dcrnn=np.eye(4, dtype=np.float32))
    with pytest.raises(DataError, match="found weights 4 x 4 and 3 positions"):
        traffic_series.prepare(tmp_path, options)


@pytest.mark.parametrize(
    ("delta", "words"),
    [
        ({"arms": {"full_1": {"clusters": 0}}}, "clusters"),
        ({"arms": {"full_1": {"cluster": 2}}}, "did you mean 'clusters'"),
        ({"arms": {"full_1": {"threshold": 1.0}}}, "threshold"),
        ({"data": {"test": 0.6}}, "test"),
        ({"arms": {"full_2": {"compare_to": "full_3"}}}, "expected another arm"),
    ],
)
def test_bad_settings_are_refused(delta: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigError) as caught:
        study(**delta)
    assert words in str(caught.value)


def test_training_depends_on_its_own_arm_alone() -> None:
    text = canonical_json(stage("full_1"))
    assert TrafficStage.model_validate_json(text) == stage("full_1")
    assert canonical_json(stage("full_1", members={"num": 4}, arms={"full_2": {"networks": 3}})) == text


def test_networks_of_one_cluster_are_measured_before_training(
    trained: dict[str, list[Path]], monkeypatch: pytest.MonkeyPatch
) -> None:
    name = "initial_equivariance_error"
    one, several = (storage.read_arrays(trained[arm][0], [name], "train")[name] for arm in ("full_1", "full_2"))
    assert one.shape == (2,) and (one >= 0).all() and (one < 1e-5).all()
    # With several clusters nothing is due, although all start alike.
    assert several.tolist() == [-1, -1]
    calls = iter(range(2))
    own = DiffusionCell.__call__

    def broken(cell: Any, inputs: Any, *given: Any) -> Any:
        """Sensors are told from each other by their number."""
        return own(cell, inputs, *given) + jnp.arange(inputs.shape[1])[None, :, None]

    monkeypatch.setattr(DiffusionCell, "__call__", broken)
    with pytest.raises(DataError, match=r"trial 0 of arm full_1, network 0: .* permutations of the sensors and their"):
        traffic_arrays(stage("full_1"), [0], series())
    monkeypatch.setattr(DiffusionCell, "__call__", own)
    monkeypatch.setattr(traffic, "relative_difference", lambda *both: float(next(calls)))
    with pytest.raises(DataError, match=r"trial 1 of arm full_1, network 0: .* at most 1e-05, found 1; nothing was"):
        traffic_arrays(stage("full_1"), [0, 1], series())


def test_diverging_networks_are_named() -> None:
    hasty = stage("full_1", train={"learning_rate": 1e38, "batch_size": 8})
    with pytest.raises(DataError, match=r"trial 1 of arm full_1, network 0: the training loss is (nan|inf) in epoch 1"):
        traffic_arrays(hasty, [1], series())


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[Path]]:
    folder, found = tmp_path_factory.mktemp("trained"), {}
    for arm in ("full_1", "full_2"):
        path = folder / f"{arm}.h5"
        storage.write(path, stage="train", attributes={}, arrays=traffic_arrays(stage(arm), [0, 1], series()))
        found[arm] = [path]
    return found


def test_trials_do_not_depend_on_their_block(trained: dict[str, list[Path]]) -> None:
    apart = traffic_arrays(stage("full_2"), [1], series())
    together = storage.read_arrays(trained["full_2"][0], ["mae", "departure"], "train")
    np.testing.assert_allclose(together["mae"][1], apart["mae"].values[0], rtol=1e-5)
    assert together["mae"][0, 0] != together["mae"][1, 0]
    assert (together["departure"] > 0).all()
    assert (storage.read_arrays(trained["full_1"][0], ["departure"], "train")["departure"] == 0).all()


def test_summary_and_pictures(trained: dict[str, list[Path]]) -> None:
    settings = study().stage("summary")
    assert isinstance(settings, TrafficSummary)
    tables = summarise_traffic(settings, trained, {})
    quantities = tables["quantities"].set_index("name")
    for name in ("mae/full_1", "ensemble_mae/full_2/2", "gain/full_2", "ensemble_gain/full_2", "departure/full_2"):
        assert np.isfinite(quantities.loc[name, "value"]), name
    errors = storage.read_arrays(trained["full_2"][0], ["mae"], "train")["mae"]
    np.testing.assert_allclose(quantities.loc["ensemble_gain/full_2", "value"], (errors[:, 0] - errors[:, 1]).mean())
    other = settings.model_copy(update={"networks": {"full_1": 1, "full_2": 3}})
    with pytest.raises(DataError, match="arm full_2: 2 networks a trial, expected 3; train again"):
        summarise_traffic(other, trained, {})
    named = {key: table.assign(experiment="traffic_week") for key, table in tables.items()}
    facts = Facts("traffic_week", "METR-LA", 2, settings.arms, ())
    references = {"traffic_week": read_reference(ROOT / "config/references/traffic_week.json")}
    for name in ("traffic_clusters", "traffic_table"):
        entry = read_catalogue(ROOT / "config/figures.yaml")[name]
        drawing = draw(entry, Inputs(named, (facts,)), references)
        assert "{" not in fill_caption(entry, drawing.facts, "paper", ())
        if isinstance(drawing, Drawing):
            with context():
                assert_words_have_room(drawing.figure)
        else:
            assert isinstance(drawing, Tabulation)
            assert list(drawing.cells["published, four months"]) == ["3.106", "–"]
        with pytest.raises(DataError, match="has no table"):
            draw(entry, Inputs({}, (facts,)), {})

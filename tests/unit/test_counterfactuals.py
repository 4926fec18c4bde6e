"""Counterfactuals: attacks, training of a block, refused input; summary, claims and pictures of runs, true or false."""

from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
import pytest
from drawn import assert_words_have_room
from jax import Array as JaxArray
from scipy import stats

from emergent import storage
from emergent.claims.verdict import judge
from emergent.config.base import merge, read_yaml, validate
from emergent.config.claims import read_claims
from emergent.config.counterfactual_training import (
    Attack,
    CounterfactualStage,
    DigitImages,
    Helix,
    require_masks,
)
from emergent.config.counterfactuals import CounterfactualExperiment, CounterfactualSummary
from emergent.config.figures import read_catalogue
from emergent.domains.counterfactuals import HelixDomain, ImageDomain, Pixels, read_domain
from emergent.errors import ConfigError, DataError
from emergent.figures.drawing import Drawing, Tabulation
from emergent.figures.facts import Inputs, facts_of
from emergent.figures.plots import PLOTS, draw
from emergent.figures.save import fill_caption
from emergent.figures.style import context
from emergent.storage import Array
from emergent.summaries.counterfactuals import signed_rank, summarise_counterfactuals
from emergent.training.counterfactuals import counterfactual_arrays, epochs_of
from emergent.training.latent_attacks import ensemble_log_probabilities, log_probabilities, move

CONFIG = Path(__file__).parents[2] / "config"
HELIX, IMAGES = "helix_counterfactuals", "mnist_counterfactuals"
CONTENT = {name: read_yaml(CONFIG / f"experiments/{name}.yaml") for name in (HELIX, IMAGES)}
CLAIMS = read_claims(CONFIG / "claims.yaml")
CATALOGUE = read_catalogue(CONFIG / "figures.yaml")


def experiment(name: str, scale: str, **delta: Any) -> CounterfactualExperiment:
    content = dict(CONTENT[name])
    scales = content.pop("scales")
    return validate(CounterfactualExperiment, merge(merge(content, scales[scale]), delta), "case")


TINY = {"learning_rate": 1e-2, "batch_size": 20, "num_epochs": 2}


def stage(name: str = HELIX, arm: str = "real_nvp", delta: dict[str, Any] | None = None) -> CounterfactualStage:
    sizes: dict[str, dict[str, Any]] = {
        HELIX: {"data": {"num": 100, "validation": 50}, "attack": {"num": 6, "shown": 6, "traced": 2, "num_steps": 40}},
        IMAGES: {"data": {"side": 4, "validation": 20}, "attack": {"num": 4, "shown": 2, "num_steps": 20}},
    }
    shared = {"classifiers": {"train": TINY, "ensemble": 2}, "arms": {"real_nvp": {"generator": {
        "width": 8, "train": TINY}}}}  # fmt: skip
    found = experiment(name, "smoke", **merge(sizes[name] | shared, delta or {})).stage("train", arm)
    assert isinstance(found, CounterfactualStage)
    return found


def digits(num: int = 120, side: int = 4) -> ImageDomain:
    """Returns images of which each class has its own bright row and the rest is dark."""
    generator = np.random.default_rng(0)

    def drawn(num: int) -> Pixels:
        labels = np.arange(num) % 10
        images = generator.integers(0, 60, (num, side, side))
        images[np.arange(num), labels % side] += 150
        return Pixels(images.reshape(num, -1).astype(np.uint8), labels)

    settings = stage(IMAGES).data
    assert isinstance(settings, DigitImages)
    return ImageDomain(settings, drawn(num), drawn(num))


def helix() -> HelixDomain:
    settings = stage().data
    assert isinstance(settings, Helix)
    return HelixDomain(settings)


# Attacks

ATTACK = Attack(num=3, num_steps=200, data_rate=0.1, latent_rate=0.1, confidence=0.9, objective="squared", traced=2,
                shown=3)  # fmt: skip
START = jnp.asarray([[-2.0, 0.0], [-0.5, 1.0], [3.0, 0.0]])
TARGETS = jnp.asarray([1, 1, 1])


def slope(data: JaxArray, targets: JaxArray) -> JaxArray:
    """Returns the log-probability by a classifier of which the logit of class 1 is the first coordinate."""
    return jnp.take_along_axis(log_probabilities(data[:, :1]), targets[:, None], 1)[:, 0]


@pytest.mark.parametrize("objective", ["squared", "cross_entropy"])
def test_an_attack_stops_at_the_target(objective: str) -> None:
    # Large steps: the squared objective is flat at its goal, which small ones approach from one side for ever.
    settings = ATTACK.model_copy(update={"objective": objective})
    found = move(settings, 0.3, slope, lambda values: values, START, TARGETS)
    goal = np.log(0.9 / 0.1)
    first = np.asarray(found.data)[:, 0]
    assert np.asarray(found.reached).all()
    # Just beyond: a step of Adam is at most about its rate. Who was there stays.
    assert np.all((first[:2] >= goal - 1e-5) & (first[:2] <= goal + 0.3))
    np.testing.assert_array_equal(found.data[2], START[2])
    steps = np.asarray(found.steps)
    assert steps[2] == 0 and 0 < steps[1] < steps[0] < 200
    np.testing.assert_array_equal(np.asarray(found.data)[:, 1], START[:, 1])
    # The path ends where the sample does, and one step earlier it was not there yet.
    paths = np.asarray(found.paths)
    assert paths.shape == (201, 2, 2)
    np.testing.assert_array_equal(paths[0], START[:2])
    np.testing.assert_array_equal(paths[-1], found.data[:2])
    for sample in range(2):
        assert paths[steps[sample] - 1, sample, 0] < goal <= paths[steps[sample], sample, 0] + 1e-5


def test_an_attack_goes_down_to_the_other_class_and_says_who_did_not_arrive() -> None:
    settings = ATTACK.model_copy(update={"num_steps": 30})
    found = move(settings, 0.1, slope, lambda values: values, START, 1 - TARGETS)
    assert np.asarray(found.reached).tolist() == [True, True, False]
    assert np.asarray(found.steps).tolist()[2] == 30 and np.all(np.asarray(found.data)[:2, 0] <= -np.log(9) + 1e-5)


def test_an_attack_stays_within_bounds_and_moves_latent_coordinates() -> None:
    kept = move(ATTACK, 0.1, slope, lambda values: values, START, TARGETS, bounds=(-2.0, 1.0))
    assert float(kept.data[:2].max()) <= 1.0 and not np.asarray(kept.reached)[:2].any()
    decoded = move(ATTACK, 0.1, slope, lambda values: 2 * values, START / 2, TARGETS)
    assert np.asarray(decoded.reached).all()
    np.testing.assert_allclose(np.asarray(decoded.paths)[0], START[:2])


def test_an_attack_moves_every_sample_on_its_own() -> None:
    both = move(ATTACK, 0.1, slope, lambda values: values, START, TARGETS)
    alone = move(ATTACK.model_copy(update={"num": 1, "traced": 0, "shown": 1}), 0.1, slope, lambda values: values,
                 START[1:2], TARGETS[1:2])  # fmt: skip
    np.testing.assert_allclose(alone.data[0], both.data[1], rtol=1e-6)


def test_ensembles_have_the_mean_of_probabilities() -> None:
    outputs = jnp.asarray(np.random.default_rng(0).normal(size=(3, 5, 4)), jnp.float32)
    expected = np.log(np.asarray(jax.nn.softmax(outputs)).mean(0))
    np.testing.assert_allclose(ensemble_log_probabilities(outputs), expected, atol=1e-5)
    single = jnp.asarray([[[0.3]], [[-1.0]]])
    expected = np.log(np.asarray(jax.nn.sigmoid(single))[:, 0, 0].mean())
    np.testing.assert_allclose(ensemble_log_probabilities(single)[0, 1], expected, rtol=1e-5)


# Training of a block


def test_trials_do_not_depend_on_their_block() -> None:
    settings = stage()
    both, second = (counterfactual_arrays(settings, trials, helix()) for trials in ([0, 1], [1]))
    assert both["distance"].values.shape == (2, 2, 2, 6) and both["paths"].values.shape == (2, 2, 2, 41, 2, 3)
    for name in ("originals", "targets"):
        np.testing.assert_array_equal(both[name].values[1:], second[name].values)
    for name in ("distance", "likelihood", "accuracy"):
        np.testing.assert_allclose(both[name].values[1:], second[name].values, rtol=1e-2, atol=1e-3)
    assert np.abs(both["originals"].values[0] - both["originals"].values[1]).max() > 0.1
    assert both["round_trip"].values.max() < 1e-9 and both["start_distance"].values.max() < 1e-6


def test_arms_share_starts_and_classifiers_and_so_attacks_in_data_space() -> None:
    delta = {"arms": {"whitening": {"generator": {"family": "whitening", "num": 100, "ridge": 1e-3}}}}
    flow = counterfactual_arrays(stage(), [0], helix())
    linear = counterfactual_arrays(stage(arm="whitening", delta=delta), [0], helix())
    for name in ("originals", "accuracy"):
        np.testing.assert_array_equal(flow[name].values, linear[name].values)
    np.testing.assert_allclose(flow["moved"].values[:, :, 0], linear["moved"].values[:, :, 0], atol=1e-5)
    assert np.abs(flow["moved"].values[:, :, 1] - linear["moved"].values[:, :, 1]).max() > 1e-3


def test_images_are_moved_within_black_and_white() -> None:
    settings, seen = stage(IMAGES), []
    found = counterfactual_arrays(settings, [0], digits(), seen.append)
    assert sum(seen) == epochs_of(settings)
    moved = found["moved"].values
    assert moved.shape == (1, 2, 2, 2, 16) and moved.min() >= 0 and moved.max() <= 1
    assert set(found["targets"].values[0]) == {9} and "paths" not in found
    assert found["round_trip"].values.max() < 1e-9


def test_real_images_are_at_distance_one() -> None:
    domain = digits(num=400)
    images, labels = domain.tests(np.random.default_rng(0))
    assert 0.9 < np.median(domain.distance(images[labels == 9][:5])) < 1.1
    assert np.median(domain.distance(images[labels == 4])) > 1.5


@pytest.mark.parametrize(
    ("name", "delta", "message"),
    [
        (HELIX, {"arms": {"real_nvp": {"generator": {"masks": ["011", "010"]}}}}, r"coordinate\(s\) \[1\] are under 1"),
        (HELIX, {"arms": {"real_nvp": {"generator": {"masks": ["01"]}}}}, "3 letters 0 or 1"),
        (HELIX, {"arms": {"real_nvp": {"generator": {"masks": ["0x1"]}}}}, "3 letters 0 or 1"),
        (HELIX, {"arms": {"real_nvp": {"generator": {"masks": ["000", "111"]}}}}, "changes nothing"),
        (IMAGES, {"arms": {"real_nvp": {"generator": {"masks": {"num": 3}}}}}, "masks"),
        (HELIX, {"classifiers": {"model": {"num_outputs": 2}}}, "one output"),
        (IMAGES, {"classifiers": {"model": {"num_outputs": 9}}}, "one for each class, more than 9"),
        (IMAGES, {"attack": {"traced": 2}}, "paths are kept of points only"),
        (HELIX, {"attack": {"shown": 1000}}, "at most num"),
        (IMAGES, {"data": {"target": 4}}, "another class than start"),
        (HELIX, {"attack": {"confidence": 0.4}}, "confidence"),
    ],
)
def test_settings_that_do_not_fit_are_refused(name: str, delta: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        experiment(name, "smoke", **delta)


def test_published_masks_change_every_coordinate() -> None:
    generator = experiment(HELIX, "paper").arms["real_nvp"].generator
    assert generator.family == "coupling" and isinstance(generator.masks, tuple) and len(generator.masks) == 12
    require_masks(generator.masks, 3)
    with pytest.raises(ValueError, match="never changes them"):
        require_masks((), 3)


def test_data_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    settings = stage(IMAGES).data
    assert isinstance(settings, DigitImages)
    with pytest.raises(DataError, match="at most the 12 test images of class 4"):
        digits().starts(13, np.random.default_rng(0))
    images = np.zeros((40, 16), np.uint8)
    some = Pixels(images, np.full(40, 4))
    with pytest.raises(DataError, match="train: expected images of class 9, found none"):
        ImageDomain(settings, some, some)
    with pytest.raises(DataError, match="fewer than the 40 training images"):
        ImageDomain(settings.model_copy(update={"validation": 40}), some, some)
    path = tmp_path / "prepared.h5"
    arrays = {"train/inputs": Array(np.zeros((4, 5, 5, 1), np.uint8), ("s", "h", "w", "c"), "1", "i")}
    storage.write(path, stage="prepare", attributes={"config": "{}"}, arrays=arrays)
    with pytest.raises(DataError, match=r"4 x 4 pixels \(data.side\)"):
        read_domain({settings.train.dataset: path, settings.test.dataset: path},
                    settings.model_copy(update={"train": settings.train.model_copy(update={"num": None})}))  # fmt: skip


def test_a_diverging_network_is_named() -> None:
    wild = {"arms": {"real_nvp": {"generator": {"train": {"learning_rate": 1e30}}}}}
    with pytest.raises(DataError, match="flow 0 of trial 3, arm real_nvp"):
        counterfactual_arrays(stage(delta=wild), [3], helix())
    wild = {"classifiers": {"train": {"learning_rate": 1e38}}}
    with pytest.raises(DataError, match=r"classifier \d of trial 2"):
        counterfactual_arrays(stage(delta=wild), [2], helix())


# Summary, claims and pictures


def written(
    folder: Path, name: str, nearer: float, scale: str = "laptop", linear: float = 0.0, ensemble: float = 0.0,
    transfer: tuple[float, float, float] = (0.5, 0.9, 0.5), trip: float = 1e-14, lost: int = 0,
) -> dict[str, pd.DataFrame]:  # fmt: skip
    """Trials in which samples end nearer in Z than in X.

    Args:
        folder: for the files.
        name: of the experiment.
        nearer: in Z than in X, decades.
        scale: of the experiment.
        linear: the same for the linear map.
        ensemble: nearer in X where an ensemble is attacked, decades.
        transfer: judges convinced in X, in Z, and in X where an ensemble is attacked.
        trip: error of the way to latent space and back.
        lost: samples of each trial that do not reach the target in X, and are far away.
    """
    found = experiment(name, scale)
    settings = found.stage("summary")
    assert isinstance(settings, CounterfactualSummary)
    num, samples, shown = settings.num_members, found.attack.num, found.attack.shown
    dimension, paths = found.data.dimension, {}
    for arm in found.arms:
        generator = np.random.default_rng(0)
        gain = nearer if arm == "real_nvp" else linear
        levels = np.array([[0.0, -gain], [-ensemble, -gain]])
        trial = 0.02 * generator.normal(size=(num, 2, 2, 1))
        logs = levels[None, :, :, None] + trial + 0.1 * generator.normal(size=(num, 2, 2, samples))
        convinced = np.array([[transfer[0], transfer[1]], [transfer[2], transfer[1]]])
        arrive = np.ones(logs.shape, np.uint8)
        arrive[:, :, 0, :lost], logs[:, :, 0, :lost] = 0, 5.0
        seen = np.clip(convinced[None, :, :, None] + 0.01 * generator.normal(size=(num, 2, 2, samples)), 0, 1)
        dims, path = ("member", "attacked", "space", "sample"), folder / f"{name}_{arm}.h5"
        shape = (num, 2, 2, samples)
        arrays = {
            "members": Array(np.arange(num), ("member",), "1", "index"),
            "round_trip": Array(np.full((num, 2), trip), ("member", "time"), "1", "e"),
            "accuracy": Array(np.full((num, 8), 0.99), ("member", "network"), "1", "a"),
            "originals": Array(generator.uniform(size=(num, shown, dimension)), ("member", "shown", "coordinate")),
            "moved": Array(generator.uniform(size=(num, 2, 2, shown, dimension)),
                           ("member", "attacked", "space", "shown", "coordinate"), "1", "x"),
            "distance": Array(10**logs, dims, "1", "d"),
            "likelihood": Array(generator.normal(size=shape), dims, "1", "l"),
            "transfer": Array(seen, dims, "1", "t"),
            "reached": Array(arrive, dims, "1", "r"),
            "steps": Array(np.full(shape, 7), dims, "1", "s"),
            "shift": Array(np.ones(shape), dims, "1", "m"),
        }  # fmt: skip
        for what in ("distance", "likelihood", "transfer"):
            arrays[f"start_{what}"] = Array(np.full((num, samples), 1e-3), ("member", "sample"), "1", "b")
        if found.attack.traced:
            walk = generator.normal(size=(num, 2, 2, 101, found.attack.traced, 3)).cumsum(3) / 10
            walk[:, :, :, 51:] = walk[:, :, :, 50:51]
            arrays["paths"] = Array(walk, ("member", "attacked", "space", "step", "traced", "coordinate"), "1", "p")
        storage.write(path, stage="train", attributes={"config": "{}"}, arrays=arrays)
        paths[arm] = [path]
    return summarise_counterfactuals(settings, paths, {})


def verdicts(tables: dict[str, pd.DataFrame], name: str, scale: str = "laptop") -> dict[str, set[str]]:
    claims = [claim for claim in CLAIMS if claim.experiment == name]
    rows = judge(claims, {name: tables["quantities"]}, scale)
    return {str(key).removeprefix(f"{name}_"): set(part["verdict"]) for key, part in rows.groupby("id")}


def test_claims_hold_where_samples_stay_near_in_latent_space(tmp_path: Path) -> None:
    found = verdicts(written(tmp_path, HELIX, 1.5, linear=0.2, ensemble=0.3), HELIX)
    assert len(found) == 5 and set(map(tuple, found.values())) == {("agrees",)}
    found = verdicts(written(tmp_path, IMAGES, 0.3, linear=0.1, ensemble=0.2, transfer=(0.3, 0.9, 0.6)), IMAGES)
    assert len(found) == 7 and set(map(tuple, found.values())) == {("agrees",)}


def test_claims_fail_where_they_do_not(tmp_path: Path) -> None:
    wrong = {"nearer": -0.2, "linear": 0.5, "ensemble": -0.3, "trip": 0.1, "transfer": (0.9, 0.2, 0.4)}
    for name in (HELIX, IMAGES):
        found = verdicts(written(tmp_path, name, **wrong), name)
        assert set(map(tuple, found.values())) == {("differs",)}, found


def test_what_makes_no_difference_is_told_by_nobody(tmp_path: Path) -> None:
    found = verdicts(written(tmp_path, IMAGES, 0.0, transfer=(0.5, 0.5, 0.5)), IMAGES)
    for name in ("nearer", "transfer", "manifold", "ensemble_distance", "ensemble_transfer"):
        assert "agrees" not in found[name], name


def test_the_test_is_that_of_pairs() -> None:
    generator = np.random.default_rng(0)
    base = generator.uniform(1, 100, 30)
    assert signed_rank(base + 0.1 * generator.uniform(size=30), base) < 1e-8
    assert signed_rank(base, base + 0.1) > 1 - 1e-5
    expected = stats.wilcoxon(base[:15], base[15:], alternative="greater").pvalue
    assert signed_rank(base[:15], base[15:]) == expected


def test_tables_hold_what_was_measured(tmp_path: Path) -> None:
    tables = written(tmp_path, HELIX, 1.5, ensemble=0.3)
    quantities = tables["quantities"].set_index("name")["value"]
    assert abs(quantities["log_ratio/real_nvp/1"] - 1.5) < 0.1 and abs(quantities["log_ratio/real_nvp/5"] - 1.2) < 0.1
    assert abs(quantities["ensemble_distance_gain/real_nvp/x/5"] - 0.3) < 0.1
    assert abs(quantities["log_control/whitening/1"] - 1.5) < 0.1
    attacked = tables["attacked"]
    assert len(attacked) == 2 * 6 * 100 * 5 and set(attacked["space"]) == {"start", "x", "z"}
    paths = tables["paths"]
    own = paths[(paths["space"] == "z") & (paths["networks"] == 1) & (paths["arm"] == "real_nvp")]
    assert own["step"].max() == 50 and set(own["sample"]) == set(range(6))
    curve = paths[paths["space"] == "curve"]
    np.testing.assert_allclose(curve["x"] ** 2 + curve["y"] ** 2, 1)


def test_samples_that_do_not_arrive_are_counted_and_left_out(tmp_path: Path) -> None:
    tables = written(tmp_path, HELIX, 1.5, lost=60)
    quantities = tables["quantities"].set_index("name")["value"]
    assert abs(quantities["log_ratio/real_nvp/1"] - 1.5) < 0.1
    assert abs(quantities["reached/real_nvp/x/1"] - 0.4) < 1e-9 and quantities["reached/real_nvp/z/1"] == 1.0
    assert set(tables["attack_tests"]["pairs"]) == {40}
    with pytest.raises(DataError, match="no sample of any trial reaches the target"):
        written(tmp_path, HELIX, 1.5, lost=100)


def test_files_of_another_form_are_refused(tmp_path: Path) -> None:
    settings = experiment(HELIX, "laptop").stage("summary")
    assert isinstance(settings, CounterfactualSummary)
    written(tmp_path, HELIX, 1.0)
    paths = {arm: [tmp_path / f"{HELIX}_{arm}.h5"] for arm in ("real_nvp", "whitening")}
    with pytest.raises(DataError, match="expected trials 0 to 7"):
        summarise_counterfactuals(settings.model_copy(update={"num_members": 8}), paths, {})


def inputs_of(folder: Path, plot: str, names: tuple[str, ...], scale: str) -> Inputs:
    parts: dict[str, list[pd.DataFrame]] = {name: [] for name in PLOTS[plot].tables}
    facts = []
    for name in names:
        tables = written(folder, name, 0.5, scale)
        settings = experiment(name, scale).stage("summary")
        assert isinstance(settings, CounterfactualSummary)
        facts.append(facts_of(settings))
        for table in parts:
            parts[table].append(tables[table].assign(experiment=name))
    return Inputs({name: pd.concat(some) for name, some in parts.items()}, tuple(facts))


@pytest.mark.parametrize("scale", ["smoke", "laptop"])
@pytest.mark.parametrize(("figure", "panels"), [(HELIX, 3), (IMAGES, 4 * 9 + 2)])
def test_pictures_are_drawn(tmp_path: Path, figure: str, panels: int, scale: str) -> None:
    entry = CATALOGUE[figure]
    inputs = inputs_of(tmp_path, entry.plot, (figure,), scale)
    drawing = draw(entry, inputs, {})
    assert isinstance(drawing, Drawing) and len(drawing.figure.axes) == panels
    assert "{" not in fill_caption(entry, drawing.facts, scale, ())
    with context():
        assert_words_have_room(drawing.figure)
    with pytest.raises(DataError, match="no table 'attacked'"):
        draw(entry, inputs._replace(tables={}), {})


def test_the_table_has_a_row_for_every_attack(tmp_path: Path) -> None:
    entry = CATALOGUE["counterfactual_tests"]
    found = draw(entry, inputs_of(tmp_path, entry.plot, (HELIX, IMAGES), "laptop"), {})
    assert isinstance(found, Tabulation)
    rows = list(found.cells.index)
    # Before in two latent spaces, X, and Z of two latent spaces, of one network and of five.
    assert len(rows) == 2 * (2 + 2 + 4) and "MNIST, Z of linear map, 5 networks" in rows
    assert found.cells.loc["helix, X, 1 network", "nearer than X, decades"] == "–"
    assert found.cells.loc["helix, Z of realNVP, 1 network", "nearer than X, decades"].startswith("0.")
    assert "{" not in fill_caption(entry, found.facts, "laptop", ())

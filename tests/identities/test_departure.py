"""Three ways of training from an equivariant point: equivariant weights, gradients, data, summary and figures."""

import itertools
import math
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from emergent import storage
from emergent.config.base import canonical_json, merge, read_yaml, validate
from emergent.config.departure import DepartureExperiment
from emergent.config.departure_training import MODES, DepartureStage, DepartureTask, OrbitNetwork
from emergent.config.figure_entry import PLACEHOLDERS
from emergent.config.figures import read_catalogue
from emergent.config.stages import SummaryStage
from emergent.datasets.block_graphs import block_graphs
from emergent.domains.samples import Samples
from emergent.errors import ConfigError, DataError
from emergent.figures.drawing import Drawing
from emergent.figures.facts import Inputs, facts_of
from emergent.figures.plots import draw
from emergent.figures.save import fill_caption
from emergent.models.orbit_network import OrbitWeights, difference, initial_weights, norm, outputs, project
from emergent.summaries.departure import summarise_departure
from emergent.training import departure
from emergent.training.departure import Problem, departure_arrays, draw_data, mean_gradient, pooled_images, problem
from emergent.training.program import Program

ROOT = Path(__file__).parents[2]
NAMES = ("flinth_permutations", "flinth_images", "flinth_shapes")
CONTENT = {name: read_yaml(ROOT / f"config/experiments/{name}.yaml") for name in NAMES}
SCALES = {name: content.pop("scales") for name, content in CONTENT.items()}
STEPS = {"num_steps": 3, "learning_rate": 0.1, "batch_size": 4, "num_passes": 2}
TINY: dict[str, dict[str, Any]] = {
    "flinth_permutations": {
        "inputs": {"num": 8, "block_size": 2},
        "network": {"channels": [2], "features": 3, "hidden": [2]},
    },
    "flinth_images": {
        "data": {"shape": [8, 8, 1], "train": {"num": 8}},
        "inputs": {"num_classes": 3},
        "network": {"channels": [2, 2], "features": 3},
    },
    "flinth_shapes": {"inputs": {"num": 8, "side": 4}, "network": {"channels": [2]}},
}
SAMPLES = Samples(
    np.random.default_rng(4).normal(size=(8, 8, 8, 1)).astype(np.float32), np.arange(8, dtype=np.int32) % 3
)
CASES = [("flinth_permutations", "graphs"), *(("flinth_images", arm) for arm in CONTENT["flinth_images"]["arms"])]
CASES += [("flinth_shapes", "quarter_turns")]


def experiment(name: str, **delta: Any) -> DepartureExperiment:
    tiny = merge(TINY[name], {"train": STEPS, "members": {"num": 2, "block": 1}})
    return validate(DepartureExperiment, merge(merge(CONTENT[name], tiny), delta), name)


def train_stage(study: DepartureExperiment, arm: str) -> DepartureStage:
    stage = study.stage("train", arm)
    assert isinstance(stage, DepartureStage)
    return stage


def parts(name: str, arm: str) -> tuple[DepartureTask, Problem]:
    task = train_stage(experiment(name), arm).task
    return task, problem(task, 4)


def data(name: str, task: DepartureTask) -> tuple[jax.Array, jax.Array]:
    inputs, targets = pooled_images(SAMPLES, task) if name == "flinth_images" else draw_data(task, np.asarray([1]))
    if targets.ndim == 1:
        return jnp.asarray(inputs, jnp.float64), jnp.asarray(targets)
    return jnp.asarray(inputs, jnp.float64), jnp.asarray(targets, jnp.float64)


def weights(task: DepartureTask, found: Problem, projected: bool = True) -> OrbitWeights:
    start = initial_weights(jax.random.key(2), task.network, found.symmetry, found.num_outputs, jnp.float64)
    generator = np.random.default_rng(2)
    return start if projected else jax.tree.map(lambda part: jnp.asarray(generator.normal(size=part.shape)), start)


@pytest.mark.usefixtures("float64")
@pytest.mark.parametrize(("name", "arm"), CASES)
def test_projected_weights_are_equivariant_and_others_are_not(name: str, arm: str) -> None:
    """Numbers stay, functions move with the inputs."""
    task, found = parts(name, arm)
    inputs, _ = data(name, task)
    for seed, projected in itertools.product(range(3), (True, False)):
        move = found.draw(jax.random.key(seed + 1))
        if (move == jnp.arange(len(move))).all():
            continue
        chosen = weights(task, found, projected)
        before, after = (outputs(chosen, part, task.network.normalise) for part in (inputs, inputs[:, move]))
        before = before[:, move] if before.ndim == 3 else before
        assert np.allclose(before, after, atol=1e-11) == projected
    twice = project(weights(task, found), found.symmetry)
    assert float(norm(difference(twice, weights(task, found)))) < 1e-12


def all_moves(name: str, task: DepartureTask, found: Problem) -> jax.Array:
    """Returns every element of the group [G, P]."""
    drawn = jax.vmap(found.draw)(jax.random.split(jax.random.key(0), 2000))
    order = {"relabelling": 24, "C4": 4, "shifts_x": 4, "shifts_xy": 16, "C4_shifts_xy": 64}[task.group]
    every = np.unique(np.asarray(drawn), axis=0)
    assert len(every) == order, f"{name}: the group has {order} elements"
    return jnp.asarray(every)


@pytest.mark.usefixtures("float64")
@pytest.mark.parametrize(("name", "arm"), CASES)
def test_fully_augmented_gradient_on_the_subspace_is_the_projected_one(name: str, arm: str) -> None:
    """Over all elements of the group, the mean gradient at an equivariant point is the nominal one projected onto E."""
    task, found = parts(name, arm)
    inputs, targets = data(name, task)

    def objective(chosen: OrbitWeights, seen: jax.Array, wanted: jax.Array) -> jax.Array:
        return found.loss(outputs(chosen, seen, task.network.normalise), wanted)

    start = weights(task, found)
    every = all_moves(name, task, found)
    _, augmented = mean_gradient(objective, start, (inputs, targets), lambda index: every[index], 1, len(every))
    value, nominal = mean_gradient(objective, start, (inputs, targets), lambda _: jnp.arange(every.shape[1]), 1)
    expected = project(nominal, found.symmetry)
    assert float(norm(difference(nominal, expected))) > 1e-5
    assert float(norm(difference(augmented, expected))) < 1e-12
    np.testing.assert_allclose(value, objective(start, inputs, targets), rtol=1e-12)


@pytest.mark.usefixtures("float64")
@pytest.mark.parametrize("name", NAMES)
def test_batches_add_up_to_the_whole(name: str) -> None:
    task, found = parts(name, experiment(name).arm_names[0])
    inputs, targets = data(name, task)

    def objective(chosen: OrbitWeights, seen: jax.Array, wanted: jax.Array) -> jax.Array:
        return found.loss(outputs(chosen, seen, task.network.normalise), wanted)

    chosen = weights(task, found, projected=False)
    value, gradient = mean_gradient(objective, chosen, (inputs, targets), lambda _: jnp.arange(inputs.shape[1]), 4)
    whole, expected = jax.value_and_grad(objective)(chosen, inputs, targets)
    np.testing.assert_allclose(value, whole, rtol=1e-12)
    assert float(norm(difference(gradient, expected))) < 1e-10


@pytest.mark.parametrize(
    ("name", "points", "num_outputs", "expected"),
    [
        ("flinth_permutations", 100, 1, [(100, 1, 100, 32), (100, 32, 64), (64, 32), (32, 1)]),
        ("flinth_images", 196, 10, [(196, 1, 196, 32), (196, 32, 196, 32), (196, 32, 32), (32, 10)]),
        ("flinth_shapes", 196, 2, [(196, c, 196, d) for c, d in ((1, 32), (32, 32), (32, 16), (16, 2))]),
    ],
)
def test_published_layers(name: str, points: int, num_outputs: int, expected: list[tuple[int, ...]]) -> None:
    study = validate(DepartureExperiment, CONTENT[name], name)
    task = train_stage(study, study.arm_names[0]).task
    found = problem(task, 14)
    assert found.num_outputs == num_outputs and len(found.symmetry.points) == points
    shapes = jax.eval_shape(
        lambda key: initial_weights(key, task.network, found.symmetry, num_outputs), jax.random.key(0)
    )
    assert [part.shape for part in jax.tree.leaves(shapes)] == expected


@cache
def connected_probability(left: int, right: int, inside: float, across: float) -> float:
    """Returns the exact probability that a two-block graph is connected, by the component of its first node."""
    if left == 0:
        left, right = right, left
    total = 1.0
    for i in range(1, left + 1):
        for j in range(right + 1):
            if (i, j) == (left, right):
                continue
            missing = (1 - inside) ** (i * (left - i) + j * (right - j)) * (1 - across) ** (
                i * (right - j) + j * (left - i)
            )
            ways = math.comb(left - 1, i - 1) * math.comb(right, j)
            total -= ways * connected_probability(i, j, inside, across) * missing
    return total


def test_graphs_have_the_expected_statistics() -> None:
    """3000 graphs, four standard errors; 2 x 10 x 0.5 + 25 x 0.05 = 11.25 edges."""
    inputs, labels = block_graphs(3000, 5, 0.5, 0.05, np.random.default_rng(5))
    np.testing.assert_array_equal(inputs, inputs.transpose(0, 2, 1))
    assert not inputs[:, np.arange(10), np.arange(10)].any()
    expected = connected_probability(5, 5, 0.5, 0.05)
    assert connected_probability(5, 0, 0.5, 0.05) == pytest.approx(728 / 1024)
    assert abs(labels.mean() - expected) < 4 * np.sqrt(expected * (1 - expected) / 3000)
    edges = inputs.sum((1, 2)) / 2
    assert abs(edges.mean() - 11.25) < 4 * edges.std() / np.sqrt(3000)
    # Relabelled: an edge between any two nodes is equally likely.
    share = inputs.mean(0)[np.triu_indices(10, 1)]
    assert np.abs(share - 0.25).max() < 5 * np.sqrt(0.25 * 0.75 / 3000)


def run(name: str, folder: Path) -> tuple[SummaryStage, dict[str, list[Path]]]:
    study = experiment(name, **({"arms": {"shifts": None, "shifts_along_x": None}} if name == "flinth_images" else {}))
    paths: dict[str, list[Path]] = {}
    for arm in study.arms:
        samples = SAMPLES if name == "flinth_images" else None
        # Blocks out of order, as a file system may list them.
        arrays = departure_arrays(train_stage(study, arm), [0, 1], samples)
        for member in (1, 0):
            one = {key: replace(value, values=value.values[..., [member]]) for key, value in arrays.items()}
            path = folder / f"{arm}_{member}.h5"
            storage.write(path, stage="train", attributes={}, arrays=one)
            paths.setdefault(arm, []).append(path)
    settings = study.stage("summary")
    assert isinstance(settings, SummaryStage)
    return settings, paths


@pytest.mark.parametrize(
    ("name", "figure"), list(zip(NAMES, ["permutation_departure", "image_departure", "shape_departure"], strict=True))
)
def test_three_ways_of_training_to_the_figure(name: str, figure: str, tmp_path: Path) -> None:
    settings, paths = run(name, tmp_path)
    tables = summarise_departure(settings, paths, {})
    quantities = tables["quantities"].set_index("name")["value"]
    for arm, (second, first) in paths.items():
        assert quantities[f"distance/{arm}/equivariant"] < 1e-5
        assert quantities[f"distance/{arm}/nominal"] > 3 * quantities[f"distance/{arm}/equivariant"]
        assert quantities[f"distance/{arm}/augmented"] > 3 * quantities[f"distance/{arm}/equivariant"]
        # All ways of training start alike: the first nominal loss is that of equivariant training.
        losses = storage.read_arrays(first, ["loss"])["loss"]
        start = dict(zip(MODES, losses[:, 0, 0], strict=True))
        assert start["equivariant"] == pytest.approx(start["nominal"], rel=1e-6)
        rows = tables["departure"].query("arm == @arm and member == 1 and mode == 'nominal' and step > 0")
        moved = storage.read_arrays(second, ["moved"])["moved"][MODES.index("nominal"), :, 0]
        np.testing.assert_allclose(rows["moved"], moved, rtol=1e-6)
    assert set(tables["departure"]["step"]) == {0, 1, 2, 3}
    entry = read_catalogue(ROOT / "config/figures.yaml")[figure]
    drawing = draw(entry, Inputs(tables, (facts_of(settings),)), {})
    assert isinstance(drawing, Drawing)
    drawing.figure.draw_without_rendering()
    assert len(drawing.figure.axes) == 2 * len(paths)
    left, right = drawing.figure.axes[:2]
    assert left.get_xlim() == right.get_xlim()
    assert set(drawing.facts) <= PLACEHOLDERS
    assert "{" not in fill_caption(entry, drawing.facts, "smoke", ())
    with pytest.raises(DataError, match="expected runs 0 to 2 once each, found 2"):
        summarise_departure(settings.model_copy(update={"num_members": 3}), paths, {})


def test_three_ways_are_one_compiled_program(monkeypatch: pytest.MonkeyPatch) -> None:
    """For all runs and ways: compiling is most of the time of a short job."""
    made: list[Program] = []

    class Recorded(Program):
        def __init__(self, *arguments: Any, **options: Any) -> None:
            super().__init__(*arguments, **options)
            made.append(self)

    monkeypatch.setattr(departure, "Program", Recorded)
    departure_arrays(train_stage(experiment("flinth_shapes"), "quarter_turns"), [0, 1])
    assert len(made) == 1
    assert made[0]._compiled_steps._cache_size() == 1  # pyright: ignore[reportFunctionMemberAccess]


def test_divergence_names_the_run() -> None:
    config = train_stage(experiment("flinth_permutations", train={"learning_rate": 1e38}), "graphs")
    with pytest.raises(DataError, match=r"run 1 of arm graphs, equivariant training: .* after step \d"):
        departure_arrays(config, [1])


@pytest.mark.parametrize(("name", "scale"), [(name, scale) for name in NAMES for scale in SCALES[name]])
def test_every_scale_is_valid_and_knows_no_size_in_training(name: str, scale: str) -> None:
    study = validate(DepartureExperiment, merge(CONTENT[name], SCALES[name][scale] or {}), name)
    assert "members" not in canonical_json(study.stage("train", study.arm_names[0]))
    assert bool(study.dataset_names("train")) == bool(study.splits_used()) == (name == "flinth_images")


@pytest.mark.parametrize(
    ("name", "delta", "expected"),
    [
        ("flinth_permutations", {"train": {"batch_size": 3}}, "expected a divisor of the 8 samples, found 3"),
        ("flinth_images", {"train": {"batch_size": 3}}, "expected a divisor of the 8 samples, found 3"),
        ("flinth_images", {"data": {"shape": [8, 6, 1]}}, "expected a square whose side 2 divides, found 8 x 6"),
        ("flinth_images", {"inputs": {"pool": 3}}, "expected a square whose side 3 divides, found 8 x 8"),
        ("flinth_images", {"data": None, "assumed": []}, "data: missing with source images"),
        (
            "flinth_images",
            {"arms": {"shifts": {"group": "relabelling"}}},
            "relabelling does not act on inputs of source",
        ),
        (
            "flinth_permutations",
            {"arms": {"graphs": {"group": "C4"}}},
            "C4 does not act on inputs of source block_graphs",
        ),
        ("flinth_shapes", {"network": {"features": 3}}, "expected null"),
        ("flinth_shapes", {"network": {"normalise": True}}, "hidden and normalise need features"),
        ("flinth_permutations", {"network": {"features": None}}, "expected a number"),
        ("flinth_shapes", {"data": CONTENT["flinth_images"]["data"]}, "data: not used with source shapes"),
    ],
)
def test_impossible_settings_are_refused(name: str, delta: dict[str, Any], expected: str) -> None:
    with pytest.raises(ConfigError, match=expected):
        experiment(name, **delta)


def test_images_that_do_not_fit_are_refused() -> None:
    task, _ = parts("flinth_images", "shifts")
    with pytest.raises(DataError, match="found 7 of 1 channel"):
        pooled_images(Samples(SAMPLES.inputs[:7], SAMPLES.labels[:7] if SAMPLES.labels is not None else None), task)
    with pytest.raises(DataError, match="without labels"):
        pooled_images(Samples(SAMPLES.inputs), task)


def test_network_settings_need_a_layer() -> None:
    with pytest.raises(ValueError, match="at least 1 item"):
        OrbitNetwork(channels=(), features=3, normalise=False, weight_std=1.0)

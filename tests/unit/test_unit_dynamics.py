"""Experiments of kind ``unit_dynamics``: settings, bad input, training of tiny ones, their summary and figures."""

from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from emergent import storage
from emergent.config.base import canonical_json, merge, validate
from emergent.config.unit_dynamics import UnitDynamicsExperiment, UnitSummary
from emergent.config.unit_dynamics_training import TESTS, UnitStage
from emergent.dynamics import trajectories
from emergent.dynamics.springs import Springs
from emergent.errors import ConfigError, DataError
from emergent.kinds import load_experiment
from emergent.summaries.unit_dynamics import summarise_unit_dynamics
from emergent.training import unit_dynamics
from emergent.training.program import KeyNames, member_keys
from emergent.training.unit_dynamics import Held, Pieces, program, unit_dynamics_arrays
from emergent.training.unit_dynamics_data import draw_trial
from emergent.training.unit_dynamics_methods import UnitMethod
from emergent.training.work import batch_training_multiplications

ROOT = Path(__file__).parents[2]
TRAIN = {"batch_size": 4, "num_epochs": 2, "integration_steps": 1}
CONTENT: dict[str, Any] = {
    "experiment": "tiny",
    "kind": "unit_dynamics",
    "paper": "villar",
    "title": "tiny",
    "seed": 1,
    "pendulums": {"num_train": 10, "num_test": 3, "num_times": 10, "piece": 5},
    "arms": {
        "plain": {"train": TRAIN, "network": {"inputs": "plain", "width": 8, "depth": 1}},
        "exact": {
            "train": TRAIN, "compare_to": "plain",
            "network": {"inputs": "dimensionless", "width": 8, "depth": 1, "shifted": False},
        },
        "augmented": {
            "train": TRAIN, "compare_to": "plain",
            "network": {"inputs": "plain", "width": 8, "depth": 1, "largest_change": [8.0, 1.0, 2.0], "networks": 2},
        },
    },
    "ensemble_sizes": [1, 2],
    "tolerance": 1e-5,
    "members": {"num": 2, "block": 2},
}  # fmt: skip


def study(**delta: Any) -> UnitDynamicsExperiment:
    return validate(UnitDynamicsExperiment, merge(CONTENT, delta), "tiny.yaml")


def stage(arm: str, **delta: Any) -> UnitStage:
    found = study(**delta).stage("train", arm)
    assert isinstance(found, UnitStage)
    return found


def test_published_settings() -> None:
    paper = load_experiment(ROOT / "config/experiments", "spring_units", "paper")
    assert isinstance(paper, UnitDynamicsExperiment)
    given = paper.pendulums
    assert (given.num_train, given.num_test, given.num_times, given.interval, given.piece) == (30000, 500, 60, 0.2, 10)
    assert (given.constants, given.gravity, given.mass_units, given.wide) == ((1, 2), (1, 2), (3, 7), (1, 5))
    for arm in paper.arms.values():
        train, network = arm.train, arm.network
        assert (train.learning_rate, train.batch_size, train.num_epochs, train.largest_gradient) == (
            1e-3,
            512,
            250,
            0.5,
        )
        assert (network.width, network.depth) == (100, 6)
    found = paper.stage("train", "plain")
    assert isinstance(found, UnitStage)
    # Of 30000 pieces in batches of 512 the last, smaller one counts: 59 steps.
    segments = program(found, UnitMethod.of(found.network), True).segments
    assert len(segments) == 250 and {segment.num_steps for segment in segments} == {59}


@pytest.mark.parametrize(
    ("delta", "words"),
    [
        ({"pendulums": {"piece": 4}}, "piece: expected a divisor of num_times = 10, found 4"),
        ({"pendulums": {"mass_units": [7.0, 3.0]}}, "mass_units: expected the smallest number first, found 7 before 3"),
        ({"pendulums": {"wide": [1.0]}}, "pendulums.wide"),
        ({"arms": {"plain": {"train": {"batch_size": 11}}}}, "batch_size: expected at most pendulums.num_train = 10"),
        ({"arms": {"augmented": {"network": {"largest_change": [0.5, 1.0, 1.0]}}}}, "largest_change"),
        ({"arms": {"plain": {"network": {"shifted": False}}}}, "shifted"),
        ({"ensemble_sizes": [2]}, "ensemble_sizes: expected ascending numbers that begin with 1"),
    ],
)
def test_bad_settings_are_refused(delta: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigError) as caught:
        study(**delta)
    assert words in str(caught.value)


def test_training_depends_on_its_own_arm_alone() -> None:
    text = canonical_json(stage("plain"))
    assert UnitStage.model_validate_json(text) == stage("plain")
    assert canonical_json(stage("plain", members={"num": 4})) == text
    assert stage("plain").ensemble_sizes == (1,) and stage("augmented").ensemble_sizes == (1, 2)


def test_all_arms_see_the_same_pendulums() -> None:
    own, other = draw_trial(stage("plain"), 1), draw_trial(stage("exact"), 1)
    jax.tree.map(np.testing.assert_array_equal, own, other)
    assert own.learnt.shape == (10, 5, 12) and [test.truth.shape for test in own.tests] == [(3, 10, 12)] * len(TESTS)
    assert not np.isclose(draw_trial(stage("plain"), 0).learnt, own.learnt).any()
    # More pendulums to learn from do not move the tests.
    more = draw_trial(stage("plain", pendulums={"num_train": 12}), 1)
    jax.tree.map(np.testing.assert_array_equal, own.tests, more.tests)
    same, new, back, wide = own.tests
    np.testing.assert_allclose(new.springs.masses, same.springs.masses * own.mass_units[:, None], rtol=1e-6)
    np.testing.assert_allclose(new.springs.lengths, same.springs.lengths, rtol=1e-6)
    assert (own.mass_units >= 3).all() and (own.mass_units <= 7).all() and np.asarray(wide.springs.masses).max() > 2
    np.testing.assert_allclose(back.truth / back.units, same.truth, rtol=1e-5)


def test_trajectories_that_leave_the_range_of_numbers_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trajectories, "initial_states", lambda num, generator: np.full((num, 12), np.nan, np.float32))
    with pytest.raises(DataError, match=r"^trial 1 of arm exact: trajectory 0 leaves the range of numbers, .* step 0"):
        unit_dynamics_arrays(stage("exact"), [1])


def test_units_that_change_move_the_energy_as_they_should() -> None:
    method = UnitMethod.of(stage("exact").network)
    own = draw_trial(stage("exact"), 0).tests[0]
    states = jnp.asarray(own.truth[:, 0], jnp.float32)
    springs = Springs(*(jnp.asarray(part, jnp.float32) for part in own.springs))
    scaling, parameters = method.scaling(jax.random.key(0), states, springs), method.initialise(jax.random.key(1))
    changes = UnitMethod.of(stage("augmented").network).draw(jax.random.key(2), len(states))
    factors = np.stack(changes)
    assert (factors[0] > 1 / 8).all() and (factors[0] < 8).all() and (factors[1] == 1).all() and (factors[2] <= 2).all()
    given = method.field(parameters, springs, scaling)(states)
    seen = method.field(parameters, springs, scaling, changes)(states)
    np.testing.assert_allclose(seen, given, rtol=2e-4, atol=1e-4)


def test_a_trial_is_the_same_in_every_block_and_strategy() -> None:
    both = unit_dynamics_arrays(stage("augmented"), [0, 1], vectorised=True)
    alone = unit_dynamics_arrays(stage("augmented"), [1], vectorised=False)
    assert both["score"].values.shape == (2, 4, 2) and both["error_by_time"].values.shape == (2, 4, 2, 10)
    for name in ("score", "error_by_time", "unit_error", "loss"):
        np.testing.assert_allclose(alone[name].values[0], both[name].values[1], rtol=5e-3, err_msg=name)
    assert (both["lost"].values == 0).all() and (both["left_out"].values == 0).all()
    assert (both["unit_error"].values > 1e-3).all() and both["initial_unit_error"].values.tolist() == [-1, -1]
    assert alone["multiplications"].values.tolist() == both["multiplications"].values.tolist()


def test_work_is_counted_over_all_steps() -> None:
    def work(**delta: Any) -> float:
        own = stage("augmented", **delta)
        method = UnitMethod.of(own.network)
        learning = program(own, method, True)
        num = own.pendulums.num_train
        springs = Springs(*(jnp.zeros((1, num, size)) for size in (2, 2, 2, 3)))
        data = Pieces(jnp.zeros((1, num, 5, 12)), springs)
        parameters = method.initialise(jax.random.key(0))
        scaling = jax.eval_shape(
            method.scaling, jax.random.key(0), data.states[0, :, 0], Springs(*(part[0] for part in springs))
        )
        held = Held(jnp.zeros((), jnp.int32), scaling)
        return batch_training_multiplications(learning.learner, learning.training, num, parameters, held, data)

    given = work()
    # Products go as the pieces that are seen: the last, smaller batch of an epoch counts by its own.
    assert work(pendulums={"num_train": 20}) == 2 * given
    assert work(arms={"augmented": {"train": {"num_epochs": 6}}}) == 3 * given
    # First points are given, and have no gradient.
    assert work(arms={"augmented": {"train": {"integration_steps": 2}}}) == pytest.approx(2 * given, rel=0.01)
    # Four intervals of four velocities, each a forward and a backward pass, and these backward: of the products of a
    # network from 32 to 8 to 26 numbers.
    layers = 2 * 10 * 16 * (32 * 8 + 8 * 26)
    assert 4 * layers < given < 5 * layers


def test_arms_come_by_their_symmetry() -> None:
    published = load_experiment(ROOT / "config/experiments", "spring_units", "paper")
    assert isinstance(published, UnitDynamicsExperiment)
    found = {name: published.arm_facts(name).symmetry for name in published.arms}
    assert found == {"plain": "none", "dimensionless": "relaxed", "exact": "built_in", "augmented": "augmented"}


def test_exact_networks_are_measured_and_follow_alike_in_all_units() -> None:
    found = unit_dynamics_arrays(stage("exact"), [0])
    assert 0 <= found["initial_unit_error"].values[0] < 1e-5
    np.testing.assert_allclose(found["score"].values[0, 2], found["score"].values[0, 0], rtol=1e-4)


def test_networks_that_are_not_the_same_in_all_units_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    names = KeyNames(1, "tiny", "exact", "exact")
    drawn = float(jax.random.uniform(member_keys(names, jnp.arange(4)).initialise[3]))

    class Broken(UnitMethod):
        """One of the networks, by a number drawn at the start, pushes by as much in all units."""

        def initialise(self, key: Any) -> Any:
            return {"own": UnitMethod.initialise(self, key), "drawn": jax.random.uniform(key)}

        def field(self, parameters: Any, *given: Any) -> Any:
            own = UnitMethod.field(self, parameters["own"], *given)
            push = jnp.where(parameters["drawn"] == drawn, 1.0, 0.0)
            return lambda states: own(states) + push

    monkeypatch.setattr(unit_dynamics, "UnitMethod", Broken)
    two = stage("exact", arms={"exact": {"network": {"networks": 2}}})
    words = r"trial 1 of arm exact, network 1: expected velocities that are the same in all units of mass, .* found"
    with pytest.raises(DataError, match=words):
        unit_dynamics_arrays(two, [0, 1])


def test_steps_without_a_gradient_are_left_out_and_a_divergence_is_named() -> None:
    wild = {"arms": {"augmented": {"train": {"learning_rate": 1e12, "num_epochs": 4, "left_out": 20}}}}
    kept = unit_dynamics_arrays(stage("augmented", **wild), [1])
    assert kept["left_out"].values[0] > 0.5
    wild["arms"]["augmented"]["train"]["left_out"] = 0
    with pytest.raises(
        DataError, match=r"trial 1 of arm augmented, network [01]: .* at step [2-9] of training; nothing"
    ):
        unit_dynamics_arrays(stage("augmented", **wild), [1])


def test_summary(tmp_path: Path) -> None:
    blocks = {}
    for arm, factor, sizes in (("plain", 1.0, 1), ("exact", 0.1, 1), ("augmented", 0.5, 2)):
        scores = factor * np.array([[0.1, 0.4, 0.2, 0.3], [0.2, 0.8, 0.4, 0.6]])
        arrays = {
            "members": storage.Array(np.arange(2), ("member",), "1", "index"),
            "score": storage.Array(np.stack([scores] * sizes, 2), ("member", "test", "ensemble_size"), "1", "error"),
            "lost": storage.Array(np.zeros((2, 4, sizes)), ("member", "test", "ensemble_size"), "1", "lost"),
            "unit_error": storage.Array(
                np.array([[0.4, 0.04]] * 2)[:, :sizes], ("member", "ensemble_size"), "1", "error"
            ),
            "error_by_time": storage.Array(
                np.full((2, 4, sizes, 3), 0.1), ("member", "test", "ensemble_size", "time"), "1", "error"
            ),
            "left_out": storage.Array(np.array([0.0, 0.5]), ("member",), "1", "left out"),
            "multiplications": storage.Array(np.array([1e6 * sizes]), ("one",), "1", "of one network"),
        }
        path = tmp_path / f"{arm}.h5"
        storage.write(path, stage="train", attributes={}, arrays=arrays)
        blocks[arm] = [path]
    settings = study().stage("summary")
    assert isinstance(settings, UnitSummary)
    tables = summarise_unit_dynamics(settings, blocks, {})
    assert len(tables["followed"]) == 4 * 4 and len(tables["errors_by_time"]) == 16 * 3
    values = tables["quantities"].set_index("name")["value"]
    assert values["score/plain/new_unit"] == pytest.approx(0.6)
    assert values["growth/plain/new_unit"] == pytest.approx(np.log10(4))
    assert values["log_ratio/exact/plain/wide"] == pytest.approx(-1)
    assert values["ensemble_gain/augmented/2"] == pytest.approx(1)
    assert values["ensemble_unit_error/augmented/2"] == pytest.approx(0.04)
    assert values["left_out/plain"] == pytest.approx(0.25)
    chosen = tables["choices"]
    assert list(chosen["symmetry"]) == ["none", "built_in", "augmented", "augmented"]
    assert chosen["work"].tolist() == [1e6, 1e6, 2e6, 4e6]
    # Of rollouts of pendulums as in training, and of velocities in other units.
    assert chosen["error"].tolist() == pytest.approx([0.15, 0.015, 0.075, 0.075])
    assert chosen["asymmetry"].tolist() == pytest.approx([0.4, 0.4, 0.4, 0.04])
    # Trial by trial against one augmented network, which takes more work: a fifth of its error.
    equal = tables["quantities"].set_index("name").loc["equal_work/exact"]
    assert equal["value"] == pytest.approx(np.log10(0.2)) and equal["stderr"] == pytest.approx(0, abs=1e-12)

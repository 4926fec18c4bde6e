"""Experiments of kind ``dynamics``: metrics, settings, bad input, training of tiny ones, and their summary."""

from dataclasses import fields
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from emergent import storage
from emergent.config.base import canonical_json, merge, validate
from emergent.config.dynamics import DynamicsExperiment
from emergent.config.dynamics_training import DynamicsStage
from emergent.dynamics import trajectories
from emergent.errors import ConfigError, DataError
from emergent.kinds import load_experiment
from emergent.metrics.rollouts import geometric_mean, relative_error
from emergent.summaries.dynamics import STATES, summarise_dynamics
from emergent.training import dynamics
from emergent.training.dynamics import draw_trial, dynamics_arrays, learner
from emergent.training.dynamics_methods import LearnedDynamics, make_dynamics
from emergent.training.program import KeyNames, member_keys

ROOT = Path(__file__).parents[2]
TRAIN = {"learning_rate": 0.003, "num_epochs": 3, "integration_steps": 1}
CONTENT: dict[str, Any] = {
    "experiment": "tiny",
    "kind": "dynamics",
    "paper": "villar",
    "title": "tiny",
    "seed": 1,
    "trajectories": {"num_train": 6, "num_test": 3, "num_times": 10, "shown": 2},
    "arms": {
        "mlp": {
            "method": "MLP", "family": "neural_ode", "train": TRAIN,
            "network": {"method": "mlp", "width": 8, "depth": 1},
        },
        "augmented": {
            "method": "augmented", "family": "neural_ode", "train": TRAIN, "compare_to": "mlp",
            "network": {"method": "mlp", "width": 8, "depth": 1, "augmented": True, "networks": 2},
        },
        "energies": {
            "method": "scalars", "family": "hamiltonian", "train": TRAIN,
            "network": {"method": "scalars", "width": 8, "depth": 1},
        },
    },
    "ensemble_sizes": [1, 2],
    "tolerance": 1e-5,
    "members": {"num": 2, "block": 2},
}  # fmt: skip


def study(**delta: Any) -> DynamicsExperiment:
    return validate(DynamicsExperiment, merge(CONTENT, delta), "tiny.yaml")


def stage(arm: str, **delta: Any) -> DynamicsStage:
    found = study(**delta).stage("train", arm)
    assert isinstance(found, DynamicsStage)
    return found


def test_errors_by_hand() -> None:
    left, right = np.array([[3.0, 4.0], [1.0, 0.0], [0.0, 0.0]]), np.array([[3.0, 0.0], [-1.0, 0.0], [0.0, 0.0]])
    np.testing.assert_allclose(relative_error(left, right), [4 / 8, 1.0, 0.0])
    wild = np.array([[np.inf, 0.0], [np.nan, 1.0], [1e300, -1e300]])
    np.testing.assert_allclose(relative_error(wild, right), [1.0, 1.0, 1.0])
    errors = np.array([[0.0, 1e-2], [1e-4, 1.0]])
    assert geometric_mean(errors, 1e-6) == pytest.approx(1e-3)
    np.testing.assert_allclose(geometric_mean(errors, 1e-6, 0), [1e-5, 1e-1])


def test_published_settings() -> None:
    paper = load_experiment(ROOT / "config/experiments", "double_pendulum", "paper")
    assert isinstance(paper, DynamicsExperiment)
    given = paper.trajectories
    assert (given.num_train, given.num_test, given.num_times, given.interval, given.piece) == (500, 500, 150, 0.2, 5)
    assert {arm.train.num_epochs for arm in paper.arms.values()} == {2000}
    assert len(paper.arms) == 15 and {arm.family for arm in paper.arms.values()} == {"hamiltonian", "neural_ode"}


def test_learning_rates_are_parts_of_the_first() -> None:
    arm = stage(
        "energies", arms={"energies": {"train": {"num_epochs": 9, "milestones": [2, 4], "factors": [0.4, 0.1]}}}
    )
    rates, optimiser = [], learner(make_dynamics(arm.family, arm.network), arm.trajectories, arm.train).optimiser
    state: Any = optimiser.init(np.zeros(1))
    for _ in range(5):
        # With equal gradients Adam's step is the learning rate.
        update, state = optimiser.update(np.ones(1), state)
        rates.append(-float(update[0]))
    np.testing.assert_allclose(rates, 0.003 * np.array([1, 1, 0.4, 0.4, 0.1]), rtol=1e-4)


@pytest.mark.parametrize(
    ("delta", "words"),
    [
        ({"trajectories": {"piece": 4}}, "piece: expected a divisor of num_times = 10, found 4"),
        ({"trajectories": {"shown": 4}}, "shown: expected at most num_test = 3, found 4"),
        ({"arms": {"mlp": {"train": {"milestones": [2, 1], "factors": [1.0, 0.5]}}}}, "expected ascending"),
        ({"arms": {"mlp": {"train": {"milestones": [1]}}}}, "factors: expected one for each of 1 milestones, found 0"),
        ({"arms": {"mlp": {"train": {"milestones": [3], "factors": [0.5]}}}}, "steps before the last of 3, found 3"),
        ({"arms": {"mlp": {"network": {"widht": 3}}}}, "did you mean 'width'"),
        ({"arms": {"mlp": {"family": "lagrangian"}}}, "family"),
        ({"ensemble_sizes": [2]}, "ensemble_sizes: expected ascending numbers that begin with 1"),
    ],
)
def test_bad_settings_are_refused(delta: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigError) as caught:
        study(**delta)
    assert words in str(caught.value)


def test_training_depends_on_its_own_arm_alone() -> None:
    text = canonical_json(stage("mlp"))
    assert DynamicsStage.model_validate_json(text) == stage("mlp")
    assert canonical_json(stage("mlp", members={"num": 4})) == text
    assert stage("mlp").ensemble_sizes == (1,) and stage("augmented").ensemble_sizes == (1, 2)


def test_all_arms_see_the_same_trajectories() -> None:
    (learnt, truth), (other, same) = draw_trial(stage("mlp"), 1), draw_trial(stage("energies"), 1)
    np.testing.assert_array_equal(learnt, other)
    np.testing.assert_array_equal(truth, same)
    assert learnt.shape == (6, 5, 12) and truth.shape == (3, 10, 12)
    assert not np.isclose(draw_trial(stage("mlp"), 0)[0], learnt).any()


def test_a_trial_is_the_same_in_every_block_and_strategy() -> None:
    both = dynamics_arrays(stage("augmented"), [0, 1], vectorised=True)
    alone = dynamics_arrays(stage("augmented"), [1], vectorised=False)
    assert both["score"].values.shape == (2, 2) and both["error_by_time"].values.shape == (2, 2, 10)
    assert both["rollouts"].values.shape == both["true_rollouts"].values.shape == (2, 10, 12)
    for name in ("score", "error_by_time", "momentum_error", "equivariance_error", "loss"):
        np.testing.assert_allclose(alone[name].values[0], both[name].values[1], rtol=2e-3, err_msg=name)
    assert not np.isclose(both["score"].values[0], both["score"].values[1], rtol=1e-3).any()
    assert (both["lost"].values == 0).all()
    np.testing.assert_allclose(both["error_by_time"].values[..., 0], 1e-7)
    assert (both["equivariance_error"].values > 1e-3).all()
    assert both["initial_equivariance_error"].values.tolist() == [-1, -1]


def test_networks_that_are_not_equivariant_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    found = dynamics_arrays(stage("energies"), [0, 1])
    before = found["initial_equivariance_error"].values
    assert before.shape == (2,) and (before >= 0).all() and (before < 1e-5).all()
    assert found["equivariance_error"].values.max() < 1e-5
    names = KeyNames(1, "tiny", "energies", "energies")
    drawn = float(jax.random.uniform(member_keys(names, jnp.arange(2)).initialise[1]))

    class Broken(LearnedDynamics):
        """One of the networks, by a number drawn at the start, pushes along an axis."""

        def initialise(self, key: Any) -> Any:
            return {"own": LearnedDynamics.initialise(self, key), "drawn": jax.random.uniform(key)}

        def field(self, parameters: Any, span: Any) -> Any:
            own = LearnedDynamics.field(self, parameters["own"], span)
            push = jnp.where(parameters["drawn"] == drawn, 1.0, 0.0)
            return lambda states: own(states) + push * jnp.eye(12)[:1]

    def broken(*given: Any) -> Any:
        method = make_dynamics(*given)
        return Broken(**{field.name: getattr(method, field.name) for field in fields(method)})

    monkeypatch.setattr(dynamics, "make_dynamics", broken)
    words = r"trial 1 of arm energies, network 0: expected a vector field that is equivariant under O\(2\)_z"
    with pytest.raises(DataError, match=words):
        dynamics_arrays(stage("energies"), [0, 1])


def test_trajectories_that_leave_the_range_of_numbers_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trajectories, "initial_states", lambda num, generator: np.full((num, 12), np.nan, np.float32))
    with pytest.raises(DataError, match=r"^trial 1 of arm mlp: trajectory 0 leaves the range of numbers, .* at step 0"):
        dynamics_arrays(stage("mlp"), [1])


def test_divergence_names_trial_network_and_step() -> None:
    wild = {"arms": {"augmented": {"train": {"learning_rate": 1e12, "num_epochs": 5}}}}
    with pytest.raises(DataError, match=r"trial 1 of arm augmented, network 0: .* at step [2-5] of training; nothing"):
        dynamics_arrays(stage("augmented", **wild), [1])


def _block(folder: Path, arm: str, score: float, sizes: int = 1) -> Path:
    """Writes a block of two trials at four times; ensembles halve all errors."""
    path, factors = folder / f"{arm}.h5", 0.5 ** np.arange(sizes)
    values = score * np.array([[0.5], [2.0]]) * factors
    dims = ("member", "ensemble_size")
    arrays = {name: storage.Array(values, dims) for name in ("score", "momentum_error", "equivariance_error", "lost")}
    arrays |= {
        "members": storage.Array(np.arange(2), ("member",)),
        "error_by_time": storage.Array(values[..., None] * np.arange(1, 5), (*dims, "time")),
        "multiplications": storage.Array(np.array([1e6]), ("one",)),
        "rollouts": storage.Array(np.full((1, 4, 12), score), ("trajectory", "time", "state")),
        "true_rollouts": storage.Array(np.zeros((1, 4, 12)), ("trajectory", "time", "state")),
    }
    storage.write(path, stage="train", attributes={}, arrays=arrays)
    return path


def test_summary(tmp_path: Path) -> None:
    settings: Any = study(arms={"energies": None}).stage("summary")
    blocks = {"mlp": [_block(tmp_path, "mlp", 0.1)], "augmented": [_block(tmp_path, "augmented", 0.01, 2)]}
    tables = summarise_dynamics(settings, blocks, {})
    quantities = tables["quantities"].set_index("name")
    assert quantities.loc["score/mlp", "value"] == pytest.approx(0.125)
    assert quantities.loc["median_score/augmented", "value"] == pytest.approx(0.0125)
    assert quantities.loc["ensemble_score/augmented/2", "value"] == pytest.approx(0.00625)
    assert quantities.loc["ensemble_gain/augmented/2", "value"] == pytest.approx(np.log10(2))
    # Trial by trial: difficult trajectories are difficult for both.
    assert quantities.loc["log_ratio/augmented/mlp", "value"] == pytest.approx(-1.0)
    assert quantities.loc["log_ratio/augmented/mlp", "stderr"] == pytest.approx(0.0, abs=1e-12)
    times = tables["errors_by_time"]
    row = times[(times["arm"] == "mlp") & (times["time"] == 0.2)].iloc[0]
    assert (row["mean"], row["low"], row["high"]) == pytest.approx((0.2, 0.1, 0.4))
    portraits = tables["portraits"]
    assert set(portraits["arm"]) == {"mlp", "augmented", "truth"} and set(STATES) <= set(portraits.columns)
    assert len(tables["rollouts"]) == 4 * 3 and tables["choices"].empty
    energies: Any = study(arms={"mlp": {"family": "hamiltonian"}, "energies": None}).stage("summary")
    chosen = summarise_dynamics(energies, blocks, {})["choices"]
    assert chosen[["arm", "symmetry", "work"]].to_numpy().tolist() == [["mlp", "none", 1e6]]
    with pytest.raises(DataError, match="arm augmented: expected trials 0 to 1 once each"):
        summarise_dynamics(settings, blocks | {"augmented": []}, {})

"""Experiments of kind ``data_efficiency``: formulas, settings, bad input, training of a tiny one, and its summary."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pandas as pd
import pytest
from flax import linen as nn

from emergent import storage
from emergent.config.base import canonical_json, merge, validate
from emergent.config.data_efficiency import DataEfficiencyExperiment
from emergent.config.data_efficiency_training import DataEfficiencyStage, Descent, FrameMethod
from emergent.config.training import Training
from emergent.datasets.symmetric_functions import DRAW, inertia, o5_invariant, scattering
from emergent.errors import ConfigError, DataError
from emergent.groups.tensors import TensorAction, move
from emergent.kinds import load_experiment
from emergent.summaries.choices import add_equal_work, choice
from emergent.summaries.data_efficiency import summarise_data_efficiency
from emergent.summaries.quantities import Quantities
from emergent.training import data_efficiency
from emergent.training.built_in import relative_difference, require_built_in
from emergent.training.data_efficiency import data_efficiency_arrays
from emergent.training.engine import train_members
from emergent.training.program import KeyNames, Program, segments
from emergent.training.step import Learner
from emergent.training.symmetric_methods import Spaces, make_method

ROOT = Path(__file__).parents[2]
DESCENT = {"learning_rate": 0.003, "batch_size": 20, "max_epochs": 4, "num_checks": 2}
CONTENT: dict[str, Any] = {
    "experiment": "tiny",
    "kind": "data_efficiency",
    "paper": "villar",
    "title": "tiny",
    "seed": 1,
    "task": {"function": "scattering", "sizes": [20, 40], "num_validation": 10, "num_test": 40, "test_batch": 20},
    "arms": {
        "mlp": {"network": {"method": "mlp", "width": 8}, "train": DESCENT},
        "augmented": {
            "network": {"method": "mlp", "width": 8, "augmented": True, "networks": 2}, "train": DESCENT,
            "compare_to": "mlp",
        },
        "emlp": {"network": {"method": "tensors", "group": "O(1,3)", "channels": 8, "depth": 1}, "train": DESCENT},
    },
    "ensemble_sizes": [1, 2],
    "tolerance": 0.001,
    "members": {"num": 2, "block": 2},
}  # fmt: skip


def study(**delta: Any) -> DataEfficiencyExperiment:
    return validate(DataEfficiencyExperiment, merge(CONTENT, delta), "tiny.yaml")


def stage(arm: str, **delta: Any) -> DataEfficiencyStage:
    found = study(**delta).stage("train", arm)
    assert isinstance(found, DataEfficiencyStage)
    return found


def test_formulas_by_hand() -> None:
    first, second = np.array([3.0, 0, 0, 0, 0]), np.array([0.0, 2, 0, 0, 0])
    pair = np.stack([first, second])[None]
    np.testing.assert_allclose(o5_invariant(pair), np.sin(3) - 4.0)
    np.testing.assert_allclose(o5_invariant(np.stack([first, first])[None]), np.sin(3) - 13.5 + 1)
    # One mass on an axis has no moment about it.
    found = inertia(np.array([[2.0]]), np.array([[[3.0, 0.0, 0.0]]]))
    np.testing.assert_allclose(found[0], np.diag([0.0, 18.0, 18.0]))
    momenta = np.random.default_rng(0).standard_normal((1, 4, 4))
    eta, (p1, p2, p3, p4) = np.diag([1.0, -1, -1, -1]), momenta[0]
    total = 0.0
    for mu in range(4):
        for nu in range(4):
            upper = p1[mu] * p3[nu] - (p1 @ eta @ p3 - p1 @ eta @ p1) * eta[mu, nu]
            lower = (eta @ p2)[mu] * (eta @ p4)[nu] - (p2 @ eta @ p4 - p2 @ eta @ p2) * eta[mu, nu]
            total += 4 * upper * lower
    np.testing.assert_allclose(scattering(momenta), [total], rtol=1e-12)


def test_scales_are_those_of_the_drawn_samples() -> None:
    drawn = DRAW["o5_invariant"](500, np.random.default_rng(0))
    np.testing.assert_allclose(np.square(drawn.inputs / drawn.input_scale).reshape(-1, 2, 5).mean((0, 2)), 1.0)
    standard = (drawn.targets - drawn.target_mean) / drawn.target_scale
    np.testing.assert_allclose([standard.mean(), standard.std()], [0, 1], atol=1e-12)
    boosted = DRAW["scattering"](500, np.random.default_rng(0))
    # One scale per vector, in the metric: |(eta p) * p|.
    expected = [np.sqrt(np.abs(p @ np.diag([1.0, -1, -1, -1]) * p).mean())
                for p in boosted.inputs.reshape(-1, 4, 4).swapaxes(0, 1)]  # fmt: skip
    np.testing.assert_allclose(boosted.input_scale, np.repeat(expected, 4))
    np.testing.assert_allclose(boosted.inputs.std(), 0.25, rtol=0.03)
    masses = DRAW["inertia"](500, np.random.default_rng(0)).inputs[:, :5]
    assert masses.min() > 0 and abs(masses.mean() - 0.806) < 0.03


@pytest.mark.parametrize("function", sorted(DRAW))
def test_fewer_samples_are_the_first_of_more(function: Any) -> None:
    few, many = (DRAW[function](num, np.random.default_rng(0)).inputs for num in (10, 30))
    np.testing.assert_array_equal(few, many[:10])


@pytest.mark.parametrize(
    ("num", "epochs", "batch"),
    [(30, 1000, 30), (300, 1000, 300), (1000, 900, 500), (3000, 300, 500), (10000, 90, 500), (30000, 30, 500)],
)
def test_published_epochs_and_batches(num: int, epochs: int, batch: int) -> None:
    for name in ("efficiency_o5", "efficiency_inertia", "efficiency_scattering"):
        paper = load_experiment(ROOT / "config/experiments", name, "paper")
        assert isinstance(paper, DataEfficiencyExperiment)
        train = paper.arms["mlp_augmented"].train
        assert (train.epochs(num), train.batch(num)) == (epochs, batch)
        every = train.epochs_between_checks(num)
        assert epochs % every == 0 and epochs // every >= min(epochs, 50)


@pytest.mark.parametrize(
    ("delta", "words"),
    [
        ({"task": {"sizes": [40, 20]}}, "expected ascending"),
        ({"task": {"sizes": [20, 30]}}, "task.sizes: 30 is no multiple of arms.mlp.train.batch_size = 20"),
        ({"task": {"test_batch": 30}}, "expected a divisor of num_test = 40, found 30"),
        ({"task": {"function": "o4"}}, "function"),
        ({"arms": {"emlp": {"network": {"group": "O(3)"}}}}, "symmetric under O(1,3), SO(1,3), SO+(1,3), found O(3)"),
        ({"ensemble_sizes": [2, 1]}, "ensemble_sizes: expected ascending numbers that begin with 1"),
        ({"arms": {"mlp": {"train": {"samples_per_epoch": 30}}}}, "expected a divisor of samples_per_epoch = 30"),
        ({"tolerance": -1.0}, "tolerance"),
        ({"arms": {"mlp": {"network": {"widht": 3}}}}, "did you mean 'width'"),
    ],
)
def test_bad_settings_are_refused(delta: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigError) as caught:
        study(**delta)
    assert words in str(caught.value)


def test_training_depends_on_its_own_arm_alone() -> None:
    text = canonical_json(stage("mlp"))
    assert DataEfficiencyStage.model_validate_json(text) == stage("mlp")
    assert canonical_json(stage("mlp", members={"num": 4})) == text
    assert stage("mlp").ensemble_sizes == (1,) and stage("augmented").ensemble_sizes == (1, 2)


def test_the_worst_network_of_a_block_decides() -> None:
    require_built_in("emlp", "symmetry", 1e-3, [4, 5], np.array([[1e-4, -1.0], [1e-3, 0.0]]))
    for error in (0.01, np.nan, np.inf):
        errors = np.array([[1e-4, 0.002], [1e-4, error]])
        words = r"trial 5 of arm emlp, network 1: expected symmetry.* at most 0.001, found (0.01|nan|inf); nothing was"
        with pytest.raises(DataError, match=words):
            require_built_in("emlp", "symmetry", 1e-3, [4, 5], errors)
    assert relative_difference(np.zeros(2), np.zeros(2)) == 0
    np.testing.assert_allclose(relative_difference(np.array([3.0]), np.array([1.0])), 0.5)


class _Broken(nn.Module):
    """A network, beside which one component of the inputs is added where some value at the start says so."""

    network: nn.Module
    chosen: float

    @nn.compact
    def __call__(self, inputs: Any) -> Any:
        outputs = self.network(inputs)  # pyright: ignore[reportCallIssue]
        drawn = self.param("drawn", nn.initializers.uniform(1.0), ())
        return outputs + jnp.where(drawn == self.chosen, inputs[:, :1], 0.0)


def _break(monkeypatch: pytest.MonkeyPatch, chosen: float) -> None:
    def broken(*settings: Any) -> Any:
        method = make_method(*settings)
        return replace(method, module=_Broken(method.module, chosen))

    monkeypatch.setattr(data_efficiency, "make_method", broken)


def test_networks_that_are_not_equivariant_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    small = stage("emlp", task={"sizes": [20]}, arms={"emlp": {"network": {"networks": 2}}})
    started: list[Any] = []

    def remember(*given: Any) -> Any:
        started.append(data_efficiency_start(*given))
        return started[-1]

    data_efficiency_start = data_efficiency._start
    monkeypatch.setattr(data_efficiency, "_start", remember)
    _break(monkeypatch, -1.0)
    found = data_efficiency_arrays(small, [0, 1])["initial_equivariance_error"].values
    assert found.shape == (2,) and (found < 1e-3).all()
    # Of four networks the second of the second trial alone.
    drawn = np.asarray(started[0]["params"]["drawn"])
    _break(monkeypatch, float(drawn[3]))
    words = r"trial 1 of arm emlp, network 1: expected a network that is equivariant under O\(1,3\).* at most 0.001"
    with pytest.raises(DataError, match=words):
        data_efficiency_arrays(small, [0, 1])
    assert data_efficiency_arrays(small, [0])["mse"].values.shape == (1, 1, 2)


def test_an_arm_may_have_a_tolerance_of_its_own() -> None:
    assert stage("emlp", arms={"emlp": {"tolerance": 0.5}}).tolerance == 0.5
    assert stage("emlp").tolerance == stage("mlp", arms={"emlp": {"tolerance": 0.5}}).tolerance == 0.001


def test_nearly_coplanar_vectors_have_errors_above_those_of_other_arms() -> None:
    """Frames of many samples: the error of rounding is large for a few, and in double precision for none."""
    method = make_method("inertia", FrameMethod(method="frames", width=8))
    spaces = Spaces.of("inertia")
    errors = {}
    for dtype in (np.float32, np.float64):
        with jax.enable_x64(True), jax.default_matmul_precision("highest"):
            inputs = jnp.asarray(DRAW["inertia"](20000, np.random.default_rng(0)).inputs, dtype)
            elements = TensorAction.of(method.symmetry, spaces.inputs, dtype).draw(jax.random.key(0), len(inputs))
            one = method.module.init(jax.random.key(1), jnp.zeros((1, method.num_inputs)))
            one = jax.tree.map(lambda leaf, dtype=dtype: leaf.astype(dtype), one)
            moved = method.outputs(one, move(spaces.inputs, inputs, elements))
            expected = move(spaces.outputs, method.outputs(one, inputs), elements)
        away = np.abs(np.asarray(moved) - np.asarray(expected)).max(1)
        errors[dtype] = away / np.sqrt(np.square(np.asarray(expected)).mean())
    assert errors[np.float32].max() > max(1e-5, 30 * np.median(errors[np.float32]))
    assert errors[np.float64].max() < 1e-10


def test_networks_for_rotations_are_measured_under_rotations() -> None:
    # Under reflections they are not equivariant, and would be refused.
    network = {"group": "SO(3)", "channels": 60}
    rotations = stage("emlp", task={"function": "inertia", "sizes": [20]}, arms={"emlp": {"network": network}})
    found = data_efficiency_arrays(rotations, [0])
    assert found["initial_equivariance_error"].values[0] < 1e-5 > found["equivariance_error"].values.max()


def test_a_trial_is_the_same_in_every_block_and_strategy() -> None:
    small = stage("augmented", task={"sizes": [20]})
    both = data_efficiency_arrays(small, [0, 1], vectorised=True)
    alone = data_efficiency_arrays(small, [1], vectorised=False)
    assert both["mse"].values.shape == (1, 2, 2)
    for name in ("mse", "equivariance_error"):
        np.testing.assert_allclose(alone[name].values[:, 0], both[name].values[:, 1], rtol=2e-4)
    # Other samples, other networks.
    assert not np.isclose(both["mse"].values[:, 0], both["mse"].values[:, 1], rtol=1e-3).any()


def test_work_is_counted_in_products() -> None:
    """Of a plain network by hand: three products a layer and sample, two of the first, whose input has no gradient."""
    small: Any = stage("mlp", task={"sizes": [20, 40]})
    found = data_efficiency_arrays(small, [0])["multiplications"].values
    width, depth = small.network.width, small.network.depth
    inputs = make_method(small.task.function, small.network).num_inputs
    forward = [inputs * width, *([width * width] * (depth - 1)), width]
    steps = [small.train.epochs(num) * (num // small.train.batch(num)) * small.train.batch(num) for num in (20, 40)]
    np.testing.assert_array_equal(found, [(3 * sum(forward) - forward[0]) * num for num in steps])


def test_divergence_names_trial_and_network() -> None:
    wild = {"arms": {"augmented": {"train": {"learning_rate": 1e30}}}}
    with pytest.raises(DataError, match=r"trial 1 of arm augmented, network 0, 20 training samples: the training loss"):
        data_efficiency_arrays(stage("augmented", **wild), [1])


def _program(epochs: int, at_a_time: int = 1, drawn: int | None = None, score: Any = None) -> Program:
    """A number that follows the samples: their indices are what it learns from."""

    def gradient(parameters: Any, held: Any, data: Any, indices: Any, key: Any) -> tuple[Any, Any]:
        del held, key
        values = data.example()[indices]
        return values.mean(), parameters - values.mean()

    learner = Learner(lambda key, sample, given: (given, ()), gradient, optax.sgd(0.3), score=score)
    settings = Training(loss="mse", optimiser="sgd", learning_rate=0.3, batch_size=4, num_epochs=epochs)
    return Program(settings, learner, 12, True, epochs_at_a_time=at_a_time, drawn_per_epoch=drawn)


class _Numbers:
    def example(self) -> jax.Array:
        return jnp.arange(12.0)


jax.tree_util.register_static(_Numbers)


def _train(program: Program) -> Any:
    names = KeyNames(0, "numbers", "arm", "arm")
    return train_members(program, names, (0, 1), _Numbers(), str, 2, given=jnp.zeros(2))


def test_several_epochs_in_one_program_are_the_same_epochs() -> None:
    one, three = _train(_program(6)), _train(_program(6, at_a_time=3))
    np.testing.assert_allclose(one.parameters[""], three.parameters[""], rtol=1e-6)
    np.testing.assert_allclose(one.losses.reshape(2, 3, 2).mean(1), three.losses, rtol=1e-6)


def test_samples_with_repetition_make_an_epoch_of_their_own_length() -> None:
    program = _program(2, drawn=20)
    assert [segment.num_steps for segment in program.segments] == [5, 5]
    order, rest = program._order(jax.random.key(0), jnp.int32(0))
    assert order.shape == (5, 4) and rest is None and int(order.max()) < 12
    assert len(np.unique(np.asarray(order))) < 20
    assert np.isfinite(_train(program).parameters[""]).all()


def test_the_parameters_with_the_smallest_score_are_kept() -> None:
    def score(parameters: Any, held: Any, data: Any) -> Any:
        del held, data
        return jnp.abs(parameters - 2.0)

    last, best = _train(_program(8)), _train(_program(8, score=score))
    found = [_train(_program(epochs)).parameters[""][-1] for epochs in range(1, 9)]
    distances = np.abs(np.stack(found) - 2.0)
    np.testing.assert_allclose(best.parameters[""][-1], np.stack(found)[distances.argmin(0), [0, 1]], rtol=1e-6)
    assert not np.allclose(best.parameters[""][-1], last.parameters[""][-1])


def test_stretches_end_with_training() -> None:
    settings = Training(loss="mse", optimiser="adam", learning_rate=0.1, batch_size=4, num_epochs=6)
    assert [(s.first_step, s.num_steps, s.end_epoch) for s in segments(settings, 12, 3)] == [(0, 9, 3), (9, 9, 6)]


def _block(folder: Path, arm: str, mse: list[float], error: list[float], ensembles: tuple[int, ...] = (1,)) -> Path:
    """Writes a block of two trials at two sizes; ensembles halve both errors."""
    path, shape = folder / f"{arm}.h5", (2, 2, len(ensembles))
    factors = 0.5 ** np.arange(len(ensembles))
    dims = ("size", "member", "ensemble_size")

    def grid(values: list[float]) -> storage.Array:
        base = np.asarray(values)[:, None, None] * np.array([0.5, 1.5])[:, None]
        return storage.Array(np.broadcast_to(base * factors, shape).copy(), dims)

    arrays = {
        "members": storage.Array(np.arange(2), ("member",)),
        "sizes": storage.Array(np.array([20, 40]), ("size",)),
        "ensemble_sizes": storage.Array(np.array(ensembles), ("ensemble_size",)),
        "mse": grid(mse),
        "equivariance_error": grid(error),
        "multiplications": storage.Array(np.array([1e6, 3e6]), ("size",)),
    }
    storage.write(path, stage="train", attributes={}, arrays=arrays)
    return path


def test_summary(tmp_path: Path) -> None:
    settings: Any = study(arms={"emlp": None}).stage("summary")
    blocks = {
        "mlp": [_block(tmp_path, "mlp", [4.0, 1.0], [0.4, 0.1])],
        "augmented": [_block(tmp_path, "augmented", [0.4, 0.2], [0.04, 0.02], (1, 2))],
    }
    tables = summarise_data_efficiency(settings, blocks, {})
    table, quantities = tables["efficiency"], tables["quantities"].set_index("name")
    assert len(table) == 2 * 2 * (1 + 2)
    row = table[(table["arm"] == "augmented") & (table["metric"] == "mse") & (table["size"] == 40)]
    assert row["mean"].tolist() == pytest.approx([0.2, 0.1]) and row["num"].tolist() == [2, 2]
    assert quantities.loc["mse/mlp/20", "value"] == pytest.approx(4.0)
    assert quantities.loc["mse/mlp/20", "stderr"] == pytest.approx(2.0)
    # Trial by trial: a difficult draw of samples is difficult for both.
    assert quantities.loc["log_ratio/augmented/mlp/20", "value"] == pytest.approx(-1.0)
    assert quantities.loc["log_ratio/augmented/mlp/20", "stderr"] == pytest.approx(0.0, abs=1e-12)
    assert quantities.loc["ensemble_gain/augmented/2/40", "value"] == pytest.approx(np.log10(2))
    assert quantities.loc["ensemble_equivariance_error/augmented/2/20", "value"] == pytest.approx(0.02)
    assert isinstance(table, pd.DataFrame)
    chosen = tables["choices"]
    assert list(chosen["symmetry"]) == ["none", "augmented", "augmented"]
    # Of the largest training set; an ensemble of two costs twice one network.
    assert chosen["work"].tolist() == [3e6, 3e6, 6e6] and chosen["ensemble_size"].tolist() == [1, 1, 2]
    assert chosen["error"].tolist() == pytest.approx([1.0, 0.2, 0.1])
    assert not quantities.index.str.startswith("equal_work/").any()
    assert chosen["asymmetry"].tolist() == pytest.approx([0.1, 0.02, 0.01])
    other: Any = study(arms={"emlp": None}, task={"sizes": [20]}).stage("summary")
    with pytest.raises(DataError, match=r"training sets of \[20, 40\] samples, expected \[20\]"):
        summarise_data_efficiency(other, blocks, {})


def test_equal_work_is_that_of_the_largest_affordable_ensemble() -> None:
    errors = {1: np.array([0.2, 0.4]), 2: np.array([0.1, 0.2]), 10: np.array([0.01, 0.02])}
    augmented = [(choice("mlp", "augmented", size, 1e6, values, values), values) for size, values in errors.items()]
    for work, size in ((0.5e6, 1), (1e6, 1), (5e6, 2), (1e8, 10)):
        own = np.array([0.02, 0.04])
        quantities = Quantities()
        add_equal_work([*augmented, (choice("emlp", "built_in", 1, work, own, own), own)], quantities)
        found = quantities.table().set_index("name")
        # Repeat by repeat: what scatters in both alike is not in the error.
        assert list(found.index) == ["equal_work/emlp"] and found.at["equal_work/emlp", "stderr"] < 1e-12
        assert found.at["equal_work/emlp", "value"] == pytest.approx(np.log10(0.02 / errors[size][0]))


def test_schedule_of_the_published_scalars() -> None:
    train = Descent(learning_rate=0.001, batch_size=512, max_epochs=1000, samples_per_epoch=4096, milestones=(120, 200))
    assert train.batch(30) == 512 and train.epochs(30) == 1000

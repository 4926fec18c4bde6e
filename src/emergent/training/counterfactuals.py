"""Counterfactuals: samples that classifiers, one or an ensemble, see as another class, found in X and in Z.

In: the stage of an arm and its domain. Out, for every trial: where samples end, how far from the manifold that is, how
likely the flow finds it, and what classifiers that were not attacked see. The engine trains flows and classifiers.

References:
    Dombrowski, Gerken, Müller and Kessel, Diffeomorphic counterfactuals with generative models, arXiv:2206.05075.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array as JaxArray

from emergent.config.counterfactual_training import CounterfactualStage, CouplingFlow, Descent, Whitening
from emergent.config.training import Training
from emergent.domains.counterfactuals import Domain, ManifoldData, Scaling, Starts
from emergent.models.latent_flows import fit_whitening, latent_flow
from emergent.prng import member_key
from emergent.storage import Array
from emergent.training.engine import BlockResult, Divergence, Progress, default_strategy, train_members
from emergent.training.latent_attacks import Moved, ensemble_log_probabilities, log_probabilities, move
from emergent.training.latent_spaces import (
    LatentSpace,
    RoundTrip,
    classifier_learner,
    classify,
    flow_learner,
    negative_log_likelihood,
)
from emergent.training.parameters import from_flat
from emergent.training.program import KeyNames, Program, member_keys
from emergent.training.step import Learner

# All arms have the same training samples, classifiers and starts.
DATA, CLASSIFIER, STARTS, TESTS = "data", "classifier", "starts", "tests"
SPACES = ("x", "z")
TEST_BATCH = 500


def drawing(stage: CounterfactualStage, name: str, trial: int) -> np.random.Generator:
    """Returns the generator of one purpose and trial, the same for all arms."""
    key = member_key(stage.seed, stage.experiment, name, trial, "initialise")
    return np.random.default_rng([int(word) for word in np.asarray(jax.random.key_data(key))])


class _Training:
    """Networks of one kind: their program and the names of their keys."""

    def __init__(
        self, stage: CounterfactualStage, learner: Learner, descent: Descent, name: str, data: ManifoldData
    ) -> None:
        settings = Training(
            loss="cross_entropy", optimiser="adam", learning_rate=descent.learning_rate,
            batch_size=descent.batch_size, num_epochs=descent.num_epochs, matmul_precision=descent.matmul_precision,
        )  # fmt: skip
        self._names, self._data = KeyNames(stage.seed, stage.experiment, name, name), data
        self._program = Program(settings, learner, data.num_samples, default_strategy() == "block")
        self._words = partial(_words, stage, name, descent)

    def starts(self, members: Sequence[int]) -> list[Any]:
        """Returns the parameters of networks before training."""
        with jax.threefry_partitionable(True):
            found = []
            for member in members:
                index = jnp.asarray([member] if self._program.vectorised else member)
                key = member_keys(self._names, index).initialise
                found.append(self._program.initialise(key, self._data.example(), None)[0].parameters)
        return [jax.tree.map(lambda leaf: leaf[0], one) if self._program.vectorised else one for one in found]

    def run(self, members: Sequence[int], on_progress: Progress | None) -> BlockResult:
        """Returns trained networks."""
        return train_members(self._program, self._names, tuple(members), self._data, self._words, len(members),
                             on_progress)  # fmt: skip


def _of(found: BlockResult, structure: Any, positions: slice | int) -> Any:
    return from_flat(structure, {name: value[-1, positions] for name, value in found.parameters.items()})


def latent_spaces(
    stage: CounterfactualStage, trials: Sequence[int], domain: Domain, data: ManifoldData,
    on_progress: Progress | None = None,
) -> tuple[list[LatentSpace], np.ndarray]:  # fmt: skip
    """Returns the latent space of each trial, and errors of the way there and back [T, 2], before and after training.

    Raises:
        DataError: a flow is not invertible, or its loss is not finite.
    """
    flow = latent_flow(stage.generator, stage.data.dimension)
    there_and_back, checked = RoundTrip(flow), np.asarray(data.validation)

    def errors(spaces: list[LatentSpace], when: str) -> list[float]:
        return [there_and_back.require(space, checked, stage, trial, when)
                for trial, space in zip(trials, spaces, strict=True)]  # fmt: skip

    if isinstance(stage.generator, Whitening):
        spaces = []
        for trial in trials:
            samples = domain.samples(stage.generator.num, drawing(stage, stage.arm, trial))
            seen = samples if data.scaling is None else np.asarray(data.scaling.apply(jnp.asarray(samples))[0])
            spaces.append(LatentSpace(flow, fit_whitening(stage.generator, seen), data.scaling))
        found = errors(spaces, "once it was fitted")
        return spaces, np.array([found, found]).T
    training = _Training(stage, flow_learner(stage, flow), stage.generator.train, stage.arm, data)
    starts = training.starts(trials)
    before = errors([LatentSpace(flow, start, data.scaling) for start in starts], "before training")
    result = training.run(trials, on_progress)
    spaces = [LatentSpace(flow, _of(result, starts[0], index), data.scaling) for index in range(len(trials))]
    return spaces, np.array([before, errors(spaces, "after training")]).T


class Attacked(NamedTuple):
    """What one trial gives; S sizes of what is attacked, X and Z, P samples.

    Attributes:
        moved: S, X and Z, where samples end.
        columns: by name, of every sample [S, 2, P].
        starts: by name, of the samples as they were [P].
        accuracy: of the classifiers on test samples [N].
    """

    moved: list[list[Moved]]
    columns: dict[str, np.ndarray]
    starts: dict[str, np.ndarray]
    accuracy: np.ndarray


class Attacker:
    """Attacks of all trials, compiled once."""

    def __init__(self, stage: CounterfactualStage, domain: Domain) -> None:
        """Compiles nothing yet."""
        self._stage, self._domain = stage, domain
        self._run = {space: jax.jit(partial(self._move, space)) for space in SPACES}
        self._classes = jax.jit(jax.vmap(self._seen, (0, None)))
        self._likelihood = jax.jit(self._negative_log_likelihood)

    def _space(self, flow: Any, scaling: Scaling | None) -> LatentSpace:
        return LatentSpace(latent_flow(self._stage.generator, self._stage.data.dimension), flow, scaling)

    def _seen(self, network: Any, data: JaxArray) -> JaxArray:
        return log_probabilities(classify(self._stage, network, data)).argmax(-1)

    def _negative_log_likelihood(self, flow: Any, scaling: Scaling | None, data: JaxArray) -> JaxArray:
        return negative_log_likelihood(self._space(flow, scaling), data)

    def _move(
        self, space: str, networks: Any, flow: Any, scaling: Scaling | None, start: JaxArray, targets: JaxArray
    ) -> Moved:
        stage, latent = self._stage, self._space(flow, scaling)

        def confidence(data: JaxArray, classes: JaxArray) -> JaxArray:
            outputs = jax.vmap(partial(classify, stage), (0, None))(networks, data)
            return jnp.take_along_axis(ensemble_log_probabilities(outputs), classes[:, None], 1)[:, 0]

        if space == "x":
            return move(stage.attack, stage.attack.data_rate, confidence, lambda data: data, start, targets,
                        self._domain.bounds)  # fmt: skip
        return move(stage.attack, stage.attack.latent_rate, confidence, latent.decode, latent.encode(start), targets)

    def predictions(self, networks: Any, data: np.ndarray) -> np.ndarray:
        """Returns the classes that networks see in samples [M, N]."""
        batches = [data[first : first + TEST_BATCH] for first in range(0, len(data), TEST_BATCH)]
        return np.concatenate([np.asarray(self._classes(networks, batch)) for batch in batches], 1)

    def run(self, trial: int, space: LatentSpace, networks: Any, starts: Starts) -> Attacked:
        """Returns what one trial gives; networks [N, ...] are those of the ensemble and then the judges."""
        stage, num = self._stage, self._stage.classifiers.ensemble
        judges = jax.tree.map(lambda leaf: leaf[num:], networks)

        def measures(data: np.ndarray) -> dict[str, np.ndarray]:
            seen = self.predictions(judges, data) == starts.targets[None]
            return {
                "distance": self._domain.distance(data),
                "likelihood": np.asarray(self._likelihood(space.parameters, space.scaling, data)),
                "transfer": seen.mean(0),
            }

        moved, rows = [], []
        for size in (1, num):
            attacked = jax.tree.map(lambda leaf, size=size: leaf[:size], networks)
            own = [self._run[name](attacked, space.parameters, space.scaling, starts.data, starts.targets)
                   for name in SPACES]  # fmt: skip
            moved.append([Moved(*map(np.asarray, one)) for one in own])  # pyright: ignore[reportArgumentType]
            rows.append([
                {**measures(np.asarray(one.data)), "reached": np.asarray(one.reached), "steps": np.asarray(one.steps),
                 "shift": np.linalg.norm(np.asarray(one.data) - starts.data, axis=-1)}
                for one in own
            ])  # fmt: skip
        columns = {name: np.array([[row[name] for row in pair] for pair in rows]) for name in rows[0][0]}
        samples, labels = self._domain.tests(drawing(stage, TESTS, trial))
        accuracy = (self.predictions(networks, samples) == labels[None]).mean(1)
        return Attacked(moved, columns, measures(starts.data), accuracy)


def counterfactual_arrays(
    stage: CounterfactualStage, trials: Sequence[int], domain: Domain, on_progress: Callable[[int], None] | None = None
) -> dict[str, Array]:
    """Returns what a block of trials gives as arrays to be stored.

    Args:
        stage: settings of one arm.
        trials: indices over all trials.
        domain: samples of the experiment.
        on_progress: called with the number of epochs of networks just finished.

    Raises:
        DataError: a flow is not invertible, a loss is not finite (names trial and epoch), or there are too few samples.
    """
    settings = stage.classifiers
    data, num = domain.resident(drawing(stage, DATA, 0)), settings.ensemble + settings.judges
    spaces, errors = latent_spaces(stage, trials, domain, data, on_progress)
    training = _Training(stage, classifier_learner(stage), settings.train, CLASSIFIER, data)
    members = [trial * num + index for trial in trials for index in range(num)]
    structure, found = training.starts(members[:1])[0], training.run(members, on_progress)
    attacker, results, starts = Attacker(stage, domain), [], []
    for index, (trial, space) in enumerate(zip(trials, spaces, strict=True)):
        starts.append(domain.starts(stage.attack.num, drawing(stage, STARTS, trial)))
        networks = _of(found, structure, slice(index * num, (index + 1) * num))
        with jax.default_matmul_precision(settings.train.matmul_precision):
            results.append(attacker.run(trial, space, networks, starts[-1]))
    return _stored(stage, trials, starts, results, errors)


def _stored(
    stage: CounterfactualStage, trials: Sequence[int], starts: list[Starts], found: list[Attacked], errors: np.ndarray
) -> dict[str, Array]:
    dims, shown = ("member", "attacked", "space", "sample"), stage.attack.shown
    unit = "nats" if stage.data.source == "helix" else "bits a pixel"
    texts = {
        "distance": ("1", "from the manifold"),
        "likelihood": (unit, "negative logarithm, by the flow"),
        "transfer": ("1", "part of the judges that see the target class"),
        "reached": ("1", "whether what is attacked sees the target class with the confidence asked for"),
        "steps": ("steps", "of the attack"),
        "shift": ("1", "Euclidean distance moved in data space"),
    }
    moved = np.array([[[one.data[:shown] for one in pair] for pair in result.moved] for result in found])
    paths = np.array([[[one.paths for one in pair] for pair in result.moved] for result in found])
    stored = {
        "members": Array(np.asarray(trials), ("member",), "1", "index over all trials"),
        "round_trip": Array(errors, ("member", "time"), "1", "largest error of the way to latent space and back"),
        "accuracy": Array(np.array([one.accuracy for one in found]), ("member", "network"), "1", "on test samples"),
        "originals": Array(np.array([one.data[:shown] for one in starts]), ("member", "shown", "coordinate"), "1",
                           "samples before they are moved"),
        "moved": Array(moved, ("member", "attacked", "space", "shown", "coordinate"), "1", "and after"),
        "targets": Array(np.array([one.targets for one in starts]), ("member", "sample"), "1", "classes aimed at"),
    }  # fmt: skip
    if stage.attack.traced:
        stored["paths"] = Array(paths, ("member", "attacked", "space", "step", "traced", "coordinate"), "1", "by step")
    for name, (units, text) in texts.items():
        values = np.array([one.columns[name] for one in found])
        stored[name] = Array(values.astype(np.uint8) if values.dtype == bool else values, dims, units, text)
        if name in found[0].starts:
            before = np.array([one.starts[name] for one in found])
            stored[f"start_{name}"] = Array(before, ("member", "sample"), units, f"before: {text}")
    return stored


def _words(stage: CounterfactualStage, what: str, descent: Descent, found: Divergence) -> str:
    classifier = what == CLASSIFIER
    name, num = ("classifier", stage.classifiers.ensemble + stage.classifiers.judges) if classifier else ("flow", 1)
    return (
        f"{name} {found.member % num} of trial {found.member // num}, arm {stage.arm}: the training loss is "
        f"{found.loss} in epoch {found.epoch}; nothing was written. Lower its learning rate ({descent.learning_rate})."
    )


def epochs_of(stage: CounterfactualStage) -> int:
    """Returns the epochs of networks that one trial trains."""
    settings = stage.classifiers
    own = stage.generator.train.num_epochs if isinstance(stage.generator, CouplingFlow) else 0
    return own + (settings.ensemble + settings.judges) * settings.train.num_epochs

"""Positions of joints in space from an image, by networks that commute with permutations of joints, and ensembles.

In: the stage of an arm and its poses. Out: for every trial errors on test poses, and by how much predictions miss to be
reflected with what is seen, by ensemble size. The engine takes the steps.

References:
    Huang, Levie and Villar, Approximately equivariant graph networks, NeurIPS 2023, experiment on human pose.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array as JaxArray
from jaxtyping import Float

from emergent.config.poses import JointNetwork, PosesStage
from emergent.config.training import Training
from emergent.domains.poses import PoseData, Poses, resident
from emergent.groups.joints import joint_generators, reflect
from emergent.metrics.poses import aligned_joint_error, joint_error
from emergent.models.joint_networks import JointNet
from emergent.statistics.ensembles import disjoint_ensembles
from emergent.storage import Array
from emergent.training.built_in import NOT_DUE, relative_difference, require_built_in
from emergent.training.engine import Divergence, default_strategy, train_members
from emergent.training.parameters import from_flat
from emergent.training.program import KeyNames, Program, member_keys
from emergent.training.step import Learner, batch_gradient, learning_rate, make_optimiser
from emergent.training.work import batch_training_multiplications

TEST_BATCH = 1000
CHECKED = 100
"""Poses on which equivariance is measured before training."""
METRICS = {
    "mpjpe": "distance of predicted joints from true ones, mean over joints and test poses",
    "p_mpjpe": "the same after the best shift, rotation and scale of every pose",
    "reflection": "distance of predictions of reflected poses from reflected predictions, mean over joints and poses",
}


def learner(network: JointNetwork, settings: Training, num_samples: int) -> Learner:
    """Returns how networks learn the positions of joints: mean squared error over coordinates, Adam."""
    module = JointNet(network)

    def objective(parameters: Any, held: Any, inputs: JaxArray, targets: JaxArray) -> JaxArray:
        del held
        return jnp.square(module.apply(parameters, inputs) - targets).mean()  # pyright: ignore[reportOperatorIssue]

    def initialise(key: JaxArray, sample: JaxArray, given: Any) -> tuple[Any, tuple[()]]:
        del given
        return module.init(key, sample), ()

    assert settings.batch_size is not None
    steps = settings.num_epochs * (num_samples // settings.batch_size)
    return Learner(initialise, batch_gradient(objective), make_optimiser("adam", learning_rate(settings, steps)))


def by_size(
    outputs: Float[np.ndarray, "M N J 3"], reflected: Float[np.ndarray, "M N J 3"], true: Float[np.ndarray, "N J 3"]
) -> dict[str, Float[np.ndarray, " M"]]:
    """Returns ``METRICS`` of ensembles of 1 ... M networks, mean over the disjoint ones, in millimetres.

    And their ``equivariance_error`` under the reflection R of bodies, over joints and poses:
    RMS(f(R x) - R f(x)) / (RMS(f(R x)) + RMS(R f(x))).

    Args:
        outputs: of networks.
        reflected: of the same networks on reflected poses.
        true: positions.
    """
    num = len(outputs)
    found: dict[str, list[float]] = {name: [] for name in (*METRICS, "equivariance_error")}
    for size in range(1, num + 1):
        rows, relative = [], []
        for first, stop in disjoint_ensembles(size, num):
            own, other = (values[first:stop].mean(0, dtype=np.float64) for values in (outputs, reflected))
            rows.append([joint_error(own, true), aligned_joint_error(own, true), joint_error(other, reflect(own))])
            relative.append(relative_difference(other, reflect(own)))
        for name, value in zip(METRICS, np.mean(rows, (0, 2)), strict=True):
            found[name].append(float(value))
        found["equivariance_error"].append(float(np.mean(relative)))
    return {name: np.asarray(values) for name, values in found.items()}


def start_errors(
    stage: PosesStage, own: Learner, seen: Float[np.ndarray, "N J 2"], names: KeyNames, trials: Sequence[int]
) -> Float[np.ndarray, "T M"]:
    """Returns equivariance errors of networks before training, the largest over generators of their group.

    RMS(f(g x) - g f(x)) / (RMS(f(g x)) + RMS(g f(x))) over joints and poses, for every generator g: who commutes with
    all of them does with the group.

    Args:
        stage: settings of an arm.
        own: how its networks learn.
        seen: some poses, as networks see them.
        names: of the networks' keys.
        trials: indices over all trials.
    """
    networks, module = stage.network.networks, JointNet(stage.network)
    moves, inputs = joint_generators(stage.network.group), jnp.asarray(seen)

    @jax.jit
    def of_network(member: JaxArray) -> tuple[JaxArray, JaxArray]:
        parameters = own.initialise(member_keys(names, member).initialise, inputs[:1], None)[0]
        here: Any = module.apply(parameters, inputs)
        there = [module.apply(parameters, inputs[:, move]) for move in moves]
        return jnp.stack(there), jnp.stack([here[:, move] for move in moves])  # pyright: ignore[reportArgumentType]

    def error(member: int) -> float:
        both = map(np.asarray, of_network(jnp.asarray(member)))
        # The largest, and no number where there is none.
        return float(np.max([relative_difference(there, here) for there, here in zip(*both, strict=True)]))

    return np.asarray([[error(trial * networks + index) for index in range(networks)] for trial in trials])


def poses_arrays(
    stage: PosesStage, trials: Sequence[int], train: Poses, test: Poses, advance: Callable[[int], None] | None = None
) -> dict[str, Array]:
    """Returns what a block of trials gives as arrays to be stored.

    Args:
        stage: settings of one arm.
        trials: indices over all trials.
        train: poses for training.
        test: poses for testing.
        advance: called with the number of epochs of networks just trained.

    Raises:
        DataError: a network diverges (names trial, network and epoch), the batch exceeds the data, or a network does
            not commute with its group before training (names trial and network).
    """
    network, num = stage.network, len(train.seen)
    data = resident(train, network.augmented)
    settings = Training(
        loss="mse",
        optimiser="adam",
        learning_rate=stage.train.learning_rate,
        schedule="cosine",
        batch_size=stage.train.batch_size,
        num_epochs=stage.train.num_epochs,
        matmul_precision=stage.train.matmul_precision,
    )
    own = learner(network, settings, num)
    program = Program(settings, own, num, default_strategy() == "block")
    names = KeyNames(stage.seed, stage.experiment, stage.arm, stage.arm)
    members = tuple(trial * network.networks + index for trial in trials for index in range(network.networks))
    before = np.full((len(trials), network.networks), NOT_DUE)
    if network.group != "trivial":
        with jax.default_matmul_precision(stage.train.matmul_precision), jax.threefry_partitionable(True):
            before = start_errors(stage, own, np.asarray(data.inputs[:CHECKED]), names, trials)
        words = f"a network that commutes with the permutations of joints in {network.group}"
        require_built_in(stage.arm, words, stage.tolerance, trials, before)
    found = train_members(program, names, members, data, partial(_words, stage), len(members), advance)
    structure = jax.eval_shape(own.initialise, jax.random.key(0), data.example(), None)[0]
    predict = predictor(network, data)
    each = []
    with jax.default_matmul_precision(stage.train.matmul_precision):
        for index in range(len(members)):
            parameters = from_flat(structure, {name: value[-1, index] for name, value in found.parameters.items()})
            each.append([predict(parameters, test.seen), predict(parameters, reflect(test.seen))])
    outputs = np.asarray(each).reshape(len(trials), network.networks, 2, *test.positions.shape)
    rows = [by_size(of_trial[:, 0], of_trial[:, 1], test.positions) for of_trial in outputs]
    count = sum(int(np.prod(leaf.shape)) for leaf in jax.tree.leaves(structure))
    stored = {
        name: Array(np.stack([row[name] for row in rows]), ("member", "size"), "mm", text)
        for name, text in METRICS.items()
    }
    relative = np.stack([row["equivariance_error"] for row in rows])
    work = batch_training_multiplications(own, settings, num, structure, (), data)
    return {
        "members": Array(np.asarray(trials), ("member",), "1", "index over all trials"),
        **stored,
        "equivariance_error": Array(relative, ("member", "size"), "1", "of predictions under the reflection of poses"),
        "initial_equivariance_error": Array(
            before.max(1), ("member",), "1", "before training, largest of networks; -1 where none is due"
        ),
        "num_parameters": Array(np.asarray([count]), ("one",), "1", "of one network"),
        "multiplications": Array(np.asarray([work]), ("one",), "1", "in matrix products, training one network"),
    }


def predictor(
    network: JointNetwork, data: PoseData
) -> Callable[[Any, Float[np.ndarray, "N J 2"]], Float[np.ndarray, "N J 3"]]:
    """Returns parameters and joints in images to joints in space, in millimetres."""
    module = JointNet(network)

    @jax.jit
    def forward(parameters: Any, seen: JaxArray) -> Any:
        return data.size * module.apply(parameters, seen / data.input_size)  # pyright: ignore[reportOperatorIssue]

    def predict(parameters: Any, seen: np.ndarray) -> np.ndarray:
        parts = [seen[first : first + TEST_BATCH] for first in range(0, len(seen), TEST_BATCH)]
        return np.concatenate([np.asarray(forward(parameters, jnp.asarray(part))) for part in parts])

    return predict


def _words(stage: PosesStage, found: Divergence) -> str:
    trial, network = divmod(found.member, stage.network.networks)
    return (
        f"trial {trial} of arm {stage.arm}, network {network}: the training loss is {found.loss} in epoch "
        f"{found.epoch}; nothing was written. Lower train.learning_rate ({stage.train.learning_rate:g})."
    )

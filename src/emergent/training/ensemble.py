"""Ensembles of any Flax network on any arrays, from Python: the engine of the pipeline without its files."""

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import linen as nn
from flax import traverse_util
from jaxtyping import Float

from emergent.config.training import Training
from emergent.domains.protocols import TrainingData
from emergent.models.size import CONVOLUTION, operations
from emergent.training.engine import BlockResult, Divergence, Strategy, default_strategy, train_members
from emergent.training.program import KeyNames, Program, segments
from emergent.training.step import Learner, learning_rate, make_optimiser, network_gradient


def train_ensemble(
    module: nn.Module,
    training: Training,
    data: TrainingData,
    members: Sequence[int],
    seed: int = 0,
    name: str = "network",
    strategy: Strategy | None = None,
) -> BlockResult:
    """Returns trained members of an ensemble.

    A member is the same network whatever others are trained beside it: members 0 to 9 are the first ten of a thousand.

    Args:
        module: network, from inputs [N, ...] to outputs [N, K].
        training: loss, optimiser, batches, epochs and checkpoints.
        data: resident training set with its augmentation, e.g. of ``emergent.domains.arrays.array_data``.
        members: indices over the whole ensemble.
        seed: of initial parameters, order of samples and augmentation.
        name: part of all random keys; networks under different names are independent.
        strategy: ``members`` one after another, or ``block`` in one program; None chooses by backend.

    Raises:
        DataError: a member's loss is not finite, or the batch exceeds the data.
    """
    num_steps = sum(segment.num_steps for segment in segments(training, data.num_samples))
    learner = Learner(
        lambda key, sample, given: (module.init(key, sample), ()),
        network_gradient(module, training.loss),
        make_optimiser(training.optimiser, learning_rate(training, num_steps), training.momentum),
        has_convolutions=CONVOLUTION in operations(module, data.example()),
    )
    vectorised = (strategy or default_strategy()) == "block"
    program = Program(training, learner, data.num_samples, vectorised)

    def words(found: Divergence) -> str:
        return (
            f"member {found.member} of {name}: the training loss is {found.loss} in epoch {found.epoch}. "
            f"Lower the learning rate ({training.learning_rate})."
        )

    names = KeyNames(seed, name, name, name)
    return train_members(program, names, tuple(members), data, words, in_flight=len(members))


def member_outputs(
    module: nn.Module, block: BlockResult, inputs: Float[np.ndarray, "N ..."], checkpoint: int = -1
) -> Float[np.ndarray, "M N K"]:
    """Returns the outputs of every member on some inputs; their mean over members is that of the ensemble.

    Args:
        module: the network that was trained.
        block: its members.
        inputs: as in training.
        checkpoint: position among ``block.epochs``.
    """
    parameters = {name: jnp.asarray(values[checkpoint]) for name, values in block.parameters.items()}
    apply = jax.jit(jax.vmap(module.apply, (0, None)))
    outputs: Any = apply(traverse_util.unflatten_dict(parameters, sep="/"), jnp.asarray(inputs))
    return np.asarray(outputs)

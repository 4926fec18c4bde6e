"""Pendulums of a trial: pieces of motion that are learnt, and three tests of trajectories that are followed."""

from typing import NamedTuple

import jax
import numpy as np
from jaxtyping import Float

from emergent.config.unit_dynamics_training import UnitStage
from emergent.dynamics.springs import Springs, UnitChange, draw_springs
from emergent.dynamics.trajectories import draw_pieces
from emergent.prng import member_key
from emergent.training.motion_trials import named_trial

# All arms learn from the same trajectories.
DATA = "data"


class Followed(NamedTuple):
    """A test.

    Attributes:
        truth: trajectories.
        springs: constants of their pendulums.
        units: what states are divided by before they are compared; None for nothing.
    """

    truth: Float[np.ndarray, "S T 12"]
    springs: Springs
    units: Float[np.ndarray, "S 1 12"] | None = None


class Trial(NamedTuple):
    """What a trial learns from and is tested on, alike for all arms.

    Attributes:
        learnt: pieces.
        springs: constants of their pendulums.
        mass_units: by how many new units of mass an old one is in the second test, for each trajectory.
        tests: in the order of ``TESTS``.
    """

    learnt: Float[np.ndarray, "N P 12"]
    springs: Springs
    mass_units: Float[np.ndarray, " S"]
    tests: tuple[Followed, Followed, Followed, Followed]


def draw_trial(stage: UnitStage, trial: int) -> Trial:
    """Returns the trajectories of a trial. Those of tests begin where pieces do, at random times.

    Raises:
        DataError: one leaves the range of numbers (names trial, arm, trajectory and time).
    """
    given = stage.pendulums
    key = member_key(stage.seed, stage.experiment, DATA, trial, "initialise")
    # One generator each, so that the number of one does not move the others.
    seeds = np.random.SeedSequence(np.asarray(jax.random.key_data(key)).tolist()).spawn(4)
    learning, testing, units, wide = (np.random.default_rng(seed) for seed in seeds)

    def draw(
        num: int, constants: tuple[float, float], generator: np.random.Generator, follow: bool
    ) -> tuple[np.ndarray, np.ndarray, Springs]:
        springs = draw_springs(num, *constants, given.gravity, generator)
        pieces, followed = draw_pieces(
            num, given.num_times, given.piece, given.interval, given.tolerance, generator, springs, follow
        )
        return pieces, followed, springs

    with named_trial(stage.arm, trial):
        pieces, _, springs = draw(given.num_train, given.constants, learning, False)
        _, truth, own = draw(given.num_test, given.constants, testing, True)
        _, other_truth, others = draw(given.num_test, given.wide, wide, True)
    factors = units.uniform(*given.mass_units, given.num_test)
    change = mass_change(factors)
    # Newton's laws hold in all units: these are the same trajectories.
    new = np.asarray(change.of_state())[:, None]
    moved = Followed(truth * new, change.of_springs(own))
    tests = Followed(truth, own), moved, moved._replace(units=new), Followed(other_truth, others)
    return Trial(pieces, springs, factors, tests)


def mass_change(factors: Float[np.ndarray, " N"]) -> UnitChange:
    """Returns changes of the unit of mass alone."""
    ones = np.ones_like(factors)
    return UnitChange(factors, ones, ones)  # pyright: ignore[reportArgumentType]

"""Entries of ``config/figures.yaml`` on motion that is learnt."""

from typing import Literal

from emergent.config.figure_entry import Figure, Table
from emergent.config.figure_options import NoOptions


class ErrorOverTime(Figure):
    """Errors of rollouts against time; below, what they keep of angular momentum and how equivariant ensembles are."""

    plot: Literal["error_over_time"]
    options: NoOptions = NoOptions()


class PhasePortraits(Figure):
    """One rollout in the plane of a position and its momentum: the truth, and the first arm of each family."""

    plot: Literal["phase_portraits"]
    options: NoOptions = NoOptions()


class MotionTable(Table):
    """Errors of rollouts by way to learn and family, with published values."""

    plot: Literal["motion_table"]
    options: NoOptions = NoOptions()


class FollowedElsewhere(Figure):
    """Errors of rollouts of pendulums as in training, in other units, and of others; errors under changes of units."""

    plot: Literal["followed_elsewhere"]
    options: NoOptions = NoOptions()


class ElsewhereTable(Table):
    """The same errors, with published values."""

    plot: Literal["elsewhere_table"]
    options: NoOptions = NoOptions()


DynamicsEntry = ErrorOverTime | PhasePortraits | MotionTable | FollowedElsewhere | ElsewhereTable
"""All of them."""

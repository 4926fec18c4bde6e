"""Looks of arms: colour, line and marker by their position in the experiment, names by its configuration."""

from collections.abc import Sequence
from typing import Literal, NamedTuple

from matplotlib.lines import Line2D

from emergent.config.stages import ArmFacts
from emergent.figures import style
from emergent.figures.facts import Inputs

Dashes = Literal["-", "--", "-.", ":"]
_COLORS = ("#1f77b4", "#ff7f0e", "#2ca02c", "red", style.PURPLE, "#8c564b", "#17becf", "#7f7f7f")
_LINES: tuple[Dashes, ...] = ("-", "--", "-.", ":")
_MARKERS = ("o", "s", "^", "D", "v", "P", "X", "<")


class ArmLook(NamedTuple):
    """How one arm is drawn and called.

    Attributes:
        color: of lines and filled markers.
        line: line style.
        marker: shape, also of the published values.
        label: name in legends.
        word: name in tables, which set no mathematics.
        short: name where space is scarce.
    """

    color: str
    line: Dashes
    marker: str
    label: str
    word: str
    short: str


def arm_looks(inputs: Inputs) -> dict[str, ArmLook]:
    """Returns the looks of every arm of the experiments, in their order."""
    return {arm.name: _look(index, arm) for index, arm in enumerate(inputs.arms())}


def _look(index: int, arm: ArmFacts) -> ArmLook:
    return ArmLook(
        _COLORS[index % len(_COLORS)], _LINES[index % len(_LINES)], _MARKERS[index % len(_MARKERS)],
        arm.symbol or arm.label, arm.label, arm.short or arm.label,
    )  # fmt: skip


def legend_handles(looks: Sequence[ArmLook], markers: bool = True) -> list[Line2D]:
    """Returns one legend entry per arm."""
    return [
        Line2D([], [], color=look.color, linestyle=look.line, marker=look.marker if markers else "none",
               markersize=3.5, label=look.label)
        for look in looks
    ]  # fmt: skip


def curve_looks(inputs: Inputs, arms: Sequence[ArmFacts]) -> dict[str, ArmLook]:
    """Returns the looks of arms in a figure where each is one curve.

    Arms that differ in their group go by the group's colour and name, others by their own; solid lines.
    """
    groups = [arm.group for arm in arms]
    if all(groups) and len(set(groups)) == len(groups) and len(groups) > 1:
        colors, marks = style.group_colors(groups), style.markers(groups)
        names = [style.group_name(group) for group in groups]
        return {
            arm.name: ArmLook(colors[arm.group], "-", marks[arm.group], name, arm.group, arm.group)
            for arm, name in zip(arms, names, strict=True)
        }
    return {name: look._replace(line="-") for name, look in arm_looks(inputs).items()}

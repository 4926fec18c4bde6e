"""Typed names of groups, and how a group is used to augment training data."""

import zlib
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, NonNegativeInt, PositiveInt, model_validator

from emergent.config.base import Many, StrictModel
from emergent.errors import ConfigError
from emergent.point_groups import CONTINUOUS_GROUPS, group_from_name

Interpolation = Literal["bilinear", "nearest"]
Fill = Literal["background", "zero"]


def _check_group(name: str) -> str:
    if name not in CONTINUOUS_GROUPS:
        try:
            group_from_name(name)
        except ConfigError as error:
            raise ValueError(str(error)) from None
    return name


GroupName = Annotated[str, AfterValidator(_check_group)]
"""A finite group of ``emergent.point_groups`` (C4, D4, octahedral ...) or a continuous one (SO3)."""


def _check_plane(name: str) -> str:
    if name in CONTINUOUS_GROUPS or group_from_name(name).dimension != 2:
        raise ValueError(f"expected a group of the plane, C4, D4 ..., found {name!r}")
    return name


PlaneGroup = Annotated[GroupName, AfterValidator(_check_plane)]
"""A finite group that acts on images."""


def orbit_order(group: str, num_elements: int | None) -> int:
    """Returns the number of elements of an orbit: that of a finite group, or of the draws from a continuous one."""
    return num_elements if num_elements is not None else group_from_name(group).order


class UniformRotations(StrictModel):
    """Rotations drawn uniformly from a continuous group, for every sample its own; the identity is no draw.

    Attributes:
        group: SO2, the rotations of the plane.
        num: draws per sample; at least 2, because fewer say nothing of their own noise.
    """

    group: Literal["SO2"]
    num: Annotated[int, Field(ge=2)]

    @property
    def order(self) -> int:
        """Returns the number of copies of a sample: the draws, and the unrotated one that they are compared with."""
        return self.num + 1


class Augmentation(StrictModel):
    """Data augmentation by a group acting on the inputs, and on the targets where these move with them.

    Attributes:
        group: C1, C4, C16, D4, octahedral, SO3 ...
        mode: ``random`` draws one element per sample and step; ``full`` uses the whole orbit of every sample.
        elements: of a finite group, to use a part of it: positions in the group's order, the identity (0) among them.
        num_elements: of a continuous group, to use a finite part: the identity and Haar-uniform draws, made once from
            the seed; null draws anew at every access.
        interpolation: for elements that do not map the pixel lattice to itself.
        fill: what enters from outside the frame: ``background`` is a black pixel (8-bit value 0) after scaling.
    """

    group: GroupName
    mode: Literal["random", "full"]
    elements: Many[NonNegativeInt] | None = None
    num_elements: PositiveInt | None = Field(default=None)
    interpolation: Interpolation = "bilinear"
    fill: Fill = "background"

    @model_validator(mode="after")
    def _check(self) -> "Augmentation":
        continuous = self.group in CONTINUOUS_GROUPS
        if continuous and self.elements is not None:
            raise ValueError(f"elements: {self.group} is continuous; say how many with num_elements")
        if continuous and self.mode == "full" and self.num_elements is None:
            raise ValueError(f"mode: the orbit of {self.group} is infinite; use 'random' or set num_elements")
        if not continuous and self.num_elements is not None:
            raise ValueError(f"num_elements: {self.group} is finite; name its elements with 'elements'")
        if self.elements is not None:
            order = group_from_name(self.group).order
            if 0 not in self.elements:
                raise ValueError(
                    f"elements: a part of {self.group} must hold the identity, element 0; found {list(self.elements)}"
                )
            if len(set(self.elements)) != len(self.elements) or max(self.elements) >= order:
                raise ValueError(
                    f"elements: expected different numbers below {order}, the order of {self.group}; "
                    f"found {list(self.elements)}"
                )
        return self

    @property
    def order(self) -> int | None:
        """Returns the number of elements in use; None for all of a continuous group."""
        if self.elements is not None:
            return len(self.elements)
        return self.num_elements if self.group in CONTINUOUS_GROUPS else group_from_name(self.group).order

    @property
    def is_whole_group(self) -> bool:
        """Returns whether every element of a finite group is in use."""
        return self.elements is None and self.group not in CONTINUOUS_GROUPS


def augmentation_seed(seed: int) -> int:
    """Returns what the rotations of a finite part of a continuous group that augments are drawn from.

    Another seed than the experiment's own, because orbits of test sets begin with the rotations of that one, and would
    measure what was trained on.

    Args:
        seed: of the experiment.
    """
    return seed + zlib.crc32(b"augmentation")

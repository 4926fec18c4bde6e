"""Joints of a body, the groups that permute them, and its reflection.

A permutation is written as in ``emergent.groups.permutations``: ``(g x)[j] = x[g[j]]``. The reflection of a body is
more than one: it exchanges left and right and turns the horizontal coordinate about.

References:
    Huang, Levie and Villar, Approximately equivariant graph networks, NeurIPS 2023, experiment on human pose.
"""

from typing import Any

import numpy as np
from jaxtyping import Int

from emergent.config.poses import JointGroup
from emergent.config.skeletons import NUM_JOINTS
from emergent.groups.permutations import cluster_generators

JOINTS = (
    "hips", "spine", "neck", "head",
    "left shoulder", "left elbow", "left wrist", "right shoulder", "right elbow", "right wrist",
    "left hip", "left knee", "left ankle", "right hip", "right knee", "right ankle",
)  # fmt: skip
"""What joints are called, in their order; positions are relative to the first one."""
PAIRS = tuple(
    (index, JOINTS.index(name.replace("left", "right"))) for index, name in enumerate(JOINTS) if "left" in name
)
"""Left and right joints that belong together: three of the arms, then three of the legs."""
PARTS: dict[str, tuple[tuple[int, ...], ...]] = {
    "S2": ((0, 1, 2, 3, 4, 5),),
    "S2_2": ((0, 1, 2), (3, 4, 5)),
    "S2_6": ((0,), (1,), (2,), (3,), (4,), (5,)),
    "trivial": (),
}
"""Groups by pairs that are exchanged together, as positions in ``PAIRS``."""
SIDEWAYS = 0
"""Coordinate that a reflection turns about, of images and of positions."""


def exchange(pairs: tuple[int, ...]) -> Int[np.ndarray, " J"]:
    """Returns the permutation that exchanges left and right in some of ``PAIRS``, and leaves other joints."""
    order = np.arange(NUM_JOINTS)
    for pair in pairs:
        left, right = PAIRS[pair]
        order[[left, right]] = right, left
    return order


SWAP = exchange(tuple(range(len(PAIRS))))
"""Left and right exchanged in the whole body."""


def joint_generators(group: JointGroup) -> Int[np.ndarray, "K J"]:
    """Returns permutations of joints that generate a group.

    Args:
        group: ``S16`` of all permutations; ``S2`` left and right of the whole body; ``S2_2`` those of arms and of legs,
            on their own; ``S2_6`` those of every pair of joints on its own; ``trivial``.
    """
    if group == "S16":
        return cluster_generators([NUM_JOINTS])
    return np.stack([np.arange(NUM_JOINTS), *(exchange(part) for part in PARTS[group])])


def reflect(points: Any) -> Any:
    """Returns the reflection of bodies: left and right exchanged, and the horizontal coordinate turned about.

    Args:
        points: [..., J, d] in images or in space, an array of NumPy or of JAX; the result is of the same kind.
    """
    signs = np.ones(points.shape[-1], points.dtype)
    signs[SIDEWAYS] = -1
    return points[..., SWAP, :] * signs.reshape((1,) * (points.ndim - 1) + (-1,))

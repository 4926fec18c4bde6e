"""Poses that networks see: joints in images and in space, in units of their sizes, reflected at random on demand."""

from pathlib import Path
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int

from emergent import storage
from emergent.config.skeletons import NUM_JOINTS
from emergent.errors import DataError
from emergent.groups.joints import reflect


class Poses(NamedTuple):
    """Joints in images, in half images [N, J, 2], and in space, in millimetres relative to the hips [N, J, 3]."""

    seen: Float[np.ndarray, "N J 2"]
    positions: Float[np.ndarray, "N J 3"]


class PoseData(NamedTuple):
    """Resident poses for training.

    Attributes:
        inputs: joints in images in units of ``input_size``.
        targets: joints in space in units of ``size``.
        input_size: root mean square of the coordinates in images.
        size: root mean square of the coordinates in space, in millimetres.
        augmented: poses of a batch are reflected, or not, at random.
    """

    inputs: Float[Array, "N J 2"]
    targets: Float[Array, "N J 3"]
    input_size: Float[Array, ""]
    size: Float[Array, ""]
    augmented: Bool[Array, ""]

    def batch(
        self, indices: Int[Array, " B"] | None, key: jax.Array
    ) -> tuple[Float[Array, "B J 2"], Float[Array, "B J 3"]]:
        """Returns some poses, all for None, reflected at random where that is asked for."""
        inputs, targets = (
            (self.inputs, self.targets) if indices is None else (self.inputs[indices], self.targets[indices])
        )
        moved = jax.random.bernoulli(key, 0.5, (len(inputs),)) & self.augmented[None]
        moved = moved[:, None, None]
        return jnp.where(moved, reflect(inputs), inputs), jnp.where(moved, reflect(targets), targets)

    def example(self) -> Float[Array, "1 J 2"]:
        """Returns one pose as it is seen."""
        return self.inputs[:1]


def read_poses(path: Path) -> tuple[Poses, Poses]:
    """Returns poses for training and for testing.

    Raises:
        DataError: the file is missing or damaged, or holds no poses of these joints.
    """
    found = []
    with storage.open_file(path, "prepare") as file:
        for split in ("train", "test"):
            if split not in file or f"{split}/seen" not in file:
                raise DataError(
                    f"{path}: expected poses for training and testing, found {', '.join(sorted(file))}; choose a data "
                    "set of the module poses."
                )
            poses = Poses(*(storage.read_array(file, f"{split}/{name}") for name in Poses._fields))
            shapes = tuple(values.shape[1:] for values in poses)
            if shapes != ((NUM_JOINTS, 2), (NUM_JOINTS, 3)):
                raise DataError(f"{path}: expected {NUM_JOINTS} joints, found shapes {shapes}; prepare the data anew.")
            found.append(poses)
    return found[0], found[1]


def resident(train: Poses, augmented: bool) -> PoseData:
    """Returns what networks are trained on.

    Coordinates are divided by one number, and no mean is subtracted, so that permutations and reflections act as
    before.
    """
    inputs, size = (np.sqrt(np.square(values.astype(np.float64)).mean()) for values in train)
    return PoseData(
        jnp.asarray((train.seen / inputs).astype(np.float32)),
        jnp.asarray((train.positions / size).astype(np.float32)),
        jnp.asarray(np.float32(inputs)),
        jnp.asarray(np.float32(size)),
        jnp.asarray(augmented),
    )

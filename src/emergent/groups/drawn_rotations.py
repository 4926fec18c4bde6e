"""Rotations of images by angles of which every image has its own, as draws from SO(2).

Conventions, interpolation and fill are those of ``emergent.groups.images``, whose tables would be as many as there are
images and draws; here the rotated images are computed without them.
"""

from dataclasses import dataclass
from functools import partial
from typing import Literal

import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.ndimage import map_coordinates
from jaxtyping import Array, Float, Int, PRNGKeyArray, Shaped

from emergent.prng import random_index

_ORDERS = {"nearest": 0, "bilinear": 1}


@partial(jax.tree_util.register_dataclass, data_fields=["angles"], meta_fields=["frame", "interpolation", "fill"])
@dataclass(frozen=True)
class DrawnRotations:
    """Rotations of N images, an action in the sense of ``emergent.groups.actions`` on these images only.

    Attributes:
        angles: float32 [N, G], counter-clockwise in radians; 0 for element 0, which is the identity.
        frame: (H, W).
        interpolation: of pixels between the centres of others.
        fill: what enters from outside the frame.
    """

    angles: Float[Array, "N G"]
    frame: tuple[int, int]
    interpolation: Literal["bilinear", "nearest"]
    fill: float

    @classmethod
    def of(
        cls,
        angles: Float[np.ndarray, "N R"],
        frame: tuple[int, int],
        interpolation: Literal["bilinear", "nearest"],
        fill: float,
    ) -> "DrawnRotations":
        """Returns the identity and rotations by R angles for every image."""
        return cls(jnp.pad(jnp.asarray(angles, jnp.float32), ((0, 0), (1, 0))), frame, interpolation, fill)

    @property
    def order(self) -> int:
        """Returns the number of elements G, the identity among them."""
        return self.angles.shape[1]

    def draw(self, key: PRNGKeyArray, num: int) -> Int[Array, " N"]:
        """Returns one uniformly drawn element for each of ``num`` images."""
        return random_index(key, num, self.order)

    def transform(
        self, values: Shaped[Array | np.ndarray, "N H W C"], elements: Int[Array, " N"]
    ) -> Float[Array, "N H W C"]:
        """Returns every image rotated by its own element, which is one of its own."""
        angles = jnp.take_along_axis(self.angles, elements[:, None], axis=1)
        return self._rotated(values, angles)[0]

    def orbit(self, values: Shaped[Array | np.ndarray, "N H W C"]) -> Float[Array, "G N H W C"]:
        """Returns all rotated copies of every image, itself first."""
        return self._rotated(values, self.angles)

    def _rotated(self, images: Shaped[Array | np.ndarray, "N H W C"], angles: Float[Array, "N G"]) -> Array:
        expected = (self.angles.shape[0], *self.frame)
        if images.ndim != 4 or images.shape[:3] != expected:
            raise ValueError(
                f"the rotations do not fit: expected {expected[0]} images of {self.frame[0]} x {self.frame[1]} pixels, "
                f"[N, H, W, C], found shape {images.shape}."
            )
        turn = jax.vmap(self._turn, (None, 0))
        # One image at a time, so that indices and weights of all of them never exist at once.
        copies = jax.lax.map(lambda part: turn(*part), (jnp.asarray(images, jnp.float32), angles))
        return jnp.swapaxes(copies, 0, 1)

    def _turn(self, image: Float[Array, "H W C"], angle: Float[Array, ""]) -> Float[Array, "H W C"]:
        height, width = self.frame
        rows, columns = jnp.indices(self.frame, jnp.float32)
        x, y = columns - (width - 1) / 2, (height - 1) / 2 - rows
        # The value at p comes from g^-1 p.
        cosine, sine = jnp.cos(angle), jnp.sin(angle)
        source = (height - 1) / 2 - (cosine * y - sine * x), cosine * x + sine * y + (width - 1) / 2
        order = _ORDERS[self.interpolation]
        sample = partial(map_coordinates, coordinates=source, order=order, mode="constant", cval=self.fill)
        return jax.vmap(sample, -1, -1)(image)

"""Random rotations of which every image has its own: the same pictures as tables of rotations make."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from emergent.config.domains import TestSet
from emergent.config.groups import UniformRotations
from emergent.domains.images import drawn_angles
from emergent.groups.drawn_rotations import DrawnRotations
from emergent.groups.images import matrix_action
from emergent.groups.points import angle_matrices

GENERATOR = np.random.default_rng(0)
IMAGES = GENERATOR.normal(size=(3, 9, 9, 2)).astype(np.float32)
ANGLES = GENERATOR.uniform(0, 2 * np.pi, (3, 4))


@pytest.mark.parametrize("interpolation", ["bilinear", "nearest"])
def test_every_image_turns_by_its_own_angles(interpolation) -> None:
    action = DrawnRotations.of(ANGLES, (9, 9), interpolation, 0.7)
    assert action.order == 5
    found = np.asarray(jax.jit(lambda part, images: part.orbit(images))(action, IMAGES))
    assert (found[0] == IMAGES).all(), "the identity is exact"
    for n in range(3):
        tables = matrix_action(angle_matrices(ANGLES[n]), 9, 9, interpolation, 0.7)
        np.testing.assert_allclose(found[1:, n], np.asarray(tables.orbit(IMAGES[n : n + 1]))[:, 0], atol=2e-5)
    chosen = np.asarray(action.transform(IMAGES, jnp.array([0, 2, 4])))
    np.testing.assert_array_equal(chosen, np.stack([found[0, 0], found[2, 1], found[4, 2]]))


def test_other_images_are_refused() -> None:
    action = DrawnRotations.of(ANGLES, (9, 9), "bilinear", 0.0)
    for wrong in (IMAGES[:2], IMAGES[:, :7, :7]):
        with pytest.raises(ValueError, match="the rotations do not fit: expected 3 images of 9 x 9 pixels"):
            action.orbit(wrong)


def test_more_samples_and_other_conditions_keep_the_angles() -> None:
    entry = TestSet(dataset="digits", split="test", rotations=UniformRotations(group="SO2", num=6))
    angles = drawn_angles(entry, 400, seed=3)
    np.testing.assert_array_equal(angles[:50], drawn_angles(entry.model_copy(update={"fill": "zero"}), 50, seed=3))
    for other in (drawn_angles(entry, 50, 4), drawn_angles(entry.model_copy(update={"split": "train"}), 50, 3)):
        assert not np.isin(other, angles).any()
    # Uniform on the circle: the mean of exp(i k a) is 0 up to 1 / sqrt(2400).
    assert (angles >= 0).all() and (angles < 2 * np.pi + 1e-6).all()
    for k in (1, 2, 3, 4):
        assert abs(np.exp(1j * k * angles).mean()) < 4 / np.sqrt(angles.size)

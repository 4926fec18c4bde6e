"""The memory that a step on the sphere is said to take, beside what the compiler sets aside for one."""

from pathlib import Path

import jax
import jax.numpy as jnp
import pytest

from emergent.config.base import merge, read_yaml, validate
from emergent.config.spherical_images import SphericalImagesExperiment
from emergent.config.spherical_images_training import SphereStage
from emergent.config.spherical_memory import step_bytes
from emergent.domains.spherical_images import points_of
from emergent.training.spherical_images import network_of

EXPERIMENTS = Path(__file__).parents[2] / "config/experiments"


@pytest.mark.parametrize(
    ("name", "arm"),
    [("spherical_mnist", "classify_s2cnn"), ("spherical_mnist", "segment_cnn_16"), ("spherical_swin", "heal_rotated")],
)
def test_estimates_are_near_what_is_compiled(name: str, arm: str) -> None:
    """Never much below, so that what is let through fits, and never so far above that what fits is refused."""
    content = read_yaml(EXPERIMENTS / f"{name}.yaml")
    scales = content.pop("scales")
    stage = validate(SphericalImagesExperiment, merge(content, scales["laptop"]), "case").stage("train", arm)
    assert isinstance(stage, SphereStage)
    module, points = network_of(stage), points_of(stage).shape[:-1]
    batch = jax.ShapeDtypeStruct((stage.train.batch_size, *points, 1), "float32")
    weights = jax.eval_shape(module.init, jax.random.key(0), jax.ShapeDtypeStruct((1, *points, 1), "float32"))
    gradient = jax.value_and_grad(lambda w, images: jnp.square(jnp.asarray(module.apply(w, images))).sum())
    found = jax.jit(gradient).lower(weights, batch).compile().memory_analysis()
    assert found is not None
    assert 0.9 * found.temp_size_in_bytes < step_bytes(stage) < 3 * found.temp_size_in_bytes

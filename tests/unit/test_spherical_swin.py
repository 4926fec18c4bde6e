"""Transformers on the sphere: training on both grids, changes by angle, refused settings, size, and summary."""

from pathlib import Path
from typing import Any

import jax
import numpy as np
import pytest

from emergent.config.base import merge, read_yaml, validate
from emergent.config.figures import read_catalogue
from emergent.config.spherical_images import SphereSummary, SphericalImagesExperiment
from emergent.config.spherical_images_training import SphereStage
from emergent.config.spherical_memory import num_cells, swin_size
from emergent.config.swin import SwinNetwork
from emergent.domains.spherical_images import make_sets, points_of
from emergent.errors import ConfigError
from emergent.figures.drawing import Drawing
from emergent.figures.facts import Inputs, facts_of
from emergent.figures.plots import draw
from emergent.models.size import multiplications
from emergent.storage import write
from emergent.summaries.spherical_images import summarise_spherical_images
from emergent.training.spherical_images import costs, network_of, spherical_images_arrays

CONFIG = Path(__file__).parents[2] / "config"
CONTENT = read_yaml(CONFIG / "experiments/spherical_swin.yaml")
SCALES = CONTENT.pop("scales")
NUM = {"train": 32, "validation": 8, "test": 12}


def experiment(scale: str = "smoke", **delta: Any) -> SphericalImagesExperiment:
    return validate(SphericalImagesExperiment, merge(merge(CONTENT, SCALES[scale]), delta), "case")


def stage(arm: str, scale: str = "smoke", **delta: Any) -> SphereStage:
    small = (
        {"data": {"num_train": 32, "num_validation": 8, "num_test": 12, "num_moved": 12}} if scale == "smoke" else {}
    )
    found = experiment(scale, **merge(small, delta)).stage("train", arm)
    assert isinstance(found, SphereStage)
    return found


def planar() -> dict[str, tuple[np.ndarray, np.ndarray]]:
    generator = np.random.default_rng(0)
    return {part: (generator.integers(0, 255, (num, 28, 28)).astype(np.uint8), generator.integers(0, 10, num))
            for part, num in NUM.items()}  # fmt: skip


def test_both_grids_see_the_same_rotations_and_angles() -> None:
    heal, flat = (make_sets(planar(), stage(arm)) for arm in ("heal_rotated", "flat_rotated"))
    assert heal.upright.images.shape == (12, 192)
    assert flat.upright.images.shape == (12, 8, 8)
    np.testing.assert_allclose(heal.rotations.as_matrix(), flat.rotations.as_matrix())
    assert [part.images.shape for part in heal.turned] == [(12, 192)] * 2
    # A small turn changes images less than a large one.
    small, large = (np.square(part.images - heal.upright.images.astype(float)).mean() for part in heal.turned)
    assert 0 < small < large
    np.testing.assert_array_equal(heal.turned[0].targets, heal.upright.targets)
    np.testing.assert_allclose(np.linalg.norm(points_of(stage("heal_rotated")), axis=-1), 1)


def test_networks_do_not_depend_on_their_block_and_tables_hold_angles(tmp_path: Path) -> None:
    blocks, study = {}, experiment(data={"num_train": 32, "num_validation": 8, "num_test": 12, "num_moved": 12})
    for arm in ("heal_rotated", "flat_rotated"):
        settings = stage(arm)
        both, _ = spherical_images_arrays(settings, range(2), planar())
        assert both["moved_by_angle_1"].values.shape == (2, 2) and both["moved_by_angle_2"].values.shape == (1, 2)
        assert (both["moved_by_angle_1"].values > 0).all()
        if arm == "heal_rotated":
            second, _ = spherical_images_arrays(settings.model_copy(update={"ensemble_sizes": (1,)}), [1], planar())
            np.testing.assert_allclose(
                both["moved_by_angle_1"].values[1:], second["moved_by_angle_1"].values, rtol=2e-3
            )
        blocks[arm] = [tmp_path / f"{arm}.h5"]
        write(blocks[arm][0], stage="train", attributes={}, arrays=both)
    summary = study.stage("summary")
    assert isinstance(summary, SphereSummary)
    tables = summarise_spherical_images(summary, blocks, {})
    assert len(tables["angles"]) == 2 * 2 * 2 and set(tables["angles"]["angle"]) == {10, 90}
    quantities = tables["quantities"].set_index("name")["value"]
    row = tables["angles"].query("arm == 'heal_rotated' and ensemble_size == 2 and angle == 90").iloc[0]
    assert quantities["moved_at/heal_rotated/2/90"] == pytest.approx(row["mean"])
    entry = read_catalogue(CONFIG / "figures.yaml")["shifted_windows"]
    drawn = draw(entry, Inputs(tables, (facts_of(summary),)), {})
    assert isinstance(drawn, Drawing) and drawn.facts["ensemble_size"] == "2"


@pytest.mark.parametrize("arm", ["heal", "flat"])
@pytest.mark.parametrize("scale", ["laptop", "paper"])
def test_size_is_that_of_the_network(arm: str, scale: str) -> None:
    """Counted from shapes alone: nothing of that size is made."""
    given = stage(arm, scale)
    assert isinstance(given.network, SwinNetwork)
    size = swin_size(given.network, num_cells(given.network, given.bandwidth))
    found = costs(given)
    assert (found["num_parameters"].values[0], found["inference"].values[0]) == (size.parameters, size.multiplications)
    module, image = network_of(given), jax.ShapeDtypeStruct((1, *points_of(given).shape[:-1], 1), "float32")
    parameters = jax.eval_shape(module.init, jax.random.key(0), image)
    assert multiplications(module.apply, parameters, image) == size.multiplications


@pytest.mark.parametrize(
    ("delta", "words"),
    [
        (
            {"arms": {"heal_rotated": {"network": {"nside": 6}}}},
            "nside: expected squares with a side of a power of two (1, 2, 4, ...), found 6",
        ),
        (
            {"bandwidth": {"classify": 5}},
            "arms.flat_rotated.network: a grid of 2 x 5 points a side (bandwidth.classify): expected squares with a",
        ),
        ({"arms": {"flat_rotated": {"task": "segment"}}}, "networks with shifted windows classify, found 'segment'"),
        ({"arms": {"heal_rotated": {"network": {"window": 64}}}}, "window: expected at most 4 cells"),
        ({"data": {"angles": [90, 10]}}, "angles: expected ascending numbers, found [90, 10]"),
        ({"data": {"angles": [200]}}, "angles"),
    ],
)
def test_bad_settings_are_refused(delta: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigError) as caught:
        experiment(**delta)
    assert words in str(caught.value)

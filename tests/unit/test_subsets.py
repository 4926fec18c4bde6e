"""Finite parts of the rotations that augment training: names, elements, and the angle within which they cover space."""

from pathlib import Path

import numpy as np
import pytest

from emergent.config.groups import Augmentation
from emergent.config.stages import TrainStage
from emergent.config.study import StudyBase
from emergent.config.subsets import require_names, subset_name
from emergent.domains.space import training_action
from emergent.errors import ConfigError
from emergent.groups.actions import MatrixAction
from emergent.kinds import load_experiment
from emergent.point_groups import fixed_rotations, group_from_name
from emergent.summaries.subsets import covering_angle, subset_columns, subset_matrices

EXPERIMENTS = Path(__file__).parents[2] / "config/experiments"
SEED = 181
# Corners of the cells of unit quaternions: of the 24-cell, of the 48 of the octahedron (truncated cubes, whose corners
# are (1, t, t, t^2) with t = tan 22.5 degrees), and of the 600-cell.
TAN = np.sqrt(2) - 1
EXACT = {
    "tetrahedral": 90.0,
    "octahedral": np.degrees(2 * np.arccos(1 / np.sqrt(1 + 2 * TAN**2 + TAN**4))),
    "icosahedral": np.degrees(2 * np.arccos((3 + np.sqrt(5)) / (4 * np.sqrt(2)))),
}


def sampled(rotations: np.ndarray, num: int = 20_000) -> float:
    """The largest angle of many random rotations to the nearest of some, at most the covering angle."""
    others = fixed_rotations(5, num + 1)[1:]
    traces = others.reshape(num, 9) @ rotations.reshape(-1, 9).T
    return float(np.degrees(np.arccos(np.clip((traces.max(1) - 1) / 2, -1, 1))).max())


@pytest.mark.parametrize("name", EXACT)
def test_covering_angles_of_solids(name: str) -> None:
    rotations = group_from_name(name).matrices
    np.testing.assert_allclose(covering_angle(rotations), EXACT[name], rtol=1e-7)
    # A set that is turned covers as well.
    turned = fixed_rotations(3, 2)[1] @ rotations
    np.testing.assert_allclose(covering_angle(turned), EXACT[name], rtol=1e-7)


def test_sets_that_leave_half_turns() -> None:
    assert covering_angle(np.eye(3)[None]) == 180
    # All about one axis: half turns about others are half a turn from each of them.
    about_z = [[[c, -s, 0], [s, c, 0], [0, 0, 1]] for c, s in ((1, 0), (0, 1), (-1, 0), (0, -1))]
    assert covering_angle(np.array(about_z, float)) == 180


@pytest.mark.parametrize("num", [4, 8, 12, 60])
def test_covering_angles_are_those_of_the_farthest_rotations(num: int) -> None:
    rotations = fixed_rotations(SEED, num)
    exact, least = covering_angle(rotations), sampled(rotations)
    # One of 20000 random rotations lies within 6 degrees of any other.
    assert least <= exact + 1e-9 and exact - least < 6
    assert exact <= covering_angle(rotations[:4]) + 1e-9
    np.testing.assert_allclose(covering_angle(np.concatenate([rotations, rotations])), exact, rtol=1e-9)


@pytest.mark.parametrize(
    "options",
    [
        {"group": "SO3", "num_elements": 8},
        {"group": "octahedral"},
        {"group": "tetrahedral", "elements": (0,)},
        {"group": "icosahedral", "elements": (0, 7, 31)},
    ],
    ids=str,
)
def test_elements_are_those_of_training(options: dict) -> None:
    augmentation = Augmentation(mode="random", **options)
    action, found = training_action(augmentation, SEED), subset_matrices(augmentation, SEED)
    assert isinstance(action, MatrixAction) and found is not None
    np.testing.assert_allclose(found, np.asarray(action.matrices), atol=1e-7)
    cells = subset_columns(augmentation, SEED)
    assert cells == {"num_elements": augmentation.order, "covering_angle": covering_angle(found)}


def test_groups_without_a_covering_angle() -> None:
    everything = Augmentation(group="SO3", mode="random")
    assert subset_matrices(everything, SEED) is None and subset_columns(everything, SEED)["covering_angle"] == 0
    planar = subset_columns(Augmentation(group="C4", mode="full"), SEED)
    assert planar["num_elements"] == 4 and np.isnan(planar["covering_angle"])


def test_names() -> None:
    names = {
        "octahedral": {"group": "octahedral"},
        "tetrahedral_3": {"group": "tetrahedral", "elements": (0, 2, 5)},
        "identity": {"group": "tetrahedral", "elements": (0,)},
        "so3_8": {"group": "SO3", "num_elements": 8},
        "so3": {"group": "SO3"},
    }
    augmentations = [Augmentation(mode="random", **options) for options in names.values()]
    assert [subset_name(augmentation) for augmentation in augmentations] == list(names)
    require_names([*augmentations, *augmentations])
    other = Augmentation(group="tetrahedral", mode="random", elements=(0, 2, 4))
    with pytest.raises(ValueError, match="both called 'tetrahedral_3'"):
        require_names([*augmentations, other])


def test_an_experiment_whose_parts_have_one_name_is_refused(tmp_path: Path) -> None:
    text = (EXPERIMENTS / "cross_product_subsets.yaml").read_text()
    (tmp_path / "cross_product_subsets.yaml").write_text(text.replace("num_elements: 8", "num_elements: 4"))
    assert load_experiment(tmp_path, "cross_product_subsets", "paper")
    changed = text.replace("{group: octahedral, mode: random}", "{group: tetrahedral, mode: full}")
    (tmp_path / "cross_product_subsets.yaml").write_text(changed)
    with pytest.raises(ConfigError, match="both called 'tetrahedral'"):
        load_experiment(tmp_path, "cross_product_subsets", "paper")


def trained(study: StudyBase, arm: str) -> TrainStage:
    stage = study.stage("train", arm)
    assert isinstance(stage, TrainStage)
    return stage


def test_every_part_is_trained_at_two_widths_for_as_many_steps() -> None:
    study = load_experiment(EXPERIMENTS, "cross_product_subsets", "laptop")
    stages = [trained(study, arm) for arm in study.arms_of("train")]
    by_subset: dict[str, list[int | None]] = {}
    for stage in stages:
        assert stage.augmentation.mode == "random" and stage.train == stages[0].train
        by_subset.setdefault(subset_name(stage.augmentation), []).append(stage.model.hidden_width)
    subsets = ["identity", "so3_4", "so3_8", "so3_12", "tetrahedral", "octahedral", "icosahedral"]
    assert list(by_subset) == subsets and all(widths == [128, 256] for widths in by_subset.values())
    # As many augmented pairs as in the experiment that it follows.
    followed = trained(load_experiment(EXPERIMENTS, "cross_product", "laptop"), "mlp_128")
    assert stages[0].train.num_epochs == followed.train.num_epochs * (followed.augmentation.order or 0)
    assert stages[0].train.model_copy(update={"num_epochs": followed.train.num_epochs}) == followed.train

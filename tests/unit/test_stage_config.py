"""What each stage depends on: a setting that a stage does not read must not appear in its configuration."""

from pathlib import Path
from typing import Any

import pytest

from emergent.config.base import canonical_json, merge, validate
from emergent.errors import ConfigError
from emergent.kinds import KINDS, kind_of, load_experiment

EXPERIMENTS = Path(__file__).parents[2] / "config" / "experiments"
NAMES = ("cnn_gcnn", "fashion_mnist", "ising")


def stages(name: str, delta: dict[str, Any] | None = None) -> dict[str, str]:
    """The canonical JSON of every stage, as ``stage`` or ``stage/arm``, with a delta laid over the experiment."""
    experiment = load_experiment(EXPERIMENTS, name, "laptop")
    content = merge(experiment.model_dump(mode="json"), delta or {})
    experiment = validate(KINDS[content["kind"]].config, content, name)
    result = {
        f"{stage}/{arm}": experiment.stage(stage, arm)
        for stage in kind_of(experiment).verbs
        for arm in experiment.arms_of(stage)
    }
    result["summary"] = experiment.stage("summary")
    return {key: canonical_json(value) for key, value in result.items()}


def changed_stages(name: str, delta: dict[str, Any]) -> set[str]:
    before, after = stages(name), stages(name, delta)
    return {key for key in before if before[key] != after[key]}


def every(stage: str, name: str) -> set[str]:
    return {key for key in stages(name) if key.startswith(stage)}


@pytest.mark.parametrize("name", NAMES)
def test_nothing_changes_by_itself(name: str) -> None:
    assert changed_stages(name, {}) == set()


@pytest.mark.parametrize("name", NAMES)
def test_number_of_members_concerns_the_summary_only(name: str) -> None:
    num = load_experiment(EXPERIMENTS, name, "laptop").members.num
    assert changed_stages(name, {"members": {"num": 3 * num}}) == {"summary"}


@pytest.mark.parametrize("name", NAMES)
def test_block_size_concerns_no_stage(name: str) -> None:
    assert changed_stages(name, {"members": {"block": 1}}) == set()


@pytest.mark.parametrize(
    "delta",
    [
        {"evaluate": {"max_ensembles": 3}},
        {"evaluate": {"ensemble_sizes": [2, 5], "reference_ensemble_size": 5}},
        {"evaluate": {"member_metrics": ["orbit_same_predictions"]}},
        {"evaluate": {"batch_size": 77}},
        {"data": {"evaluate": {"mnist": {"num": 50}}}},
        {"data": {"evaluate": {"more": {"dataset": "mnist", "split": "train", "role": "ood"}}}},
    ],
)
def test_settings_of_the_evaluation_leave_training_alone(delta: dict[str, Any]) -> None:
    changed = changed_stages("fashion_mnist", delta)
    assert every("evaluate", "fashion_mnist") <= changed
    assert not every("train", "fashion_mnist") & changed


@pytest.mark.parametrize(
    "delta",
    [
        {"title": "Another"},
        {"assumed": []},
        {"evaluate": {"reference_ensemble_size": 5}},
        {"data": {"evaluate": {"mnist": {"primary": False}}}},
        {"data": {"evaluate": {"mnist": {"role": "train"}}}},
    ],
)
def test_what_only_the_summary_reads(delta: dict[str, Any]) -> None:
    assert changed_stages("fashion_mnist", delta) == {"summary"}


def test_learning_rate_concerns_training_and_the_prediction() -> None:
    assert changed_stages("ising", {"train": {"learning_rate": 1.0}}) == every("train", "ising") | {
        "predict/mlp_512",
        "summary",
    }
    # The summary lists assumed settings with their values; without that entry it does not change.
    without = {"train": {"learning_rate": 0.01}}
    assert changed_stages("fashion_mnist", without) == every("train", "fashion_mnist")


def test_one_arm_leaves_the_others_alone() -> None:
    delta = {"arms": {"cnn_c8": {"model": {"dense": [32]}, "augmentation": {"mode": "full"}}}}
    assert changed_stages("fashion_mnist", delta) == {"train/cnn_c8", "evaluate/cnn_c8"}
    assert changed_stages("fashion_mnist", {"arms": {"cnn_c8": {"orbit_group": "C4"}}}) == {
        "evaluate/cnn_c8",
        "summary",
    }
    assert changed_stages("cnn_gcnn", {"arms": {"gcnn": {"model": {"weight_std": 1.0}}}}) == {
        "train/gcnn",
        "evaluate/gcnn",
    }
    new = {"arms": {"cnn_new": {"model": {"family": "mlp", "width": 3, "num_outputs": 10}, "augmentation": {}}}}
    new["arms"]["cnn_new"]["augmentation"] = {"group": "C4", "mode": "random"}
    assert changed_stages("fashion_mnist", new) == {"summary"}


def test_shared_initialisation_concerns_training_of_that_arm() -> None:
    assert changed_stages("fashion_mnist", {"arms": {"cnn_c4": {"share_initialisation": "other"}}}) >= {"train/cnn_c4"}
    experiment = load_experiment(EXPERIMENTS, "fashion_mnist", "laptop")
    assert experiment.stage("train", "cnn_c4").initialisation == "cnn"
    experiment = load_experiment(EXPERIMENTS, "cnn_gcnn", "laptop")
    assert experiment.stage("train", "gcnn").initialisation == "gcnn"


def test_prediction_depends_on_its_own_settings_and_on_no_other_arm() -> None:
    tiles = {"arms": {"mlp_512": {"infinite_width": {"tile_size": 7}}}}
    assert changed_stages("ising", tiles) == {"predict/mlp_512"}
    assert "predict/mlp_512" not in changed_stages("ising", {"arms": {"mlp_1024": {"model": {"width": 513}}}})
    assert "predict/mlp_512" in changed_stages("ising", {"train": {"num_epochs": 500}})


def test_seed_and_data_concern_everything_below_them() -> None:
    assert changed_stages("ising", {"seed": 1}) == set(stages("ising"))
    assert changed_stages("fashion_mnist", {"data": {"train": {"num": 100}}}) >= every(
        "train", "fashion_mnist"
    ) | every("evaluate", "fashion_mnist")


def test_evaluation_turns_by_the_orbit_group_and_training_by_the_augmentation() -> None:
    experiment = load_experiment(EXPERIMENTS, "cnn_gcnn", "smoke")
    assert experiment.stage("train", "gcnn").augmentation.group == "C1"
    assert experiment.stage("evaluate", "gcnn").orbit.group == "C4"
    assert [(arm.name, arm.group, arm.order) for arm in experiment.stage("summary").arms] == [
        ("cnn", "C4", 4),
        ("gcnn", "C4", 4),
    ]


def test_summary_keeps_the_order_of_arms_and_data() -> None:
    summary = load_experiment(EXPERIMENTS, "fashion_mnist", "laptop").stage("summary")
    again = type(summary).model_validate_json(canonical_json(summary))
    assert [arm.name for arm in again.arms] == ["cnn_c4", "cnn_c8", "cnn_c16"]
    assert again.data[0].name == "fashion_mnist"


def test_stages_that_do_not_exist() -> None:
    experiment = load_experiment(EXPERIMENTS, "fashion_mnist", "smoke")
    with pytest.raises(ConfigError, match="arm: expected one of cnn_c4, cnn_c8, cnn_c16, found 'cnn_c5'"):
        experiment.stage("train", "cnn_c5")
    with pytest.raises(ConfigError, match="found None"):
        experiment.stage("evaluate")
    with pytest.raises(ConfigError, match="arm cnn_c4: no stage 'trian'"):
        experiment.stage("trian", "cnn_c4")
    with pytest.raises(ConfigError, match="arm cnn_c4: no stage 'predict'"):
        experiment.stage("predict", "cnn_c4")


def test_datasets_of() -> None:
    experiment = load_experiment(EXPERIMENTS, "cnn_gcnn", "laptop")
    assert experiment.dataset_names("evaluate") == ["gaussian_fields_28", "mnist"]
    assert experiment.dataset_names("train") == ["mnist"]


def test_readings_are_data_sets_of_the_prediction_only() -> None:
    content = load_experiment(EXPERIMENTS, "ising", "laptop").model_dump(mode="json")
    readings = {"arms": {"mlp_512": {"infinite_width": {"readings": ["ising_l5_iid"]}}}}
    experiment = validate(KINDS["orbit_spread"].config, merge(content, readings), "ising")
    assert "ising_l5_iid" in experiment.dataset_names("predict")
    assert "ising_l5_iid" not in experiment.dataset_names("evaluate")
    assert changed_stages("ising", readings) == {"predict/mlp_512"}

"""Kinds of experiments behind one door, and changes to them at run time."""

import itertools
from pathlib import Path

import pytest

from emergent.config.base import canonical_json
from emergent.config.overrides import Overrides
from emergent.config.study import SCALES
from emergent.errors import ConfigError
from emergent.kinds import KINDS, experiment_names, kind_of, load_experiment

EXPERIMENTS = Path(__file__).parents[2] / "config" / "experiments"
ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize("name", experiment_names(EXPERIMENTS))
def test_every_experiment_answers_the_workflow(name: str, scale: str) -> None:
    study = load_experiment(EXPERIMENTS, name, scale)
    assert study.arm_names
    for stage, verb in kind_of(study).verbs.items():
        assert (ROOT / f"src/emergent/cli/{verb}.py").exists()
        assert study.dataset_names(stage) == sorted(study.dataset_names(stage))
        for arm in study.arms_of(stage):
            settings = study.stage(stage, arm)
            assert (settings.stage, settings.arm) == (stage, arm)
            # The verb reads back what the plan wrote.
            assert type(settings).model_validate_json(canonical_json(settings)) == settings
            # A larger ensemble adds blocks and recomputes none.
            more = study.model_copy(update={"members": study.members.model_copy(update={"num": 7 * study.members.num})})
            assert more.stage(stage, arm) == settings
    summary = study.stage("summary")
    assert type(summary) is kind_of(study).settings
    assert type(summary).model_validate_json(canonical_json(summary)) == summary
    assert [arm.name for arm in summary.arms] == list(study.arm_names) and summary.num_members == study.members.num
    named = {dataset for dataset, _ in study.splits_used()}
    assert named >= set(study.dataset_names("train"))


def test_every_kind_has_a_summary_and_calls_itself_by_its_name() -> None:
    for name, kind in KINDS.items():
        assert callable(kind.summary())
        assert kind.config.model_fields["kind"].annotation.__args__ == (name,)


def test_first_members_keep_the_ensembles_they_fill() -> None:
    whole = load_experiment(EXPERIMENTS, "nordenfors_c4", "paper")
    first = load_experiment(EXPERIMENTS, "nordenfors_c4", "paper", Overrides(members=30, block=10))
    assert (first.members.num, first.members.block) == (30, 10)
    assert first.stage("summary").bootstrap.sizes == (5, 10, 25)
    for stage in ("train", "evaluate"):
        assert first.stage(stage, "sym") == whole.stage(stage, "sym")


def test_one_block_size_serves_experiments_of_all_sizes() -> None:
    for name, expected in {"fashion_mnist": (100, 50), "fashion_mnist_rivals": (20, 20)}.items():
        members = load_experiment(EXPERIMENTS, name, "paper", Overrides(block=50)).members
        assert (members.num, members.block) == expected


def test_more_members_add_ensembles_that_they_fill_and_keep_the_block() -> None:
    few = load_experiment(EXPERIMENTS, "nordenfors_c4", "laptop")
    more = load_experiment(EXPERIMENTS, "nordenfors_c4", "laptop", Overrides(members=60))
    assert (more.members.num, more.members.block) == (60, few.members.block)
    assert few.stage("summary").bootstrap.sizes == (2, 5, 10)
    assert more.stage("summary").bootstrap.sizes == (2, 5, 10, 25, 50)
    assert load_experiment(EXPERIMENTS, "flinth_subspace", "laptop", Overrides(members=6)).members.num == 6
    with pytest.raises(ConfigError, match="found 7; use 6 or 12"):
        load_experiment(EXPERIMENTS, "flinth_subspace", "laptop", Overrides(members=7))
    for stage in ("train", "evaluate"):
        assert more.stage(stage, "sym") == few.stage(stage, "sym")


def test_fewer_members_than_a_block_shrink_the_block() -> None:
    assert load_experiment(EXPERIMENTS, "nordenfors_c4", "paper", Overrides(members=7)).members.block == 7


def test_too_few_members_for_any_ensemble() -> None:
    with pytest.raises(ConfigError, match="no ensemble size is left with 3 members; use more"):
        load_experiment(EXPERIMENTS, "nordenfors_c4", "paper", Overrides(members=3))


def test_fewer_samples_of_every_evaluation_set() -> None:
    study = load_experiment(EXPERIMENTS, "nordenfors_c16_nearest", "paper", Overrides(samples=300))
    assert {part.num for part in study.data.evaluate.values()} == {300}
    assert not any(facts.whole for facts in study.summary_stage().data)
    laptop = load_experiment(EXPERIMENTS, "nordenfors_c16_nearest", "laptop", Overrides(samples=300))
    assert {part.num for part in laptop.data.evaluate.values()} == {250, 300}
    # What has no such sets stays as it is.
    flow = [load_experiment(EXPERIMENTS, "nordenfors_flow", "laptop", Overrides(samples=num)) for num in (None, 300)]
    assert flow[0] == flow[1]


def test_all_arms_at_a_scale_that_leaves_some_out() -> None:
    """In the order of the experiment; those that the scale has stay as it has them."""
    few = load_experiment(EXPERIMENTS, "nordenfors_c16_nearest", "laptop")
    every = load_experiment(EXPERIMENTS, "nordenfors_c16_nearest", "laptop", Overrides(all_arms=True))
    assert few.arm_names == ("sym", "cnn")
    assert every.arm_names == ("sym", "asym_invariant_init", "asym", "cnn")
    for stage, arm in itertools.product(("train", "evaluate"), few.arm_names):
        assert every.stage(stage, arm) == few.stage(stage, arm)
    assert load_experiment(EXPERIMENTS, "nordenfors_flow", "laptop", Overrides(all_arms=True)).arm_names


def test_other_epochs_bring_checkpoints_and_resampling() -> None:
    def epochs(
        num: int | None, name: str = "nordenfors_c16_nearest"
    ) -> tuple[int, tuple[int, ...] | None, tuple[int, ...]]:
        study = load_experiment(EXPERIMENTS, name, "laptop", Overrides(epochs=num))
        train = study.stage("train", "sym").train
        return train.num_epochs, train.checkpoints, study.stage("summary").bootstrap.epochs

    assert epochs(None) == epochs(4) == (4, (0, 1, 2, 3, 4), (4,))
    assert epochs(10) == (10, (0, 1, 2, 3, 4, 6, 8, 10), (4, 10))
    assert epochs(7) == (7, (0, 1, 2, 3, 4, 6, 7), (4, 7))
    assert epochs(12) == (12, (0, 1, 2, 3, 4, 6, 8, 10, 12), (4, 10, 12))
    assert epochs(2) == (2, (0, 1, 2), (2,))
    # Every epoch is a checkpoint here.
    assert epochs(6, "nordenfors_c4") == (6, None, (4, 6))
    # Steps of full-batch training are no epochs.
    ising = [load_experiment(EXPERIMENTS, "ising", "laptop", Overrides(epochs=num)) for num in (None, 7)]
    assert ising[0] == ising[1]


def test_substitute_takes_the_place_of_a_data_set() -> None:
    swap = Overrides(substitute={"cifar10_grey28": "cifar10_jpeg_grey28"})
    study = load_experiment(EXPERIMENTS, "nordenfors_c4", "paper", swap)
    assert study.dataset_names("evaluate") == ["cifar10_jpeg_grey28", "mnist"]
    assert "cifar10" in [data.name for data in study.stage("summary").data]


@pytest.mark.parametrize("name", sorted(KINDS))
def test_training_verbs_offer_to_resume_where_they_do(name: str) -> None:
    source = (ROOT / f"src/emergent/cli/{KINDS[name].verbs['train']}.py").read_text(encoding="utf-8")
    assert ("arguments.resume" in source) == ("resumes=True" in source) == KINDS[name].resumes

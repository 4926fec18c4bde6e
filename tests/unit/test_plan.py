"""The plan of a run: everything validated while the Snakefile is parsed, nothing computed."""

import json
import os
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml

from emergent.config.base import read_yaml
from emergent.config.prediction_memory import prediction_bytes
from emergent.config.stages import PredictStage
from emergent.config.study import SCALES
from emergent.errors import ConfigError, ResourceError
from emergent.job_memory import LEAST_MB, memory_digest, prediction_mb, require_memory
from emergent.kinds import experiment_names
from emergent.plan import Plan

CONFIG = Path(__file__).parents[2] / "config"
BASE = {"scale": "smoke", "experiments": ["ising", "fashion_mnist", "cnn_gcnn"]}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A copy of the configuration that a test may change."""
    return Path(shutil.copytree(CONFIG, tmp_path / "config"))


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch) -> None:
    # Set first, so that whatever the plan leaves there is undone afterwards.
    monkeypatch.setenv("EMERGENT_MIRROR", "")


def edit_yaml(path: Path, *keys: str, value: Any) -> None:
    content = read_yaml(path)
    target = content
    for key in keys[:-1]:
        target = target[key]
    target[keys[-1]] = value
    path.write_text(yaml.safe_dump(content))


def test_the_configuration_as_it_lies_there_is_valid() -> None:
    plan = Plan(read_yaml(CONFIG / "config.yaml"), CONFIG)
    assert plan.run.scale == "smoke"
    assert set(plan.run.experiments) <= set(plan.names)


@pytest.mark.parametrize("scale", SCALES)
def test_every_experiment_and_stage_is_planned_at_every_scale(scale: str) -> None:
    plan = Plan({"scale": scale, "experiments": experiment_names(CONFIG / "experiments"), "memory_gb": 64}, CONFIG)
    for name in plan.run.experiments:
        experiment = plan.experiment(scale, name)
        for stage in plan.kind(scale, name).verbs:
            for arm in experiment.arms_of(stage):
                content = json.loads(plan.stage_json(scale, name, stage, arm))
                assert (content["experiment"], content["stage"], content["arm"]) == (name, stage, arm)
        for dataset in plan.datasets(scale, name, "predict"):
            json.loads(plan.dataset_json(dataset, "download"))
            json.loads(plan.dataset_json(dataset, "prepare"))
            assert all(path.startswith("results/datasets/") for path in plan.raw_paths(dataset))
    assert plan.selected_figures() == list(plan.figures)
    for figure in plan.figures:
        json.loads(plan.figure_json(figure))
        assert plan.report_labels(figure)["shows"]


def test_smoke_scale_downloads_nothing_and_fits_into_two_gigabytes() -> None:
    plan = Plan(BASE | {"memory_gb": 2}, CONFIG)
    for name in plan.run.experiments:
        assert [plan.raw_paths(dataset) for dataset in plan.datasets("smoke", name, "predict")] == [[]] * len(
            plan.datasets("smoke", name, "predict")
        )


@pytest.mark.parametrize(
    ("change", "parts"),
    [
        ({"scale": "labtop"}, ["config/config.yaml", "scale", "'smoke', 'laptop' or 'paper'", "(found 'labtop')"]),
        (
            {"experiments": ["isign"]},
            [
                "no experiment 'isign'; did you mean 'ising'?",
                "There are: augmented_kernels, black_body, bundles, cnn_gcnn",
            ],
        ),
        ({"experiments": "ising"}, ["experiments", "(found 'ising')"]),
        ({"experimets": []}, ["experimets: unknown key; did you mean 'experiments'?"]),
        ({"figures": ["ising_invarance"]}, ["'ising_invarance': unknown; did you mean 'ising_invariance'?"]),
        ({"experiments": ["cnn_gcnn"], "figures": ["ising_invariance"]}, ["its experiments are off", "Possible: "]),
        ({"memory_gb": 0}, ["memory_gb", "greater than 0"]),
        ({"memory_gb": "8"}, ["memory_gb", "valid number", "(found '8')"]),
    ],
)
def test_mistakes_in_the_run_configuration(change: dict[str, Any], parts: list[str]) -> None:
    with pytest.raises(ConfigError) as caught:
        Plan(BASE | change, CONFIG).selected_figures()
    for part in parts:
        assert part in str(caught.value), caught.value


def test_mistake_in_an_experiment_is_found_before_anything_runs(folder: Path) -> None:
    edit_yaml(folder / "experiments" / "ising.yaml", "arms", "mlp_512", "model", "widht", value=4)
    with pytest.raises(ConfigError, match=r"ising\.yaml \(scale smoke\)") as caught:
        Plan(BASE, folder)
    assert "arms.mlp_512.model.widht: unknown key; did you mean 'width'?" in str(caught.value)
    # An experiment that is off is not in the way of the others.
    Plan(BASE | {"experiments": ["cnn_gcnn"]}, folder)


def test_data_set_that_is_not_registered(folder: Path) -> None:
    edit_yaml(folder / "experiments" / "ising.yaml", "data", "train", "dataset", value="isng_l4_ordered")
    with pytest.raises(ConfigError, match="no data set 'isng_l4_ordered'; did you mean 'ising_l4_ordered'"):
        Plan(BASE, folder)


@pytest.mark.parametrize(
    ("name", "keys", "value", "words"),
    [
        ("fashion_mnist", ("data", "train", "num"), 70000, r"data\.train\.num: expected at most the 60000 samples of"),
        ("traffic_week", ("arms", "full_9", "clusters"), 208, r"full_9\.clusters: expected at most the 207 sensors of"),
        ("human_pose", ("train", "batch_size"), 4001, r"train\.batch_size: expected at most the \d+ poses for"),
    ],
)
def test_more_than_the_data_hold_is_refused(
    folder: Path, name: str, keys: tuple[str, ...], value: int, words: str
) -> None:
    edit_yaml(folder / f"experiments/{name}.yaml", *keys, value=value)
    with pytest.raises(ConfigError, match=rf"{name} \(scale \w+\): .*{words}.* found {value}; lower it"):
        Plan({"scale": "paper", "experiments": [name]}, folder)


def test_split_that_does_not_exist(folder: Path) -> None:
    edit_yaml(folder / "experiments" / "ising.yaml", "data", "train", "split", value="trian")
    with pytest.raises(ConfigError, match="did you mean 'train'"):
        Plan(BASE, folder)


def test_block_that_cannot_fit_is_refused() -> None:
    with pytest.raises(ResourceError, match="not even one member fits"):
        require_memory(Plan(BASE | {"memory_gb": 0.25}, CONFIG))


def test_an_accelerator_holds_all_members_of_a_block_at_once(folder: Path) -> None:
    edit_yaml(
        folder / "experiments" / "fashion_mnist.yaml", "scales", "paper", "members", value={"num": 1000, "block": 1000}
    )
    config = {"scale": "paper", "experiments": ["fashion_mnist"], "memory_gb": 32}
    require_memory(Plan(config, folder))
    with pytest.raises(
        ResourceError, match=r"a block of 1000 members .* set members\.block to \d+ or a smaller divisor"
    ):
        require_memory(Plan(config | {"accelerator": True}, folder))


def test_what_the_memory_depends_on_is_in_its_digest() -> None:
    def digest(code: str = "code", **change: Any) -> str:
        return memory_digest(Plan(BASE | change, CONFIG), code)

    assert digest() == digest(figures=["ising_invariance"])
    changes = [{"memory_gb": 3}, {"accelerator": True}, {"experiments": ["ising"]}, {"scale": "laptop"}, {"block": 1}]
    assert len({digest(), digest("other"), *(digest(**change) for change in changes)}) == 2 + len(changes)


def test_a_metric_that_does_not_exist() -> None:
    plan = Plan(BASE, CONFIG)
    plan.require_metrics(["orbit_std", "mean_output", "orbit_same_predictions", "correct"])
    with pytest.raises(
        ConfigError, match=r"ising\.yaml: evaluate\.member_metrics: no metric 'orbit_std'; did you mean"
    ):
        plan.require_metrics(["orbit_sdt"])


def test_a_setting_is_fitted_to_claims_that_there_are(folder: Path) -> None:
    edit_yaml(folder / "experiments/ising.yaml", "assumed", value=[
        {"key": "train.learning_rate", "reason": "r", "fitted": ["ising_membrs_*"], "fitted_to": "curves"}
    ])  # fmt: skip
    with pytest.raises(ConfigError, match=r"ising\.yaml: assumed: train\.learning_rate: fitted: 'ising_membrs_\*'"):
        Plan(BASE, folder)
    edit_yaml(folder / "experiments/ising.yaml", "assumed", value=[
        {"key": "train.learning_rate", "reason": "r", "fitted": ["ising_members_*"]}
    ])  # fmt: skip
    with pytest.raises(ConfigError, match="say in fitted_to which published values"):
        Plan(BASE, folder)


RIVALS = {"scale": "paper", "experiments": ["fashion_mnist_symmetrised"], "memory_gb": 64}


def test_members_of_another_experiment_are_evaluated_and_not_trained() -> None:
    plan = Plan(RIVALS, CONFIG)
    name, arm = "fashion_mnist_symmetrised", "averaged_c8"
    assert arm not in plan.experiment("paper", name).arms_of("train")
    assert not any(block.startswith(arm) for block in plan.blocks("paper", name, "train"))
    assert f"{arm}/members_0000-0009.h5" in plan.blocks("paper", name)
    path = "results/paper/fashion_mnist/train/cnn_c8/members_0000-0009.h5"
    # Of a larger block too, where that is how the other experiment trains them.
    assert plan.trained_block("paper", name, arm, "0000-0009") == path
    assert plan.trained_block("paper", name, arm, "0003-0004") == path
    own = "results/paper/fashion_mnist_symmetrised/train/canonicalised_c8/members_0000-0009.h5"
    assert plan.trained_block("paper", name, "canonicalised_c8", "0000-0009") == own
    with pytest.raises(ConfigError, match="no stage 'train'"):
        plan.stage_json("paper", name, "train", arm)
    assert json.loads(plan.stage_json("paper", name, "evaluate", arm))["model"]["family"] == "orbit_averaged"


@pytest.mark.parametrize(
    ("keys", "value", "words"),
    [
        (("members_of", "experiment"), "fashion_mnits", "no experiment 'fashion_mnits'; did you mean 'fashion_mnist'"),
        (("members_of", "experiment"), "flinth_subspace", "expected one with ensembles, found 'flinth_subspace'"),
        (("members_of", "arm"), "cnn_c9", "fashion_mnist trains no arm 'cnn_c9'; did you mean 'cnn_c"),
        (("augmentation", "fill"), "background", "arm cnn_c8 of fashion_mnist has another augmentation;"),
        (("model", "network", "dense"), [32], "has another model;"),
    ],
)
def test_members_must_be_those_that_an_arm_says(folder: Path, keys: tuple[str, ...], value: Any, words: str) -> None:
    path = folder / "experiments/fashion_mnist_symmetrised.yaml"
    edit_yaml(path, "arms", "averaged_c8", *keys, value=value)
    with pytest.raises(ConfigError, match=words):
        Plan(RIVALS, folder)


def test_a_prediction_asks_for_the_memory_of_its_matrices() -> None:
    plan = Plan(BASE | {"experiments": ["ising"]}, CONFIG)
    assert list(plan.predictions("smoke", "ising")) == ["mlp_512"]
    assert prediction_mb(plan, "smoke", "ising", "mlp_512") == LEAST_MB
    arm = plan.experiment("paper", "ising").arms["mlp_512"]
    assert arm.infinite_width is not None
    large = plan.experiment("paper", "ising").model_copy(deep=True)
    train = large.data.train.model_copy(update={"num": 20_000})
    object.__setattr__(large, "data", large.data.model_copy(update={"train": train}))
    plan.experiment = lambda scale, name: large  # type: ignore[method-assign]
    # Two kernels of four blocks of 20 000 x 20 000 numbers, and what the decomposition needs.
    assert prediction_mb(plan, "paper", "ising", "mlp_512") > 8 * 8 * 20_000**2 / 1e6


def test_a_prediction_asks_for_the_memory_of_its_largest_reading(monkeypatch: pytest.MonkeyPatch) -> None:
    """It asks the estimate that guards the prediction."""
    plan = Plan(BASE | {"experiments": ["ising"]}, CONFIG)
    stage = plan.experiment("paper", "ising").stage("predict", "mlp_512")
    assert isinstance(stage, PredictStage) and len(stage.readings) > 1
    small = prediction_mb(plan, "paper", "ising", "mlp_512")
    other = next(name for name in stage.readings if name not in plan.datasets("paper", "ising"))
    large = plan.registry.entry(other).model_copy(update={"splits": {"train": 20_000, "test": 30_000, "ood": 10}})
    entries = plan.registry.datasets | {other: large}
    monkeypatch.setattr(plan, "registry", plan.registry.model_copy(update={"datasets": entries}))
    expected = prediction_bytes(stage, 20_000, 30_000) / 1e6
    assert small < expected <= prediction_mb(plan, "paper", "ising", "mlp_512") < expected + 1


def test_samples_of_a_generator_are_a_part_of_more() -> None:
    """However many are evaluated; but not training samples, grids and whole test sets."""
    names = ["ising", "toy_cosine", "nordenfors_c4"]
    plan = Plan(BASE | {"experiments": names}, CONFIG)
    whole = {
        (name, facts["name"]): facts["whole"]
        for name in names
        for facts in json.loads(plan.stage_json("paper", name, "summary"))["data"]
    }
    assert all(entry.whole for name in names for entry in plan.experiment("paper", name).test_sets().values())
    assert [key for key, value in whole.items() if not value] == [("ising", "test"), ("ising", "ood")]
    assert whole["ising", "train"] and whole["toy_cosine", "curve"]


def test_figures_follow_the_experiments_that_are_on() -> None:
    everything = Plan(BASE, CONFIG)
    ising = Plan(BASE | {"experiments": ["ising"]}, CONFIG)
    assert 0 < len(ising.selected_figures()) < len(everything.selected_figures())
    assert all(ising.figures[name].experiments == ("ising",) for name in ising.selected_figures())
    figures, tables = everything.selected_figures("figure"), everything.selected_figures("table")
    assert sorted(figures + tables) == sorted(everything.selected_figures())
    chosen = Plan(BASE | {"figures": ["ood_samples", "ising_invariance"]}, CONFIG).selected_figures()
    assert sorted(chosen) == ["ising_invariance", "ood_samples"]


def test_mirror_is_handed_to_jobs_in_the_environment(tmp_path: Path) -> None:
    Plan(BASE | {"mirror": str(tmp_path / "files")}, CONFIG)
    assert os.environ["EMERGENT_MIRROR"] == str(tmp_path / "files")


def test_mirror_stays_out_of_what_drives_a_rule(tmp_path: Path) -> None:
    plain, mirrored = Plan(BASE, CONFIG), Plan(BASE | {"mirror": str(tmp_path)}, CONFIG)
    for dataset in plain.registry.datasets:
        for stage in ("download", "prepare"):
            assert plain.dataset_json(dataset, stage) == mirrored.dataset_json(dataset, stage)


def test_stand_ins_are_named_for_captions() -> None:
    plan = Plan(BASE, CONFIG)
    assert any("Stand-in" in note for note in plan.stand_in_notes("smoke", ("fashion_mnist",)))
    assert not any("Stand-in" in note for note in plan.stand_in_notes("paper", ("fashion_mnist",)))
    assert any("JPEG" in note for note in plan.stand_in_notes("laptop", ("fashion_mnist",)))


def test_samples_are_shown_where_a_set_says_so() -> None:
    plan = Plan(BASE, CONFIG)
    assert plan.sample_paths("laptop", "cnn_gcnn") == ["results/datasets/gaussian_fields_28/prepared.h5"]
    assert plan.sample_paths("laptop", "fashion_mnist") == []


def test_substitute_must_be_used_and_is_named_in_captions() -> None:
    run = BASE | {"scale": "paper", "experiments": ["nordenfors_c4"]}

    def notes(**substitute: str) -> list[str]:
        return Plan(run | {"substitute": substitute}, CONFIG).stand_in_notes("paper", ("nordenfors_c4",))

    with pytest.raises(ConfigError, match=r"'cifar10_gray28' is used by none .*; did you mean 'cifar10_grey28'\?"):
        notes(cifar10_gray28="cifar10_jpeg_grey28")
    with pytest.raises(ConfigError, match="no data set 'cifar'"):
        notes(cifar10_grey28="cifar")
    assert notes() == []
    assert any("in place of CIFAR-10" in note for note in notes(cifar10_grey28="cifar10_jpeg_grey28"))
    assert any("Fashion-MNIST in place of CIFAR-10" in note for note in notes(cifar10_grey28="fashion_mnist"))


def test_settings_of_a_run_are_said_as_they_are_given() -> None:
    run = {"scale": "paper", "experiments": ["nordenfors_c4"], "memory_gb": 64}
    given = {
        "samples": 50,
        "arms": "all",
        "substitute": {"cifar10_grey28": "cifar10_jpeg_grey28"},
        "mirror": "/elsewhere",
    }
    plan = Plan(run | given, CONFIG)
    said = ["arms=all", "samples=50", "substitute=\"{'cifar10_grey28': 'cifar10_jpeg_grey28'}\""]
    assert plan.settings("paper") == said
    # Other scales run as configured.
    assert plan.settings("laptop") == []
    assert Plan(run, CONFIG).settings("paper") == []

"""Experiments: those of the project at every scale, and every mistake that must give one clear error."""

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from emergent.config.base import canonical_json, validate
from emergent.config.questions import OrbitSamePrediction
from emergent.config.study import SCALES, assumptions
from emergent.errors import ConfigError
from emergent.kinds import KINDS, experiment_names, load_experiment

EXPERIMENTS = Path(__file__).parents[2] / "config" / "experiments"

MINIMAL: dict[str, Any] = {
    "experiment": "tiny",
    "kind": "orbit_same_prediction",
    "paper": "gerken_kessel",
    "title": "Tiny",
    "seed": 0,
    "data": {
        "domain": "images",
        "shape": [4, 4, 1],
        "scaling": "standardise",
        "train": {"dataset": "digits", "split": "train"},
        "evaluate": {"digits": {"dataset": "digits", "split": "test", "role": "in", "primary": True}},
    },
    "arms": {
        "mlp": {
            "model": {"family": "mlp", "width": 8, "num_outputs": 3},
            "augmentation": {"group": "C4", "mode": "random"},
        },
        "cnn": {
            "model": {"family": "cnn", "layers": [{"channels": 2}], "readout": "mean", "num_outputs": 3},
            "augmentation": {"group": "C4", "mode": "random"},
        },
    },
    "train": {
        "loss": "mse",
        "optimiser": "sgd",
        "learning_rate": 0.1,
        "batch_size": 4,
        "num_epochs": 6,
        "checkpoint_every": 2,
    },
    "evaluate": {"member_metrics": ["orbit_same_predictions", "correct"], "ensemble_sizes": [1, 3], "max_ensembles": 2},
    "members": {"num": 6, "block": 2},
    "assumed": [{"key": "train.learning_rate", "reason": "not published"}],
}


CANONICALISED = MINIMAL["arms"]["cnn"]["model"] | {
    "family": "canonicalised_cnn",
    "group": "C4",
    "energy": [{"channels": 2}],
}


def changed(path: str, value: Any, **further: Any) -> dict[str, Any]:
    """The minimal experiment with one dotted key (and further ones, ``__`` for dots) set."""
    content = copy.deepcopy(MINIMAL)
    for key, item in {path: value, **{name.replace("__", "."): item for name, item in further.items()}}.items():
        *parents, last = key.split(".")
        target: Any = content
        for parent in parents:
            target = target[int(parent) if parent.isdigit() else parent]
        target[last] = item
    return content


def error_of(content: dict[str, Any]) -> str:
    with pytest.raises(ConfigError) as caught:
        validate(KINDS[content["kind"]].config, content, "tiny.yaml (scale smoke)")
    return str(caught.value)


@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize("name", experiment_names(EXPERIMENTS))
def test_every_experiment_validates_at_every_scale(name: str, scale: str) -> None:
    experiment = load_experiment(EXPERIMENTS, name, scale)
    assert experiment.experiment == name
    assert len(experiment.members.blocks()) * experiment.members.block == experiment.members.num
    assert len(assumptions(experiment)) == len(experiment.assumed) > 0
    # What is dumped can be read again and is the same experiment.
    again = validate(type(experiment), experiment.model_dump(mode="json"), name)
    assert canonical_json(again) == canonical_json(experiment)


def test_there_are_experiments() -> None:
    assert {"cnn_gcnn", "fashion_mnist", "ising"} <= set(experiment_names(EXPERIMENTS))


def test_a_kind_that_does_not_exist(tmp_path: Path) -> None:
    write_experiment(tmp_path, "tiny", lambda content: content.update(kind="orbit_spraed"))
    with pytest.raises(ConfigError, match="kind: no kind 'orbit_spraed'; did you mean 'orbit_spread'") as caught:
        load_experiment(tmp_path, "tiny", "smoke")
    assert all(name in str(caught.value) for name in KINDS)


def test_minimal_experiment_is_valid() -> None:
    experiment = validate(OrbitSamePrediction, MINIMAL, "tiny.yaml")
    assert experiment.members.blocks() == ("0000-0001", "0002-0003", "0004-0005")
    assert experiment.train.checkpoint_epochs() == (0, 2, 4, 6)


@pytest.mark.parametrize(
    ("content", "parts"),
    [
        (changed("trian", {}), ["trian: unknown key; did you mean 'train'?"]),
        (changed("train.lerning_rate", 0.5), ["train.lerning_rate", "'learning_rate'", "(found 0.5)"]),
        (changed("arms.mlp.augmentation.grup", "C4"), ["arms.mlp.augmentation.grup", "did you mean 'group'?"]),
        (changed("data.evaluate.digits.rol", "in"), ["data.evaluate.digits.rol", "did you mean 'role'?"]),
        (changed("arms.mlp.model.widht", 4), ["arms.mlp.model.widht", "did you mean 'width'?", "(found 4)"]),
        (changed("arms.mlp.model.width", 0), ["arms.mlp.model.width", "greater than 0", "(found 0)"]),
        (changed("arms.mlp.model.width", "8"), ["arms.mlp.model.width", "valid integer", "(found '8')"]),
        (changed("arms.mlp.model.width", 8.0), ["arms.mlp.model.width", "valid integer", "(found 8.0)"]),
        (changed("arms.cnn.model.layers.0.channels", 0), ["arms.cnn.model.layers.0.channels", "greater than 0"]),
        (changed("arms.cnn.model.layers", []), ["arms.cnn.model", "at least one convolution"]),
        (changed("arms.cnn.model.filter_size", 2), ["filter_size: expected an odd number, found 2"]),
        (changed("train.learning_rate", "1e-3"), ["train.learning_rate", "valid number", "(found '1e-3')"]),
        (changed("train.learning_rate", 0.0), ["train.learning_rate", "greater than 0", "(found 0.0)"]),
        (changed("train.optimiser", "adamm"), ["train.optimiser", "'sgd' or 'adam'", "(found 'adamm')"]),
        (changed("train.checkpoint_every", 4), ["train: checkpoint_every: must divide num_epochs"]),
        (changed("seed", -1), ["seed", "(found -1)"]),
        (changed("members", {"num": 7, "block": 2}), ["members", "multiple of block (2), found 7; use 6 or 8"]),
        (changed("members", {"num": 3, "block": 5}), ["members", "multiple of block (5), found 3; use 5"]),
        (changed("evaluate.ensemble_sizes", [3, 7, 9]), ["evaluate.ensemble_sizes: [7, 9] exceed members.num = 6"]),
        (
            changed("evaluate.member_metrics", ["correct"]),
            ["evaluate.member_metrics", "reads orbit_same_predictions too"],
        ),
        (changed("evaluate.reference_ensemble_size", 2), ["evaluate.reference_ensemble_size: 2 is not one of"]),
        (changed("data.shape", [4, 6, 1]), ["arms.mlp.augmentation.group: C4", "square", "data.shape is 4 x 6"]),
        (changed("data.shape", [4, 4]), ["data.shape"]),
        (changed("data.shape", [4, 0, 1]), ["data.shape.1", "(found 0)"]),
        (
            changed(
                "data.evaluate.digits.rotations", {"group": "SO2", "num": 1}, data__evaluate__digits__primary=False
            ),
            ["data.evaluate.digits.rotations.num", "greater than or equal to 2", "(found 1)"],
        ),
        (
            changed("data.evaluate.digits.rotations", {"group": "C5", "num": 8}, data__evaluate__digits__primary=False),
            ["data.evaluate.digits.rotations.group", "'SO2'", "(found 'C5')"],
        ),
        (changed("data.evaluate.digits.rotations", {"group": "SO2", "num": 8}), ["cannot be the primary one"]),
        (
            changed(
                "data.evaluate.digits.rotations",
                {"group": "SO2", "num": 8},
                data__evaluate__digits__primary=False,
                data__outputs="pixels",
            ),
            ["evaluate.digits.rotations", "expected data.outputs 'invariant', found 'pixels'"],
        ),
        (
            changed(
                "data.evaluate.digits.rotations",
                {"group": "SO2", "num": 8},
                data__evaluate__digits__primary=False,
                kind="orbit_divergence",
                evaluate__bootstrap={"sizes": [2], "num": 2, "epochs": [6], "published_pool": 6},
                evaluate__member_metrics=["orbit_same_predictions", "symmetric_kl", "correct", "cross_entropy"],
            ),
            ["data.evaluate.digits.rotations: kind 'orbit_divergence' knows the arms' group only"],
        ),
        (
            changed("arms.mlp.augmentation.elements", [1, 2]),
            ["elements: a part of C4 must hold the identity, element 0; found [1, 2]"],
        ),
        (
            changed("arms.cnn.model", CANONICALISED | {"group": "C8"}),
            ["arms.cnn.model.group: the network is made invariant under C8", "evaluated on orbits of C4"],
        ),
        (changed("arms.cnn.model", CANONICALISED | {"group": "octahedral"}), ["expected a group of the plane"]),
        (changed("arms.cnn.model", CANONICALISED | {"group": "SO3"}), ["expected a group of the plane"]),
        (changed("arms.cnn.members_of", {"arm": "mpl"}), ["members_of.arm: expected an arm that is trained", "'mlp'?"]),
        (
            changed("arms.cnn.members_of", {"arm": "mlp"}, arms__cnn__learning_rate=0.5),
            ["arms.cnn: learning_rate: the arm that members_of names has been trained"],
        ),
        (
            changed("arms.cnn.num_members", 4),
            ["arms.cnn.num_members: kind 'orbit_same_prediction' compares arms of"],
        ),
        (
            changed("arms.cnn.members_of", {"arm": "mlp"}, arms__cnn__num_training_samples=5),
            ["arms.cnn: num_training_samples: the arm that members_of names has been trained"],
        ),
        (changed("arms.mlp.augmentation.group", "c4"), ["arms.mlp.augmentation.group", "(found 'c4')"]),
        (
            changed("arms.mlp.augmentation.group", "C0"),
            ["arms.mlp.augmentation.group", "C0"],
        ),
        (changed("arms.mlp.model", {"family": "mpl"}), ["arms.mlp.model", "'mlp', 'cnn', 'gcnn'"]),
        (changed("arms", {}, assumed=[]), ["arms", "at least 1 item"]),
        (changed("kind", "ensemble_distance"), ["needs two arms, one of which says compare_to", "['cnn', 'mlp']"]),
        (changed("arms.cnn.compare_to", "mpl"), ["arms.cnn.compare_to: expected another arm", "did you mean 'mlp'?"]),
        (changed("arms.cnn.compare_to", "cnn"), ["arms.cnn.compare_to: expected another arm, found 'cnn'"]),
        (changed("kind", "orbit_spread"), ["evaluate.energy_scale", "Field required"]),
        (
            changed(
                "kind",
                "orbit_spread",
                evaluate__energy_scale="per_sample",
                evaluate__member_metrics=["orbit_std", "mean_output"],
            ),
            ["section infinite_width, found none"],
        ),
        (
            changed("train.momentum", 0.9, train__optimiser="adam"),
            ["momentum: a setting of 'sgd', found optimiser 'adam'"],
        ),
        (changed("arms.mlp.augmentation.elements", [1, 2]), ["must hold the identity, element 0; found [1, 2]"]),
        (changed("arms.mlp.augmentation.elements", [0, 4]), ["different numbers below 4, the order of C4", "[0, 4]"]),
        (changed("arms.mlp.augmentation.num_elements", 3), ["C4 is finite; name its elements with 'elements'"]),
        (changed("arms.mlp.augmentation.group", "SO3", arms__mlp__augmentation__mode="full"), ["SO3 is infinite"]),
        (changed("arms.mlp.orbit_group", "SO3"), ["orbit_elements: how many elements of SO3", "missing"]),
        (changed("arms.mlp.orbit_elements", 5), ["orbit_elements: how many elements of C4", "found 5"]),
        (
            changed("data.evaluate.digits.condition", "other fill"),
            ["condition_of and condition belong together"],
        ),
        (
            changed("data.evaluate.digits.condition_of", "digts", data__evaluate__digits__condition="other fill"),
            ["evaluate.digits.condition_of: expected a set of the same role", "found 'digts'"],
        ),
        (
            changed("assumed", [{"key": "train.lerning_rate", "reason": "r"}]),
            ["assumed: key 'train.lerning_rate' does not exist at 'lerning_rate'", "did you mean 'learning_rate'?"],
        ),
        (changed("assumed", [{"key": "arms.mpl.model", "reason": "r"}]), ["'mpl'", "did you mean 'mlp'?"]),
        (
            changed("data.evaluate.more", {"dataset": "digits", "split": "train", "role": "in", "primary": True}),
            ["only one set of role 'in' may be primary", "['digits', 'more']"],
        ),
    ],
)
def test_mistake_gives_one_clear_error(content: dict[str, Any], parts: list[str]) -> None:
    text = error_of(content)
    assert text.startswith("tiny.yaml (scale smoke): 1 problem(s)"), text
    for part in parts:
        assert part in text, text


def gcnn(**changes: Any) -> dict[str, Any]:
    model = {"family": "gcnn", "group": "C4", "layers": [{"channels": 2}], "readout": "mean", "num_outputs": 3}
    return changed("arms.cnn.model", model | changes)


@pytest.mark.parametrize(
    ("content", "part"),
    [
        (gcnn(readout="flatten"), "readout"),
        (gcnn(layers=[{"channels": 2, "stride": 2}]), "layers.stride"),
        (gcnn(group="C8"), "'C1', 'C2', 'C4' or 'D4'"),
    ],
)
def test_settings_that_break_exact_equivariance_are_refused(content: dict[str, Any], part: str) -> None:
    validate(OrbitSamePrediction, gcnn(), "tiny.yaml")
    assert part in error_of(content)


OBLONG = {"data__shape": [4, 6, 1], "arms__cnn__augmentation__group": "C2"}


@pytest.mark.parametrize("group", ["C1", "C2", "D1", "D2"])
def test_half_turns_and_mirror_images_act_on_oblong_images(group: str) -> None:
    validate(OrbitSamePrediction, changed("arms.mlp.augmentation.group", group, **OBLONG), "tiny.yaml")


@pytest.mark.parametrize(
    "change",
    [{"arms__mlp__orbit_group": "C4"}, {"arms__mlp__model": gcnn()["arms"]["cnn"]["model"]}],
    ids=["orbit_group", "gcnn"],
)
def test_every_group_of_an_arm_must_act_on_the_image(change: dict[str, Any]) -> None:
    assert "square" in error_of(changed("arms.mlp.augmentation.group", "C2", **OBLONG, **change))


def write_experiment(folder: Path, name: str, change: Callable[[dict[str, Any]], None] = lambda content: None) -> None:
    content = copy.deepcopy(MINIMAL) | {"experiment": name}
    content["scales"] = {
        "smoke": {"members": {"num": 2}, "evaluate": {"ensemble_sizes": [2]}},
        "laptop": {},
        "paper": None,
    }
    change(content)
    (folder / f"{name}.yaml").write_text(yaml.safe_dump(content))


def test_scales_are_laid_over_the_base(tmp_path: Path) -> None:
    write_experiment(tmp_path, "tiny")
    smoke, laptop = (load_experiment(tmp_path, "tiny", scale) for scale in ("smoke", "laptop"))
    assert (smoke.members.num, smoke.members.block, smoke.evaluate.ensemble_sizes) == (2, 2, (2,))
    assert laptop == load_experiment(tmp_path, "tiny", "paper") == validate(OrbitSamePrediction, MINIMAL, "tiny")


def test_experiment_or_scale_that_does_not_exist(tmp_path: Path) -> None:
    write_experiment(tmp_path, "tiny")
    write_experiment(tmp_path, "other")
    with pytest.raises(ConfigError, match=r"tinny.yaml: no such file; did you mean 'tiny'") as caught:
        load_experiment(tmp_path, "tinny", "smoke")
    assert "other, tiny" in str(caught.value)
    with pytest.raises(ConfigError, match="one of smoke, laptop, paper, found 'labtop'; did you mean 'laptop'"):
        load_experiment(tmp_path, "tiny", "labtop")


def test_error_in_a_file_names_file_and_scale(tmp_path: Path) -> None:
    write_experiment(tmp_path, "tiny", lambda content: content["scales"]["laptop"].update(train={"epochs": 3}))
    load_experiment(tmp_path, "tiny", "smoke")
    with pytest.raises(ConfigError, match=r"tiny\.yaml \(scale laptop\)") as caught:
        load_experiment(tmp_path, "tiny", "laptop")
    assert "train.epochs: unknown key; did you mean 'num_epochs'?" in str(caught.value)


@pytest.mark.parametrize(
    ("change", "part"),
    [
        (lambda content: content.pop("scales"), "scales: expected exactly smoke, laptop, paper"),
        (lambda content: content["scales"].update(huge={}), "found ['huge', 'laptop', 'paper', 'smoke']"),
        (lambda content: content["scales"].pop("paper"), "found ['laptop', 'smoke']"),
        (lambda content: content["scales"].update(smoke=["members"]), "scales.smoke"),
        (lambda content: content.update(experiment="other"), "expected the file's own name 'tiny', found 'other'"),
    ],
)
def test_file_level_mistakes(tmp_path: Path, change: Callable[[dict[str, Any]], None], part: str) -> None:
    write_experiment(tmp_path, "tiny", change)
    with pytest.raises(ConfigError, match=r"tiny.yaml") as caught:
        load_experiment(tmp_path, "tiny", "smoke")
    assert part in str(caught.value)


def test_assumptions_carry_the_value_in_force() -> None:
    content = changed(
        "assumed", [{"key": "arms.cnn.model.layers", "reason": "r"}, {"key": "members.num", "reason": "s"}]
    )
    found = assumptions(validate(OrbitSamePrediction, content, "tiny.yaml"))
    assert [item.model_dump(exclude={"fitted", "fitted_to"}) for item in found] == [
        {
            "key": "arms.cnn.model.layers",
            "value": [{"channels": 2, "stride": 1, "average_pool": 1}],
            "reason": "r",
        },
        {"key": "members.num", "value": 6, "reason": "s"},
    ]


def test_a_larger_ensemble_only_adds_blocks() -> None:
    small = validate(OrbitSamePrediction, MINIMAL, "tiny.yaml").members.blocks()
    large = validate(OrbitSamePrediction, changed("members.num", 20002), "tiny.yaml").members.blocks()
    assert large[: len(small)] == small
    assert large[-1] == "20000-20001"
    assert len(set(large)) == 10001

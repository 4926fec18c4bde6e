"""What would make the infinitely wide ensemble another experiment than the trained one is refused, with a remedy."""

import copy
from typing import Any

import pytest

from emergent.config.base import canonical_json, validate
from emergent.errors import ConfigError
from emergent.kinds import KINDS

CNN = {"family": "cnn", "layers": [{"channels": 8, "average_pool": 2}, {"channels": 8}], "readout": "mean"}
NETWORKS: dict[str, dict[str, Any]] = {
    "mlp": {"family": "mlp", "width": 64, "num_outputs": 16},
    "cnn": {**CNN, "num_outputs": 16},
    "gcnn": {**CNN, "family": "gcnn", "group": "C4", "num_outputs": 16},
}


def experiment(**arms: dict[str, Any]) -> dict[str, Any]:
    """Two arms of different widths, the first with its infinitely wide ensemble; arms given by name are laid over."""
    arm = {"model": NETWORKS["mlp"], "augmentation": {"group": "C4", "mode": "full"}}
    wide = {**arm, "infinite_width": {"tile_size": 32, "readings": ["ising_l4_iid"]}}
    narrow = {**arm, "model": {**NETWORKS["mlp"], "width": 8}}
    content = {
        "experiment": "tiny",
        "kind": "orbit_spread",
        "paper": "gerken_kessel",
        "title": "Tiny",
        "seed": 0,
        "data": {
            "domain": "images",
            "shape": [4, 4, 1],
            "scaling": "none",
            "outputs": "pixels",
            "train": {"dataset": "ising_l4_iid", "split": "train"},
            "evaluate": {"test": {"dataset": "ising_l4_iid", "split": "test", "role": "in", "primary": True}},
        },
        "arms": {"wide": wide | arms.get("wide", {}), "narrow": narrow | arms.get("narrow", {})},
        "train": {
            "loss": "mse",
            "optimiser": "sgd",
            "learning_rate": 0.1,
            "batch_size": None,
            "num_epochs": 6,
            "checkpoint_every": 2,
        },
        "evaluate": {
            "member_metrics": ["orbit_std", "mean_output"],
            "energy_scale": "mean_absolute",
            "ensemble_sizes": [1, 3],
            "max_ensembles": 2,
        },
        "members": {"num": 6, "block": 2},
    }
    return copy.deepcopy(content)


def read(content: dict[str, Any]) -> Any:
    return validate(KINDS[content["kind"]].config, content, "tiny.yaml")


def error_of(content: dict[str, Any]) -> str:
    with pytest.raises(ConfigError) as caught:
        read(content)
    return str(caught.value)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"batch_size": 4}, "full-batch training; set train.batch_size to null, found 4"),
        ({"loss": "cross_entropy"}, "the loss 'mse', found 'cross_entropy'"),
        ({"optimiser": "adam"}, "plain gradient descent ('sgd', no momentum, constant rate), found 'adam'"),
        ({"momentum": 0.9}, "momentum 0.9"),
        ({"schedule": "cosine"}, "schedule 'cosine'"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_other_training_is_refused(settings: dict[str, Any], message: str) -> None:
    content = experiment()
    read(content)
    content["train"] |= settings
    found = error_of(content)
    assert "arms.wide.infinite_width" in found
    assert message in found


@pytest.mark.parametrize(
    ("augmentation", "message"),
    [
        ({"mode": "random"}, "set augmentation.mode to 'full', found 'random'"),
        ({"elements": [0, 2]}, "not on a part of C4"),
        ({"group": "C8"}, "C8 interpolates between pixels, use C1, C2, C4, D1, D2 or D4"),
    ],
)
def test_other_augmentation_is_refused(augmentation: dict[str, Any], message: str) -> None:
    own = {"augmentation": {"group": "C4", "mode": "full"} | augmentation}
    assert message in error_of(experiment(wide=own, narrow=own))


@pytest.mark.parametrize(
    ("model", "message"),
    [
        ({**NETWORKS["mlp"], "parametrisation": "pytorch"}, "parametrisation 'ntk', found 'pytorch'"),
        (
            {**NETWORKS["mlp"], "activation": "tanh"},
            "'tanh' has no closed-form kernel; use one of relu, leaky_relu, gelu, erf",
        ),
        ({**NETWORKS["cnn"], "layers": [{"channels": 8, "stride": 2}]}, "layers[0].stride"),
        (
            {**NETWORKS["cnn"], "layers": [{"channels": 8, "average_pool": 3}]},
            "average_pool: 3 does not divide 4 x 4",
        ),
        ({**NETWORKS["gcnn"], "dense": [5]}, "no hidden dense layers after group pooling"),
        (
            {"family": "support_cnn", "channels": [4, 4], "support": ["111", "111", "111"], "num_outputs": 16},
            "family 'support_cnn' has no kernel in emergent.kernels.registry",
        ),
    ],
    ids=["parametrisation", "activation", "stride", "pool", "dense", "family"],
)
def test_networks_without_a_kernel_are_refused(model: dict[str, Any], message: str) -> None:
    found = error_of(experiment(wide={"model": model}, narrow={"model": model}))
    assert "arms.wide.infinite_width: the prediction describes networks with a kernel" in found
    assert message in found


@pytest.mark.parametrize("family", sorted(NETWORKS))
def test_every_family_with_a_kernel_passes_and_widths_are_no_part_of_its_prediction(family: str) -> None:
    wider = {"width": 99} if family == "mlp" else {"layers": [{"channels": 9, "average_pool": 2}, {"channels": 5}]}
    texts = []
    for widths, checkpoint_every in (({}, 2), (wider, 3)):
        model = NETWORKS[family] | widths
        content = experiment(wide={"model": model}, narrow={"model": model})
        content["train"]["checkpoint_every"] = checkpoint_every
        texts.append(canonical_json(read(content).stage("predict", "wide")))
    assert texts[0] == texts[1]


@pytest.mark.parametrize(
    ("arm", "message"),
    [
        ({"model": NETWORKS["cnn"]}, "it may differ from it in width only, but differs in family"),
        ({"model": {**NETWORKS["mlp"], "depth": 2}}, "differs in depth"),
        ({"model": {**NETWORKS["mlp"], "parametrisation": "pytorch"}}, "differs in parametrisation"),
        ({"model": {**NETWORKS["mlp"], "weight_std": 1.5, "bias_std": 0.1}}, "differs in weight_std, bias_std"),
        ({"learning_rate": 0.2}, "arms.narrow.learning_rate: differs from that of the infinitely wide wide"),
        ({"augmentation": {"group": "C1", "mode": "full"}}, "arms.narrow.augmentation: differs"),
        ({"augmentation": {"group": "C4", "mode": "random"}}, "arms.narrow.augmentation: differs"),
        ({"orbit_group": "D4"}, "arms.narrow.orbit_group: differs"),
    ],
    ids=["family", "depth", "parametrisation", "gains", "rate", "group", "mode", "orbit"],
)
def test_arms_that_have_another_limit_are_not_compared_with_it(arm: dict[str, Any], message: str) -> None:
    assert message in error_of(experiment(narrow=arm))


def test_convolutions_may_differ_in_channels() -> None:
    wider = {**NETWORKS["cnn"], "layers": [{"channels": 9, "average_pool": 2}, {"channels": 9}]}
    read(experiment(wide={"model": NETWORKS["cnn"]}, narrow={"model": wider}))
    strided = {**NETWORKS["cnn"], "layers": [{"channels": 8}, {"channels": 8}]}
    assert "differs in layers" in error_of(experiment(wide={"model": NETWORKS["cnn"]}, narrow={"model": strided}))


def test_rate_of_the_arm_is_that_of_its_prediction() -> None:
    rates = {"learning_rate": 0.2}
    assert read(experiment(wide=rates, narrow=rates)).stage("predict", "wide").train.learning_rate == 0.2


def test_readings_are_of_energies() -> None:
    content = experiment()
    content["kind"] = "orbit_same_prediction"
    content["evaluate"]["member_metrics"] = ["orbit_same_predictions"]
    content["data"]["outputs"] = "invariant"
    del content["evaluate"]["energy_scale"]
    assert "arms.wide.infinite_width.readings" in error_of(content)


def test_points_that_are_drawn_anew_are_no_training_set() -> None:
    content = experiment()
    content["kind"] = "orbit_same_prediction"
    content["evaluate"]["member_metrics"] = ["orbit_same_predictions"]
    del content["evaluate"]["energy_scale"]
    content["data"] = {
        "domain": "point_clouds",
        "sampling": {"num_points": 16, "num_neighbours": 4},
        "train": {"dataset": "generated_solids", "split": "train"},
        "evaluate": {"test": {"dataset": "generated_solids", "split": "test", "role": "in"}},
    }
    assert "points are drawn from meshes at every access" in error_of(content)


def test_an_arm_may_have_fewer_members() -> None:
    study = read(experiment(narrow={"num_members": 4}))
    assert [study.members_of_arm(arm).blocks() for arm in ("wide", "narrow")] == [
        ("0000-0001", "0002-0003", "0004-0005"),
        ("0000-0001", "0002-0003"),
    ]
    assert [arm.num_members for arm in study.summary_stage().arms] == [None, 4]
    more = read(experiment(narrow={"num_members": 40}))
    assert more.members_of_arm("narrow").num == 6, "not more than the experiment has"


@pytest.mark.parametrize("num", [3, 1])
def test_fewer_members_are_whole_blocks(num: int) -> None:
    with pytest.raises(ConfigError, match=rf"arms\.narrow\.num_members: expected a multiple of .* \(2\).*found {num}"):
        read(experiment(narrow={"num_members": num}))


def test_the_infinitely_wide_ensemble_has_the_training_data_of_all() -> None:
    with pytest.raises(ConfigError, match="num_training_samples: the infinitely wide ensemble learns"):
        read(experiment(wide={"num_training_samples": 5}))
    with pytest.raises(
        ConfigError, match=r"arms\.narrow\.num_training_samples: differs from that of the infinitely wide"
    ):
        read(experiment(narrow={"num_training_samples": 5}))

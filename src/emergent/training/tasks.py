"""Stage configurations of training and evaluation as the objects that the engine works with."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import TypeAdapter

from emergent import storage
from emergent.config.models import Model, NetworkModel
from emergent.config.training import Training
from emergent.domains.samples import Scaling
from emergent.errors import DataError
from emergent.groups.images import ImageAction, image_action
from emergent.point_groups import group_from_name
from emergent.storage import Array
from emergent.training.engine import BlockResult, extends
from emergent.training.program import BlockTask
from emergent.training.step import TrainingData

PARAMETER_PREFIX = "parameters/"
_EPOCH_KEYS = ("num_epochs", "checkpoint_every", "checkpoints")


def model_from(config: Mapping[str, Any]) -> NetworkModel:
    """Returns the typed model of a stage configuration."""
    return TypeAdapter(Model).validate_python(config["model"], strict=False)


def block_task(config: Mapping[str, Any], members: tuple[int, ...]) -> BlockTask:
    """Returns what determines a block of members."""
    return BlockTask(
        seed=config["seed"],
        experiment=config["experiment"],
        arm=config["arm"],
        initialisation=config["initialisation"],
        members=members,
        model=model_from(config),
        augmentation=config["augmentation"]["mode"],
        training=Training.model_validate(config["train"]),
    )


def augmentation_action(config: Mapping[str, Any], scaling: Scaling) -> ImageAction:
    """Returns the action of the configured group on the inputs, with the configured fill."""
    settings = config["augmentation"]
    height, width, _ = config["data"]["shape"]
    fill = scaling.background() if settings["fill"] == "background" else 0.0
    return image_action(group_from_name(settings["group"]), height, width, settings["interpolation"], fill)


def evaluation_action(config: Mapping[str, Any], scaling: Scaling, name: str) -> ImageAction:
    """Returns the group action on one evaluation set, with its own interpolation and fill where it has some."""
    entry = config["data"]["evaluate"][name]
    own = {key: entry[key] for key in ("interpolation", "fill") if entry[key] is not None}
    return augmentation_action({**config, "augmentation": config["augmentation"] | own}, scaling)


def result_arrays(task: BlockTask, result: BlockResult) -> dict[str, Array]:
    """Returns a trained block as arrays to be stored."""
    arrays = {
        "members": Array(np.asarray(task.members), ("member",), "1", "index over the whole ensemble"),
        "epochs": Array(np.asarray(result.epochs), ("epoch",), "epochs", "when parameters were stored"),
        "loss": Array(result.losses, ("segment", "member"), "1", "mean training loss, epoch by epoch"),
    }
    for name, values in result.parameters.items():
        dims = ("epoch", "member", *(f"axis{i}" for i in range(values.ndim - 2)))
        arrays[PARAMETER_PREFIX + name] = Array(values, dims)
    return arrays


def read_block(path: Path) -> tuple[dict[str, np.ndarray], tuple[int, ...], tuple[int, ...]]:
    """Returns parameters [E, M, ...] by flat name, member indices and epochs of a trained block."""
    with storage.open_file(path, "train") as file:
        names: list[str] = []
        file[PARAMETER_PREFIX].visititems(lambda name, item: names.append(name) if hasattr(item, "shape") else None)
        parameters = {name: storage.read_array(file, PARAMETER_PREFIX + name) for name in names}
        members = tuple(int(m) for m in storage.read_array(file, "members"))
        epochs = tuple(int(e) for e in storage.read_array(file, "epochs"))
    return parameters, members, epochs


def data_digest(data: TrainingData) -> str:
    """Returns the SHA-256 of the training set as networks see it."""
    digest = hashlib.sha256()
    for values in (data.inputs, data.targets):
        digest.update(np.asarray(values).tobytes())
    return digest.hexdigest()


def _determining(attributes: Mapping[str, str]) -> dict[str, Any]:
    """Returns what determines a trained block, apart from how long it was trained."""
    config = json.loads(attributes["config_json"])
    train = {key: value for key, value in config["train"].items() if key not in _EPOCH_KEYS}
    others = {key: attributes.get(key) for key in ("code_fingerprint", "versions_json", "data_digest")}
    return others | {"config": config | {"train": train}}


def earlier_epochs(
    path: Path, attributes: Mapping[str, str], training: Training, members: tuple[int, ...]
) -> BlockResult | None:
    """Returns an older block, if the training of a new one can go on from it.

    That is the case if it holds the same members, was trained for fewer epochs and equals the new one in all else that
    determines it: configuration, code, versions of packages and data.

    Args:
        path: of the older block, which need not exist.
        attributes: root attributes of the new block.
        training: of the new block.
        members: of the new block.
    """
    try:
        if _determining(storage.read_attributes(path)) != _determining(attributes):
            return None
        parameters, found, epochs = read_block(path)
        losses = storage.read_arrays(path, ["loss"], "train")["loss"]
    except DataError:
        return None
    return BlockResult(parameters, epochs, losses) if found == members and extends(training, epochs) else None

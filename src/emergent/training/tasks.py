"""Stage configurations of training and evaluation as the objects that the engine works with."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import TypeAdapter

from emergent import storage
from emergent.config.models import Model, NetworkModel
from emergent.config.training import Training
from emergent.errors import ConfigError
from emergent.groups.finite import group_from_name
from emergent.groups.images import ImageAction, image_action
from emergent.storage import Array
from emergent.training.engine import BlockResult, BlockTask
from emergent.training.samples import Scaling

PARAMETER_PREFIX = "parameters/"


def parse_block(name: str) -> tuple[int, ...]:
    """Returns the member indices of a block name such as ``0000-0099``.

    Raises:
        ConfigError: not two numbers in ascending order.
    """
    match = re.fullmatch(r"(\d{4,})-(\d{4,})", name)
    if not match or int(match[1]) > int(match[2]):
        raise ConfigError(f"members: expected a range such as 0000-0099, found {name!r}.")
    return tuple(range(int(match[1]), int(match[2]) + 1))


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

"""Files of trained blocks: what is stored, what is read back, and when training can go on from one."""

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jax
import numpy as np
from pydantic import ValidationError

from emergent import storage
from emergent.config.stages import TrainStage
from emergent.domains.protocols import TrainingData
from emergent.errors import DataError
from emergent.storage import Array
from emergent.training.engine import BlockResult, extends

PARAMETER_PREFIX = "parameters/"


def result_arrays(members: tuple[int, ...], result: BlockResult) -> dict[str, Array]:
    """Returns a trained block as arrays to be stored."""
    arrays = {
        "members": Array(np.asarray(members), ("member",), "1", "index over the whole ensemble"),
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


def read_members(
    path: Path, members: tuple[int, ...]
) -> tuple[dict[str, np.ndarray], tuple[int, ...], tuple[int, ...]]:
    """Returns ``read_block`` of some members that a trained block holds, beside others or not.

    Raises:
        DataError: it does not hold them.
    """
    parameters, found, epochs = read_block(path)
    if absent := sorted(set(members) - set(found)):
        raise DataError(f"{path}: no member {absent[0]}; it holds {found[0]} to {found[-1]}: train the block again.")
    rows = [found.index(member) for member in members]
    return {name: values[:, rows] for name, values in parameters.items()}, members, epochs


def data_digest(data: TrainingData) -> str:
    """Returns the SHA-256 of the training set as networks see it, with the tables of its augmentation."""
    digest = hashlib.sha256()
    for values in jax.tree.leaves(data):
        digest.update(np.asarray(values).tobytes())
    return digest.hexdigest()


def _determining(attributes: Mapping[str, str]) -> dict[str, Any]:
    """Returns what determines a trained block, apart from how long it was trained."""
    stage = TrainStage.model_validate_json(attributes["config_json"])
    # Versions among it: another release of JAX may round differently.
    others = {key: attributes.get(key) for key in ("code_fingerprint", "versions_json", "data_digest")}
    return others | {"stage": stage.model_copy(update={"train": stage.train.without_epochs()})}


def earlier_epochs(
    path: Path, attributes: Mapping[str, str], stage: TrainStage, members: tuple[int, ...]
) -> BlockResult | None:
    """Returns an older block, if the training of a new one can go on from it.

    That is the case if it holds the same members, was trained for fewer epochs and equals the new one in all else that
    determines it: configuration, code, versions of packages and data.

    Args:
        path: of the older block, which need not exist.
        attributes: root attributes of the new block.
        stage: of the new block.
        members: of the new block.
    """
    try:
        if _determining(storage.read_attributes(path)) != _determining(attributes):
            return None
        parameters, found, epochs = read_block(path)
        losses = storage.read_arrays(path, ["loss"], "train")["loss"]
    # What cannot be read, or has an older form of settings, is no reason to fail: training starts anew.
    except (DataError, ValidationError):
        return None
    return BlockResult(parameters, epochs, losses) if found == members and extends(stage.train, epochs) else None

"""Which trained ensembles an infinitely wide one describes, decided before anything is computed.

The prediction holds for full-batch gradient descent on the squared error, on whole orbits, in NTK parametrisation, and
for networks whose kernel is known in closed form. Whatever differs would make it the limit of another experiment, so it
is refused here, with the setting to change. ``emergent.kernels.registry`` says what kernel belongs to which network.

References:
    arXiv 2403.03103, arXiv 2406.06504: mean and covariance of the infinitely wide ensemble.
"""

from collections.abc import Sequence
from typing import Literal

import numpy as np

from emergent.config.groups import Augmentation
from emergent.config.models import CnnModel, GcnnModel, MlpModel, NetworkModel
from emergent.config.training import Training
from emergent.point_groups import group_from_name

FAMILIES = ("mlp", "cnn", "gcnn")
"""Families that ``emergent.kernels.registry`` has a kernel of."""
CLOSED_FORMS = ("relu", "erf")
"""Activations whose Gaussian expectations are known in closed form."""


def infinitely_wide(model: NetworkModel) -> NetworkModel:
    """Returns the settings with all hidden widths set to 1: equal for networks that share an infinitely wide one."""
    if isinstance(model, MlpModel):
        return model.model_copy(update={"width": 1})
    if isinstance(model, CnnModel):
        layers = tuple(layer.model_copy(update={"channels": 1}) for layer in model.layers)
        return model.model_copy(update={"layers": layers, "dense": (1,) * len(model.dense)})
    return model


def missing_kernel(model: NetworkModel, shape: Sequence[int]) -> str | None:
    """Returns why a network has no kernel here that means the same network, or None if it has one.

    Args:
        model: settings of the network.
        shape: of one input, [H, W, C] for images.
    """
    if model.family not in FAMILIES or not isinstance(model, MlpModel | CnnModel):
        return f"family {model.family!r} has no kernel; families with one: {', '.join(FAMILIES)}"
    if model.parametrisation != "ntk":
        return f"kernels are those of parametrisation 'ntk', found {model.parametrisation!r}"
    if model.activation not in CLOSED_FORMS:
        return f"activation {model.activation!r} has no closed-form kernel; use one of {', '.join(CLOSED_FORMS)}"
    return _missing_convolutions(model, shape) if isinstance(model, CnnModel) else None


def _missing_convolutions(model: CnnModel, shape: Sequence[int]) -> str | None:
    if isinstance(model, GcnnModel) and model.dense:
        # The group mean of kernels commutes with linear layers only.
        return "dense: the kernel of a group convolutional network has no hidden dense layers after group pooling"
    sides = tuple(shape[:2])
    for index, layer in enumerate(model.layers):
        if any((side - 1) % layer.stride for side in sides):
            # The network pads both sides alike, neural-tangents' SAME the far side more; and a grid of filter
            # positions that is not centred on the image is no longer mapped to itself by the group.
            return (
                f"layers[{index}].stride: kernel and network pad alike only where the stride divides side - 1, "
                f"found stride {layer.stride} on {sides[0]} x {sides[1]}; use stride 1 with average_pool"
            )
        sides = tuple((side - 1) // layer.stride + 1 for side in sides)
        if any(side % layer.average_pool for side in sides):
            return f"layers[{index}].average_pool: {layer.average_pool} does not divide {sides[0]} x {sides[1]}"
        sides = tuple(side // layer.average_pool for side in sides)
    return None


def require_infinite_width(
    where: str,
    model: NetworkModel,
    train: Training,
    augmentation: Augmentation,
    domain: Literal["images", "point_clouds", "vectors"],
    shape: Sequence[int],
) -> None:
    """Refuses what would make the infinitely wide ensemble another experiment than the trained one.

    Args:
        where: key path of the section that asks for the prediction.
        model: settings of the arm's network.
        train: its training.
        augmentation: of its training set.
        domain: of its data.
        shape: of one input.

    Raises:
        ValueError: the first difference, with the setting to change.
    """
    where = f"{where}: the prediction describes"
    if domain == "point_clouds":
        raise ValueError(f"{where} a fixed training set, but points are drawn from meshes at every access")
    missing = missing_kernel(model, shape)
    if missing is not None:
        raise ValueError(f"{where} networks with a kernel: {missing}")
    if train.batch_size is not None:
        raise ValueError(f"{where} full-batch training; set train.batch_size to null, found {train.batch_size}")
    # The flow of the outputs is linear for the squared error only, and has a solution in closed form.
    if train.loss != "mse":
        raise ValueError(f"{where} the loss 'mse', found {train.loss!r}")
    if not train.is_gradient_descent:
        found = f"{train.optimiser!r}, momentum {train.momentum:g}, schedule {train.schedule!r}"
        raise ValueError(f"{where} plain gradient descent ('sgd', no momentum, constant rate), found {found}")
    if augmentation.mode != "full":
        raise ValueError(f"{where} training on full orbits; set augmentation.mode to 'full', found 'random'")
    if not augmentation.is_whole_group:
        raise ValueError(f"{where} training on full orbits, not on a part of {augmentation.group}")
    if domain == "images" and not _maps_pixels_to_pixels(augmentation.group):
        raise ValueError(
            f"{where} orbits under which kernels are invariant; {augmentation.group} interpolates between pixels, "
            "use C1, C2, C4, D1, D2 or D4"
        )


def _maps_pixels_to_pixels(group: str) -> bool:
    matrices = group_from_name(group).matrices
    return np.array_equal(matrices, np.rint(matrices))

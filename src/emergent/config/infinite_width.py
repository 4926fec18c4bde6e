"""Which trained ensembles an infinitely wide one describes, decided before anything is computed.

The prediction holds for full-batch gradient descent on the squared error, on whole orbits, in NTK parametrisation, and
for networks whose kernel is known in closed form. Whatever differs would make it the limit of another experiment, so it
is refused here, with the setting to change. Whether there is a kernel, the settings of the network say themselves
(``emergent.config.networks``).

References:
    arXiv 2403.03103, arXiv 2406.06504: mean and covariance of the infinitely wide ensemble.
"""

from collections.abc import Sequence
from typing import Literal

from emergent.config.groups import Augmentation
from emergent.config.networks import Network
from emergent.config.training import Training
from emergent.point_groups import group_from_name


def require_infinite_width(
    where: str,
    model: Network,
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
    missing = model.missing_kernel(shape)
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
    if domain == "images" and not group_from_name(augmentation.group).on_grid.all():
        raise ValueError(
            f"{where} orbits under which kernels are invariant; {augmentation.group} interpolates between pixels, "
            "use C1, C2, C4, D1, D2 or D4"
        )

"""Memory of an infinite-width prediction, by arithmetic on its settings, before anything is computed.

With N training samples and the group's order G, what grows is: both kernels of the training set (2 G N^2 numbers), the
eigenvectors of all blocks of the NTK (G N^2 in total, twice that in a complex basis), one block while it is
diagonalised, the kernels between training and a piece of a test set, and one tile of pairs on its way through layers.
"""

import math
from typing import NamedTuple

from emergent.config.networks import Network
from emergent.config.stages import PredictStage
from emergent.point_groups import group_from_name

BASE_BYTES = 600 * 2**20
"""Runtime, compiled programs and Python itself."""
FLOAT64_BYTES = 8
# One block is held as sum and as Hermitian part, LAPACK overwrites a copy and works in two more.
BLOCK_COPIES = 5
# Both kernels of one piece with all training points, their components, and weights on the way.
PIECE_COPIES = 10
# NNGP, NTK and the temporaries of an elementwise nonlinearity or of a filter average.
COPIES = 12


class PredictionSize(NamedTuple):
    """What a prediction needs.

    Attributes:
        kept_bytes: matrices of the training set, and kernels between it and one piece of a test set.
        tile_size: samples per side of a tile, no more than there are.
        floats_per_pair: numbers that one pair of inputs occupies while its kernel is computed.
    """

    kept_bytes: int
    tile_size: int
    floats_per_pair: int

    @property
    def num_bytes(self) -> int:
        """Returns the estimated peak memory in bytes."""
        return BASE_BYTES + self.kept_bytes + FLOAT64_BYTES * self.tile_size**2 * self.floats_per_pair


def floats_per_pair(model: Network, shape: tuple[int, ...]) -> int:
    """Returns how many numbers one pair of inputs occupies at the peak of a kernel computation, measured on a CPU.

    Args:
        model: settings of the network.
        shape: [H, W, C] of an image; of other inputs nothing is used.
    """
    return COPIES * model.kernel_positions(shape)


def prediction_size(stage: PredictStage, shape: tuple[int, ...], num_train: int, num_test: int) -> PredictionSize:
    """Returns the parts of ``prediction_bytes``.

    Args:
        stage: settings of the prediction.
        shape: of one input.
        num_train: base training samples, before augmentation.
        num_test: samples of the largest test set.
    """
    order, orbit = stage.augmentation.order or 1, stage.orbit.order or 1
    # Blocks are d N x d N with d^2 < G, since the squared dimensions add up to G; complex ones, in general.
    largest = 2 * math.isqrt(order - 1) ** 2 if order > 2 else 1
    eigenvectors = order * (1 if group_from_name(stage.augmentation.group).dimension == 2 else 2)
    training = (2 * order + eigenvectors + BLOCK_COPIES * largest) * num_train**2
    piece = min(max(stage.tile_size, orbit), num_test * orbit)
    outputs = 3 * num_test * orbit * (stage.model.num_outputs + orbit)
    kept = training + PIECE_COPIES * piece * order * num_train + outputs
    return PredictionSize(FLOAT64_BYTES * kept, min(stage.tile_size, num_train), floats_per_pair(stage.model, shape))


def prediction_bytes(stage: PredictStage, num_train: int, num_test: int) -> int:
    """Returns the estimated peak memory, in bytes, of predicting one arm.

    Args:
        stage: settings of the prediction.
        num_train: base training samples, before augmentation.
        num_test: samples of the largest test set.
    """
    shape = stage.data.shape if stage.data.domain == "images" else ()
    return prediction_size(stage, shape, num_train, num_test).num_bytes

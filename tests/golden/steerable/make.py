"""Golden values of steerable layers from escnn, the library of arXiv 1911.08251; escnn is no dependency of the package.

In an environment of its own::

    python -m venv escnn && escnn/bin/pip install numpy scipy torch joblib pymanopt autograd lie_learn
    escnn/bin/pip install --no-deps escnn==1.0.11
    escnn/bin/python tests/golden/steerable/make.py

writes ``escnn.npz`` beside this file: for each case random inputs, the filters that escnn's random weights give, biases
and the outputs of lifting layer, ReLU, regular layer, ReLU and group pooling, with the filters cut to the disc that
fits into their square, as this project's are.
"""

from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from escnn import gspaces, nn


class Case(NamedTuple):
    """One pair of layers. Written out: nothing of the package decides its numbers.

    Attributes:
        order: of the group.
        side: of the filters.
        rings: radius of each ring to its highest frequency.
        size: side of the images.
        fields: of the two layers.
        steps: padding of the first layer, padding and stride of the second.
    """

    order: int
    side: int
    rings: dict[float, int]
    size: int
    fields: tuple[int, int]
    steps: tuple[int, int, int]


ODD, EVEN = {0.0: 0, 1.0: 1, 2.0: 3}, {0.5: 0, 1.5: 2, 2.5: 3}
CASES = {
    "c4": Case(4, 5, ODD, 9, (2, 3), (2, 2, 2)),
    "c8": Case(8, 6, EVEN, 9, (1, 2), (2, 2, 2)),
    "c16": Case(16, 5, ODD, 6, (1, 1), (2, 2, 1)),
}
RING_WIDTH = 0.6


def layer(fields_in: nn.FieldType, fields_out: nn.FieldType, case: Case, padding: int, stride: int = 1) -> nn.R2Conv:
    """Returns a layer of escnn with random weights and biases, its filters cut to a disc."""
    convolution = nn.R2Conv(
        fields_in,
        fields_out,
        case.side,
        padding=padding,
        stride=stride,
        rings=list(case.rings),
        sigma=RING_WIDTH,
        frequencies_cutoff=case.rings.get,
    )
    torch.nn.init.normal_(convolution.bias, std=0.3)
    convolution.eval()
    offsets = torch.arange(case.side) - (case.side - 1) / 2
    convolution.filter *= torch.hypot(offsets[:, None], offsets[None]) <= case.side / 2
    return convolution


def main() -> None:
    """Writes the golden values of all cases."""
    torch.manual_seed(11)
    arrays = {}
    for name, case in CASES.items():
        space = gspaces.rot2dOnR2(case.order)
        image = nn.FieldType(space, 2 * [space.trivial_repr])
        first, second = (nn.FieldType(space, num * [space.regular_repr]) for num in case.fields)
        lift = layer(image, first, case, case.steps[0])
        convolve = layer(first, second, case, *case.steps[1:])
        relu, relu_after, pool = nn.ReLU(first), nn.ReLU(second), nn.GroupPooling(second)
        inputs = 4 * torch.randn(2, 2, case.size, case.size)
        with torch.no_grad():
            lifted = relu(lift(nn.GeometricTensor(inputs, image)))
            convolved = relu_after(convolve(lifted))
            pooled = pool(convolved)
        values = {
            "inputs": inputs,
            "lift_filter": lift.filter,
            "lift_bias": lift.bias,
            "filter": convolve.filter,
            "bias": convolve.bias,
            "lifted": lifted.tensor,
            "convolved": convolved.tensor,
            "pooled": pooled.tensor,
            "steps": torch.tensor(case.steps),
        }
        arrays |= {f"{name}/{key}": value.detach().numpy() for key, value in values.items()}
    np.savez_compressed(Path(__file__).with_name("escnn.npz"), **arrays)


if __name__ == "__main__":
    main()

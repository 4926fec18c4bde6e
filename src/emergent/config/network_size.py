"""Parameters and activations of a network, by arithmetic on its configuration; nothing is computed or allocated."""

from dataclasses import dataclass
from itertools import pairwise

from emergent.config.models import GcnnModel, MlpModel, NetworkModel, SupportCnnModel
from emergent.config.supports import support_mask
from emergent.errors import ConfigError

FLOAT_BYTES = 4
# Forward activations are kept for the backward pass, which makes as many again, and convolutions unfold patches.
ACTIVATION_COPIES = 3


@dataclass(frozen=True)
class NetworkSize:
    """Parameters of one member and floats of activations for one sample."""

    num_parameters: int
    num_activations: int


def network_size(model: NetworkModel, shape: tuple[int, int, int]) -> NetworkSize:
    """Returns the size of a network on inputs of shape (H, W, C).

    Raises:
        ConfigError: average pooling does not divide the image.
    """
    height, width, channels = shape
    if isinstance(model, SupportCnnModel):
        return _support_cnn(model, height, channels)
    biases = 1 if model.parametrisation == "pytorch" or model.bias_std > 0 else 0
    if isinstance(model, MlpModel):
        sizes = [height * width * channels, *[model.width] * model.depth, model.num_outputs]
        return _dense(sizes, biases, 0, 0)
    order = {"C1": 1, "C2": 2, "C4": 4, "D4": 8}[model.group] if isinstance(model, GcnnModel) else 1
    parameters = activations = 0
    for index, layer in enumerate(model.layers):
        fan_in = model.filter_size**2 * channels * (order if index else 1)
        parameters += (fan_in + biases) * layer.channels
        height, width, channels = -(-height // layer.stride), -(-width // layer.stride), layer.channels
        activations += height * width * channels * order
        if height % layer.average_pool or width % layer.average_pool:
            raise ConfigError(
                f"layers.{index}.average_pool: expected a divisor of the feature map {height} x {width}, "
                f"found {layer.average_pool}."
            )
        height, width = height // layer.average_pool, width // layer.average_pool
    features = channels * (height * width if model.readout == "flatten" else 1)
    return _dense([features, *model.dense, model.num_outputs], biases, parameters, activations)


def _dense(sizes: list[int], biases: int, parameters: int, activations: int) -> NetworkSize:
    parameters += sum((a + biases) * b for a, b in pairwise(sizes))
    return NetworkSize(parameters, activations + sum(sizes))


def _support_cnn(model: SupportCnnModel, side: int, channels: int) -> NetworkSize:
    if side % 2**model.num_pooled:
        raise ConfigError(
            f"num_pooled: {model.num_pooled} poolings need a side divisible by {2**model.num_pooled}, found {side}."
        )
    mask = support_mask(model.support)
    parameters = activations = 0
    for index, features in enumerate(model.channels):
        parameters += int(mask.sum()) * channels * features
        side //= 2 if index < model.num_pooled else 1
        # Pre-activation, tanh and normalised map, and what the taps see: one value of the layer's input per tap.
        activations += side**2 * (3 * features + int(mask.sum()) * channels)
        channels = features
    return NetworkSize(parameters + side**2 * channels * model.num_outputs, activations + model.num_outputs)


def bytes_in_flight(size: NetworkSize, num_samples: int, state_copies: int) -> int:
    """Returns the memory of one member while a step runs.

    Args:
        size: of the network.
        num_samples: samples in one step, augmentation included.
        state_copies: parameters, gradients and what the optimiser keeps.
    """
    return FLOAT_BYTES * (state_copies * size.num_parameters + ACTIVATION_COPIES * num_samples * size.num_activations)

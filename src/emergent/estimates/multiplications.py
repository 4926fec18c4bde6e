"""Multiplications of networks that are no ensembles of one architecture, by arithmetic on their settings."""

import itertools
import math

from emergent.config.cloud_distance import CloudDistanceStage
from emergent.config.cloud_pairs import CloudPairOptions
from emergent.config.counterfactual_training import CounterfactualStage, CouplingFlow, Helix
from emergent.config.data_efficiency_training import DataEfficiencyStage, ScalarMethod, TensorMethod
from emergent.config.departure_training import BlockGraphs, DepartureStage, Images
from emergent.config.poses import PosesStage
from emergent.config.skeletons import NUM_JOINTS
from emergent.config.subspace_training import SubspaceStage
from emergent.config.traffic import TrafficStage
from emergent.config.wilson_loops_training import LinkCnn, LoopStage
from emergent.plan import Plan

# A step of training goes through a network forward and twice, for gradients of its inputs and weights, backward.
PASSES_OF_TRAINING = 3
MASSES = 5
"""Of a tensor of inertia."""


def subspace_multiplications(stage: SubspaceStage) -> int:
    """Returns the multiplications of a forward pass of one image."""
    height, width, channels = stage.data.shape
    taps = sum(row.count("1") for row in stage.parametrisation.support)
    total = 0
    for layer, own in enumerate(stage.network.channels):
        side_shrinks = 2 ** min(layer, stage.network.num_pooled)
        total += (height // side_shrinks) * (width // side_shrinks) * taps * channels * own
        channels = own
    shrunk = 2 ** min(len(stage.network.channels), stage.network.num_pooled)
    return total + (height // shrunk) * (width // shrunk) * channels * stage.network.num_outputs


def departure_multiplications(plan: Plan, stage: DepartureStage) -> float:
    """Returns the multiplications of one run in all three ways, of which one goes over the data several times."""
    task = stage.task
    if isinstance(task.inputs, Images):
        assert stage.data is not None
        train = stage.data.train
        num = plan.num_samples(train.dataset, train.split, train.num)
        points = math.prod(stage.data.shape[:2]) // task.inputs.pool**2
    else:
        num = task.inputs.num
        points = (2 * task.inputs.block_size) ** 2 if isinstance(task.inputs, BlockGraphs) else task.inputs.side**2
    widths = [1, *task.network.channels]
    # Every point of a layer sees all points of the one before.
    products = points**2 * sum(a * b for a, b in itertools.pairwise(widths))
    last = task.network.features
    products += points * widths[-1] * (last if last is not None else 2 * points)
    return PASSES_OF_TRAINING * task.train.num_steps * num * (2 + task.train.num_passes) * products


def loop_multiplications(stage: LoopStage) -> int:
    """Returns the multiplications of a network on links at one site: links have 8 components, quaternions 4."""
    network = stage.network
    if isinstance(network, LinkCnn):
        widths = (12 if network.plaquettes else 8, *network.channels)
        return sum(4 * before * after for before, after in itertools.pairwise(widths))
    # Without leaves fields get their conjugates as further channels; both get the identity.
    leaves, copies = (8, 8) if network.point_group else (1, 2)
    total, before = 0, 1
    for channels in network.channels:
        near, far = copies * before + 1, copies * before * (1 + 4 * network.reach) + 1
        total += 4 * near * leaves * channels * (far + 4)
        before = channels
    return total


def counterfactual_multiplications(plan: Plan, stage: CounterfactualStage) -> float:
    """Returns the multiplications of one trial in its flow, which is most of the work: training, and attacks in Z."""
    data, flow = stage.data, stage.generator
    moved = 2 * stage.attack.num * stage.attack.num_steps
    if not isinstance(flow, CouplingFlow):
        return PASSES_OF_TRAINING * moved * data.dimension**2
    num = (
        data.num if isinstance(data, Helix) else plan.num_samples(data.train.dataset, data.train.split, data.train.num)
    )
    # Two networks in each coupling.
    products = 2 * flow.num_couplings * (2 * data.dimension * flow.width + (flow.depth - 1) * flow.width**2)
    return PASSES_OF_TRAINING * products * (num * flow.train.num_epochs + moved)


def traffic_multiplications(plan: Plan, stage: TrafficStage) -> float:
    """Returns the multiplications of a recurrent network at all sensors, for all windows of the series and epochs."""
    data, units = stage.data, stage.network.units
    windows = plan.num_samples(data.dataset, "series", None) * (1 - data.validation - data.test)
    sensors = plan.num_samples(data.dataset, "graph", None)
    # Two gates of a sensor's own state, and the candidate of that and of what comes along the roads and against them.
    cell = (2 + 3) * units**2
    return stage.train.num_epochs * stage.network.networks * windows * (data.past + data.future) * sensors * cell


def efficiency_multiplications(stage: DataEfficiencyStage) -> float:
    """Returns the multiplications of the hidden layers of networks on vectors, for all sizes of the training set."""
    network, train = stage.network, stage.train
    width = network.channels if isinstance(network, TensorMethod) else network.width
    seen = sum((train.samples_per_epoch or num) * train.epochs(num) for num in stage.task.sizes)
    looks = 1
    if isinstance(network, ScalarMethod) and stage.task.function == "inertia":
        # Four networks on every mass, two on every mass and two on every pair of the products and what these give, and
        # four on all of a sample, see emergent.models.scalar_networks.
        looks = 4 * MASSES + 2 * MASSES + 2 * math.comb(MASSES, 2) + 4
    return network.networks * looks * seen * network.depth * width**2


def cloud_multiplications(plan: Plan, stage: CloudDistanceStage) -> float:
    """Returns the multiplications of networks on the elements of sets, for all clouds of both classes and steps."""
    options = plan.registry.entry(stage.dataset).options
    assert isinstance(options, CloudPairOptions)
    clouds, points, hidden = (
        2 * plan.num_samples(stage.dataset, "train", None),
        options.num_points,
        stage.network.hidden,
    )
    # Squares of points and products of pairs are sets of numbers; else elements are points of space.
    if stage.network.features == "products":
        elements, size = points + math.comb(points + 1, 2), 1
    else:
        elements, size = points, 3
    through = elements * (size * hidden + 2 * hidden**2)
    if stage.network.relaxed:
        through += points * (3 * hidden + 2 * hidden**2)
    return stage.train.num_epochs * stage.network.networks * clouds * through


def pose_multiplications(plan: Plan, stage: PosesStage) -> float:
    """Returns the multiplications of networks on joints, for all training poses and epochs.

    Weights by orbits are spread over all pairs of joints: no group takes fewer products than the trivial one.
    """
    network, poses = stage.network, plan.num_samples(stage.dataset, "train", None)
    # From two coordinates to channels, between channels, and to three coordinates.
    weights = network.channels * (2 + network.depth * network.channels + 3)
    return stage.train.num_epochs * network.networks * poses * NUM_JOINTS**2 * weights

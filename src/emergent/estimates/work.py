"""The work of a job, by arithmetic on its settings, in units that grow with them as its time does.

Every verb has a unit of its own: what matters is that a job of twice the work takes twice as long, beside what it takes
to begin and end. The key beside it names the row of ``config/throughput.yaml`` that says how fast such work is done.
"""

import math
from typing import NamedTuple

from emergent.config.cloud_distance import CloudDistanceStage
from emergent.config.contrastive import ContrastiveStage
from emergent.config.counterfactual_training import CounterfactualStage
from emergent.config.data_efficiency_training import DataEfficiencyStage
from emergent.config.datasets import DatasetEntry
from emergent.config.departure_training import DepartureStage
from emergent.config.discretisation import DiscretisationStage
from emergent.config.dynamics_training import DynamicsStage, TensorDynamics
from emergent.config.ensembles import EnsembleExperiment
from emergent.config.equal_means import MeansStage
from emergent.config.generators import IsingOptions
from emergent.config.inpainting import InpaintingStage
from emergent.config.kernel_convergence import ConvergenceStage
from emergent.config.kernel_regression import KernelRegressionStage
from emergent.config.models import CnnModel
from emergent.config.molecule_regression import MoleculeStage
from emergent.config.networks import Network
from emergent.config.poses import PosesStage
from emergent.config.questions import OrbitDivergence, RotationDivergence
from emergent.config.spherical import SphericalGcnnModel
from emergent.config.spherical_images_training import SphereStage
from emergent.config.spherical_memory import multiplications
from emergent.config.stages import PredictStage, TrainStage
from emergent.config.study import StudyBase
from emergent.config.subspace_training import SubspaceStage
from emergent.config.traffic import TrafficStage
from emergent.config.unit_dynamics_training import UnitStage
from emergent.config.wilson_loops_training import LoopStage
from emergent.estimates.multiplications import (
    PASSES_OF_TRAINING,
    cloud_multiplications,
    counterfactual_multiplications,
    departure_multiplications,
    efficiency_multiplications,
    loop_multiplications,
    pose_multiplications,
    subspace_multiplications,
    traffic_multiplications,
)
from emergent.estimates.sizes import ArmSize
from emergent.kinds import kind_of
from emergent.plan import Plan
from emergent.point_groups import group_from_name

# Of organic molecules with up to nine heavy atoms, on average: atoms, and pairs of atoms of one element.
ATOMS, PAIRS_OF_ONE_ELEMENT = 18, 128
ROTATIONS = 4
"""Quarter turns that an image is seen in."""


class Work(NamedTuple):
    """What a job has to do.

    Attributes:
        key: row of ``config/throughput.yaml``.
        amount: in the unit of that row.
    """

    key: str
    amount: float


def training_work(plan: Plan, study: StudyBase, arm: str, size: ArmSize) -> Work:
    """Returns the work of training one block of an arm.

    The units: multiplications of matrix products for networks; pairs of pixels and layers for kernels of images; pairs
    of atoms, times points of a quadrature on SO(3) where kernels have one, for molecules; entries of kernels for points
    of the plane; particles for flows.

    Args:
        plan: of the run.
        study: the experiment.
        arm: with a stage ``train``.
        size: of its network.
    """
    stage, members = study.stage("train", arm), study.members_of_arm(arm).block
    verb = kind_of(study).verbs["train"]
    match stage:
        case TrainStage():
            train = stage.data.train
            samples = plan.num_samples(train.dataset, train.split, train.num) * stage.train.num_epochs
            copies = (stage.augmentation.order or 1) if stage.augmentation.mode == "full" else 1
            amount = PASSES_OF_TRAINING * members * samples * copies * size.multiplications
            return Work(f"{verb} {stage.model.family}", amount)
        case SubspaceStage():
            train = stage.data.train
            num = plan.num_samples(train.dataset, train.split, train.num)
            looks = stage.train.equivariant.num_epochs + ROTATIONS * stage.train.augmented.num_epochs
            return Work(verb, PASSES_OF_TRAINING * members * num * looks * subspace_multiplications(stage))
        case DepartureStage():
            return Work(verb, members * departure_multiplications(plan, stage))
        case ConvergenceStage():
            return Work(f"{verb} {stage.model.family}", members * stage.inputs.num * size.multiplications)
        case KernelRegressionStage():
            pool = stage.splits.average_pool
            height, width, _ = stage.data.shape
            train = stage.data.train
            pairs = _split_pairs(stage, members, plan.num_samples(train.dataset, train.split, train.num))
            # Copies of one of both images.
            pairs *= group_from_name(stage.augmented or "C1").order
            return Work(verb, pairs * _pixel_pairs(stage.model, (height // pool) * (width // pool)))
        case MeansStage():
            pool = stage.sampling.average_pool
            height, width, _ = stage.data.shape
            train, test = stage.sampling.train, stage.sampling.test
            order = group_from_name(stage.group).order
            # Augmented and equivariant problems ask for kernels with every copy, the plain one for one.
            pairs = (2 * order + 1) * (train * (train + 1) / 2) + (2 * order + 1) * order * train * test
            return Work(verb, members * pairs * _pixel_pairs(stage.model, (height // pool) * (width // pool)))
        case MoleculeStage():
            num = plan.num_samples(stage.data.dataset, stage.data.split, stage.data.num)
            pairs = num * (num + 1) / 2 * (ATOMS if stage.branches == "slots" else PAIRS_OF_ONE_ELEMENT)
            if isinstance(stage.model, SphericalGcnnModel):
                filters = "all" if stage.model.band_limit is None else "limited"
                return Work(f"{verb} {filters}", pairs * stage.model.resolution**3)
            return Work(f"{verb} mlp", pairs)
        case DiscretisationStage():
            sampling = stage.sampling
            points = sampling.num_train + sampling.num_points * sampling.num_angles
            return Work(verb, members * sampling.num_train * points * sum(stage.orders))
        case DataEfficiencyStage():
            amount = PASSES_OF_TRAINING * members * efficiency_multiplications(stage)
            return Work(f"{verb} {stage.network.method}", amount)
        case DynamicsStage():
            network, given = stage.network, stage.trajectories
            width = network.channels if isinstance(network, TensorDynamics) else network.width
            # Runge and Kutta's method asks four times for velocities in each step.
            asked = 4 * stage.train.integration_steps * (given.piece - 1) * given.num_train * stage.train.num_epochs
            amount = PASSES_OF_TRAINING * members * network.networks * asked * network.depth * width**2
            return Work(f"{verb} {stage.family}_{network.method}", amount)
        case UnitStage():
            network, given = stage.network, stage.pendulums
            asked = 4 * stage.train.integration_steps * (given.piece - 1) * given.num_train * stage.train.num_epochs
            amount = PASSES_OF_TRAINING * members * network.networks * asked * network.depth * network.width**2
            return Work(verb, amount)
        case ContrastiveStage():
            images = stage.data.train
            seen = plan.num_samples(images.dataset, images.split, images.num) * stage.train.num_epochs
            # Two views of an image, and two more where their inner products are compared.
            seen *= 4 if stage.objective.weight else 2
            encoder = stage.network.multiplications(stage.data.side, stage.data.shape[2])
            return Work(f"{verb} {stage.network.family}", PASSES_OF_TRAINING * members * seen * encoder)
        case InpaintingStage():
            images = plan.num_samples(stage.data.train.dataset, stage.data.train.split, stage.data.train.num)
            # Every pixel by its block's number, and sums over blocks by a matrix; layers between 1 and C channels.
            pixels = stage.data.side**2
            products = sum(pixels + blocks**4 for blocks in stage.blocks)
            # The trivial group beside: as many blocks as pixels.
            products += len(stage.blocks) * (pixels + pixels**2) if stage.network.relaxed else 0
            channels = stage.network.channels if stage.network.layers > 1 else 1
            amount = products * channels * stage.network.layers * images * stage.train.num_epochs
            return Work(verb, PASSES_OF_TRAINING * members * stage.ensemble * amount)
        case LoopStage():
            sites = plan.num_samples(stage.data.dataset, "train", None) * stage.data.sizes[0] ** 2
            amount = PASSES_OF_TRAINING * members * sites * stage.train.num_epochs * loop_multiplications(stage)
            return Work(f"{verb} {stage.network.family}", amount)
        case CounterfactualStage():
            return Work(f"{verb} {stage.generator.family}", members * counterfactual_multiplications(plan, stage))
        case SphereStage():
            images = stage.images_per_epoch * stage.train.num_epochs
            amount = PASSES_OF_TRAINING * members * images * multiplications(stage.network, stage.task, stage.bandwidth)
            return Work(f"{verb} {stage.network.family}", amount)
        case TrafficStage():
            return Work(verb, PASSES_OF_TRAINING * members * traffic_multiplications(plan, stage))
        case CloudDistanceStage():
            return Work(verb, PASSES_OF_TRAINING * members * cloud_multiplications(plan, stage))
        case PosesStage():
            return Work(verb, PASSES_OF_TRAINING * members * pose_multiplications(plan, stage))
        case _:
            return Work(verb, members)


def evaluation_work(plan: Plan, study: EnsembleExperiment, arm: str, size: ArmSize) -> Work:
    """Returns the work of evaluating one block of an arm: multiplications of matrix products."""
    members, model = study.members_of_arm(arm).block, study.arms[arm].model
    sets = {key: plan.num_samples(s.dataset, s.split, s.num) for key, s in study.test_sets().items()}
    inputs = sum(study.evaluation_inputs(arm, sets))
    epochs = len(study.checkpoint_epochs())
    verb = kind_of(study).verbs["evaluate"]
    return Work(f"{verb} {model.family}", members * epochs * inputs * size.evaluated_multiplications)


def prediction_work(plan: Plan, stage: PredictStage) -> Work:
    """Returns the work of one prediction: entries of kernels times training samples, and so products of matrices."""
    order, orbit = stage.augmentation.order or 1, stage.orbit.order or 1
    sets = [stage.data.train, *stage.data.evaluate.values()]
    sizes = [[plan.num_samples(s.dataset, s.split, s.num) for s in sets]]
    sizes += [[own["train"], *own.values()] for own in (plan.registry.entry(n).splits for n in stage.readings)]
    return Work("predict", sum(order * num**2 * (num + orbit * sum(others)) for num, *others in sizes))


def summary_work(plan: Plan, study: StudyBase) -> Work:
    """Returns the work of a summary: numbers of evaluated blocks, again for every size that is resampled; or members.

    Args:
        plan: of the run.
        study: the experiment.
    """
    key, num_blocks = f"summarise {getattr(study, 'kind', '')}", {a: len(_blocks(study, a)) for a in study.arm_names}
    if not isinstance(study, EnsembleExperiment):
        return Work(key, sum(study.members_of_arm(arm).num for arm in study.arm_names))
    looks = 1 + len(study.evaluate.bootstrap.sizes) if isinstance(study, OrbitDivergence | RotationDivergence) else 1
    return Work(key, looks * sum(num * evaluated_numbers(plan, study, arm) for arm, num in num_blocks.items()))


def _blocks(study: StudyBase, arm: str) -> tuple[str, ...]:
    return study.members_of_arm(arm).blocks()


def evaluated_numbers(plan: Plan, study: EnsembleExperiment, arm: str) -> int:
    """Returns the outputs that one evaluated block holds: of members, and summed over those of each ensemble."""
    sets = {key: plan.num_samples(s.dataset, s.split, s.num) for key, s in study.test_sets().items()}
    outputs = sum(study.evaluation_inputs(arm, sets)) * study.arms[arm].model.num_outputs
    block, settings = study.members_of_arm(arm).block, study.evaluation_settings()
    sums = sum(min(settings.max_ensembles, math.ceil(block / size)) for size in settings.ensemble_sizes)
    sums += settings.whole_blocks
    return outputs * (sums * len(study.checkpoint_epochs()) + block * len(settings.output_epochs))


def preparation_work(entry: DatasetEntry) -> Work:
    """Returns the work of preparing a data set: its samples; of Ising models, spins that are drawn."""
    samples = sum(entry.splits.values())
    if isinstance(entry.options, IsingOptions):
        return Work(f"prepare {entry.module}", samples * entry.options.num_sweeps * entry.options.lattice_size**2)
    return Work(f"prepare {entry.module}", samples)


def _pixel_pairs(model: Network, num_pixels: int) -> int:
    """Returns the pairs of pixels, over layers and copies of a filter, of the kernel of one pair of images."""
    if not isinstance(model, CnnModel):
        return 1
    group = getattr(model, "group", None)
    copies = group_from_name(group).order if group else 1
    return copies * len(model.layers) * (num_pixels**2 if model.readout == "mean" else num_pixels)


def _split_pairs(stage: KernelRegressionStage, members: int, num: int) -> float:
    """Returns about how many pairs of images a block of splits needs: split after split, or all at once."""
    largest = max(stage.splits.train)
    one_by_one = members * (largest * (largest + 1) / 2 + largest * (stage.splits.total - largest))
    # Images that are in any of the splits, on average.
    used = num * (1 - (1 - min(1.0, stage.splits.total / num)) ** members)
    return min(one_by_one, used * (used + 1) / 2)

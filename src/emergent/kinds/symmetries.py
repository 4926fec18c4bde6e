"""Questions with a training of their own: symmetries built in, learnt, relaxed or left."""

from emergent.config.black_body import BlackBodyExperiment, BlackBodySummary
from emergent.config.bundles import BundleExperiment, BundleSummary
from emergent.config.cloud_distance import CloudDistanceExperiment, CloudDistanceSummary
from emergent.config.contrastive import ContrastiveExperiment
from emergent.config.counterfactuals import CounterfactualExperiment, CounterfactualSummary
from emergent.config.data_efficiency import DataEfficiencyExperiment, DataEfficiencySummary
from emergent.config.departure import DepartureExperiment
from emergent.config.dynamics import DynamicsExperiment, DynamicsSummary
from emergent.config.flow import FlowExperiment, FlowSummary
from emergent.config.inpainting import InpaintingExperiment, InpaintingSummary
from emergent.config.poses import PosesExperiment, PosesSummary
from emergent.config.risk_gap import GapSummary, RiskGapExperiment
from emergent.config.separation import SeparationExperiment, SeparationSummary
from emergent.config.spherical_images import SphereSummary, SphericalImagesExperiment
from emergent.config.stages import SummaryStage
from emergent.config.subspace import SubspaceExperiment
from emergent.config.traffic import TrafficExperiment, TrafficSummary
from emergent.config.unit_dynamics import UnitDynamicsExperiment, UnitSummary
from emergent.config.wilson_loops import LoopSummary, WilsonLoopsExperiment
from emergent.kinds.record import Summarise, kind


@kind(SubspaceExperiment, SummaryStage, {"train": "train_subspace"})
def subspace() -> Summarise:
    """Do networks that start equivariant stay so under augmented training?"""
    from emergent.summaries.subspace import summarise_subspace

    return summarise_subspace


@kind(DepartureExperiment, SummaryStage, {"train": "train_departure"})
def departure() -> Summarise:
    """How far do equivariant, augmented and nominal training leave the equivariant networks?"""
    from emergent.summaries.departure import summarise_departure

    return summarise_departure


@kind(DataEfficiencyExperiment, DataEfficiencySummary, {"train": "train_data_efficiency"})
def data_efficiency() -> Summarise:
    """How many samples is a symmetry worth, built in, learnt from augmented data or averaged over ensembles?"""
    from emergent.summaries.data_efficiency import summarise_data_efficiency

    return summarise_data_efficiency


@kind(DynamicsExperiment, DynamicsSummary, {"train": "train_dynamics"})
def dynamics() -> Summarise:
    """Is motion followed for longer where its symmetry is built in, learnt from moved pieces, or averaged?"""
    from emergent.summaries.dynamics import summarise_dynamics

    return summarise_dynamics


@kind(UnitDynamicsExperiment, UnitSummary, {"train": "train_unit_dynamics"})
def unit_dynamics() -> Summarise:
    """Is motion followed in other units than those of training, without units, or after they changed in training?"""
    from emergent.summaries.unit_dynamics import summarise_unit_dynamics

    return summarise_unit_dynamics


@kind(FlowExperiment, FlowSummary, {"train": "train_flow"})
def flow() -> Summarise:
    """Does an equivariant flow keep an invariant cloud of particles invariant?"""
    from emergent.summaries.flow import summarise_flow

    return summarise_flow


@kind(RiskGapExperiment, GapSummary, {"train": "train_risk_gap"})
def risk_gap() -> Summarise:
    """When does symmetrising a linear regression help?"""
    from emergent.summaries.risk_gap import summarise_risk_gap

    return summarise_risk_gap


@kind(InpaintingExperiment, InpaintingSummary, {"train": "train_inpainting"})
def inpainting() -> Summarise:
    """Which of nested groups of permutations fills in missing parts of images best?"""
    from emergent.summaries.inpainting import summarise_inpainting

    return summarise_inpainting


@kind(SeparationExperiment, SeparationSummary, {"train": "train_separation"})
def separation() -> Summarise:
    """Which invariants tell the orbits of a group apart?"""
    from emergent.summaries.separation import summarise_separation

    return summarise_separation


@kind(BlackBodyExperiment, BlackBodySummary, {"train": "train_black_body"})
def black_body() -> Summarise:
    """What are units worth, and can a constant of nature be found by its units?"""
    from emergent.summaries.black_body import summarise_black_body

    return summarise_black_body


@kind(BundleExperiment, BundleSummary, {"train": "train_bundles"})
def bundles() -> Summarise:
    """Are equivariant maps between sections of homogeneous bundles convolutions?"""
    from emergent.summaries.bundles import summarise_bundles

    return summarise_bundles


@kind(CloudDistanceExperiment, CloudDistanceSummary, {"train": "train_cloud_distance"})
def cloud_distance() -> Summarise:
    """Do invariant features tell how far apart point clouds are, or ensembles of augmented networks on coordinates?"""
    from emergent.summaries.cloud_distance import summarise_cloud_distance

    return summarise_cloud_distance


@kind(TrafficExperiment, TrafficSummary, {"train": "train_traffic"})
def traffic() -> Summarise:
    """Does a network on a graph gain by weights of its own for every cluster of nodes, or by ensembles?"""
    from emergent.summaries.traffic import summarise_traffic

    return summarise_traffic


@kind(PosesExperiment, PosesSummary, {"train": "train_poses"})
def poses() -> Summarise:
    """Which group of permutations of joints helps to tell from an image where they are, and what do ensembles add?"""
    from emergent.summaries.poses import summarise_poses

    return summarise_poses


@kind(ContrastiveExperiment, SummaryStage, {"train": "train_contrastive"})
def contrastive() -> Summarise:
    """Do random views act as rotations of embeddings that are learnt without labels?"""
    from emergent.summaries.contrastive import summarise_contrastive

    return summarise_contrastive


@kind(WilsonLoopsExperiment, LoopSummary, {"train": "train_wilson_loops"})
def wilson_loops() -> Summarise:
    """How well are loops of a lattice gauge theory learnt with gauge symmetry built in, learnt or left?"""
    from emergent.summaries.wilson_loops import summarise_wilson_loops

    return summarise_wilson_loops


@kind(CounterfactualExperiment, CounterfactualSummary, {"train": "train_counterfactuals"})
def counterfactuals() -> Summarise:
    """Do samples that are moved to another class stay near the data, in data space and in latent space?"""
    from emergent.summaries.counterfactuals import summarise_counterfactuals

    return summarise_counterfactuals


@kind(SphericalImagesExperiment, SphereSummary, {"train": "train_spherical_images"})
def spherical_images() -> Summarise:
    """Do planar networks that see rotated copies reach spherical ones, and what do ensembles of them add?"""
    from emergent.summaries.spherical_images import summarise_spherical_images

    return summarise_spherical_images

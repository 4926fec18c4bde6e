"""Questions on ensembles of trained networks."""

from emergent.config import questions
from emergent.config.curve_limit import CurveLimit, LimitSummary
from emergent.config.deviation import DeviationTail, TailSummary
from emergent.config.distance_sweep import DistanceSweep, SweepSummary
from emergent.kinds.record import ENSEMBLES, Summarise, kind


@kind(questions.OrbitSamePrediction, questions.EnsembleSummary, ENSEMBLES)
def orbit_same_prediction() -> Summarise:
    """How many transformations leave the predicted class as it is?"""
    from emergent.summaries.orbit_same_prediction import summarise_osp

    return summarise_osp


@kind(questions.OrbitSpread, questions.SpreadSummary, ENSEMBLES)
def orbit_spread() -> Summarise:
    """How far does a scalar prediction spread over an orbit, beside the infinitely wide ensemble?"""
    from emergent.summaries.orbit_spread import summarise_orbit_spread

    return summarise_orbit_spread


@kind(questions.OrbitDivergence, questions.DivergenceSummary, ENSEMBLES)
def orbit_divergence() -> Summarise:
    """How does the symmetry of resampled ensembles depend on their size?"""
    from emergent.summaries.divergence import summarise_divergence

    return summarise_divergence


@kind(questions.RotationDivergence, questions.RotationSummary, ENSEMBLES)
def rotation_divergence() -> Summarise:
    """The same under rotations drawn from a continuous group."""
    from emergent.summaries.rotation_divergence import summarise_rotation_divergence

    return summarise_rotation_divergence


@kind(questions.EnsembleDistance, questions.EnsembleSummary, ENSEMBLES)
def ensemble_distance() -> Summarise:
    """How far are the mean predictions of two ensembles from each other?"""
    from emergent.summaries.ensemble_distance import summarise_ensemble_distance

    return summarise_ensemble_distance


@kind(DistanceSweep, SweepSummary, ENSEMBLES)
def distance_sweep() -> Summarise:
    """How does the distance of two kinds of ensembles depend on the settings?"""
    from emergent.summaries.distance_sweep import summarise_distance_sweep

    return summarise_distance_sweep


@kind(questions.Equivariance, questions.EquivarianceSummary, ENSEMBLES)
def equivariance() -> Summarise:
    """How far do vector-valued predictions miss to turn with their inputs?"""
    from emergent.summaries.equivariance import summarise_equivariance

    return summarise_equivariance


@kind(questions.CurveSymmetry, questions.CurveSummary, ENSEMBLES)
def curve_symmetry() -> Summarise:
    """Is the mean of networks on a line its own mirror image while they are trained?"""
    from emergent.summaries.curve_symmetry import summarise_curve_symmetry

    return summarise_curve_symmetry


@kind(CurveLimit, LimitSummary, ENSEMBLES)
def curve_limit() -> Summarise:
    """How do networks on a line approach the infinitely wide ensemble as they become wider?"""
    from emergent.summaries.curve_limit import summarise_curve_limit

    return summarise_curve_limit


@kind(DeviationTail, TailSummary, ENSEMBLES)
def deviation_tail() -> Summarise:
    """How often is a finite ensemble far from the infinite one?"""
    from emergent.summaries.deviation_tail import summarise_deviation_tail

    return summarise_deviation_tail

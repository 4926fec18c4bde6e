"""Summaries by kind of experiment. A new question is one module and one line here.

Each takes the settings of the summary stage of its kind, the files of the blocks of every arm and the predictions of
infinitely wide ensembles, and returns tables.
"""

from collections.abc import Callable
from typing import Any

from emergent.summaries.departure import summarise_departure
from emergent.summaries.divergence import summarise_divergence
from emergent.summaries.ensemble_distance import summarise_ensemble_distance
from emergent.summaries.equivariance import summarise_equivariance
from emergent.summaries.files import Blocks, Predictions, Tables
from emergent.summaries.flow import summarise_flow
from emergent.summaries.orbit_same_prediction import summarise_osp
from emergent.summaries.orbit_spread import summarise_orbit_spread
from emergent.summaries.rotation_divergence import summarise_rotation_divergence
from emergent.summaries.subspace import summarise_subspace

SUMMARIES: dict[str, Callable[[Any, Blocks, Predictions], Tables]] = {
    "departure": summarise_departure,
    "ensemble_distance": summarise_ensemble_distance,
    "equivariance": summarise_equivariance,
    "flow": summarise_flow,
    "orbit_divergence": summarise_divergence,
    "orbit_same_prediction": summarise_osp,
    "orbit_spread": summarise_orbit_spread,
    "rotation_divergence": summarise_rotation_divergence,
    "subspace": summarise_subspace,
}

"""Summaries by kind of experiment. A new question is one module and one line here.

Kinds of networks on images read a ``MemberPool`` per arm; kinds of their own read the files of their blocks.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd

from emergent.summaries.convergence import summarise_convergence
from emergent.summaries.departure import summarise_departure
from emergent.summaries.divergence import summarise_divergence
from emergent.summaries.flow import summarise_flow
from emergent.summaries.ising import summarise_ising
from emergent.summaries.orbit_same_prediction import summarise_osp
from emergent.summaries.point_clouds import summarise_point_clouds
from emergent.summaries.pool import MemberPool
from emergent.summaries.subspace import summarise_subspace

Tables = dict[str, pd.DataFrame]

POOL_SUMMARIES: dict[str, Callable[..., Tables]] = {
    "convergence": summarise_convergence,
    "ising": summarise_ising,
    "orbit_divergence": summarise_divergence,
    "orbit_same_prediction": summarise_osp,
}
"""Kinds of ``Experiment``: settings, arm to ``MemberPool``, infinite-width predictions."""

SUMMARIES: dict[str, Callable[..., Tables]] = {
    "departure": summarise_departure,
    "flow": summarise_flow,
    "point_clouds": summarise_point_clouds,
    "subspace": summarise_subspace,
}
"""Kinds with a class of their own: settings, arm to the files of its blocks, None."""


def summarise(settings: dict[str, Any], paths: dict[str, list[Path]], kernel: Path | None) -> Tables:
    """Returns the tables of one experiment.

    Args:
        settings: configuration of the summary stage.
        paths: arm to the files of its blocks.
        kernel: infinite-width predictions, where the experiment has them.
    """
    kind = settings["kind"]
    if kind in SUMMARIES:
        return SUMMARIES[kind](settings, paths, kernel)
    pools = {arm: MemberPool(files, settings["num_members"]) for arm, files in paths.items()}
    return POOL_SUMMARIES[kind](settings, pools, kernel)

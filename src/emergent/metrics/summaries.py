"""Summaries by kind of experiment. A new question is one module and one line here."""

from collections.abc import Callable
from typing import Any

import pandas as pd

from emergent.metrics.convergence_summary import summarise_convergence
from emergent.metrics.ising_summary import summarise_ising
from emergent.metrics.osp_summary import summarise_osp

SUMMARIES: dict[str, Callable[..., dict[str, pd.DataFrame]]] = {
    "convergence": summarise_convergence,
    "ising": summarise_ising,
    "orbit_same_prediction": summarise_osp,
}


def summarise(settings: dict[str, Any], pools: dict[str, Any], kernel: Any) -> dict[str, pd.DataFrame]:
    """Returns the tables of one experiment; arguments as in the functions of ``SUMMARIES``."""
    return SUMMARIES[settings["kind"]](settings, pools, kernel)

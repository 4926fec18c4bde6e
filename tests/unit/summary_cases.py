"""Small synthetic evaluations for the tests of summaries: pools whose networks have given outputs."""

from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from emergent import storage
from emergent.evaluation.orbits import evaluate_set
from emergent.statistics.ensembles import runs_in_block
from emergent.storage import Array
from emergent.summaries.pool import MemberPool
from emergent.summaries.quantities import COLUMNS
from emergent.summaries.registry import POOL_SUMMARIES

EPOCHS = np.array([0, 1, 2])
DATA = {
    "digits": {"role": "in", "primary": True, "dataset": "digits"},
    "fields": {"role": "ood", "primary": True, "dataset": "gaussian_fields_8"},
}


def make_pool(
    folder: Path,
    arm: str,
    outputs: dict[str, np.ndarray],
    labels: dict[str, np.ndarray],
    settings: dict[str, Any],
    num_blocks: int = 2,
) -> MemberPool:
    """A pool in equal blocks, whose networks have the given outputs [E, M, N, G, K] on each set."""
    num = settings["num_members"]
    metrics = ("orbit_std",) if settings["kind"] == "ising" else ("orbit_same_predictions",)
    if settings["kind"] == "orbit_divergence":
        metrics = ("orbit_same_predictions", "symmetric_kl")
    paths = []
    borders = [num * block // num_blocks for block in range(num_blocks + 1)]
    for first, stop in pairwise(borders):
        arrays = {"members": Array(np.arange(first, stop), ("member",)), "epochs": Array(EPOCHS, ("epoch",))}
        for data, values in outputs.items():
            part = evaluate_set(
                lambda parameters: parameters["outputs"],
                {"outputs": values[:, first:stop].astype(np.float32)},
                tuple(range(first, stop)),
                labels.get(data),
                metrics + (("correct", "cross_entropy") if data in labels else ()),
                runs_in_block(tuple(settings["ensemble_sizes"]), settings["max_ensembles"], first, stop)
                + ([(first, stop)] if settings["kind"] == "orbit_divergence" else []),
                (2,) if settings["kind"] == "orbit_divergence" else (),
            )
            if settings["kind"] == "orbit_divergence":
                part["output_epochs"] = Array(EPOCHS[2:], ("output_epoch",))
            arrays |= {f"{data}/{name}": value for name, value in part.items()}
            if data in labels:
                arrays[f"{data}/labels"] = Array(labels[data], ("sample",))
        paths.append(folder / arm / f"members_{first:04d}-{stop - 1:04d}.h5")
        storage.write(paths[-1], stage="evaluate", attributes={}, arrays=arrays)
    return MemberPool(paths, num)


def settings_of(kind: str, arms: dict[str, str], num: int, sizes: list[int], **options: Any) -> dict[str, Any]:
    return {
        "kind": kind,
        "arms": arms,
        "arm_order": list(arms),
        "widths": dict.fromkeys(arms, 0),
        "data": DATA,
        "data_order": list(DATA),
        "num_members": num,
        "ensemble_sizes": sizes,
        "max_ensembles": 50,
        "reference_ensemble_size": max(sizes),
        "energy_scale": None,
    } | options


def stored(tables: dict[str, pd.DataFrame], folder: Path) -> dict[str, pd.DataFrame]:
    """The tables after a round trip through the file that figures and claims read."""
    path = folder / "summary.h5"
    storage.write(path, stage="summary", attributes={}, tables=tables, allow_nan=True)
    return {name: storage.read_table(path, name, "summary") for name in tables}


def values_of(tables: dict[str, pd.DataFrame]) -> pd.DataFrame:
    assert list(tables["quantities"].columns) == COLUMNS
    assert (tables["quantities"].description.str.len() > 5).all()
    return tables["quantities"].set_index("name")


def summarise(settings: dict[str, Any], pools: dict[str, MemberPool], kernel: Path | None) -> dict[str, pd.DataFrame]:
    return POOL_SUMMARIES[settings["kind"]](settings, pools, kernel)

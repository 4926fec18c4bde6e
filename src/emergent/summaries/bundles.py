"""Summary of experiments of kind ``bundles``: counts of equivariant maps, their kernels, and norms on the sphere.

References:
    arXiv 2105.05400.
"""

import numpy as np
import pandas as pd

from emergent import storage
from emergent.config.bundles import BundleSummary, FiniteTask, SphereTask
from emergent.statistics.estimate import Estimate
from emergent.summaries.files import Blocks, Predictions, Tables
from emergent.summaries.quantities import Quantities

FINITE = ("source_size", "target_size", "dimension", "mackey", "apart", "defect", "control")
SPHERE = ("quadrature", "closed_form")


def summarise_bundles(settings: BundleSummary, blocks: Blocks, predictions: Predictions) -> Tables:
    """Returns the tables ``pairs``, ``norms`` and ``quantities``.

    ``pairs`` (arm, source, target, source_size, target_size, dimension, mackey, apart, defect, control): a row per
    pair of bundles.

    ``norms`` (arm, multiplier, band_limit, quadrature, closed_form): squared norms of kernels on the sphere.

    Args:
        settings: of the summary stage.
        blocks: arm to its training files.
        predictions: not used by this kind.
    """
    del predictions
    quantities = Quantities()
    pairs, norms = [], []
    for name, task in settings.tasks.items():
        if isinstance(task, FiniteTask):
            pairs.append(_pairs(name, task, blocks, quantities))
        else:
            norms.append(_norms(name, task, blocks, quantities))
    columns = {"pairs": ["arm", "source", "target", *FINITE], "norms": ["arm", "multiplier", "band_limit", *SPHERE]}
    tables = {key: pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=columns[key])
              for key, parts in (("pairs", pairs), ("norms", norms))}  # fmt: skip
    return {**tables, "quantities": quantities.table()}


def _pairs(name: str, task: FiniteTask, blocks: Blocks, quantities: Quantities) -> pd.DataFrame:
    found = storage.read_arrays(blocks[name][0], list(FINITE), "train")
    bundles = [f"{subgroup}, {fibre}" for subgroup in task.subgroups for fibre in task.fibres]
    sources, targets = np.repeat(bundles, len(bundles)), np.tile(bundles, len(bundles))
    table = pd.DataFrame({"arm": name, "source": sources, "target": targets, **found})
    wrong = float((table["dimension"] - table["mackey"]).abs().max())
    quantities.add(f"count_mismatch/{name}", Estimate.exact(wrong, "largest", len(table)),
                   "dimension of the equivariant maps against Mackey's count, largest over pairs")  # fmt: skip
    largest = {"apart": "distance of equivariant maps of norm 1 from the convolution with their kernel",
               "defect": "by how much their kernels miss to be equivariant under both subgroups"}  # fmt: skip
    for column, text in largest.items():
        value = Estimate.exact(float(table[column].max()), "largest", len(table))
        quantities.add(f"kernel_{column}/{name}", value, f"{text}, largest")
    # Over a point, or from functions on G that are constant, every map may be equivariant: then there is no control.
    other = table[table["dimension"] < table["source_size"] * table["target_size"]]
    quantities.add(f"control/{name}", Estimate.exact(float(other["control"].min()), "exact", len(other)),
                   "distance of a random map of norm 1 from the convolution with its kernel, smallest")  # fmt: skip
    return table


def _norms(name: str, task: SphereTask, blocks: Blocks, quantities: Quantities) -> pd.DataFrame:
    found = storage.read_arrays(blocks[name][0], list(SPHERE), "train")
    rows, limits = [], np.asarray(task.band_limits, float)
    for index, multiplier in enumerate(task.multipliers):
        own, closed = (found[key][index] for key in SPHERE)
        away = float(np.abs(own / closed - 1).max())
        quantities.add(
            f"quadrature/{multiplier}", Estimate.exact(away, "largest"), "quadrature over closed form, less 1"
        )
        # Of the last doubling: from 2 for a kernel that is a point, to 0 for one that has converged.
        growth = float(np.log(own[-1] / own[-2]) / np.log(limits[-1] / limits[-2]))
        text = "power of the band limit by which the squared norm of the kernel grows in the end"
        quantities.add(f"growth/{multiplier}", Estimate.exact(growth), text)
        if multiplier == "identity":
            away = float(np.abs(own * 4 * np.pi / (limits + 1) ** 2 - 1).max())
            quantities.add(
                "identity_norm", Estimate.exact(away, "largest"), "squared norm over (L + 1)^2 / (4 pi), less 1"
            )
        rows.append(pd.DataFrame({"arm": name, "multiplier": multiplier, "band_limit": task.band_limits,
                                  "quadrature": own, "closed_form": closed}))  # fmt: skip
    return pd.concat(rows, ignore_index=True)

"""What is learnt against the size of the training set, on random splits that all arms share."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from emergent import storage
from emergent.config.stages import ArmFacts, SummaryStage
from emergent.statistics.estimate import Estimate, sample_std
from emergent.summaries.files import Blocks
from emergent.summaries.quantities import Quantities
from emergent.summaries.runs import read_runs


@dataclass(frozen=True)
class Metric:
    """What is measured on test samples.

    Attributes:
        name: array of the training files, and head of quantities.
        text: in words.
        difference: head of the quantities of an arm less the one it is compared with, split by split.
    """

    name: str
    text: str
    difference: str


@dataclass(frozen=True)
class Learnt:
    """Tables ``learning`` and ``regularisers``, the arrays they come from, and the sizes of training sets.

    Attributes:
        learning: columns arm, size, mean, std, num, regulariser (the median of those that validation samples chose).
        regularisers: columns arm, size, regulariser, mean, std, num: what each of them would have given.
        found: arm to the metric of every split and size.
        sizes: of the training set, ascending.
    """

    learning: pd.DataFrame
    regularisers: pd.DataFrame
    found: Mapping[str, np.ndarray]
    sizes: tuple[int, ...]


def learnt(settings: SummaryStage, blocks: Blocks, metric: Metric, quantities: Quantities) -> Learnt:
    """Returns tables of a metric by size, and adds its quantities ``<metric>/<arm>/<size>`` and differences.

    Args:
        settings: of the summary stage.
        blocks: arm to its training files.
        metric: what is measured.
        quantities: to add to.

    Raises:
        DataError: the files of an arm do not hold every split once.
    """
    names = {metric.name: 0, "regulariser": 0, f"{metric.name}_by_regulariser": 0}
    learning, grid, found, sizes = [], [], {}, ()
    for facts in settings.arms:
        arm = facts.name
        runs = read_runs(arm, blocks[arm], settings.num_members, names, "splits")
        axes = storage.read_arrays(blocks[arm][0], ["sizes", "regularisers"], "train")
        found[arm], sizes = runs[metric.name], tuple(int(size) for size in axes["sizes"])
        for s, size in enumerate(sizes):
            own = runs[metric.name][:, s]
            row = {"arm": arm, "size": size, "mean": float(own.mean()), "std": sample_std(own), "num": len(own)}
            learning.append(row | {"regulariser": float(np.median(runs["regulariser"][:, s]))})
            quantities.add(f"{metric.name}/{arm}/{size}", Estimate.mean(own), metric.text)
            for q, regulariser in enumerate(axes["regularisers"]):
                part = runs[f"{metric.name}_by_regulariser"][:, s, q]
                head = {"arm": arm, "size": size, "regulariser": float(regulariser)}
                grid.append(head | {"mean": float(part.mean()), "std": sample_std(part), "num": len(part)})
    for facts in settings.arms:
        if facts.compare_to is not None:
            _add_differences(settings, facts, metric, found, sizes, quantities)
    return Learnt(pd.DataFrame(learning), pd.DataFrame(grid), found, sizes)


def _add_differences(
    settings: SummaryStage,
    facts: ArmFacts,
    metric: Metric,
    found: Mapping[str, np.ndarray],
    sizes: tuple[int, ...],
    quantities: Quantities,
) -> None:
    assert facts.compare_to is not None
    # Split by split: both arms learn and are tested on the same samples.
    differences = found[facts.name] - found[facts.compare_to]
    other = settings.arm(facts.compare_to).label
    text = f"{metric.text}, of {facts.label} less that of {other}, on the same splits"
    for s, size in enumerate(sizes):
        quantities.add(f"{metric.difference}/{facts.name}/{size}", Estimate.mean(differences[:, s]), text)

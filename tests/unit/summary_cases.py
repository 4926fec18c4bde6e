"""Small synthetic evaluations for the tests of summaries: blocks whose networks have given outputs."""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from emergent import storage
from emergent.config.stages import ArmFacts, DataFacts, SummaryStage
from emergent.kinds import KINDS
from emergent.metrics.output_actions import OutputAction
from emergent.metrics.registry import MEMBER_METRICS
from emergent.statistics.ensembles import Run, runs_in_block
from emergent.storage import Array
from emergent.summaries.quantities import COLUMNS

NUM_PARAMETERS = 1234
EPOCHS = np.array([0, 1, 2])
DATA = {"digits": ("in", "digits"), "fields": ("ood", "gaussian_fields_8")}
METRICS = {
    "curve_limit": (),
    "deviation_tail": (),
    "distance_sweep": (),
    "ensemble_distance": ("orbit_same_predictions", "correct"),
    "equivariance": ("orbit_mse", "equivariance_error"),
    "orbit_divergence": ("orbit_same_predictions", "symmetric_kl", "correct", "cross_entropy"),
    "orbit_same_prediction": ("orbit_same_predictions", "correct"),
    "orbit_spread": ("orbit_std", "mean_output"),
    "rotation_divergence": (),
}


def data_facts(name: str, role: str, dataset: str, primary: bool = True, **options: Any) -> DataFacts:
    nothing = dict.fromkeys(("label", "condition_of", "condition", "interpolation", "fill"))
    return DataFacts(name=name, role=role, dataset=dataset, primary=primary, whole=True, **nothing, **options)


def settings_of(
    kind: str,
    arms: Mapping[str, Mapping[str, Any]],
    num: int,
    data: Mapping[str, tuple[str, str]] | None = None,
    **options: Any,
) -> Any:
    """Settings of a summary; ``arms`` are fields of ``ArmFacts`` by name, ``data`` role and data set by name."""
    sizes = {}
    if kind != "rotation_divergence":
        sizes = {"max_ensembles": 50, "reference_ensemble_size": max(options["ensemble_sizes"])}
    return KINDS[kind].settings(
        experiment="case",
        seed=3,
        kind=kind,
        title="A case",
        label="case",
        num_members=num,
        arms=tuple(ArmFacts(name=name, label=name, **facts) for name, facts in arms.items()),
        data=tuple(data_facts(name, *facts) for name, facts in (DATA if data is None else data).items()),
        **sizes | options,
    )


def evaluated(
    outputs: np.ndarray,
    first: int,
    labels: np.ndarray | None,
    metrics: Sequence[str],
    runs: Sequence[Run],
    kept: Sequence[int] = (),
    action: OutputAction | None = None,
) -> dict[str, Array]:
    """What an evaluation stores of members with outputs [E, M, N, G, K] on one set.

    Args:
        outputs: of the members of one block.
        first: index of the block's first member.
        labels: of the samples.
        metrics: names; those that need labels are left out where there are none.
        runs: ranges of members whose outputs are summed.
        kept: positions of the checkpoints at which outputs are kept.
        action: on outputs.
    """
    outputs = outputs.astype(np.float32)
    by_member = np.swapaxes(outputs, 0, 1)
    arrays = {}
    for name in metrics:
        metric = MEMBER_METRICS[name]
        if labels is not None or not metric.needs_labels:
            values = [[metric(part, labels, action) for part in member] for member in by_member]
            arrays[f"metric/{name}"] = Array(np.array(values), ("member", "epoch", "sample"))
    sums = [outputs[:, start - first : stop - first].sum(1) for start, stop in runs]
    shape = (len(runs), len(outputs), *outputs.shape[2:])
    arrays["sums"] = Array(np.array(sums, np.float32).reshape(shape), ("run", "epoch", "sample", "element", "output"))
    arrays["runs"] = Array(np.array(runs, int).reshape(-1, 2), ("run", "bound"))
    if kept:
        dims = ("member", "output_epoch", "sample", "element", "output")
        arrays["outputs"] = Array(by_member[:, list(kept)], dims)
        arrays["output_epochs"] = Array(EPOCHS[list(kept)], ("output_epoch",))
    if labels is not None:
        arrays["labels"] = Array(labels, ("sample",))
    return arrays


def write_blocks(
    folder: Path,
    arm: str,
    outputs: Mapping[str, np.ndarray],
    labels: Mapping[str, np.ndarray],
    settings: SummaryStage,
    num_blocks: int = 2,
    action: OutputAction | None = None,
    others: Mapping[str, Array] | None = None,
) -> list[Path]:
    """Files of an arm in equal blocks, whose networks have the given outputs [E, M, N, G, K] on each set.

    Other arrays, where there are some, stand in every file.
    """
    num, kind = settings.num_members, settings.kind
    resampled = hasattr(settings, "bootstrap")
    paths = []
    borders = [num * block // num_blocks for block in range(num_blocks + 1)]
    for first, stop in pairwise(borders):
        arrays = {"members": Array(np.arange(first, stop), ("member",)), "epochs": Array(EPOCHS, ("epoch",))}
        arrays["num_parameters"] = Array(np.array([NUM_PARAMETERS]), ("one",))
        runs = runs_in_block(
            getattr(settings, "ensemble_sizes", ()), getattr(settings, "max_ensembles", 1), first, stop
        )
        runs += [(first, stop)] if kind == "orbit_divergence" else []
        for data, values in outputs.items():
            kept = (2,) if resampled else ()
            own = evaluated(values[:, first:stop], first, labels.get(data), METRICS[kind], runs, kept, action)
            arrays |= {f"{data}/{name}": value for name, value in own.items()}
        arrays |= others or {}
        paths.append(folder / arm / f"members_{first:04d}-{stop - 1:04d}.h5")
        storage.write(paths[-1], stage="evaluate", attributes={}, arrays=arrays)
    return paths


def stored(tables: dict[str, pd.DataFrame], folder: Path) -> dict[str, pd.DataFrame]:
    """The tables after a round trip through the file that figures and claims read."""
    path = folder / "summary.h5"
    storage.write(path, stage="summary", attributes={}, tables=tables, allow_nan=True)
    return {name: storage.read_table(path, name, "summary") for name in tables}


def values_of(tables: dict[str, pd.DataFrame]) -> pd.DataFrame:
    assert list(tables["quantities"].columns) == COLUMNS
    assert (tables["quantities"].description.str.len() > 5).all()
    return tables["quantities"].set_index("name")


def summarise(
    settings: SummaryStage, blocks: Mapping[str, list[Path]], predictions: Mapping[str, Path] | None = None
) -> dict[str, pd.DataFrame]:
    return KINDS[settings.kind].summary()(settings, blocks, predictions or {})

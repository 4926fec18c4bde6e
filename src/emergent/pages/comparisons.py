"""Published points beside ours: one by one, and how far apart they are together."""

import math
from collections.abc import Iterator
from dataclasses import dataclass

from emergent.config.references import Series
from emergent.errors import DataError
from emergent.pages.committed import Committed
from emergent.pages.measured import Measured, score

METRICS = {"osp": "OSP", "divergence": "divergence"}
"""Metrics of symmetry that were published at several ensemble sizes, with their names in tables."""


@dataclass(frozen=True)
class Point:
    """One published point and ours.

    Attributes:
        figure: label of the published figure.
        metric: ``osp`` or ``divergence``.
        arm: arm of the experiment.
        role: ``in`` or ``ood``.
        size: members per ensemble.
        published: value in print.
        ours: our value; NaN if the run has none.
    """

    figure: str
    metric: str
    arm: str
    role: str
    size: int
    published: Measured
    ours: Measured

    @property
    def score(self) -> float:
        """Ours minus published in combined standard errors."""
        return score(self.ours, self.published)


@dataclass(frozen=True)
class Reading:
    """What a published figure may show: its arms as arms of one of our experiments, tested on these sets.

    Attributes:
        reference: file of published values.
        experiment: whose members stand for them.
        data: role to the evaluation set.
        arms: arms that are read in this way; empty for all.
    """

    reference: str
    experiment: str
    data: dict[str, str]
    arms: tuple[str, ...] = ()


@dataclass(frozen=True)
class Misfit:
    """How far ours are from published points.

    Attributes:
        num: points compared.
        total: sum of squared differences in combined standard errors.
        largest: largest absolute difference in these units.
    """

    num: int
    total: float
    largest: float


def points(committed: Committed, run: str, experiment: str, reference: str) -> list[Point]:
    """Returns every published point of both metrics, in their order in print, each beside the quantity of its name."""
    quantities = committed.quantities(run, experiment)
    found = []
    for series, x, published in _published(committed, reference):
        arm, role = str(series.keys["arm"]), str(series.keys["role"])
        name = f"{series.quantity}/{arm}/{role}/{x}"
        ours = quantities.get(name, Measured(math.nan))
        found.append(Point(str(series.keys["figure"]), series.quantity, arm, role, x, published, ours))
    return found


def misfit_of_points(found: list[Point], role: str | None = None, size: int | None = None) -> Misfit:
    """Returns the misfit of those points that the run has, of one role and one ensemble size if these are named."""
    chosen = [point for point in found if point.role == (role or point.role) and point.size == (size or point.size)]
    return _misfit([point.score for point in chosen if math.isfinite(point.score)])


def misfit(committed: Committed, run: str, readings: list[Reading], epoch: int, size: int) -> Misfit:
    """Returns how far disjoint ensembles of one size are, after one epoch, from all published points of that size.

    Raises:
        DataError: two readings claim the same arm of a figure, or no point was published.
    """
    scores: dict[tuple[object, ...], float] = {}
    for reading in readings:
        for series, x, published in _published(committed, reading.reference):
            arm, role = str(series.keys["arm"]), str(series.keys["role"])
            if x != size or (reading.arms and arm not in reading.arms):
                continue
            key = (reading.reference, series.quantity, arm, role)
            if key in scores:
                raise DataError(f"published point {key} is read twice; give each arm of a figure one reading.")
            ours = committed.disjoint(run, reading.experiment, arm=arm, data=reading.data[role], epoch=epoch,
                                      ensemble_size=size, metric=series.quantity)  # fmt: skip
            scores[key] = score(ours, published)
    return _misfit(list(scores.values()))


def spread_of_arms(
    committed: Committed, run: str, experiment: str, *, data: str, metric: str, size: int
) -> tuple[float, float]:
    """Returns how far apart the arms are at most, over the epochs of training: difference, and part of the smallest."""
    table = committed.table(run, experiment, "disjoint")
    own = table[(table["data"] == data) & (table["metric"] == metric) & (table["ensemble_size"] == size)]
    by_epoch = own[own["epoch"] > 0].groupby("epoch")["mean"]
    if not len(by_epoch):
        raise DataError(f"{run}, {experiment}: no {metric} of ensembles of {size} on {data}.")
    highest, lowest = by_epoch.max(), by_epoch.min()
    return float((highest - lowest).max()), float((highest / lowest - 1).max())


def _published(committed: Committed, reference: str) -> Iterator[tuple[Series, int, Measured]]:
    for series in committed.reference(reference).series:
        if series.quantity not in METRICS or "arm" not in series.keys:
            continue
        for index, (x, y) in enumerate(zip(series.x, series.y, strict=True)):
            error = series.error(index) if series.uncertainty else None
            if y is not None:
                yield series, int(x), Measured(float(y), math.nan if error is None else float(error))


def _misfit(scores: list[float]) -> Misfit:
    if not scores:
        raise DataError("no published point can be compared with ours.")
    return Misfit(len(scores), math.fsum(value**2 for value in scores), max(abs(value) for value in scores))

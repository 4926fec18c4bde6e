"""Summary of experiments of kind ``distance_sweep``: the distance of pairs of ensembles, a pair per setting.

As in ``emergent.summaries.ensemble_distance``, squared distances follow ``d^2 = floor^2 + noise / M``. What can be
compared between settings whose logits differ in size is ``floor^2 / noise``: what infinitely many members keep, in
units of what single ones scatter by. Where infinitely wide ensembles are predicted, the same is asked of the distance
of each kind to them, and floors of several widths are fitted by ``(a / width)^2``.

References:
    arXiv 2406.06504, convergence of augmented CNNs to GCNNs; the theorem says that infinitely wide ensembles agree.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from jaxtyping import Float

from emergent import storage
from emergent.config.distance_sweep import SweepSummary
from emergent.config.stages import ArmFacts, DataFacts
from emergent.statistics.estimate import Estimate, spread_dof
from emergent.statistics.laws import squared_gap_law
from emergent.statistics.width_fits import inverse_width_fit, width_exponent
from emergent.summaries.distances import Reference, differences, gap_products
from emergent.summaries.files import Blocks, Predictions, Tables
from emergent.summaries.pool import MemberPool, open_pools
from emergent.summaries.quantities import Quantities

Gaps = Float[np.ndarray, "... N K"]


@dataclass(frozen=True)
class Norm:
    """A distance that is a mean over samples, or the root of one.

    Attributes:
        at_samples: from differences [..., N, K] to what is averaged, [..., N].
        root: whether the root of the mean is taken.
    """

    at_samples: Callable[[Gaps], Float[np.ndarray, "... N"]]
    root: bool


NORMS = {
    "mean_norm": Norm(lambda gaps: np.linalg.norm(gaps, axis=-1), root=False),
    "root_mean_square": Norm(lambda gaps: np.square(gaps).sum(-1), root=True),
    "per_logit": Norm(lambda gaps: np.square(gaps).mean(-1), root=True),
    "total": Norm(lambda gaps: gaps.shape[-2] * np.square(gaps).sum(-1), root=True),
    "mean_square": Norm(lambda gaps: np.square(gaps).sum(-1), root=False),
}
"""Readings of a distance whose norm is not published: mean over samples of the 2-norm over outputs (ours elsewhere);
root of the mean over samples of its square; the same per output; norm over all samples together; mean square."""
SERIES = ("pair", "compared_ntk", "reference_ntk")
"""Distances that floors are given of: between the two kinds of ensembles, and of either to the infinitely wide one."""


@dataclass
class _Found:
    """Floors of one series on one set, arm by arm.

    Attributes:
        rows: cells of the table ``floors``.
        squares: floor^2 over noise.
        fitted: whether the arm is one of several widths with one limit.
    """

    rows: list[dict[str, Any]] = field(default_factory=list)
    squares: list[Estimate] = field(default_factory=list)
    fitted: list[bool] = field(default_factory=list)


def summarise_distance_sweep(settings: SweepSummary, blocks: Blocks, predictions: Predictions) -> Tables:
    """Returns the tables ``distances``, ``floors`` and ``quantities``, all averaged over checkpoints after the start.

    ``distances`` (arm, against, data, norm, ensemble_size, mean, stderr, num): of disjoint pairs of ensembles, with the
    standard error of these and of the samples; NaN of a single one. ``floors`` (series, arm, width, data, num,
    floor_squared, floor, law_square, law_ratio, fitted_squared, with errors; noise): floor^2 and floor in units of the
    noise, ratios of squared distances and of distances by the law, and the fit by ``(a / width)^2``.

    Args:
        settings: of the summary stage.
        blocks: arm to its evaluated blocks.
        predictions: arm to the predictions of its infinitely wide ensemble, of some arms.
    """
    pools = open_pools(settings, blocks)
    quantities, distances = Quantities(), []
    found: dict[tuple[str, str], _Found] = {}
    means = {arm: _predicted(path, settings) for arm, path in predictions.items()}
    seen: set[tuple[str, str, str]] = set()
    for arm in (facts for facts in settings.arms if facts.compare_to is not None):
        other = settings.arm(str(arm.compare_to))
        for data in settings.data:
            distances += _distances(settings, (arm, other), pools, data)
            common = arm.name in settings.limits and other.name in settings.limits
            own = found.setdefault(("pair", data.name), _Found())
            _add_floor(own, settings, arm, pools[arm.name], pools[other.name], data, common)
            for series, one in (("compared_ntk", arm), ("reference_ntk", other)):
                limit = settings.limits.get(one.name)
                if limit is not None and (series, one.name, data.name) not in seen:
                    seen.add((series, one.name, data.name))
                    own = found.setdefault((series, data.name), _Found())
                    _add_floor(own, settings, one, pools[one.name], means[limit][data.name], data, True)
            _add_agreement(quantities, settings, (arm.name, other.name), means, data)
    for (series, data), own in found.items():
        _add_quantities(quantities, series, next(facts for facts in settings.data if facts.name == data), own)
    for row in distances:
        # A single pair of ensembles has no error that a claim could be judged by.
        if row["norm"] == "mean_norm" and row["num"] > 1:
            estimate = Estimate(row["mean"], row["stderr"], row["num"], "disjoint ensembles", spread_dof(row["num"]))
            text = "L2 distance of mean logits, averaged over checkpoints after the start"
            quantities.add(f"distance/{row['arm']}/{row['data']}/{row['ensemble_size']}", estimate, text)
    floors = pd.DataFrame([row for own in found.values() for row in own.rows])
    return {"distances": pd.DataFrame(distances), "floors": floors, "quantities": quantities.table()}


def _predicted(path: Any, settings: SweepSummary) -> dict[str, Float[np.ndarray, "N K"]]:
    """Returns what an infinitely wide ensemble predicts at the samples themselves, by set."""
    names = [f"{data.name}/mean" for data in settings.data]
    return {
        name.removesuffix("/mean"): value[:, 0] for name, value in storage.read_arrays(path, names, "predict").items()
    }


def _distances(
    settings: SweepSummary, pair: tuple[ArmFacts, ArmFacts], pools: dict[str, MemberPool], data: DataFacts
) -> list[dict[str, Any]]:
    arm, other = pair
    trained = pools[arm.name].epochs > 0
    rows = []
    for size in settings.ensemble_sizes:
        if size > pools[arm.name].num_members:
            continue
        found = differences(pools[arm.name], pools[other.name], data.name, size, settings.max_ensembles)
        gaps = np.stack([part[trained] for part in found])
        for name, norm in NORMS.items():
            average = _average(norm, gaps, data.whole)
            head = {"arm": arm.name, "against": other.name, "data": data.name, "norm": name, "ensemble_size": size}
            rows.append(head | {"mean": average.value, "stderr": average.stderr, "num": average.num})
    return rows


def _average(norm: Norm, gaps: Float[np.ndarray, "R E N K"], whole: bool) -> Estimate:
    """Returns the distance of ensembles, averaged over them and over checkpoints.

    Args:
        norm: how it is measured.
        gaps: differences of R pairs of ensembles at E checkpoints.
        whole: the samples are all that there are.
    """
    squares = norm.at_samples(gaps)
    lengths = squares.mean(-1)
    if norm.root:
        lengths = np.sqrt(lengths)
        # By how much a sample moves the root of a mean.
        squares = squares / (2 * lengths[..., None])
    found = Estimate.mean(lengths.mean(1), "disjoint ensembles")
    return found.over_samples(squares.mean((0, 1)), whole)


def _add_floor(
    found: _Found,
    settings: SweepSummary,
    arm: ArmFacts,
    pool: MemberPool,
    reference: Reference,
    data: DataFacts,
    fitted: bool,
) -> None:
    """Adds what infinitely many members of an arm keep of their distance to a reference."""
    unit, products, laws = gap_products(settings, pool, reference, data)
    # A prediction is that at the last checkpoint, and has no other.
    used = pool.epochs > 0 if len(products) == len(pool.epochs) else np.array([True])
    law = squared_gap_law(products[used].mean(0)).over_samples(laws[:, used].mean(1), data.whole)
    square = law.ratio.times(1 / unit)
    of_squares = law_ratio(square, settings.law_size)
    ratio = of_squares.root()
    floor = square.root()
    found.rows.append({
        "arm": arm.name, "width": arm.width_in_tables, "data": data.name, "num": pool.num_members,
        "floor_squared": square.value, "floor_squared_stderr": square.stderr, "floor_squared_dof": square.dof,
        "floor": floor.value, "floor_stderr": floor.stderr, "noise": law.slope.times(unit).value,
        "law_square": of_squares.value, "law_square_stderr": of_squares.stderr,
        "law_ratio": ratio.value, "law_ratio_stderr": ratio.stderr,
    })  # fmt: skip
    found.squares.append(square)
    found.fitted.append(fitted)


def law_ratio(square: Estimate, size: int) -> Estimate:
    """Returns the squared distance of ensembles of a size over that of single networks, by the law.

    Args:
        square: floor^2 over noise.
        size: members of an ensemble.
    """
    # (floor^2 + noise / M) / (floor^2 + noise), whose slope in floor^2 / noise is this error.
    value = (square.value + 1 / size) / (square.value + 1)
    slope = (1 - 1 / size) / (square.value + 1) ** 2
    return Estimate(value, slope * square.stderr, square.num, "unbiased", square.dof)


def _add_quantities(quantities: Quantities, series: str, data: DataFacts, found: _Found) -> None:
    prefix = "" if series == "pair" else "ntk_"
    what = "each other" if series == "pair" else "the infinitely wide ensemble"
    for row, square in zip(found.rows, found.squares, strict=True):
        name, arm = f"{row['arm']}/{{data}}", row["arm"]
        text = f"floor^2 (may be negative) over noise of the squared distance of {arm} to {what}, unbiased"
        quantities.add_on(data, (f"{prefix}floor_over_noise/{name}", square, text))
        if series == "pair":
            ratio = Estimate(row["law_ratio"], row["law_ratio_stderr"], row["num"], "unbiased", square.dof)
            text = "distance of large ensembles over that of single networks, by the law"
            quantities.add_on(data, (f"law_ratio/{name}", ratio, text))
    chosen = [index for index, fitted in enumerate(found.fitted) if fitted]
    widths = [found.rows[index]["width"] for index in chosen]
    coefficient, error = np.nan, np.nan
    if len(set(widths)) > 1 and all(found.squares[index].stderr > 0 for index in chosen):
        fitted, misfit = inverse_width_fit(widths, [found.squares[index] for index in chosen])
        text = "a^2 (may be negative) of floor^2 over noise = (a / width)^2, fitted to all widths"
        quantities.add_on(data, (f"floor_by_width/{series}/{{data}}", fitted, text))
        text = "chi-square over its degrees of freedom of that fit"
        quantities.add_on(data, (f"floor_misfit/{series}/{{data}}", misfit, text))
        coefficient, error = fitted.value, fitted.stderr
    if len(set(widths)) > 2 and np.isfinite(coefficient):
        exponent = width_exponent(widths, [found.squares[index] for index in chosen])
        if exponent is not None:
            text = "p of floor^2 over noise = a^2 / width^(2 p), fitted to all widths"
            quantities.add_on(data, (f"floor_exponent/{series}/{{data}}", exponent, text))
    for index, row in enumerate(found.rows):
        row["series"] = series
        for name, value in (("fitted_squared", coefficient), ("fitted_squared_stderr", error)):
            row[name] = value / row["width"] ** 2 if found.fitted[index] else np.nan


def _add_agreement(
    quantities: Quantities,
    settings: SweepSummary,
    pair: tuple[str, str],
    means: dict[str, dict[str, np.ndarray]],
    data: DataFacts,
) -> None:
    """Adds how far the two infinitely wide ensembles of a pair are apart, where both were predicted."""
    # Once, where the predictions were made, and not for every width that shares them.
    if all(settings.limits.get(name) == name for name in pair):
        ours, theirs = (means[name][data.name] for name in pair)
        apart = Estimate.exact(float(np.abs(ours - theirs).max() / np.abs(theirs).max()), "largest")
        text = "largest difference of the predicted means over the largest of them"
        quantities.add_on(data, ("ntk_means_apart/{data}", apart, text))

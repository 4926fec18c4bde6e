"""Ensembles resampled from a pool of members whose outputs are stored.

Every ensemble is a row of weights over the pool, so that all of them are one matrix product with the outputs and no
network runs again.

References:
    arXiv 2410.01452: ensembles of N members drawn with replacement, orbit same prediction, divergence.
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float

from emergent.config.evaluation import Bootstrap
from emergent.metrics.arrays import in_double, namespace
from emergent.metrics.classification import correct, cross_entropy
from emergent.metrics.orbit import orbit_same_predictions, symmetric_kl
from emergent.statistics.computing import current
from emergent.statistics.ensembles import bootstrap_counts
from emergent.statistics.estimate import Estimate, combined_dof, sampling_error, spread_dof, standard_error
from emergent.statistics.laws import (
    Law,
    design_groups,
    divergence_law,
    divergence_law_by_sample,
    law_design,
    squared_gap_by_sample,
    squared_gap_law,
)
from emergent.statistics.splits import FEWEST_TO_SPLIT, MOST_DOF, split_error, split_weights

# Floats of members' outputs that are read at a time.
READ_FLOATS = 2**25
ENSEMBLE_METRICS = ("osp", "divergence", "accuracy", "loss")


Reader = Callable[[int, int], Float[np.ndarray, "M n G K"]]
"""First and last sample (excluded) to the outputs of all members on their orbits."""


def ensemble_metrics(
    weights: Float[np.ndarray, "B M"],
    read_outputs: Reader,
    num_samples: int,
    labels: np.ndarray | None,
) -> dict[str, Float[np.ndarray, " B"]]:
    """Returns ``osp``, ``divergence`` and, with labels, ``accuracy`` and ``loss`` of many ensembles of one pool.

    Args:
        weights: rows that sum to 1.
        read_outputs: outputs of the pool.
        num_samples: N.
        labels: [N], or None.
    """
    return measured_ensembles(weights, np.zeros((0, len(weights))), read_outputs, num_samples, labels)[0]


def measured_ensembles(
    weights: Float[np.ndarray, "B M"],
    groups: Float[np.ndarray, "C B"],
    read_outputs: Reader,
    num_samples: int,
    labels: np.ndarray | None,
) -> tuple[dict[str, Float[np.ndarray, " B"]], dict[str, Float[np.ndarray, "C N"]]]:
    """Returns the metrics of ensembles, averaged over samples, and those of groups of them sample by sample.

    Args:
        weights: rows that sum to 1.
        groups: weights of the ensembles in each group.
        read_outputs: outputs of the pool.
        num_samples: N.
        labels: [N], or None.
    """
    totals: dict[str, np.ndarray] = {}
    parts: dict[str, list[np.ndarray]] = {}
    per_sample = read_outputs(0, 1)[0].size
    # As outputs are stored: with weights in float64 the product would first copy all outputs to float64.
    computing = current()
    num, fillers = len(weights), -len(weights) % computing.row_multiple
    weights = np.pad(weights.astype(np.float32), ((0, fillers), (0, 0)))
    placed = computing.place(weights), computing.place(np.pad(groups, ((0, 0), (0, fillers))))
    step = max(1, computing.chunk_floats // (per_sample * len(weights)))
    reduced = computing.compiled(_reduced_metrics)
    for first, read in _pieces(read_outputs, num_samples):
        for start in range(0, read.shape[1], step):
            outputs = np.ascontiguousarray(read[:, start : start + step])
            own = None if labels is None else labels[first + start : first + start + outputs.shape[1]]
            for name, (summed, by_sample) in reduced(*placed, computing.place(outputs), own).items():
                totals[name] = totals.get(name, 0.0) + np.asarray(summed, np.float64)
                parts.setdefault(name, []).append(np.asarray(by_sample, np.float64))
    # Compiled functions return names in alphabetical order.
    names = [name for name in ENSEMBLE_METRICS if name in totals]
    means = {name: totals[name][:num] / num_samples for name in names}
    return means, {name: np.concatenate(parts[name], axis=1) for name in names}


def _reduced_metrics(weights: Any, groups: Any, outputs: Any, labels: Any) -> dict[str, tuple[Any, Any]]:
    """Returns metrics of ensembles summed over samples [B], and of groups [C, n], from outputs [M, n, G, K]."""
    mixed = (weights @ outputs.reshape(len(outputs), -1)).reshape(-1, *outputs.shape[1:])
    return {name: (values.sum(-1), groups @ values) for name, values in metric_values(mixed, labels).items()}


def metric_values(outputs: Any, labels: Any) -> dict[str, Any]:
    """Returns the metrics [..., N] in ``ENSEMBLE_METRICS`` of predictors, those that need labels only with them."""
    found = {"osp": orbit_same_predictions(outputs), "divergence": symmetric_kl(outputs)}
    if labels is not None:
        found |= {"accuracy": correct(outputs, labels), "loss": cross_entropy(outputs, labels)}
    return found


def _gap_product(outputs: Any) -> tuple[Any, Any]:
    """Returns products [M, M] of gaps, summed over samples, g and outputs, and means over g and outputs [2, n].

    The latter are the squares of the sum of the members' gaps, and the sum of their squares.
    """
    # In float64: gaps are small differences, and their products are summed over all samples.
    outputs = in_double(outputs)
    gaps = outputs - outputs[:, :, :1]
    moved = gaps.reshape(len(outputs), -1)
    own, of_sum = (gaps**2).sum(0), gaps.sum(0) ** 2
    return moved @ moved.T, namespace(own).stack([of_sum, own]).mean((-1, -2))


def _pieces(read_outputs: Reader, num_samples: int) -> Iterator[tuple[int, Float[np.ndarray, "M n G K"]]]:
    """Yields the first sample and the outputs of the pool, a number of samples at a time."""
    step = max(1, READ_FLOATS // read_outputs(0, 1).size)
    for start in range(0, num_samples, step):
        yield start, read_outputs(start, min(start + step, num_samples))


def gap_products(read_outputs: Reader, num_samples: int) -> tuple[Float[np.ndarray, "M M"], Float[np.ndarray, "2 N"]]:
    """Returns the mean over samples, g and outputs of the products of ``f_i(g x) - f_i(x)`` of two members.

    The squared gap of any ensemble with weights w is the quadratic form ``w^T P w``. What comes second is, at each
    sample, the sum of all entries of P and that of its diagonal.
    """
    total, count = np.zeros(0), 0
    by_sample: list[np.ndarray] = []
    computing = current()
    step = max(1, computing.chunk_floats // read_outputs(0, 1).size)
    product_of = computing.compiled(_gap_product)
    for _, read in _pieces(read_outputs, num_samples):
        for start in range(0, read.shape[1], step):
            outputs = np.ascontiguousarray(read[:, start : start + step])
            count += outputs[0].size
            product, sums = (np.asarray(found) for found in product_of(computing.place(outputs)))
            total = product if total.size == 0 else total + product
            by_sample.append(sums)
    return total / count, np.concatenate(by_sample, 1)


@dataclass(frozen=True)
class Resampled:
    """Ensembles of one pool on one evaluation set at one epoch.

    Attributes:
        num_members: M, of the pool.
        drawn: (metric, size) to the values [B] of ensembles drawn with replacement.
        disjoint: (metric, size) to the values of disjoint ensembles: independent repetitions, so that their spread
            knows the noise of the pool, which bootstraps do not.
        few: (metric, size) to the error, and its degrees of freedom, of means over too few for their own spread.
        by_sample: (metric, size) to the mean over disjoint ensembles at each sample [N].
        whole: the samples are all that there are, and no draw from more.
        law_points: size, mean divergence without replacement, its error by the jackknife and of the samples.
        divergence: law fitted to these.
        squared_gap: exact law of the squared gap.
        gap_ratio: floor over slope of the latter, with the error of the members alone.
        gap_ratio_by_sample: how it changes with each sample [N].
    """

    num_members: int
    drawn: dict[tuple[str, int], np.ndarray]
    disjoint: dict[tuple[str, int], np.ndarray]
    few: dict[tuple[str, int], tuple[float, float]]
    by_sample: dict[tuple[str, int], np.ndarray]
    whole: bool
    law_points: list[tuple[int, float, float]]
    divergence: Law
    squared_gap: Law
    gap_ratio: Estimate
    gap_ratio_by_sample: np.ndarray

    def pool_error(self, metric: str, size: int) -> tuple[float, float]:
        """Returns the standard error of the mean over disjoint ensembles, with the noise of the pool, and its dof.

        From their spread, or that of halves and quarters of the pool (``emergent.statistics.splits``) where this is
        known better: of a single ensemble, of two or of three. NaN for a single one of fewer than four members.
        """
        values = self.disjoint[metric, size]
        if (metric, size) in self.few:
            return self.few[metric, size]
        return standard_error(values), spread_dof(len(values))

    def estimate(self, metric: str, size: int, pool: int) -> Estimate:
        """Returns the mean of a metric over ensembles of one size, drawn with replacement from a pool of a given size.

        Drawing N of M members with replacement makes ensembles as noisy as ``1 / (1 / N + (1 - 1 / N) / M)`` different
        members. Between those of this pool and disjoint ones, in which 1 / N is all, metrics are taken as linear in
        that noise, of which the squared gap is exactly so. The error is that of the pool, of the draws, and of the
        samples where these are a part of a test set.

        Args:
            metric: a name in ``ENSEMBLE_METRICS``.
            size: N.
            pool: members of the published pool; in one that is not smaller than ours draws are taken as they are.
        """
        return self._of_these_samples(metric, size, pool).over_samples(self.by_sample[metric, size], self.whole)

    def difference(self, other: "Resampled", metric: str, size: int, pool: int) -> Estimate:
        """Returns the difference to the same ensembles of another pool on the same samples.

        The noise of the samples is that of the differences at each of them, which is less than that of two sets. What
        the ensembles' own noise adds to these is in their spread too: at worst the error is sqrt(2) too large.
        """
        found = self._of_these_samples(metric, size, pool).minus(other._of_these_samples(metric, size, pool))
        return found.over_samples(self.by_sample[metric, size] - other.by_sample[metric, size], self.whole)

    def gap_ratio_minus(self, other: "Resampled") -> Estimate:
        """Returns the difference of the squared gaps' floors, over slopes, to another pool on the same samples."""
        by_sample = self.gap_ratio_by_sample - other.gap_ratio_by_sample
        return self.gap_ratio.minus(other.gap_ratio).over_samples(by_sample, self.whole)

    def _of_these_samples(self, metric: str, size: int, pool: int) -> Estimate:
        drawn, separate = self.drawn[metric, size], self.disjoint[metric, size]
        share = min(1.0, self.num_members / pool)
        parts = [self.pool_error(metric, size), (share * standard_error(drawn), spread_dof(len(drawn)))]
        error, dof = float(np.hypot.reduce([part[0] for part in parts])), combined_dof(*parts)
        if share == 1.0:
            return Estimate(float(drawn.mean()), error, len(drawn), "drawn ensembles", dof)
        value = (1 - share) * separate.mean() + share * drawn.mean()
        return Estimate(float(value), error, len(separate), "matched ensembles", dof)


def resample(
    read_outputs: Reader,
    num_samples: int,
    num_members: int,
    labels: np.ndarray | None,
    bootstrap: Bootstrap,
    generator: np.random.Generator,
    whole: bool = True,
) -> Resampled:
    """Returns all resampled ensembles of a pool.

    Args:
        read_outputs: outputs of the pool.
        num_samples: N.
        num_members: M.
        labels: [N], or None.
        bootstrap: sizes and number of ensembles.
        generator: for draws and partitions.
        whole: the samples are all that there are.
    """
    sizes, num = bootstrap.sizes, bootstrap.num
    drawn = [bootstrap_counts(num, size, num_members, generator) / size for size in sizes]
    # Ensemble k holds members k N to (k + 1) N - 1, as everywhere (emergent.statistics.ensembles).
    disjoint = [np.kron(np.eye(num_members // size), np.full((1, size), 1 / size)) for size in sizes]
    disjoint = [np.pad(rows, ((0, 0), (0, num_members - rows.shape[1]))) for rows in disjoint]
    design = law_design(num_members, generator)
    split = np.zeros((0, num_members))
    if num_members >= FEWEST_TO_SPLIT and any(len(rows) <= MOST_DOF for rows in disjoint):
        split = split_weights(num_members, generator)
    parts = [*drawn, *disjoint, split, design.ensembles.weights]
    # All ensembles at once: the outputs of the pool are gigabytes, and are read a single time.
    bounds = np.cumsum([len(part) for part in parts])[:-1]
    groups = np.zeros((len(sizes), sum(map(len, parts))))
    for row, start, separate in zip(groups, bounds[len(sizes) - 1 :], disjoint, strict=False):
        row[start : start + len(separate)] = 1 / len(separate)
    groups = np.concatenate([groups, np.pad(design_groups(design), ((0, 0), (bounds[-1], 0)))])
    values, by_sample = measured_ensembles(np.concatenate(parts), groups, read_outputs, num_samples, labels)
    found = {metric: np.split(column, bounds) for metric, column in values.items()}
    law, means, errors = divergence_law(design, found["divergence"][-1])
    at_design = by_sample["divergence"][len(sizes) :]
    errors = np.hypot(errors, [sampling_error(row, whole) for row in at_design])
    products, sums = gap_products(read_outputs, num_samples)
    gap, gaps = squared_gap_law(products), squared_gap_by_sample(sums[0], sums[1], num_members)
    result = Resampled(
        num_members=num_members,
        drawn={(metric, size): column[i] for metric, column in found.items() for i, size in enumerate(sizes)},
        disjoint={},
        few={},
        by_sample={(metric, size): rows[i] for metric, rows in by_sample.items() for i, size in enumerate(sizes)},
        whole=whole,
        law_points=[(int(n), float(m), float(e)) for n, m, e in zip(design.sizes, means, errors, strict=True)],
        divergence=law.over_samples(divergence_law_by_sample(design, at_design), whole),
        squared_gap=gap.over_samples(gaps, whole),
        gap_ratio=gap.ratio,
        gap_ratio_by_sample=gap.ratio_by_sample(gaps),
    )
    for metric, column in found.items():
        for size, separate in zip(sizes, column[len(sizes) : -2], strict=True):
            result.disjoint[metric, size] = separate
            if len(split) and len(separate) <= MOST_DOF:
                error, dof = split_error(column[-2], num_members, size)
                result.few[metric, size] = error / math.sqrt(len(separate)), dof
    return result

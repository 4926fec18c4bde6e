"""Differences between the mean outputs of two kinds of ensembles, or of one and a prediction, and their law.

References:
    arXiv 2406.06504, convergence of augmented CNNs to GCNNs.
"""

from collections.abc import Iterator

import numpy as np
from jaxtyping import Float

from emergent.config.questions import EnsembleDistance, EnsembleSummary
from emergent.config.stages import DataFacts
from emergent.statistics.laws import squared_gap_by_sample
from emergent.summaries.pool import MemberPool

Reference = MemberPool | Float[np.ndarray, "N K"]
"""Members of another kind, or what an infinitely wide ensemble predicts at the last checkpoint."""


def differences(
    pool: MemberPool, reference: Reference, data: str, size: int, max_ensembles: int
) -> Iterator[Float[np.ndarray, "E N K"]]:
    """Yields the differences of the mean outputs of disjoint ensembles of one size from those of a reference.

    Args:
        pool: members of one kind.
        reference: of which as many disjoint ensembles are taken; a prediction counts at the last checkpoint only.
        data: name of the evaluation set.
        size: members of an ensemble.
        max_ensembles: at most so many ensembles, the first ones.
    """
    # Element 0: at the samples themselves.
    ours = (outputs[:, :, 0] for outputs in pool.ensembles(data, size, max_ensembles))
    if isinstance(reference, MemberPool):
        theirs = (outputs[:, :, 0] for outputs in reference.ensembles(data, size, max_ensembles))
        for one, other in zip(ours, theirs, strict=True):
            yield one - other
    else:
        for one in ours:
            yield one[-1:] - reference


def gap_products(
    settings: EnsembleSummary, pool: MemberPool, reference: Reference, data: DataFacts
) -> tuple[int, Float[np.ndarray, "E U U"], Float[np.ndarray, "2 E N"]]:
    """Returns a size, products of the differences of ensembles of that size, summed over outputs, and their law [N].

    Members number i of both kinds are one draw of their difference. Where not all single members were stored the law is
    read off the smallest ensembles that hold most of the pool and are enough for an error.

    Args:
        settings: of the summary stage.
        pool: members of one kind.
        reference: as many of another, or a prediction.
        data: the evaluation set.
    """

    def covered(size: int) -> tuple[int, int]:
        num = min(pool.num_members // size, settings.max_ensembles)
        return (num * size if num >= EnsembleDistance.fewest_ensembles else 0, -size)

    unit = max(settings.ensemble_sizes, key=covered)
    gaps = np.stack(list(differences(pool, reference, data.name, unit, settings.max_ensembles)), 1)
    num_epochs, num_units, num_samples, _ = gaps.shape
    flat = gaps.reshape(num_epochs, num_units, -1)
    of_sum, own = np.square(gaps.sum(1)).sum(-1), np.square(gaps).sum((1, -1))
    laws = squared_gap_by_sample(of_sum, own, num_units)
    return unit, flat @ flat.transpose(0, 2, 1) / num_samples, laws

"""Summary of experiments of kind ``deviation_tail``: how often finite ensembles are far from the infinite one.

At infinite width the outputs of a trained member are normal with the mean mu_t(x) of the infinite ensemble and the
variance Sigma_t(x, x), and those of the mean of M members have the variance sigma^2 = Sigma_t(x, x) / M. With
z = delta / sigma then

    P(|f_t(x) - fhat_t(x)| > delta) = erfc(z / sqrt(2)) <= sqrt(2 / pi) exp(-z^2 / 2) / z.

Both mu_t and Sigma_t are predicted; nothing here is estimated from the members but the frequencies.

References:
    arXiv 2403.03103, lemma on finite ensembles (Lemma B.4 in arXiv 2505.16581, which restates it). The formula is
    reconstructed; the published text was not at hand.
"""

import math
from pathlib import Path

import numpy as np
import pandas as pd
from jaxtyping import Float

from emergent import storage
from emergent.config.deviation import TailSummary
from emergent.statistics.estimate import Estimate
from emergent.summaries.files import Blocks, Predictions, Tables, predictions_of
from emergent.summaries.pool import MemberPool, open_pools
from emergent.summaries.quantities import Quantities


def gaussian_tail(deviation: float) -> float:
    """Returns how often a normal variable is farther than this many standard deviations from its mean."""
    return math.erfc(deviation / math.sqrt(2))


def tail_bound(deviation: float) -> float:
    """Returns the bound of the lemma at this many standard deviations; above 1 for small ones."""
    return math.sqrt(2 / math.pi) / deviation * math.exp(-(deviation**2) / 2)


def summarise_deviation_tail(settings: TailSummary, blocks: Blocks, predictions: Predictions) -> Tables:
    """Returns the tables ``tail`` and ``quantities``.

    ``tail`` (arm, width, data, ensemble_size, deviation, mean, stderr, bound, gaussian, num): how often, over all
    points of the orbits and all outputs, an ensemble is farther from the infinite one than so many sigma; its standard
    error over disjoint ensembles, which holds that points are not independent; the bound and the normal frequency.

    Args:
        settings: of the summary stage.
        blocks: arm to its evaluated blocks.
        predictions: arm to the predictions of its infinitely wide ensemble.

    Raises:
        DataError: there are no predictions of an arm.
    """
    quantities, rows = Quantities(), []
    quantities.add("num_members", Estimate.exact(settings.num_members), "members of every arm")
    for arm, pool in open_pools(settings, blocks).items():
        infinite = predictions_of(arm, predictions)
        for data in settings.data:
            for size in settings.ensemble_sizes:
                distances = scaled_distances(pool, infinite, data.name, size, settings.max_ensembles)
                axes = tuple(range(1, distances.ndim))
                name = f"{arm}/{data.name}/{size}"
                variance = Estimate.mean(np.square(distances).mean(axes))
                text = "mean square distance of ensembles from the infinite one, over the variance predicted for it"
                quantities.add(f"scaled_variance/{name}", variance, text)
                for deviation in settings.deviations:
                    found = Estimate.mean((distances > deviation).mean(axes))
                    bound, normal = tail_bound(deviation), gaussian_tail(deviation)
                    rows.append({"arm": arm, "width": settings.arm(arm).width_in_tables, "data": data.name,
                                 "ensemble_size": size, "deviation": deviation, "mean": found.value,
                                 "stderr": found.stderr, "bound": bound, "gaussian": normal,
                                 "num": found.num})  # fmt: skip
                    where = f"{name}/{f'{deviation:g}'.replace('.', '_')}"
                    text = f"frequency of distances above {deviation:g} sigma, over "
                    quantities.add(f"tail_to_bound/{where}", found.times(1 / bound), f"{text}its bound")
                    quantities.add(
                        f"tail_to_normal/{where}", found.times(1 / normal), f"{text}that of a normal variable"
                    )
    return {"tail": pd.DataFrame(rows), "quantities": quantities.table()}


def scaled_distances(
    pool: MemberPool, infinite: Path, data: str, size: int, max_ensembles: int
) -> Float[np.ndarray, "R N G K"]:
    """Returns |f_t(x) - fhat_t(x)| / sigma of disjoint ensembles after training.

    Args:
        pool: members of an arm.
        infinite: predictions of its infinitely wide ensemble.
        data: evaluation set.
        size: members M of an ensemble.
        max_ensembles: at most so many ensembles R, the first ones.
    """
    found = storage.read_arrays(infinite, [f"{data}/mean", f"{data}/covariance"], "predict")
    mean, covariance = found[f"{data}/mean"], found[f"{data}/covariance"]
    sigma = np.sqrt(np.diagonal(covariance, axis1=1, axis2=2) / size)[..., None]
    outputs = np.stack([ensemble[-1] for ensemble in pool.ensembles(data, size, max_ensembles)])
    return np.abs(outputs - mean) / sigma

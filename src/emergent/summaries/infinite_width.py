"""Distance of finite ensembles from the infinitely wide one, for every question whose arms have a prediction of it.

References:
    arXiv 2403.03103: finite ensembles beside the exact mean of infinitely wide ones.
"""

import numpy as np
import pandas as pd

from emergent import storage
from emergent.config.questions import EnsembleSummary
from emergent.statistics.estimate import sample_std
from emergent.summaries.files import Blocks, Predictions
from emergent.summaries.pool import open_pools


def infinite_width_table(settings: EnsembleSummary, blocks: Blocks, predictions: Predictions) -> pd.DataFrame:
    """Returns the distance at the last checkpoint of disjoint ensembles from the mean that is predicted for their arm.

    The distance is the root of the mean square, over samples, orbit elements and outputs, of the difference between the
    mean outputs and the predicted ones, over that of the predicted ones.

    Args:
        settings: of the summary stage.
        blocks: arm to its evaluated blocks.
        predictions: arm to the predictions of its infinitely wide ensemble, of some arms.

    Returns:
        Columns arm, width (NaN without hidden layers), data, ensemble_size, mean, std (over disjoint ensembles), num.
    """
    pools = open_pools(settings, blocks)
    rows = []
    for arm in (facts for facts in settings.arms if facts.name in predictions):
        for data in settings.data:
            key = f"{data.name}/mean"
            infinite = storage.read_arrays(predictions[arm.name], [key], "predict")[key]
            size_of_outputs = np.sqrt(np.square(infinite).mean())
            for size in settings.ensemble_sizes:
                ensembles = pools[arm.name].ensembles(data.name, size, settings.max_ensembles)
                found = np.array([np.sqrt(np.square(outputs[-1] - infinite).mean()) for outputs in ensembles])
                found = found / size_of_outputs
                head = {"arm": arm.name, "width": arm.width_in_tables, "data": data.name, "ensemble_size": size}
                rows.append(head | {"mean": float(found.mean()), "std": sample_std(found), "num": len(found)})
    return pd.DataFrame(rows)

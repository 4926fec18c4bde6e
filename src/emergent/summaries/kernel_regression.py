"""Summary of experiments of kind ``kernel_regression``: accuracy by training set size, and what symmetry adds to it.

References:
    arXiv 2406.06504, accuracy of kernels by training set size; the power laws are ours.
"""

import pandas as pd

from emergent.config.stages import SummaryStage
from emergent.statistics.estimate import Estimate
from emergent.statistics.learning_laws import equal_samples, power_law
from emergent.summaries.files import Blocks, Predictions, Tables
from emergent.summaries.learning import Learnt, Metric, learnt
from emergent.summaries.quantities import Quantities

ACCURACY = Metric("accuracy", "accuracy on test images", "gain")
COLUMNS = ("arm", "exponent", "exponent_stderr", "level", "level_stderr", "centre", "num")


def summarise_kernel_regression(settings: SummaryStage, blocks: Blocks, predictions: Predictions) -> Tables:
    """Returns the tables ``learning``, ``regularisers`` (``emergent.summaries.learning``), ``laws`` and ``quantities``.

    ``laws`` has the power law of the error rate of each arm in the training set size, where all its error rates are
    above 0.

    Args:
        settings: of the summary stage.
        blocks: arm to its training files.
        predictions: not used by this kind.

    Raises:
        DataError: the files of an arm do not hold every split once.
    """
    del predictions
    quantities = Quantities()
    quantities.add("num_members", Estimate.exact(settings.num_members), "splits of every arm")
    found = learnt(settings, blocks, ACCURACY, quantities)
    laws = _laws(settings, found, quantities)
    return {
        "learning": found.learning,
        "regularisers": found.regularisers,
        "laws": laws,
        "quantities": quantities.table(),
    }


def _laws(settings: SummaryStage, found: Learnt, quantities: Quantities) -> pd.DataFrame:
    errors = {arm: 1 - accuracy for arm, accuracy in found.found.items()}
    # Without an error at some size there is no logarithm, and one size has no law.
    known = {arm for arm, values in errors.items() if len(found.sizes) > 1 and (values.mean(0) > 0).all()}
    rows = []
    for facts in settings.arms:
        if facts.name not in known:
            continue
        law = power_law(found.sizes, errors[facts.name])
        text = "power of the training set size with which the error rate changes, over all sizes"
        quantities.add(f"exponent/{facts.name}", law.exponent, text)
        row = {"arm": facts.name, "exponent": law.exponent.value, "exponent_stderr": law.exponent.stderr}
        row |= {"level": law.level.value, "level_stderr": law.level.stderr, "centre": law.centre}
        rows.append(row | {"num": law.level.num})
        if facts.compare_to in known:
            saved = equal_samples(found.sizes, errors[facts.name], errors[facts.compare_to])
            other = settings.arm(facts.compare_to).label
            text = f"training images of {other} for each of {facts.label} at the same error rate, middle of the sizes"
            quantities.add(f"equal_samples/{facts.name}", saved, text)
    return pd.DataFrame(rows, columns=list(COLUMNS))

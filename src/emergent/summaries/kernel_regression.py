"""Summary of experiments of kind ``kernel_regression``: accuracy by training set size, and what symmetry adds to it.

References:
    arXiv 2406.06504, accuracy of kernels by training set size.
"""

from emergent.config.stages import SummaryStage
from emergent.statistics.estimate import Estimate
from emergent.summaries.files import Blocks, Predictions, Tables
from emergent.summaries.learning import Metric, learnt
from emergent.summaries.quantities import Quantities

ACCURACY = Metric("accuracy", "accuracy on test images", "gain")


def summarise_kernel_regression(settings: SummaryStage, blocks: Blocks, predictions: Predictions) -> Tables:
    """Returns the tables ``learning``, ``regularisers`` (``emergent.summaries.learning``) and ``quantities``.

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
    return {"learning": found.learning, "regularisers": found.regularisers, "quantities": quantities.table()}

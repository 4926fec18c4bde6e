"""Summary of experiments of kind ``molecule_regression``: error by training set size, and how fast it falls.

References:
    arXiv 2406.06504, energies of molecules by training set size.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from emergent import storage
from emergent.config.molecule_regression import CHANNEL_ELEMENTS, CHANNEL_POWERS
from emergent.config.stages import SummaryStage
from emergent.statistics.estimate import Estimate
from emergent.summaries.files import Blocks, Predictions, Tables
from emergent.summaries.learning import Metric, learnt
from emergent.summaries.quantities import Quantities
from emergent.summaries.runs import read_runs

ERROR = Metric("error", "mean absolute error of the energies of test molecules, in meV", "error_difference")


def summarise_molecule_regression(settings: SummaryStage, blocks: Blocks, predictions: Predictions) -> Tables:
    """Returns the tables ``learning`` and ``regularisers`` (``emergent.summaries.learning``), ``quantities``, an input.

    Quantities are errors, their differences between arms, the root of mean squared errors, the exponent of a power law
    through all sizes, and the relative error of each arm's kernel.

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
    found = learnt(settings, blocks, ERROR, quantities)
    for facts in settings.arms:
        arm = facts.name
        squares = read_runs(arm, blocks[arm], settings.num_members, {"root_mean_square": 0}, "splits")
        for s, size in enumerate(found.sizes):
            own = squares["root_mean_square"][:, s]
            quantities.add(f"root_mean_square/{arm}/{size}", Estimate.mean(own), "root of the mean squared error, meV")
        if len(found.sizes) > 1:
            # One line a split: their scatter is the error of the exponent.
            slopes = np.polyfit(np.log(found.sizes), np.log(found.found[arm]).T, 1)[0]
            text = "power of the training set size with which the error changes, over all sizes"
            quantities.add(f"exponent/{arm}", Estimate.mean(slopes), text)
        error = float(storage.read_arrays(blocks[arm][0], ["kernel_error"], "train")["kernel_error"])
        quantities.add(f"kernel_error/{arm}", Estimate.exact(error), "relative error of the kernel of two atoms")
    signals, atoms = _shown(blocks[settings.arms[0].name])
    return {
        "learning": found.learning,
        "regularisers": found.regularisers,
        "signals": signals,
        "atoms": atoms,
        "quantities": quantities.table(),
    }


def _shown(paths: Sequence[Path]) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Returns the molecule of the picture of inputs, and the functions on the sphere of its first atom.

    Tables ``signals`` (element, power, latitude, longitude in degrees, value), ``atoms`` (charge, x, y, z in angstrom).
    """
    first = min(paths, key=lambda path: int(storage.read_arrays(path, ["members"], "train")["members"][0]))
    arrays = storage.read_arrays(first, ["shown_signal", "shown_positions", "shown_charges"], "train")
    values = arrays["shown_signal"]
    index = np.indices(values.shape).reshape(4, -1)
    signals = pd.DataFrame({
        "element": np.array(CHANNEL_ELEMENTS)[index[0]],
        "power": np.array(CHANNEL_POWERS)[index[1]],
        "latitude": 90 - (2 * index[2] + 1) * 90 / values.shape[2],
        "longitude": 360 * index[3] / values.shape[3],
        "value": values.reshape(-1),
    })  # fmt: skip
    x, y, z = arrays["shown_positions"].T
    return signals, pd.DataFrame({"charge": arrays["shown_charges"], "x": x, "y": y, "z": z})

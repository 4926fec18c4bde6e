"""Summary of experiments of kind ``kernel_convergence``: how far mean kernels of random networks are from their limit.

The relative error of a mean kernel is never negative, and that of an exact mean of few networks is not 0. Beside it
stand the error that noise alone would leave, and the signed deviation, whose mean is 0 where the limit is right.

References:
    arXiv 2406.06504: relative error averaged over all components of the Gram matrix, by width.
"""

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from jaxtyping import Float

from emergent import storage
from emergent.config.stages import SummaryStage
from emergent.statistics.estimate import Estimate, spread_dof
from emergent.statistics.jackknife import jackknife_error
from emergent.summaries.files import Blocks, Predictions, Tables
from emergent.summaries.quantities import Quantities
from emergent.summaries.runs import read_runs

KERNELS = ("nngp", "ntk")


def summarise_kernel_convergence(settings: SummaryStage, blocks: Blocks, predictions: Predictions) -> Tables:
    """Returns the tables ``convergence`` and ``quantities``.

    ``convergence`` (arm, kernel, width, error, error_stderr, noise, deviation, deviation_stderr, num): mean over pairs
    of images of |mean kernel - limit| over |limit|; the same if the mean were exact but for noise; the signed mean.

    Args:
        settings: of the summary stage.
        blocks: arm to its training files.
        predictions: not used by this kind.

    Raises:
        DataError: the files of an arm do not hold every network once.
    """
    del predictions
    quantities, rows = Quantities(), []
    quantities.add("num_members", Estimate.exact(settings.num_members), "networks of every width")
    for arm in (facts.name for facts in settings.arms):
        found = read_runs(arm, blocks[arm], settings.num_members, dict.fromkeys(KERNELS, 0), "networks")
        limits, widths = _limits(blocks[arm])
        for kernel in KERNELS:
            for w, width in enumerate(widths):
                relative = (found[kernel][:, w] - limits[kernel]) / np.abs(limits[kernel])
                error, noise, deviation = relative_errors(relative.reshape(len(relative), -1))
                name = f"{arm}/{kernel}/{width}"
                quantities.add(
                    f"error/{name}", error, "relative error of the mean kernel, averaged over pairs of images"
                )
                quantities.add(f"deviation/{name}", deviation, "the same with its sign, 0 where only noise is left")
                rows.append({"arm": arm, "kernel": kernel, "width": int(width), "error": error.value,
                             "error_stderr": error.stderr, "noise": noise, "deviation": deviation.value,
                             "deviation_stderr": deviation.stderr, "num": len(relative)})  # fmt: skip
    return {"convergence": pd.DataFrame(rows), "quantities": quantities.table()}


def _limits(paths: Sequence[Path]) -> tuple[dict[str, np.ndarray], np.ndarray]:
    arrays = storage.read_arrays(paths[0], [*(f"infinite_{name}" for name in KERNELS), "widths"], "train")
    return {name: arrays[f"infinite_{name}"] for name in KERNELS}, arrays["widths"]


def relative_errors(relative: Float[np.ndarray, "M P"]) -> tuple[Estimate, float, Estimate]:
    """Returns error, what noise alone would make it, and deviation, of the mean over M networks.

    Args:
        relative: signed relative deviations of single networks on each of P pairs of images.
    """
    num = len(relative)
    total = relative.sum(0)
    left_out = np.abs((total - relative) / (num - 1)).mean(1)
    value = float(np.abs(total / num).mean())
    error = Estimate(value, float(jackknife_error(left_out)), num, "mean", spread_dof(num))
    # The mean absolute value of a normal variable is root 2 / pi of its standard deviation.
    noise = math.sqrt(2 / math.pi) * float((relative.std(0, ddof=1) / math.sqrt(num)).mean())
    return error, noise, Estimate.mean(relative.mean(1))

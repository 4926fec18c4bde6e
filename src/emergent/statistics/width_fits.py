"""Fits of what ensembles keep of a distance at several widths by laws of networks near their limit."""

from collections.abc import Sequence

import numpy as np

from emergent.statistics.estimate import Estimate


def inverse_width_fit(widths: Sequence[float], squares: Sequence[Estimate]) -> tuple[Estimate, Estimate]:
    """Returns a^2 of the weighted fit ``floor^2 = a^2 / width^2`` and its chi-square per degree of freedom.

    The mean of networks approaches that of the kernel like one over the width, its square like one over the width's.

    Args:
        widths: at least two, of which two differ.
        squares: floor^2 at each, with errors above 0; may be negative.
    """
    x = np.array([1.0 / float(width) ** 2 for width in widths])
    y, errors = (np.array([getattr(one, name) for one in squares]) for name in ("value", "stderr"))
    information = float(np.square(x / errors).sum())
    value = float((x * y / errors**2).sum() / information)
    dof = len(squares) - 1
    reduced = float(np.square((y - value * x) / errors).sum() / dof)
    dofs = min(one.dof for one in squares)
    fitted = Estimate(value, information**-0.5, min(one.num for one in squares), "fit", dofs)
    # Of a right law: a chi-square of so many degrees of freedom.
    return fitted, Estimate(reduced, float(np.sqrt(2.0 / dof)), len(squares), "fit")


def width_exponent(widths: Sequence[float], squares: Sequence[Estimate]) -> Estimate | None:
    """Returns p of the weighted fit ``floor^2 = a^2 / width^(2 p)``; None where nothing decides it.

    Fitted to the squares and not to their logarithms, which those that noise makes negative do not have.

    Args:
        widths: at least three, not all the same.
        squares: floor^2 at each, with errors above 0; may be negative.
    """
    # Only here: the import takes as long as most summaries need.
    from scipy import optimize

    x, y = np.log(np.asarray(widths, float)), np.array([one.value for one in squares])
    errors = np.array([one.stderr for one in squares])
    # In units of the largest, at the narrowest network: parameters of order one.
    scale, centre = np.abs(y).max(), x.min()

    def law(log_width: np.ndarray, square: float, exponent: float) -> np.ndarray:
        return square * np.exp(-2 * exponent * (log_width - centre))

    try:
        fitted, covariance = optimize.curve_fit(
            law, x, y / scale, (1.0, 1.0), errors / scale, absolute_sigma=True, maxfev=2000
        )
    except RuntimeError:
        return None
    error = float(np.sqrt(covariance[1, 1]))
    # Without a floor at any width every exponent fits.
    if not np.isfinite(error) or fitted[0] < 2 * np.sqrt(covariance[0, 0]):
        return None
    dofs = min(one.dof for one in squares)
    return Estimate(float(fitted[1]), error, min(one.num for one in squares), "fit", dofs)

"""What ensembles have more than their own members, with the errors of ensembles and of the images that they share."""

from dataclasses import dataclass

import numpy as np

from emergent.statistics.estimate import Estimate, mean_error, sample_std, sampling_error

ALL = slice(None)


@dataclass(frozen=True)
class Gains:
    """What ensembles have more than the mean of their own members.

    Attributes:
        values: [R, E] of each ensemble, averaged over images.
        by_image: [E, N] averaged over ensembles, at each image.
        whole: the images are all that there are.
    """

    values: np.ndarray
    by_image: np.ndarray
    whole: bool

    def mean(self, epochs: slice | int, factor: float = 1.0) -> Estimate:
        """Returns a multiple of the mean over some epochs.

        The error is that of the ensembles and of the images; what the noise of ensembles adds to the latter is in both.
        """
        values, images = self.values[:, epochs], self.by_image[epochs]
        if isinstance(epochs, slice):
            values, images = values.mean(1), images.mean(0)
        return Estimate.mean(values, "disjoint ensembles").over_samples(images, self.whole).times(factor)

    def minus(self, other: "Gains", own: float, others: float) -> "Gains":
        """Returns ``own`` times these gains less ``others`` times those of another arm on the same images."""
        values = own * self.values - others * other.values
        return Gains(values, own * self.by_image - others * other.by_image, self.whole)


def statistics(values: np.ndarray) -> dict[str, float | int]:
    """Returns the statistics of one value per member or per ensemble."""
    return {
        "mean": float(values.mean()),
        "std": sample_std(values),
        # arXiv 2403.03103 does not say what its bands are; quartiles and extremes are both possible, and both are kept.
        "low": float(np.quantile(values, 0.25)),
        "high": float(np.quantile(values, 0.75)),
        "minimum": float(values.min()),
        "maximum": float(values.max()),
        "num": len(values),
    }


def errors(values: np.ndarray, images: np.ndarray, whole: bool) -> dict[str, float]:
    """Returns the error of a mean over members or ensembles [R] and images [N], and that of the images alone."""
    error = sampling_error(images, whole)
    return {"stderr": float(mean_error(sample_std(values), len(values), error)), "image_stderr": error}


def gains_of(values: np.ndarray, images: np.ndarray, members: np.ndarray, size: int, whole: bool) -> Gains:
    """Returns the gains of ensembles with values [R, E] and [E, N] over those of their own members [M, E, N]."""
    # Ensemble k holds members k size to (k + 1) size - 1, as everywhere (emergent.statistics.ensembles).
    num = len(values)
    own = members[: num * size].reshape(num, size, *members.shape[1:])
    return Gains(values - own.mean((1, 3), dtype=np.float64), images - own.mean((0, 1), dtype=np.float64), whole)

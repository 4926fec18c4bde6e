"""Mean predictions of augmented, of equivariant and of plain infinite ensembles, and the spectrum of the first.

In: the stage of an arm and its images. Out, for every draw of images and every time: how far the means of augmented and
of plain convolutional networks are from that of group convolutional ones, how invariant each is, what each has learnt,
and the variances of single networks, which are not equal. Everything is in float64.

The augmented problem is solved on all |G| N images, the others on N; the kernels of the group convolutional network are
computed for themselves.

References:
    arXiv 2406.06504, theorem on the means of augmented and of equivariant networks.
"""

from collections.abc import Callable, Sequence

import jax.numpy as jnp
import numpy as np
from jaxtyping import Float, Int

from emergent.config.equal_means import CURVES, MeansStage, equivariant
from emergent.config.prediction_memory import floats_per_pair
from emergent.domains.samples import Samples
from emergent.errors import DataError
from emergent.groups.images import image_action, orbit
from emergent.kernels.gram import require_memory
from emergent.kernels.registry import kernel_function
from emergent.point_groups import FiniteGroup, group_from_name
from emergent.prediction.gradient_flow import Schedule
from emergent.prediction.kernel_regression import pooled
from emergent.prediction.regression import InfiniteEnsemble, OrbitPrediction, fit_infinite_ensemble
from emergent.prediction.symmetric_flow import SymmetricSpectrum
from emergent.provenance import physical_memory_bytes
from emergent.storage import Array

# Both kernels of all copies, blocks of them and their eigenvectors, and those between them and a piece of a test set.
MATRIX_COPIES = 12


def draw_images(num: int, stage: MeansStage, member: int) -> tuple[Int[np.ndarray, " N"], Int[np.ndarray, " T"]]:
    """Returns positions of the training and of the test images of one member, which depend on seed and member alone.

    Raises:
        DataError: too few images.
    """
    if num < stage.sampling.total:
        raise DataError(
            f"sampling: a member needs {stage.sampling.total} images, but the data set has {num}; use fewer."
        )
    order = np.random.default_rng([stage.seed, 1, member]).permutation(num)[: stage.sampling.total]
    return order[stage.sampling.test :], order[: stage.sampling.test]


def ensembles(
    stage: MeansStage, group: FiniteGroup, images: Float[np.ndarray, "N H W C"], targets: Float[np.ndarray, "N K"]
) -> dict[str, InfiniteEnsemble]:
    """Returns the three infinite ensembles by name."""
    shape = images.shape[1:]
    plain = kernel_function(stage.model, shape)
    own = kernel_function(equivariant(stage.model, group.name), shape)
    copies = np.asarray(orbit(image_action(group, *shape[:2]), jnp.asarray(images)))
    alone = group_from_name("C1")
    return {
        "augmented": fit_infinite_ensemble(
            plain, group, copies, np.repeat(targets[None], group.order, 0), tile_size=stage.tile_size
        ),
        "equivariant": fit_infinite_ensemble(own, alone, images[None], targets[None], tile_size=stage.tile_size),
        "plain": fit_infinite_ensemble(plain, alone, images[None], targets[None], tile_size=stage.tile_size),
    }


def spectra(spectrum: SymmetricSpectrum, num: int) -> Float[np.ndarray, "R N"]:
    """Returns the largest eigenvalues of every irreducible representation, descending, over the number of images.

    A representation of dimension d has d N of them, each d times; half of those of a complex pair stand for both.
    """
    return (
        np.stack([block.spectrum.eigenvalues[::-1][:num] for block in spectrum.blocks])
        / spectrum.blocks[0].spectrum.num_points
    )


def equal_means_arrays(
    stage: MeansStage,
    members: Sequence[int],
    samples: Samples,
    advance: Callable[[int], None],
    memory_bytes: int | None = None,
) -> dict[str, Array]:
    """Returns what is stored of a block of members.

    Args:
        stage: settings of the arm.
        members: draws of images of the block.
        samples: all images.
        advance: called with 1 after every member.
        memory_bytes: memory that may be used; None takes the machine's.

    Raises:
        DataError: too few images, or none with classes.
        ResourceError: kernels would need more memory.
    """
    if samples.labels is None:
        raise DataError(f"{stage.data.train.dataset}: networks learn classes here, but the data set has none.")
    group = group_from_name(stage.group)
    size = stage.sampling
    kept = MATRIX_COPIES * 8 * group.order * size.train * (size.train + stage.tile_size)
    height, width, channels = stage.data.shape
    shape = (height // size.average_pool, width // size.average_pool, channels)
    require_memory(kept, stage.tile_size, floats_per_pair(stage.model, shape), memory_bytes or physical_memory_bytes())
    classes = np.eye(int(samples.labels.max()) + 1)
    found: dict[str, list[np.ndarray]] = {name: [] for name in (*MEASURED, "example", "variance", "spectrum")}
    for member in members:
        train, test = draw_images(len(samples.inputs), stage, member)
        images, others = (pooled(samples.inputs[part], size.average_pool) for part in (train, test))
        targets = classes[samples.labels[train]] - 1 / len(classes)
        three = ensembles(stage, group, images, targets)
        # One clock for all: that of the augmented problem.
        rate = three["augmented"].spectrum.max_learning_rate / 2
        schedules = [Schedule(rate, time) for time in (*stage.times, np.inf)]
        orbits = np.asarray(orbit(image_action(group, *images.shape[1:3]), jnp.asarray(others)))
        predictions = {name: ensemble.predict_orbits_many(orbits, schedules) for name, ensemble in three.items()}
        for name, values in measured(predictions, samples.labels[test]).items():
            found[name].append(values)
        found["spectrum"].append(spectra(three["augmented"].spectrum, size.train))
        advance(1)
    dims = ("member", "curve", "moment")
    texts = MEASURED | {"example": "one output of a turned image", "variance": "of single networks' outputs"}
    return {
        "members": Array(np.asarray(members), ("member",)),
        # Files hold no infinities: the last moment is infinite time.
        "times": Array(np.array(stage.times), ("finite_moment",), "1", "in units of the fastest mode's"),
        **{name: Array(np.stack(found[name]), dims, "1", text) for name, text in texts.items()},
        "spectrum": Array(np.stack(found["spectrum"]), ("member", "irrep", "rank"), "1", "eigenvalues over images"),
    }


MEASURED = {
    "distance": "root of the mean squared difference to the mean of equivariant networks, over test images and copies",
    "asymmetry": "root of the mean squared deviation of a mean prediction from its mean over the group",
    "accuracy": "share of test images and their copies whose class is predicted",
}


def measured(
    predictions: dict[str, list[OrbitPrediction]], labels: Int[np.ndarray, " T"]
) -> dict[str, Float[np.ndarray, "curves times"]]:
    """Returns every measurement of one member, curves in the order of ``CURVES``."""
    means = np.stack([[prediction.mean for prediction in predictions[name]] for name in CURVES])
    reference = means[CURVES.index("equivariant")]
    averaged = means.mean(3, keepdims=True)
    variance = [[np.einsum("tqq->", p.covariance) / p.covariance[..., 0].size for p in predictions[n]] for n in CURVES]
    return {
        "distance": np.sqrt(np.square(means - reference).mean((2, 3, 4))),
        "asymmetry": np.sqrt(np.square(means - averaged).mean((2, 3, 4))),
        "accuracy": (means.argmax(4) == labels[None, None, :, None]).mean((2, 3)),
        # The first image, turned by the first element that is not the identity; output of its own class.
        "example": means[:, :, 0, 1, labels[0]],
        "variance": np.array(variance),
    }

"""Errors of metrics on a part of the test images: they cover what all images would give, for levels and differences."""

from dataclasses import replace

import numpy as np
import pytest

from emergent.config.evaluation import Bootstrap
from emergent.statistics.estimate import quantile
from emergent.statistics.resampling import Resampled, resample

NUM_IMAGES, MEMBERS, SIZE, REPEATS = 30, 20, 5, 80
# A pool as large as ours: what is estimated is what ensembles drawn from it give.
NOISE = 0.6
BOOTSTRAP = Bootstrap(sizes=(SIZE,), num=30, epochs=(1,), published_pool=10_000)
KEY = ("osp", SIZE)


def outputs(generator: np.random.Generator, easy: np.ndarray, noise: float) -> np.ndarray:
    """Outputs [M, N, 4, 3] of members whose common part keeps its class on easy images and turns it on others."""
    common = np.zeros((len(easy), 4, 3))
    common[:, :, 0] = 1
    common[~easy, 1:] = [0, 1, 0]
    return (common + noise * generator.normal(size=(MEMBERS, len(easy), 4, 3))).astype(np.float32)


def one(generator: np.random.Generator, easy: np.ndarray, whole: bool) -> Resampled:
    found = outputs(generator, easy, NOISE)
    return resample(lambda start, stop: found[:, start:stop], len(easy), MEMBERS, None, BOOTSTRAP, generator, whole)


@pytest.fixture(scope="module")
def repeats() -> list[tuple[Resampled, Resampled, Resampled]]:
    """Two arms on the same images, of which every second one is easy, and the first as if these were all images."""
    found = []
    for seed in range(REPEATS):
        easy = np.random.default_rng([7, seed]).random(NUM_IMAGES) < 0.5
        arms = [one(np.random.default_rng([arm, seed]), easy, whole=False) for arm in (0, 1)]
        found.append((*arms, replace(arms[0], whole=True)))
    return found


@pytest.fixture(scope="module")
def truth() -> float:
    """Orbit same prediction of such ensembles on very many images."""
    easy = np.arange(4000) % 2 == 0
    return one(np.random.default_rng(3), easy, whole=True).estimate(*KEY, 10_000).value


@pytest.mark.parametrize(("normal", "wanted"), [(1.0, 0.683), (2.0, 0.954)])
def test_levels_cover_all_images(repeats, truth, normal, wanted) -> None:
    estimates = [arm.estimate(*KEY, 10_000) for arm, _, _ in repeats]
    inside = [abs(e.value - truth) <= quantile(normal, e.dof) * e.stderr for e in estimates]
    assert abs(np.mean(inside) - wanted) < 3 * np.sqrt(wanted * (1 - wanted) / REPEATS)
    # Without the images' part the same numbers miss it: this is what the part is for.
    without = [arm.estimate(*KEY, 10_000) for _, _, arm in repeats]
    assert [e.value for e in without] == [e.value for e in estimates]
    assert np.mean([abs(e.value - truth) <= quantile(normal, e.dof) * e.stderr for e in without]) < wanted - 0.3


def test_differences_are_paired_by_image(repeats) -> None:
    found = [ours.difference(theirs, *KEY, 10_000) for ours, theirs, _ in repeats]
    scores = np.array([e.value / e.stderr for e in found])
    # On the safe side: arms on the same images differ by the noise of their ensembles alone here, which is in the
    # spread of ensembles and in that of images. Counted twice it makes errors sqrt(2) too large.
    blur = 3 / np.sqrt(2 * REPEATS)
    assert (1 - blur) / np.sqrt(2) < np.sqrt(np.square(scores).mean()) < 1 + blur
    unpaired = [ours.estimate(*KEY, 10_000).minus(theirs.estimate(*KEY, 10_000)) for ours, theirs, _ in repeats]
    assert np.mean([e.stderr for e in found]) < 0.6 * np.mean([e.stderr for e in unpaired])

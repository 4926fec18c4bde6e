"""Errors of metrics on a part of the test images: they cover what all images would give, for levels and differences."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from summary_cases import EPOCHS, settings_of, summarise, write_blocks

from emergent.config.evaluation import Bootstrap
from emergent.metrics.orbit import orbit_same_predictions
from emergent.statistics.estimate import quantile
from emergent.statistics.resampling import Resampled, resample
from emergent.summaries.orbit_same_prediction import Gains

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
def many() -> Resampled:
    """Such ensembles on very many images."""
    return one(np.random.default_rng(3), np.arange(4000) % 2 == 0, whole=True)


@pytest.mark.parametrize(("normal", "wanted"), [(1.0, 0.683), (2.0, 0.954)])
def test_levels_cover_all_images(repeats, many, normal, wanted) -> None:
    truth = many.estimate(*KEY, 10_000).value
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


def test_laws_know_the_images(repeats, many) -> None:
    """Floors and slopes are means over images, of which the easy ones keep nothing."""
    parts = {"divergence": ("floor", "slope"), "squared_gap": ("floor", "slope", "ratio")}
    blur = 3 / np.sqrt(2 * REPEATS)
    for law, part in ((law, part) for law, names in parts.items() for part in names):
        expected = getattr(getattr(many, law), part).value
        own = [getattr(getattr(arm, law), part) for arm, _, _ in repeats]
        scatter = np.sqrt(np.mean([(estimate.value - expected) ** 2 for estimate in own]))
        found = np.sqrt(np.mean([estimate.stderr**2 for estimate in own])) / scatter
        moved = law == "squared_gap" and part != "slope"
        # The noise of members, which is in both parts of the error, is most of that of the others.
        assert 1 - blur < found < (1 + blur) * (1 if moved else np.sqrt(2)), (law, part, found)
        if part == "ratio":
            assert np.sqrt(np.mean([arm.gap_ratio.stderr**2 for arm, _, _ in repeats])) < 0.5 * scatter
    # Two arms on the same images share which of them keep something.
    differences = [ours.gap_ratio_minus(theirs) for ours, theirs, _ in repeats]
    values, errors = (np.array([getattr(e, key) for e in differences]) for key in ("value", "stderr"))
    assert 1 - blur < np.sqrt(np.square(errors).mean() / np.square(values).mean()) < (1 + blur) * np.sqrt(2)
    unpaired = [ours.squared_gap.ratio.minus(theirs.squared_gap.ratio).stderr for ours, theirs, _ in repeats]
    assert errors.mean() < 0.6 * np.mean(unpaired)


@pytest.fixture(scope="module")
def summaries(tmp_path_factory: pytest.TempPathFactory) -> dict[bool, list[pd.DataFrame]]:
    """Quantities of ``orbit_same_prediction`` for images that are a part of a set, and as if they were all of it."""
    found: dict[bool, list[pd.DataFrame]] = {False: [], True: []}
    folder = tmp_path_factory.mktemp("osp")
    arms = {"c4": {"group": "C4", "order": 4}}
    settings = settings_of("orbit_same_prediction", arms, MEMBERS, {"in": ("ood", "in")}, ensemble_sizes=(SIZE,))
    for seed in range(REPEATS):
        generator = np.random.default_rng([11, seed])
        easy = generator.random(NUM_IMAGES) < 0.5
        values = {"in": np.stack([outputs(generator, easy, NOISE) for _ in EPOCHS])}
        blocks = {"c4": write_blocks(folder / str(seed), "c4", values, {}, settings, 1)}
        for whole, tables in found.items():
            data = tuple(facts.model_copy(update={"whole": whole}) for facts in settings.data)
            tables.append(summarise(settings.model_copy(update={"data": data}), blocks)["quantities"].set_index("name"))
    return found


@pytest.fixture(scope="module")
def truths() -> dict[str, float]:
    """The same quantities on very many images; no epoch differs from another."""
    easy = np.arange(4000) % 2 == 0
    values = outputs(np.random.default_rng(4), easy, NOISE)
    members = orbit_same_predictions(values).mean()
    ensembles = orbit_same_predictions(values.reshape(-1, SIZE, *values.shape[1:]).mean(1)).mean()
    levels = {"members_osp/c4/in/1": members, "ensemble_osp/c4/in/1": ensembles}
    return levels | {"gain/c4/in": ensembles - members, "gain_per_element/c4/in": (ensembles - members) / 3}


@pytest.mark.parametrize(("normal", "wanted"), [(1.0, 0.683), (2.0, 0.954)])
def test_orbit_same_prediction_covers_all_images(summaries, truths, normal, wanted) -> None:
    """Levels, and gains whose own noise is in the spread of ensembles and of images: at worst on the safe side."""
    blur = 3 * np.sqrt(wanted * (1 - wanted) / REPEATS)

    def covered(name: str, whole: bool) -> float:
        rows = [table.loc[name] for table in summaries[whole]]
        inside = [abs(row.value - truths[name]) <= quantile(normal, row.dof) * row.stderr for row in rows]
        return float(np.mean(inside))

    for name in truths:
        assert covered(name, whole=False) > wanted - blur, name
        if "osp" in name:
            assert covered(name, whole=False) < wanted + blur, name
            assert covered(name, whole=True) < wanted - 0.2, name


def test_gains_pair_images(summaries) -> None:
    """Ensembles and members agree on which images are easy, which the levels scatter by and the gain does not."""
    rows = {name: [table.loc[name] for table in summaries[False]] for name in summaries[False][0].index}
    values, errors = (np.array([row[key] for row in rows["gain/c4/in"]]) for key in ("value", "stderr"))
    assert 0.75 < np.sqrt(np.square(errors).mean()) / values.std(ddof=1) < 1.25 * np.sqrt(2)
    unpaired = [
        np.hypot(*(row.stderr for row in pair))
        for pair in zip(rows["ensemble_osp/c4/in/1"], rows["members_osp/c4/in/1"], strict=True)
    ]
    assert errors.mean() < 0.6 * np.mean(unpaired)


@pytest.mark.parametrize("shared", [0.0, 0.9])
def test_gains_of_two_arms_are_compared_ensemble_by_ensemble(shared: float) -> None:
    """Right whether the arms start from the same parameters, so that their ensembles scatter together, or not."""
    scores, unpaired = [], []
    for seed in range(400):
        generator = np.random.default_rng([21, seed])
        common = np.sqrt(shared) * generator.normal(size=(8, 3))
        arms = [common + np.sqrt(1 - shared) * generator.normal(size=(8, 3)) for _ in range(2)]
        gains = [Gains(values, np.zeros((3, 5)), whole=True) for values in arms]
        found = gains[0].minus(gains[1], 1 / 3, 1 / 7).mean(slice(None))
        scores.append((found.value, found.stderr))
        unpaired.append(gains[0].mean(slice(None), 1 / 3).minus(gains[1].mean(slice(None), 1 / 7)).stderr)
    value, error = np.array(scores).T
    blur = 3 / np.sqrt(2 * len(scores))
    assert 1 - blur < np.sqrt(np.square(error).mean()) / np.sqrt(np.square(value).mean()) < 1 + blur
    ratio = np.sqrt(np.mean(np.square(unpaired))) / np.sqrt(np.square(value).mean())
    assert (ratio > 1.4) if shared else (1 - blur < ratio < 1 + blur)

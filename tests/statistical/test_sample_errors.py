"""Errors of every kind of summary on samples that are a part of more: they cover what all samples would give.

Samples differ in how well networks do on them; which ones are drawn moves every number. What all of them would give is
the same summary of very many, whose members' noise, new at every sample, averages out.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from summary_cases import settings_of, summarise, write_blocks

from emergent import storage
from emergent.config.evaluation import Bootstrap
from emergent.config.groups import Augmentation
from emergent.metrics.output_actions import vectors
from emergent.point_groups import orbit_matrices
from emergent.statistics.estimate import quantile
from emergent.storage import Array

NUM_SAMPLES, MANY, MEMBERS, SIZE = 24, 2000, 12, 4
COLUMNS = ("value", "stderr", "dof")
C4 = {"group": "C4", "order": 4}
# Of every kind: levels that the choice of samples moves more than the members do, and what is derived from them.
LEVELS = {
    "rotation_divergence": ["members_osp/one/in", "pool_osp/one/in", "osp/one/in/4", "pool_divergence/one/in"],
    "ensemble_distance": ["distance/in/1", "distance/in/4", "distance/in/12", "floor_squared/in", "noise/in"],
    "distance_sweep": ["distance/one/in/1", "distance/one/in/4"],
    "orbit_spread": ["members_orbit_std/one/in", "ensemble_orbit_std/one/in/4", "ntk_difference/one/in/4"],
    "equivariance": ["members_orbit_mse/one/in", "orbit_mse/one/in/4", "floor/one/in", "slope/one/in"],
}
DERIVED = {
    "rotation_divergence": ["pool_gain_osp/one/in", "pool_gain_divergence/one/in"],
    "ensemble_distance": ["floor_over_noise/in", "distance_ratio/in"],
    "distance_sweep": ["floor_over_noise/one/in", "law_ratio/one/in"],
    "orbit_spread": ["band_ratio/one/in", "decay_exponent/one/in"],
    "equivariance": ["floor_ratio/in", "members_equivariance_error/one/in"],
}


def either(generator: np.random.Generator, num: int, low: float, high: float) -> np.ndarray:
    """Returns one of two numbers for each sample [N, 1, 1]."""
    return np.where(generator.random(num) < 0.5, low, high)[:, None, None]


def noise(generator: np.random.Generator, *shape: int) -> np.ndarray:
    return generator.normal(size=(MEMBERS, *shape))


def rotations(generator: np.random.Generator, num: int, folder: Path) -> tuple[dict[str, np.ndarray], dict[str, Path]]:
    """Logits whose class turns with the cloud on every second one."""
    del folder
    common = np.zeros((num, 4, 3))
    common[..., 0] = 1
    common[:, 1:, 1] = 2 * (either(generator, num, 0, 1)[..., 0])
    return {"one": common + 0.6 * noise(generator, num, 4, 3)}, {}


def distances(generator: np.random.Generator, num: int, folder: Path) -> tuple[dict[str, np.ndarray], dict[str, Path]]:
    """Logits of two arms whose means, and whose members, are apart by another distance at every sample."""
    del folder
    apart = either(generator, num, 0.1, 1.5) * generator.normal(size=(num, 1, 3))
    wide = either(generator, num, 0.3, 1.2)
    return {"one": apart + wide * noise(generator, num, 4, 3), "two": 0.1 * noise(generator, num, 4, 3)}, {}


def energies(generator: np.random.Generator, num: int, folder: Path) -> tuple[dict[str, np.ndarray], dict[str, Path]]:
    """Energies of sites, by another scale at every sample, around those of an infinite ensemble that are invariant."""
    mean = np.broadcast_to(either(generator, num, 0.5, 2.0), (num, 4, 4))
    arrays = {
        "max_learning_rate": Array(np.asarray(1.0), ()),
        "in/mean": Array(mean, ("sample", "element", "site")),
        "in/energy_covariance": Array(np.broadcast_to(np.eye(4), (num, 4, 4)), ("sample", "element", "element2")),
    }
    path = folder / "predictions.h5"
    readings = pd.DataFrame({"dataset": ["x"], "time": [1.0]})
    storage.write(path, stage="predict", attributes={}, arrays=arrays, tables={"readings": readings})
    wide = either(generator, num, 0.2, 1.0)
    # A part that all members share does not fall with the ensemble: samples differ in their share of it.
    kept = either(generator, num, 0.0, 0.5) * generator.normal(size=(num, 4, 1))
    return {"one": mean + kept + wide * noise(generator, num, 4, 4)}, {"one": path}


def turned(generator: np.random.Generator, num: int, folder: Path) -> tuple[dict[str, np.ndarray], dict[str, Path]]:
    """Vectors that turn with their inputs but for a part of their own at every sample, in two widths."""
    del folder
    matrices = orbit_matrices("tetrahedral", 3, None, None)
    first = generator.normal(size=(num, 1, 3))
    mean = np.einsum("gij,nj->ngi", matrices, first[:, 0])
    missing = generator.normal(size=(num, len(matrices), 3))
    wide = either(generator, num, 0.3, 1.5)
    return {
        arm: mean + either(generator, num, 0.1, most) * missing + wide * noise(generator, num, len(matrices), 3)
        for arm, most in (("one", 1.0), ("two", 0.7))
    }, {}


def settings(kind: str, whole: bool) -> Any:
    case = _settings(kind, {"in": ("ood", "in")})
    return case.model_copy(update={"data": tuple(facts.model_copy(update={"whole": whole}) for facts in case.data)})


def _settings(kind: str, data: dict[str, tuple[str, str]]) -> Any:
    if kind == "rotation_divergence":
        bootstrap = Bootstrap(sizes=(SIZE,), num=20, epochs=(2,), published_pool=1000)
        return settings_of(kind, {"one": C4}, MEMBERS, data, bootstrap=bootstrap)
    arms = {"one": C4 | {"width": 8}}
    options: dict[str, Any] = {"ensemble_sizes": (1, SIZE, MEMBERS)}
    if kind == "distance_sweep":
        options |= {"limits": {}, "law_size": 100}
    if kind in ("ensemble_distance", "distance_sweep"):
        arms = {"one": C4 | {"compare_to": "two"}, "two": C4}
    if kind == "orbit_spread":
        options = {"ensemble_sizes": (2, SIZE), "energy_scale": "mean_absolute", "infinite_arm": "one"}
    if kind == "equivariance":
        orbit = Augmentation(group="tetrahedral", mode="full")
        arms = {
            name: {"group": "tetrahedral", "order": 12, "width": width} for name, width in (("one", 8), ("two", 16))
        }
        options = {"ensemble_sizes": (2, SIZE), "orbits": (orbit, orbit), "augmentations": (orbit, orbit)}
    return settings_of(kind, arms, MEMBERS, data, **options)


SIMULATIONS: dict[str, Callable[..., Any]] = {
    "rotation_divergence": rotations, "ensemble_distance": distances, "distance_sweep": distances,
    "orbit_spread": energies, "equivariance": turned,
}  # fmt: skip


def found(kind: str, seed: int, num: int, folder: Path, whole: bool) -> pd.DataFrame:
    """Quantities of a summary of so many samples, which are a part of more or are taken as all."""
    case = settings(kind, whole)
    outputs, predictions = SIMULATIONS[kind](np.random.default_rng([5, seed, num]), num, folder)
    action = vectors(orbit_matrices("tetrahedral", 3, None, None), 1) if kind == "equivariance" else None
    blocks = {
        arm: write_blocks(folder, arm, {"in": np.repeat(values[None], 3, 0)}, {}, case, 1, action)
        for arm, values in outputs.items()
    }
    return summarise(case, blocks, predictions)["quantities"].set_index("name")


@pytest.mark.parametrize("num_repeats", [24, pytest.param(200, marks=pytest.mark.slow)])
@pytest.mark.parametrize("kind", SIMULATIONS)
def test_errors_cover_all_samples(kind: str, num_repeats: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Members of the infinite ensemble are not looked at here.
    monkeypatch.setattr("emergent.metrics.energy.NUM_DRAWS", 2)
    truth = found(kind, 0, MANY, tmp_path / "many", whole=True).value
    tables = [found(kind, seed, NUM_SAMPLES, tmp_path / str(seed), whole=False) for seed in range(num_repeats)]
    for name in LEVELS[kind] + DERIVED[kind]:
        values, errors, dof = (np.array([table.loc[name, key] for table in tables]) for key in COLUMNS)
        ratio = np.sqrt(np.square(errors).mean() / np.square(values - truth[name]).mean())
        blur = 3 / np.sqrt(2 * num_repeats)
        # The noise of members at each sample is in the spread of samples too: at worst it counts twice.
        assert 1 - blur < ratio < (1 + blur) * (1 if name in LEVELS[kind] else np.sqrt(2)) + 0.2, (name, ratio)
        # Of few repeats the share that an interval holds says little.
        for width, level in ((1.0, 0.6827), (2.0, 0.9545)) if num_repeats > 100 else ():
            reach = np.array([quantile(width, one) for one in dof]) * errors
            covered = float(np.mean(np.abs(values - truth[name]) <= reach))
            assert covered > level - 3 * np.sqrt(level * (1 - level) / num_repeats) - 0.03, (name, width, covered)


@pytest.mark.parametrize("kind", SIMULATIONS)
def test_without_the_samples_errors_fall_short(kind: str, tmp_path: Path) -> None:
    """Where samples are all that there are, levels have the error of the members alone: this is what the part adds."""
    part, whole = (found(kind, 1, NUM_SAMPLES, tmp_path, all_there) for all_there in (False, True))
    assert part.value.equals(whole.value)
    assert (part.stderr >= whole.stderr).all()
    for name in LEVELS[kind]:
        assert whole.stderr[name] < 0.85 * part.stderr[name], name

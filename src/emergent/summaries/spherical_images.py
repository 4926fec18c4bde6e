"""Summary of experiments of kind ``spherical_images``: scores on rotated images, errors of equivariance, costs.

The score of a classifier is its accuracy, that of labels of points the mean intersection over union of the classes
without the background, from counts pooled over all test images; both in percent.

References:
    arXiv:2202.03990.
"""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from jaxtyping import Float, Int

from emergent import provenance, storage
from emergent.config.spherical_images import SphereArmFacts, SphereSummary
from emergent.statistics.estimate import Estimate
from emergent.summaries.files import Blocks, Predictions, Tables, in_order
from emergent.summaries.quantities import Quantities

IMAGES = ("upright", "rotated")
SCORES = {"classify": "accuracy in percent", "segment": "mean intersection over union without background in percent"}
COSTS = ("num_parameters", "inference", "training")
TINY = 1e-12
"""Below every change that single precision can have."""

EQUAL = 2.0
"""Costs that differ by more are not compared."""


class Found(NamedTuple):
    """What ensembles of one size reach: scores on images upright and rotated, and decades by which logits change."""

    scores: Float[np.ndarray, "E 2"]
    moved: Float[np.ndarray, " E"]


Scores = dict[int, Found]


def mean_overlap(counts: Int[np.ndarray, "... K K"]) -> Float[np.ndarray, "..."]:
    """Returns the mean over classes 1 to K - 1 of intersection over union; classes in neither count are left out."""
    hits = np.diagonal(counts, axis1=-2, axis2=-1).astype(np.float64)
    union = counts.sum(-1) + counts.sum(-2) - hits
    overlap = np.divide(hits, union, out=np.full(hits.shape, np.nan), where=union > 0)
    return np.nanmean(overlap[..., 1:], -1)


def accuracy(counts: Int[np.ndarray, "... K K"]) -> Float[np.ndarray, "..."]:
    """Returns the part of all counts on the diagonal."""
    return np.trace(counts, axis1=-2, axis2=-1) / counts.sum((-2, -1))


def summarise_spherical_images(settings: SphereSummary, blocks: Blocks, predictions: Predictions) -> Tables:
    """Returns the tables ``scores``, ``costs``, ``times``, ``angles``, ``examples`` and ``quantities``.

    ``scores`` (arm, task, family, copies, num_images, ensemble_size, metric, mean, stderr, num): metrics are ``score``
    on rotated images, ``upright`` the same on images that are not rotated, ``accuracy`` of images or points, and
    ``moved``, the relative change of logits when images are rotated, and labels of points back.

    ``costs`` (arm, task, num_parameters, inference, training): of one network; multiplications for one image. ``times``
    (arm, task, training_seconds, latency_seconds, num): of one network, for all steps and for one image, as
    measured on whatever machine; they differ from run to run, and are NaN where they were not asked for.
    ``examples`` (arm, example, row, column, upright, rotated, target, prediction): test images and masks, of arms
    that label points.

    ``angles`` (arm, family, ensemble_size, angle, mean, stderr, num), where an experiment has some: ``moved`` under
    rotations by each angle in degrees, about random axes.

    Quantities are ``score``, ``upright`` and ``moved`` ``/<arm>/<M>``, ``gain/<arm>/<M>`` and ``moved_gain/<arm>/<M>``
    (ensembles of M against their members, in percent points, and in decades), ``score_gap/<arm>/<M>`` to the arm that
    it is compared with, ``cost_ratio/<arm>`` (multiplications of that arm over those of this one),
    ``equal_cost_ratio``, ``equal_cost_gap`` and ``equal_cost_moved_gap`` ``/<arm>/<M>`` (to those ensembles of that
    arm whose multiplications come nearest, where any are within a factor of two: ratio of multiplications, percent
    points of score, decades by which logits change less), ``round_trip/<arm>``, and ``moved_at/<arm>/<M>/<angle>``.

    Args:
        settings: of the summary stage.
        blocks: arm to its training files.
        predictions: not used by this kind.

    Raises:
        DataError: the files of an arm do not hold every network once.
    """
    del predictions
    quantities = Quantities()
    rows: list[dict[str, Any]] = []
    costs, times, examples = [], [], []
    found: dict[str, Scores] = {}
    angles: list[dict[str, Any]] = []
    for name, facts in settings.sphere_arms.items():
        paths = [path for path, _, _ in in_order(name, blocks[name], "train", facts.num_members, "networks")]
        head = {"arm": name, "task": facts.task, "family": facts.family, "copies": facts.copies,
                "num_images": facts.num_images}  # fmt: skip
        found[name] = _add_scores(head, facts, paths, rows, quantities)
        first = storage.read_arrays(paths[0], [*COSTS, "round_trip"], "train")
        costs.append({"arm": name, "task": facts.task, **{key: float(first[key][0]) for key in COSTS}})
        angles += _by_angle(head, facts, paths, settings.angles, quantities)
        if facts.family == "s2cnn":
            largest = Estimate.exact(float(first["round_trip"].max()), "largest", len(first["round_trip"]))
            text = "relative error of a transform on SO(3) and back in single precision, largest of the layers"
            quantities.add(f"round_trip/{name}", largest, text)
        times += _times(name, facts, paths)
        if facts.task == "segment":
            examples.append(_examples(name, paths[0]))
    _compare(settings, found, pd.DataFrame(costs).set_index("arm"), quantities)
    return {
        "scores": pd.DataFrame(rows),
        "costs": pd.DataFrame(costs),
        "times": _of_networks(pd.DataFrame(times), pd.DataFrame(costs)),
        **({"angles": pd.DataFrame(angles)} if angles else {}),
        **({"examples": pd.concat(examples, ignore_index=True)} if examples else {}),
        "quantities": quantities.table(),
    }


def _add_scores(
    head: dict[str, Any], facts: SphereArmFacts, paths: list[Path], rows: list[dict[str, Any]], quantities: Quantities
) -> Scores:
    """Adds the rows and quantities of an arm, and returns its scores (upright, rotated) by size of ensembles."""
    score = accuracy if facts.task == "classify" else mean_overlap
    name, found = head["arm"], Scores()
    singles: list[Found] = []
    for size in facts.ensemble_sizes:
        read = [storage.read_arrays(path, [f"confusion_{size}", f"moved_{size}"], "train") for path in paths]
        counts = np.concatenate([part[f"confusion_{size}"] for part in read])
        moved = np.concatenate([part[f"moved_{size}"] for part in read]).astype(np.float64)
        blocks = [Found(100 * score(part[f"confusion_{size}"]), _decades(part[f"moved_{size}"])) for part in read]
        found[size] = Found(*(np.concatenate(parts) for parts in zip(*blocks, strict=True)))
        of_ensembles = {
            "score": (found[size].scores[:, 1], f"{SCORES[facts.task]}, rotated images"),
            "upright": (found[size].scores[:, 0], f"{SCORES[facts.task]}, images that are not rotated"),
            "moved": (moved, "relative change of logits when images are rotated"),
        }
        for metric, (values, text) in of_ensembles.items():
            estimate = Estimate.mean(values)
            quantities.add(f"{metric}/{name}/{size}", estimate, f"{text}, ensembles of {size}")
            rows.append(_row(head, size, metric, estimate))
        rows.append(_row(head, size, "accuracy", Estimate.mean(100 * accuracy(counts[:, 1]))))
        if size == 1:
            singles = blocks
            continue
        # Ensembles are made within a block, whose last networks may be in none.
        members = [_means_of_members(one, size, len(many.moved)) for one, many in zip(singles, blocks, strict=True)]
        of_members = Found(*(np.concatenate(parts) for parts in zip(*members, strict=True)))
        gain = Estimate.mean(found[size].scores[:, 1] - of_members.scores[:, 1])
        quantities.add(f"gain/{name}/{size}", gain, f"percent points, ensembles of {size} minus members: score")
        text = f"decades by which logits of ensembles of {size} change less than those of members"
        quantities.add(f"moved_gain/{name}/{size}", Estimate.mean(of_members.moved - found[size].moved), text)
    return found


def _decades(moved: np.ndarray) -> np.ndarray:
    return np.log10(np.maximum(moved.astype(np.float64), TINY))


def _means_of_members(singles: Found, size: int, num_ensembles: int) -> Found:
    used = size * num_ensembles
    return Found(*(part[:used].reshape(num_ensembles, size, *part.shape[1:]).mean(1) for part in singles))


def _by_angle(
    head: dict[str, Any], facts: SphereArmFacts, paths: list[Path], angles: Sequence[int], quantities: Quantities
) -> list[dict[str, Any]]:
    rows = []
    for size in facts.ensemble_sizes if angles else ():
        read = [storage.read_arrays(path, [f"moved_by_angle_{size}"], "train") for path in paths]
        values = np.concatenate([part[f"moved_by_angle_{size}"] for part in read]).astype(np.float64)
        for index, angle in enumerate(angles):
            estimate = Estimate.mean(values[:, index])
            text = f"relative change of logits when images are turned by {angle} degrees, ensembles of {size}"
            quantities.add(f"moved_at/{head['arm']}/{size}/{angle}", estimate, text)
            own = {"arm": head["arm"], "family": facts.family, "ensemble_size": size, "angle": angle}
            rows.append(own | {"mean": estimate.value, "stderr": estimate.stderr, "num": estimate.num})
    return rows


def _row(head: dict[str, Any], size: int, metric: str, estimate: Estimate) -> dict[str, Any]:
    return head | {"ensemble_size": size, "metric": metric, "mean": estimate.value, "stderr": estimate.stderr,
                   "num": estimate.num}  # fmt: skip


def _compare(settings: SphereSummary, found: dict[str, Scores], costs: pd.DataFrame, quantities: Quantities) -> None:
    for arm in settings.arms:
        if arm.compare_to is None:
            continue
        others = found[arm.compare_to]
        other = Estimate.mean(others[1].scores[:, 1])
        for size, own in found[arm.name].items():
            text = (
                f"percent points, ensembles of {size} minus single networks of {arm.compare_to}: score, rotated images"
            )
            quantities.add(f"score_gap/{arm.name}/{size}", Estimate.mean(own.scores[:, 1]).minus(other), text)
        ratio = float(costs.loc[arm.compare_to, "inference"] / costs.loc[arm.name, "inference"])  # pyright: ignore
        text = f"multiplications per image of {arm.compare_to} over those of one network"
        quantities.add(f"cost_ratio/{arm.name}", Estimate.exact(ratio), text)
        for size, own in found[arm.name].items():
            nearest = min(others, key=lambda many: abs(np.log(many * ratio / size)))
            if max(nearest * ratio / size, size / (nearest * ratio)) <= EQUAL:
                _add_equal_cost(f"{arm.name}/{size}", own, f"ensembles of {nearest} of {arm.compare_to}",
                                others[nearest], nearest * ratio / size, quantities)  # fmt: skip


def _add_equal_cost(name: str, own: Found, others: str, other: Found, ratio: float, quantities: Quantities) -> None:
    text = f"multiplications per image of {others} over those of these"
    quantities.add(f"equal_cost_ratio/{name}", Estimate.exact(ratio), text)
    gap = Estimate.mean(own.scores[:, 1]).minus(Estimate.mean(other.scores[:, 1]))
    quantities.add(f"equal_cost_gap/{name}", gap, f"percent points, minus {others}: score, rotated images")
    gap = Estimate.mean(other.moved).minus(Estimate.mean(own.moved))
    quantities.add(f"equal_cost_moved_gap/{name}", gap, f"decades by which logits change less than those of {others}")


def _times(name: str, facts: SphereArmFacts, paths: list[Path]) -> list[dict[str, Any]]:
    """Returns what was measured of an arm: means of training, the fastest latency; NaN where no file says so."""
    sidecars = [path for path in map(provenance.sidecar_path, paths) if path.exists()]
    found = [own for path in sidecars if (own := provenance.read_sidecar(path).get("measured"))]
    training = float(np.mean([own["training_seconds"] for own in found])) if found else math.nan
    latency = min((float(own["latency_seconds"]) for own in found), default=math.nan)
    return [{"arm": name, "task": facts.task, "training_seconds": training, "latency_seconds": latency,
             "num": facts.num_members}]  # fmt: skip


def _of_networks(times: pd.DataFrame, costs: pd.DataFrame) -> pd.DataFrame:
    """Returns times where arms of one network share its fastest latency: programs beside it only make it slower."""
    same = [costs["task"], costs["num_parameters"], costs["inference"]]
    return times.assign(latency_seconds=times["latency_seconds"].groupby(same).transform("min"))


def _examples(name: str, path: Path) -> pd.DataFrame:
    read = storage.read_arrays(path, ["example_images", "example_targets", "example_predictions"], "train")
    images = read["example_images"]
    example, row, column = (part.ravel() for part in np.indices((len(images), *images.shape[2:])))
    parts = {"upright": images[:, 0], "rotated": images[:, 1], "target": read["example_targets"],
             "prediction": read["example_predictions"]}  # fmt: skip
    values = {key: part.astype(np.int64).ravel() for key, part in parts.items()}
    return pd.DataFrame({"arm": name, "example": example, "row": row, "column": column, **values})

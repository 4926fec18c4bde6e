"""Summary of experiments of kind ``contrastive``: rotations of embeddings, readouts, means of Gram matrices.

Embeddings of different networks have different axes, their inner products do not: the mean of the networks' Gram
matrices is that of an embedding too, that of all networks side by side. How much it changes under a view tells how far
an ensemble of networks is from a rotation.
"""

import itertools

import numpy as np
import pandas as pd
from jaxtyping import Float

from emergent.config.stages import SummaryStage
from emergent.statistics.estimate import Estimate, standard_error
from emergent.summaries.files import Blocks, Predictions, Tables
from emergent.summaries.quantities import Quantities
from emergent.summaries.runs import read_runs

BY_VIEW = {
    "residual": "distance of rotated embeddings from those of a view, of held-out images, in units of their length",
    "shift": "the same without a rotation",
    "unrelated": "the same of rotations fitted on pairs of different images",
    "start": "the same before training, of rotations fitted there",
    "composed": "the same of the product of two rotations, from two views in turn",
    "direct": "the same of the rotation fitted to two views in turn",
}
ACCURACIES = {"readout": "linear readout of features", "neighbours": "nearest neighbours by features"}
PERCENT = 100.0
STORED = (*BY_VIEW, *ACCURACIES, "products", "changes")


def relative_change(products: Float[np.ndarray, "M P"], changes: Float[np.ndarray, "M A P"]) -> float:
    """Returns how much the mean Gram matrix of some networks changes under views of both images.

    It is the root mean square of the change over views and pairs, in units of the spread of the inner products
    themselves, without which an embedding of all images in one point would be the best.
    """
    spread = products.mean(0).std()
    return float(np.sqrt(np.square(changes.mean(0)).mean()) / spread)


def changes_by_size(products: Float[np.ndarray, "M P"], changes: Float[np.ndarray, "M A P"]) -> list[Estimate]:
    """Returns the change of the Gram matrices of ensembles of 1 ... M networks, mean over all ensembles of a size.

    Errors leave out networks in turn (jackknife); ensembles of all networks have none.
    """
    num = len(products)

    def mean(kept: list[int], size: int) -> float:
        chosen = [list(some) for some in itertools.combinations(kept, size)]
        return float(np.mean([relative_change(products[some], changes[some]) for some in chosen]))

    found = []
    for size in range(1, num + 1):
        value = mean(list(range(num)), size)
        if size == num:
            found.append(Estimate(value, float("nan"), num, "mean"))
            continue
        without = np.array([mean([other for other in range(num) if other != left], size) for left in range(num)])
        error = float(np.sqrt((num - 1) * np.square(without - without.mean()).mean()))
        found.append(Estimate(value, error, num, "mean", num - 1))
    return found


def ensemble_ratio(products: Float[np.ndarray, "M P"], changes: Float[np.ndarray, "M A P"]) -> Estimate:
    """Returns the change of the Gram matrix of pairs of networks over that of one, mean over pairs; by jackknife."""
    num = len(products)

    def ratio(kept: list[int]) -> float:
        pairs = [list(some) for some in itertools.combinations(kept, 2)]
        both = np.mean([relative_change(products[some], changes[some]) for some in pairs])
        return float(both / np.mean([relative_change(products[[one]], changes[[one]]) for one in kept]))

    value = ratio(list(range(num)))
    if num < 3:
        return Estimate(value, float("nan"), num, "ratio")
    without = np.array([ratio([other for other in range(num) if other != left]) for left in range(num)])
    return Estimate(value, float(np.sqrt((num - 1) * np.square(without - without.mean()).mean())), num, "ratio",
                    num - 1)  # fmt: skip


def summarise_contrastive(settings: SummaryStage, blocks: Blocks, predictions: Predictions) -> Tables:
    """Returns the tables ``embeddings``, ``ensembles`` and ``quantities``.

    ``embeddings`` (arm, metric, mean, stderr, num): the distances of ``BY_VIEW``, mean over views, and accuracies in
    percent; means over networks.

    ``ensembles`` (arm, size, mean, stderr, num): change of mean Gram matrices by the number of networks.

    Args:
        settings: of the summary stage.
        blocks: arm to its training files.
        predictions: not used by this kind.

    Raises:
        DataError: the files of an arm do not hold every network once.
    """
    del predictions
    quantities = Quantities()
    quantities.add("num_members", Estimate.exact(settings.num_members), "networks of every arm")
    rows, ensembles, found = [], [], {}
    for facts in settings.arms:
        arm = facts.name
        runs = read_runs(arm, blocks[arm], settings.num_members, dict.fromkeys(STORED, 0), "networks")
        found[arm] = runs
        values = {name: (runs[name].mean(1), text) for name, text in BY_VIEW.items()}
        values |= {name: (PERCENT * runs[name], f"accuracy of {text}, percent") for name, text in ACCURACIES.items()}
        for name, (members, text) in values.items():
            quantities.add(f"{name}/{arm}", Estimate.mean(members), text)
            rows.append({"arm": arm, "metric": name, "mean": members.mean(), "stderr": standard_error(members),
                         "num": len(members)})  # fmt: skip
        for name, above, below, text in (
            ("composition", "composed", "direct", "residual of products of two rotations over that of their own fit"),
            ("turn", "residual", "shift", "residual of rotations over the distance without one"),
        ):
            ratio = runs[above].mean(1) / runs[below].mean(1)
            quantities.add(f"{name}/{arm}", Estimate.mean(ratio), text)
        products, changes = runs["products"].astype(np.float64), runs["changes"].astype(np.float64)
        for size, estimate in enumerate(changes_by_size(products, changes), 1):
            text = f"change of the mean Gram matrix of {size} under views, in units of its spread"
            quantities.add(f"gram_change/{arm}/{size}", estimate, text)
            ensembles.append({"arm": arm, "size": size, "mean": estimate.value, "stderr": estimate.stderr,
                              "num": estimate.num})  # fmt: skip
        if len(products) > 1:
            text = "change of the mean Gram matrix of two networks over that of one"
            quantities.add(f"gram_ratio/{arm}", ensemble_ratio(products, changes), text)
    _add_beside(settings, found, quantities)
    return {
        "embeddings": pd.DataFrame(rows),
        "ensembles": pd.DataFrame(ensembles),
        "quantities": quantities.table(),
    }


def _add_beside(settings: SummaryStage, found: dict[str, dict[str, np.ndarray]], quantities: Quantities) -> None:
    """Adds what arms gain over those that they are compared with, network by network: these started alike."""
    for facts in settings.arms:
        if facts.compare_to is None:
            continue
        own, other = found[facts.name], found[facts.compare_to]
        for name in ("residual", "shift"):
            ratio = Estimate.mean(own[name].mean(1) / other[name].mean(1))
            quantities.add(f"{name}_ratio/{facts.name}", ratio, f"{name} over that of {facts.compare_to}")
        for name, text in ACCURACIES.items():
            gain = Estimate.mean(PERCENT * (own[name] - other[name]))
            quantities.add(f"{name}_gain/{facts.name}", gain, f"{text}, percent, minus that of {facts.compare_to}")

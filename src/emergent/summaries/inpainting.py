"""Summary of experiments of kind ``inpainting``: test errors by group, equivariance, ensembles of augmented networks.

References:
    S. Villar's talk "Exact and approximate symmetries in machine learning models": image in-painting.
"""

import numpy as np
import pandas as pd

from emergent import storage
from emergent.config.inpainting import InpaintingSummary
from emergent.statistics.estimate import Estimate, standard_error
from emergent.summaries.choices import add_equal_work, choice, choices_table
from emergent.summaries.files import Blocks, Predictions, Tables
from emergent.summaries.quantities import Quantities
from emergent.summaries.runs import read_runs

RUNS = ("error", "asymmetry", "validation", "best_step", "start")
UNIT = 100.0
"""Errors are in hundredths, as they are published."""


def summarise_inpainting(settings: InpaintingSummary, blocks: Blocks, predictions: Predictions) -> Tables:
    """Returns the tables ``errors``, ``ensembles``, ``examples``, ``choices`` and ``quantities``.

    ``errors`` (arm, side, blocks, mean, std, stderr, validation, best_step, asymmetry, start, num): test errors of
    networks in hundredths, mean and standard deviation (over num, as published) of runs; ``asymmetry`` is the relative
    error of equivariance under the measured group after training, ``start`` that under the own group before it, the
    largest.

    ``ensembles`` (arm, side, blocks, size, mean, std, stderr, asymmetry, asymmetry_stderr, num): the same by size.

    ``choices`` (``emergent.summaries.choices``): of arms with the trivial group or the measured one.

    ``examples`` (arm, side, blocks, image, pixel, value, target, input): in-painted images of the first run.

    Args:
        settings: of the summary stage.
        blocks: arm to its training files.
        predictions: not used by this kind.

    Raises:
        DataError: the files of an arm do not hold every run once.
    """
    del predictions
    quantities = Quantities()
    quantities.add("num_members", Estimate.exact(settings.num_members), "runs of every arm")
    errors, ensembles, examples, chosen = [], [], [], []
    found = {}
    for facts in settings.arms:
        arm = facts.name
        runs = read_runs(arm, blocks[arm], settings.num_members, dict.fromkeys(RUNS, 0), "runs")
        found[arm] = runs
        work = storage.read_arrays(min(blocks[arm]), ["multiplications"], "train")["multiplications"]
        examples.append(_examples(arm, settings, min(blocks[arm])))
        for index, side in enumerate(settings.blocks[arm]):
            single = UNIT * runs["error"][:, index, 0]
            estimate = Estimate.mean(single)
            quantities.add(f"error/{arm}/{side}", estimate, "mean squared error on test images in hundredths")
            asymmetry = Estimate.mean(runs["asymmetry"][:, index, 0])
            quantities.add(f"asymmetry/{arm}/{side}", asymmetry, "relative error of equivariance, measured group")
            start = float(runs["start"][:, index].max())
            quantities.add(f"start_asymmetry/{arm}/{side}", Estimate.exact(start, "largest"),
                           "relative error of equivariance under the own group before training")  # fmt: skip
            errors.append({"arm": arm, "side": settings.side, "blocks": side, "mean": estimate.value,
                           "std": single.std(), "stderr": estimate.stderr,
                           "validation": UNIT * runs["validation"][:, index].mean(),
                           "best_step": runs["best_step"][:, index].mean(), "asymmetry": asymmetry.value,
                           "start": start, "num": len(single)})  # fmt: skip
            if side in (settings.side, settings.measured):
                # The trivial group, of as many blocks as pixels, is no symmetry.
                symmetry = facts.symmetry or ("none" if side == settings.side else "built_in")
                for size in range(runs["error"].shape[2]):
                    own = UNIT * runs["error"][:, index, size]
                    row = choice(arm, symmetry, size + 1, work[index], own, runs["asymmetry"][:, index, size])
                    chosen.append((row, own))
            rows = _ensemble_rows(arm, side, index, runs, quantities)
            ensembles += [{"arm": arm, "side": settings.side, **row} for row in rows]
        _add_gains(arm, settings, runs, quantities)
    _add_beside(settings, found, quantities)
    add_equal_work(chosen, quantities)
    return {
        "errors": pd.DataFrame(errors),
        "ensembles": pd.DataFrame(ensembles),
        "examples": pd.concat(examples, ignore_index=True),
        "choices": choices_table([row for row, _ in chosen]),
        "quantities": quantities.table(),
    }


def _ensemble_rows(
    arm: str, side: int, index: int, runs: dict[str, np.ndarray], quantities: Quantities
) -> list[dict[str, object]]:
    rows = []
    for size in range(1, runs["error"].shape[2] + 1):
        error, asymmetry = UNIT * runs["error"][:, index, size - 1], runs["asymmetry"][:, index, size - 1]
        rows.append({"blocks": side, "size": size, "mean": error.mean(), "std": error.std(),
                     "stderr": standard_error(error),
                     "asymmetry": asymmetry.mean(), "asymmetry_stderr": standard_error(asymmetry),
                     "num": len(error)})  # fmt: skip
    if len(rows) > 1:
        for name, values in (("error", UNIT * runs["error"]), ("asymmetry", runs["asymmetry"])):
            ratio = values[:, index, -1] / values[:, index, 0]
            text = f"{name} of ensembles of {len(rows)} networks over that of one"
            quantities.add(f"ensemble_{name}_ratio/{arm}/{side}", Estimate.mean(ratio), text)
    return rows


def _add_gains(arm: str, settings: InpaintingSummary, runs: dict[str, np.ndarray], quantities: Quantities) -> None:
    """Adds how much the best group between the trivial one and the largest gains over both, run by run."""
    sides = settings.blocks[arm]
    between = [index for index, side in enumerate(sides) if side not in (1, settings.side)]
    if not between or sides[0] != 1 or sides[-1] != settings.side:
        return
    # Chosen on validation images: the best of several on test images would gain by its choice alone.
    best = min(between, key=lambda index: float(runs["validation"][:, index].mean()))
    single = UNIT * runs["error"][:, :, 0]
    quantities.add(f"best_blocks/{arm}", Estimate.exact(sides[best]), "of the groups between, by validation images")
    for name, index, other in (("trivial", -1, "trivial group"), ("largest", 0, "group of all permutations")):
        gain = Estimate.mean(single[:, index] - single[:, best])
        text = f"test error under the {other} minus that under the best group between, hundredths"
        quantities.add(f"gain_over_{name}/{arm}", gain, text)


def _add_beside(settings: InpaintingSummary, found: dict[str, dict[str, np.ndarray]], quantities: Quantities) -> None:
    """Adds differences of arms that have a group in common, run by run: splits and holes are the same."""
    for facts in settings.arms:
        if facts.compare_to is None:
            continue
        own, other = settings.blocks[facts.name], settings.blocks[facts.compare_to]
        for index, side in enumerate(own):
            if side in other:
                gain = (
                    found[facts.compare_to]["error"][:, other.index(side), 0] - found[facts.name]["error"][:, index, 0]
                )
                text = f"test error of {facts.compare_to} minus that of {facts.name}, hundredths"
                quantities.add(f"gain/{facts.name}/{side}", Estimate.mean(UNIT * gain), text)


def _examples(arm: str, settings: InpaintingSummary, path: object) -> pd.DataFrame:
    arrays = storage.read_arrays(path, ["examples", "targets", "inputs"], "train")  # pyright: ignore[reportArgumentType]
    parts = []
    for index, side in enumerate(settings.blocks[arm]):
        values = arrays["examples"][0, index]
        image, pixel = (axis.reshape(-1) for axis in np.indices(values.shape))
        columns = {"value": values, "target": arrays["targets"][0], "input": arrays["inputs"][0]}
        parts.append(pd.DataFrame({"arm": arm, "side": settings.side, "blocks": side, "image": image, "pixel": pixel,
                                   **{name: array.reshape(-1) for name, array in columns.items()}}))  # fmt: skip
    return pd.concat(parts, ignore_index=True)

"""Synthetic summaries of kind ``orbit_divergence`` that follow floor + slope / N, for tests of figures and claims."""

from functools import cache
from itertools import combinations

import numpy as np
import pandas as pd

from emergent.config.stages import ArmFacts, DataFacts
from emergent.figures.facts import Facts, Inputs

ARMS = ("sym", "asym_invariant_init", "asym", "cnn")
FLOORS = {"sym": 0.0, "asym_invariant_init": 0.009, "asym": 0.049, "cnn": 0.0}
EXPERIMENTS = ("nordenfors_c4", "nordenfors_c16_nearest", "nordenfors_c16_bilinear", "nordenfors_c4_5x5")
LABELS = {"sym": "sym", "asym_invariant_init": "as (invariant init)", "asym": "as", "cnn": "cnn"}
"""Names of the arms in tables."""
EXPERIMENT_LABELS = {"nordenfors_c4": "3 x 3 filters", "nordenfors_c4_5x5": "5 x 5 filters"}
CONDITIONS = {"_other_fill": "other fill", "_other_rotation": "other rotation", "_other": "both other"}
"""Endings of this module's evaluation sets under other conditions of testing, and their words."""
TWO_SETS = (("mnist", "in"), ("cifar10", "ood"))
SIZES = (5, 10, 25, 50, 75, 100, 250, 500, 1000)


def tables(
    experiment: str = "nordenfors_c4",
    num: int = 1000,
    sets: tuple[tuple[str, str], ...] = TWO_SETS,
    epochs: tuple[int, ...] = (0, 1, 2, 3, 4, 6, 8, 10),
    disjoint_size: int = 5,
) -> dict[str, pd.DataFrame]:
    """Returns every table of one experiment, with the column ``role`` that reading a summary adds."""
    return {name: table.copy() for name, table in _tables(experiment, num, sets, epochs, disjoint_size).items()}


@cache
def _tables(
    experiment: str, num: int, sets: tuple[tuple[str, str], ...], epochs: tuple[int, ...], disjoint_size: int
) -> dict[str, pd.DataFrame]:
    generator = np.random.default_rng(0)
    order = 16 if "c16" in experiment else 4
    group = f"C{order}"
    if order == 16:
        sets = (*sets, *((data + ending, role) for ending in _endings(experiment) for data, role in sets))
    sizes = tuple(size for size in SIZES if size <= num)
    names = ("ensembles", "pool", "law_points", "law", "significance", "quantities", "disjoint")
    out: dict[str, list[dict]] = {name: [] for name in names}

    def value(metric: str, arm: str, data: str, role: str, epoch: int, inverse: float) -> float:
        hard = (1.0 if role == "in" else 8.0) * (order / 4) * (2.0 if "other" in data else 1.0) * (1 + 2 / (1 + epoch))
        floor = FLOORS[arm] * (3 if "5x5" in experiment else 1) * (epoch > 0)
        divergence = hard * (floor + 4.2 * inverse)
        if metric == "divergence":
            return divergence * generator.normal(1.0, 0.01)
        if metric == "osp":
            return 1 + (order - 1) * (0.1 if epoch == 0 else np.exp(-0.4 * divergence**0.6 / np.sqrt(order)))
        return 0.9 - 0.25 * min(1.0, inverse) if metric == "accuracy" else 1.0 + inverse

    for data, role in sets:
        for arm in ARMS:
            key = {"arm": arm, "data": data, "role": role}
            full = {**key, "group": group, "order": order}
            for epoch in epochs:
                for metric in ("osp", "divergence", "accuracy", "loss"):
                    cell = {**full, "epoch": epoch, "metric": metric}
                    single, pool = (value(metric, arm, data, role, epoch, inverse) for inverse in (1.0, 1.0 / num))
                    out["pool"].append({**cell, "predictor": "members", "mean": single,
                                        "low": (0.8 - 0.1 * ARMS.index(arm) / 3) * single, "high": 1.15 * single,
                                        "num": num})  # fmt: skip
                    out["pool"].append({**cell, "predictor": "pool", "mean": pool, "low": np.nan, "high": np.nan,
                                        "num": num})  # fmt: skip
                    mean = value(metric, arm, data, role, epoch, 1.0 / disjoint_size)
                    out["disjoint"].append({**key, "epoch": epoch, "ensemble_size": disjoint_size, "metric": metric,
                                            "mean": mean, "std": 0.05 * mean, "num": num // disjoint_size})  # fmt: skip
                    for size in sizes if epoch == epochs[-1] else ():
                        mean = value(metric, arm, data, role, epoch, 1.0 / size + 1.0 / num)
                        out["ensembles"].append({**cell, "ensemble_size": size, "mean": mean, "std": 0.1 * mean / size,
                                                 "num": 30})  # fmt: skip
                        if metric in ("osp", "divergence"):
                            for label in (data, role) if "other" not in data else (data,):
                                out["quantities"] += [
                                    _quantity(f"{metric}/{arm}/{label}/{size}", mean, 0.1 * mean / size)
                                    | {"estimator": "drawn ensembles" if num >= 1000 else "matched ensembles"},
                                    _quantity(f"{metric}_difference/{arm}/{label}/{size}", 0.0, 0.1 * mean / size),
                                ]
            hard = (1.0 if role == "in" else 8.0) * (order / 4)
            for size in (s for s in sizes if s < num):
                out["law_points"].append({**key, "epoch": epochs[-1], "ensemble_size": size,
                                          "mean": hard * (FLOORS[arm] + 4.2 / size),
                                          "stderr": 0.1 * hard / size})  # fmt: skip
            for quantity, scale in (("divergence", hard), ("squared_gap", 30 * hard)):
                out["law"].append({**key, "epoch": epochs[-1], "quantity": quantity, "floor": scale * FLOORS[arm],
                                   "floor_stderr": 0.002 * scale, "slope": 4.2 * scale, "slope_stderr": 0.05 * scale,
                                   "ratio": FLOORS[arm] / 4.2, "ratio_stderr": 0.0005,
                                   "curvature": 0.0, "num_members": num})  # fmt: skip
            for label in (data, role) if "other" not in data else (data,):
                gap = FLOORS[arm] / 4.2 * (2 if "5x5" in experiment else 1)
                out["quantities"] += [
                    _quantity(f"floor/{arm}/{label}", hard * FLOORS[arm], 0.002 * hard),
                    _quantity(f"slope/{arm}/{label}", hard * 4.2, 0.05 * hard),
                    _quantity(f"gap_floor/{arm}/{label}", gap, 0.0004),
                    _quantity(f"pool_gain/{arm}/{label}", 0.5, 0.02),
                ]
                if arm != "sym":
                    out["quantities"].append(_quantity(f"floor_difference/{arm}/{label}", gap, 0.0005))
        for metric in ("osp", "divergence"):
            for size in sizes:
                for arm, other in combinations(ARMS, 2):
                    difference = FLOORS[other] - FLOORS[arm] + generator.normal(0, 0.01 / size)
                    out["significance"].append({
                        "data": data, "role": role, "epoch": epochs[-1], "metric": metric, "ensemble_size": size,
                        "arm": arm, "other": other, "difference": difference, "t": 3.0, "p": 1e-4 if size > 50 else 0.2,
                        "pool_stderr": 0.004, "pool_z": difference / 0.004})  # fmt: skip
    out["quantities"] += [_quantity("num_members", num, 0.0), _quantity("num_epochs", epochs[-1], 0.0)]
    return {name: pd.DataFrame(rows) for name, rows in out.items()}


def facts(experiment: str = "nordenfors_c4", num: int = 1000, sets: tuple[tuple[str, str], ...] = TWO_SETS,
          **others: object) -> Facts:  # fmt: skip
    """Returns what the summary's configuration of one experiment says."""
    del others
    bilinear, group = "bilinear" in experiment, "C16" if "c16" in experiment else "C4"
    arms = tuple(
        ArmFacts(name=name, label=label, symbol=rf"$\mathcal{{L}}^{{\mathrm{{{name.replace('_', '-')}}}}}$",
                 short="as inv." if name == "asym_invariant_init" else None, group=group, order=int(group[1:]),
                 compare_to=None if name == "sym" else "sym", interpolation="bilinear" if bilinear else "nearest")
        for name, label in LABELS.items()
    )  # fmt: skip
    data = []
    for name, role in sets:
        for ending in ("", *_endings(experiment)):
            data.append(DataFacts(
                name=name + ending, dataset=name, role=role, primary=not ending, label=None, interpolation=None,
                condition_of=name if ending else None, condition=CONDITIONS.get(ending), fill=None,
            ))  # fmt: skip
    return Facts(experiment, EXPERIMENT_LABELS.get(experiment, experiment), num, arms, tuple(data))


def _endings(experiment: str) -> tuple[str, ...]:
    if "c16" not in experiment:
        return ()
    return tuple(CONDITIONS) if "nearest" in experiment else ("_other_fill",)


def joined(experiments: tuple[str, ...], **settings) -> Inputs:
    """Returns the tables of several experiments below one another and their facts, as figures read them."""
    parts = {name: tables(name, **settings) for name in experiments}
    below = {table: pd.concat([part[table].assign(experiment=name) for name, part in parts.items()], ignore_index=True)
             for table in parts[experiments[0]]}  # fmt: skip
    return Inputs(below, tuple(facts(name, **settings) for name in experiments))


def _quantity(name: str, value: float, stderr: float) -> dict[str, object]:
    return {"name": name, "value": value, "stderr": stderr, "num": 30, "estimator": "fit", "description": ""}

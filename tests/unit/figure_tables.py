"""Synthetic summaries of the experiments on infinitely wide and on augmented networks, for tests of figures."""

import numpy as np
import pandas as pd

from emergent.config.stages import ArmFacts
from emergent.figures.facts import Facts, Inputs


def ising_tables(widths: tuple[int, ...] = (512, 1024, 2048), sizes: tuple[int, ...] = (100, 316, 1000)) -> dict:
    """Returns tables that follow the 1/sqrt(M) law, with a single ensemble of the largest size."""
    generator = np.random.default_rng(0)
    orbit, difference = [], []
    for data, level in (("train", 0.0075), ("test", 0.047), ("ood", 1.17)):
        for width in widths:
            member = level * np.sqrt(widths[0] / width)
            arm = {"arm": f"mlp_{width}", "width": width, "data": data}
            orbit.append({**arm, "predictor": "members", "ensemble_size": 1, "mean": member, "std": 0.42 * member,
                          "num": sizes[-1]})  # fmt: skip
            for size in sizes:
                num = sizes[-1] // size
                spread = {"std": 0.1 * member / np.sqrt(size) if num > 1 else np.nan, "num": num}
                mean = member / np.sqrt(size) * generator.normal(1, 0.05)
                orbit.append({**arm, "predictor": "ensemble", "ensemble_size": size, "mean": mean, **spread})
                difference.append({**arm, "ensemble_size": size, "mean": 0.6 * member, **spread})
        ntk = {"arm": "ntk", "width": np.inf, "data": data}
        orbit.append({**ntk, "predictor": "members", "ensemble_size": 1, "mean": 0.4 * level, "std": 0.17 * level,
                      "num": 4000})  # fmt: skip
        for size in sizes:
            orbit.append({**ntk, "predictor": "ensemble", "ensemble_size": size, "mean": 3e-15, "std": 0.0, "num": 1})
            difference.append({**ntk, "ensemble_size": size, "mean": 0.0, "std": 0.0, "num": 1})
    floors = [
        {"arm": f"mlp_{width}", "width": width, "data": data, "num": sizes[-1], "floor_squared": (level / width) ** 2,
         "floor_squared_stderr": (level / 2000) ** 2, "floor": level / width, "floor_stderr": level / 5000,
         "noise": level**2, "fitted_squared": (1.1 * level / width) ** 2}
        for data, level in (("train", 0.2), ("test", 1.0), ("ood", 20.0)) for width in widths
    ]  # fmt: skip
    return {"orbit_std": pd.DataFrame(orbit), "ntk_difference": pd.DataFrame(difference),
            "ntk_floor": pd.DataFrame(floors)}  # fmt: skip


def orbit_errors() -> dict:
    """Returns errors of three widths under two metrics, without an infinite ensemble."""
    table = ising_tables((128, 181, 256), (2, 4, 8))["orbit_std"].query("arm != 'ntk'")
    parts = [table.assign(metric=name) for name in ("orbit_mse", "equivariance_error")]
    return {"orbit_error": pd.concat(parts, ignore_index=True)}


def floor_fits(widths: tuple[int, ...] = (128, 256)) -> dict:
    """Returns floors that fall with the covering angle of what augmented, and slopes that fall with the width."""
    rows = [
        {"arm": f"{subset}_{width}", "width": float(width), "num_elements": num, "covering_angle": angle, "data": data,
         "floor": angle / 9000, "floor_stderr": 2e-4, "slope": 4 / width, "slope_stderr": 1e-3, "num_members": 60}
        for subset, num, angle in (("tetrahedral", 12.0, 90.0), ("so3", np.nan, 0.0)) for width in widths
        for data in ("train", "test", "ood")
    ]  # fmt: skip
    return {"fit": pd.DataFrame(rows)}


def osp_table(names: tuple[str, ...], sizes: tuple[int, ...] = (5, 10, 100), epochs: int = 10) -> dict:
    """Returns an OSP table whose ensembles lie above their members."""
    rows = []
    for order in (4, 8, 16):
        arm = {"arm": f"cnn_c{order}", "group": f"C{order}", "order": order}
        for where, data in enumerate(names):
            for epoch in range(epochs + 1):
                loss = (0.06 + 0.01 * epoch) * (0.3 if where == 0 else 1.0 + 0.2 * where)
                member = order * (1 - loss)
                cell = {**arm, "data": data, "epoch": epoch}
                rows.append({**cell, "predictor": "members", "ensemble_size": 1, "mean": member,
                             "std": 0.5 * order * loss, "low": member - 0.4 * order * loss,
                             "high": member + 0.4 * order * loss,
                             "minimum": member - order * loss, "maximum": order, "num": 100})  # fmt: skip
                for size in sizes:
                    mean, num = order * (1 - loss / size**0.35), 100 // size
                    std = 0.02 * order if num > 1 else np.nan
                    rows.append({**cell, "predictor": "ensemble", "ensemble_size": size, "mean": mean, "std": std,
                                 "low": mean, "high": mean, "minimum": mean, "maximum": mean, "num": num})  # fmt: skip
    return {"osp": pd.DataFrame(rows)}


def fraction_table(names: tuple[str, ...]) -> dict:
    """Returns fractions of random rotations in the form of the OSP table, also of canonicalised networks."""
    table = osp_table(names)["osp"]
    others = table.assign(arm=table["arm"].str.replace("cnn", "canonicalised"))
    table = pd.concat([table, others], ignore_index=True)
    columns = ["mean", "std", "low", "high", "minimum", "maximum"]
    table[columns] = table[columns].div(table["order"], axis=0)
    return {"osp_fraction": table.assign(draw_stderr=0.004)}


def method_tables(arms: tuple[str, ...] = ("cnn_c4", "cnn_c8", "cnn_c16")) -> dict:
    """Returns accuracies on one set and costs, for arms of which larger groups cost more."""
    rows = [{"arm": arm, "data": "fashion_mnist", "epoch": epoch, "predictor": predictor, "ensemble_size": size,
             "mean": 0.8 + 0.01 * epoch, "std": 0.01, "num": 100 // size}
            for arm in arms for epoch in (0, 10) for predictor, size in (("members", 1), ("ensemble", 10))]  # fmt: skip
    costs = [{"arm": arm, "num_parameters": 115_114, "inference": 1_568_640 * (1 + index), "training": 4_593_024}
             for index, arm in enumerate(arms)]  # fmt: skip
    return {"accuracy": pd.DataFrame(rows), "costs": pd.DataFrame(costs)}


def convergence_tables() -> dict:
    """Returns distances that follow d^2 = b^2 + v/M, and samples of noise."""
    rows, fits = [], []
    for data, factor in (("mnist", 0.4), ("gaussian_fields", 1.0)):
        for epoch in range(1, 11):
            floor, noise = 0.2 * factor, factor**2 * (0.6 + 0.01 * epoch)
            for size in (1, 3, 8, 100):
                mean, num = np.sqrt(floor**2 + noise / size), 100 // size
                rows.append({"data": data, "epoch": epoch, "ensemble_size": size, "mean": mean,
                             "std": 0.06 * mean if num > 1 else np.nan, "num": num})  # fmt: skip
            fits.append({"data": data, "epoch": epoch, "floor_squared": floor**2, "floor_squared_stderr": 0.02 * floor,
                         "floor": floor, "floor_stderr": 0.01, "noise": noise, "noise_stderr": 0.02})  # fmt: skip
    y, x = np.mgrid[0:28, 0:28]
    samples = np.stack([np.cos(2 * np.pi * (i % 3 * y + i // 3 * x + i) / 28) for i in range(9)])[..., None]
    return {"distance": pd.DataFrame(rows), "fit": pd.DataFrame(fits), "ood_samples": samples.astype(np.float32)}


def sweep_tables(widths: tuple[int, ...] = (4, 8)) -> dict:
    """Returns distances of pairs by width under every norm, and floors that fall like one over it."""
    distances, floors = [], []
    for width in widths:
        for data, factor in (("digits", 0.5), ("gaussian_fields", 1.0)):
            for norm in ("mean_norm", "root_mean_square", "per_logit", "total", "mean_square"):
                for size in (1, 3, 48):
                    distances.append({"arm": f"cnn_{width}", "against": f"gcnn_{width}", "data": data, "norm": norm,
                                      "ensemble_size": size, "mean": factor / np.sqrt(size), "num": 48 // size,
                                      "stderr": 0.02 * factor if size < 48 else np.nan})  # fmt: skip
            for series, level in (("pair", 0.0), ("compared_ntk", 2.0), ("reference_ntk", 3.0)):
                square = (level / width) ** 2
                floors.append({"series": series, "arm": f"cnn_{width}", "width": float(width), "data": data, "num": 48,
                               "floor_squared": square, "floor_squared_stderr": 0.01, "floor_squared_dof": 47.0,
                               "floor": level / width, "floor_stderr": 0.01, "noise": 0.5, "fitted_squared": square,
                               "fitted_squared_stderr": 0.1 / width**2,
                               "law_square": square + 0.01, "law_square_stderr": 0.01,
                               "law_ratio": np.sqrt(square + 0.01), "law_ratio_stderr": 0.02})  # fmt: skip
    return {"distances": pd.DataFrame(distances), "floors": pd.DataFrame(floors)}


def curve_tables() -> dict:
    """Returns uneven members on a line and their mean at three times, and the function that they learn."""
    x, generator = np.linspace(-5.3, 5.3, 9), np.random.default_rng(1)
    parts = []
    for epoch in (0, 1, 2000):
        slopes = generator.normal(size=4)
        values = np.cos(x) + (slopes - slopes.mean() + 0.1)[:, None] * x / (1 + epoch)
        for member, row in enumerate([values.mean(0), *values], start=-1):
            parts.append(pd.DataFrame({"arm": "mlp", "epoch": epoch, "member": member, "x": x, "value": row,
                                       "mirrored": row[::-1]}))  # fmt: skip
    fine = np.linspace(-5.3, 5.3, 21)
    asymmetry = [{"arm": "mlp", "epoch": epoch, "kept": 0.0} for epoch in (0, 2000)]
    return {"curves": pd.concat(parts, ignore_index=True), "asymmetry": pd.DataFrame(asymmetry),
            "targets": pd.DataFrame({"data": "truth", "role": "in", "x": fine, "value": np.cos(fine)})}  # fmt: skip


def limit_tables() -> dict:
    """Returns networks of two widths on a line beside their limit, and how they approach it."""
    x, generator = np.linspace(-4.8, 4.8, 9), np.random.default_rng(2)
    parts, rows = [], []
    for width in (8, 64):
        values = np.sin(x) + generator.normal(size=(4, 1)) / np.sqrt(width)
        for member, row in enumerate([values.mean(0), *values], start=-1):
            parts.append(pd.DataFrame({"arm": f"mlp_{width}", "width": float(width), "epoch": 2000, "member": member,
                                       "x": x, "value": row, "mirrored": row[::-1]}))  # fmt: skip
        for what, square in (("members", 1 / width), ("excess", 0.9 / width), ("bias", 1 / width**2)):
            rows.append({"arm": f"mlp_{width}", "width": float(width), "num": 4, "what": what, "square": square,
                         "stderr": 0.01})  # fmt: skip
    limit = pd.DataFrame({"arm": "mlp_8", "x": x, "mean": np.sin(x), "std": 0.1})
    targets = [pd.DataFrame({"data": "curve", "role": "in", "x": x, "value": np.sin(x)}),
               pd.DataFrame({"data": "train", "role": "train", "x": x[2:-2], "value": np.sin(x[2:-2])})]  # fmt: skip
    return {"curves": pd.concat(parts, ignore_index=True), "limit": limit, "approach": pd.DataFrame(rows),
            "targets": pd.concat(targets, ignore_index=True)}  # fmt: skip


def line_tables() -> dict:
    """Returns both experiments on a line in tables of the same names."""
    both = (curve_tables(), limit_tables())
    joined = {name: pd.concat([part[name] for part in both], ignore_index=True) for name in ("curves", "targets")}
    return {**both[0], **both[1], **joined}


def lemma_tables() -> dict:
    """Returns errors that fall faster than their bound, and frequencies of distances of normal variables."""
    errors, tail = [], []
    for order in (2, 4, 8, 16, 32, 64):
        kappa = 2 * np.sin(np.pi / 2 / order)
        for time in (1, 10, 100, 1000):
            for arm, lines in (("erf", {"error": 6, "terms": 1, "bound": 1}), ("relu", {"error": 2, "terms": 1})):
                for what, power in lines.items():
                    mean = (0.1 if what == "error" else 100) * time * kappa**power
                    errors.append({"arm": arm, "order": order, "kappa": kappa, "time": time, "what": what,
                                   "mean": mean, "stderr": mean / 10, "num": 32})  # fmt: skip
    for deviation, normal in ((0.5, 0.617), (1.0, 0.317), (2.0, 0.0455), (3.0, 0.0027)):
        bound = np.sqrt(2 / np.pi) / deviation * np.exp(-(deviation**2) / 2)
        for size in (1, 4, 16):
            for arm in ("mlp_64", "mlp_2048"):
                tail.append({"arm": arm, "data": "test", "ensemble_size": size, "deviation": deviation, "mean": normal,
                             "stderr": normal / 20, "bound": bound, "gaussian": normal, "num": 64})  # fmt: skip
    return {"errors": pd.DataFrame(errors), "tail": pd.DataFrame(tail)}


def learning_tables() -> dict:
    """Returns accuracies that grow with the training set, and errors that fall with the width."""
    rows = [{"arm": arm, "size": size, "mean": 0.2 + offset + 0.07 * np.log(size), "std": 0.03, "num": 10,
             "regulariser": 1e-3}
            for arm, offset in (("cnn", 0.0), ("gcnn_c4", 0.1), ("gcnn_d4", 0.12)) for size in (5, 99)]  # fmt: skip
    laws = [{"arm": arm, "exponent": -0.2, "exponent_stderr": 0.01, "level": 0.3, "level_stderr": 0.01, "centre": 22.0,
             "num": 10} for arm in ("cnn", "gcnn_c4")]  # fmt: skip
    kernels = [{"arm": arm, "kernel": kernel, "width": width, "error": 0.5 / width, "error_stderr": 0.05 / width,
                "noise": 0.4 / width, "num": 100}
               for arm in ("relu", "erf") for kernel in ("nngp", "ntk") for width in (1, 7, 80)]  # fmt: skip
    means = [{"arm": arm, "curve": curve, "time": time, "what": what, "mean": 0.1 + min(time, 100.0) / 100,
              "stderr": 0.01, "num": 6}
             for arm in ("c4", "d4") for curve in ("augmented", "equivariant", "plain")
             for what in ("example", "distance", "variance") for time in (0.01, 1.0, 100.0, np.inf)]  # fmt: skip
    spectrum = [{"arm": arm, "irrep": irrep, "rank": rank, "eigenvalue": 1.0 / rank**2, "num": 6}
                for arm, names in (("c4", "012"), ("d4", "ABCDE"))
                for irrep in names for rank in (1, 10, 90)]  # fmt: skip
    return {"learning": pd.DataFrame(rows), "laws": pd.DataFrame(laws), "convergence": pd.DataFrame(kernels),
            "means": pd.DataFrame(means), "spectrum": pd.DataFrame(spectrum), **molecule_tables()}  # fmt: skip


def efficiency_tables() -> dict:
    """Returns errors that fall with the training set, and ensembles of one arm."""
    rows = [{"experiment": "experiment", "arm": arm, "size": size, "ensemble_size": number, "metric": metric,
             "mean": (offset + 3 / size) / number, "std": 0.1 / size, "num": 3}
            for arm, offset, numbers in (("mlp", 0.2, (1,)), ("mlp_augmented", 0.1, (1, 2, 10)))
            for metric in ("mse", "equivariance_error") for size in (30, 300, 3000) for number in numbers]  # fmt: skip
    chosen = [{"experiment": "experiment", "arm": arm, "symmetry": symmetry, "ensemble_size": size,
               "work": work * size, "error": error / size, "error_stderr": 0.1 * error, "asymmetry": asymmetry / size,
               "asymmetry_stderr": 0.0, "num": 3}
              for arm, symmetry, work, error, asymmetry, sizes in (
                  ("mlp", "none", 1e9, 0.4, 0.2, (1,)), ("mlp_augmented", "augmented", 1.2e9, 0.2, 0.05, (1, 2, 10)),
                  ("tensors", "built_in", 4e9, 0.1, 1e-9, (1,)), ("relaxed", "relaxed", 5e9, 0.1, 1e-3, (1,)))
              for size in sizes]  # fmt: skip
    return {"efficiency": pd.DataFrame(rows), "choices": pd.DataFrame(chosen)}


def molecule_tables() -> dict:
    """Returns a molecule and the functions on the sphere of one of its atoms."""
    signals = [{"element": element, "power": power, "latitude": latitude, "longitude": longitude,
                "value": float(element == 6) * (90 + latitude)}
               for element in (1, 6, 7, 8, 9) for power in (2, 6)
               for latitude in (60, 0, -60) for longitude in (0, 120, 240)]  # fmt: skip
    atoms = [{"charge": charge, "x": 1.2 * i, "y": 0.3 * i, "z": 0.0} for i, charge in enumerate((6, 1, 8))]
    return {"signals": pd.DataFrame(signals), "atoms": pd.DataFrame(atoms)}


def facts(*names: str, label: str = "") -> Facts:
    """Returns the facts of an experiment with these arms, each with the group in its name."""
    arms = tuple(
        ArmFacts(name=name, label=name.replace("_", " "), group=name.rpartition("_")[2].upper(), order=4)
        for name in names
    )
    return Facts("experiment", label, 100, arms, ())


def given(tables: dict) -> Inputs:
    """Returns tables with the facts of their arms."""
    found = {str(arm): None for table in tables.values() if isinstance(table, pd.DataFrame) and "arm" in table
             for arm in table["arm"]}  # fmt: skip
    return Inputs(tables, (facts(*found) if found else facts("augmented_cnn", "gcnn"),))


def all_inputs() -> Inputs:
    """Returns every table at paper scale; plots take what they need."""
    tables = {**ising_tables(), **orbit_errors(), **osp_table(("fashion_mnist", "mnist", "cifar10", "gaussian_fields")),
              **fraction_table(("fashion_mnist_so2", "mnist_so2", "cifar10_so2")),
              **method_tables(), **convergence_tables(), **sweep_tables(), **line_tables(), **lemma_tables(),
              **learning_tables(), **efficiency_tables()}  # fmt: skip
    return given(tables)

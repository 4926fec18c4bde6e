"""Black-body radiation by regression on quantities with units: dimensionless products, or logarithms.

In: the stage of an arm. Out: for every trial the error on test temperatures, how far predictions are from moving with a
change of units, and the constant of nature that was found, if one was asked for. Natural logarithms and SI units.

References:
    arXiv 2204.00887 (units equivariance); the search for a constant is in the code of *Towards fully covariant machine
    learning*, arXiv 2301.13724.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from scipy import constants

from emergent.config.black_body import (
    LABEL,
    UNITS,
    UNKNOWN,
    BlackBodyStage,
    BlackBodyTask,
    Quantity,
    Radiation,
)
from emergent.config.unit_powers import Powers, solve
from emergent.storage import Array
from emergent.units.regression import LARGEST_SEED, Ensemble, train

VALUES: dict[Quantity, float] = {"light": constants.c, "boltzmann": constants.k, "planck": constants.h}


@dataclass(frozen=True)
class Samples:
    """Radiances that were measured.

    Attributes:
        quantities: logarithms [N] by name.
        label: logarithms of radiances, with noise.
    """

    quantities: dict[Quantity, Float[np.ndarray, " N"]]
    label: Float[np.ndarray, " N"]


@dataclass(frozen=True)
class Seen:
    """How an arm sees the logarithms of its quantities.

    Attributes:
        units: of its quantities.
        powers: products of them; None for logarithms of themselves.
        shift: added to the logarithms, in their order.
    """

    units: Mapping[str, Sequence[int]]
    powers: Powers | None
    shift: Float[np.ndarray, " k"]

    def features(self, logs: Float[np.ndarray, "N k"]) -> Float[np.ndarray, "N r"]:
        """Returns what a network sees."""
        return logs + self.shift if self.powers is None else logs @ self.powers.dimensionless.T

    def scale(self, logs: Float[np.ndarray, "N k"]) -> Float[np.ndarray, " N"]:
        """Returns the logarithm of what labels are divided by."""
        return np.zeros(len(logs)) if self.powers is None else logs @ self.powers.label


def planck(wavelength: Float[np.ndarray, " N"], temperature: Float[np.ndarray, " N"]) -> Float[np.ndarray, " N"]:
    """Returns the logarithm of the spectral radiance of a black body, in W / (m^3 sr)."""
    exponent = constants.h * constants.c / (wavelength * constants.k * temperature)
    # log(exp(x) - 1) without overflow.
    return np.log(2 * constants.h * constants.c**2 / wavelength**5) - exponent - np.log(-np.expm1(-exponent))


def draw(settings: Radiation, temperatures: Sequence[float], generator: np.random.Generator) -> Samples:
    """Returns radiances at all wavelengths and temperatures, less the dimmest."""
    count = round((settings.longest - settings.shortest) * settings.per_decade) + 1
    exponents = settings.shortest + np.arange(count) / settings.per_decade
    wavelength, temperature = (grid.reshape(-1) for grid in np.meshgrid(10.0**exponents, temperatures))
    noise = np.log(1 + settings.noise * np.clip(generator.standard_normal(len(wavelength)), -4.9, 4.9))
    label = planck(wavelength, temperature) + noise
    kept = label > np.log(settings.smallest)
    logs = {"wavelength": np.log(wavelength[kept]), "temperature": np.log(temperature[kept])}
    known = {name: np.full(int(kept.sum()), np.log(value)) for name, value in VALUES.items()}
    return Samples({**logs, **known}, label[kept])  # pyright: ignore[reportArgumentType]


def logarithms(samples: Samples, seen: Seen, unknown: float) -> Float[np.ndarray, "N k"]:
    """Returns the logarithms of what an arm sees, an unknown constant among them."""
    known = {**samples.quantities, UNKNOWN: np.full(len(samples.label), unknown)}
    return np.stack([known[name] for name in seen.units], 1)


def see(task: BlackBodyTask, train: Samples, units: Sequence[int] | None) -> tuple[Seen, float]:
    """Returns how an arm sees its quantities, and the logarithm of its unknown constant.

    Args:
        task: settings of the arm.
        train: samples that fix the value of the constant, or the centre of logarithms.
        units: of the unknown constant, if there is one.

    Raises:
        ConfigError: no product of the quantities has the units of the label.
    """
    known: dict[str, Sequence[int]] = {name: UNITS[name] for name in task.quantities}
    if task.method == "logarithms":
        plain = Seen(known, None, np.zeros(len(known)))
        centre = logarithms(train, plain, 0.0).mean(0)
        return Seen(known, None, -centre if task.centred else plain.shift), 0.0
    if units is not None:
        known[UNKNOWN] = units
    seen = Seen(known, solve(known, LABEL), np.zeros(len(known)))
    if units is None:
        return seen, 0.0
    assert seen.powers is not None
    power = seen.powers.dimensionless[:, -1]
    used = int(np.flatnonzero(power)[0])
    # The median of the first feature that holds the constant is 1.
    others = seen.features(logarithms(train, seen, 0.0))[:, used]
    return seen, -float(np.median(others)) / int(power[used])


def implied_planck(units: Sequence[int], value: float, task: BlackBodyTask) -> float:
    """Returns what Planck's constant would be, in J s, if a constant were a product of powers of it and others.

    Args:
        units: of the constant.
        value: its logarithm.
        task: whose constants the others are.

    Returns:
        0 if no such product has these units, or none that holds Planck's constant.
    """
    names: list[Quantity] = ["planck", *(name for name in task.quantities if name in VALUES and name != "planck")]
    columns = np.array([UNITS[name] for name in names], float).T
    powers, *_ = np.linalg.lstsq(columns, np.asarray(units, float), rcond=None)
    if not np.allclose(columns @ powers, units, atol=1e-9) or abs(powers[0]) < 1e-9:
        return 0.0
    others = sum(power * np.log(VALUES[name]) for power, name in zip(powers[1:], names[1:], strict=True))
    return float(np.exp((value - others) / powers[0]))


def _found_units(stage: BlackBodyStage, samples: Samples, own: np.random.Generator) -> Sequence[int] | None:
    """Returns the units of the unknown constant: those given, or those with which training samples are fit best."""
    unknown = stage.task.unknown
    if unknown is None or unknown.units is not None:
        return None if unknown is None else unknown.units
    tries = unknown.tries()
    seed, losses = int(own.integers(LARGEST_SEED)), []
    for units in tries:
        seen, value = see(stage.task, samples, units)
        logs = logarithms(samples, seen, value)
        features, labels = seen.features(logs), samples.label - seen.scale(logs)
        network = train(features, labels, stage.network, seed, stage.network.scan_iterations)
        losses.append(np.square(network.predict(features) - labels).mean())
    return tries[int(np.argmin(losses))]


def _fitted(stage: BlackBodyStage, samples: Samples, seen: Seen, value: float, own: np.random.Generator) -> Ensemble:
    task, ensemble = stage.task, Ensemble(stage.network)
    logs = logarithms(samples, seen, value)
    units = np.array(list(seen.units.values()))
    for _ in range(max(task.ensemble_sizes)):
        # Each network of an ensemble sees changes of units of its own.
        moves = task.unit_spread * own.standard_normal((task.copies, len(logs), len(LABEL)))
        inputs = np.concatenate([logs, *(logs + move @ units.T for move in moves)])
        labels = np.concatenate([samples.label, *(samples.label + move @ np.array(LABEL) for move in moves)])
        ensemble.add(seen.features(inputs), labels - seen.scale(inputs), int(own.integers(LARGEST_SEED)))
    return ensemble


def _trial(stage: BlackBodyStage, member: int) -> dict[str, np.ndarray]:
    task, settings = stage.task, stage.radiation
    # All arms of a trial see the same samples.
    shared = np.random.default_rng([stage.seed, member])
    learnt, test = (
        draw(settings, given, shared) for given in (settings.train_temperatures, settings.test_temperatures)
    )
    own = np.random.default_rng([stage.seed, member, *stage.arm.encode()])
    units = _found_units(stage, learnt, own)
    seen, unknown = see(task, learnt, units)
    ensemble = _fitted(stage, learnt, seen, unknown, own)

    def predict(logs: Float[np.ndarray, "N k"]) -> Float[np.ndarray, "E N"]:
        return ensemble.predict(seen.features(logs), task.ensemble_sizes) + seen.scale(logs)

    logs = logarithms(test, seen, unknown)
    found = predict(logs)
    moved_by = task.unit_spread * own.standard_normal((len(logs), len(LABEL)))
    moved = logs + moved_by @ np.array(list(seen.units.values())).T
    away = predict(moved) - found - moved_by @ np.array(LABEL)
    collapses = seen.powers is not None and _sees_the_product(seen)
    constant = {}
    if units is not None:
        implied = np.asarray(implied_planck(units, unknown, task))
        constant = {"units": np.asarray(units), "unknown": np.asarray(np.exp(unknown)), "implied": implied}
    return {
        "rmse": np.sqrt(np.square(found - test.label).mean(1)),
        "equivariance_error": np.sqrt(np.square(away).mean(1)),
        "collapses": np.asarray(float(collapses)),
        **constant,
        "predictions": found[-1],
        "wavelength": np.exp(test.quantities["wavelength"]),
        "temperature": np.exp(test.quantities["temperature"]),
        "label": test.label,
    }


def _sees_the_product(seen: Seen) -> bool:
    """Returns whether the features depend on wavelength times temperature alone, as radiation does."""
    assert seen.powers is not None
    names = list(seen.units)
    both = seen.powers.dimensionless[:, [names.index("wavelength"), names.index("temperature")]]
    return bool(len(both) and (both[:, 0] == both[:, 1]).all() and both.any())


def black_body_arrays(stage: BlackBodyStage, members: Sequence[int]) -> dict[str, Array]:
    """Returns errors of a block of trials as arrays to be stored; curves are those of the first one.

    Args:
        stage: settings of one arm.
        members: indices over all trials.

    Raises:
        ConfigError: no product of the quantities has the units of the label.
    """
    trials = [_trial(stage, member) for member in members]
    words = {
        "rmse": (("member", "ensemble_size"), "error of ln of the radiance, root mean square over test samples"),
        "equivariance_error": (("member", "ensemble_size"), "by how much ln of predictions misses a change of units"),
        "units": (("member", "unit"), "of the constant, powers of kg, m, s, K"),
        "unknown": (("member",), "value of the constant, in SI units"),
        "implied": (("member",), "Planck's constant, if the constant is a product of it; 0 if it is none"),
        "collapses": (("member",), "the features depend on wavelength times temperature alone"),
    }
    arrays = {name: Array(np.stack([trial[name] for trial in trials]), axes, "1", text)
              for name, (axes, text) in words.items() if name in trials[0]}  # fmt: skip
    curves = {name: Array(trials[0][name], ("sample",), "1", "test sample of the first trial of the block")
              for name in ("wavelength", "temperature", "label", "predictions")}  # fmt: skip
    return {"members": Array(np.asarray(members), ("member",), "1", "index over all trials"), **arrays, **curves}

"""Typed configuration of experiments of kind ``black_body``: radiation learnt with and without units.

The spectral radiance of a black body is regressed on wavelength, temperature and constants of nature. Some arms see
dimensionless products alone, some of them with a constant whose units or value are not known; others see logarithms,
in fixed units or in units that are drawn at random. Members are trials, with noise and networks of their own.
"""

import itertools
from typing import Annotated, Literal

from pydantic import Field, PositiveInt, model_validator

from emergent.config.base import Many, Name, StrictModel, require_ascending
from emergent.config.stages import ArmFacts, ArmStage, Stage, SummaryStage
from emergent.config.study import ArmLabels, StudyBase
from emergent.config.unit_powers import BASE, independent, require_solution, unit_words
from emergent.errors import ConfigError

Quantity = Literal["wavelength", "temperature", "light", "boltzmann", "planck"]
"""What a network may see; the last three are constants: speed of light, Boltzmann's and Planck's."""
Units = Many[int]
"""Powers of kilogram, metre, second, kelvin."""

UNITS: dict[Quantity, tuple[int, int, int, int]] = {
    "wavelength": (0, 1, 0, 0),
    "temperature": (0, 0, 0, 1),
    "light": (0, 1, -1, 0),
    "boltzmann": (1, 2, -2, -1),
    "planck": (1, 2, -1, 0),
}
LABEL = (1, -1, -3, 0)
"""Power per volume and solid angle."""
UNKNOWN = "unknown"
"""What a constant that is not known is called among quantities."""


class Radiation(StrictModel):
    """What is learnt.

    Attributes:
        train_temperatures: in kelvin.
        test_temperatures: in kelvin.
        shortest: base-ten logarithm of the shortest wavelength, in metres.
        longest: of the longest.
        per_decade: wavelengths per decade.
        noise: standard deviation of the factor that radiances are multiplied by, around 1.
        smallest: radiances below are left out, in W / (m^3 sr).
    """

    train_temperatures: Many[Annotated[float, Field(gt=0)]] = Field(min_length=1)
    test_temperatures: Many[Annotated[float, Field(gt=0)]] = Field(min_length=1)
    shortest: float
    longest: float
    per_decade: PositiveInt
    noise: Annotated[float, Field(ge=0, lt=0.2)]
    smallest: Annotated[float, Field(gt=0)]


class Perceptron(StrictModel):
    """scikit-learn's MLP with ReLU and Adam, its other settings left as they are.

    Attributes:
        hidden: widths of hidden layers.
        learning_rate: of Adam.
        max_iterations: epochs, at most; training ends before where the loss stands still.
        scan_iterations: the same while units of a constant are tried.
    """

    hidden: Many[PositiveInt] = Field(min_length=1)
    learning_rate: Annotated[float, Field(gt=0)]
    max_iterations: PositiveInt
    scan_iterations: PositiveInt


class Unknown(StrictModel):
    """A constant of nature that is not known; its value makes the median of the dimensionless feature 1.

    Attributes:
        units: of the constant; null tries all whose powers are between ``lowest`` and ``highest``, and takes those with
            which the network fits training samples best.
        lowest: power.
        highest: power.
    """

    units: Annotated[Units, Field(min_length=4, max_length=4)] | None = None
    lowest: int = -1
    highest: int = 1

    @model_validator(mode="after")
    def _check_order(self) -> "Unknown":
        if self.lowest > self.highest:
            raise ValueError(f"lowest: expected at most highest = {self.highest}, found {self.lowest}")
        return self

    def tries(self) -> list[Units]:
        """Returns the units that the constant may have."""
        if self.units is not None:
            return [self.units]
        return list(itertools.product(range(self.lowest, self.highest + 1), repeat=len(BASE)))


class BlackBodyTask(StrictModel):
    """What an arm sees.

    Attributes:
        method: ``dimensionless``: products without units; the label is divided by a product of its units.
            ``logarithms``: of the quantities themselves.
        quantities: what it sees.
        unknown: a constant beside them, in arms of dimensionless products.
        copies: copies of each training sample in units that are drawn at random, in arms of logarithms; 0: as they are.
        unit_spread: standard deviation of the logarithms of the factors by which units are changed.
        centred: logarithms are taken in units in which the mean over training samples is 0.
        ensemble_sizes: sizes of the ensembles whose mean is tested.
    """

    method: Literal["dimensionless", "logarithms"]
    quantities: Many[Quantity] = Field(min_length=1)
    unknown: Unknown | None = None
    copies: Annotated[int, Field(ge=0)] = 0
    unit_spread: Annotated[float, Field(gt=0)] = 1.0
    centred: bool = False
    ensemble_sizes: Many[PositiveInt] = (1,)

    @model_validator(mode="after")
    def _check_method(self) -> "BlackBodyTask":
        require_ascending("ensemble_sizes", self.ensemble_sizes)
        if len(set(self.quantities)) < len(self.quantities):
            raise ValueError(f"quantities: expected each once, found {list(self.quantities)}")
        if self.method == "logarithms" and self.unknown is not None:
            raise ValueError("unknown: expected none with method logarithms, which needs no constant; leave it out")
        if self.method == "dimensionless" and (self.copies or self.centred):
            raise ValueError(
                "copies, centred: expected none with method dimensionless, whose features are the same in all units; "
                "leave them out"
            )
        if self.method == "dimensionless":
            self._require_products()
        return self

    def _require_products(self) -> None:
        """Checks that products of the quantities have the units of the label, and some with the constant have none."""
        known = {name: UNITS[name] for name in self.quantities}
        for units in [None] if self.unknown is None else self.unknown.tries():
            given = known if units is None else known | {UNKNOWN: units}
            try:
                require_solution(given, LABEL)
            except ConfigError as error:
                raise ValueError(str(error)) from error
            if units is not None and independent(known, units):
                raise ValueError(
                    f"unknown: expected a constant that makes products without units with {', '.join(known)}, found "
                    f"{unit_words(units)}, which makes none; give other units, or more quantities"
                )


class BlackBodyArm(ArmLabels, BlackBodyTask):
    """One way to see it and its place in the experiment."""


class BlackBodyStage(ArmStage):
    """Trials of one arm."""

    stage: Literal["train"] = "train"
    task: BlackBodyTask
    radiation: Radiation
    network: Perceptron


class BlackBodySummary(SummaryStage):
    """Settings of the summary.

    Attributes:
        tasks: by arm.
    """

    tasks: dict[Name, BlackBodyTask]


class BlackBodyExperiment(StudyBase):
    """Black-body radiation, with and without units."""

    kind: Literal["black_body"]
    arms: dict[Name, BlackBodyArm] = Field(min_length=1)
    radiation: Radiation
    network: Perceptron

    def stage(self, stage: str, arm: str | None = None) -> Stage:
        """Returns the settings that one stage (of one arm) depends on."""
        if stage == "summary":
            return BlackBodySummary(**self.facts(), tasks={name: self.task(name) for name in self.arms})
        arm = self.trained_arm(stage, arm)
        return BlackBodyStage(
            experiment=self.experiment,
            seed=self.seed,
            arm=arm,
            task=self.task(arm),
            radiation=self.radiation,
            network=self.network,
        )

    def task(self, arm: str) -> BlackBodyTask:
        """Returns what an arm sees."""
        return BlackBodyTask(**self.arms[arm].model_dump(include=set(BlackBodyTask.model_fields)))

    def arm_facts(self, name: str) -> ArmFacts:
        """Returns what summaries and figures know of one arm."""
        return ArmFacts(**self.arms[name].labels(name))

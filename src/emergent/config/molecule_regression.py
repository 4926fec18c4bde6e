"""Typed configuration of experiments of kind ``molecule_regression``: infinitely wide networks learn energies.

Members are random splits of a data set, the same for all arms: there is no other randomness at infinite width and
infinite time.

References:
    arXiv 2406.06504, energies of molecules by training set size.
"""

from typing import Annotated, Literal

from pydantic import Field, PositiveInt, model_validator

from emergent.config.base import Many, Name, require_ascending
from emergent.config.domains import DataSelection
from emergent.config.models import MlpModel
from emergent.config.spherical import BandLimit, SphericalGcnnModel
from emergent.config.splits import Splits
from emergent.config.stages import ArmFacts, ArmStage, Stage, SummaryStage
from emergent.config.study import ArmLabels, StudyBase

AtomModel = Annotated[MlpModel | SphericalGcnnModel, Field(discriminator="family")]
CHANNEL_ELEMENTS = (1, 6, 7, 8, 9)
"""Nuclear charges of the neighbours that functions on the sphere tell apart."""
CHANNEL_POWERS = (2, 6)
"""Of the inverse distance; an atom has a function for every element and power, elements first."""
NUM_CHANNELS = len(CHANNEL_ELEMENTS) * len(CHANNEL_POWERS)


class MoleculeArm(ArmLabels):
    """Networks on atoms, whose outputs a linear layer behind their sum turns into an energy.

    Attributes:
        model: fully connected ones see values on the sphere's grid, those on the sphere see coefficients; of these the
            linear head is the one behind the sum.
        branches: ``slots`` for one network per place in the list of atoms, as published: with it the sum depends on
            their order; ``elements`` for one network per element, where it does not.
    """

    model: AtomModel
    branches: Literal["slots", "elements"] = "slots"


class MoleculeStage(ArmStage):
    """Errors of one arm; see ``MoleculeRegressionExperiment``."""

    stage: Literal["train"] = "train"
    data: DataSelection
    band_limit: BandLimit
    model: AtomModel
    branches: Literal["slots", "elements"]
    splits: Splits
    regularisers: Many[float]
    tile_size: PositiveInt


class MoleculeRegressionExperiment(StudyBase):
    """Error of kernel regression of energies against the size of the training set.

    Attributes:
        data: molecules.
        band_limit: degrees of the functions on the sphere are below it; their grid has 2 L (2 L - 1) points.
        splits: of every member.
        regularisers: added to the diagonal in units of its mean, ascending; the best on validation molecules is taken.
        tile_size: atoms per side of one tile of pairs.
    """

    kind: Literal["molecule_regression"]
    data: DataSelection
    band_limit: BandLimit = 6
    arms: dict[Name, MoleculeArm] = Field(min_length=1)
    splits: Splits
    regularisers: Many[Annotated[float, Field(gt=0)]] = Field(min_length=1)
    tile_size: PositiveInt = 128

    @model_validator(mode="after")
    def _check(self) -> "MoleculeRegressionExperiment":
        require_ascending("splits.train", self.splits.train)
        require_ascending("regularisers", self.regularisers)
        if self.data.num is not None and self.data.num < self.splits.total:
            raise ValueError(
                f"data.num: the splits need {self.splits.total} molecules, found {self.data.num}; use fewer"
            )
        for name, arm in self.arms.items():
            missing = arm.model.missing_kernel((NUM_CHANNELS, self.band_limit**2))
            if missing is not None:
                raise ValueError(f"arms.{name}.model: no infinite-width kernel: {missing}")
        return self

    def dataset_names(self, stage: str) -> list[str]:
        """Returns the data set."""
        return [self.data.dataset] if stage == "train" else []

    def splits_used(self) -> list[tuple[str, str]]:
        """Returns the split that is drawn from."""
        return [(self.data.dataset, self.data.split)]

    def stage(self, stage: str, arm: str | None = None) -> Stage:
        """Returns the settings that one stage (of one arm) depends on."""
        if stage == "summary":
            return SummaryStage(**self.facts())
        arm = self.trained_arm(stage, arm)
        return MoleculeStage(
            experiment=self.experiment,
            seed=self.seed,
            arm=arm,
            data=self.data,
            band_limit=self.band_limit,
            model=self.arms[arm].model.infinitely_wide(),
            branches=self.arms[arm].branches,
            splits=self.splits,
            regularisers=self.regularisers,
            tile_size=self.tile_size,
        )

    def arm_facts(self, name: str) -> ArmFacts:
        """Returns what summaries and figures know of one arm."""
        return ArmFacts(**self.arms[name].labels(name))

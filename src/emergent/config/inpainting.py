"""Typed configuration of experiments of kind ``inpainting``: images with a square missing, under nested groups.

The grid is cut into blocks x blocks equal squares; the group holds all permutations of the pixels within each of them.
One block is the symmetric group of all pixels, as many blocks as pixels the trivial group.
"""

from typing import Annotated, Literal

from pydantic import Field, PositiveInt, model_validator

from emergent.config.base import Many, Name, StrictModel, require_ascending
from emergent.config.domains import DataSelection
from emergent.config.stages import ArmFacts, ArmStage, Stage, SummaryStage
from emergent.config.study import ArmLabels, StudyBase


class BlockNetwork(StrictModel):
    """Network of block-structured layers.

    Attributes:
        layers: 2: to hidden channels, ReLU, and back; 1: a single linear layer, with weights uniform between 0 and 1.
        channels: hidden.
        reflected: blocks that are mirror images across the vertical axis share their weights.
        relaxed: a network of the trivial group is added, times a factor that starts at 0 and is learnt.
    """

    layers: Literal[1, 2]
    channels: PositiveInt
    reflected: bool = False
    relaxed: bool = False


class InpaintingImages(StrictModel):
    """Images, and the square that is missing in each.

    Attributes:
        train: the training images; as many of every class.
        test: the test images, in the same way.
        side: in pixels.
        mean: subtracted from pixels between 0 and 1.
        std: that the result is divided by.
        hole: side of the missing square, which is set to 0 after this scaling, at a place of its own in every image.
        validation: fraction of the training images that chooses the epoch.
        flips: training and test images are mirrored with probability one half, those of training at every access.
    """

    train: DataSelection
    test: DataSelection
    side: PositiveInt
    mean: float
    std: Annotated[float, Field(gt=0)]
    hole: PositiveInt
    validation: Annotated[float, Field(gt=0, lt=1)]
    flips: bool = False

    @model_validator(mode="after")
    def _check(self) -> "InpaintingImages":
        if self.hole >= self.side:
            raise ValueError(f"hole: expected a square smaller than the image of {self.side} pixels, found {self.hole}")
        if self.train.num is None or self.test.num is None:
            raise ValueError("train and test: expected a number of images, num, which is divided among the classes")
        return self


class InpaintingSteps(StrictModel):
    """Adam on the mean squared error of all training images at once; the best epoch on validation images is kept."""

    learning_rate: Annotated[float, Field(gt=0)]
    num_epochs: PositiveInt
    matmul_precision: Literal["default", "highest"] = "highest"


class InpaintingArm(ArmLabels, BlockNetwork):
    """Networks of one form, under several groups.

    Attributes:
        blocks: a side, ascending; each is a group.
        permuted: augmentation: at every access the pixels of an image, masked and whole alike, are permuted at random
            within this many blocks a side; null for none.
        ensemble: networks that learn the same images in each run; their mean is an ensemble.
    """

    blocks: Many[PositiveInt] = Field(min_length=1)
    permuted: PositiveInt | None = None
    ensemble: PositiveInt = 1


class InpaintingStage(ArmStage):
    """Training and test of the networks of one arm.

    Attributes:
        measured: blocks a side of the group under which the equivariance of all networks is measured.
        tolerance: largest error of equivariance, relative, with which a network that has it built in may start.
        examples: test images whose in-paintings are kept, of the first run.
    """

    stage: Literal["train"] = "train"
    data: InpaintingImages
    network: BlockNetwork
    blocks: Many[PositiveInt]
    permuted: PositiveInt | None
    ensemble: PositiveInt
    train: InpaintingSteps
    measured: PositiveInt
    tolerance: Annotated[float, Field(gt=0)]
    examples: PositiveInt


class InpaintingSummary(SummaryStage):
    """Settings of the summary.

    Attributes:
        blocks: by arm.
        ensembles: networks of a run, by arm.
        side: of the images.
        measured: see ``InpaintingStage``.
    """

    blocks: dict[Name, Many[PositiveInt]]
    ensembles: dict[Name, PositiveInt]
    side: PositiveInt
    measured: PositiveInt


class InpaintingExperiment(StudyBase):
    """In-painting under nested groups. Members are runs: each has its own split, holes and start."""

    kind: Literal["inpainting"]
    arms: dict[Name, InpaintingArm] = Field(min_length=1)
    data: InpaintingImages
    train: InpaintingSteps
    measured: PositiveInt
    tolerance: Annotated[float, Field(gt=0)]
    examples: PositiveInt

    @model_validator(mode="after")
    def _check_blocks(self) -> "InpaintingExperiment":
        side = self.data.side
        for name, arm in self.arms.items():
            require_ascending(f"arms.{name}.blocks", arm.blocks)
            asked = {
                "blocks": arm.blocks,
                "permuted": (arm.permuted,) if arm.permuted else (),
                "measured": (self.measured,),
            }
            for key, values in asked.items():
                if bad := [blocks for blocks in values if side % blocks]:
                    where = key if key == "measured" else f"arms.{name}.{key}"
                    fits = ", ".join(str(number) for number in range(1, side + 1) if side % number == 0)
                    raise ValueError(
                        f"{where}: expected divisors of the {side} pixels of a side ({fits}), found {bad[0]}"
                    )
            if arm.reflected and (odd := [blocks for blocks in arm.blocks if blocks % 2]):
                raise ValueError(
                    f"arms.{name}.blocks: mirrored blocks share weights where they come in pairs, in an even number a "
                    f"side; found {odd[0]}"
                )
            if arm.relaxed and (arm.permuted or side in arm.blocks):
                wrong = "augmentation by permuted" if arm.permuted else f"the trivial group, of {side} blocks a side"
                raise ValueError(f"arms.{name}.relaxed: expected a group built in, to be relaxed; found {wrong}")
        return self

    def dataset_names(self, stage: str) -> list[str]:
        """Returns the data sets."""
        return sorted({self.data.train.dataset, self.data.test.dataset}) if stage == "train" else []

    def splits_used(self) -> list[tuple[str, str]]:
        """Returns the splits that are read."""
        return [(part.dataset, part.split) for part in (self.data.train, self.data.test)]

    def stage(self, stage: str, arm: str | None = None) -> Stage:
        """Returns the settings that one stage (of one arm) depends on."""
        if stage == "summary":
            return InpaintingSummary(
                **self.facts(),
                blocks={name: own.blocks for name, own in self.arms.items()},
                ensembles={name: own.ensemble for name, own in self.arms.items()},
                side=self.data.side,
                measured=self.measured,
            )
        own = self.arms[self.trained_arm(stage, arm)]
        return InpaintingStage(
            experiment=self.experiment,
            seed=self.seed,
            arm=self.trained_arm(stage, arm),
            data=self.data,
            network=BlockNetwork(**{name: getattr(own, name) for name in BlockNetwork.model_fields}),
            blocks=own.blocks,
            permuted=own.permuted,
            ensemble=own.ensemble,
            train=self.train,
            measured=self.measured,
            tolerance=self.tolerance,
            examples=self.examples,
        )

    def arm_facts(self, name: str) -> ArmFacts:
        """Returns what summaries and figures know of one arm."""
        own = self.arms[name]
        # Of other arms it depends on the group: the trivial one is no symmetry.
        symmetry = "augmented" if own.permuted else "relaxed" if own.relaxed else None
        return ArmFacts(**own.labels(name), symmetry=symmetry)

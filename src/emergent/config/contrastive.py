"""Typed configuration of experiments of kind ``contrastive``: embeddings of images learnt without labels.

Two random views of an image are drawn together, others pushed apart (SimCLR); CARE asks besides that inner products of
embeddings do not change if one and the same view is taken of both images, which makes views act as rotations of the
space of embeddings.
"""

from typing import Annotated, Literal

from pydantic import Field, NonNegativeFloat, PositiveFloat, PositiveInt, model_validator

from emergent.config.base import Many, Name, StrictModel
from emergent.config.domains import DataSelection
from emergent.config.stages import ArmFacts, ArmStage, Stage, SummaryStage
from emergent.config.study import ArmLabels, StudyBase

Range = Annotated[Many[PositiveFloat], Field(min_length=2, max_length=2)]
Probability = Annotated[float, Field(ge=0, le=1)]


class Views(StrictModel):
    """The random views of an image, in the order in which they are made.

    Attributes:
        rotation: largest angle in degrees, either way; uniform.
        area: part of the image that is cut out and enlarged, uniform between two numbers.
        ratio: width over height of that part, its logarithm uniform between those of two numbers.
        fill: what enters from outside the frame: 0, or the nearest pixel of the edge.
        flip: probability of a mirror image, left to right.
        jitter: probability that colours change.
        brightness: factor between 1 minus and 1 plus this.
        contrast: the same of differences from the mean grey value.
        saturation: the same of differences from the own grey value.
        hue: turns of the circle of colours, either way.
        grey: probability that colours are left out.
        blur: probability of a Gaussian filter of three pixels.
        blur_std: its width in pixels, uniform between two numbers.
    """

    rotation: Annotated[float, Field(ge=0, le=180)] = 0.0
    area: Range = (1.0, 1.0)
    ratio: Range = (1.0, 1.0)
    fill: Literal["zero", "edge"] = "zero"
    flip: Probability = 0.0
    jitter: Probability = 0.0
    brightness: Probability = 0.0
    contrast: Probability = 0.0
    saturation: Probability = 0.0
    hue: Annotated[float, Field(ge=0, le=0.5)] = 0.0
    grey: Probability = 0.0
    blur: Probability = 0.0
    blur_std: Range = (0.1, 2.0)

    @model_validator(mode="after")
    def _check(self) -> "Views":
        for name in ("area", "ratio", "blur_std"):
            low, high = getattr(self, name)
            if low > high:
                raise ValueError(f"{name}: expected the smaller number first, found {low:g} and {high:g}")
        if self.area[1] > 1:
            raise ValueError(f"area: expected parts of the image, at most 1, found {self.area[1]:g}")
        return self

    @property
    def coloured(self) -> bool:
        """Returns whether the views need colours."""
        return bool(self.saturation or self.hue or self.grey)


class ContrastiveImages(StrictModel):
    """Images.

    Attributes:
        train: learnt from, without labels; the readouts learn with them.
        test: half of as many as are probed fit rotations, others test them; all test the readouts.
        side: in pixels.
        mean: of each channel, subtracted from pixels between 0 and 1 after the views were made.
        std: that the result is divided by.
    """

    train: DataSelection
    test: DataSelection
    side: PositiveInt
    mean: Many[float] = Field(min_length=1)
    std: Many[PositiveFloat] = Field(min_length=1)

    @property
    def shape(self) -> tuple[int, int, int]:
        """Returns height, width and channels."""
        return self.side, self.side, len(self.mean)


class ProjectedEncoder(StrictModel):
    """An encoder, whose features are read out, and the projection whose outputs are embedded on a sphere.

    Attributes:
        family: ``convolutional``: filters of 3 x 3 pixels with stride 2; ``residual``: a stem without stride, then
            stages of bottleneck blocks, all but the first with stride 2 (He et al., arXiv:1512.03385). Batch
            normalisation throughout, and a mean over pixels.
        channels: of each layer; of residual networks the inner ones of each stage; its blocks have four times as many
            outside.
        blocks: of each stage of a residual network.
        hidden: width of the projection's hidden layer.
        outputs: dimension of the embedding.
    """

    family: Literal["convolutional", "residual"]
    channels: Many[PositiveInt] = Field(min_length=1)
    blocks: Many[PositiveInt] = ()
    hidden: PositiveInt
    outputs: Annotated[int, Field(ge=2)]

    @model_validator(mode="after")
    def _check(self) -> "ProjectedEncoder":
        wanted = len(self.channels) if self.family == "residual" else 0
        if len(self.blocks) != wanted:
            raise ValueError(
                f"blocks: expected {wanted} numbers for a {self.family} network with {len(self.channels)} channels, "
                f"found {len(self.blocks)}"
            )
        return self

    def multiplications(self, side: int, colours: int) -> int:
        """Returns the multiplications of the encoder for one image of so many pixels a side and channels."""
        if self.family == "convolutional":
            # Filters of 3 x 3 pixels, each of which halves the side.
            pairs = enumerate(zip((colours, *self.channels), self.channels, strict=False), 1)
            return sum((side >> layer) ** 2 * 9 * before * after for layer, (before, after) in pairs)
        total = side**2 * 9 * colours * self.channels[0]
        for stage, (channels, blocks) in enumerate(zip(self.channels, self.blocks, strict=True)):
            # Two convolutions of one pixel between four times as many channels, one of nine.
            total += blocks * (side >> stage) ** 2 * 17 * channels**2
        return total


class ContrastiveSteps(StrictModel):
    """Adam.

    Attributes:
        weight_decay: times the weights is added to gradients.
        temperature: that inner products are divided by.
        batch_size: images a step, of each of which two views are taken.
        sub_batches: S, parts of a batch that two further views are taken of, the same for all images of a part.
    """

    learning_rate: PositiveFloat
    weight_decay: NonNegativeFloat
    temperature: PositiveFloat
    batch_size: PositiveInt
    num_epochs: PositiveInt
    sub_batches: PositiveInt
    matmul_precision: Literal["default", "highest"] = "highest"

    @model_validator(mode="after")
    def _check(self) -> "ContrastiveSteps":
        if self.batch_size % self.sub_batches or self.batch_size // self.sub_batches < 2:
            raise ValueError(
                f"sub_batches: expected a number that cuts the batch of {self.batch_size} images into equal parts of "
                f"at least 2, found {self.sub_batches}"
            )
        return self


class Objective(StrictModel):
    """What an arm minimises.

    Attributes:
        invariance: two views of an image attract each other; without, embeddings repel each other, and no more.
        weight: w of the change of inner products under views; 0 leaves it out.
    """

    invariance: bool
    weight: NonNegativeFloat


class Probes(StrictModel):
    """How trained encoders are looked at.

    Attributes:
        images: test images on which rotations of embeddings are fitted (one half) and tested (the other).
        views: random views, the same for all networks.
        pairs_of: test images of all pairs of which inner products are compared.
        statistics: training images whose views give the statistics of batch normalisation after training.
        neighbours: that vote.
    """

    images: Annotated[int, Field(ge=4)]
    views: Annotated[int, Field(ge=2)]
    pairs_of: Annotated[int, Field(ge=3)]
    statistics: Annotated[int, Field(ge=2)]
    neighbours: PositiveInt


class ContrastiveArm(ArmLabels, Objective):
    """Networks that minimise one objective."""


class ContrastiveStage(ArmStage):
    """Training and test of the networks of one arm.

    Attributes:
        initialisation: name that networks start under, the same for all arms.
    """

    stage: Literal["train"] = "train"
    initialisation: Name
    data: ContrastiveImages
    views: Views
    network: ProjectedEncoder
    objective: Objective
    train: ContrastiveSteps
    probes: Probes


class ContrastiveExperiment(StudyBase):
    """Contrastive learning. Members are networks with starts, batches and views of their own."""

    kind: Literal["contrastive"]
    arms: dict[Name, ContrastiveArm] = Field(min_length=1)
    data: ContrastiveImages
    views: Views
    network: ProjectedEncoder
    train: ContrastiveSteps
    probes: Probes

    @model_validator(mode="after")
    def _check_sizes(self) -> "ContrastiveExperiment":
        channels = len(self.data.mean)
        if len(self.data.std) != channels:
            raise ValueError(f"data.std: expected {channels} numbers, as of data.mean, found {len(self.data.std)}")
        if self.views.coloured and channels != 3:
            raise ValueError(f"views: saturation, hue and grey need 3 channels; the images have {channels}")
        probes, outputs = self.probes, self.network.outputs
        if probes.images % 2 or probes.images // 2 < outputs:
            raise ValueError(
                f"probes.images: expected an even number of at least {2 * outputs}, since half of them fit a rotation "
                f"in {outputs} dimensions (network.outputs), found {probes.images}"
            )
        if probes.pairs_of > probes.images // 2:
            raise ValueError(f"probes.pairs_of: expected at most {probes.images // 2}, found {probes.pairs_of}")
        test, train = self.data.test.num, self.data.train.num
        if test is not None and test < probes.images:
            raise ValueError(f"probes.images: expected at most the {test} of data.test.num, found {probes.images}")
        if train is not None and train < max(self.train.batch_size, probes.statistics, probes.neighbours):
            raise ValueError(
                "data.train.num: expected at least train.batch_size, probes.statistics and probes.neighbours, "
                f"found {train}"
            )
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
            return SummaryStage(**self.facts())
        name = self.trained_arm(stage, arm)
        own = self.arms[name]
        return ContrastiveStage(
            experiment=self.experiment,
            seed=self.seed,
            arm=name,
            initialisation="encoder",
            data=self.data,
            views=self.views,
            network=self.network,
            objective=Objective(invariance=own.invariance, weight=own.weight),
            train=self.train,
            probes=self.probes,
        )

    def arm_facts(self, name: str) -> ArmFacts:
        """Returns what summaries and figures know of one arm."""
        return ArmFacts(**self.arms[name].labels(name))

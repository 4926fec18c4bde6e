"""Typed configuration of an experiment with networks on images: data, arms, training, evaluation.

``emergent.config.studies`` reads ``config/experiments/<name>.yaml`` into it, and ``emergent.config.stages`` cuts it
into what each stage may depend on.
"""

from typing import Annotated, Literal

from pydantic import Field, NonNegativeInt, PositiveInt, model_validator

from emergent.config.base import Many, Name, StrictModel
from emergent.config.models import MlpModel, Model
from emergent.config.study import GroupName, StudyBase
from emergent.config.training import Training

Interpolation = Literal["bilinear", "nearest"]
Fill = Literal["background", "zero"]


class DataSelection(StrictModel):
    """A part of a data set.

    Attributes:
        dataset: entry of ``config/datasets.yaml``.
        split: e.g. ``train`` or ``test``.
        num: number of samples; null takes all. A fixed permutation picks them, so more samples extend fewer.
    """

    dataset: Name
    split: Name
    num: PositiveInt | None = None


class EvaluationSet(DataSelection):
    """Samples on which trained networks are evaluated.

    Attributes:
        role: ``in`` for in-distribution, ``ood`` for out of distribution, ``train`` for the training samples.
        primary: the set that claims about its role refer to; one per role at most.
        scaling: ``training`` scales pixels like the training set; ``unit`` divides by 255 only.
        interpolation: of the rotations in testing; null takes that of the arm's augmentation.
        fill: what enters from outside the frame in testing; null takes that of the arm's augmentation.
    """

    role: Literal["train", "in", "ood"]
    primary: bool = False
    scaling: Literal["training", "unit"] = "training"
    interpolation: Interpolation | None = None
    fill: Fill | None = None


class Data(StrictModel):
    """Training set, evaluation sets and how pixels become network inputs.

    Attributes:
        scaling: ``none`` for real-valued fields; ``standardise`` divides 8-bit pixels by 255, subtracts the mean of
            the training pixels and divides by their std; real-valued sets are in these units already.
        shape: (H, W, C) of one input, checked against the data.
    """

    shape: Annotated[tuple[PositiveInt, PositiveInt, PositiveInt], Field(strict=False)]
    train: DataSelection
    evaluate: dict[Name, EvaluationSet]
    scaling: Literal["none", "standardise"]

    @model_validator(mode="after")
    def _check(self) -> "Data":
        for role in ("train", "in", "ood"):
            primaries = [name for name, entry in self.evaluate.items() if entry.role == role and entry.primary]
            if len(primaries) > 1:
                raise ValueError(f"evaluate: only one set of role {role!r} may be primary, found {primaries}")
        return self


class Augmentation(StrictModel):
    """Data augmentation by a finite group acting on the input.

    Attributes:
        group: C1, C4, C8, C16, D4, ...
        mode: ``random`` draws one element per sample and step; ``full`` uses the whole orbit of every sample.
        interpolation: for elements that do not map the pixel lattice to itself.
        fill: what enters from outside the frame: ``background`` is a black pixel (8-bit value 0) after scaling.
    """

    group: GroupName
    mode: Literal["random", "full"]
    interpolation: Interpolation = "bilinear"
    fill: Fill = "background"


class Arm(StrictModel):
    """One architecture with its initialisation and augmentation.

    Attributes:
        augmentation: applied in training.
        orbit_group: group on whose orbits the arm is evaluated; null takes that of the augmentation.
        share_initialisation: arms with equal text here start member by member from the same parameters.
    """

    model: Model
    augmentation: Augmentation
    orbit_group: GroupName | None = None
    share_initialisation: Name | None = None


class Kernel(StrictModel):
    """Exact infinite-width prediction, at the same training time as the networks.

    Attributes:
        model: architecture whose width goes to infinity (its ``width`` is ignored).
        tile_size: samples per side of one tile of the Gram matrix.
        readings: data sets whose infinite-width spread is laid beside the published one, because the published
            settings are not known.
    """

    model: MlpModel
    tile_size: PositiveInt = 256
    readings: Many[Name] = ()


class Bootstrap(StrictModel):
    """Resampled ensembles, whose members are drawn uniformly with replacement from the pool (arXiv 2410.01452).

    Attributes:
        sizes: ensemble sizes N.
        num: ensembles drawn per size; their spread is the published error bar, so at least 2.
        epochs: checkpoints at which every member's outputs are kept for resampling.
    """

    sizes: Many[PositiveInt] = Field(min_length=1)
    num: Annotated[int, Field(ge=2)]
    epochs: Many[NonNegativeInt] = Field(min_length=1)


class Evaluation(StrictModel):
    """What is measured on the trained members.

    Attributes:
        member_metrics: reductions of each member's outputs on the orbits, by name in ``emergent.metrics.orbit``.
        ensemble_sizes: sizes of the disjoint ensembles of consecutive members.
        max_ensembles: at most so many disjoint ensembles per size, the first ones.
        batch_size: inputs (samples x group elements) per forward pass; null takes 128 on a CPU, where small batches
            stay in the caches, and 8192 on accelerators.
        reference_ensemble_size: the size that claims about single numbers refer to; null takes the largest.
        energy_scale: kind ``ising`` only: what orbit standard deviations are divided by, from the infinite ensemble's
            energies E on each set: ``mean_absolute`` mean |E|, ``absolute_mean`` |mean E|, ``per_sample`` |E|.
        bootstrap: kind ``orbit_divergence`` only.
    """

    member_metrics: Many[
        Literal["orbit_same_predictions", "correct", "orbit_energy_std", "symmetric_kl", "cross_entropy"]
    ]
    ensemble_sizes: Many[PositiveInt]
    max_ensembles: PositiveInt
    batch_size: PositiveInt | None = None
    reference_ensemble_size: PositiveInt | None = None
    energy_scale: Literal["mean_absolute", "absolute_mean", "per_sample"] | None = None
    bootstrap: Bootstrap | None = None


class Experiment(StudyBase):
    """One image data set and one question, at one scale."""

    kind: Literal["ising", "orbit_same_prediction", "convergence", "orbit_divergence"]
    data: Data
    arms: dict[Name, Arm]
    kernel: Kernel | None = None
    train: Training
    evaluate: Evaluation

    @model_validator(mode="after")
    def _check(self) -> "Experiment":
        if not self.arms:
            raise ValueError("arms: expected at least one")
        if self.kind == "convergence" and set(self.arms) != {"cnn", "gcnn"}:
            raise ValueError(f"arms: kind 'convergence' compares 'cnn' and 'gcnn', found {sorted(self.arms)}")
        if self.kind == "ising" and self.kernel is None:
            raise ValueError("kernel: kind 'ising' compares with the infinite-width prediction; add a kernel section")
        too_large = [size for size in self.evaluate.ensemble_sizes if size > self.members.num]
        if too_large:
            raise ValueError(f"evaluate.ensemble_sizes: {too_large} exceed members.num = {self.members.num}")
        if self.kernel is not None and not self.kernel.readings:
            raise ValueError("kernel.readings: expected at least one data set with splits train, test and ood")
        if self.kind == "ising" and self.evaluate.energy_scale is None:
            raise ValueError("evaluate.energy_scale: kind 'ising' needs it; see emergent.config.experiment.Evaluation")
        reference = self.evaluate.reference_ensemble_size
        if reference is not None and reference not in self.evaluate.ensemble_sizes:
            raise ValueError(f"evaluate.reference_ensemble_size: {reference} is not one of the ensemble_sizes")
        if self.train.optimiser != "sgd" and self.kernel is not None:
            raise ValueError("train.optimiser: the infinite-width prediction describes 'sgd' only")
        self._check_bootstrap()
        height, width, _ = self.data.shape
        for name, arm in self.arms.items():
            groups = {"augmentation.group": arm.augmentation.group, "orbit_group": arm.orbit_group}
            for key, group in (groups | {"model.group": getattr(arm.model, "group", None)}).items():
                if height != width and group not in (None, "C1", "C2", "D1", "D2"):
                    raise ValueError(
                        f"arms.{name}.{key}: {group} turns images by other angles than 180 degrees, which needs a "
                        f"square image, but data.shape is {height} x {width}"
                    )
        return self

    def _check_bootstrap(self) -> None:
        bootstrap = self.evaluate.bootstrap
        if (bootstrap is None) == (self.kind == "orbit_divergence"):
            raise ValueError("evaluate.bootstrap: kind 'orbit_divergence' needs it, and no other kind reads it")
        if bootstrap is None:
            return
        too_large = [size for size in bootstrap.sizes if size > self.members.num]
        if too_large:
            raise ValueError(f"evaluate.bootstrap.sizes: {too_large} exceed the pool, members.num = {self.members.num}")
        absent = sorted(set(bootstrap.epochs) - set(self.train.checkpoint_epochs()))
        if absent:
            raise ValueError(
                f"evaluate.bootstrap.epochs: no checkpoint at {absent}; there are {self.train.checkpoint_epochs()}"
            )

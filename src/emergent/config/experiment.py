"""Typed configuration of one experiment: data, arms, training, evaluation, and its three scales.

``load_experiment`` reads ``config/experiments/<name>.yaml``, lays the delta of one scale over it, validates the
result and returns an immutable ``Experiment``. ``emergent.config.stages`` cuts it into what each stage may depend on.
"""

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, NonNegativeInt, PositiveInt, model_validator

from emergent.config.base import Many, Name, StrictModel, hint, merge, read_yaml, validate
from emergent.config.models import MlpModel, Model
from emergent.config.training import Training
from emergent.errors import ConfigError

Scale = Literal["smoke", "laptop", "paper"]
GroupName = Annotated[str, Field(pattern=r"^[CD][1-9][0-9]*$")]
"""C_n (rotations by 360 / n degrees) or D_n (with mirror images)."""
SCALES: tuple[Scale, ...] = ("smoke", "laptop", "paper")


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
    """

    role: Literal["train", "in", "ood"]
    primary: bool = False


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
    interpolation: Literal["bilinear", "nearest"] = "bilinear"
    fill: Literal["background", "zero"] = "background"


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


class Members(StrictModel):
    """Size of the ensembles and of the blocks in which members are trained."""

    num: PositiveInt
    block: PositiveInt

    @model_validator(mode="after")
    def _check(self) -> "Members":
        if self.num % self.block:
            below = self.num - self.num % self.block
            choices = f"{below} or {below + self.block}" if below else str(self.block)
            raise ValueError(f"num: expected a multiple of block ({self.block}), found {self.num}; use {choices}")
        return self

    def blocks(self) -> tuple[str, ...]:
        """Returns the block names, e.g. ``("0000-0099", "0100-0199")``."""
        return tuple(f"{i:04d}-{i + self.block - 1:04d}" for i in range(0, self.num, self.block))


class Evaluation(StrictModel):
    """What is measured on the trained members.

    Attributes:
        member_metrics: reductions of each member's outputs on the orbits, by name in ``emergent.metrics.orbit``.
        ensemble_sizes: sizes of the disjoint ensembles of consecutive members.
        max_ensembles: at most so many disjoint ensembles per size, the first ones.
        batch_size: inputs (samples x group elements) per forward pass; on a CPU small batches stay in its caches, and
            128 was found to be twice as fast as 1000.
        reference_ensemble_size: the size that claims about single numbers refer to; null takes the largest.
        energy_scale: kind ``ising`` only: what orbit standard deviations are divided by, from the infinite ensemble's
            energies E on each set: ``mean_absolute`` mean |E|, ``absolute_mean`` |mean E|, ``per_sample`` |E|.
    """

    member_metrics: Many[Literal["orbit_same_predictions", "correct", "orbit_energy_std"]]
    ensemble_sizes: Many[PositiveInt]
    max_ensembles: PositiveInt
    batch_size: PositiveInt = 128
    reference_ensemble_size: PositiveInt | None = None
    energy_scale: Literal["mean_absolute", "absolute_mean", "per_sample"] | None = None


class Assumed(StrictModel):
    """A setting that the paper does not state, with the reason for the value chosen."""

    key: str
    reason: str


class Experiment(StrictModel):
    """One data set and one question, at one scale."""

    experiment: Name
    kind: Literal["ising", "orbit_same_prediction", "convergence"]
    paper: Literal["gerken_kessel", "misof"]
    title: str
    seed: NonNegativeInt
    data: Data
    arms: dict[Name, Arm]
    kernel: Kernel | None = None
    train: Training
    members: Members
    evaluate: Evaluation
    assumed: Many[Assumed] = ()

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
        if self.train.checkpoint_every and self.train.num_epochs % self.train.checkpoint_every:
            raise ValueError("train.checkpoint_every: must divide train.num_epochs, so that the last epoch is stored")
        height, width, _ = self.data.shape
        for name, arm in self.arms.items():
            groups = {"augmentation.group": arm.augmentation.group, "orbit_group": arm.orbit_group}
            for key, group in (groups | {"model.group": getattr(arm.model, "group", None)}).items():
                if height != width and group not in (None, "C1", "C2", "D1", "D2"):
                    raise ValueError(
                        f"arms.{name}.{key}: {group} turns images by other angles than 180 degrees, which needs a "
                        f"square image, but data.shape is {height} x {width}"
                    )
        for item in self.assumed:
            _look_up(self, item.key)
        return self


def _look_up(model: Any, key: str) -> Any:
    """Returns the value at a dotted key path of a model; the key may pass through mappings."""
    current = model
    for part in key.split("."):
        known = sorted(current) if isinstance(current, dict) else sorted(getattr(type(current), "model_fields", {}))
        if part not in known:
            raise ValueError(f"assumed: key {key!r} does not exist at {part!r}{hint(part, known)}")
        current = current[part] if isinstance(current, dict) else getattr(current, part)
    return current


def assumptions(experiment: Experiment) -> list[dict[str, Any]]:
    """Returns every assumed setting as ``{"key", "value", "reason"}`` with the value in force at this scale."""
    dumped = experiment.model_dump(mode="json")
    result = []
    for item in experiment.assumed:
        value: Any = dumped
        for part in item.key.split("."):
            value = value[part]
        result.append({"key": item.key, "value": value, "reason": item.reason})
    return result


def experiment_names(folder: Path) -> list[str]:
    """Returns the names of all experiments in a folder, sorted."""
    return sorted(path.stem for path in folder.glob("*.yaml"))


def load_experiment(folder: Path, name: str, scale: str) -> Experiment:
    """Returns one experiment at one scale.

    Args:
        folder: usually ``config/experiments``.
        name: file name without ending.
        scale: ``smoke``, ``laptop`` or ``paper``.

    Raises:
        ConfigError: no such experiment or scale, unknown key, wrong type or impossible combination.
    """
    if scale not in SCALES:
        raise ConfigError(f"scale: expected one of {', '.join(SCALES)}, found {scale!r}{hint(scale, list(SCALES))}.")
    path = folder / f"{name}.yaml"
    content = read_yaml(path)
    scales = content.pop("scales", None)
    if not isinstance(scales, dict) or set(scales) != set(SCALES):
        raise ConfigError(f"{path}: scales: expected exactly {', '.join(SCALES)}, found {list(scales or {})}.")
    if content.get("experiment") != name:
        found = content.get("experiment")
        raise ConfigError(f"{path}: experiment: expected the file's own name {name!r}, found {found!r}.")
    delta = scales[scale] or {}
    if not isinstance(delta, dict):
        raise ConfigError(f"{path}: scales.{scale}: expected a mapping of keys to values, found {delta!r}.")
    return validate(Experiment, merge(content, delta), f"{path} (scale {scale})")

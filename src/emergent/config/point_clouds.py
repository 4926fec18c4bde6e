"""Typed configuration of experiments of kind ``point_clouds``: ensembles on clouds from meshes, rotated at random.

References:
    arXiv 2410.01452, point-cloud experiment.
"""

from typing import Any, Literal

from pydantic import Field, PositiveInt, model_validator

from emergent.config.base import Many, Name, StrictModel
from emergent.config.pointnet import PointNetModel, Sampling
from emergent.config.study import StudyBase
from emergent.config.training import Training
from emergent.errors import ConfigError, ResourceError

FLOAT_BYTES = 4
# Forward values of the widest layer that the backward pass keeps, and as many gradients on the way.
MESSAGE_COPIES = 10
BASE_BYTES = 600 * 2**20


class MeshSelection(StrictModel):
    """A part of a data set of meshes.

    Attributes:
        dataset: entry of ``config/datasets.yaml``.
        split: e.g. ``train`` or ``test``.
        num: number of meshes; null takes all. A fixed permutation picks them, so more meshes extend fewer.
    """

    dataset: Name
    split: Name
    num: PositiveInt | None = None


class MeshEvaluationSet(MeshSelection):
    """Meshes on which trained networks are evaluated.

    Attributes:
        role: ``in`` for in-distribution, ``ood`` for out of distribution.
        primary: the set that figures show and claims about its role refer to; one per role.
    """

    role: Literal["in", "ood"]
    primary: bool = False


class PointData(StrictModel):
    """Training meshes, evaluation sets and how clouds are drawn from them."""

    train: MeshSelection
    evaluate: dict[Name, MeshEvaluationSet] = Field(min_length=1)
    sampling: Sampling

    @model_validator(mode="after")
    def _check(self) -> "PointData":
        for role in ("in", "ood"):
            primaries = [name for name, entry in self.evaluate.items() if entry.role == role and entry.primary]
            if len(primaries) > 1:
                raise ValueError(f"evaluate: only one set of role {role!r} may be primary, found {primaries}")
        return self


class PointArm(StrictModel):
    """One architecture with its initialisation.

    Attributes:
        augmentation: ``rotations`` turns every training cloud by its own Haar-uniform rotation about the origin.
    """

    model: PointNetModel
    augmentation: Literal["rotations", "none"] = "rotations"


class PointEvaluation(StrictModel):
    """What is measured on the trained members.

    Attributes:
        num_rotations: Haar-uniform rotations, drawn once from the seed and shared by all members and clouds.
        batch_size: clouds per forward pass; it enters the outputs where the normalisation spans a batch.
        points: ``per_member`` draws the test clouds anew for each member, ``shared`` once for all.
        ensemble_sizes: sizes of the ensembles, drawn with replacement from the pool.
        num_bootstraps: ensembles per size.
    """

    num_rotations: PositiveInt
    batch_size: PositiveInt
    points: Literal["per_member", "shared"]
    ensemble_sizes: Many[PositiveInt] = Field(min_length=1)
    num_bootstraps: int = Field(ge=2)


class PointCloudExperiment(StudyBase):
    """Ensembles of networks on point clouds, at one scale."""

    kind: Literal["point_clouds"]
    data: PointData
    arms: dict[Name, PointArm] = Field(min_length=1)
    train: Training
    evaluate: PointEvaluation

    @model_validator(mode="after")
    def _check(self) -> "PointCloudExperiment":
        if self.train.batch_size is None:
            raise ValueError("train.batch_size: point clouds are trained in batches; expected a number, found null")
        if self.train.loss != "cross_entropy":
            raise ValueError(f"train.loss: expected 'cross_entropy', found {self.train.loss!r}")
        if self.train.checkpoint_epochs() != (self.train.num_epochs,):
            raise ValueError("train.checkpoints: only the last epoch is evaluated; leave both checkpoint keys out")
        too_large = [size for size in self.evaluate.ensemble_sizes if size > self.members.num]
        if too_large:
            raise ValueError(f"evaluate.ensemble_sizes: {too_large} exceed members.num = {self.members.num}")
        if list(self.evaluate.ensemble_sizes) != sorted(set(self.evaluate.ensemble_sizes)):
            raise ValueError("evaluate.ensemble_sizes: expected ascending sizes")
        return self

    @property
    def verbs(self) -> dict[str, str]:
        """Returns the command-line verb of each stage."""
        return {"train": "train_points", "evaluate": "evaluate_points"}

    def dataset_names(self, stage: str) -> list[str]:
        """Returns the data sets that a stage reads, sorted."""
        if stage == "train":
            return [self.data.train.dataset]
        return sorted({entry.dataset for entry in self.data.evaluate.values()})

    def splits_used(self) -> list[tuple[str, str]]:
        """Returns every (data set, split) that the experiment reads."""
        return [(entry.dataset, entry.split) for entry in (self.data.train, *self.data.evaluate.values())]

    def stage_config(self, stage: str, arm: str | None) -> dict[str, Any]:
        """Returns the settings that one stage (of one arm) depends on.

        Raises:
            ConfigError: no such stage or arm.
        """
        dumped = self.model_dump(mode="json")
        common = self.common_config(stage)
        evaluate, sets = dumped["evaluate"], dumped["data"]["evaluate"]
        if stage == "summary":
            return common | {
                "data": {n: {key: s[key] for key in ("role", "primary", "dataset")} for n, s in sets.items()},
                "data_order": list(sets),
                "ensemble_sizes": evaluate["ensemble_sizes"],
                "num_bootstraps": evaluate["num_bootstraps"],
            }
        if stage not in ("train", "evaluate"):
            raise ConfigError(f"stage: expected train, evaluate or summary, found {stage!r}.")
        if arm not in self.arms:
            raise ConfigError(f"arm: expected one of {', '.join(self.arms)}, found {arm!r}.")
        common |= {
            "arm": arm,
            "model": dumped["arms"][arm]["model"],
            "sampling": dumped["data"]["sampling"],
            "matmul_precision": self.train.matmul_precision,
        }
        if stage == "train":
            settings = {"train": dumped["train"], "augmentation": dumped["arms"][arm]["augmentation"]}
            return common | settings | {"data": dumped["data"]["train"]}
        selections = {n: {key: s[key] for key in ("dataset", "split", "num")} for n, s in sets.items()}
        keys = ("num_rotations", "batch_size", "points")
        return common | {"data": selections, "evaluate": {key: evaluate[key] for key in keys}}

    def require_memory(self, limit_bytes: int, vectorised: bool) -> None:
        """Checks that one training step fits; members train one after another on every device.

        Raises:
            ResourceError: naming arm, need and limit.
        """
        del vectorised
        sampling = self.data.sampling
        messages = (self.train.batch_size or 0) * sampling.num_points * (sampling.num_neighbours + 1)
        distances = (self.train.batch_size or 0) * sampling.num_points**2
        for name, arm in self.arms.items():
            widest = max(arm.model.local_net)
            need = BASE_BYTES + FLOAT_BYTES * (MESSAGE_COPIES * messages * widest + 2 * distances)
            if need > limit_bytes:
                raise ResourceError(
                    f"{self.experiment}, arm {name}: a step needs about {need / 2**30:.1f} GiB, but "
                    f"{limit_bytes / 2**30:.1f} GiB may be used; lower train.batch_size or data.sampling.num_points."
                )

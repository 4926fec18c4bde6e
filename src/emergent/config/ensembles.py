"""Typed configuration of experiments with ensembles: data of any domain, arms, training, evaluation.

Each question asked of the evaluated members is a subclass (``emergent.config.questions``), which adds the settings of
its summary. What training, evaluation and prediction may depend on is cut out here.
"""

from collections.abc import Mapping
from typing import Any, ClassVar

from pydantic import Field, model_validator

from emergent.config.arms import Arm
from emergent.config.base import Name, hint
from emergent.config.blocks import Members
from emergent.config.domains import Data, EvaluationSet, ImageData, for_evaluation, for_training, selections
from emergent.config.evaluation import Evaluation, EvaluationSettings
from emergent.config.groups import orbit_order
from emergent.config.infinite_width import require_infinite_width
from emergent.config.stages import ArmFacts, DataFacts, EvaluateStage, PredictStage, Stage, SummaryStage, TrainStage
from emergent.config.study import StudyBase
from emergent.config.training import Training
from emergent.errors import ConfigError


class EnsembleExperiment(StudyBase):
    """Ensembles of networks and one question, at one scale."""

    keeps_whole_blocks: ClassVar[bool] = False
    counts_costs: ClassVar[bool] = False
    needed_metrics: ClassVar[tuple[str, ...]] = ()
    knows_rotations: ClassVar[bool] = False
    """Whether its summary knows evaluation sets with rotations of their own."""
    pools_may_differ: ClassVar[bool] = False
    """Whether its summary knows arms that have fewer members than others."""

    data: Data
    arms: dict[Name, Arm] = Field(min_length=1)
    train: Training
    evaluate: Evaluation

    @model_validator(mode="after")
    def _check(self) -> "EnsembleExperiment":
        absent = [name for name in self.needed_metrics if name not in self.evaluate.member_metrics]
        if absent:
            raise ValueError(f"evaluate.member_metrics: the summary of this kind reads {', '.join(absent)} too; add it")
        too_large = [size for size in self.evaluate.ensemble_sizes if size > self.members.num]
        if too_large:
            raise ValueError(f"evaluate.ensemble_sizes: {too_large} exceed members.num = {self.members.num}")
        reference = self.evaluate.reference_ensemble_size
        if reference is not None and reference not in self.evaluate.ensemble_sizes:
            raise ValueError(f"evaluate.reference_ensemble_size: {reference} is not one of the ensemble_sizes")
        self._check_rotations()
        for name, arm in self.arms.items():
            self._check_group(name, arm)
            self._check_symmetrised(name, arm)
            self._check_members_of(name, arm)
            self._check_num_members(name, arm)
            misfit = arm.model.misfit(getattr(self.data, "shape", ()))
            if misfit is not None:
                raise ValueError(f"arms.{name}.model.{misfit}")
            if arm.infinite_width is not None:
                self._check_infinite_width(name, arm)
        return self

    def _check_rotations(self) -> None:
        own = [name for name, entry in self.data.evaluate.items() if entry.rotations is not None]
        if not own:
            return
        if not self.knows_rotations:
            kind = getattr(self, "kind", "")
            raise ValueError(f"data.evaluate.{own[0]}.rotations: kind {kind!r} knows the arms' group only")
        if predicted := self.arms_of("predict"):
            raise ValueError(
                f"data.evaluate.{own[0]}.rotations: infinitely wide ensembles are predicted on orbits of the arms' "
                f"group only; leave rotations out, or infinite_width of {', '.join(predicted)}"
            )

    def _check_group(self, name: str, arm: Arm) -> None:
        if not isinstance(self.data, ImageData):
            return
        height, width, _ = self.data.shape
        groups = {"augmentation.group": arm.augmentation.group, "orbit_group": arm.orbit_group}
        for key, group in (groups | {"model.group": getattr(arm.model, "group", None)}).items():
            if height != width and group not in (None, "C1", "C2", "D1", "D2"):
                raise ValueError(
                    f"arms.{name}.{key}: {group} turns images by other angles than 180 degrees, which needs a "
                    f"square image, but data.shape is {height} x {width}"
                )

    def _check_symmetrised(self, name: str, arm: Arm) -> None:
        group = arm.model.symmetrised
        if group is not None and group != arm.orbit.group:
            raise ValueError(
                f"arms.{name}.model.group: the network is made invariant under {group}, but the arm is evaluated on "
                f"orbits of {arm.orbit.group}; give model and orbit_group (or augmentation) the same group"
            )

    def _check_members_of(self, name: str, arm: Arm) -> None:
        if arm.members_of is None or arm.members_of.experiment not in (None, self.experiment):
            return
        source = arm.members_of.arm
        if source not in self.arms or self.arms[source].members_of is not None:
            trained = [key for key, other in self.arms.items() if other.members_of is None]
            raise ValueError(
                f"arms.{name}.members_of.arm: expected an arm that is trained, found {source!r}{hint(source, trained)}"
            )

    def _check_num_members(self, name: str, arm: Arm) -> None:
        if arm.num_members is None:
            return
        if not self.pools_may_differ:
            kind = getattr(self, "kind", "")
            raise ValueError(
                f"arms.{name}.num_members: kind {kind!r} compares arms of equally many members; leave it out"
            )
        num, block = self.members_of_arm(name).num, self.members.block
        if num % block or num < min(self.evaluate.ensemble_sizes):
            raise ValueError(
                f"arms.{name}.num_members: expected a multiple of members.block ({block}) that fills an ensemble of "
                f"{min(self.evaluate.ensemble_sizes)}, found {num}"
            )

    def _check_infinite_width(self, name: str, arm: Arm) -> None:
        """Refuses what would make the infinitely wide ensemble another experiment than the trained one."""
        where, shape = f"arms.{name}.infinite_width", getattr(self.data, "shape", ())
        require_infinite_width(where, arm.model, self.training_of(name), arm.augmentation, self.data.domain, shape)
        if arm.infinite_width and arm.infinite_width.readings and getattr(self.data, "outputs", None) != "pixels":
            raise ValueError(f"{where}.readings: the spread of energies needs data.outputs 'pixels'")

    def checkpoint_epochs(self) -> tuple[int, ...]:
        """Returns the epochs at which parameters are stored."""
        return self.train.checkpoint_epochs()

    def output_epochs(self) -> tuple[int, ...]:
        """Returns the checkpoints at which every member's outputs are kept."""
        return ()

    def training_of(self, arm: str) -> Training:
        """Returns the training of one arm."""
        own = {key: getattr(self.arms[arm], key) for key in ("learning_rate", "loss", "optimiser")}
        own = {key: value for key, value in own.items() if value is not None}
        # Read again: an optimiser may not take the other settings.
        return Training.model_validate(self.train.model_dump() | own) if own else self.train

    def dataset_names(self, stage: str) -> list[str]:
        """Returns the data sets that a stage reads, sorted."""
        if stage == "train":
            return [self.data.train.dataset]
        names = {entry.dataset for entry in selections(self.data)}
        if stage == "predict":
            names |= {name for arm in self.arms.values() if arm.infinite_width for name in arm.infinite_width.readings}
        return sorted(names)

    def splits_used(self) -> list[tuple[str, str]]:
        """Returns every (data set, split) that the experiment reads."""
        return [(entry.dataset, entry.split) for entry in selections(self.data)]

    def arms_of(self, stage: str) -> tuple[str, ...]:
        """Returns the arms that have a stage."""
        if stage == "train":
            return tuple(name for name, arm in self.arms.items() if arm.members_of is None)
        return tuple(n for n, arm in self.arms.items() if stage != "predict" or arm.infinite_width is not None)

    def members_of_arm(self, arm: str) -> Members:
        """Returns how the members of an arm are cut into blocks."""
        num = self.arms[arm].num_members
        # Not more than the experiment has: a run of fewer members is asked for in one place.
        return self.members if num is None else self.members.model_copy(update={"num": min(num, self.members.num)})

    def trained_by(self, arm: str) -> tuple[str, str]:
        """Returns the experiment and the arm whose members an arm evaluates: its own, unless it says members_of."""
        source = self.arms[arm].members_of
        return (self.experiment, arm) if source is None else (source.experiment or self.experiment, source.arm)

    def training_stage(self, arm: str) -> TrainStage:
        """Returns how the members of an arm are trained, also where another one trains them."""
        own = self.arms[arm]
        return TrainStage(
            experiment=self.experiment,
            seed=self.seed,
            arm=arm,
            initialisation=own.share_initialisation or arm,
            data=for_training(self.data, own.num_training_samples),
            model=own.model.trained(),
            augmentation=own.augmentation,
            train=self.training_of(arm),
        )

    def shown_samples(self) -> tuple[tuple[str, str], ...]:
        """Returns (data set, split) of the evaluation sets whose first inputs a figure shows."""
        return tuple((entry.dataset, entry.split) for entry in self.data.evaluate.values() if entry.show_samples)

    def member_metrics(self) -> tuple[str, ...]:
        """Returns the metrics of members that are asked for."""
        return self.evaluate.member_metrics

    def test_sets(self) -> Mapping[str, EvaluationSet]:
        """Returns the evaluation sets by name."""
        return self.data.evaluate

    def stage(self, stage: str, arm: str | None = None) -> Stage:
        """Returns the settings that one stage (of one arm) depends on.

        Raises:
            ConfigError: no such stage or arm.
        """
        if stage == "summary":
            return self.summary_stage()
        if arm not in self.arms:
            raise ConfigError(
                f"arm: expected one of {', '.join(self.arms)}, found {arm!r}{hint(str(arm), list(self.arms))}."
            )
        own, common = self.arms[arm], {"experiment": self.experiment, "seed": self.seed, "arm": arm}
        if stage == "train" and own.members_of is None:
            return self.training_stage(arm)
        data = for_evaluation(self.data)
        if stage == "evaluate":
            return EvaluateStage(
                **common, data=data, model=own.model, orbit=own.orbit, evaluate=self.evaluation_settings()
            )
        if stage == "predict" and own.infinite_width is not None:
            return PredictStage(
                **common,
                data=data,
                model=own.model.infinitely_wide(),
                augmentation=own.augmentation,
                orbit=own.orbit,
                # What is stored on the way does not enter the prediction, and must not make it run again.
                train=self.training_of(arm).model_copy(update={"checkpoint_every": None, "checkpoints": None}),
                tile_size=own.infinite_width.tile_size,
                readings=own.infinite_width.readings,
            )
        raise ConfigError(f"{self.experiment}, arm {arm}: no stage {stage!r}.")

    def evaluation_settings(self) -> EvaluationSettings:
        """Returns what the evaluation of a block may depend on."""
        return EvaluationSettings(
            **self.evaluate.model_dump(include=set(EvaluationSettings.model_fields)),
            output_epochs=self.output_epochs(),
            whole_blocks=self.keeps_whole_blocks,
            costs=self.counts_costs,
        )

    def summary_stage(self) -> SummaryStage:
        """Returns what the summary depends on; each question adds its own settings."""
        raise NotImplementedError

    def arm_facts(self, name: str) -> ArmFacts:
        """Returns what summaries and figures know of one arm."""
        arm = self.arms[name]
        orbit = arm.orbit
        return ArmFacts(
            **arm.labels(name),
            group=orbit.group,
            order=orbit_order(orbit.group, orbit.num_elements),
            width=arm.model.hidden_width,
            interpolation=arm.augmentation.interpolation if self.data.domain == "images" else None,
            num_members=None if arm.num_members is None else self.members_of_arm(name).num,
        )

    def data_facts(self) -> tuple[DataFacts, ...]:
        """Returns what summaries and figures know of the evaluation sets, in order."""
        return tuple(
            DataFacts(name=name, **{key: getattr(entry, key) for key in DataFacts.model_fields if key != "name"})
            for name, entry in self.data.evaluate.items()
        )

    def ensemble_facts(self) -> dict[str, Any]:
        """Returns the fields of the summary stage that all questions on ensembles share."""
        sizes = self.evaluate.ensemble_sizes
        return self.facts() | {
            "ensemble_sizes": sizes,
            "max_ensembles": self.evaluate.max_ensembles,
            "reference_ensemble_size": self.evaluate.reference_ensemble_size or max(sizes),
        }

    def evaluation_inputs(self, arm: str, num_samples: Mapping[str, int]) -> list[int]:
        """Returns how many inputs each evaluation set makes: on the orbits of an arm, or under rotations of its own.

        Args:
            arm: name of the arm.
            num_samples: size of each evaluation set.
        """
        order = self.arm_facts(arm).order
        rotations = {name: entry.rotations for name, entry in self.data.evaluate.items()}
        return [num * (own.order if (own := rotations[name]) else order) for name, num in num_samples.items()]

    def evaluation_bytes(self, arm: str, num_samples: Mapping[str, int]) -> int:
        """Returns the estimated peak memory, in bytes, of evaluating one block of an arm.

        Args:
            arm: name of the arm.
            num_samples: size of each evaluation set.
        """
        inputs = self.evaluation_inputs(arm, num_samples)
        outputs = sum(inputs) * self.arms[arm].model.num_outputs
        floats = [num * self.data.sample_floats for num in inputs]
        return self.evaluation_settings().memory_bytes(
            self.members.block, len(self.train.checkpoint_epochs()), floats, outputs
        )

"""What every experiment has, whatever it trains: name, paper, seed, members, assumptions; base of the typed kinds."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Literal

from pydantic import Field, NonNegativeInt, model_validator

from emergent.config.base import Many, Name, StrictModel, hint
from emergent.config.blocks import Members
from emergent.config.domains import DataSelection, ImageTraining
from emergent.config.papers import Paper
from emergent.config.stages import ArmFacts, Assumption, DataFacts, Stage
from emergent.errors import ConfigError

Scale = Literal["smoke", "laptop", "paper"]
SCALES: tuple[Scale, ...] = ("smoke", "laptop", "paper")


class Assumed(StrictModel):
    """A setting that the paper does not state, with the reason for the value chosen."""

    key: str
    reason: str
    fitted: Many[str] = Field(
        default=(),
        description="claims (patterns of identifiers) whose published values decided it: meeting them proves nothing",
    )
    fitted_to: str = Field(default="", description="the published values that decided it, in words")

    @model_validator(mode="after")
    def _check_words(self) -> "Assumed":
        if self.fitted and not self.fitted_to:
            raise ValueError(
                f"assumed: {self.key}: fitted names claims; say in fitted_to which published values they are."
            )
        return self


class ArmLabels(StrictModel):
    """How an arm is called, and which one it is compared with.

    Attributes:
        label: name in tables; null takes the arm's own.
        symbol: name in legends, as mathematics; null takes the label.
        short: name where space is scarce; null takes the label.
        compare_to: another arm; differences are this arm minus that one.
    """

    label: str | None = None
    symbol: str | None = None
    short: str | None = None
    compare_to: Name | None = None

    def labels(self, name: str) -> dict[str, Any]:
        """Returns these fields, for ``ArmFacts``, of the arm of a name."""
        label = self.label or name.replace("_", " ")
        return {"name": name, "label": label, "symbol": self.symbol, "short": self.short, "compare_to": self.compare_to}


class StudyBase(StrictModel):
    """Fields of every experiment, and what the workflow asks of one.

    A subclass adds ``kind`` (a literal), ``arms`` and its settings, and cuts out what each stage depends on.

    Attributes:
        label: short name, for legends that tell experiments apart; null takes the experiment's own.
    """

    experiment: Name
    paper: Paper
    title: str
    label: str | None = None
    seed: NonNegativeInt
    members: Members
    assumed: Many[Assumed] = ()

    @model_validator(mode="after")
    def _check_keys(self) -> "StudyBase":
        # Looked up for its error alone: an assumption about no setting would be listed without a value.
        for item in self.assumed:
            _look_up(self, item.key)
        arms = self._arms()
        for name, arm in arms.items():
            if arm.compare_to is not None and (arm.compare_to not in arms or arm.compare_to == name):
                raise ValueError(
                    f"arms.{name}.compare_to: expected another arm, found {arm.compare_to!r}"
                    f"{hint(arm.compare_to, sorted(set(arms) - {name}))}"
                )
        return self

    def _arms(self) -> dict[str, ArmLabels]:
        return getattr(self, "arms")  # noqa: B009 - declared by every subclass, with its own type

    @property
    def arm_names(self) -> tuple[str, ...]:
        """Returns the names of the arms, in order."""
        return tuple(self._arms())

    def members_of_arm(self, arm: str) -> Members:
        """Returns how the members of an arm are cut into blocks."""
        del arm
        return self.members

    def arms_of(self, stage: str) -> tuple[str, ...]:
        """Returns the arms that have a stage; the plan asks for stages of this kind only."""
        return () if stage == "predict" else self.arm_names

    def trained_by(self, arm: str) -> tuple[str, str]:
        """Returns the experiment and the arm whose members an arm evaluates: its own, unless it says otherwise."""
        return self.experiment, arm

    def dataset_names(self, stage: str) -> list[str]:
        """Returns the data sets that a stage reads, sorted; none where everything is drawn."""
        del stage
        return []

    def splits_used(self) -> list[tuple[str, str]]:
        """Returns every (data set, split) that the experiment reads; none where everything is drawn."""
        return []

    def too_large(self, size: Callable[[str, str], int]) -> Iterator[str]:
        """Yields what is larger than its data, in words.

        Args:
            size: of a split of a data set, by the registry.
        """
        del size
        return iter(())

    def shown_samples(self) -> tuple[tuple[str, str], ...]:
        """Returns (data set, split) of the evaluation sets whose first inputs a figure shows."""
        return ()

    def stage(self, stage: str, arm: str | None = None) -> Stage:
        """Returns the settings that one stage (of one arm) depends on.

        Raises:
            ConfigError: no such stage or arm.
        """
        raise NotImplementedError

    def trained_arm(self, stage: str, arm: str | None) -> str:
        """Returns the arm whose training is asked for, the only stage of an arm in kinds without an evaluation.

        Raises:
            ConfigError: another stage, or no such arm.
        """
        known = ", ".join(self.arm_names)
        if stage != "train" or arm is None or arm not in self.arm_names:
            raise ConfigError(f"{self.experiment}: no stage {stage!r} of arm {arm!r}; arms: {known}.")
        return arm

    def training_bytes(self, arm: str) -> int:
        """Returns the estimated peak memory, in bytes, of training one block; 0 for small kinds, which always fit."""
        del arm
        return 0

    def evaluation_inputs(self, arm: str, num_samples: Mapping[str, int]) -> list[int]:
        """Returns how many inputs the networks of an arm see on each evaluation set; none without an evaluation."""
        del arm, num_samples
        return []

    def evaluation_bytes(self, arm: str, num_samples: Mapping[str, int]) -> int:
        """Returns the estimated peak memory, in bytes, of evaluating one block; 0 for kinds without an evaluation."""
        del arm, num_samples
        return 0

    def member_metrics(self) -> tuple[str, ...]:
        """Returns the metrics of members that are asked for."""
        return ()

    def test_sets(self) -> Mapping[str, DataSelection]:
        """Returns the evaluation sets by name."""
        return {}

    def arm_facts(self, name: str) -> ArmFacts:
        """Returns what summaries and figures know of one arm."""
        return ArmFacts(**self._arms()[name].labels(name))

    def data_facts(self) -> tuple[DataFacts, ...]:
        """Returns what summaries and figures know of the evaluation sets, in order."""
        return ()

    def facts(self) -> dict[str, Any]:
        """Returns the fields of ``SummaryStage``."""
        return {
            "experiment": self.experiment,
            "seed": self.seed,
            "kind": getattr(self, "kind"),  # noqa: B009 - declared by every subclass, with its own literal
            "title": self.title,
            "label": self.label or self.experiment.replace("_", " "),
            "num_members": self.members.num,
            "arms": tuple(self.arm_facts(name) for name in self.arm_names),
            "data": self.data_facts(),
            "assumed": assumptions(self),
        }


def _look_up(model: Any, key: str) -> Any:
    """Returns the value at a dotted key path of a model; the key may pass through mappings."""
    current = model
    for part in key.split("."):
        known = sorted(current) if isinstance(current, dict) else sorted(getattr(type(current), "model_fields", {}))
        if part not in known:
            raise ValueError(f"assumed: key {key!r} does not exist at {part!r}{hint(part, known)}")
        current = current[part] if isinstance(current, dict) else getattr(current, part)
    return current


def assumptions(experiment: StudyBase) -> tuple[Assumption, ...]:
    """Returns every assumed setting with the value in force at this scale."""
    dumped = experiment.model_dump(mode="json")
    result = []
    for item in experiment.assumed:
        value: Any = dumped
        for part in item.key.split("."):
            value = value[part]
        result.append(
            Assumption(key=item.key, value=value, reason=item.reason, fitted=item.fitted, fitted_to=item.fitted_to)
        )
    return tuple(result)


class ImageStudy(StudyBase):
    """An experiment that reads images in training and nothing else.

    Attributes:
        data: the images; drawn from, or all trained on.
    """

    data: ImageTraining

    def dataset_names(self, stage: str) -> list[str]:
        """Returns the data set."""
        return [self.data.train.dataset] if stage == "train" else []

    def splits_used(self) -> list[tuple[str, str]]:
        """Returns the split that is read."""
        return [(self.data.train.dataset, self.data.train.split)]

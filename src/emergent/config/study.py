"""What every experiment has, whatever it trains: name, paper, seed, members, assumptions; base of the typed kinds."""

import re
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, NonNegativeInt, model_validator

from emergent.config.base import Many, Name, StrictModel, hint
from emergent.config.blocks import Members
from emergent.config.papers import Paper

Scale = Literal["smoke", "laptop", "paper"]
SCALES: tuple[Scale, ...] = ("smoke", "laptop", "paper")


def _check_group(name: str) -> str:
    if not re.fullmatch(r"[CD][1-9][0-9]{0,2}", name):
        raise ValueError("expected C or D followed by a number from 1 to 999, for example C4 or D4")
    return name


GroupName = Annotated[str, AfterValidator(_check_group)]
"""C_n (rotations by 360 / n degrees) or D_n (with mirror images)."""


class Assumed(StrictModel):
    """A setting that the paper does not state, with the reason for the value chosen."""

    key: str
    reason: str


class StudyBase(StrictModel):
    """Fields of every experiment, and what the workflow asks of one.

    A subclass adds ``kind`` (a literal), ``arms`` and its settings, and says what each stage depends on.
    """

    experiment: Name
    paper: Paper
    title: str
    seed: NonNegativeInt
    members: Members
    assumed: Many[Assumed] = ()

    @model_validator(mode="after")
    def _check_assumed(self) -> "StudyBase":
        for item in self.assumed:
            _look_up(self, item.key)
        return self

    @property
    def arm_names(self) -> tuple[str, ...]:
        """Returns the names of the arms, in order."""
        return tuple(getattr(self, "arms"))  # noqa: B009 - declared by every subclass, with its own type

    @property
    def verbs(self) -> dict[str, str]:
        """Returns the command-line verb of each stage; without ``evaluate`` the summary reads the training files."""
        raise NotImplementedError

    def dataset_names(self, stage: str) -> list[str]:
        """Returns the data sets that a stage reads, sorted; none where everything is drawn."""
        del stage
        return []

    def splits_used(self) -> list[tuple[str, str]]:
        """Returns every (data set, split) that the experiment reads; none where everything is drawn."""
        return []

    def common_config(self, stage: str) -> dict[str, Any]:
        """Returns what the configuration of every stage holds, and that of the summary besides."""
        common: dict[str, Any] = {"experiment": self.experiment, "seed": self.seed, "stage": stage}
        if stage != "summary":
            return common
        return common | {
            "kind": getattr(self, "kind"),  # noqa: B009 - declared by every subclass, with its own literal
            "title": self.title,
            "arm_order": list(self.arm_names),
            "num_members": self.members.num,
        }

    def stage_config(self, stage: str, arm: str | None) -> dict[str, Any]:
        """Returns the settings that one stage (of one arm) depends on."""
        raise NotImplementedError

    def require_memory(self, limit_bytes: int, vectorised: bool) -> None:
        """Raises ``ResourceError`` if a block cannot fit into memory; the small kinds always fit."""
        del limit_bytes, vectorised


def _look_up(model: Any, key: str) -> Any:
    """Returns the value at a dotted key path of a model; the key may pass through mappings."""
    current = model
    for part in key.split("."):
        known = sorted(current) if isinstance(current, dict) else sorted(getattr(type(current), "model_fields", {}))
        if part not in known:
            raise ValueError(f"assumed: key {key!r} does not exist at {part!r}{hint(part, known)}")
        current = current[part] if isinstance(current, dict) else getattr(current, part)
    return current


def assumptions(experiment: StudyBase) -> list[dict[str, Any]]:
    """Returns every assumed setting as ``{"key", "value", "reason"}`` with the value in force at this scale."""
    dumped = experiment.model_dump(mode="json")
    result = []
    for item in experiment.assumed:
        value: Any = dumped
        for part in item.key.split("."):
            value = value[part]
        result.append({"key": item.key, "value": value, "reason": item.reason})
    return result

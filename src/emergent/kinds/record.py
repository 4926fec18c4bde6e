"""What the pipeline knows of one kind of experiment."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from emergent.config.stages import SummaryStage
from emergent.config.study import StudyBase

if TYPE_CHECKING:
    from emergent.summaries.files import Blocks, Predictions, Tables


Summarise = Callable[[Any, "Blocks", "Predictions"], "Tables"]
"""Settings of the summary stage, arm to its files, arm to the prediction of its infinitely wide ensemble; to tables."""


@dataclass(frozen=True)
class Kind:
    """One kind of experiment.

    Attributes:
        config: class of its configuration.
        settings: class of the settings of its summary.
        verbs: command-line verb of each stage of an arm; without ``evaluate`` the summary reads the training files.
        summary: loads the function that makes its summary. Only when it is called: Snakemake reads these records, and
            would import what it never runs.
    """

    config: type[StudyBase]
    settings: type[SummaryStage]
    verbs: Mapping[str, str]
    summary: Callable[[], Summarise]

    @property
    def final_stage(self) -> str:
        """Returns the stage whose files the summary reads."""
        return "evaluate" if "evaluate" in self.verbs else "train"

    @property
    def resumes(self) -> bool:
        """Returns whether its verb of the stage ``train`` takes ``--resume``, to go on from a shorter training."""
        return self.verbs["train"] == ENSEMBLES["train"]


ENSEMBLES = {"train": "train", "evaluate": "evaluate", "predict": "predict"}
"""Verbs of every question that is asked of ensembles."""

KINDS: dict[str, Kind] = {}
"""All kinds by name; filled by the modules of this package when it is imported."""


def kind(
    config: type[StudyBase], settings: type[SummaryStage], verbs: Mapping[str, str]
) -> Callable[[Callable[[], Summarise]], Callable[[], Summarise]]:
    """Returns a decorator that makes a record of what loads the summary, under its name."""

    def add(summary: Callable[[], Summarise]) -> Callable[[], Summarise]:
        KINDS[summary.__name__] = Kind(config, settings, verbs, summary)
        return summary

    return add

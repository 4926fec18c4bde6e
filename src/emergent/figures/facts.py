"""What figures know of the experiments they draw: labels and order of arms, roles and conditions of evaluation sets.

Read from the configuration that each summary carries, so that nothing is guessed from a name.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from pydantic import ValidationError

from emergent import storage
from emergent.config.stages import ArmFacts, DataFacts, SummaryStage
from emergent.errors import DataError
from emergent.figures import style


class Facts(NamedTuple):
    """One experiment.

    Attributes:
        experiment: its name.
        label: its name in legends that tell experiments apart.
        num_members: of each arm.
        arms: in the order of the experiment.
        data: evaluation sets in the order of the experiment.
    """

    experiment: str
    label: str
    num_members: int
    arms: tuple[ArmFacts, ...]
    data: tuple[DataFacts, ...]


class Inputs(NamedTuple):
    """What a plot draws.

    Attributes:
        tables: summary tables and arrays by name.
        facts: of the experiments, in the order of the figure's entry.
    """

    tables: Mapping[str, pd.DataFrame | np.ndarray]
    facts: tuple[Facts, ...] = ()

    def experiment(self, name: str) -> Facts:
        """Returns the facts of one experiment.

        Raises:
            DataError: none were read.
        """
        for facts in self.facts:
            if facts.experiment == name:
                return facts
        known = ", ".join(facts.experiment for facts in self.facts) or "none"
        raise DataError(f"no facts of experiment {name!r} were read from its summary; known: {known}.")

    def arms(self) -> list[ArmFacts]:
        """Returns the arms of all experiments, each name once, in the order of the first experiment that has it."""
        found: dict[str, ArmFacts] = {}
        for facts in self.facts:
            for arm in facts.arms:
                found.setdefault(arm.name, arm)
        return list(found.values())

    def arms_in(self, table: pd.DataFrame) -> list[ArmFacts]:
        """Returns the arms that a table with a column ``arm`` holds, in the order of the experiments.

        Raises:
            DataError: the table has an arm of which the summary's configuration does not speak.
        """
        present = set(table["arm"])
        known = [arm for arm in self.arms() if arm.name in present]
        if missing := sorted(present - {arm.name for arm in known}):
            raise DataError(
                f"the table has arm(s) {', '.join(missing)} that the summary's configuration does not name; it names: "
                f"{', '.join(arm.name for arm in self.arms()) or 'none'}. Make the summary again."
            )
        return known

    def data_name(self, data: str) -> str:
        """Returns an evaluation set's name as readers know it; that of a repetition is the name of its original."""
        for facts in self.facts:
            for item in facts.data:
                if item.name == data:
                    return item.label or style.data_name(item.condition_of or data)
        return style.data_name(data)

    def data_names(self, data: Sequence[str]) -> str:
        """Returns the names of evaluation sets as prose, each once."""
        words = list(dict.fromkeys(self.data_name(name) for name in data))
        return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"


def facts_of(stage: SummaryStage) -> Facts:
    """Returns what the configuration of a summary says about its experiment."""
    return Facts(stage.experiment, stage.label, stage.num_members, stage.arms, stage.data)


def read_facts(summary: Path) -> Facts:
    """Returns what a summary's configuration says about its experiment.

    Raises:
        DataError: the summary has no configuration, or one without these facts.
    """
    text = storage.read_attributes(summary).get("config_json")
    if text is None:
        raise DataError(f"{summary}: no attribute config_json, which holds labels and roles; make the summary again.")
    settings = json.loads(str(text))
    try:
        return Facts(
            str(settings["experiment"]), str(settings["label"]), int(settings["num_members"]),
            tuple(ArmFacts.model_validate(arm) for arm in settings["arms"]),
            tuple(DataFacts.model_validate(data) for data in settings["data"]),
        )  # fmt: skip
    except (KeyError, TypeError, ValidationError) as error:
        raise DataError(
            f"{summary}: its config_json does not hold the facts that figures read (experiment, label, num_members, "
            f"arms, data): {type(error).__name__}: {error}. Make the summary again."
        ) from None

"""Everything that a workflow run will do, known when the Snakefile is parsed: experiments at all scales, data, figures.

The Snakefile asks this object and computes nothing itself. All configuration files are read and validated here, so
that any mistake in them is reported before the first job.
"""

import math
import os
from functools import cache
from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from emergent.config.base import Many, Name, StrictModel, canonical_json, hint, validate
from emergent.config.claims import read_claims
from emergent.config.datasets import DatasetRegistry, load_registry
from emergent.config.experiment import Experiment
from emergent.config.figures import Entry, read_catalogue
from emergent.config.memory import evaluation_bytes, physical_memory_bytes
from emergent.config.overrides import Overrides
from emergent.config.references import read_reference
from emergent.config.studies import (
    all_verbs,
    dataset_names,
    experiment_names,
    has_kernel,
    load_experiment,
    require_memory,
    splits_used,
    stage_config,
    verbs,
)
from emergent.config.study import SCALES, Scale, StudyBase
from emergent.errors import ConfigError

STAGES = ("train", "evaluate")
LEAST_MB = 4000


class RunConfig(StrictModel):
    """``config/config.yaml``: which papers, experiments and scale are on.

    Attributes:
        scale: scale of the default targets.
        experiments: experiments that run.
        members: train so many members of every arm; members are numbered, so a later run with more adds
            blocks and recomputes none. Null takes all.
        block: members per job and file, in place of what the experiments say.
        epochs: train for so many; a later run with more of them goes on from there (plain gradient descent). Null
            takes what the experiments say.
        arms: ``all`` adds the arms that a scale leaves out; null takes the scale's.
        substitute: data sets by the name of the one that is used in place of them, where one cannot be had.
        figures: figures and tables that are made; null makes all whose experiments run.
        mirror: folder with data files, tried before any download.
        memory_gb: memory in GiB that one training job may use; null takes the machine's.
        accelerator: jobs train all members of a block at once, as they do on a GPU; memory_gb is then the GPU's.
    """

    scale: Scale
    experiments: Many[Name]
    members: int | None = Field(default=None, gt=0, strict=False)
    block: int | None = Field(default=None, gt=0, strict=False)
    epochs: int | None = Field(default=None, gt=0, strict=False)
    arms: Literal["all"] | None = None
    substitute: dict[Name, Name] = Field(default_factory=dict)
    figures: Many[Name] | None = None
    mirror: str | None = None
    memory_gb: float | None = Field(default=None, gt=0)
    accelerator: bool = Field(default=False, strict=False)


class Plan:
    """Validated configuration of a run.

    Attributes:
        run: the run's configuration.
        registry: data sets.
        figures: all figures and tables by name.
    """

    def __init__(self, config: dict[str, Any], folder: Path) -> None:
        """Reads and validates everything under ``folder``.

        Args:
            config: content of ``config.yaml`` with command-line overrides.
            folder: the folder ``config``.

        Raises:
            ConfigError: any mistake in any file, or an experiment or data set that does not exist.
            ResourceError: a block of members that cannot fit into memory.
        """
        self.folder = folder
        self.run = validate(RunConfig, config, "config/config.yaml (or --config)")
        self.registry: DatasetRegistry = load_registry(folder / "datasets.yaml")
        self.figures: dict[str, Entry] = read_catalogue(folder / "figures.yaml")
        self.names = experiment_names(folder / "experiments")
        for name in self.run.experiments:
            if name not in self.names:
                raise ConfigError(
                    f"config/config.yaml: experiments: no experiment {name!r}{hint(name, self.names)}. "
                    f"There are: {', '.join(self.names)}."
                )
            for scale in SCALES:
                self.experiment(scale, name)
        self._check_substitutes()
        self.selected_figures()
        read_claims(folder / "claims.yaml")
        for path in sorted((folder / "references").glob("*.json")):
            read_reference(path)
        limit = int(self.run.memory_gb * 2**30) if self.run.memory_gb else physical_memory_bytes()
        for name in self.run.experiments:
            require_memory(self._sized(self.experiment(self.run.scale, name)), limit, vectorised=self.run.accelerator)
        if self.run.mirror:
            # Jobs inherit the environment; a path in the rule's parameters would make downloads run again.
            os.environ["EMERGENT_MIRROR"] = str(Path(self.run.mirror).expanduser().resolve())

    @cache  # noqa: B019 - one plan lives as long as the process
    def experiment(self, scale: str, name: str) -> StudyBase:
        """Returns one experiment at one scale, with its data sets checked against the registry."""
        run = self.run
        overrides = None
        if scale == run.scale:
            overrides = Overrides(run.members, run.block, run.epochs, run.arms == "all", run.substitute)
        study = load_experiment(self.folder / "experiments", name, scale, overrides)
        for dataset in self._datasets_of_kernel(study):
            self.registry.entry(dataset)
        for dataset, split in splits_used(study):
            splits = self.registry.entry(dataset).splits
            if split not in splits:
                raise ConfigError(
                    f"{name} (scale {scale}): data set {dataset} has no split {split!r}"
                    f"{hint(split, list(splits))}. Its splits: {', '.join(splits)}."
                )
        return study

    def _check_substitutes(self) -> None:
        """Checks that every data set to be replaced is one that this run would use.

        Raises:
            ConfigError: it is not; the message suggests the nearest name.
        """
        if not self.run.substitute:
            return
        studies = [load_experiment(self.folder / "experiments", name, self.run.scale) for name in self.run.experiments]
        used = sorted({data for study in studies for stage in STAGES for data in dataset_names(study, stage)})
        for name in self.run.substitute:
            if name not in used:
                raise ConfigError(
                    f"config/config.yaml: substitute: {name!r} is used by none of the experiments of this run"
                    f"{hint(name, used) or '.'} They use: {', '.join(used)}."
                )

    def _datasets_of_kernel(self, study: StudyBase) -> list[str]:
        return dataset_names(study, "kernel") if has_kernel(study) else []

    def _sized(self, experiment: StudyBase) -> StudyBase:
        """Returns the experiment with the size of its training set filled in from the registry."""
        if not isinstance(experiment, Experiment):
            return experiment
        train = experiment.data.train
        num = train.num or self.registry.entry(train.dataset).splits[train.split]
        data = experiment.data.model_copy(update={"train": train.model_copy(update={"num": num})})
        return experiment.model_copy(update={"data": data})

    @cache  # noqa: B019
    def stage_json(self, scale: str, name: str, stage: str, arm: str | None = None) -> str:
        """Returns the canonical JSON that drives one stage."""
        return canonical_json(stage_config(self.experiment(scale, name), stage, arm))

    def dataset_json(self, dataset: str, stage: str) -> str:
        """Returns the canonical JSON that drives ``download`` or ``prepare`` of a data set."""
        choose = {"download": self.registry.download_config, "prepare": self.registry.prepare_config}[stage]
        return canonical_json(choose(dataset))

    def raw_paths(self, dataset: str) -> list[str]:
        """Returns the downloaded files that a data set is prepared from."""
        owner = self.registry.raw_owner(dataset)
        return [f"results/datasets/{owner}/raw/{name}" for name in self.registry.raw_files(dataset)]

    def datasets(self, scale: str, name: str, stage: str = "evaluate") -> list[str]:
        """Returns the data sets that a stage of an experiment reads."""
        return dataset_names(self.experiment(scale, name), stage)

    def verb(self, scale: str, name: str, stage: str) -> str | None:
        """Returns the command-line verb of stage ``train`` or ``evaluate``; None where a kind has no such stage."""
        return verbs(self.experiment(scale, name)).get(stage)

    def all_verbs(self) -> list[str]:
        """Returns the command-line verbs of all kinds of experiments, sorted."""
        return sorted(all_verbs())

    def evaluation_mb(self, scale: str, name: str, arm: str) -> int:
        """Returns the memory, in MB, that the evaluation of one block asks a scheduler for; at least 4 GB."""
        study = self.experiment(scale, name)
        if not isinstance(study, Experiment):
            return LEAST_MB
        sets = {
            key: entry.num or self.registry.entry(entry.dataset).splits[entry.split]
            for key, entry in study.data.evaluate.items()
        }
        return max(LEAST_MB, math.ceil(evaluation_bytes(study, arm, sets) / 1e6))

    def has_kernel(self, scale: str, name: str) -> bool:
        """Returns whether an experiment compares with the infinite-width prediction."""
        return has_kernel(self.experiment(scale, name))

    def blocks(self, scale: str, name: str) -> list[str]:
        """Returns ``<arm>/members_<block>.h5`` of every block of an experiment."""
        study = self.experiment(scale, name)
        return [f"{arm}/members_{block}.h5" for arm in study.arm_names for block in study.members.blocks()]

    def sample_paths(self, scale: str, name: str) -> list[str]:
        """Returns the generated out-of-distribution set whose first tiles an experiment shows, if it has one."""
        study = self.experiment(scale, name)
        evaluate = study.data.evaluate.values() if isinstance(study, Experiment) else ()
        chosen = [entry.dataset for entry in evaluate if entry.role == "ood" and entry.primary]
        return [
            f"results/datasets/{dataset}/prepared.h5"
            for dataset in chosen
            if self.registry.entry(dataset).module == "gaussian_fields"
        ]

    def stand_in_notes(self, scale: str, experiments: tuple[str, ...]) -> list[str]:
        """Returns one sentence for every stand-in or altered data set behind some experiments, for captions."""
        names = sorted({data for name in experiments for stage in STAGES for data in self.datasets(scale, name, stage)})
        notes = []
        replaced = {new: old for old, new in self.run.substitute.items()} if scale == self.run.scale else {}
        for name, entry in ((name, self.registry.entry(name)) for name in names):
            if name in replaced and not entry.stand_in_for:
                notes.append(f"{entry.title} in place of {self.registry.entry(replaced[name]).title}, as asked for.")
            elif entry.stand_in_for:
                notes.append(f"Stand-in: {entry.title} in place of {entry.stand_in_for}.")
            elif entry.module == "cifar10_jpeg":
                notes.append(f"{entry.title}: {entry.notes}")
        return notes

    def selected_figures(self, kind: str | None = None) -> list[str]:
        """Returns the figures and tables of this run whose experiments are on, in the order of the catalogue.

        Raises:
            ConfigError: a figure that does not exist or whose experiment is off.
        """
        possible = [n for n, e in self.figures.items() if set(e.experiments) <= set(self.run.experiments)]
        if self.run.figures is not None:
            for name in self.run.figures:
                if name not in possible:
                    reason = "its experiments are off" if name in self.figures else f"unknown{hint(name, possible)}"
                    raise ConfigError(
                        f"config/config.yaml: figures: {name!r}: {reason}. Possible: {', '.join(possible)}."
                    )
            possible = [name for name in possible if name in self.run.figures]
        return [name for name in possible if kind is None or self.figures[name].kind == kind]

    def figure_json(self, name: str) -> str:
        """Returns the canonical JSON of one entry of ``figures.yaml``."""
        return canonical_json(self.figures[name])

    def report_labels(self, name: str) -> dict[str, str]:
        """Returns how a figure is listed in the report."""
        entry = self.figures[name]
        return {"figure": entry.id, "shows": entry.title}

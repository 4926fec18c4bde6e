"""Everything that a workflow run will do, known when the Snakefile is parsed: experiments at all scales, data, figures.

The Snakefile asks this object and computes nothing itself. All configuration files are read and validated here, so
that any mistake in them is reported before the first job.
"""

import os
from collections.abc import Collection
from functools import cache
from pathlib import Path
from typing import Any

from emergent.config.base import canonical_json, hint, validate
from emergent.config.claims import read_claims
from emergent.config.consistency import require_fitted_claims, require_same_training, require_samples
from emergent.config.datasets import DatasetRegistry, load_registry
from emergent.config.figure_claims import require_shown_claims
from emergent.config.figures import Entry, read_catalogue
from emergent.config.overrides import Overrides
from emergent.config.references import read_reference
from emergent.config.run import RunConfig
from emergent.config.stages import SummaryStage
from emergent.config.study import SCALES, StudyBase
from emergent.errors import ConfigError
from emergent.kinds import KINDS, Kind, experiment_names, kind_of, load_experiment


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
                self._check_members_of(scale, self.experiment(scale, name))
        self._check_substitutes()
        self.selected_figures()
        claims = read_claims(folder / "claims.yaml")
        require_shown_claims(self.figures, claims)
        for name in self.run.experiments:
            require_fitted_claims(self.experiment(self.run.scale, name), claims)
        for path in sorted((folder / "references").glob("*.json")):
            read_reference(path)
        if self.run.mirror:
            # Jobs inherit the environment; a path in the rule's parameters would make downloads run again.
            os.environ["EMERGENT_MIRROR"] = str(Path(self.run.mirror).expanduser().resolve())
        os.environ["EMERGENT_ACCELERATOR"] = "1" if self.run.accelerator else ""

    @cache  # noqa: B019 - one plan lives as long as the process
    def experiment(self, scale: str, name: str) -> StudyBase:
        """Returns one experiment at one scale, with its data sets checked against the registry."""
        run = self.run
        overrides = None
        # Overrides belong to the scale that runs; files of other scales can be asked for by name, as configured.
        if scale == run.scale:
            overrides = Overrides(run.members, run.block, run.epochs, run.arms == "all", run.substitute, run.samples)
        study = load_experiment(self.folder / "experiments", name, scale, overrides)
        for stage in kind_of(study).verbs:
            for dataset in study.dataset_names(stage):
                self.registry.entry(dataset)
        require_samples(study, self.registry, scale)
        return study

    def _check_members_of(self, scale: str, study: StudyBase) -> None:
        for arm in study.arm_names:
            name, _ = study.trained_by(arm)
            if name not in self.names:
                where = f"config/experiments/{study.experiment}.yaml: arms.{arm}.members_of.experiment"
                raise ConfigError(f"{where}: no experiment {name!r}{hint(name, self.names)}")
            require_same_training(study, arm, self.experiment(scale, name), scale)

    def _check_substitutes(self) -> None:
        """Checks that every data set to be replaced is one that this run would use.

        Raises:
            ConfigError: it is not; the message suggests the nearest name.
        """
        if not self.run.substitute:
            return
        studies = [load_experiment(self.folder / "experiments", name, self.run.scale) for name in self.run.experiments]
        used = sorted(
            {data for study in studies for stage in kind_of(study).verbs for data in study.dataset_names(stage)}
        )
        for name in self.run.substitute:
            if name not in used:
                raise ConfigError(
                    f"config/config.yaml: substitute: {name!r} is used by none of the experiments of this run"
                    f"{hint(name, used) or '.'} They use: {', '.join(used)}."
                )

    def kind(self, scale: str, name: str) -> Kind:
        """Returns the record of an experiment's kind."""
        return kind_of(self.experiment(scale, name))

    def num_samples(self, dataset: str, split: str, num: int | None) -> int:
        """Returns the size of a selection, from the registry where it takes all of a split."""
        return num or self.registry.entry(dataset).splits[split]

    @cache  # noqa: B019
    def stage_json(self, scale: str, name: str, stage: str, arm: str | None = None) -> str:
        """Returns the canonical JSON that drives one stage."""
        study = self.experiment(scale, name)
        settings = study.stage(stage, arm)
        if isinstance(settings, SummaryStage):
            sets, of = study.test_sets().items(), self.registry.entry
            settings = settings.of_draws({key for key, s in sets if of(s.dataset).is_drawn(s.split)})
        return canonical_json(settings)

    def require_metrics(self, known: Collection[str]) -> None:
        """Checks that the experiments of this run ask for metrics that there are.

        Args:
            known: names of metrics of members; they are functions, which the configuration cannot import.

        Raises:
            ConfigError: one is not known; the message suggests the nearest name.
        """
        for name in self.run.experiments:
            for metric in self.experiment(self.run.scale, name).member_metrics():
                if metric not in known:
                    raise ConfigError(
                        f"config/experiments/{name}.yaml: evaluate.member_metrics: no metric {metric!r}"
                        f"{hint(metric, sorted(known))}. There are: {', '.join(sorted(known))}."
                    )

    def dataset_json(self, dataset: str, stage: str) -> str:
        """Returns the canonical JSON that drives ``download`` or ``prepare`` of a data set."""
        choose = {"download": self.registry.download_config, "prepare": self.registry.prepare_config}[stage]
        return canonical_json(choose(dataset))

    def raw_paths(self, dataset: str) -> list[str]:
        """Returns the downloaded files that a data set is prepared from."""
        folder = f"results/datasets/{self.registry.raw_owner(dataset)}/raw"
        return [f"{folder}/{name}" for name in self.registry.raw_files(dataset)]

    def datasets(self, scale: str, name: str, stage: str = "evaluate") -> list[str]:
        """Returns the data sets that a stage of an experiment reads."""
        return self.experiment(scale, name).dataset_names(stage)

    def verb(self, scale: str, name: str, stage: str) -> str:
        """Returns the command-line verb of a stage of an experiment.

        Raises:
            ConfigError: experiments of its kind have no such stage.
        """
        verbs = self.kind(scale, name).verbs
        if stage not in verbs:
            raise ConfigError(f"{name}: experiments of its kind have no stage {stage!r}, only {', '.join(verbs)}.")
        return verbs[stage]

    def all_verbs(self) -> list[str]:
        """Returns the command-line verbs of all kinds of experiments, sorted."""
        return sorted({verb for kind in KINDS.values() for verb in kind.verbs.values()})

    def predictions(self, scale: str, name: str) -> dict[str, str]:
        """Returns arm to the file with the predictions of its infinitely wide ensemble."""
        if "predict" not in self.kind(scale, name).verbs:
            return {}
        arms = self.experiment(scale, name).arms_of("predict")
        return {arm: f"results/{scale}/{name}/kernels/{arm}/predictions.h5" for arm in arms}

    def blocks(self, scale: str, name: str, stage: str = "evaluate") -> list[str]:
        """Returns ``<arm>/members_<block>.h5`` of every block that a stage of an experiment makes."""
        study = self.experiment(scale, name)
        blocks = {arm: study.members_of_arm(arm).blocks() for arm in study.arms_of(stage)}
        return [f"{arm}/members_{block}.h5" for arm, own in blocks.items() for block in own]

    def trained_block(self, scale: str, name: str, arm: str, block: str) -> str:
        """Returns the file with the trained members that a block of an arm evaluates."""
        source, trained = self.experiment(scale, name).trained_by(arm)
        held = self.experiment(scale, source).members_of_arm(trained).holding(block)
        return f"results/{scale}/{source}/train/{trained}/members_{held}.h5"

    def sample_paths(self, scale: str, name: str) -> list[str]:
        """Returns the prepared set whose first samples an experiment shows, if it has one."""
        return [f"results/datasets/{d}/prepared.h5" for d, _ in self.experiment(scale, name).shown_samples()]

    def stand_in_notes(self, scale: str, experiments: tuple[str, ...]) -> list[str]:
        """Returns one sentence for every stand-in or altered data set behind some experiments, for captions."""
        used = {d for n in experiments for stage in self.kind(scale, n).verbs for d in self.datasets(scale, n, stage)}
        notes = []
        replaced = {new: old for old, new in self.run.substitute.items()} if scale == self.run.scale else {}
        for name, entry in ((name, self.registry.entry(name)) for name in sorted(used)):
            if name in replaced and not entry.stand_in_for:
                notes.append(f"{entry.title} in place of {self.registry.entry(replaced[name]).title}, as asked for.")
            elif entry.stand_in_for:
                notes.append(f"Stand-in: {entry.title} in place of {entry.stand_in_for}.")
            elif entry.caption_note:
                notes.append(f"{entry.title}: {entry.caption_note}")
        return notes

    def selected_figures(self, kind: str | None = None) -> list[str]:
        """Returns the figures and tables of this run whose experiments are on, in the order of the catalogue.

        Raises:
            ConfigError: a figure that does not exist or whose experiment is off.
        """
        possible = [n for n, e in self.figures.items() if set(e.experiments) <= set(self.run.experiments)]
        chosen = possible if self.run.figures is None else self.run.figures
        for name in chosen:
            if name not in possible:
                reason = "its experiments are off" if name in self.figures else f"unknown{hint(name, possible)}"
                raise ConfigError(f"config/config.yaml: figures: {name!r}: {reason}. Possible: {', '.join(possible)}.")
        return [name for name in possible if name in chosen and kind in (None, self.figures[name].kind)]

    def settings(self, scale: str) -> list[str]:
        """Returns what this run says beside its scale, as for ``--config``; other scales run as configured."""
        said = {} if scale != self.run.scale else self.run.model_dump(
            include={"members", "block", "epochs", "arms", "samples", "substitute"}, exclude_defaults=True
        )  # fmt: skip
        # Mappings in quotes, for the shell.
        return [f'{key}="{value}"' if isinstance(value, dict) else f"{key}={value}" for key, value in said.items()]

    def figure_path(self, scale: str, name: str) -> str:
        """Returns the main file of one figure or table; its others differ in what follows the name."""
        entry = self.figures[name]
        return f"figures/{scale}/{entry.paper}/{name}.{'pdf' if entry.kind == 'figure' else 'md'}"

    def figure_json(self, name: str) -> str:
        """Returns the canonical JSON of one entry of ``figures.yaml``."""
        return canonical_json(self.figures[name])

    def report_labels(self, name: str) -> dict[str, str]:
        """Returns how a figure is listed in the report."""
        return {"figure": self.figures[name].id, "shows": self.figures[name].title}

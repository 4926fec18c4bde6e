"""Which results, figures and verdicts of a run are no longer what configuration and code would give, and why.

Results hold the settings and the fingerprint of the code that made them, and provenance the digests of their inputs;
here these are held against today's. Snakemake decides by the same facts, and by those that it keeps itself, what to run
again; it does not say which setting or which module has changed.
"""

import hashlib
import json
import subprocess
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal

from emergent import storage
from emergent.fingerprint import code_fingerprint, import_closure
from emergent.lineage.ancestry import SAME, file_state, provenance_of
from emergent.lineage.reasons import Reason, together
from emergent.plan import Plan
from emergent.provenance import commit

State = Literal["up to date", "stale", "unfinished", "not run", "missing"]
ENTRY = "its entry of config/figures.yaml"


@dataclass(frozen=True)
class Item:
    """A figure, a table, or the verdicts of a run.

    Attributes:
        name: of the figure.
        id: e.g. ``F3``; of figures of one paper no two are alike.
        paper: of the figure.
        state: ``up to date``, ``stale`` or ``missing``.
        made: when and by which commit; empty if it is missing.
        experiments: that it shows.
        own: why it is not up to date, apart from its experiments.
        reasons: all of it in words, the earliest causes first.
    """

    name: str
    id: str
    paper: str
    state: State
    made: str
    experiments: tuple[str, ...]
    own: tuple[Reason, ...]
    reasons: tuple[str, ...]


@dataclass(frozen=True)
class ExperimentState:
    """An experiment of the run.

    Attributes:
        name: of the experiment.
        state: ``up to date``, ``stale``, ``unfinished`` (files are missing) or ``not run``.
        made: when and by which commit its summary; empty if there is none.
        reasons: why it is not up to date, each of them once with the stages and arms that it holds for.
    """

    name: str
    state: State
    made: str
    reasons: tuple[str, ...]


class Status:
    """Compares the files of one scale with what the plan says."""

    def __init__(self, plan: Plan, source: Path) -> None:
        """Compares nothing yet.

        Args:
            plan: of the run, made in the folder where its results are.
            source: folder that holds the package.
        """
        self._plan, self._source, self._scale = plan, source, plan.run.scale
        self.experiment_reasons = cache(self._experiment_reasons)
        self._fingerprint = cache(lambda module: code_fingerprint(module, source))
        self._closure = cache(lambda module: import_closure(module, source))
        self._changed_files = cache(self._changed_since)
        self._state = cache(file_state)

    def items(self) -> Iterator[Item]:
        """Yields every figure and table of the run, and at last its verdicts."""
        for name in self._plan.selected_figures():
            entry = self._plan.figures[name]
            main = Path(self._plan.figure_path(self._scale, name))
            known = {f"results/figures/{name}.json": _digest(self._plan.figure_json(name))}
            yield self._item((name, entry.id, entry.paper), main, entry.kind, entry.experiments, known)
        claims = Path("figures") / self._scale / "claims.csv"
        yield self._item(("claims", "", ""), claims, "claims", self._plan.run.experiments, {})

    def experiments(self) -> Iterator[ExperimentState]:
        """Yields every experiment of the run."""
        for name in self._plan.run.experiments:
            reasons, study = self.experiment_reasons(name), self._plan.experiment(self._scale, name)
            kinds = {reason.kind for reason in reasons}
            state: State = "stale" if kinds else "up to date"
            if kinds & {"not run", "missing"}:
                state = "not run" if "not run" in kinds else "unfinished"
            summary = Path("results") / self._scale / name / "summary.h5"
            arms = {stage: study.arms_of(stage) for stage in self._plan.kind(self._scale, name).verbs}
            date = made(provenance_of(summary)) if summary.exists() else ""
            yield ExperimentState(name, state, date, together(reasons, arms))

    def _item(
        self, names: tuple[str, str, str], main: Path, verb: str, experiments: tuple[str, ...], known: Mapping[str, str]
    ) -> Item:
        causes = [line for experiment in experiments for line in _counted(self.experiment_reasons(experiment))]
        if not main.exists():
            return Item(*names, "missing", "", experiments, (), tuple(causes))
        facts = provenance_of(main)
        own = [] if facts else [Reason("not recorded", stage=verb)]
        if facts:
            own += self._code_reasons(
                f"emergent.cli.{verb}", Reason("by code", stage=verb), facts.get("code_fingerprint"), facts
            )
            own += self._input_reasons(Reason("by input", stage=verb), facts, known)
        reasons = tuple(dict.fromkeys([*causes, *map(str, own)]))
        return Item(
            *names, "stale" if reasons else "up to date", made(facts), experiments, tuple(dict.fromkeys(own)), reasons
        )

    def _experiment_reasons(self, name: str) -> tuple[Reason, ...]:
        """Returns why the summary of an experiment is not what it would be today, stage by stage, once for a file."""
        plan, scale = self._plan, self._scale
        folder, study = Path("results") / scale / name, plan.experiment(scale, name)
        stages = [
            (stage, verb, arm, self._stage_files(folder, name, stage, arm))
            for stage, verb in plan.kind(scale, name).verbs.items()
            for arm in study.arms_of(stage)
        ]
        if not any(path.exists() for *_, paths in stages for path in [*paths, folder / "summary.h5"]):
            return (Reason("not run", name),)
        found: list[Reason] = []
        for stage, verb, arm, paths in stages:
            text = plan.stage_json(scale, name, stage, arm)
            for path in paths:
                found += self._file_reasons(path, Reason("missing", name, stage, arm), verb, text)
        text = plan.stage_json(scale, name, "summary")
        found += self._file_reasons(folder / "summary.h5", Reason("missing", name, "summary"), "summarise", text)
        return tuple(found)

    def _stage_files(self, folder: Path, name: str, stage: str, arm: str) -> list[Path]:
        if stage == "predict":
            return [Path(self._plan.predictions(self._scale, name)[arm])]
        blocks = self._plan.blocks(self._scale, name, stage)
        return [folder / stage / block for block in blocks if block.startswith(f"{arm}/")]

    def _file_reasons(self, path: Path, where: Reason, verb: str, text: str) -> list[Reason]:
        if not path.exists():
            return [where]
        attributes, facts = storage.peek_attributes(path), provenance_of(path)
        if not attributes:
            return [where._replace(kind="not readable")]
        reasons = []
        if attributes.get("config_json") != text:
            changes = differences(json.loads(attributes.get("config_json", "{}")), json.loads(text))
            reasons.append(where._replace(kind="by value", names=tuple(changes)))
        module = f"emergent.cli.{verb}"
        reasons += self._code_reasons(module, where, attributes.get("code_fingerprint"), facts)
        return reasons + self._input_reasons(where, facts, {})

    def _code_reasons(self, module: str, where: Reason, recorded: str | None, facts: Mapping[str, Any]) -> list[Reason]:
        if recorded == self._fingerprint(module):
            return []
        git = facts.get("git") or {}
        since = f" since commit {git['commit'][:12]}" if git else ""
        # What was changed but not committed then is not seen here.
        before = " or in changes not committed then" if git.get("dirty") else ""
        paths = {f"src/{name.replace('.', '/')}" for name in self._closure(module)}
        changed = [
            path.removeprefix("src/emergent/").removesuffix(".py")
            for path in self._changed_files(git.get("commit", ""))
            if path.removesuffix(".py").removesuffix("/__init__") in paths
        ]
        return [where._replace(kind="by code", names=tuple(changed), ending=f"{before}{since}")]

    def _input_reasons(self, where: Reason, facts: Mapping[str, Any], known: Mapping[str, str]) -> list[Reason]:
        """Returns inputs that are not those of its time; configurations of stages are compared by their values."""
        reasons = []
        for name, digest in facts.get("inputs", {}).items():
            if "/config/" in name and name.startswith("results/"):
                continue
            if name in known:
                if known[name] != digest:
                    reasons.append(where._replace(kind="by value", names=(ENTRY,)))
            elif (state := self._state(Path(name), digest)) != SAME:
                reasons.append(where._replace(kind="by input", names=(name,), ending=state))
        return reasons

    def _changed_since(self, commit: str) -> tuple[str, ...]:
        """Returns the source files that differ between a commit and the working tree, if Git can tell."""
        if not commit:
            return ()
        command = ["git", "-C", str(self._source), "diff", "--name-only", "--relative", commit, "--", "."]
        try:
            done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=30)
        except (OSError, subprocess.SubprocessError):
            return ()
        return tuple(f"src/{line}" for line in done.stdout.splitlines())


def made(facts: Mapping[str, Any]) -> str:
    """Returns when and by which commit a file was made."""
    if "ended" not in facts:
        return "not recorded"
    return f"{facts['ended'][:16].replace('T', ' ')}, commit {commit(facts)}"


def _counted(reasons: tuple[Reason, ...]) -> list[str]:
    """Returns reasons one by one, and for how many files each of them holds."""
    return [f"{line} ({num} files)" if num > 1 else line for line, num in Counter(map(str, reasons)).items()]


def differences(before: Any, now: Any, where: str = "") -> list[str]:
    """Returns the settings that differ, as ``key.key: old -> new``."""
    if isinstance(before, dict) and isinstance(now, dict):
        found = []
        for key in dict.fromkeys([*before, *now]):
            place = f"{where}.{key}" if where else key
            if key not in before or key not in now:
                found.append(f"{place} {'is new' if key in now else 'is gone'}")
            else:
                found += differences(before[key], now[key], place)
        return found
    if isinstance(before, list) and isinstance(now, list) and len(before) == len(now):
        return [
            line for i, pair in enumerate(zip(before, now, strict=True)) for line in differences(*pair, f"{where}.{i}")
        ]
    return [] if before == now else [f"{where}: {_short(before)} -> {_short(now)}"]


def _digest(text: str) -> str:
    # As the workflow writes it, with a line end.
    return hashlib.sha256(f"{text}\n".encode()).hexdigest()


def _short(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 60 else f"{text[:57]}..."

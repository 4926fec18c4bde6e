"""Copies what pages need of a finished run into ``docs``: summaries, verdicts, pictures and their captions."""

import json
import shutil
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from emergent import storage
from emergent.errors import DataError
from emergent.integrity import content_digest
from emergent.pages.committed import Run, read_runs
from emergent.pages.job_times import NAME, job_times
from emergent.provenance import SIDECAR, read_sidecar, sidecar_path

SUFFIXES = {"figure": (".png", ".txt"), "table": (".md", ".txt")}
"""Files that are kept of a figure and of a table."""


def collect(root: Path, results: Path, figures: Path, name: str, *, unclean: bool = False) -> list[Path]:
    """Copies a finished run into ``docs/data/<name>`` and ``docs/figures/<name>``, and returns the files written.

    What is copied stands in ``docs/data/runs.yaml``: the summaries and pictures of the run of this name. The times
    of the jobs behind are written beside them, where these are still there.

    Args:
        root: the repository.
        results: folder of the scale's results, e.g. ``results/laptop``.
        figures: folder of its figures, e.g. ``figures/laptop``.
        name: of the run in ``docs/data/runs.yaml``.
        unclean: take also what no commit tells the origin of.

    Raises:
        DataError: the run is unknown, a file that it needs is missing, the verdicts are on other summaries, or, unless
            ``unclean``, provenance has no digests of inputs or says that the tree had changes that were not committed.
            Nothing is copied then.
    """
    runs = read_runs(root / "docs")
    if name not in runs:
        raise DataError(f"docs/data/runs.yaml has no run {name!r}; write its entry first. It has: {', '.join(runs)}.")
    run = runs[name]
    pairs = _summaries(run, results, root / "docs" / "data" / name)
    pairs += _pictures(run, figures, root / "docs" / "figures" / name)
    verdicts = root / "docs" / "data" / name / "claims.csv"
    pairs.append((figures / "claims.csv", verdicts))
    if missing := [str(source) for source, _ in pairs if not source.exists()]:
        raise DataError(f"run {name} is not complete; missing: {', '.join(missing)}.")
    judged = figures / f"claims{SIDECAR}"
    sidecars = [source for source, _ in pairs if source.name.endswith(SIDECAR)]
    sidecars += [path for path in (judged, *_drawn(run, figures)) if path.exists()]
    if not unclean and (found := list(_unclean(sidecars))):
        more = f", and {len(found) - 1} more" if len(found) > 1 else ""
        raise DataError(
            f"run {name} is not collected: {found[0]}{more}. Run it again from a commit, or take it as it is with "
            "--unclean."
        )
    inputs = _inputs(judged) if judged.exists() else {}
    _require_judged(run, results, inputs)
    for source, target in pairs:
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, target)
    sidecar = sidecar_path(verdicts)
    # Summaries stand beside; what else verdicts were made of: claims and published values.
    others = {path: digest for path, digest in inputs.items() if not path.endswith("/summary.h5")}
    origin = _origin(run, verdicts) | {"inputs": others}
    sidecar.write_text(json.dumps(origin, indent=2, sort_keys=True) + "\n", encoding="utf-8")
    written = [*(target for _, target in pairs), sidecar]
    times = job_times(results, run.summaries)
    if len(times):
        written.append(verdicts.with_name(NAME))
        times.to_csv(written[-1], index=False, lineterminator="\n")
    return written


def _drawn(run: Run, figures: Path) -> list[Path]:
    """Returns the provenance of the run's pictures and tables."""
    return [path for name in run.pictures for path in figures.glob(f"*/{name}{SIDECAR}")]


def _inputs(sidecar: Path) -> dict[str, str]:
    return dict(read_sidecar(sidecar).get("inputs") or {})


def _unclean(sidecars: Iterable[Path]) -> Iterator[str]:
    """Yields what in the provenance of some files, and of all that they were made of, keeps others from making them."""
    waiting = dict.fromkeys(sidecars)
    seen: set[Path] = set()
    while waiting:
        sidecar = next(iter(waiting))
        del waiting[sidecar]
        seen.add(sidecar)
        facts = read_sidecar(sidecar)
        git = facts.get("git") or {}
        if git.get("dirty"):
            yield f"{sidecar} says that the tree had changes on top of commit {str(git.get('commit'))[:12]}"
        if not facts.get("inputs"):
            yield f"{sidecar} has no digests of inputs"
        made_of = [sidecar_path(Path(name)) for name in facts.get("inputs") or ()]
        waiting |= dict.fromkeys(path for path in made_of if path.exists() and path not in seen)


def _require_judged(run: Run, results: Path, inputs: Mapping[str, str]) -> None:
    """Checks that verdicts are on the summaries that are collected, where their provenance tells."""
    for experiment in run.summaries:
        summary = results / experiment / "summary.h5"
        recorded = [digest for path, digest in inputs.items() if path.endswith(f"/{experiment}/summary.h5")]
        if recorded and content_digest(summary) not in recorded:
            raise DataError(
                f"{summary} is another one than that which the verdicts are on; run 'make figures' at this scale first."
            )


def _summaries(run: Run, results: Path, folder: Path) -> list[tuple[Path, Path]]:
    pairs = []
    for experiment in run.summaries:
        source, target = results / experiment / "summary.h5", folder / f"{experiment}_summary.h5"
        pairs += [(source, target), (sidecar_path(source), sidecar_path(target))]
    return pairs


def _pictures(run: Run, figures: Path, folder: Path) -> list[tuple[Path, Path]]:
    pairs = []
    for name in run.pictures:
        found = [path for kind in SUFFIXES.values() for path in figures.glob(f"*/{name}{kind[0]}")]
        if len(found) != 1:
            raise DataError(f"{figures}: {len(found)} pictures or tables of the name {name!r}; wanted: one.")
        suffixes = next(kind for kind in SUFFIXES.values() if kind[0] == found[0].suffix)
        # An animation lies beside its figure where it was asked for.
        suffixes += (".gif",) if found[0].with_suffix(".gif").exists() else ()
        pairs += [(found[0].with_suffix(suffix), folder / f"{name}{suffix}") for suffix in suffixes]
    return pairs


def _origin(run: Run, verdicts: Path) -> dict[str, object]:
    """Returns where verdicts come from: the committed summaries that they judge, by digest, and the commits behind."""
    judged = {}
    for experiment in run.summaries:
        summary = verdicts.parent / f"{experiment}_summary.h5"
        made = json.loads(sidecar_path(summary).read_text(encoding="utf-8"))
        judged[experiment] = {
            "sha256": content_digest(summary),
            "code_fingerprint": storage.read_attributes(summary)["code_fingerprint"],
            "git": made.get("git"),
        }
    return {
        "made_by": "emergent.cli.claims",
        "sha256": content_digest(verdicts),
        "committed_summaries": judged,
    }

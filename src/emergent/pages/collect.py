"""Copies what pages need of a finished run into ``docs``: summaries, verdicts, pictures and their captions."""

import json
import shutil
from pathlib import Path

from emergent import storage
from emergent.errors import DataError
from emergent.integrity import content_digest
from emergent.pages.committed import Run, read_runs
from emergent.pages.job_times import NAME, job_times
from emergent.provenance import sidecar_path

SUFFIXES = {"figure": (".png", ".txt"), "table": (".md", ".txt")}
"""Files that are kept of a figure and of a table."""


def collect(root: Path, results: Path, figures: Path, name: str) -> list[Path]:
    """Copies a finished run into ``docs/data/<name>`` and ``docs/figures/<name>``, and returns the files written.

    What is copied stands in ``docs/data/runs.yaml``: the summaries and pictures of the run of this name. The times
    of the jobs behind are written beside them, where these are still there.

    Args:
        root: the repository.
        results: folder of the scale's results, e.g. ``results/laptop``.
        figures: folder of its figures, e.g. ``figures/laptop``.
        name: of the run in ``docs/data/runs.yaml``.

    Raises:
        DataError: the run is unknown, or a file that it needs is missing; nothing is copied then.
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
    for source, target in pairs:
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, target)
    sidecar = sidecar_path(verdicts)
    sidecar.write_text(json.dumps(_origin(run, verdicts), indent=2, sort_keys=True) + "\n", encoding="utf-8")
    written = [*(target for _, target in pairs), sidecar]
    times = job_times(results, run.summaries)
    if len(times):
        written.append(verdicts.with_name(NAME))
        times.to_csv(written[-1], index=False, lineterminator="\n")
    return written


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

"""A finished run as a Workflow Run RO-Crate: workflow, settings, results and figures in one archive that tells all.

References:
    https://w3id.org/ro/wfrun/workflow (profile "Workflow Run Crate"), https://codecheck.org.uk (``codecheck.yml``).
"""

import hashlib
import io
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import yaml
from rocrate.model.computationalworkflow import ComputationalWorkflow
from rocrate.model.contextentity import ContextEntity
from rocrate.model.file import File
from rocrate.rocrate import ROCrate

from emergent import provenance
from emergent.config.base import read_yaml
from emergent.errors import DataError
from emergent.lineage.ancestry import provenance_of
from emergent.plan import Plan

PROFILES = {
    "https://w3id.org/ro/wfrun/process/0.5": "Process Run Crate",
    "https://w3id.org/ro/wfrun/workflow/0.5": "Workflow Run Crate",
    "https://w3id.org/workflowhub/workflow-ro-crate/1.0": "Workflow RO-Crate",
}
SPECIFICATION = "1.1"
"""Version of RO-Crate that the profiles build on."""
TERMS = "https://w3id.org/ro/terms/workflow-run/context"
"""Defines ``sha256``."""
MEDIA_TYPES = {
    ".csv": "text/csv",
    ".h5": "application/x-hdf5",
    ".json": "application/json",
    ".md": "text/markdown",
    ".pdf": "application/pdf",
    ".png": "image/png",
    ".smk": "text/plain",
    ".svg": "image/svg+xml",
    ".txt": "text/plain",
    ".yaml": "application/yaml",
    ".yml": "application/yaml",
}


def write_crate(plan: Plan, root: Path, output: Path) -> int:
    """Writes the archive of a finished run, and returns how many files of it are results.

    Args:
        plan: of the run, made in the folder where its results are.
        root: the repository.
        output: ZIP file to write.

    Raises:
        DataError: the run is not finished; the message names what is missing.
    """
    summaries = [Path(f"results/{plan.run.scale}/{name}/summary.h5") for name in plan.run.experiments]
    claims = [Path(f"figures/{plan.run.scale}/claims.{suffix}") for suffix in ("csv", "md", "provenance.json")]
    results = [
        *_figures(plan),
        *claims,
        *(path for summary in summaries for path in (summary, provenance.sidecar_path(summary))),
    ]
    if missing := [str(path) for path in results if not (root / path).exists()]:
        more = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
        raise DataError(f"the run is not finished: {missing[0]}{more} missing. Run 'make figures' first.")
    crate = ROCrate(version=SPECIFICATION)
    crate.metadata.extra_contexts.append(TERMS)
    _describe(crate, plan.run.scale)
    workflow = _workflow(crate, root)
    settings = [_file(crate, root, path) for path in _settings(root)]
    outputs = [_file(crate, root, path) for path in results]
    manifest = yaml.safe_dump(_codecheck(plan, root), sort_keys=False, allow_unicode=True)
    properties = {"name": "codecheck.yml", "encodingFormat": MEDIA_TYPES[".yml"]}
    crate.add_file(io.StringIO(manifest), "codecheck.yml", properties=properties)
    times = sorted(_times(root, summaries))
    action = {
        "@type": "CreateAction",
        "name": f"Run of the workflow at scale {plan.run.scale}",
        "description": f"make figures SCALE={plan.run.scale}",
        "startTime": times[0][0],
        "endTime": max(ended for _, ended in times),
        "instrument": workflow,
        "object": [*settings, *raw_data(crate, plan)],
        "result": outputs,
        "actionStatus": "http://schema.org/CompletedActionStatus",
    }
    run = crate.add(ContextEntity(crate, f"#run-{plan.run.scale}", properties=action))
    crate.root_dataset["mentions"] = run
    output.parent.mkdir(parents=True, exist_ok=True)
    crate.write_zip(output)
    return len(results)


def _describe(crate: ROCrate, scale: str) -> None:
    crate.name = f"emergent: figures and tables at scale {scale}"
    crate.description = (
        "Emergent symmetry of deep ensembles and equivariant neural tangent kernels: settings, summaries, figures, "
        "tables and verdicts against published values, with the provenance of each."
    )
    crate.license = "https://spdx.org/licenses/MIT"
    profiles = [
        crate.add(
            ContextEntity(
                crate, url, properties={"@type": "CreativeWork", "name": name, "version": url.rsplit("/")[-1]}
            )
        )
        for url, name in PROFILES.items()
    ]
    crate.root_dataset["conformsTo"] = profiles


def _workflow(crate: ROCrate, root: Path) -> ComputationalWorkflow:
    workflow = crate.add_workflow(
        root / "workflow/Snakefile",
        "workflow/Snakefile",
        main=True,
        lang="snakemake",
        lang_version=provenance.versions().get("snakemake"),
        properties={
            "name": "emergent",
            "encodingFormat": "text/plain",
            "version": provenance.versions().get("emergent", "unknown"),
            **_digest(root / "workflow/Snakefile"),
        },
    )
    for path in sorted((root / "workflow/rules").glob("*.smk")):
        _file(crate, root, path.relative_to(root))
    return workflow


def _settings(root: Path) -> list[Path]:
    folder = root / "config"
    found = [folder / "config.yaml", folder / "datasets.yaml", folder / "figures.yaml", folder / "claims.yaml"]
    found += [*folder.glob("experiments/*.yaml"), *folder.glob("references/*.json"), *root.glob("envs/*.lock")]
    return sorted(path.relative_to(root) for path in found)


def _figures(plan: Plan) -> list[Path]:
    main = [Path(plan.figure_path(plan.run.scale, name)) for name in plan.selected_figures()]
    others = {".pdf": (".svg", ".png"), ".md": ()}
    return [
        path.with_suffix(suffix)
        for path in main
        for suffix in (path.suffix, *others[path.suffix], ".csv", ".txt", ".provenance.json")
    ]


def _file(crate: ROCrate, root: Path, path: Path) -> File:
    properties: dict[str, Any] = {"name": path.name, **_digest(root / path)}
    if path.suffix in MEDIA_TYPES:
        properties["encodingFormat"] = MEDIA_TYPES[path.suffix]
    return crate.add_file(root / path, path.as_posix(), properties=properties)


def _digest(path: Path) -> dict[str, str]:
    content = path.read_bytes()
    return {"sha256": hashlib.sha256(content).hexdigest(), "contentSize": str(len(content))}


def raw_data(crate: ROCrate, plan: Plan) -> Iterator[ContextEntity]:
    """Yields the downloads that the run is made of: by address, size and digest, not by content."""
    scale = plan.run.scale
    names = {
        d for n in plan.run.experiments for stage in plan.kind(scale, n).verbs for d in plan.datasets(scale, n, stage)
    }
    owners = sorted({plan.registry.raw_owner(name) for name in names if plan.registry.raw_files(name)})
    for owner in owners:
        entry = plan.registry.entry(owner)
        for item in entry.files or ():
            properties = {
                "@type": "CreativeWork",
                "name": f"{entry.title}: {item.name}",
                "identifier": f"sha256:{item.sha256}" if item.sha256 else f"md5:{item.md5}",
                "contentSize": str(item.bytes),
            }
            yield crate.add(ContextEntity(crate, f"#raw-{owner}-{item.name}", properties=properties))


def _times(root: Path, paths: Iterable[Path]) -> Iterator[tuple[str, str]]:
    for path in paths:
        facts = provenance_of(root / path)
        yield facts["started"], facts["ended"]


def _codecheck(plan: Plan, root: Path) -> dict[str, Any]:
    """Returns the manifest that a CODECHECK starts from: which files to compare, each with what it shows."""
    papers = read_yaml(root / "CITATION.cff")["references"]
    return {
        "version": "https://codecheck.org.uk/spec/config/1.0",
        "paper": {
            "title": "; ".join(paper["title"] for paper in papers),
            "authors": [
                {"name": name} for name in sorted({a["family-names"] for paper in papers for a in paper["authors"]})
            ],
            "reference": "; ".join(paper["url"] for paper in papers if "url" in paper),
        },
        "manifest": [
            {
                "file": plan.figure_path(plan.run.scale, name),
                "comment": f"{plan.figures[name].id}: {plan.figures[name].title}",
            }
            for name in plan.selected_figures()
        ],
        "repository": "",
        "codechecker": [],
        "summary": f"Made by 'make figures SCALE={plan.run.scale}'; verdicts in figures/{plan.run.scale}/claims.md.",
    }

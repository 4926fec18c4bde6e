"""Says where something comes from: a file, with all that it was made of; a number on a page; the verdict on a claim.

why figures/smoke/gerken_kessel/fashion_mnist_osp.pdf
why docs/results/gerken_kessel.md:15.813
why osp_table_ensemble_c16
"""

import argparse
from collections.abc import Iterator
from pathlib import Path

import pandas as pd

from emergent.claims.table import ours_text
from emergent.claims.verdict import published_text
from emergent.cli._run import main_guard
from emergent.config.base import hint
from emergent.config.claims import Claim, read_claims
from emergent.errors import ConfigError, DataError
from emergent.lineage.ancestry import ancestry, provenance_of, tree
from emergent.lineage.lookups import holding, printed


def number_lines(root: Path, page: str, number: str) -> Iterator[str]:
    """Yields the look-ups that print a number on a page, and the files behind them with their ancestry."""
    places = holding(number, printed(root, page))
    if not places:
        raise DataError(f"{page}: no number {number} that is looked up there; words and headings are written by hand.")
    files: dict[Path, None] = {}
    for place in places:
        shown = next((line for line in place.text.splitlines() if number in line), place.text)
        yield f"printed: {shown.strip()[:200]}"
        for lookup in place.lookups:
            yield f"  {lookup.call}{f' = {lookup.answer}' if lookup.answer else ''}"
            if lookup.path:
                yield f"    from {lookup.path}"
                files[lookup.path] = None
    for path in files:
        yield from ("", *tree(ancestry(path)))


def claim_lines(root: Path, claim: Claim) -> Iterator[str]:
    """Yields what a claim says and every verdict on it: of committed runs and of those in this folder."""
    yield f"{claim.id}: {claim.statement}"
    yield f"  published: {published_text(claim)}, {claim.reading}, {claim.source}"
    yield f"  judged by: {claim.relation} on {claim.quantity} of {claim.experiment}. {claim.reason}"
    tables = [*sorted(root.glob("docs/data/*/claims.csv")), *sorted(root.glob("figures/*/claims.csv"))]
    for path in tables:
        table = pd.read_csv(path, keep_default_na=False, na_values={"ours": [""], "ours_stderr": [""]})
        own = table[(table["id"] == claim.id) & (table["verdict"] != "not run")]
        if own.empty:
            continue
        yield f"  {path.relative_to(root)}"
        for row in own.to_dict("records"):
            ours = ours_text(float(row["ours"]), float(row["ours_stderr"]))
            yield f"    {row['quantity']}: {ours}: {row['verdict']}. {row['why']}"
        summary = path.parent / f"{claim.experiment}_summary.h5"
        if not summary.exists():
            summary = root / "results" / path.parent.name / claim.experiment / "summary.h5"
        if summary.exists():
            yield from (f"    {line}" for line in tree(ancestry(summary.relative_to(root))))


def file_lines(path: Path) -> Iterator[str]:
    """Yields a file and its ancestry."""
    if not provenance_of(path) and path.suffix != ".h5":
        raise DataError(
            f"{path}: nothing beside it tells how it came about; files in results/ and figures/ have a provenance file."
        )
    yield from tree(ancestry(path))


def main() -> None:
    """Parses the command line and prints."""
    parser = argparse.ArgumentParser(
        prog="python -m emergent.cli.why", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("target", help="FILE, PAGE:NUMBER or the identifier of a claim")
    target: str = parser.parse_args().target
    root = Path()
    page, _, number = target.rpartition(":")
    claims = {claim.id: claim for claim in read_claims(root / "config" / "claims.yaml")}
    if Path(target).exists():
        lines = file_lines(Path(target))
    elif page and Path(page).exists():
        lines = number_lines(root, page, number)
    elif target in claims:
        lines = claim_lines(root, claims[target])
    else:
        raise ConfigError(
            f"{target}: neither a file here, nor PAGE:NUMBER, nor a claim of config/claims.yaml"
            f"{hint(target, list(claims)) or '.'}"
        )
    for line in lines:
        print(line)


if __name__ == "__main__":
    main_guard(main)

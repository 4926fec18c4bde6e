"""Says where something comes from: a file, with all that it was made of; a number on a page; the verdict on a claim.

why figures/smoke/gerken_kessel/fashion_mnist_osp.pdf
why docs/results/gerken_kessel.md:15.813
why osp_table_ensemble_c16
"""

import argparse
import re
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
from emergent.lineage.lookups import Printed, holding, printed

TRACED = (
    "Traced are numbers that a template of docs/templates draws from data, as they are printed (15.813, without its "
    "error), and in README.md those of the table's columns verdict, judged and run at; all others are written by hand."
)


def number_lines(root: Path, page: str, number: str) -> Iterator[str]:
    """Yields the look-ups that print a number on a page, and the files behind them with their ancestry."""
    places = list(dict.fromkeys(holding(number, printed(root, page))))
    if not places:
        raise DataError(f"{page}: no number {number} that is looked up there. {TRACED}")
    files: dict[Path, None] = {}
    for place in places:
        shown = row_with(number, place.text)
        yield f"printed: {shown.strip()[:200]}"
        last = ""
        for lookup in place.lookups:
            if lookup.path and lookup.path.name == "claims.csv" and not judges(root / lookup.path, shown):
                continue
            if lookup.call != last:
                yield f"  {lookup.call}{f' = {lookup.answer}' if lookup.answer else ''}"
            last = lookup.call
            if lookup.path:
                yield f"    from {lookup.path}"
                files[lookup.path] = None
    for path in files:
        yield from ("", *tree(ancestry(path)))


def row_with(number: str, text: str) -> str:
    """Returns the line of a text that prints a number, or all of it."""
    return next((line for line in text.splitlines() if holding(number, [Printed(line, ())])), text)


def judges(verdicts: Path, row: str) -> bool:
    """Returns whether a run has judged the quantity that a row of a table names; true for rows that name none."""
    quantity = re.search(r"\| `([^`]+)` \|", row)
    if quantity is None:
        return True
    table = pd.read_csv(verdicts, keep_default_na=False)
    return quantity[1] in set(table["quantity"][table["verdict"] != "not run"])


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

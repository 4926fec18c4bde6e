"""Holds the run's quantities against what the papers report: verdicts as CSV, Markdown and HTML."""

import argparse
import json
from pathlib import Path

from emergent import provenance, storage
from emergent.atomic import atomic_path
from emergent.claims import table
from emergent.claims.verdict import judge
from emergent.claims.words import count_verdicts, counts_text
from emergent.cli._pairs import parse_pairs
from emergent.cli._run import main_guard
from emergent.config.claims import read_claims
from emergent.figures.pages import claims_page


def fitted_claims(summary: Path) -> tuple[str, ...]:
    """Returns patterns of the claims whose published values decided a setting of an experiment."""
    stage = json.loads(storage.read_attributes(summary).get("config_json", "{}"))
    return tuple(pattern for item in stage.get("assumed", ()) for pattern in item.get("fitted", ()))


def main() -> None:
    """Parses the command line, judges and saves."""
    parser = argparse.ArgumentParser(prog="python -m emergent.cli.claims", description=__doc__)
    parser.add_argument("--claims", type=Path, required=True, help="config/claims.yaml")
    parser.add_argument("--scale", required=True, choices=("smoke", "laptop", "paper"))
    parser.add_argument("--summary", action="append", required=True, metavar="EXPERIMENT=PATH", help="repeatable")
    parser.add_argument("--note", action="append", default=[], help="sentence on the data; repeatable")
    parser.add_argument("--reference", action="append", default=[], type=Path, help="published values; repeatable")
    parser.add_argument("--fingerprint", default="", help="fingerprint of the code, for the provenance")
    parser.add_argument("--output-stem", type=Path, required=True, help="output path without suffix")
    arguments = parser.parse_args()
    summaries = parse_pairs(arguments.summary, "--summary")
    quantities = {name: storage.read_table(path, "quantities", "summary") for name, path in summaries.items()}
    fitted = {name: fitted_claims(path) for name, path in summaries.items()}
    verdicts = judge(read_claims(arguments.claims), quantities, arguments.scale, fitted)
    ran, absent = table.split_run(verdicts)
    ours = [table.ours_text(row.ours, row.ours_stderr) for row in ran.itertuples()]
    counts = count_verdicts(verdicts)
    texts = {
        "csv": table.to_csv(verdicts),
        "md": table.to_markdown(verdicts, arguments.note),
        "html": claims_page(ran, ours, counts, arguments.scale, (absent, *arguments.note)),
    }
    for suffix, text in texts.items():
        with atomic_path(arguments.output_stem.with_suffix(f".{suffix}")) as temporary:
            temporary.write_text(text, encoding="utf-8")
    read = [arguments.claims, *arguments.reference, *summaries.values()]
    provenance.write_sidecar(arguments.output_stem, {"code_fingerprint": arguments.fingerprint}, read)
    print(counts_text(verdicts))


if __name__ == "__main__":
    main_guard(main)

"""Writes the page of a run, or of the committed runs: one HTML file with figures, verdicts and what is behind them."""

import argparse
from pathlib import Path

from emergent.atomic import atomic_path
from emergent.cli._run import main_guard
from emergent.report.committed import read_committed
from emergent.report.render import render
from emergent.report.run import RunFolders, read_run


def main() -> None:
    """Parses the command line, reads a run or what is committed, and writes the page."""
    parser = argparse.ArgumentParser(prog="python -m emergent.cli.report", description=__doc__)
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--committed", action="store_true", help="the runs that are committed under docs")
    what.add_argument("--scale", choices=("smoke", "laptop", "paper"), help="a run of this scale")
    parser.add_argument("--root", type=Path, default=Path(), help="the repository (default: the current folder)")
    parser.add_argument("--results", type=Path, help="results of the run (default: results/<scale>)")
    parser.add_argument("--figures", type=Path, help="figures of the run (default: figures/<scale>)")
    parser.add_argument("--figure", nargs="*", default=(), metavar="NAME", help="figures and tables of the run")
    parser.add_argument("--experiment", nargs="*", default=(), metavar="NAME", help="experiments of the run")
    parser.add_argument("--provenance", nargs="*", default=(), type=Path, help="provenance of the run's files")
    parser.add_argument(
        "--setting", action="append", default=[], metavar="KEY=VALUE", help="beside the scale; repeatable"
    )
    parser.add_argument("--note", action="append", default=[], help="sentence on the run's data; repeatable")
    parser.add_argument("--output", type=Path, required=True, help="HTML file to write")
    arguments = parser.parse_args()
    root: Path = arguments.root
    if arguments.committed:
        report = read_committed(root)
    else:
        folders = RunFolders(
            scale=arguments.scale,
            results=arguments.results or root / "results" / arguments.scale,
            figures=arguments.figures or root / "figures" / arguments.scale,
            config=root / "config",
            names=tuple(arguments.figure),
            experiments=tuple(arguments.experiment),
            sidecars=tuple(arguments.provenance),
            settings=tuple(arguments.setting),
            output=arguments.output,
        )
        report = read_run(folders, tuple(arguments.note))
    page = render(report)
    with atomic_path(arguments.output) as temporary:
        temporary.write_text(page, encoding="utf-8")
    print(f"{arguments.output}: {len(report.figures)} figures and tables, {len(page.encode()) / 1e6:.1f} MB")


if __name__ == "__main__":
    main_guard(main)

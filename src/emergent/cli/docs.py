"""Writes the pages of ``docs`` that state results, from committed data; or checks them; or collects a run first."""

import argparse
from pathlib import Path

from emergent.atomic import atomic_path
from emergent.cli._run import main_guard
from emergent.errors import DataError
from emergent.pages.build import differing, pages
from emergent.pages.collect import collect


def main() -> None:
    """Parses the command line, collects a run if asked, and writes or checks every page."""
    parser = argparse.ArgumentParser(prog="python -m emergent.cli.docs", description=__doc__)
    parser.add_argument("--root", type=Path, default=Path(), help="the repository (default: the current folder)")
    parser.add_argument("--check", action="store_true", help="write nothing; fail if a page is not what the data give")
    parser.add_argument("--collect", nargs=3, metavar=("RESULTS", "FIGURES", "RUN"),
                        help="first copy a run into docs, e.g. results/laptop figures/laptop laptop")  # fmt: skip
    parser.add_argument("--unclean", action="store_true",
                        help="collect also what no commit makes, or what lacks digests of its inputs")  # fmt: skip
    arguments = parser.parse_args()
    if arguments.collect and not arguments.check:
        results, figures, run = arguments.collect
        for path in collect(arguments.root, Path(results), Path(figures), run, unclean=arguments.unclean):
            print(path)
    made = pages(arguments.root)
    wrong = differing(arguments.root, made)
    if arguments.check:
        if wrong:
            raise DataError(
                f"not what the committed data give: {', '.join(wrong)}. Run 'python -m emergent.cli.docs', look at "
                f"the difference, and commit it."
            )
        print(f"{len(made)} pages are what the committed data give.")
        return
    for name in wrong:
        with atomic_path(arguments.root / name) as temporary:
            temporary.write_text(made[name], encoding="utf-8")
    print(f"written: {', '.join(wrong) or 'nothing, all is up to date'}")


if __name__ == "__main__":
    main_guard(main)

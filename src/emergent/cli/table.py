"""Makes one table from the summaries that it needs: TeX, Markdown, HTML, CSV and caption."""

import argparse
from pathlib import Path

from emergent.cli._pairs import parse_pairs
from emergent.cli._run import main_guard
from emergent.config.figures import read_entry
from emergent.config.references import read_reference
from emergent.errors import ConfigError
from emergent.figures.drawing import Tabulation
from emergent.figures.inputs import load_inputs
from emergent.figures.plots import PLOTS, draw
from emergent.figures.save import fill_caption
from emergent.figures.save_table import save_table


def main() -> None:
    """Parses the command line, tabulates and saves."""
    parser = argparse.ArgumentParser(prog="python -m emergent.cli.table", description=__doc__)
    parser.add_argument("--config", type=Path, required=True, help="this table's entry of figures.yaml, as JSON")
    parser.add_argument("--scale", required=True, help="scale of the run, for caption and metadata")
    parser.add_argument("--summary", action="append", required=True, metavar="EXPERIMENT=PATH", help="repeatable")
    parser.add_argument("--reference", action="append", default=[], type=Path, metavar="PATH", help="repeatable")
    parser.add_argument("--note", action="append", default=[], help="sentence added to the caption, e.g. on stand-ins")
    parser.add_argument("--output-stem", type=Path, required=True, help="output path without suffix")
    arguments = parser.parse_args()
    entry = read_entry(arguments.config)
    references = {path.stem: read_reference(path) for path in arguments.reference}
    inputs = load_inputs(entry, PLOTS[entry.plot], parse_pairs(arguments.summary, "--summary"))
    table = draw(entry, inputs, references)
    if not isinstance(table, Tabulation):
        raise ConfigError(f"{entry.name} is a figure; make it with python -m emergent.cli.figure.")
    caption = fill_caption(entry, table.facts, arguments.scale, tuple(arguments.note))
    save_table(table, arguments.output_stem, entry, caption, arguments.scale)
    print(f"{entry.id} {arguments.output_stem}.md")


if __name__ == "__main__":
    main_guard(main)

"""Draws one figure from the summaries that it needs: PDF, SVG, PNG, CSV and caption."""

import argparse
from pathlib import Path

from emergent.cli._pairs import parse_pairs
from emergent.cli._run import main_guard
from emergent.config.figures import read_entry
from emergent.config.references import read_reference
from emergent.errors import ConfigError
from emergent.figures.drawing import Drawing
from emergent.figures.inputs import load_inputs
from emergent.figures.plots import PLOTS, draw
from emergent.figures.save import fill_caption, save_figure


def main() -> None:
    """Parses the command line, draws and saves."""
    parser = argparse.ArgumentParser(prog="python -m emergent.cli.figure", description=__doc__)
    parser.add_argument("--config", type=Path, required=True, help="this figure's entry of figures.yaml, as JSON")
    parser.add_argument("--scale", required=True, help="scale of the run, for caption and metadata")
    parser.add_argument("--summary", action="append", required=True, metavar="EXPERIMENT=PATH", help="repeatable")
    parser.add_argument("--reference", action="append", default=[], type=Path, metavar="PATH", help="repeatable")
    parser.add_argument("--note", action="append", default=[], help="sentence added to the caption, e.g. on stand-ins")
    parser.add_argument("--output-stem", type=Path, required=True, help="output path without suffix")
    arguments = parser.parse_args()
    entry = read_entry(arguments.config)
    references = {path.stem: read_reference(path) for path in arguments.reference}
    inputs = load_inputs(entry, PLOTS[entry.plot], parse_pairs(arguments.summary, "--summary"))
    drawing = draw(entry, inputs, references)
    if not isinstance(drawing, Drawing):
        raise ConfigError(f"{entry.name} is a table; make it with python -m emergent.cli.table.")
    caption = fill_caption(entry, drawing.facts, arguments.scale, tuple(arguments.note))
    save_figure(drawing, arguments.output_stem, entry, caption, arguments.scale)
    print(f"{entry.id} {arguments.output_stem}.pdf")


if __name__ == "__main__":
    main_guard(main)

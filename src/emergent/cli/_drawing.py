"""What the verbs that draw one figure or table share: their flags, what they read, and the caption."""

import argparse
from pathlib import Path
from typing import NamedTuple

from emergent import provenance
from emergent.cli._pairs import parse_pairs
from emergent.config.figures import Entry, read_entry
from emergent.config.references import read_reference
from emergent.figures.drawing import Drawing, Tabulation
from emergent.figures.inputs import load_inputs
from emergent.figures.plots import PLOTS, draw
from emergent.figures.save import fill_caption


class Drawn(NamedTuple):
    """One entry of the catalogue, drawn but not saved.

    Attributes:
        entry: of ``figures.yaml``.
        content: a figure or a table.
        caption: with its words filled in.
        scale: of the run.
        output_stem: path to save under, without suffix.
        read: files that it was made of.
        fingerprint: of the code.
    """

    entry: Entry
    content: Drawing | Tabulation
    caption: str
    scale: str
    output_stem: Path
    read: tuple[Path, ...]
    fingerprint: str

    def write_provenance(self) -> None:
        """Writes how the files came about, once for all of them: beside the stem."""
        provenance.write_sidecar(self.output_stem, {"code_fingerprint": self.fingerprint}, self.read)


def draw_entry(verb: str, description: str | None) -> Drawn:
    """Returns the entry that the command line names, drawn from the summaries given there.

    Args:
        verb: name of the verb.
        description: its module docstring.
    """
    parser = argparse.ArgumentParser(prog=f"python -m emergent.cli.{verb}", description=description)
    parser.add_argument("--config", type=Path, required=True, help=f"this {verb}'s entry of figures.yaml, as JSON")
    parser.add_argument("--scale", required=True, help="scale of the run, for caption and metadata")
    parser.add_argument("--summary", action="append", required=True, metavar="EXPERIMENT=PATH", help="repeatable")
    parser.add_argument("--reference", action="append", default=[], type=Path, metavar="PATH", help="repeatable")
    parser.add_argument("--note", action="append", default=[], help="sentence added to the caption, e.g. on stand-ins")
    parser.add_argument("--fingerprint", default="", help="fingerprint of the code, for the provenance")
    parser.add_argument("--output-stem", type=Path, required=True, help="output path without suffix")
    arguments = parser.parse_args()
    entry = read_entry(arguments.config)
    references = {path.stem: read_reference(path) for path in arguments.reference}
    summaries = parse_pairs(arguments.summary, "--summary")
    inputs = load_inputs(entry, PLOTS[entry.plot], summaries)
    content = draw(entry, inputs, references)
    caption = fill_caption(entry, content.facts, arguments.scale, tuple(arguments.note))
    read = (arguments.config, *summaries.values(), *arguments.reference)
    return Drawn(entry, content, caption, arguments.scale, arguments.output_stem, read, arguments.fingerprint)

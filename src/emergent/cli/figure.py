"""Draws one figure from the summaries that it needs: PDF, SVG, PNG, CSV and caption."""

from emergent.cli._drawing import draw_entry
from emergent.cli._run import main_guard
from emergent.errors import ConfigError
from emergent.figures.drawing import Drawing
from emergent.figures.save import save_figure


def main() -> None:
    """Parses the command line, draws and saves."""
    drawn = draw_entry("figure", __doc__)
    if not isinstance(drawn.content, Drawing):
        raise ConfigError(f"{drawn.entry.name} is a table; make it with python -m emergent.cli.table.")
    save_figure(drawn.content, drawn.output_stem, drawn.entry, drawn.caption, drawn.scale)
    drawn.write_provenance()
    print(f"{drawn.entry.id} {drawn.output_stem}.pdf")


if __name__ == "__main__":
    main_guard(main)

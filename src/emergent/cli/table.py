"""Makes one table from the summaries that it needs: TeX, Markdown, HTML, CSV and caption."""

from emergent.cli._drawing import draw_entry
from emergent.cli._run import main_guard
from emergent.errors import ConfigError
from emergent.figures.drawing import Tabulation
from emergent.figures.save_table import save_table


def main() -> None:
    """Parses the command line, tabulates and saves."""
    drawn = draw_entry("table", __doc__)
    if not isinstance(drawn.content, Tabulation):
        raise ConfigError(f"{drawn.entry.name} is a figure; make it with python -m emergent.cli.figure.")
    save_table(drawn.content, drawn.output_stem, drawn.entry, drawn.caption, drawn.scale)
    drawn.write_provenance()
    print(f"{drawn.entry.id} {drawn.output_stem}.md")


if __name__ == "__main__":
    main_guard(main)

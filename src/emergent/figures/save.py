"""Writes figures: PDF, SVG, PNG, the CSV behind them and the caption, the same bytes at each run."""

from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from emergent.atomic import atomic_path
from emergent.config.figure_kinds import Entry
from emergent.errors import ConfigError
from emergent.figures import style
from emergent.figures.drawing import Drawing

PNG_DPI = 200


def fill_caption(entry: Entry, facts: Mapping[str, str], scale: str, notes: tuple[str, ...]) -> str:
    """Returns the caption with its words in braces filled, followed by the notes (e.g. on stand-in data).

    Raises:
        ConfigError: the caption asks for a word that this plot does not know.
    """
    words = {**facts, "scale": scale}
    try:
        caption = entry.caption.format_map(words)
    except KeyError as error:
        raise ConfigError(
            f"the caption of {entry.name} has {{{error.args[0]}}}, which plot {entry.plot} does not fill; "
            f"it fills: {', '.join(sorted(words))}."
        ) from None
    return " ".join([" ".join(caption.split()), *notes])


def save_figure(drawing: Drawing, stem: Path, entry: Entry, caption: str, scale: str) -> None:
    """Writes ``stem`` with suffixes .pdf, .svg, .png, .csv and .txt (the caption).

    Dates and software versions are dropped from the files, so that equal input gives equal bytes.
    """
    title, keywords = f"{entry.id}: {entry.title}", f"{entry.paper}, {entry.id}, scale {scale}"
    metadata: dict[str, dict[str, str | list[str] | None]] = {
        "pdf": {"Title": title, "Subject": caption, "Keywords": keywords, "Creator": None, "Producer": None,
                "CreationDate": None},
        "svg": {"Title": title, "Description": caption, "Keywords": keywords.split(", "), "Creator": None,
                "Date": None},
        "png": {"Title": title, "Description": caption, "Comment": keywords, "Software": None},
    }  # fmt: skip
    with style.context():
        # The layout is solved once and then kept: three formats, one picture. With any engine left, even "none",
        # matplotlib draws each format twice; None takes that of the style, which has none.
        if (engine := drawing.figure.get_layout_engine()) is not None:
            engine.execute(drawing.figure)
        drawing.figure.set_layout_engine(None)
        for kind, facts in metadata.items():
            with atomic_path(stem.with_suffix(f".{kind}")) as temporary:
                drawing.figure.savefig(temporary, format=kind, metadata=facts, dpi=PNG_DPI)
    write_text(stem.with_suffix(".csv"), csv_text(drawing.data))
    write_text(stem.with_suffix(".txt"), caption + "\n")


def write_text(path: Path, text: str) -> None:
    """Writes a text file atomically, with Unix line ends."""
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8", newline="\n")


def csv_text(table: pd.DataFrame) -> str:
    """Returns a tidy table as CSV with eight significant digits."""
    return table.to_csv(index=False, float_format="%.8g", lineterminator="\n")

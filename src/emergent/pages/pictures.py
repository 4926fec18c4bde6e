"""Committed pictures and tables with their captions, and cells of committed tables."""

from emergent.errors import DataError
from emergent.pages.committed import Committed


def picture(committed: Committed, run: str, name: str, alt: str) -> str:
    """Returns the Markdown of a committed picture and, below it, of its caption as the run wrote it.

    Raises:
        DataError: picture or caption are missing.
    """
    path = committed.docs / "figures" / run / f"{name}.png"
    if not path.exists():
        raise DataError(f"{path}: no such picture.")
    return f"![{alt}](../figures/{run}/{name}.png)\n\n*{committed.runs[run].title}. {caption(committed, run, name)}*"


def whole_table(committed: Committed, run: str, name: str) -> str:
    """Returns a committed table and, below it, its caption as the run wrote it.

    Raises:
        DataError: table or caption are missing.
    """
    path = committed.docs / "figures" / run / f"{name}.md"
    if not path.exists():
        raise DataError(f"{path}: no such table.")
    text = path.read_text(encoding="utf-8").strip()
    return f"{text}\n\n*{committed.runs[run].title}. {caption(committed, run, name)}*"


def caption(committed: Committed, run: str, name: str) -> str:
    """Returns the caption that lies beside a committed picture."""
    path = committed.docs / "figures" / run / f"{name}.txt"
    if not path.exists():
        raise DataError(f"{path}: no such caption; captions are committed beside their pictures.")
    return path.read_text(encoding="utf-8").strip()


def cell(committed: Committed, run: str, name: str, row: str, column: str) -> str:
    """Returns one cell of a committed Markdown table.

    Raises:
        DataError: the table, its row or its column are missing.
    """
    path = committed.docs / "figures" / run / f"{name}.md"
    if not path.exists():
        raise DataError(f"{path}: no such table.")
    # Labels of rows may hold bars themselves: cells are counted from the right.
    lines = [line.removeprefix("| ").removesuffix(" |") for line in path.read_text(encoding="utf-8").splitlines()
             if line.startswith("| ")]  # fmt: skip
    columns = [part.strip() for part in lines[0].split(" | ")]
    parts = [line.rsplit(" | ", len(columns) - 1) for line in lines[2:]]
    rows = {part[0].strip(): part for part in parts}
    if row not in rows or column not in columns:
        raise DataError(f"{path}: no cell {row!r}, {column!r}; rows: {', '.join(rows)}; columns: {', '.join(columns)}.")
    return rows[row][columns.index(column)]

"""Writes tables: TeX, Markdown, HTML, the CSV behind them and the caption, the same bytes at each run."""

import html
import re
from pathlib import Path

import pandas as pd

from emergent.config.figure_kinds import Entry
from emergent.figures.drawing import Tabulation
from emergent.figures.save import csv_text, write_text

GROUP_NAME = re.compile(r"^[CD][0-9]+$")


def save_table(table: Tabulation, stem: Path, entry: Entry, caption: str, scale: str) -> None:
    """Writes ``stem`` with suffixes .tex (booktabs), .md, .html, .csv (all numbers, tidy) and .txt (the caption)."""
    mark = f"{entry.id}, scale {scale}. {caption}"
    write_text(stem.with_suffix(".csv"), csv_text(table.data))
    write_text(stem.with_suffix(".txt"), caption + "\n")
    write_text(stem.with_suffix(".md"), f"{_markdown(table.cells)}\n{mark}\n")
    write_text(stem.with_suffix(".tex"), f"% {mark}\n{_latex(table.cells)}")
    write_text(stem.with_suffix(".html"), _html(table.cells, entry.title, mark))


def _markdown(cells: pd.DataFrame) -> str:
    lines = [["", *cells.columns], ["---"] * (len(cells.columns) + 1)]
    lines += [[str(label), *row] for label, row in zip(cells.index, cells.to_numpy(), strict=True)]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines) + "\n"


def _latex(cells: pd.DataFrame) -> str:
    rows = [" & ".join(["", *(_latex_head(str(name)) for name in cells.columns)]) + r" \\ \midrule"]
    rows += [
        " & ".join([str(label), *(text.replace(" ± ", r" $\pm$ ").replace("–", "--") for text in row)]) + r" \\"
        for label, row in zip(cells.index, cells.to_numpy(), strict=True)
    ]
    body = "\n".join(rows)
    return f"\\begin{{tabular}}{{l{'c' * len(cells.columns)}}}\n\\toprule\n{body}\n\\bottomrule\n\\end{{tabular}}\n"


def _latex_head(name: str) -> str:
    """Returns a column's name; that of a group (C4, D8) with its order as an index."""
    return f"${name[0]}_{{{name[1:]}}}$" if GROUP_NAME.match(name) else name


def _html_head(name: str) -> str:
    return f"{name[0]}<sub>{name[1:]}</sub>" if GROUP_NAME.match(name) else html.escape(name)


def _html(cells: pd.DataFrame, title: str, caption: str) -> str:
    head = "".join(f"<th>{_html_head(str(name))}</th>" for name in cells.columns)
    body = "\n".join(
        "<tr><th scope='row'>" + html.escape(str(label)) + "</th>" + "".join(f"<td>{html.escape(t)}</td>" for t in row)
        + "</tr>"
        for label, row in zip(cells.index, cells.to_numpy(), strict=True)
    )  # fmt: skip
    css = (
        "body{font:15px sans-serif;margin:2em}table{border-collapse:collapse}"
        "th,td{padding:.35em 1em;border-bottom:1px solid #ddd}th[scope=row]{text-align:left;font-weight:normal}"
        "caption{caption-side:bottom;text-align:left;padding-top:1em;max-width:60em}"
    )
    return (
        f"<!doctype html>\n<html lang='en'><head><meta charset='utf-8'><title>{html.escape(title)}</title>"
        f"<style>{css}</style></head>\n<body><table>\n<caption>{html.escape(caption)}</caption>\n"
        f"<tr><th></th>{head}</tr>\n{body}\n</table></body></html>\n"
    )

"""Every comparison with a paper that came out against it, or against us, in the runs whose verdicts count."""

import pandas as pd

from emergent.claims.table import markdown
from emergent.claims.words import JUDGED
from emergent.errors import DataError
from emergent.pages.committed import Committed
from emergent.pages.overview import read_overview
from emergent.pages.tables import ours, selected


def differing_table(committed: Committed, paper: str) -> str:
    """Returns what differs from a paper: labels of its figures, statement, quantity, ours, published, run.

    Verdicts are those that the README's table counts.

    Raises:
        DataError: no line of the table belongs to the paper, or nothing differs: then the page should say so.
    """
    lines = read_overview(committed.docs).get(paper)
    if lines is None:
        raise DataError(f"docs/templates/overview.yaml has no paper {paper!r}.")
    rows, before = [], ""
    for line in lines:
        if line.judged is None or not line.claims:
            continue
        judged: set[tuple[str, str]] = set()
        for run in filter(None, (line.judged, line.also_judged)):
            table: pd.DataFrame = selected(committed, run, line.claims)
            for row in table[table["verdict"].isin(JUDGED)].to_dict("records"):
                key = (str(row["id"]), str(row["quantity"]))
                if key in judged:
                    continue
                judged.add(key)
                if row["verdict"] == "differs":
                    statement = "" if row["statement"] == before else row["statement"]
                    before = row["statement"]
                    title = committed.runs[run].title
                    rows.append((line.label, statement, f"`{row['quantity']}`", ours(row), row["published"], title))
    if not rows:
        raise DataError(f"nothing differs from {paper}; take its table out of the page.")
    return markdown(("figures", "claim", "quantity", "ours", "published", "run"), rows)

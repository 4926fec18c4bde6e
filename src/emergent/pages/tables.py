"""Markdown tables of the pages: verdicts, published points, accuracy and symmetry by ensemble size."""

import math
from collections.abc import Sequence
from fnmatch import fnmatchcase

import pandas as pd

from emergent.claims.table import markdown
from emergent.claims.words import JUDGED, counts_text, group_word
from emergent.errors import DataError
from emergent.pages.committed import Committed
from emergent.pages.comparisons import METRICS, points
from emergent.pages.measured import Measured


def selected(committed: Committed, run: str, patterns: Sequence[str]) -> pd.DataFrame:
    """Returns the verdicts of a run whose claim matches one of these patterns, less those of experiments not run.

    A run from before a claim was written has no verdict on it.

    Raises:
        DataError: a pattern matches no claim, neither of the run nor of today.
    """
    verdicts = committed.verdicts(run)
    known = {*verdicts["id"], *committed.claims()}
    for pattern in patterns:
        if not any(fnmatchcase(str(name), pattern) for name in known):
            raise DataError(f"no claim matches {pattern!r}; see config/claims.yaml and the column 'id' of claims.csv.")
    kept = verdicts["id"].map(lambda name: any(fnmatchcase(str(name), pattern) for pattern in patterns))
    return verdicts[kept & (verdicts["verdict"] != "not run")]


def claim_word(committed: Committed, run: str, *patterns: str) -> str:
    """Returns one word for the verdicts on these claims."""
    return group_word(selected(committed, run, patterns)["verdict"])


def verdict_table(committed: Committed, run: str, *patterns: str, only: str = "") -> str:
    """Returns every judged comparison of these claims: statement, quantity, ours, published, verdict.

    A statement stands in the first of its rows only. Comparisons that an earlier form of a claim judged are shown as
    superseded.

    Args:
        committed: data.
        run: committed run.
        patterns: names of claims.
        only: verdict that is shown; all where it is empty.
    """
    table = selected(committed, run, patterns)
    table = table[table["verdict"].isin([only] if only else [*JUDGED, "superseded"])]
    rows, before = [], ""
    for row in table.to_dict("records"):
        statement = "" if row["statement"] == before else row["statement"]
        before = row["statement"]
        rows.append((statement, f"`{row['quantity']}`", ours(row), row["published"], row["verdict"]))
    if not rows:
        raise DataError(f"{run}: none of the claims {', '.join(patterns)} was judged.")
    return markdown(("claim", "quantity", "ours", "published", "verdict"), rows)


def beside_table(committed: Committed, run: str, *patterns: str) -> str:
    """Returns ours beside the published number where this run does not test it: quantity, ours, published."""
    table = selected(committed, run, patterns)
    table = table[(table["verdict"] == "not tested at this scale") & table["ours"].notna()]
    if table.empty:
        raise DataError(f"{run}: the claims {', '.join(patterns)} have no value that is not judged.")
    rows = [(f"`{row['quantity']}`", ours(row), row["published"]) for row in table.to_dict("records")]
    return markdown(("quantity", "ours", "published"), rows)


def verdict_counts(committed: Committed, run: str, *patterns: str) -> str:
    """Returns how many comparisons of these claims came out each way, in words."""
    return counts_text(selected(committed, run, patterns))


def points_table(committed: Committed, run: str, experiment: str, reference: str, factor: float = 1.0) -> str:
    """Returns every published point that the run has beside ours, with the difference in combined standard errors.

    Args:
        committed: data.
        run: committed run.
        experiment: ours.
        reference: file of published values.
        factor: what divergences are multiplied with, e.g. 0.5 for the mean of both directions in place of their sum.
    """
    rows = []
    for point in points(committed, run, experiment, reference):
        if math.isfinite(point.ours.value):
            scale = factor if point.metric == "divergence" else 1.0
            where = "in distribution" if point.role == "in" else "out of distribution"
            rows.append((point.figure, where, METRICS[point.metric], point.arm, point.size, point.ours * scale,
                         point.published * scale, f"{point.score:+.1f}"))  # fmt: skip
    head = ("figure", "data", "metric", "arm", "N", "ours", "published", "difference / error")
    return markdown(head, rows)


def size_table(committed: Committed, run: str, experiment: str, metric: str, data: str, factor: float = 1.0) -> str:
    """Returns a metric by arm and ensemble size: mean over members, over ensembles of each size, and of the whole pool.

    Args:
        committed: data.
        run: committed run.
        experiment: experiment with quantities ``members_<metric>``, ``<metric>`` and ``pool_<metric>``.
        metric: ``osp`` or ``divergence``.
        data: evaluation set.
        factor: what the metric is multiplied with.
    """
    table = committed.table(run, experiment, "quantities")
    epoch = int(committed.quantity(run, experiment, "num_epochs").value)
    parts = [name.split("/") for name in table["name"]]
    own = [part for part in parts if part[0] == metric and part[2:3] == [data]]
    sizes = sorted({int(part[3]) for part in own})
    rows = []
    for arm in dict.fromkeys(part[1] for part in own):
        names = [f"members_{metric}/{arm}/{data}/{epoch}", *(f"{metric}/{arm}/{data}/{size}" for size in sizes),
                 f"pool_{metric}/{arm}/{data}/{epoch}"]  # fmt: skip
        rows.append((arm, *(committed.quantity(run, experiment, name) * factor for name in names)))
    return markdown(("arm", "members", *(f"N = {size}" for size in sizes), "all members"), rows)


def ours(row: dict) -> Measured:
    """Returns our side of a comparison."""
    return Measured(float(row["ours"]), float(row["ours_stderr"]))

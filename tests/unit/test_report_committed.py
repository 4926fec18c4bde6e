"""The page of the committed runs: whole, of a size that can be sent, and in every number what committed data say."""

import csv
import io
import json
from collections import Counter
from pathlib import Path

import pandas as pd
import pytest
from html_checks import Page

from emergent import storage
from emergent.claims.words import JUDGED
from emergent.config.figures import read_catalogue
from emergent.pages.committed import Committed
from emergent.report.charts import CHARTS
from emergent.report.committed import read_committed
from emergent.report.content import natural
from emergent.report.render import LARGEST_PAGE, render

ROOT = Path(__file__).parents[2]


def test_page_of_the_committed_runs() -> None:
    """One test: the page takes longer to make than all that is looked at."""
    report = read_committed(ROOT)
    text = render(report)
    assert len(text.encode()) < LARGEST_PAGE
    page = Page(text)
    assert page.problems == []
    catalogue = read_catalogue(ROOT / "config" / "figures.yaml")
    figures = {shown.name: shown for shown in report.figures}
    runs = Committed(ROOT).runs.values()
    kept = {
        name for name, entry in catalogue.items()
        if any(name in run.pictures or set(entry.experiments) <= set(run.summaries) for run in runs)
    }  # fmt: skip
    # What no committed run has drawn is in the README's table alone, as drawn at smoke scale.
    assert set(figures) == kept
    assert set(figures) <= set(page.ids)

    # Order of labels, and a picture with words or a table for each.
    for paper in {shown.entry.paper for shown in report.figures}:
        labels = [shown.entry.id for shown in report.of_paper(paper)]
        assert labels == sorted(labels, key=natural)
    assert all((shown.picture is None) == (shown.cells is not None) for shown in report.figures)
    described = [image["alt"] for image in page.images if image["alt"]]
    assert len(described) >= sum(shown.picture is not None for shown in report.figures)
    assert all(len(words.split()) > 5 for words in described)

    # Verdicts are those of the committed files: of every figure, and none of them twice.
    committed = Committed(ROOT)
    seen: set[tuple[str, str]] = set()
    for shown in report.figures:
        keys = set(zip(shown.verdicts["id"], shown.verdicts["quantity"], strict=True))
        assert not keys & seen
        seen |= keys
    runs = {run: committed.verdicts(run).set_index(["id", "quantity"]) for run in committed.runs}
    for shown in report.figures:
        for row in shown.verdicts.to_dict("records"):
            key = (row["id"], row["quantity"])
            found = [table.loc[key] for table in runs.values() if key in table.index]
            assert any(float(f["ours"]) == row["ours"] and f["verdict"] == row["verdict"] for f in found) or pd.isna(
                row["ours"]
            )
    counts = Counter(verdict for shown in report.figures for verdict in shown.verdicts["verdict"])
    assert sum(counts[verdict] for verdict in JUDGED) > 400
    assert set(counts) <= {*JUDGED, "not tested at this scale", "superseded", "missing"}

    # Numbers behind a picture, as they can be saved from the page.
    saved = list(csv.DictReader(io.StringIO(page.downloads["fashion_mnist_osp.csv.gz"])))
    table = storage.read_table(ROOT / "docs/data/fashion_paper/fashion_mnist_summary.h5", "osp", "summary")
    own = table[(table["arm"] == "cnn_c8") & (table["data"] == "mnist") & (table["epoch"] == 2)]
    own = own[(own["predictor"] == "ensemble") & (own["ensemble_size"] == 10)]
    wanted = {"source": "ours", "arm": "cnn_c8", "data": "mnist", "epoch": "2", "predictor": "ensemble"}
    (line,) = [row for row in saved if wanted.items() <= row.items()]
    assert float(line["mean"]) == pytest.approx(own["mean"].iloc[0], rel=1e-7)

    # A chart of every kind that has one, with all sizes and epochs, not those of the picture alone.
    charted = {shown.entry.plot for shown in report.figures if shown.chart}
    # The summary of the toy example is not committed.
    assert charted == set(CHARTS) - {"learned_curves"}
    chart = json.loads(page.texts["fashion_mnist_osp-chart-data"])
    assert [axis["label"] for axis in chart["axes"]] == ["Epoch", "Ensemble size"]
    assert chart["axes"][1] == {"label": "Ensemble size", "values": [5, 10, 100], "start": 10, "log": True}
    (panel,) = [panel for panel in chart["panels"] if panel["title"] == "MNIST (out of distribution)"]
    (curve,) = [curve for curve in panel["curves"] if curve["label"] == "C8, ensembles"]
    assert [row[2] for row in curve["rows"] if row[:2] == [2, 10]] == [float(f"{own['mean'].iloc[0]:.4g}")]
    published = [curve for curve in panel["curves"] if curve["style"] == "published"]
    assert sum(len(curve["rows"]) for curve in published) == 33

    # What every figure was made by, and again.
    assert figures["nordenfors_c4_sizes"].commands[0].line == (
        "snakemake --cores 2 figures/paper/nordenfors_flinth/nordenfors_c4_sizes.pdf --config scale=paper"
        " accelerator=true members=600 block=200 substitute=\"{'cifar10_grey28': 'cifar10_jpeg_grey28'}\""
    )
    facts = json.loads((ROOT / "docs/data/paper_pool/nordenfors_c4_summary.h5.provenance.json").read_text())
    assert f"{facts['git']['commit'][:10]} + changes, 1 × NVIDIA H200" in " ".join(
        page.texts["nordenfors_c4_sizes"].split()
    ).replace("commit ", "")

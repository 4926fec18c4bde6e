"""Pages of the report, and captions as the report reads them."""

import json
import subprocess
import sys
from pathlib import Path

from docutils.core import publish_parts

from emergent.figures.pages import assumptions_page, provenance_page

ROOT = Path(__file__).parents[2]


def test_assumptions_are_escaped_and_name_their_figures():
    page = assumptions_page(
        {"ising": [{"key": "data.size", "value": 4, "reason": "a < b"}], "other": []}, {"ising": ["F1 (x)", "F2 (y)"]}
    )
    assert "a &lt; b" in page and "F1 (x), F2 (y)" in page and "<p>None.</p>" in page


def test_provenance_groups_equal_software():
    facts = {"versions": {"jax": "1"}, "jax": {"device_count": 1, "device_kind": "cpu"}, "wall_seconds": 125.2,
             "git": {"commit": "0123456789abcdef", "dirty": True}, "ended": "2026-01-01T00:00:00+00:00"}  # fmt: skip
    page = provenance_page({"a.h5": facts, "b.h5": facts, "c.h5": {"versions": {"jax": "2"}, "jax": None, "git": None}})
    assert page.count("<th>jax</th>") == 2
    assert "a.h5, b.h5" in page and "2 min 05 s" in page and "0123456789ab + changes" in page


def test_verb_writes_pages(tmp_path: Path):
    stage = tmp_path / "summary.json"
    stage.write_text(json.dumps({"experiment": "ising", "assumed": [{"key": "k", "value": None, "reason": "why"}]}))
    command = [sys.executable, "-m", "emergent.cli.report_page", "assumptions", "--input", str(stage), "--figures",
               str(ROOT / "config/figures.yaml"), "--output", str(tmp_path / "a.html")]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "F2 (Emergent invariance in the Ising model)" in (tmp_path / "a.html").read_text()
    sidecar = tmp_path / "x.h5.provenance.json"
    sidecar.write_text("{")
    command = [sys.executable, "-m", "emergent.cli.report_page", "provenance", "--input", str(sidecar), "--output",
               str(tmp_path / "p.html")]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1 and done.stderr.startswith("error:") and "Traceback" not in done.stderr
    sidecar.write_text(json.dumps({"versions": {"jax": "1"}}))
    assert subprocess.run(command, check=False).returncode == 0


def test_report_reads_the_caption_beside_the_figure(tmp_path: Path):
    caption = tmp_path / "figure.txt"
    caption.write_text("Lines are 25 to 75 % quantiles (C4, C8).\n")
    text = (ROOT / "workflow/report/figure.rst").read_text().replace("{{ snakemake.output.caption }}", str(caption))
    body = publish_parts(text, writer="html", settings_overrides={"report_level": 2})["body"]
    assert "<p>Lines are 25 to 75 % quantiles (C4, C8).</p>" in body

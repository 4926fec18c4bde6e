"""Pages of the report: verdicts, assumptions and provenance as self-contained static HTML."""

from collections.abc import Mapping, Sequence
from typing import Any

import jinja2
import pandas as pd

from emergent.claims.table import overview, series_agreement
from emergent.provenance import commit, software

_LAYOUT = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>{{ title }}</title>
<style>
body { font: 15px/1.45 system-ui, sans-serif; color: #222; margin: 2em auto; max-width: 76em; padding: 0 1em; }
h1 { font-size: 1.5em; } h2 { font-size: 1.15em; margin-top: 2em; }
table { border-collapse: collapse; width: 100%; font-size: 0.88em; }
th, td { text-align: left; vertical-align: top; padding: 0.4em 0.7em; border-bottom: 1px solid #ddd; }
th { background: #f5f5f5; } td.number { white-space: nowrap; font-variant-numeric: tabular-nums; }
td.value { max-width: 22em; overflow-wrap: anywhere; }
code { font-size: 0.92em; overflow-wrap: anywhere; }
.verdict { font-weight: 600; white-space: nowrap; }
.agrees { color: #00674b; } .differs { color: #b3261e; } .inconclusive { color: #8a5a00; } .missing { color: #7a2e8e; }
.untested { color: #777; font-weight: normal; white-space: normal; }
.small { color: #666; font-size: 0.9em; }
</style>
</head>
<body>
<h1>{{ title }}</h1>
{% block body %}{% endblock %}
</body>
</html>
"""

_CLAIMS = """{% extends "layout" %}{% block body %}
<p>Scale <b>{{ scale }}</b>: {% for verdict, number in counts.items() %}<span
class="{{ classes[verdict] }}">{{ number }} {{ verdict }}</span>{{ "" if loop.last else ", " }}{% endfor %}.
Errors of ours are standard errors; a difference counts
from two combined standard errors on, of few repeats from as many of Student's. What agrees must be nearer to what is
claimed than to what the claim denies. Published numbers belong to the scale of the paper.</p>
{% for sentence in notes %}{% if sentence %}<p>{{ sentence }}</p>{% endif %}{% endfor %}
<h2>In short</h2>
<table>
<tr><th>Experiment</th><th>Outcome</th><th>Comparisons</th><th>The sharpest</th></tr>
{% for row in overview %}<tr><td><a href="#{{ row.experiment }}">{{ row.experiment }}</a></td>
<td class="verdict {{ classes.get(row.outcome, "untested") }}">{{ row.outcome }}</td><td>{{ row.counts }}</td>
<td>{{ row.sharpest }}</td></tr>
{% endfor %}</table>
{% if series %}<h2>Published curves</h2>
<p class="small">Chi-square without any tolerance. Points of a curve share their pools and move together.</p>
<table><tr><th>Curve</th><th>Points</th><th>Chi-square</th><th>Largest difference in errors</th><th>Verdicts</th></tr>
{% for row in series %}<tr><td><code>{{ row.series }}</code></td><td class="number">{{ row.points }}</td>
<td class="number">{{ "%.1f" | format(row.chi_square) }}</td><td class="number">{{ "%.1f" | format(row.largest) }}</td>
<td>{{ row.verdicts }}</td></tr>
{% endfor %}</table>{% endif %}
{% for experiment, rows in groups %}
<h2 id="{{ experiment }}">{{ experiment }}</h2>
<table>
<tr><th>Published statement</th><th>Quantity</th><th>Ours</th><th>Published</th><th>Verdict</th><th>Why</th></tr>
{% for row in rows %}<tr>
<td>{{ row.statement }}<br><span class="small">{{ row.source }}; {{ row.reading }}</span></td>
<td><code>{{ row.quantity }}</code></td>
<td class="number">{{ row.ours_text }}</td>
<td class="number">{{ row.published }}</td>
<td class="verdict {{ classes[row.verdict] }}">{{ row.verdict }}</td>
<td>{{ row.why }}<br><span class="small">{{ row.reason }}</span></td>
</tr>
{% endfor %}</table>
{% endfor %}{% endblock %}
"""

_ASSUMPTIONS = """{% extends "layout" %}{% block body %}
<p>Settings that the papers leave open, the value used here and why.</p>
{% for section in sections %}
<h2>{{ section.experiment }}</h2>
<p class="small">Behind {{ section.figures | join(", ") or "no figure" }}.</p>
{% if section.rows %}<table>
<tr><th>Setting</th><th>Value</th><th>Reason</th></tr>
{% for row in section.rows %}<tr><td><code>{{ row.key }}</code></td><td class="value"><code>{{ row.value }}</code></td>
<td>{{ row.reason }}{% if row.fitted_to | default("") %} <b>Fitted</b> to {{ row.fitted_to }}.{% endif %}</td></tr>
{% endfor %}</table>{% else %}<p>None.</p>{% endif %}
{% endfor %}{% endblock %}
"""

_PROVENANCE = """{% extends "layout" %}{% block body %}
<h2>Software</h2>
{% for versions, files in software %}
<p class="small">{{ files | length }} file{{ "s" if files | length > 1 }}{% if software | length > 1 %}:
{{ files | join(", ") }}{% endif %}</p>
<table><tr>{% for name in versions %}<th>{{ name }}</th>{% endfor %}</tr>
<tr>{% for name, version in versions.items() %}<td>{{ version }}</td>{% endfor %}</tr></table>
{% endfor %}
<h2>Files</h2>
<table>
<tr><th>File</th><th>Device</th><th>Commit</th><th>Finished (UTC)</th><th>Wall time</th><th>CPU time</th>
<th>Peak memory</th></tr>
{% for row in rows %}<tr><td><code>{{ row.file }}</code></td>
<td>{{ row.device }}</td><td><code>{{ row.commit }}</code></td>
<td class="number">{{ row.ended }}</td><td class="number">{{ row.wall }}</td><td class="number">{{ row.cpu }}</td>
<td class="number">{{ row.memory }}</td></tr>
{% endfor %}</table>{% endblock %}
"""

_ENVIRONMENT = jinja2.Environment(
    loader=jinja2.DictLoader(
        {"layout": _LAYOUT, "claims": _CLAIMS, "assumptions": _ASSUMPTIONS, "provenance": _PROVENANCE}
    ),
    autoescape=True,
    undefined=jinja2.StrictUndefined,
    trim_blocks=True,
)

_CLASSES = {"agrees": "agrees", "fitted": "inconclusive", "differs": "differs", "inconclusive": "inconclusive",
            "missing": "missing", "not tested at this scale": "untested", "not run": "untested",
            "mixed": "differs"}  # fmt: skip


def claims_page(
    verdicts: pd.DataFrame, ours: Sequence[str], counts: Mapping[str, int], scale: str, notes: Sequence[str] = ()
) -> str:
    """Returns the verdict table as a page: one line per experiment, chi-square of published curves, then all of it.

    Args:
        verdicts: the table that ``emergent.claims.verdict.judge`` returns.
        ours: our value and error as text, one per row.
        counts: verdict to number of rows.
        scale: smoke, laptop or paper.
        notes: sentences on experiments that did not run and on the data.
    """
    table = verdicts.assign(ours_text=list(ours))
    short = {"overview": overview(verdicts).to_dict("records"), "series": series_agreement(verdicts).to_dict("records")}
    groups = [(name, rows.to_dict("records")) for name, rows in table.groupby("experiment", sort=False)]
    return _ENVIRONMENT.get_template("claims").render(
        title="Claims and verdicts", scale=scale, counts=counts, notes=notes, groups=groups, classes=_CLASSES, **short
    )


def assumptions_page(assumed: Mapping[str, Sequence[Mapping[str, Any]]], figures: Mapping[str, Sequence[str]]) -> str:
    """Returns every assumed setting as a page.

    Args:
        assumed: experiment to its assumed settings (key, value, reason).
        figures: experiment to the labels of the figures that are drawn from it.
    """
    sections = [
        {"experiment": name, "figures": list(figures.get(name, ())), "rows": list(rows)}
        for name, rows in assumed.items()
    ]
    return _ENVIRONMENT.get_template("assumptions").render(title="Assumptions", sections=sections)


def provenance_page(records: Mapping[str, Mapping[str, Any]]) -> str:
    """Returns what made each file as a page.

    Args:
        records: file to the facts in its sidecar, as ``emergent.provenance.collect`` returns them.
    """
    rows = [_provenance_row(file, facts) for file, facts in records.items()]
    return _ENVIRONMENT.get_template("provenance").render(title="Provenance", software=software(records), rows=rows)


def _provenance_row(file: str, facts: Mapping[str, Any]) -> dict[str, str]:
    jax = facts.get("jax") or {}
    device = f"{jax['device_count']} x {jax['device_kind']}" if jax else "CPU, without JAX"
    memory = facts.get("peak_memory_bytes")
    return {
        "file": file,
        "device": device,
        "commit": commit(facts),
        "ended": str(facts.get("ended", "")).removesuffix("+00:00"),
        "wall": _seconds(facts.get("wall_seconds")),
        "cpu": _seconds(facts.get("cpu_seconds")),
        "memory": f"{memory / 2**30:.2f} GiB" if memory else "",
    }


def _seconds(seconds: float | None) -> str:
    if seconds is None:
        return ""
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest:02d} s" if minutes else f"{seconds:.1f} s"

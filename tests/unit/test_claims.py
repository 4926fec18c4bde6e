"""Claims: the logic of verdicts in every branch, and claims.yaml against the quantities that experiments write."""

import math
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from emergent import storage
from emergent.claims.table import ours_text, overview, series_agreement, to_csv, to_markdown
from emergent.claims.verdict import compare, judge, matches
from emergent.claims.words import GROUP_MEANINGS, count_verdicts, group_word
from emergent.config.base import validate
from emergent.config.claims import Claims, read_claims
from emergent.config.references import read_reference
from emergent.errors import ConfigError, DataError

ROOT = Path(__file__).parents[2]
CLAIMS = read_claims(ROOT / "config/claims.yaml")

QUANTITIES = {
    "ising": (
        r"members_orbit_std/mlp_\d+/(train|test|ood)",
        r"ensemble_orbit_std/mlp_\d+/(train|test|ood)/\d+",
        r"ntk_difference/mlp_\d+/(train|test|ood)/\d+",
        r"decay_exponent/(mlp_\d+|\*)/(train|test|ood|\*)",
        r"ntk_equivariance_error",
        r"ntk_floor/mlp_\d+/(train|test|ood)",
        r"band_ratio/(mlp_\d+|\*)/(train|test|ood|\*)",
    ),
    "fashion_mnist": (
        r"(ensemble|members)_osp/cnn_c\d+/\w+/\d+",
        r"(min_)?gain/(cnn_c\d+|\*)/(\w+|\*)",
        r"gain_per_element/(cnn_c\d+|\*)/(\w+|\*)",
        r"gain_growth/(cnn_c\d+|\*)/(\w+|\*)",
        r"ensemble_fraction/cnn_c\d+/\w+/\d+",
        r"(min_fraction_gain|fraction_growth)/(cnn_c\d+|\*)/(\w+|\*)",
    ),
    "cnn_gcnn": (
        r"distance/\w+/\d+",
        r"(floor|floor_squared|floor_over_noise|noise|distance_ratio)/(\w+|\*)",
        r"invariance_error/gcnn",
    ),
}
"""Names that the summaries of the three experiments write, with * where a claim may leave a part open."""


def make_claim(relation: str, **changes):
    """Returns one claim of a relation, at all scales unless changed."""
    base = {"id": "a", "paper": "misof", "statement": "s", "experiment": "e", "quantity": "q", "reading": "stated",
            "source": "S1", "reason": "r", "relation": relation}  # fmt: skip
    values = {
        "equals": {"value": 10.0, "uncertainty": 1.0, "tolerance": 0.5},
        "greater_than": {"value": 0.0},
        "less_than": {"value": 1.0},
        "between": {"low": 0.0, "high": 1.0},
    }[relation]
    return validate(Claims, {"claims": [{**base, **values, **changes}]}, "test").claims[0]


def quantities(**values: tuple[float, float]) -> pd.DataFrame:
    """Returns a table ``quantities``; a double underscore in a name stands for a slash."""
    rows = [{"name": name.replace("__", "/"), "value": v, "stderr": e, "num": 3, "description": ""}
            for name, (v, e) in values.items()]  # fmt: skip
    return pd.DataFrame(rows, columns=["name", "value", "stderr", "num", "description"])


@pytest.mark.parametrize(
    ("relation", "value", "stderr", "verdict"),
    [
        ("equals", 10.0, 0.1, "agrees"),
        ("equals", 12.4, 0.0, "agrees"),  # tolerance 0.5 plus twice the published uncertainty
        ("equals", 12.6, 0.0, "differs"),
        ("equals", 12.7, 0.5, "agrees"),  # 0.5 + 2 sqrt(1.25)
        ("equals", 13.0, 1.0, "inconclusive"),  # 2 sqrt(2) is wider than a quarter of the published value
        ("equals", 11.0, 4.0, "inconclusive"),
        ("equals", 10.0, math.nan, "inconclusive"),
        ("greater_than", 1.0, 0.4, "agrees"),
        ("greater_than", 1.0, 0.6, "inconclusive"),
        ("greater_than", -1.0, 0.6, "inconclusive"),
        ("greater_than", -1.0, 0.4, "differs"),
        ("greater_than", 0.0, 0.0, "inconclusive"),
        ("greater_than", 1.0, math.nan, "inconclusive"),
        ("less_than", 0.5, 0.1, "agrees"),
        ("less_than", 0.95, 0.1, "inconclusive"),
        ("less_than", 1.5, 0.1, "differs"),
        ("between", 0.5, 0.1, "agrees"),
        ("between", 0.9, 0.1, "inconclusive"),
        ("between", 1.1, 0.1, "inconclusive"),
        ("between", 1.5, 0.1, "differs"),
        ("between", -0.5, 0.1, "differs"),
        ("between", 0.5, math.nan, "inconclusive"),
    ],
)
def test_verdict(relation: str, value: float, stderr: float, verdict: str):
    outcome = compare(make_claim(relation), value, stderr)
    assert outcome.verdict == verdict
    assert outcome.why.endswith(".")


def test_score_counts_combined_standard_errors():
    outcome = compare(make_claim("equals", uncertainty=3.0), 15.0, 4.0)
    np.testing.assert_allclose(outcome.score, 1.0, rtol=1e-12)
    np.testing.assert_allclose(compare(make_claim("greater_than"), 1.5, 0.5).score, 3.0, rtol=1e-12)
    assert compare(make_claim("equals", uncertainty=0.0), 11.0, 0.0).score == math.inf


def test_deterministic_quantity_needs_no_standard_error():
    claim = make_claim("less_than", deterministic=True, value=1e-10)
    assert compare(claim, 1e-13, math.nan).verdict == "agrees"
    assert compare(claim, 1e-9, math.nan).verdict == "differs"


def test_other_scales_show_ours_without_a_verdict():
    claim = make_claim("equals", scales=["paper"], otherwise="Too small.")
    row = judge([claim], {"e": quantities(q=(3.0, 0.1))}, "smoke").iloc[0]
    assert (row["verdict"], row["ours"], row["why"]) == ("not tested at this scale", 3.0, "Too small.")
    assert judge([claim], {"e": quantities(q=(3.0, 0.1))}, "paper")["verdict"].tolist() == ["differs"]
    absent = judge([claim], {"e": quantities(other=(3.0, 0.1))}, "smoke").iloc[0]
    assert absent["verdict"] == "not tested at this scale" and math.isnan(absent["ours"])


def test_absent_quantity_and_experiment_are_missing():
    claim = make_claim("greater_than", quantity="gain/ood")
    row = judge([claim], {"e": quantities(gain__odd=(1.0, 0.1))}, "smoke").iloc[0]
    assert row["verdict"] == "missing" and "did you mean 'gain/odd'" in row["why"]
    row = judge([claim], {}, "smoke").iloc[0]
    assert row["verdict"] == "not run" and "not part of this run" in row["why"]
    row = judge([claim], {"e": quantities(gain__ood=(math.nan, 0.1))}, "smoke").iloc[0]
    assert row["verdict"] == "missing" and "could not determine" in row["why"]


def test_experiments_that_did_not_run_are_one_line_of_the_table():
    claims = [make_claim("greater_than", experiment=name) for name in ("e", "absent", "absent", "off")]
    verdicts = judge(claims, {"e": quantities(q=(3.0, 0.1))}, "smoke")
    assert count_verdicts(verdicts)["not run"] == 3
    text = to_markdown(verdicts)
    assert "with the number of their claims: absent (2), off (1)." in text
    assert text.count("\n| ") == 6, "head, rule and one row, in short and in full"


def test_pattern_gives_one_row_per_match_and_leaves_aliases_out():
    claim = make_claim("greater_than", quantity="min_gain/*/*", without=["*/ood"])
    names = ["min_gain/a/ood", "min_gain/a/mnist", "gain/a/mnist", "min_gain/a/b/c", "min_gain/b/mnist"]
    assert matches(claim, names) == ["min_gain/a/mnist", "min_gain/b/mnist"]


def test_broken_quantities_are_refused():
    with pytest.raises(DataError, match=r"lacks column\(s\) \['stderr'\]"):
        judge([], {"e": quantities(q=(1.0, 1.0)).drop(columns="stderr")}, "smoke")
    twice = pd.concat([quantities(q=(1.0, 1.0))] * 2)
    with pytest.raises(DataError, match="names q more than once"):
        judge([], {"e": twice}, "smoke")


def test_bad_claims_are_refused():
    with pytest.raises(ConfigError, match="must say why"):
        make_claim("equals", scales=["paper"])
    with pytest.raises(ConfigError, match="must be smaller"):
        make_claim("between", low=2.0)
    with pytest.raises(ConfigError, match="tolerence: unknown key"):
        make_claim("equals", tolerence=1.0)


@pytest.mark.parametrize("claim", [c for c in CLAIMS if c.experiment in QUANTITIES], ids=lambda claim: claim.id)
def test_claim_names_a_known_quantity(claim):
    assert any(re.fullmatch(pattern, claim.quantity) for pattern in QUANTITIES[claim.experiment])
    assert claim.source.split(",")[0] in read_reference(ROOT / f"config/references/{claim.experiment}.json").sources
    assert claim.paper == ("misof" if claim.experiment == "cnn_gcnn" else "gerken_kessel")


def test_published_numbers_of_claims_stand_in_the_references():
    table = {key: value for series in read_reference(ROOT / "config/references/fashion_mnist.json").series
             if series.quantity == "osp_table"
             for key, value in (((series.keys["predictor"], x), (y, e))
                                for x, y, e in zip(series.x, series.y, series.spread or (), strict=True))}  # fmt: skip
    found = {c.id: (c.value, c.uncertainty) for c in CLAIMS if c.id.startswith("osp_table")}
    assert found == {f"osp_table_{p}_{g.lower()}": v for (p, g), v in table.items() if p in ("ensemble", "members")}
    for series in read_reference(ROOT / "config/references/ising.json").series:
        if series.quantity == "ntk_difference":
            name = f"ntk_difference/mlp_{series.keys['width']}/{series.keys['data']}/{int(series.x[-1])}"
            claim = next(c for c in CLAIMS if c.quantity == name)
            np.testing.assert_allclose(claim.value, series.y[-1], rtol=2e-3)


def test_a_claim_on_a_series_may_name_several_arms():
    claims = [c.id for c in CLAIMS if c.series_id == "efficiency_o5_mse"]
    assert claims == [f"efficiency_o5_mse_{arm}_{n}" for arm in ("mlp", "mlp_augmented", "tensors_o")
                      for n in (30, 100, 300, 3000)]  # fmt: skip


def test_texts():
    assert ours_text(1.23456, 0.012) == "1.235 ± 0.012"
    assert ours_text(1e-13, 0.0) == "1e-13"
    assert ours_text(math.nan, 1.0) == "–"
    verdicts = judge([make_claim("equals")], {"e": quantities(q=(10.0, 0.1))}, "paper")
    assert count_verdicts(verdicts) == {"agrees": 1}
    assert "| 10.00 ± 0.10 | 10 ± 1 | agrees |" in to_markdown(verdicts)
    assert to_csv(verdicts).splitlines()[0].startswith("id,series,paper,statement")


def test_verb_writes_three_forms(tmp_path: Path):
    summary = tmp_path / "summary.h5"
    table = quantities(decay_exponent__mlp_32__ood=(-0.48, 0.02), ntk_equivariance_error=(2e-14, 0.0))
    storage.write(summary, stage="summary", attributes={}, tables={"quantities": table})
    command = [sys.executable, "-m", "emergent.cli.claims", "--claims", str(ROOT / "config/claims.yaml"),
               "--scale", "smoke", "--summary", f"ising={summary}", "--output-stem",
               str(tmp_path / "claims")]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "2 agrees" in done.stdout
    assert "decay_exponent/mlp_32/ood" in (tmp_path / "claims.html").read_text()
    assert (tmp_path / "claims.csv").exists() and (tmp_path / "claims.md").exists()


@pytest.mark.parametrize(
    ("published", "uncertainty", "value", "stderr"), [(3.59, 0.02, 2.0, 0.85), (15.24, 0.69, 8, 3.8)]
)
def test_a_wide_error_bar_is_no_agreement(published: float, uncertainty: float, value: float, stderr: float):
    claim = make_claim("equals", value=published, uncertainty=uncertainty, tolerance=0.0)
    assert compare(claim, value, stderr).verdict == "inconclusive"
    # Nor with the right value, as long as the bar would hold the wrong one too.
    assert compare(claim, published, stderr).verdict == "inconclusive"


def test_agreement_is_judged_by_what_the_claim_denies():
    """-0.5 against no decay at all: an error that does not tell the two apart decides nothing."""
    claim = make_claim("equals", value=-0.5, uncertainty=0.02, tolerance=0.05, denies=0.0)
    assert compare(claim, -0.48, 0.05).verdict == "agrees"
    assert compare(claim, -0.48, 0.12).verdict == "inconclusive"
    assert compare(claim, -0.1, 0.05).verdict == "differs"
    with pytest.raises(ConfigError, match="cannot fail"):
        make_claim("equals", value=-0.5, uncertainty=0.02, tolerance=0.25, denies=0.0)


def test_few_repeats_need_more_standard_errors():
    claim = make_claim("greater_than", value=0.0)
    assert compare(claim, 1.0, 0.3).verdict == "agrees"
    # Of two repeats 14 standard errors hold as much as 2 of a normal distribution.
    assert compare(claim, 1.0, 0.3, dof=1).verdict == "inconclusive"
    assert compare(claim, 1.0, 0.07, dof=1).verdict == "agrees"
    table = quantities(q=(1.0, 0.3)).assign(dof=1.0)
    bound = make_claim("greater_than", value=0.0, quantity="q")
    assert judge([bound], {"e": table}, "paper")["verdict"].tolist() == ["inconclusive"]
    assert judge([bound], {"e": table.assign(dof=math.nan)}, "paper")["verdict"].tolist() == ["agrees"]


def test_overview_leads_with_one_line_an_experiment():
    claims = [make_claim("equals", id="a", quantity="q"), make_claim("equals", id="b", quantity="r")]
    verdicts = judge(claims, {"e": quantities(q=(10.0, 0.1), r=(30.0, 0.1))}, "paper")
    lines = to_markdown(verdicts).splitlines()
    first = next(line for line in lines if line.startswith("| e |"))
    assert "| mixed | 1 agrees, 1 differs |" in first and "Ours: 30.00 ± 0.10, published: 10 ± 1." in first
    assert lines.index(first) < lines.index("| claim | quantity | ours | published | verdict | why |")


def test_an_experiment_of_which_all_was_fitted_says_so():
    table = {"e": quantities(q=(10.0, 0.1))}
    assert overview(judge([make_claim("equals")], table, "paper", {"e": ["a"]}))["outcome"].tolist() == ["fitted"]
    assert overview(judge([make_claim("equals")], table, "paper"))["outcome"].tolist() == ["agrees"]


def test_an_experiment_and_a_line_of_the_readme_have_one_word():
    tables = {
        "agrees": quantities(q=(10.0, 0.1), r=(10.0, 0.1)),
        "mixed": quantities(q=(10.0, 0.1), r=(30.0, 0.1)),
        "differs": quantities(q=(30.0, 0.1), r=(10.0, 9.0)),
        "inconclusive": quantities(q=(10.0, 0.1), r=(10.0, 9.0)),
        "unjudged": quantities(other=(1.0, 0.1)),
    }
    for word, table in tables.items():
        verdicts = judge([make_claim("equals", quantity=name) for name in ("q", "r")], {"e": table}, "paper")
        assert overview(verdicts)["outcome"].tolist() == [word] == [group_word(verdicts["verdict"])]
    assert set(tables) | {"fitted"} == set(GROUP_MEANINGS)


def test_chi_square_of_published_points():
    claims = [make_claim("equals", id=f"s_{x}", series_id="s", quantity=x) for x in ("q", "r")]
    verdicts = judge(claims, {"e": quantities(q=(11.0, 0.0), r=(12.0, 0.0))}, "paper")
    row = series_agreement(verdicts).iloc[0]
    assert (row["series"], row["points"], row["largest"]) == ("s", 2, 2.0)
    np.testing.assert_allclose(row["chi_square"], 1 + 4)


def test_what_was_chosen_to_agree_is_no_agreement():
    claims = [make_claim("equals", id=f"points_{x}", series_id="points", quantity=x) for x in ("q", "r")]
    table = {"e": quantities(q=(10.0, 0.1), r=(30.0, 0.1))}
    for pattern in ("points", "points_*"):
        verdicts = judge(claims, table, "paper", {"e": [pattern]})
        # That it differs all the same is a finding.
        assert verdicts["verdict"].tolist() == ["fitted", "differs"]
        assert "no evidence" in verdicts.loc[0, "why"]
    assert judge(claims, table, "paper", {"e": ["other_*"]})["verdict"].tolist() == ["agrees", "differs"]
    assert judge(claims, table, "paper", {"f": ["points"]})["verdict"].tolist() == ["agrees", "differs"]

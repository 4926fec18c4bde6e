"""Claims on published series: expansion into points, pools that are too small, and the references behind them."""

import math
import re
from pathlib import Path

import numpy as np
import pytest
from divergence_tables import tables

from emergent.claims.verdict import judge
from emergent.config.base import validate
from emergent.config.claims import Claims, EqualsClaim, SeriesClaim, read_claims
from emergent.config.references import Series, read_reference
from emergent.errors import ConfigError

ROOT = Path(__file__).parents[2]
CLAIMS = [claim for claim in read_claims(ROOT / "config/claims.yaml") if claim.paper == "nordenfors_flinth"
          and re.fullmatch("nordenfors_c(4|16).*", claim.experiment)]  # fmt: skip
REFERENCES = {name: read_reference(ROOT / f"config/references/nordenfors_{name}.json")
              for name in ("c4", "c16_nearest", "c16_bilinear")}  # fmt: skip
QUANTITIES = (
    r"(osp|divergence)/(sym|asym|asym_invariant_init|cnn)/(in|ood)/\d+",
    r"(floor|slope)/\w+/(in|ood)",
    r"(osp|divergence)_difference/\w+/(in|ood)/\d+",
    r"(gap_floor|floor_difference)/\w+/\*",
    r"pool_gain/\*/(in|ood)",
    r"pool_osp/\*/\*/0",
    r"pool_divergence/\w+/in/10",
)


def series_claim(**changes) -> SeriesClaim:
    base = {"id": "a", "paper": "nordenfors_flinth", "statement": "{arm} {x} {value}", "experiment": "e",
            "quantity": "osp/{arm}/{role}/{x}", "reading": "stated", "source": "F4", "reason": "r",
            "relation": "equals_published", "reference": "nordenfors_c4", "series": "osp", "points": [5, 100],
            "keys": {"role": "in", "figure": "F4"}, "tolerance": 0.1, "min_members": 1000}  # fmt: skip
    claim = validate(Claims, {"claims": [{**base, **changes}]}, "test").claims[0]
    assert isinstance(claim, SeriesClaim)
    return claim


def test_expansion_takes_values_and_errors_from_the_reference():
    claims = {claim.id: claim for claim in series_claim(pool_ratio=50).expand(REFERENCES["c4"].series)}
    assert len(claims) == 3 * 2
    claim = claims["a_asym_100"]
    assert isinstance(claim, EqualsClaim) and claim.quantity == "osp/asym/in/100"
    assert (claim.value, claim.tolerance, claim.min_members) == (3.88, 0.1, 1000)
    # 0.00451 is the spread of one ensemble of 100 with a reading accuracy of 0.001.
    expected = np.hypot(np.sqrt(0.00451**2 - 0.001**2) * np.sqrt(1 / 30 + 100 / 1000), 0.001)
    np.testing.assert_allclose(claim.uncertainty, expected)
    assert claims["a_asym_5"].min_members == 250 and claims["a_asym_5"].statement == "asym 5 3.592"
    relative = series_claim(tolerance=0.0, relative_tolerance=0.5).expand(REFERENCES["c4"].series)
    np.testing.assert_allclose(relative[0].tolerance, 0.5 * relative[0].value, rtol=1e-12)
    assert relative[0].min_members == 1000


def test_bad_series_claims_are_refused():
    with pytest.raises(ConfigError, match=r"has no osp with .* at \[7"):
        series_claim(points=[5, 7]).expand(REFERENCES["c4"].series)
    with pytest.raises(ConfigError, match=r"\{model\} is none of arm, data, figure"):
        series_claim(quantity="osp/{model}").expand(REFERENCES["c4"].series)
    with pytest.raises(ConfigError, match="quantity"):
        series_claim(quantity="osp/*")


@pytest.mark.parametrize(
    ("num", "verdict", "why"),
    [
        (1000, "differs", "allowed are"),
        (20, "not tested at this scale", "The claim needs a pool of 1000 members; this run has 20."),
        (None, "not tested at this scale", "this run does not say how many it has."),
    ],
)
def test_partial_pools_do_not_test_a_claim(num: int | None, verdict: str, why: str):
    claim = series_claim(points=[5], tolerance=0.0).expand(REFERENCES["c4"].series)[0]
    table = tables(num=num or 1000)["quantities"]
    table.loc[table["name"] == "osp/sym/in/5", ["value", "stderr"]] = 3.0, 0.01
    if num is None:
        table = table[table["name"] != "num_members"]
    row = judge([claim], {"e": table}, "paper").iloc[0]
    assert row["verdict"] == verdict and why in row["why"] and row["ours"] == 3.0


def test_absent_size_of_a_partial_pool_is_not_missing():
    claim = series_claim(points=[1000]).expand(REFERENCES["c4"].series)[0]
    row = judge([claim], {"e": tables(num=20)["quantities"]}, "paper").iloc[0]
    assert row["verdict"] == "not tested at this scale" and row["why"].endswith("It has no such quantity.")
    assert math.isnan(row["ours"])
    whole = tables(num=1000)["quantities"]
    row = judge([claim], {"e": whole[whole["name"] != "osp/sym/in/1000"]}, "paper").iloc[0]
    assert row["verdict"] == "missing"


def test_number_of_another_training_time_is_not_judged():
    claim = next(claim for claim in CLAIMS if claim.id == "c4_osp_in_sym_5")
    assert claim.after_epochs == 10
    longer, shorter = (tables(epochs=epochs)["quantities"] for epochs in ((0, 10), (0, 4)))
    assert judge([claim], {claim.experiment: longer}, "paper").iloc[0]["verdict"] != "not tested at this scale"
    row = judge([claim], {claim.experiment: shorter}, "paper").iloc[0]
    assert row["verdict"] == "not tested at this scale"
    assert row["why"] == "The claim is about 10 epochs of training; this run is judged after 4."
    unknown = shorter[shorter["name"] != "num_epochs"]
    assert "does not say when" in judge([claim], {claim.experiment: unknown}, "paper").iloc[0]["why"]


@pytest.mark.parametrize("claim", CLAIMS, ids=lambda claim: claim.id)
def test_claim_names_a_known_quantity_and_source(claim):
    assert any(re.fullmatch(pattern, claim.quantity) for pattern in QUANTITIES)
    sources = {short for reference in REFERENCES.values() for short in reference.sources}
    assert claim.source.split(",")[0] in sources
    assert "{" not in claim.statement


def test_all_claims_can_be_judged():
    verdicts = judge(CLAIMS, {name: tables(name)["quantities"] for name in {c.experiment for c in CLAIMS}}, "paper")
    assert set(verdicts.loc[verdicts["verdict"] == "missing", "quantity"]) <= {
        "pool_osp/*/*/0", *(f"pool_divergence/{arm}/in/10" for arm in ("sym", "asym", "asym_invariant_init"))
    }  # fmt: skip
    floors = verdicts[verdicts["id"].isin(["c4_sym_floor", "c4_floor_asym", "c4_floor_asym_invariant_init"])]
    assert set(floors["verdict"]) == {"agrees"}


def curves() -> list[tuple[str, Series]]:
    return [(name, series) for name, reference in REFERENCES.items() for series in reference.series
            if series.quantity in ("osp", "divergence")]  # fmt: skip


def test_published_divergences_are_on_the_scale_of_the_definition():
    found = {(n, s.keys["arm"], s.keys["data"], s.keys["figure"]): s for n, s in curves() if s.quantity == "divergence"}
    series = found["c4", "sym", "mnist", "F4"]
    assert (series.x[0], series.y[0], (series.spread or ())[0]) == (5, 0.9824, 0.08)
    assert "half" in series.note
    # The figure that shows the definition itself agrees with the doubled one.
    np.testing.assert_allclose(found["c4", "sym", "mnist", "F3"].y[0] or 0.0, series.y[0] or 0.0, rtol=0.1)
    assert found["c16_bilinear", "cnn", "mnist", "F6"].y[-1] == 0.2334


@pytest.mark.parametrize(("name", "series"), curves(), ids=lambda item: item if isinstance(item, str) else "")
def test_every_published_point_has_an_error_at_least_as_large_as_its_bar(name: str, series: Series):
    assert series.uncertainty is not None
    for value, error, bar in zip(series.y, series.uncertainty, series.spread or [None] * len(series.y), strict=True):
        assert (value is None) == (error is None)
        if value is not None and error is not None:
            assert error > 0 and error >= 0.99 * (bar or 0.0)


def test_published_law_meets_the_published_points():
    laws = {(n, s.keys["arm"], s.keys["data"]): s.y for n, r in REFERENCES.items() for s in r.series
            if s.quantity == "law" and None not in s.y}  # fmt: skip
    checked = 0
    for name, series in curves():
        law = laws.get((name, series.keys["arm"], series.keys["data"]))
        if series.quantity != "divergence" or series.keys["figure"] == "F3" or law is None or len(series.x) == 1:
            continue
        floor, slope = (float(value or 0.0) for value in law)
        for size, value in zip(series.x, series.y, strict=True):
            if value is not None and float(size) >= 25:
                np.testing.assert_allclose(floor + slope * (1 / float(size) + 1e-3), value, rtol=0.05)
                checked += 1
    assert checked == 4 * 7


def test_error_of_a_published_mean_is_not_the_spread_of_one_ensemble() -> None:
    """Draws average out, the noise of the pool that all of them share does not."""
    series = next(s for s in REFERENCES["c4"].series if s.quantity == "osp" and s.keys["role"] == "in" and s.bootstraps)
    index = series.x.index(5)
    assert series.uncertainty is not None and series.uncertainty[index] == 0.02 and series.reading_error is not None
    reading = series.reading_error[index] or 0.0
    expected = np.hypot(np.sqrt(0.02**2 - reading**2) * np.sqrt(1 / 30 + 5 / 1000), reading)
    np.testing.assert_allclose(series.error(index), expected)
    assert expected < 0.3 * 0.02
    claim = series_claim(points=[5], keys=dict(series.keys)).expand(REFERENCES["c4"].series)[0]
    assert claim.uncertainty == series.error(index)
    # By simulation: means of 30 ensembles of 5 drawn from pools of 1000, in units of what one ensemble scatters by.
    generator = np.random.default_rng(0)
    means = [generator.choice(generator.normal(size=1000), (30, 5)).mean() for _ in range(2000)]
    np.testing.assert_allclose(np.std(means) * np.sqrt(5), np.sqrt(1 / 30 + 5 / 1000), rtol=0.07)

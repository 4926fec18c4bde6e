"""Holds a run's quantities against what the papers report, and says how each comparison came out and why.

Input: the table ``quantities`` of each experiment (name, value, stderr, num, description). Output: one row per claim
and matching quantity.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase

import pandas as pd

from emergent.claims.words import Verdict
from emergent.config.base import hint
from emergent.config.claims import BetweenClaim, BoundClaim, Claim, EqualsClaim
from emergent.errors import DataError
from emergent.statistics.estimate import combined_dof, quantile

STANDARD_ERRORS = 2.0
"""How many standard errors a difference must exceed to count; of few repeats as many of Student's as hold as much."""

POOL_SIZE = "num_members"
"""Quantity with the number of members of the run, which may be a part of the published pool."""

TRAINING_TIME = "num_epochs"
"""Quantity with the epoch to which the quantities of ensembles belong."""

COARSE = 0.25
"""An error wider than this part of the published value tells nothing about it, where a claim does not say more."""


@dataclass(frozen=True)
class Outcome:
    """Result of one comparison.

    Attributes:
        verdict: agrees, differs or inconclusive; fitted where a setting was chosen to make it agree.
        score: distance from agreement in standard errors (z-score, or margin over standard error); NaN if none.
        margin: for a bound, how far ours lies on the claimed side; otherwise ours minus published.
        why: one sentence.
    """

    verdict: Verdict
    score: float
    margin: float
    why: str


def compare(claim: Claim, value: float, stderr: float, dof: float = math.inf) -> Outcome:
    """Returns how our value, with its standard error, stands to a claim.

    Args:
        claim: the published statement.
        value: ours; must be finite.
        stderr: our standard error; NaN if it could not be estimated. Ignored for a deterministic quantity.
        dof: degrees of freedom of our standard error.
    """
    asked = quantile(STANDARD_ERRORS, dof)
    error = 0.0 if claim.deterministic else stderr
    if math.isnan(error):
        margin = value - (claim.low if isinstance(claim, BetweenClaim) else claim.value)
        return Outcome("inconclusive", math.nan, margin, "Ours has no standard error: there is only one repetition.")
    if isinstance(claim, EqualsClaim):
        return _compare_equal(claim, value, error, dof)
    if isinstance(claim, BoundClaim):
        above = claim.relation == "greater_than"
        margin = value - claim.value if above else claim.value - value
        return _judge_margin(margin, error, asked, f"{'above' if above else 'below'} {claim.value:g}")
    lower, upper = value - claim.low, claim.high - value
    return _judge_margin(min(lower, upper), error, asked, f"between {claim.low:g} and {claim.high:g}")


def _compare_equal(claim: EqualsClaim, value: float, error: float, dof: float) -> Outcome:
    difference = value - claim.value
    combined = math.hypot(error, claim.uncertainty)
    asked = quantile(STANDARD_ERRORS, combined_dof((error, dof), (claim.uncertainty, math.inf)))
    # Without any error a miss is a miss by infinitely many standard errors.
    score = difference / combined if combined > 0 else math.copysign(math.inf, difference) if difference else 0.0
    allowed = claim.tolerance + asked * combined
    words = (
        f"The difference is {difference:+.3g}; allowed are {allowed:.3g}, the tolerance {claim.tolerance:.3g} plus "
        f"{asked:.2g} combined standard errors."
    )
    if abs(difference) > allowed:
        return Outcome("differs", score, difference, words)
    # Agreement needs power: whatever agrees must be nearer to what is claimed than to what the claim denies.
    room = resolution(claim)
    if asked * combined > room:
        denied = "" if claim.denies is None else f" from {claim.denies:g}, which holds if the claim is wrong"
        reason = f"That error, {asked * combined:.3g}, is too wide for agreement: at most {room:.3g} tell it{denied}."
        return Outcome("inconclusive", score, difference, f"{words} {reason}")
    return Outcome("agrees", score, difference, words)


def resolution(claim: EqualsClaim) -> float:
    """Returns the widest error, in the units of the value, with which agreement means something.

    Half of the way to what the claim denies, less the tolerance; where that is not said, a quarter of the published
    value, or what the published number itself and the tolerance leave open.
    """
    if claim.denies is not None:
        return abs(claim.value - claim.denies) / 2 - claim.tolerance
    return max(claim.tolerance, STANDARD_ERRORS * claim.uncertainty, COARSE * abs(claim.value))


def _judge_margin(margin: float, error: float, asked: float, where: str) -> Outcome:
    score = margin / error if error > 0 else math.copysign(math.inf, margin) if margin else 0.0
    if error > 0:
        words = f"{abs(margin):.3g}, {abs(score):.1f} standard errors"
    else:
        words = f"{abs(margin):.3g}, without sampling error"
    if margin > 0 and margin > asked * error:
        return Outcome("agrees", score, margin, f"Ours lies {where} by {words}.")
    if margin < 0 and -margin > asked * error:
        return Outcome("differs", score, margin, f"Ours is not {where}: it misses by {words}.")
    side = f"Ours lies {where}, but only" if margin > 0 else f"Ours is not {where}, but misses only"
    return Outcome("inconclusive", score, margin, f"{side} by {words}; {asked:.2g} are asked for.")


def judge(
    claims: Sequence[Claim],
    quantities: Mapping[str, pd.DataFrame],
    scale: str,
    fitted: Mapping[str, Sequence[str]] | None = None,
) -> pd.DataFrame:
    """Returns the verdict table.

    Args:
        claims: what was published.
        quantities: experiment to its table ``quantities``; experiments that were not run are absent.
        scale: smoke, laptop or paper.
        fitted: experiment to patterns of the claims whose published values decided one of its settings.

    Returns:
        One row per claim and matching quantity: id, series (that it is a point of; else empty), paper, statement,
        experiment, quantity, ours, ours_stderr, num, relation, published, uncertainty, tolerance, reading, source,
        scale, verdict, score, margin, why, reason.

    Raises:
        DataError: a table of quantities lacks a column or names a quantity twice.
    """
    for experiment, table in quantities.items():
        _check_quantities(experiment, table)
    chosen = fitted or {}
    return pd.DataFrame(
        [row for claim in claims
         for row in _judge_claim(claim, quantities, scale, _is_fitted(claim, chosen.get(claim.experiment, ())))]
    )  # fmt: skip


def _is_fitted(claim: Claim, patterns: Sequence[str]) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in patterns for name in (claim.id, claim.series_id) if name)


def matches(claim: Claim, names: Sequence[str]) -> list[str]:
    """Returns the names that a claim's pattern selects, in the order given."""
    return [
        # In fnmatch a * runs across slashes; here it stands for one part of a name.
        name for name in names
        if fnmatchcase(name, claim.quantity) and name.count("/") == claim.quantity.count("/")
        and not any(fnmatchcase(name, pattern) for pattern in claim.without)
    ]  # fmt: skip


def _judge_claim(
    claim: Claim, quantities: Mapping[str, pd.DataFrame], scale: str, fitted: bool
) -> list[dict[str, object]]:
    if claim.experiment not in quantities:
        why = f"Experiment {claim.experiment} is not part of this run."
        return [_row(claim, scale, claim.quantity, Outcome("not run", math.nan, math.nan, why))]
    table = quantities[claim.experiment].set_index("name")
    # Asked first, because what a run cannot test is neither missing nor different.
    untested = _untested(claim, table, scale)
    names = [str(name) for name in table.index]
    selected = matches(claim, names)
    if not selected:
        verdict: Verdict = "not tested at this scale" if untested else "missing"
        if untested:
            why = f"{untested} It has no such quantity."
        else:
            why = f"The run has no quantity {claim.quantity!r}{hint(claim.quantity, names) or '.'}"
        return [_row(claim, scale, claim.quantity, Outcome(verdict, math.nan, math.nan, why))]
    rows = []
    for name in selected:
        value, stderr = float(table.at[name, "value"]), float(table.at[name, "stderr"])
        if untested:
            outcome = Outcome("not tested at this scale", math.nan, math.nan, untested)
        elif not math.isfinite(value):
            outcome = Outcome("missing", math.nan, math.nan, "The run could not determine this quantity.")
        else:
            outcome = compare(claim, value, stderr, degrees_of_freedom(table, name))
            if fitted and outcome.verdict == "agrees":
                why = f"{outcome.why} A setting was chosen to meet this value: that it is met is no evidence."
                outcome = replace(outcome, verdict="fitted", why=why)
        rows.append(_row(claim, scale, name, outcome, value, stderr, int(table.at[name, "num"])))
    return rows


def degrees_of_freedom(table: pd.DataFrame, name: str) -> float:
    """Returns those of a quantity's error; infinite where it is known, or in tables that do not say."""
    dof = float(table.at[name, "dof"]) if "dof" in table.columns else math.nan
    return dof if math.isfinite(dof) else math.inf


def _untested(claim: Claim, table: pd.DataFrame, scale: str) -> str:
    """Returns why this run does not test a claim, its scale, pool or training time; empty if it does test it."""
    if scale not in claim.scales:
        return claim.otherwise

    def known(name: str) -> int:
        return int(table.at[name, "value"]) if name in table.index else 0

    if claim.min_members > 1 and known(POOL_SIZE) < claim.min_members:
        pool = f"has {known(POOL_SIZE)}" if known(POOL_SIZE) else "does not say how many it has"
        return f"The claim needs a pool of {claim.min_members} members; this run {pool}."
    if claim.after_epochs is not None and known(TRAINING_TIME) != claim.after_epochs:
        time = f"is judged after {known(TRAINING_TIME)}" if known(TRAINING_TIME) else "does not say when it is judged"
        return f"The claim is about {claim.after_epochs} epochs of training; this run {time}."
    return ""


def _row(claim: Claim, scale: str, name: str, outcome: Outcome, value: float = math.nan, stderr: float = math.nan,
         num: int = 0) -> dict[str, object]:  # fmt: skip
    equals = isinstance(claim, EqualsClaim)
    return {
        "id": claim.id, "series": claim.series_id, "paper": claim.paper, "statement": claim.statement,
        "experiment": claim.experiment, "quantity": name, "ours": value,
        "ours_stderr": 0.0 if claim.deterministic else stderr, "num": num,
        "relation": claim.relation, "published": published_text(claim),
        "uncertainty": claim.uncertainty if equals else math.nan,
        "tolerance": claim.tolerance if equals else math.nan,
        "reading": claim.reading, "source": claim.source, "scale": scale, "verdict": outcome.verdict,
        "score": outcome.score, "margin": outcome.margin, "why": outcome.why, "reason": claim.reason,
    }  # fmt: skip


def published_text(claim: Claim) -> str:
    """Returns the published side of a claim as text, e.g. ``3.85 ± 0.12`` or ``> 0``."""
    if isinstance(claim, EqualsClaim):
        return f"{claim.value:g} ± {claim.uncertainty:g}"
    if isinstance(claim, BoundClaim):
        return f"{'>' if claim.relation == 'greater_than' else '<'} {claim.value:g}"
    return f"{claim.low:g} to {claim.high:g}"


def _check_quantities(experiment: str, table: pd.DataFrame) -> None:
    if missing := [column for column in ("name", "value", "stderr", "num") if column not in table.columns]:
        raise DataError(f"table 'quantities' of {experiment} lacks column(s) {missing}; it has {list(table.columns)}.")
    if double := sorted(set(table.loc[table["name"].duplicated(), "name"])):
        raise DataError(f"table 'quantities' of {experiment} names {', '.join(double)} more than once.")

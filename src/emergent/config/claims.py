"""Typed form of ``config/claims.yaml``: what the papers report, as data that a run can be held against."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, model_validator

from emergent.config.base import Many, Name, StrictModel, read_yaml, validate
from emergent.config.references import Reading

Scale = Literal["smoke", "laptop", "paper"]


class _Claim(StrictModel):
    """What every claim says, whatever its relation.

    ``quantity`` is a shell pattern over the names in an experiment's table ``quantities``: every name that it matches,
    less those that ``without`` matches, is judged by itself.
    """

    id: Name
    paper: Literal["gerken_kessel", "misof"]
    statement: str = Field(description="what the paper says, in plain words")
    experiment: Name
    quantity: str = Field(pattern=r"^[a-z0-9_*/]+$", description="pattern over names in the table quantities")
    without: Many[str] = Field(default=(), description="patterns of names that are left out, e.g. aliases")
    reading: Reading = Field(description="how the published value was obtained")
    source: str = Field(description="document and page")
    reason: str = Field(description="why this tolerance or threshold")
    deterministic: bool = Field(default=False, description="the quantity has no sampling error")
    scales: Many[Scale] = Field(default=("smoke", "laptop", "paper"), min_length=1, description="scales that test it")
    otherwise: str = Field(default="", description="why it is not tested at the other scales")

    @model_validator(mode="after")
    def _check_scales(self) -> "_Claim":
        if len(set(self.scales)) < 3 and not self.otherwise:
            raise ValueError("a claim that some scales do not test must say why, under 'otherwise'.")
        return self


class EqualsClaim(_Claim):
    """Ours equals the published number within uncertainty and tolerance."""

    relation: Literal["equals"]
    value: float
    uncertainty: float = Field(ge=0, description="one standard error of the published number, or its reading accuracy")
    tolerance: float = Field(ge=0, description="systematic difference that is still called agreement, absolute")


class BoundClaim(_Claim):
    """Ours lies above, or below, a bound."""

    relation: Literal["greater_than", "less_than"]
    value: float


class BetweenClaim(_Claim):
    """Ours lies in an interval."""

    relation: Literal["between"]
    low: float
    high: float

    @model_validator(mode="after")
    def _check_order(self) -> "BetweenClaim":
        if self.low >= self.high:
            raise ValueError(f"low {self.low} must be smaller than high {self.high}.")
        return self


Claim = Annotated[EqualsClaim | BoundClaim | BetweenClaim, Field(discriminator="relation")]


class Claims(StrictModel):
    """All claims, in the order of the verdict table."""

    claims: Many[Claim]

    @model_validator(mode="after")
    def _check_ids(self) -> "Claims":
        ids = [claim.id for claim in self.claims]
        if double := sorted({i for i in ids if ids.count(i) > 1}):
            raise ValueError(f"claim id(s) {double} are used twice; ids must be unique.")
        return self


def read_claims(path: Path) -> tuple[Claim, ...]:
    """Returns the claims of ``claims.yaml`` in order.

    Raises:
        ConfigError: unknown key, wrong type, double id or missing file.
    """
    return validate(Claims, read_yaml(path), str(path)).claims

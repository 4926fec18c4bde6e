"""Typed form of ``config/claims.yaml``: what the papers report, as data that a run can be held against."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, PositiveInt, model_validator

from emergent.config.base import Many, Name, StrictModel, read_yaml, validate
from emergent.config.papers import Paper
from emergent.config.references import Reading, Series, read_reference
from emergent.errors import ConfigError

Scale = Literal["smoke", "laptop", "paper"]


class _Claim(StrictModel):
    """What every claim says, whatever its relation.

    ``quantity`` is a shell pattern over the names in an experiment's table ``quantities``: every name that it matches,
    less those that ``without`` matches, is judged by itself.
    """

    id: Name
    paper: Paper
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
    min_members: PositiveInt = Field(default=1, description="pools with fewer members do not test it")
    after_epochs: PositiveInt | None = Field(
        default=None, description="training time of the published number; runs that end at another one do not test it"
    )
    series_id: str = Field(default="", description="claim on a published series that this one is a point of")

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
    denies: float | None = Field(
        default=None, description="value if the claim is wrong, e.g. 0 where it says that something decays"
    )

    @model_validator(mode="after")
    def _check_tolerance(self) -> "EqualsClaim":
        if self.denies is not None and 2 * self.tolerance >= abs(self.value - self.denies):
            raise ValueError(
                f"tolerance {self.tolerance:g} reaches half of the way from {self.value:g} to {self.denies:g}, which "
                "the claim denies: such a claim cannot fail."
            )
        return self


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


class SeriesClaim(_Claim):
    """Ours equals each of several published points; stands for one ``EqualsClaim`` per point.

    ``statement`` and ``quantity`` name the keys of the series and its abscissa in braces, e.g. ``osp/{arm}/{role}/{x}``
    (``x`` is the abscissa, ``value`` the published number). The value and its error come from ``config/references``.
    """

    relation: Literal["equals_published"]
    quantity: str = Field(pattern=r"^[a-z0-9_/{}]+$", description="name of a quantity, keys of the series in braces")
    reference: Name = Field(description="file in config/references, without ending")
    series: Name = Field(description="quantity of the series")
    keys: dict[Name, str | int | Many[str]] = Field(
        default={}, description="keys that the series must have; of a list, any"
    )
    points: Many[float | str] = Field(min_length=1, description="abscissae; those that were not read are left out")
    tolerance: float = Field(ge=0, description="systematic difference that is still called agreement, absolute")
    relative_tolerance: float = Field(default=0.0, ge=0, description="the same, as a part of the published value")
    pool_ratio: PositiveInt | None = Field(
        default=None, description="members asked for per ensemble member, up to min_members; null asks for min_members"
    )

    def expand(self, series: tuple[Series, ...]) -> list[EqualsClaim]:
        """Returns one claim per published point.

        Raises:
            ConfigError: no series fits, a point fits none, or a word in braces is none of a series' keys.
        """
        wanted = {name: key if isinstance(key, tuple) else (key,) for name, key in self.keys.items()}
        chosen = [
            s for s in series
            if s.quantity == self.series and all(s.keys.get(name) in keys for name, keys in wanted.items())
        ]  # fmt: skip
        found = [(s, i, x) for s in chosen for i, x in enumerate(s.x) if x in self.points and s.y[i] is not None]
        if absent := [x for x in self.points if x not in {x for _, _, x in found}]:
            raise ConfigError(f"claim {self.id}: {self.reference} has no {self.series} with {self.keys} at {absent}.")
        return [self._point(s, i, x) for s, i, x in found]

    def _point(self, series: Series, index: int, x: float | str) -> EqualsClaim:
        value, uncertainty = series.y[index] or 0.0, series.error(index) or 0.0
        words = {**series.keys, "x": x if isinstance(x, str) else f"{x:g}", "value": f"{value:g}"}
        shared = self.model_dump(exclude={"relation", "reference", "series", "keys", "points", "tolerance",
                                          "relative_tolerance", "pool_ratio"})  # fmt: skip
        members = self.min_members
        if self.pool_ratio is not None and not isinstance(x, str):
            members = min(members, round(self.pool_ratio * x))
        try:
            texts = {name: getattr(self, name).format_map(words) for name in ("statement", "quantity")}
        except KeyError as error:
            raise ConfigError(
                f"claim {self.id}: {{{error.args[0]}}} is none of {', '.join(sorted(words))}, which its series have."
            ) from None
        ending = [str(series.keys[name]) for name in ("arm",) if name in series.keys]
        content = shared | texts | {
            "relation": "equals", "series_id": self.id, "id": "_".join([self.id, *ending, str(words["x"])]),
            "min_members": members, "value": value, "uncertainty": uncertainty,
            "tolerance": self.tolerance + self.relative_tolerance * abs(value),
        }  # fmt: skip
        return validate(EqualsClaim, content, f"claim {self.id}")


Claim = Annotated[EqualsClaim | BoundClaim | BetweenClaim, Field(discriminator="relation")]
Entry = Annotated[EqualsClaim | BoundClaim | BetweenClaim | SeriesClaim, Field(discriminator="relation")]


class Claims(StrictModel):
    """All claims, in the order of the verdict table."""

    claims: Many[Entry]

    @model_validator(mode="after")
    def _check_ids(self) -> "Claims":
        ids = [claim.id for claim in self.claims]
        if double := sorted({i for i in ids if ids.count(i) > 1}):
            raise ValueError(f"claim id(s) {double} are used twice; ids must be unique.")
        return self


def read_claims(path: Path) -> tuple[Claim, ...]:
    """Returns the claims of ``claims.yaml`` in order, those on published series as one claim per point.

    The folder ``references`` beside the file holds the series.

    Raises:
        ConfigError: unknown key, wrong type, double id, missing file or missing published point.
    """
    claims: list[Claim] = []
    for entry in validate(Claims, read_yaml(path), str(path)).claims:
        if isinstance(entry, SeriesClaim):
            claims += entry.expand(read_reference(path.parent / f"references/{entry.reference}.json").series)
        else:
            claims.append(entry)
    return tuple(claims)

"""Typed form of the published values in ``config/references/``: one file per experiment, plain JSON."""

import json
import math
from pathlib import Path
from typing import Literal

from pydantic import Field, PositiveInt, model_validator

from emergent.config.base import Many, Name, StrictModel, validate
from emergent.errors import ConfigError

Reading = Literal["stated", "read from a figure", "derived"]
"""How a published number was obtained: printed as text, digitised from a plot, or computed from either."""


class Series(StrictModel):
    """One published curve, or one row of a published table.

    ``x`` and ``y`` are equally long, and so are ``low`` and ``high`` where a band was published; a point that could not
    be read is null.
    """

    quantity: Name = Field(description="what was measured; plots select series by it")
    keys: dict[Name, str | int] = Field(description="what the series belongs to, in the words of the summary tables")
    x_name: Name = Field(description="meaning of x, named as the column of the summary table")
    x: Many[float | str] = Field(description="abscissa; text for the columns of a table")
    y: Many[float | None] = Field(description="published value at each x")
    low: Many[float | None] | None = Field(default=None, description="lower edge of the published band")
    high: Many[float | None] | None = Field(default=None, description="upper edge of the published band")
    spread: Many[float | None] | None = Field(default=None, description="published +- at each x")
    uncertainty: Many[float | None] | None = Field(
        default=None, description="error to compare with at each x: the spread, or that of a like point if unreadable"
    )
    bootstraps: PositiveInt | None = Field(
        default=None, description="y is a mean over so many ensembles of x members, of which the error is one's spread"
    )
    pool: PositiveInt | None = Field(default=None, description="members that these ensembles were drawn from")
    reading_error: Many[float | None] | None = Field(default=None, description="accuracy of reading y, as a number")
    reading: Reading
    accuracy: str = Field(description="how far the numbers can be trusted, in words and digits")
    source: str = Field(description="document and page")
    note: str = Field(default="", description="what is uncertain about the series' meaning")

    @model_validator(mode="after")
    def _check_lengths(self) -> "Series":
        for name in ("y", "low", "high", "spread", "uncertainty", "reading_error"):
            values = getattr(self, name)
            if values is not None and len(values) != len(self.x):
                raise ValueError(f"{name} has {len(values)} values for {len(self.x)} of x; lengths must be equal.")
        if (self.bootstraps is None) != (self.pool is None):
            raise ValueError("bootstraps and pool belong together: what was drawn, and from how many members.")
        return self

    def error(self, index: int) -> float | None:
        """Returns the standard error of one published value; None if nothing is known of it.

        Of a mean over ensembles drawn from one pool it is not the spread of one of them: the draws average out, the
        noise of the pool, which all of them share, does not. The mean over all ensembles of N of M members scatters by
        sqrt(N / M) of what one ensemble does. The accuracy of reading is added to that.
        """
        errors = self.uncertainty or self.spread
        one = errors[index] if errors else None
        x = self.x[index]
        if one is None or self.bootstraps is None or self.pool is None or isinstance(x, str):
            return one
        reading = (self.reading_error[index] if self.reading_error else None) or 0.0
        spread = math.sqrt(max(one**2 - reading**2, 0.0))
        return math.hypot(spread * math.sqrt(1 / self.bootstraps + x / self.pool), reading)


class Reference(StrictModel):
    """Published values of one experiment of one paper."""

    paper: Name
    citation: str = Field(description="authors, title, venue, arXiv id")
    sources: dict[str, str] = Field(description="short source name to the document it stands for")
    series: Many[Series]

    @model_validator(mode="after")
    def _check_sources(self) -> "Reference":
        for series in self.series:
            short = series.source.split(",")[0]
            if short not in self.sources:
                raise ValueError(f"source {short!r} of {series.quantity} is not among {sorted(self.sources)}.")
        return self


def read_reference(path: Path) -> Reference:
    """Returns the published values in one JSON file.

    Raises:
        ConfigError: the file is missing, is not JSON or does not fit the model.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ConfigError(f"{path}: no such file of published values; name one of config/references/.") from None
    except json.JSONDecodeError as error:
        raise ConfigError(f"{path}: not valid JSON: {error}.") from None
    return validate(Reference, content, str(path))

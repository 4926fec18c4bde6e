"""What every entry of ``config/figures.yaml`` says about itself, whatever it draws."""

import string
from typing import Literal

from pydantic import Field, field_validator

from emergent.config.base import Many, Name, StrictModel
from emergent.config.papers import Paper

PLACEHOLDERS = frozenset(
    [
        "scale",
        "sizes",
        "data",
        "num_members",
        "num_ensembles",
        "ensemble_size",
        "ensemble_sizes",
        "ensembles",
        "groups",
        "widths",
        "epoch",
        "band",
        "bars",
        "arms",
        "divergence",
        "draws",
        "draw_error",
    ]
)
"""Words in braces that a caption may contain; each is filled from the tables that the figure draws."""


class FigureEntry(StrictModel):
    """What every figure and table says about itself, whatever its plot kind."""

    name: Name = Field(description="file name without suffix")
    paper: Paper = Field(description="folder of the output and category in the report")
    id: str = Field(pattern=r"^[A-Z][0-9]+[a-z]?$", description="label in the specification of the paper, e.g. F2")
    label: str = Field(description="label for people; the papers' own numbers are not known")
    experiments: Many[Name] = Field(min_length=1, description="experiments whose summary is read")
    references: Many[Name] = Field(default=(), description="files of config/references/ with the published values")
    title: str = Field(description="what the picture shows, for its metadata")
    caption: str = Field(description="complete sentences; words in braces are filled from the run")
    # Not part of what a figure is drawn from: another pattern draws nothing anew.
    claims: Many[str] = Field(
        default=(), exclude=True, description="patterns of identifiers of the claims it shows, the main one first; "
        "claims of an experiment that no figure names belong to its first figure",
    )  # fmt: skip
    width: Literal["one", "two"] = Field(default="two", description="columns of a two-column page")

    @field_validator("caption")
    @classmethod
    def _check_caption(cls, caption: str) -> str:
        if unknown := {word for _, word, _, _ in string.Formatter().parse(caption) if word is not None} - PLACEHOLDERS:
            raise ValueError(f"unknown word(s) in braces {sorted(unknown)}; known: {', '.join(sorted(PLACEHOLDERS))}.")
        if marked := sorted(set(caption) & set("*`|\\")):
            raise ValueError(f"the report reads captions as reStructuredText, so {' '.join(marked)} cannot be used.")
        return caption


class Figure(FigureEntry):
    """A picture."""

    kind: Literal["figure"] = Field(default="figure", description="a picture; follows from plot")


class Table(FigureEntry):
    """A table."""

    kind: Literal["table"] = Field(default="table", description="a table; follows from plot")

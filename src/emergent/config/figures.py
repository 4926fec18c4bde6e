"""Typed form of ``config/figures.yaml``: one entry per figure or table, its plot kind, experiments and caption."""

import json
import string
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, field_validator, model_validator

from emergent.config.base import Many, Name, StrictModel, read_yaml, validate
from emergent.config.figure_options import (
    ConvergenceOptions,
    DivergenceOptions,
    FillOptions,
    FillTableOptions,
    FlowOptions,
    IsingOptions,
    NoOptions,
    PointCloudOptions,
    PredictionOptions,
    PublishedPointsOptions,
    SizesOptions,
    SubspaceOptions,
    TableOptions,
)
from emergent.config.papers import Paper
from emergent.errors import ConfigError

PLACEHOLDERS = frozenset(
    {
        "scale",
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
        "arms",
        "divergence",
    }
)
"""Words in braces that a caption may contain; each is filled from the tables that the figure draws."""


class _Entry(StrictModel):
    """What every figure and table says about itself, whatever its plot kind."""

    name: Name = Field(description="file name without suffix")
    paper: Paper = Field(description="folder of the output and category in the report")
    id: str = Field(pattern=r"^[A-Z][0-9]+[a-z]?$", description="label in the specification of the paper, e.g. F2")
    label: str = Field(description="label for people; the papers' own numbers are not known")
    experiments: Many[Name] = Field(min_length=1, description="experiments whose summary is read")
    references: Many[Name] = Field(default=(), description="files of config/references/ with the published values")
    title: str
    caption: str = Field(description="complete sentences; words in braces are filled from the run")
    width: Literal["one", "two"] = Field(default="two", description="columns of a two-column page")

    @field_validator("caption")
    @classmethod
    def _check_caption(cls, caption: str) -> str:
        found = {word for _, word, _, _ in string.Formatter().parse(caption) if word is not None}
        if unknown := found - PLACEHOLDERS:
            raise ValueError(f"unknown word(s) in braces {sorted(unknown)}; known: {', '.join(sorted(PLACEHOLDERS))}.")
        if marked := sorted(set(caption) & set("*`|\\")):
            raise ValueError(f"the report reads captions as reStructuredText, so {' '.join(marked)} cannot be used.")
        return caption


class IsingFigure(_Entry):
    """F1 and F2: Ising model against ensemble size."""

    plot: Literal["spread_by_size", "infinite_width_difference"]
    kind: Literal["figure"] = "figure"
    options: IsingOptions


class PredictionFigure(_Entry):
    """F3 and the gain derived from it: orbit same prediction against epoch."""

    plot: Literal["metric_by_epoch", "metric_gain"]
    kind: Literal["figure"] = "figure"
    options: PredictionOptions


class SizesFigure(_Entry):
    """F4: orbit same prediction for several ensemble sizes."""

    plot: Literal["metric_by_epoch_and_size"]
    kind: Literal["figure"] = "figure"
    options: SizesOptions


class OodTable(_Entry):
    """T1: orbit same prediction out of distribution."""

    plot: Literal["method_table"]
    kind: Literal["table"] = "table"
    options: TableOptions


class ReadingsTable(_Entry):
    """Readings of unpublished settings at infinite width."""

    plot: Literal["infinite_width_readings"]
    kind: Literal["table"] = "table"
    options: NoOptions = NoOptions()


class ConvergenceFigure(_Entry):
    """E4: distance of CNN and GCNN ensembles."""

    plot: Literal["distance_by_epoch"]
    kind: Literal["figure"] = "figure"
    options: ConvergenceOptions


class SamplesFigure(_Entry):
    """E6: samples of the out-of-distribution fields."""

    plot: Literal["samples"]
    kind: Literal["figure"] = "figure"
    options: NoOptions = NoOptions()


class DivergenceFigure(_Entry):
    """F2 to F6 of orbit divergence, its law in the ensemble size, and filters of two sizes."""

    plot: Literal["pool_by_epoch", "metric_by_size", "law", "experiment_gap"]
    kind: Literal["figure"] = "figure"
    options: DivergenceOptions = DivergenceOptions()


class FillFigure(_Entry):
    """Training time and background under C16."""

    plot: Literal["conditions"]
    kind: Literal["figure"] = "figure"
    options: FillOptions


class FillTable(_Entry):
    """The same, with the differences from the published points."""

    plot: Literal["conditions_table"]
    kind: Literal["table"] = "table"
    options: FillTableOptions


class DivergenceTable(_Entry):
    """Accuracy and significance tables of orbit divergence."""

    plot: Literal["accuracy_table", "significance"]
    kind: Literal["table"] = "table"
    options: DivergenceOptions = DivergenceOptions()


class PublishedPointsTable(_Entry):
    """Our values beside the published points of F3 to F6."""

    plot: Literal["published_points"]
    kind: Literal["table"] = "table"
    options: PublishedPointsOptions


class FlowFigure(_Entry):
    """Schematic: a cloud pushed by an equivariant flow in the plane."""

    plot: Literal["flow"]
    kind: Literal["figure"] = "figure"
    options: FlowOptions


class SubspaceFigure(_Entry):
    """Distance from the equivariant subspace along augmented training."""

    plot: Literal["subspace_distance"]
    kind: Literal["figure"] = "figure"
    options: SubspaceOptions


class PointCloudFigure(_Entry):
    """Point clouds against ensemble size."""

    plot: Literal["point_clouds"]
    kind: Literal["figure"] = "figure"
    options: PointCloudOptions = PointCloudOptions()


class PointCloudTable(_Entry):
    """The same as a table."""

    plot: Literal["point_clouds_table"]
    kind: Literal["table"] = "table"
    options: PointCloudOptions = PointCloudOptions()


class DepartureFigure(_Entry):
    """Distance from equivariance against distance moved."""

    plot: Literal["departure"]
    kind: Literal["figure"] = "figure"
    options: NoOptions = NoOptions()


Entry = Annotated[
    IsingFigure
    | PredictionFigure
    | SizesFigure
    | OodTable
    | ReadingsTable
    | ConvergenceFigure
    | SamplesFigure
    | DivergenceFigure
    | FillFigure
    | FillTable
    | DivergenceTable
    | PublishedPointsTable
    | FlowFigure
    | SubspaceFigure
    | DepartureFigure
    | PointCloudFigure
    | PointCloudTable,
    Field(discriminator="plot"),
]


class Catalogue(StrictModel):
    """All figures and tables by name."""

    figures: dict[Name, Entry]

    @model_validator(mode="after")
    def _check_ids(self) -> "Catalogue":
        seen: dict[str, str] = {}
        for name, entry in self.figures.items():
            key = f"{entry.paper} {entry.id}"
            if key in seen:
                raise ValueError(f"{name} and {seen[key]} both call themselves {key}; give one another id.")
            seen[key] = name
        return self


def read_catalogue(path: Path) -> dict[str, Entry]:
    """Returns every entry of ``figures.yaml`` by name; the name is the key in the file.

    Raises:
        ConfigError: unknown key, wrong type, unknown placeholder or missing file.
    """
    content = read_yaml(path)
    entries = content.get("figures")
    if isinstance(entries, dict):
        named = {name: {**entry, "name": name} if isinstance(entry, dict) else entry for name, entry in entries.items()}
        content = {**content, "figures": named}
    return validate(Catalogue, content, str(path)).figures


def read_entry(path: Path) -> Entry:
    """Returns one entry from its canonical JSON file (as ``canonical_json`` wrote it).

    Raises:
        ConfigError: the file is missing or does not hold one entry.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ConfigError(f"{path}: no such file; it holds one entry of figures.yaml as JSON.") from None
    except json.JSONDecodeError as error:
        raise ConfigError(f"{path}: not valid JSON: {error}.") from None
    name = content.get("name", "unnamed") if isinstance(content, dict) else "unnamed"
    return validate(Catalogue, {"figures": {name: content}}, str(path)).figures[name]

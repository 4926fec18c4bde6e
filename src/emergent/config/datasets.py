"""Typed registry of the data sets: where their files come from, how they are checked, how they are prepared.

Input: ``config/datasets.yaml``. Output: a ``DatasetRegistry`` and, for each stage, the part of an entry that drives
it, so that a changed URL never makes a later stage run again, and a changed citation none at all.
"""

from pathlib import Path
from typing import Annotated, Any, Literal, get_args

from pydantic import Field, PositiveInt, model_validator

from emergent.config.base import Many, Name, StrictModel, hint, read_yaml, validate
from emergent.config.downloads import DownloadConfig, RawFile
from emergent.config.generators import GaussianFieldOptions, IsingOptions, PhotoPatchOptions
from emergent.config.meshes import GeneratedMeshOptions, ModelNetOptions
from emergent.errors import ConfigError


class NoOptions(StrictModel):
    """A data set with nothing to choose."""


class ColourOptions(StrictModel):
    """Colour images as published, or as the grey images that a grey-scale experiment needs.

    Attributes:
        grey: take 0.2989 R + 0.587 G + 0.114 B.
        resolution: edge in pixels; smaller than the original means antialiased bilinear resampling.
    """

    grey: bool
    resolution: int = Field(ge=4, le=32)


class NctCrcOptions(StrictModel):
    """Histology patches, shrunk while they are streamed from the archives.

    Attributes:
        resolution: edge in pixels after averaging over areas; the originals have 224.
        num_per_class: keep the first so many images of each class (order of file names); null keeps all.
    """

    resolution: int = Field(ge=8, le=224)
    num_per_class: PositiveInt | None


class Qm9Options(StrictModel):
    """Molecules of QM9.

    Attributes:
        exclude_uncharacterized: leave out the 3054 molecules that failed the authors' consistency check.
    """

    exclude_uncharacterized: bool


class DigitsOptions(StrictModel):
    """Scikit-learn's handwritten digits, split by class.

    Attributes:
        num_test: size of the test split, of 1797 images in all.
        seed: of the stratified split.
    """

    num_test: int = Field(ge=10, le=1700)
    seed: int = Field(ge=0)


class DatasetEntry(StrictModel):
    """What every entry of the registry says.

    Attributes:
        title: name for captions and error messages.
        raw: another entry whose downloaded files this one uses.
        files: files to download; empty for embedded, generated and sharing entries.
        licence: licence text or a statement that there is none.
        citation: full reference.
        classes: class names in label order; empty when there are no classes.
        splits: split name to number of samples; checked when the data set is prepared.
        stand_in_for: what this data set replaces, for captions; null for the real thing.
        notes: what a reader of a number must know about these pixels.
        caption_note: sentence that captions of figures on this data set repeat.
    """

    title: str
    raw: Name | None = None
    files: Many[RawFile] = ()
    licence: str
    citation: str
    classes: Many[str] = ()
    splits: dict[Name, PositiveInt]
    stand_in_for: str | None
    notes: str | None
    caption_note: str | None = None

    @model_validator(mode="after")
    def _files_are_consistent(self) -> "DatasetEntry":
        names = [file.name for file in self.files]
        if len(set(names)) != len(names):
            raise ValueError("two files have the same name")
        if self.raw is not None and self.files:
            raise ValueError("'raw' shares another entry's files, so 'files' must be absent")
        return self


class MnistEntry(DatasetEntry):
    """Gzip-compressed IDX files: MNIST and the sets published in its format."""

    module: Literal["mnist"]
    options: NoOptions


class Cifar10Entry(DatasetEntry):
    """The official CIFAR-10 archive."""

    module: Literal["cifar10"]
    options: ColourOptions


class Cifar10JpegEntry(DatasetEntry):
    """JPEG re-encodings of CIFAR-10."""

    module: Literal["cifar10_jpeg"]
    options: ColourOptions


class NctCrcEntry(DatasetEntry):
    """Colorectal histology from two zip archives."""

    module: Literal["nct_crc"]
    options: NctCrcOptions


class Qm9Entry(DatasetEntry):
    """The official QM9 archive."""

    module: Literal["qm9"]
    options: Qm9Options


class Qm9SubsetEntry(DatasetEntry):
    """A small part of QM9 as one array file."""

    module: Literal["qm9_subset"]
    options: NoOptions


class DigitsEntry(DatasetEntry):
    """Handwritten digits inside scikit-learn."""

    module: Literal["digits"]
    options: DigitsOptions


class PhotoPatchesEntry(DatasetEntry):
    """Patches of the photographs inside scikit-learn."""

    module: Literal["photo_patches"]
    options: PhotoPatchOptions


class GaussianFieldsEntry(DatasetEntry):
    """Generated band-limited Gaussian fields."""

    module: Literal["gaussian_fields"]
    options: GaussianFieldOptions


class IsingEntry(DatasetEntry):
    """Generated spin configurations and their energies."""

    module: Literal["ising"]
    options: IsingOptions


class ModelNetEntry(DatasetEntry):
    """CAD models from an official ModelNet archive."""

    module: Literal["modelnet"]
    options: ModelNetOptions


class ModelNetSamplesEntry(DatasetEntry):
    """A few ModelNet10 meshes as one array file."""

    module: Literal["modelnet_samples"]
    options: NoOptions


class GeneratedMeshesEntry(DatasetEntry):
    """Generated solids as meshes."""

    module: Literal["generated_meshes"]
    options: GeneratedMeshOptions


AnyEntry = Annotated[
    MnistEntry
    | Cifar10Entry
    | Cifar10JpegEntry
    | NctCrcEntry
    | Qm9Entry
    | Qm9SubsetEntry
    | DigitsEntry
    | PhotoPatchesEntry
    | GaussianFieldsEntry
    | IsingEntry
    | ModelNetEntry
    | ModelNetSamplesEntry
    | GeneratedMeshesEntry,
    Field(discriminator="module"),
]
ENTRY_OF_MODULE: dict[str, type[DatasetEntry]] = {
    get_args(model.model_fields["module"].annotation)[0]: model for model in get_args(get_args(AnyEntry)[0])
}


class DatasetRegistry(StrictModel):
    """All entries of ``config/datasets.yaml``."""

    datasets: dict[Name, AnyEntry]

    @model_validator(mode="after")
    def _shared_files_exist(self) -> "DatasetRegistry":
        for name, entry in self.datasets.items():
            if entry.raw is None:
                continue
            owner = self.datasets.get(entry.raw)
            if owner is None:
                raise ValueError(f"{name}: raw: no entry {entry.raw!r}{hint(entry.raw, sorted(self.datasets))}")
            if not owner.files:
                raise ValueError(f"{name}: raw: entry {entry.raw!r} has no files of its own")
        return self

    def entry(self, dataset: str) -> AnyEntry:
        """Returns one entry.

        Raises:
            ConfigError: no such data set; the message suggests the nearest name and lists all.
        """
        if dataset not in self.datasets:
            known = sorted(self.datasets)
            raise ConfigError(f"no data set {dataset!r}{hint(dataset, known)}. Registered: {', '.join(known)}.")
        return self.datasets[dataset]

    def raw_owner(self, dataset: str) -> str:
        """Returns the data set under whose name the raw files lie: itself unless ``raw`` names another."""
        return self.entry(dataset).raw or dataset

    def raw_files(self, dataset: str) -> list[str]:
        """Returns the file names that must lie in the raw folder before this data set can be prepared."""
        return [file.name for file in self.entry(self.raw_owner(dataset)).files]

    def download_config(self, dataset: str) -> DownloadConfig:
        """Returns the configuration of the stage ``download``."""
        return DownloadConfig(files=self.entry(dataset).files)

    def prepare_config(self, dataset: str) -> AnyEntry:
        """Returns the configuration of the stage ``prepare``: the entry without addresses, digests and words."""
        words = {"title": "", "licence": "", "citation": "", "stand_in_for": None, "notes": None, "caption_note": None}
        return self.entry(dataset).model_copy(update={"files": (), "raw": None, **words})


def parse_entry(content: dict[str, Any], source: str) -> AnyEntry:
    """Returns one entry, typed by its ``module``.

    Raises:
        ConfigError: unknown module, unknown key, wrong type; the message names the key path below ``source``.
    """
    if not isinstance(content, dict):
        raise ConfigError(f"{source}: expected a mapping, found {type(content).__name__}.")
    module = content.get("module")
    if module not in ENTRY_OF_MODULE:
        known = sorted(ENTRY_OF_MODULE)
        raise ConfigError(
            f"{source}: module: no module {module!r}{hint(str(module), known)}. Known: {', '.join(known)}."
        )
    return validate(ENTRY_OF_MODULE[module], content, source)  # type: ignore[return-value]


def load_registry(path: Path) -> DatasetRegistry:
    """Returns the registry in a YAML file.

    Raises:
        ConfigError: the file is missing or not valid; the message names file, entry and key path.
    """
    content = read_yaml(path)
    entries = content.get("datasets")
    if not isinstance(entries, dict):
        return validate(DatasetRegistry, content, str(path))
    # Entry by entry, because a message about one entry is clearer than one about a union of ten types.
    parsed = {str(name): parse_entry(entry, f"{path}: datasets.{name}") for name, entry in entries.items()}
    return validate(DatasetRegistry, {**content, "datasets": parsed}, str(path))

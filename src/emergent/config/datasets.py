"""Typed registry of the data sets: where their files come from, how they are checked, how they are prepared.

Input: ``config/datasets.yaml``. Output: a ``DatasetRegistry`` and, for each stage, the part of an entry that drives
it, so that a changed URL never makes a later stage run again, and a changed citation none at all.
"""

from pathlib import Path
from typing import Any, Literal

from pydantic import Field, PositiveInt, SerializeAsAny, model_validator

from emergent.config.base import Many, Name, StrictModel, hint, read_yaml, validate
from emergent.config.cloud_pairs import CloudPairOptions
from emergent.config.downloads import DownloadConfig, RawFile
from emergent.config.generators import (
    CosineOptions,
    CrossProductOptions,
    GaussianFieldOptions,
    GeneratorOptions,
    IsingOptions,
    MoleculeOptions,
    PhotoPatchOptions,
    SU2Options,
)
from emergent.config.meshes import GeneratedMeshOptions, ModelNetOptions
from emergent.config.skeletons import PoseOptions
from emergent.config.traffic_series import TrafficOptions
from emergent.errors import ConfigError


class NoOptions(StrictModel):
    """A data set with nothing to choose."""


class ColourOptions(StrictModel):
    """Colour images as published, or as the grey images that a grey-scale experiment needs.

    Attributes:
        grey: one channel instead of three.
        weights: of the colours in grey: ``luma`` takes 0.2989 R + 0.587 G + 0.114 B, ``equal`` a third of each.
        resolution: edge in pixels.
        resizing: to a smaller edge: bilinear, ``antialiased`` or ``plain``, or ``crop`` keeps the middle.
    """

    grey: bool
    weights: Literal["luma", "equal"] = "luma"
    resolution: int = Field(ge=4, le=32)
    resizing: Literal["antialiased", "plain", "crop"] = "antialiased"


class RandomSplit(StrictModel):
    """Randomly selected images of one archive, some of them for validation.

    Attributes:
        num: images in all, of every class as many as chance has it.
        num_validation: of these; the others are for training.
        seed: of the selection.
    """

    num: PositiveInt
    num_validation: PositiveInt
    seed: int = Field(ge=0)

    @model_validator(mode="after")
    def _check(self) -> "RandomSplit":
        if self.num_validation >= self.num:
            raise ValueError(f"num_validation: expected fewer than num, {self.num}, found {self.num_validation}")
        return self


class NctCrcOptions(StrictModel):
    """Histology patches, shrunk while they are streamed from the archives.

    Attributes:
        resolution: edge in pixels after averaging over areas; the originals have 224.
        num_per_class: keep the first so many images of each class (order of file names); null keeps all.
        sample: splits train and validation from NCT-CRC-HE-100K alone; null takes it for training and CRC-VAL-HE-7K
            for testing.
    """

    resolution: int = Field(ge=8, le=224)
    num_per_class: PositiveInt | None
    sample: RandomSplit | None = None


class KatherCrcOptions(StrictModel):
    """The few labelled histology patches of 64 x 64 pixels, cut to crops.

    Attributes:
        edge: of a crop in pixels.
        crops_per_side: k makes k x k crops of each training patch, evenly spaced; of a validation patch the middle is
            taken.
    """

    edge: int = Field(ge=8, le=64)
    crops_per_side: PositiveInt

    @model_validator(mode="after")
    def _crops_differ(self) -> "KatherCrcOptions":
        if self.crops_per_side > 65 - self.edge:
            raise ValueError(
                f"crops_per_side: crops of {self.edge} pixels have {65 - self.edge} positions in 64, "
                f"found {self.crops_per_side}"
            )
        return self


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
        module: in ``emergent.datasets``, which prepares it.
        options: of that module.
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
    module: Name
    options: SerializeAsAny[StrictModel] = NoOptions()
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

    def is_drawn(self, split: str) -> bool:
        """Returns whether the samples of a split were drawn by a generator, which would make others too."""
        return isinstance(self.options, GeneratorOptions) and split not in self.options.grids


OPTIONS: dict[str, type[StrictModel]] = {
    "cifar10": ColourOptions,
    "cifar10_jpeg": ColourOptions,
    "cloud_pairs": CloudPairOptions,
    "cosine": CosineOptions,
    "cross_product": CrossProductOptions,
    "digits": DigitsOptions,
    "gaussian_fields": GaussianFieldOptions,
    "generated_meshes": GeneratedMeshOptions,
    "generated_molecules": MoleculeOptions,
    "ising": IsingOptions,
    "kather_crc": KatherCrcOptions,
    "modelnet": ModelNetOptions,
    "nct_crc": NctCrcOptions,
    "photo_patches": PhotoPatchOptions,
    "poses": PoseOptions,
    "qm9": Qm9Options,
    "traffic_series": TrafficOptions,
    "su2_links": SU2Options,
}
"""Modules with something to choose; all others take no options."""

MODULES = Path(__file__).parents[1] / "datasets"


class DatasetRegistry(StrictModel):
    """All entries of ``config/datasets.yaml``."""

    datasets: dict[Name, DatasetEntry]

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

    def entry(self, dataset: str) -> DatasetEntry:
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
        return DownloadConfig(files=tuple(file.identity() for file in self.entry(dataset).files))

    def prepare_config(self, dataset: str) -> DatasetEntry:
        """Returns the configuration of the stage ``prepare``: the entry without addresses, digests and words."""
        words = {"title": "", "licence": "", "citation": "", "stand_in_for": None, "notes": None, "caption_note": None}
        return self.entry(dataset).model_copy(update={"files": (), "raw": None, **words})


def parse_entry(content: dict[str, Any], source: str) -> DatasetEntry:
    """Returns one entry, typed by its ``module``.

    Raises:
        ConfigError: unknown module, unknown key, wrong type; the message names the key path below ``source``.
    """
    if not isinstance(content, dict):
        raise ConfigError(f"{source}: expected a mapping, found {type(content).__name__}.")
    module = content.get("module")
    if not isinstance(module, str) or not (MODULES / f"{module}.py").is_file():
        known = sorted(path.stem for path in MODULES.glob("[a-z]*.py"))
        raise ConfigError(
            f"{source}: module: no module {module!r}{hint(str(module), known)}. There are: {', '.join(known)}."
        )
    options = content.get("options", {})
    if isinstance(options, dict):
        # By its module, because a message about one class is clearer than one about a union of them all.
        typed = validate(OPTIONS.get(module, NoOptions), options, source, "options")
        content = {**content, "options": typed}
    return validate(DatasetEntry, content, source)


def load_registry(path: Path) -> DatasetRegistry:
    """Returns the registry in a YAML file.

    Raises:
        ConfigError: the file is missing or not valid; the message names file, entry and key path.
    """
    content = read_yaml(path)
    entries = content.get("datasets")
    if not isinstance(entries, dict):
        return validate(DatasetRegistry, content, str(path))
    parsed = {str(name): parse_entry(entry, f"{path}: datasets.{name}") for name, entry in entries.items()}
    return validate(DatasetRegistry, {**content, "datasets": parsed}, str(path))

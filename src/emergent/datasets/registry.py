"""Which function prepares which data set: one explicit table, no dynamic imports."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from emergent.config.datasets import DatasetEntry
from emergent.datasets import (
    cifar10,
    cifar10_jpeg,
    cosine,
    cross_product,
    digits,
    gaussian_fields,
    generated_molecules,
    ising,
    kather_crc,
    metr_la,
    mnist,
    modelnet,
    modelnet_samples,
    nct_crc,
    photo_patches,
    poses,
    qm9,
    qm9_subset,
    su2_links,
    traffic_series,
)
from emergent.errors import DataError
from emergent.storage import Array


def _generated_meshes(raw: Path, options: Any) -> dict[str, Array]:
    """Returns the arrays of generated solids."""
    # Only here: trimesh, which makes the solids, takes longer to import than most data sets to prepare.
    from emergent.datasets import generated_meshes

    return generated_meshes.prepare(raw, options)


def _cloud_pairs(raw: Path, options: Any) -> dict[str, Array]:
    """Returns the arrays of pairs of point clouds."""
    # Only here: it needs JAX and a library for transport.
    from emergent.datasets import cloud_pairs

    return cloud_pairs.prepare(raw, options)


PREPARE: Mapping[str, Callable[[Path, Any], dict[str, Array]]] = {
    "cifar10": cifar10.prepare,
    "cifar10_jpeg": cifar10_jpeg.prepare,
    "cloud_pairs": _cloud_pairs,
    "cosine": cosine.prepare,
    "cross_product": cross_product.prepare,
    "digits": digits.prepare,
    "gaussian_fields": gaussian_fields.prepare,
    "generated_meshes": _generated_meshes,
    "generated_molecules": generated_molecules.prepare,
    "ising": ising.prepare,
    "kather_crc": kather_crc.prepare,
    "metr_la": metr_la.prepare,
    "mnist": mnist.prepare,
    "modelnet": modelnet.prepare,
    "modelnet_samples": modelnet_samples.prepare,
    "nct_crc": nct_crc.prepare,
    "photo_patches": photo_patches.prepare,
    "poses": poses.prepare,
    "qm9": qm9.prepare,
    "qm9_subset": qm9_subset.prepare,
    "traffic_series": traffic_series.prepare,
    "su2_links": su2_links.prepare,
}

RAGGED = ("vertex", "face", "bound")
"""First axes of flat arrays that hold the samples of a split one after another, and of their offsets."""


def prepare(dataset: str, entry: DatasetEntry, raw: Path) -> dict[str, Array]:
    """Returns the arrays of one data set, its splits counted against the registry.

    Args:
        dataset: name, for messages.
        entry: what to prepare and with which options.
        raw: folder of the raw files; not read for embedded and generated sets.

    Raises:
        DataError: raw files are missing or damaged, or a split has another size than the registry says.
    """
    if entry.module not in PREPARE:
        raise DataError(
            f"data set {dataset!r}: module {entry.module!r} has no line in emergent.datasets.registry.PREPARE; add it."
        )
    arrays = PREPARE[entry.module](raw, entry.options)
    found: dict[str, set[int]] = {}
    for name, array in arrays.items():
        if array.dims[0] in RAGGED:
            continue
        found.setdefault(name.split("/")[0], set()).add(len(array.values))
    expected = {split: {num} for split, num in entry.splits.items()}
    if found != expected:
        text = {split: sorted(nums) for split, nums in sorted(found.items())}
        raise DataError(
            f"data set {dataset!r}: the registry says splits {dict(entry.splits)}, prepared were {text}. "
            "Correct 'splits' if the options were changed on purpose; otherwise the raw files are incomplete."
        )
    return arrays

"""The real files: known digests of decoded contents and known labels.

Excerpts of official files, where their licence allows it, are read everywhere (``make_excerpts.py`` made them). Whole
files, and data sets without such a licence (CIFAR-10, ModelNet), only where EMERGENT_MIRROR names a folder with them;
tests that need one say so when they are skipped. The digests are those published for the uncompressed IDX files; the
first labels are those of the official files.
"""

import hashlib
import os
from pathlib import Path

import numpy as np
import pytest
from make_excerpts import FOLDER, NUM_IMAGES, make

from emergent.config.datasets import NoOptions, load_registry
from emergent.datasets import mnist, qm9_subset
from emergent.datasets.download import mirror_candidates
from emergent.datasets.mnist import FILES, read_idx
from emergent.datasets.registry import prepare
from emergent.datasets.verify import find_mismatch

REGISTRY = load_registry(Path(__file__).parents[2] / "config" / "datasets.yaml")


def _mirror_file(dataset, name):
    mirror = os.environ.get("EMERGENT_MIRROR")
    if not mirror:
        pytest.skip("EMERGENT_MIRROR is not set: no folder with the real files")
    owner = REGISTRY.raw_owner(dataset)
    file = next(file for file in REGISTRY.entry(owner).files if file.name == name)
    found = [path for path in mirror_candidates(owner, file, Path(mirror)) if path.is_file()]
    if not found:
        pytest.skip(f"{name} of {dataset} is not in the mirror folder")
    return found[0], file


def _raw_folder(dataset):
    paths = [_mirror_file(dataset, name)[0] for name in REGISTRY.raw_files(dataset)]
    return paths[0].parent


IDX = {
    "mnist": ([5, 0, 4, 1, 9, 2, 1, 3, 1, 4], [7, 2, 1, 0, 4, 1, 4, 9, 5, 9]),
    "fashion_mnist": ([9, 0, 0, 3, 0, 2, 7, 2, 5, 5], [9, 2, 1, 1, 6, 1, 4, 6, 5, 7]),
}
"""First official labels of the training and of the test images."""
EXCERPTS = {
    "mnist": "195ad8ed177994e8cd6f7d286c1574c02b0d2a6dc36a3a54b0449524922160d2",
    "fashion_mnist": "ffd3b681fc45aa77c25162a58297e68c04b158a5a4f1d48055a00e68b0851e21",
    "qm9_subset": "c8fa25d7bc388fb19206300c7466e608d08a74e51bd06063401a84d4808edb32",
}
"""Digests of what the readers make of the excerpts."""


def _excerpt(dataset, folder=FOLDER):
    module = qm9_subset if dataset == "qm9_subset" else mnist
    return module.prepare(folder / dataset, NoOptions())


def _digest(arrays):
    digest = hashlib.sha256()
    for name, array in sorted(arrays.items()):
        digest.update(f"{name} {array.values.dtype} {array.values.shape}".encode() + array.values.tobytes())
    return digest.hexdigest()


@pytest.mark.parametrize("dataset", EXCERPTS)
def test_excerpts_are_read_as_ever(dataset):
    assert _digest(_excerpt(dataset)) == EXCERPTS[dataset]


@pytest.mark.parametrize("dataset", IDX)
def test_excerpts_of_images(dataset):
    arrays = _excerpt(dataset)
    for split, labels in zip(("train", "test"), IDX[dataset], strict=True):
        images = arrays[f"{split}/inputs"].values
        assert images.shape == (NUM_IMAGES[split], 28, 28, 1) and images.dtype == np.uint8
        np.testing.assert_array_equal(arrays[f"{split}/labels"].values[:10], labels)
    if dataset == "mnist":
        # Mean of the first training image, a five.
        np.testing.assert_allclose(arrays["train/inputs"].values[0].mean(), 35.108, atol=1e-3)


def test_excerpt_of_molecules():
    _require_methane_and_padding(_excerpt("qm9_subset"))


@pytest.mark.parametrize("dataset", EXCERPTS)
def test_excerpts_are_parts_of_the_files(dataset, tmp_path):
    _raw_folder(dataset)
    make(Path(os.environ["EMERGENT_MIRROR"]), tmp_path)
    assert _digest(_excerpt(dataset, tmp_path)) == EXCERPTS[dataset]


@pytest.mark.parametrize(
    ("dataset", "sha256"),
    [
        ("mnist", "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db"),
        ("fashion_mnist", "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888"),
    ],
)
def test_uncompressed_training_images_have_the_published_digest(dataset, sha256):
    path, _ = _mirror_file(dataset, FILES["train"][0])
    images = read_idx(path, rank=3)
    header = bytes.fromhex("00000803") + np.array(images.shape, ">u4").tobytes()
    assert hashlib.sha256(header + images.tobytes()).hexdigest() == sha256


@pytest.mark.parametrize(("dataset", "mean"), [("mnist", 0.1307), ("fashion_mnist", 0.2860)])
def test_mnist_like(dataset, mean):
    arrays = prepare(dataset, REGISTRY.entry(dataset), _raw_folder(dataset))
    for split, labels in zip(("train", "test"), IDX[dataset], strict=True):
        np.testing.assert_array_equal(arrays[f"{split}/labels"].values[:10], labels)
    # Mean pixel as quoted everywhere, to its four printed digits.
    np.testing.assert_allclose(arrays["train/inputs"].values.mean() / 255, mean, atol=5e-5)


def test_cifar10_jpeg_grey():
    arrays = prepare("cifar10_jpeg_grey28", REGISTRY.entry("cifar10_jpeg_grey28"), _raw_folder("cifar10_jpeg_grey28"))
    assert arrays["train/inputs"].values.shape == (50000, 28, 28, 1)
    np.testing.assert_array_equal(arrays["train/labels"].values[:10], [6, 9, 9, 4, 1, 1, 2, 7, 8, 3])
    np.testing.assert_array_equal(arrays["test/labels"].values[:10], [3, 8, 8, 0, 6, 6, 1, 6, 3, 1])
    np.testing.assert_array_equal(np.bincount(arrays["test/labels"].values), [1000] * 10)
    # Mean of the official training pixels, 0.2989 x 0.4914 + 0.587 x 0.4822 + 0.114 x 0.4465 of 255; JPEG keeps means.
    np.testing.assert_allclose(arrays["train/inputs"].values.mean() / 255, 0.4808, atol=2e-3)


def test_qm9_subset():
    _require_methane_and_padding(prepare("qm9_subset", REGISTRY.entry("qm9_subset"), _raw_folder("qm9_subset")))


def _require_methane_and_padding(arrays):
    # The first molecule is methane; its atomisation energy follows from QM9's U0 and free-atom energies.
    np.testing.assert_array_equal(arrays["all/charges"].values[0, :6], [6, 1, 1, 1, 1, 0])
    np.testing.assert_allclose(arrays["all/U0_atomisation"].values[0], -17.172182, atol=2e-5)
    np.testing.assert_array_equal((arrays["all/charges"].values > 0).sum(axis=1), arrays["all/num_atoms"].values)
    # Split "sample" is the second source, behind the first.
    num = len(arrays["sample/charges"].values)
    assert 0 < num < len(arrays["all/charges"].values)
    np.testing.assert_array_equal(arrays["sample/positions"].values, arrays["all/positions"].values[-num:])


@pytest.mark.parametrize("dataset", ["mnist", "fashion_mnist", "cifar10", "cifar10_jpeg", "qm9", "qm9_subset"])
def test_mirror_files_are_those_of_the_registry(dataset):
    for name in REGISTRY.raw_files(dataset):
        path, file = _mirror_file(dataset, name)
        assert find_mismatch(path, file) is None

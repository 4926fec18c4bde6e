"""Prepared data as network inputs: selection, scaling, fill value, and refusals."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from emergent import storage
from emergent.config.blocks import parse_block
from emergent.config.domains import ImageEvaluation
from emergent.config.groups import Augmentation
from emergent.domains.images import augmentation_action
from emergent.domains.samples import Scaling, load_evaluation, load_training, read_samples, training_scaling
from emergent.errors import ConfigError, DataError
from emergent.storage import Array

IMAGE_DIMS = ("sample", "row", "column", "channel")
GENERATOR = np.random.default_rng(0)
PIXELS = GENERATOR.integers(0, 256, (20, 4, 4, 1), dtype=np.uint8)
LABELS = np.arange(20, dtype=np.int32)
FIELDS = GENERATOR.normal(size=(6, 4, 4, 1)).astype(np.float32)
SPINS = GENERATOR.choice([-1.0, 1.0], (8, 4, 4)).astype(np.float32)
ENERGIES = GENERATOR.normal(size=(8, 16)).astype(np.float32)


def data(num: int | None = None, **options: Any) -> ImageEvaluation:
    content = {
        "domain": "images",
        "shape": [4, 4, 1],
        "scaling": "standardise",
        "train": {"dataset": "digits", "split": "train", "num": num},
        "evaluate": {"test": {"dataset": "digits", "split": "train", "num": 5}},
    }
    return ImageEvaluation.model_validate(content | options)


@pytest.fixture
def images(tmp_path: Path) -> Path:
    arrays = {"train/inputs": Array(PIXELS, IMAGE_DIMS), "train/labels": Array(LABELS, ("sample",))}
    storage.write(tmp_path / "images.h5", stage="prepare", attributes={}, arrays=arrays)
    return tmp_path / "images.h5"


@pytest.fixture
def spins(tmp_path: Path) -> Path:
    arrays = {
        "train/inputs": Array(SPINS, IMAGE_DIMS[:3]),
        "train/targets": Array(ENERGIES, ("sample", "site")),
        "test/inputs": Array(FIELDS, IMAGE_DIMS),
    }
    storage.write(tmp_path / "spins.h5", stage="prepare", attributes={}, arrays=arrays)
    return tmp_path / "spins.h5"


def test_standardised_training_inputs(images: Path) -> None:
    samples, scaling = load_training(images, data())
    assert samples.inputs.dtype == np.float32 and samples.inputs.shape == (20, 4, 4, 1)
    assert abs(samples.inputs.mean(dtype=np.float64)) < 1e-6
    assert abs(samples.inputs.std(dtype=np.float64) - 1) < 1e-6
    expected = (PIXELS / 255 - (PIXELS / 255).mean()) / (PIXELS / 255).std()
    np.testing.assert_allclose(samples.inputs, expected, atol=1e-6)
    np.testing.assert_array_equal(samples.labels, LABELS)
    assert samples.targets is None
    # A black pixel is what an image is filled with.
    np.testing.assert_allclose(scaling.apply(np.zeros((1, 1), np.uint8)), scaling.background(), rtol=1e-6)
    assert scaling.background() < 0


def test_evaluation_sets_are_scaled_like_the_training_set(images: Path, spins: Path) -> None:
    _, scaling = load_training(images, data(num=4))
    evaluated, _ = load_evaluation(images, data(num=4), "test", scaling)
    np.testing.assert_allclose(evaluated.inputs * scaling.std + scaling.mean, PIXELS[evaluated.labels] / 255, atol=1e-6)
    # Real-valued fields are in standardised units already.
    fields = {"test": {"dataset": "fields", "split": "test"}}
    np.testing.assert_array_equal(load_evaluation(spins, data(evaluate=fields), "test", scaling)[0].inputs, FIELDS)


def test_evaluation_sets_on_the_unit_interval(images: Path) -> None:
    _, scaling = load_training(images, data(num=4))
    unit = {"test": {"dataset": "digits", "split": "train", "num": 5, "scaling": "unit"}}
    evaluated, black = load_evaluation(images, data(evaluate=unit), "test", scaling)
    assert black == scaling
    np.testing.assert_allclose(evaluated.inputs, PIXELS[evaluated.labels] / 255, atol=1e-6)


def test_evaluation_sets_in_their_own_scaling(images: Path, spins: Path) -> None:
    _, scaling = load_training(images, data(num=4))
    own = {"test": {"dataset": "digits", "split": "train", "num": 5, "scaling": "own"}}
    evaluated, black = load_evaluation(images, data(evaluate=own), "test", scaling)
    # Of the whole split, however few samples are taken.
    mean, std = (PIXELS / 255).mean(), (PIXELS / 255).std()
    np.testing.assert_allclose(evaluated.inputs, (PIXELS[evaluated.labels] / 255 - mean) / std, atol=1e-5)
    np.testing.assert_allclose(black.background(), -mean / std, rtol=1e-6)
    fields = {"test": {"dataset": "fields", "split": "test", "num": 2, "scaling": "own"}}
    evaluated, zero = load_evaluation(spins, data(evaluate=fields), "test", scaling)
    expected = (FIELDS - FIELDS.mean()) / FIELDS.std()
    assert all(np.isclose(expected, one, atol=1e-5).all((1, 2, 3)).any() for one in evaluated.inputs)
    np.testing.assert_allclose(zero.background(), -FIELDS.mean() / FIELDS.std(), rtol=1e-4, atol=1e-6)


def test_fields_clipped_as_a_display_does(images: Path, spins: Path) -> None:
    _, scaling = load_training(images, data(num=4))
    fields = {"test": {"dataset": "fields", "split": "test", "scaling": "clipped"}}
    evaluated, black = load_evaluation(spins, data(evaluate=fields), "test", scaling)
    assert black == scaling
    seen = evaluated.inputs * scaling.std + scaling.mean
    np.testing.assert_allclose(seen, np.clip(FIELDS, 0, 1), atol=1e-6)
    assert FIELDS.min() < 0 and FIELDS.max() > 1
    pixels = {"test": {"dataset": "digits", "split": "train", "scaling": "clipped"}}
    with pytest.raises(DataError, match="scaling 'clipped' of test expects real-valued fields, found 8-bit pixels"):
        load_evaluation(images, data(evaluate=pixels), "test", scaling)


def test_more_samples_extend_fewer_and_keep_their_labels(images: Path) -> None:
    few, many = (load_training(images, data(num=num))[0] for num in (5, 12))
    assert few.labels is not None and many.labels is not None
    np.testing.assert_array_equal(many.labels[:5], few.labels)
    assert len(set(many.labels.tolist())) == 12
    assert many.labels.tolist() != sorted(many.labels.tolist())
    _, scaling = load_training(images, data(num=12))
    np.testing.assert_array_equal(many.inputs, scaling.apply(PIXELS[many.labels]))


def test_lattice_functions_get_a_channel_and_keep_their_targets(spins: Path) -> None:
    settings = data(scaling="none", train={"dataset": "ising", "split": "train", "num": 3})
    samples, scaling = load_training(spins, settings)
    assert samples.inputs.shape == (3, 4, 4, 1) and samples.labels is None and samples.targets is not None
    rows = [int(np.flatnonzero((target == ENERGIES).all(1))[0]) for target in samples.targets]
    np.testing.assert_array_equal(samples.inputs[..., 0], SPINS[rows])
    assert scaling == Scaling() and scaling.background() == 0
    whole = read_samples(spins, "train")
    np.testing.assert_array_equal(whole.inputs[..., 0], SPINS)
    np.testing.assert_array_equal(whole.targets, ENERGIES)


@pytest.mark.parametrize(
    ("settings", "part"),
    [
        (data(num=21), "split 'train' has 20 samples, 21 were asked for"),
        (data(shape=[4, 5, 1]), "inputs of shape (4, 4, 1), data.shape says (4, 5, 1)"),
        (
            data(train={"dataset": "digits", "split": "trian"}),
            "no array 'trian/inputs'. It holds: train/inputs, train/labels",
        ),
    ],
)
def test_data_that_do_not_fit_the_configuration(images: Path, settings: ImageEvaluation, part: str) -> None:
    with pytest.raises(DataError, match=r"images.h5") as caught:
        load_training(images, settings)
    assert part in str(caught.value)


def test_fields_cannot_be_standardised_like_pixels(spins: Path) -> None:
    with pytest.raises(DataError, match="scaling 'standardise' expects 8-bit pixels, found float32"):
        load_training(spins, data())


def test_file_of_another_stage(tmp_path: Path) -> None:
    storage.write(tmp_path / "x.h5", stage="train", attributes={}, arrays={})
    with pytest.raises(DataError, match="expected a file of stage 'prepare', found 'train'"):
        load_training(tmp_path / "x.h5", data())


def test_corners_are_filled_with_background_or_zero() -> None:
    scaling = Scaling(0.25, 0.5, pixels=True)
    filled, empty = (
        augmentation_action(Augmentation(group="C8", mode="random", fill=fill), (4, 4, 1), scaling)
        for fill in ("background", "zero")
    )
    missing = 1 - np.asarray(filled.weights).sum(-1)
    assert missing.max() > 0.1
    np.testing.assert_allclose(filled.offset, -0.5 * missing, atol=1e-6)
    np.testing.assert_array_equal(empty.offset, 0)


def test_block_names() -> None:
    assert parse_block("0000-0002") == (0, 1, 2)
    assert parse_block("0007-0007") == (7,)
    assert parse_block("10000-10001") == (10000, 10001)
    for name in ("0003-0002", "3-4", "0000", "0000-", "0000-0001x", "-001-0001"):
        with pytest.raises(ConfigError, match="expected a range such as 0000-0099"):
            parse_block(name)


def test_scaling_alone_is_that_of_the_training_samples(images: Path, spins: Path) -> None:
    assert training_scaling(images, data(num=4)) == load_training(images, data(num=4))[1]
    settings = data(scaling="none", train={"dataset": "ising", "split": "train", "num": 3})
    assert training_scaling(spins, settings) == Scaling()
    with pytest.raises(DataError, match="scaling 'standardise' expects 8-bit pixels"):
        training_scaling(spins, data(train={"dataset": "ising", "split": "train"}))

"""Generated and embedded data sets: seeds, spectra, energies, colourings."""

from pathlib import Path

import numpy as np
import pytest
from pydantic import ValidationError

from emergent.config.datasets import DigitsOptions, load_registry
from emergent.config.generators import GaussianFieldOptions, IsingOptions, PhotoPatchOptions
from emergent.datasets import digits, gaussian_fields, ising, photo_patches
from emergent.datasets.heat_bath import colouring, neighbour_sum
from emergent.errors import DataError

CONFIG = Path(__file__).parents[2] / "config"
ISING = {
    "lattice_size": 4,
    "boundary": "periodic",
    "beta": 0.0,
    "coupling": 1.0,
    "label_scale": 1.0,
    "num_train": 40,
    "num_test": 30,
    "num_ood": 20,
    "distinct": False,
    "full_orbits": False,
    "num_sweeps": 5,
    "seed": 0,
}
FIELD = {"height": 28, "width": 28, "channels": 2, "num": 6, "block": 5, "scale": None, "seed": 0}


def _ising(**changes):
    return IsingOptions(**(ISING | changes))


def _field(**changes):
    return GaussianFieldOptions(**(FIELD | changes))


@pytest.mark.parametrize("size", [8, 28, 9])
@pytest.mark.parametrize("scale", [None, (0.3, 0.2)])
def test_fields_have_power_only_in_the_block(size, scale):
    fields = gaussian_fields.sample_fields(_field(height=size, width=size, scale=scale))
    assert fields.shape == (6, size, size, 2)
    spectrum = np.abs(np.fft.rfft2(fields, axes=(1, 2)))
    rows, columns = np.arange(size)[:, None], np.arange(size // 2 + 1)[None, :]
    inside = (rows < 5) & (columns < 5)
    # Columns that are their own mirror image (zero and Nyquist frequency) repeat the rows with opposite sign.
    self_conjugate = (columns == 0) | ((size % 2 == 0) & (columns == size // 2))
    inside |= self_conjugate & (columns < 5) & (size - rows < 5)
    assert spectrum[:, ~inside].max() < 1e-12 * spectrum.max()
    assert spectrum[:, inside].mean(axis=(0, 2)).min() > 0.01 * spectrum.max()


def test_field_coefficients_are_those_drawn():
    fields = gaussian_fields.sample_fields(_field(num=500, channels=1))
    coefficients = np.fft.rfft2(fields[..., 0], axes=(1, 2))[:, :5, 1:5]
    # E|C|^2 = 1 over 500 x 20 exponential variables: standard error 0.01, tolerance 4 of them.
    np.testing.assert_allclose(np.mean(np.abs(coefficients) ** 2), 1.0, atol=0.04)
    np.testing.assert_allclose(np.mean(coefficients.real * coefficients.imag), 0.0, atol=0.02)


def test_scaled_fields_have_the_mean_and_std_asked_for():
    fields = gaussian_fields.sample_fields(_field(scale=(0.3, 0.2)))
    np.testing.assert_allclose(fields.mean(axis=(1, 2, 3)), 0.3, atol=1e-12)
    np.testing.assert_allclose(fields.std(axis=(1, 2, 3)), 0.2, atol=1e-12)


def test_fields_with_an_amplitude_are_a_sum_of_waves():
    """By hand: waves of the first column count once, all others twice, as their mirror images are waves too."""
    fields = gaussian_fields.sample_fields(_field(num=2, channels=3, height=12, width=10, amplitude=10.0))
    parts = np.random.default_rng(0).standard_normal((2, 3, 5, 5, 2)) / np.sqrt(2)
    expected = 0.0
    for row in range(5):
        for column in range(5):
            angle = 2 * np.pi * (row * np.arange(12)[:, None] / 12 + column * np.arange(10) / 10)
            real, imaginary = (parts[:, :, row, column, k, None, None] for k in (0, 1))
            weight = 10.0 * (1 if column == 0 else 2)
            expected = expected + weight * (real * np.cos(angle) - imaginary * np.sin(angle))
    np.testing.assert_allclose(fields, expected.transpose(0, 2, 3, 1), atol=1e-9)
    with pytest.raises(ValidationError, match="set scale or amplitude to null"):
        _field(scale=(0.0, 1.0), amplitude=10.0)


def test_amplitude_of_the_published_pictures():
    """They are black or white but for 0.5 to 0.65 % of their pixels: a field of some 65 times their range."""
    options = load_registry(CONFIG / "datasets.yaml").entry("gaussian_fields_colour_56").options
    fields = gaussian_fields.sample_fields(options.model_copy(update={"num": 100}))
    assert 0.005 < ((fields > 0) & (fields < 1)).mean() < 0.0075
    assert fields.std() == pytest.approx(65, abs=3)


def test_fields_depend_on_the_seed_and_not_on_their_number():
    first = gaussian_fields.sample_fields(_field())
    np.testing.assert_array_equal(gaussian_fields.sample_fields(_field(num=60))[:6], first)
    assert not np.allclose(gaussian_fields.sample_fields(_field(seed=1)), first)


def _energies_by_loops(spins, boundary):
    size = len(spins)
    energies = np.zeros_like(spins)
    for row in range(size):
        for column in range(size):
            for down, right in ((0, 1), (1, 0), (0, -1), (-1, 0)):
                r, c = row + down, column + right
                if boundary == "periodic":
                    r, c = r % size, c % size
                elif not (0 <= r < size and 0 <= c < size):
                    continue
                energies[row, column] += spins[row, column] * spins[r, c]
    return energies


@pytest.mark.parametrize("boundary", ["periodic", "open"])
@pytest.mark.parametrize("size", [3, 4, 5])
def test_site_energies_against_loops(boundary, size):
    spins = np.random.default_rng(0).standard_normal((3, size, size))
    expected = np.stack([_energies_by_loops(each, boundary) for each in spins])
    np.testing.assert_allclose(ising.site_energies(spins, boundary), expected, rtol=1e-13)


@pytest.mark.parametrize("boundary", ["periodic", "open"])
@pytest.mark.parametrize("size", [4, 5])
def test_site_energies_are_equivariant_under_rotations(boundary, size):
    spins = np.random.default_rng(0).choice([-1.0, 1.0], (3, size, size))
    for turns in range(4):
        rotated = ising.site_energies(np.rot90(spins, turns, (1, 2)), boundary)
        np.testing.assert_array_equal(rotated, np.rot90(ising.site_energies(spins, boundary), turns, (1, 2)))


@pytest.mark.parametrize("boundary", ["periodic", "open"])
@pytest.mark.parametrize("size", [3, 4, 5, 6, 7])
def test_neighbours_have_different_colours(boundary, size):
    colours = colouring(size, boundary)
    for colour in range(colours.max() + 1):
        mine = (colours == colour).astype(np.int8)
        assert not np.any(mine * neighbour_sum(mine[None], boundary)[0])


@pytest.mark.parametrize("label_scale", [1.0, 0.0625])
def test_ising_arrays(tmp_path, label_scale):
    arrays = ising.prepare(tmp_path, _ising(label_scale=label_scale))
    for split, num in (("train", 40), ("test", 30), ("ood", 20)):
        inputs, targets = arrays[f"{split}/inputs"].values, arrays[f"{split}/targets"].values
        assert inputs.shape == (num, 4, 4)
        assert targets.shape == (num, 16)
        assert inputs.dtype == targets.dtype == np.float32
        expected = label_scale * ising.site_energies(inputs.astype(np.float64), "periodic").reshape(num, 16)
        np.testing.assert_allclose(targets, expected, rtol=1e-6, atol=1e-7)
    assert set(np.unique(arrays["train/inputs"].values)) == {-1.0, 1.0}
    assert len(np.unique(arrays["ood/inputs"].values)) == 20 * 16


def test_ising_seed(tmp_path):
    first, again, other = (ising.prepare(tmp_path, _ising(beta=0.4, seed=seed)) for seed in (0, 0, 1))
    np.testing.assert_array_equal(first["train/inputs"].values, again["train/inputs"].values)
    assert not np.array_equal(first["train/inputs"].values, other["train/inputs"].values)
    assert not np.array_equal(first["train/inputs"].values[:30], first["test/inputs"].values)


def test_distinct_full_orbits(tmp_path):
    options = _ising(lattice_size=3, num_train=60, num_test=40, distinct=True, full_orbits=True)
    arrays = ising.prepare(tmp_path, options)
    spins = np.concatenate([arrays[f"{split}/inputs"].values for split in ("train", "test")])
    rows = np.concatenate([np.rot90(spins, turns, (1, 2)).reshape(100, 9) for turns in range(4)])
    assert len(np.unique(rows, axis=0)) == 400


def test_distinct_that_cannot_be_had(tmp_path, monkeypatch):
    monkeypatch.setattr(ising, "_MAX_ROUNDS", 10)
    # A 3 x 3 lattice has 140 orbits.
    with pytest.raises(DataError, match="set distinct: false"):
        ising.prepare(tmp_path, _ising(lattice_size=3, num_train=200, distinct=True))


def test_very_low_temperature_does_not_overflow(tmp_path):
    spins = ising.prepare(tmp_path, _ising(beta=1000.0, num_sweeps=200))["train/inputs"].values
    assert np.mean(np.abs(spins.mean(axis=(1, 2))) == 1.0) > 0.5


def test_digits_are_stratified_and_complete(tmp_path):
    arrays = digits.prepare(tmp_path, DigitsOptions(num_test=360, seed=0))
    train, test = arrays["train/labels"].values, arrays["test/labels"].values
    assert (len(train), len(test)) == (1437, 360)
    np.testing.assert_allclose(np.bincount(test) / np.bincount(np.concatenate([train, test])), 0.2, atol=0.01)
    images = arrays["train/inputs"].values
    assert images.shape == (1437, 8, 8, 1)
    assert (images.min(), images.max()) == (0, 255)
    other = digits.prepare(tmp_path, DigitsOptions(num_test=360, seed=1))
    assert not np.array_equal(other["test/inputs"].values, arrays["test/inputs"].values)


def test_photo_patches(tmp_path):
    arrays = photo_patches.prepare(tmp_path, PhotoPatchOptions(size=8, shrink=4, num=20, seed=0))
    images = arrays["test/inputs"].values
    assert images.shape == (20, 8, 8, 1)
    assert images.dtype == np.uint8
    np.testing.assert_array_equal(arrays["test/labels"].values, [0, 1] * 10)
    assert len(np.unique(images.reshape(20, -1), axis=0)) == 20
    assert images.std(axis=(1, 2, 3)).mean() > 10


def test_photo_patches_in_colour(tmp_path):
    options = PhotoPatchOptions(size=8, shrink=4, num=6, seed=0, colour=True, num_train=10)
    arrays = photo_patches.prepare(tmp_path, options)
    shapes = {name: array.values.shape for name, array in arrays.items()}
    assert shapes["train/inputs"] == (10, 8, 8, 3) and shapes["test/inputs"] == (6, 8, 8, 3)
    np.testing.assert_array_equal(arrays["train/labels"].values, [0, 1] * 5)
    # The same places in grey: luma of the colours, but for the order of averaging and rounding.
    grey = photo_patches.prepare(tmp_path, options.model_copy(update={"colour": False}))["test/inputs"].values
    luma = arrays["test/inputs"].values @ [0.2989, 0.587, 0.114]
    np.testing.assert_allclose(grey[..., 0], luma, atol=1.5)

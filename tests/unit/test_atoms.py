"""Molecules as functions on the sphere, and regression of their energies."""

import math
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pytest

from emergent import storage
from emergent.config.base import validate
from emergent.config.domains import DataSelection
from emergent.config.generators import MoleculeOptions
from emergent.config.molecule_regression import MoleculeRegressionExperiment
from emergent.config.splits import Splits
from emergent.config.stages import ArmFacts, SummaryStage
from emergent.datasets import generated_molecules
from emergent.domains import atoms
from emergent.domains.atoms import (
    BETA,
    Molecules,
    neighbours,
    profile_coefficients,
    read_molecules,
    signal_coefficients,
    signal_values,
)
from emergent.errors import ConfigError, DataError, ResourceError
from emergent.groups.rotation_harmonics import rotation_grid, sphere_grid, spherical_harmonics
from emergent.kernels.functions import Kernels
from emergent.kernels.sums import Branch, num_pairs, sum_gram
from emergent.prediction.molecule_regression import atom_inputs, branches, molecule_regression_arrays
from emergent.prediction.ridge import ROUNDING, draw_split, ridge_predictions
from emergent.storage import Array
from emergent.summaries.molecule_regression import summarise_molecule_regression

SO3 = {"family": "spherical_gcnn", "channels": [4, 4], "band_limit": 2, "resolution": 6, "num_outputs": 1}
CONTENT: dict[str, Any] = {
    "experiment": "tiny",
    "kind": "molecule_regression",
    "paper": "misof",
    "title": "Tiny",
    "seed": 5,
    "data": {"dataset": "made_up_molecules", "split": "all"},
    "band_limit": 3,
    "arms": {"so3": {"model": SO3}, "elements": {"model": SO3, "branches": "elements", "compare_to": "so3"}},
    "splits": {"train": [4, 8], "validation": 4, "test": 8},
    "regularisers": [1e-4, 1e-2],
    "members": {"num": 4, "block": 2},
}


@pytest.fixture(autouse=True)
def float64():
    with jax.enable_x64(True):
        yield


def made_up(num: int = 24, seed: int = 0) -> Molecules:
    arrays = generated_molecules.prepare(Path(), MoleculeOptions(num=num, num_atoms=(2, 4), seed=seed))
    return Molecules(
        arrays["all/positions"].values,
        arrays["all/charges"].values.astype(np.int64),
        arrays["all/U0_atomisation"].values,
    )


def test_signals_of_methane_like_molecule():
    """One carbon with two hydrogens and an oxygen: the formula, atom by atom and channel by channel."""
    positions = np.zeros((1, 29, 3))
    positions[0, :4] = [[0, 0, 0], [1.1, 0, 0], [0, 1.2, 0], [0, 0, -1.3]]
    charges = np.zeros((1, 29), np.int64)
    charges[0, :4] = [6, 1, 1, 8]
    points = sphere_grid(4)
    values = signal_values(neighbours(Molecules(positions, charges, np.zeros(1))), points)
    assert values.shape == (4, 10, len(points))
    hydrogen = sum(6 / r**6 * np.exp(-((points[:, axis] - 1) ** 2) / BETA) for r, axis in ((1.1, 0), (1.2, 1)))
    np.testing.assert_allclose(values[0, 1], hydrogen, rtol=1e-12)
    oxygen = 48 / 1.3**2 * np.exp(-((-points[:, 2] - 1) ** 2) / BETA)
    np.testing.assert_allclose(values[0, 6], oxygen, rtol=1e-12)
    assert not values[0, [2, 3, 4, 5, 8, 9]].any(), "no carbon, nitrogen or fluorine around the carbon"
    assert not values[1, [8, 9]].any() and values[1, [0, 1, 2, 3, 6, 7]].any(1).all()
    assert math.exp(-((math.cos(math.pi / 4) - 1) ** 2) / BETA) == pytest.approx(0.05)


def test_coefficients_are_those_of_the_values(monkeypatch):
    """Projected by a quadrature on the sphere, made of rotations of one point."""
    found = neighbours(made_up(3))
    points = rotation_grid(24).matrices @ np.array([0.0, 0.0, 1.0])
    values = signal_values(found, points)
    weights = 4 * np.pi * rotation_grid(24).weights
    projected = (values * weights) @ spherical_harmonics(points, 4)
    coefficients = signal_coefficients(found, 4)
    np.testing.assert_allclose(coefficients, projected, atol=1e-9 * np.abs(coefficients).max())
    few = profile_coefficients(6)
    monkeypatch.setattr(atoms, "_NODES", 128)
    np.testing.assert_allclose(profile_coefficients(6), few, rtol=1e-12)


def test_lone_atoms_have_no_signal_and_damaged_molecules_are_refused(tmp_path: Path):
    molecules = made_up(2)
    charges = molecules.charges.copy()
    charges[0, 1:] = 0
    found = neighbours(molecules._replace(charges=charges))
    assert found.num_atoms == np.count_nonzero(charges)
    assert not signal_coefficients(found, 2)[0].any() and signal_coefficients(found, 2)[1].any()
    positions = molecules.positions.copy()
    positions[1, 1] = positions[1, 0]
    with pytest.raises(DataError, match="molecule 1: two atoms are in one place"):
        neighbours(molecules._replace(positions=positions))
    arrays = generated_molecules.prepare(Path(), MoleculeOptions(num=4, num_atoms=(2, 4), seed=0))
    path = tmp_path / "prepared.h5"
    storage.write(path, stage="prepare", attributes={}, arrays=arrays, tables={})
    assert len(read_molecules(path, DataSelection(dataset="m", split="all", num=3)).energies) == 3
    with pytest.raises(DataError, match="has 4 molecules, 5 were asked for"):
        read_molecules(path, DataSelection(dataset="m", split="all", num=5))
    with pytest.raises(DataError, match="expected molecules, found no test/positions"):
        read_molecules(path, DataSelection(dataset="m", split="test"))
    strange = arrays["all/charges"].values.copy()
    strange[0, 0] = 17
    arrays["all/charges"] = Array(strange, ("molecule", "atom"))
    storage.write(tmp_path / "other.h5", stage="prepare", attributes={}, arrays=arrays, tables={})
    with pytest.raises(DataError, match=r"expected nuclear charges \(1, 6, 7, 8, 9\), found \[17\]"):
        read_molecules(tmp_path / "other.h5", DataSelection(dataset="m", split="all"))


def test_made_up_molecules_extend_and_keep_their_energy_when_turned():
    few, more = made_up(5), made_up(9)
    np.testing.assert_array_equal(few.positions, more.positions[:5])
    turned = few.positions @ rotation_grid(3).matrices[40].T
    for molecule in range(5):
        real = few.charges[molecule] > 0
        energy = generated_molecules.pair_energy(turned[molecule, real], few.charges[molecule, real])
        assert energy == pytest.approx(few.energies[molecule])
    with pytest.raises(ValueError, match="two numbers from 2 to 29, ascending, found 5, 3"):
        MoleculeOptions(num=1, num_atoms=(5, 3), seed=0)


@pytest.mark.parametrize("tile_size", [3, 100])
def test_kernels_of_sums_are_double_sums(tile_size):
    generator = np.random.default_rng(0)
    owners = np.array([0, 0, 1, 3, 3, 3, 4])
    parts = [Branch(generator.normal(size=(7, 2)), owners), Branch(generator.normal(size=(2, 2)), np.array([1, 2]))]

    def kernel(first: Any, second: Any) -> Kernels:
        return Kernels(first @ second.T, np.exp(first @ second.T))

    expected = np.zeros((2, 5, 5))
    for inputs, labels in parts:
        for i, j in np.ndindex(len(labels), len(labels)):
            product = inputs[i] @ inputs[j]
            expected[:, labels[i], labels[j]] += product, np.exp(product)
    advanced: list[int] = []
    found = sum_gram(kernel, parts, 5, tile_size, advanced.append)
    np.testing.assert_allclose(found, expected, rtol=1e-13)
    np.testing.assert_array_equal(found.ntk, found.ntk.T)
    assert num_pairs(parts) == 28 + 3 and sum(advanced) >= 31
    with pytest.raises(ConfigError, match="expected float64, found float32"):
        sum_gram(lambda a, b: Kernels(*(part.astype(np.float32) for part in kernel(a, b))), parts, 5, 3)


def stage_of(arm: str) -> Any:
    return validate(MoleculeRegressionExperiment, CONTENT, "tiny.yaml").stage("train", arm)


def test_kernels_of_molecules_know_neither_orientation_nor_with_elements_the_order_of_atoms():
    molecules = made_up(6)
    turned = molecules._replace(positions=molecules.positions @ rotation_grid(3).matrices[17].T)
    mixed = molecules._replace(
        positions=np.stack([np.roll(own, i, 0) for i, own in enumerate(molecules.positions)]),
        charges=np.stack([np.roll(own, i) for i, own in enumerate(molecules.charges)]),
    )

    def gram(stage: Any, given: Molecules) -> np.ndarray:
        kernel, inputs = atom_inputs(stage, given)
        return sum_gram(kernel, branches(given.charges, stage.branches, inputs), 6, 16).ntk

    for arm in ("so3", "elements"):
        stage = stage_of(arm)
        fine = stage.model_copy(update={"model": stage.model.model_copy(update={"resolution": 12})})
        plain = gram(fine, molecules)
        np.testing.assert_allclose(gram(fine, turned), plain, rtol=1e-4)
        change = np.abs(gram(fine, mixed) - plain).max() / plain.max()
        assert change < 1e-4 if arm == "elements" else change > 0.1, change


def test_arrays_of_splits():
    stage, molecules, advanced = stage_of("so3"), made_up(), []
    arrays = molecule_regression_arrays(stage, (0, 1), molecules, advanced.append)
    assert advanced == [1, 1]
    assert arrays["shown_signal"].values.shape == (5, 2, 32, 31) and arrays["shown_signal"].values.max() > 0
    again = molecule_regression_arrays(stage, (1,), molecules, lambda num: None)
    np.testing.assert_allclose(again["error"].values[0], arrays["error"].values[1], rtol=1e-12)
    assert (arrays["root_mean_square"].values >= arrays["error"].values).all()
    assert ROUNDING < arrays["kernel_error"].values < 0.05
    best = arrays["error_by_regulariser"].values
    assert all(error in row for error, row in zip(arrays["error"].values.ravel(), best.reshape(-1, 2), strict=True))
    with pytest.raises(ResourceError, match="use at most"):
        molecule_regression_arrays(stage, (0,), molecules, advanced.append, memory_bytes=20_000)
    with pytest.raises(DataError, match=r"8 test, 4 validation and 8 training samples are 20, but .* has 10"):
        molecule_regression_arrays(stage, (0,), made_up(10), advanced.append)


def test_predictions_are_those_of_the_linear_system():
    generator = np.random.default_rng(2)
    features = generator.normal(size=(9, 12))
    matrix, cross = features[:6] @ features[:6].T, features[6:] @ features[:6].T
    targets = generator.normal(size=(6, 2))
    found = ridge_predictions(matrix, cross, targets, [1e-3, 1.0])
    for regulariser, predictions in zip((1e-3, 1.0), found, strict=True):
        regular = matrix + regulariser * np.trace(matrix) / 6 * np.eye(6)
        np.testing.assert_allclose(predictions, cross @ np.linalg.solve(regular, targets), rtol=1e-9)
    wrong = matrix - 0.5 * np.linalg.eigvalsh(matrix)[-1] * np.eye(6)
    with pytest.raises(ConfigError, match=r"expected eigenvalues of at least 0.*regulariser above"):
        ridge_predictions(wrong, cross, targets, [1e-3])
    ridge_predictions(wrong, cross, targets, [1.0], rounding=1.0)


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        ("band_limit", 13, "less than or equal to 12"),
        ("splits", {"train": [8, 4], "validation": 4, "test": 8}, "splits.train"),
        ("data", {"dataset": "m", "split": "all", "num": 19}, "data.num: the splits need 20 molecules, found 19"),
        ("arms", {"so3": {"model": {**SO3, "band_limit": None, "resolution": 2}}}, "more than resolution 2 integrates"),
    ],
)
def test_impossible_experiments_are_refused(path, value, message):
    with pytest.raises(ConfigError, match=message):
        validate(MoleculeRegressionExperiment, {**CONTENT, path: value}, "tiny.yaml")


def test_summary_has_differences_and_exponents(tmp_path: Path):
    """Errors that fall like the power -1/2, with a common scatter that is not in the error of the difference."""
    generator = np.random.default_rng(0)
    common = generator.uniform(90, 110, (8, 1)) * np.array([1.0, 0.5])
    blocks = {}
    for arm, factor in (("mlp", 1.0), ("so3", 0.5)):
        error = factor * common
        arrays = {
            "members": Array(np.arange(8), ("member",)),
            "sizes": Array(np.array([4, 16]), ("size",)),
            "regularisers": Array(np.array([1e-3]), ("regulariser",)),
            "error": Array(error, ("member", "size")),
            "root_mean_square": Array(2 * error, ("member", "size")),
            "regulariser": Array(np.full((8, 2), 1e-3), ("member", "size")),
            "kernel_error": Array(np.array(1e-6), ()),
            "shown_signal": Array(np.ones((5, 2, 4, 3)), ("element", "power", "latitude", "longitude")),
            "shown_positions": Array(np.zeros((2, 3)), ("atom", "axis")),
            "shown_charges": Array(np.array([6, 1]), ("atom",)),
            "error_by_regulariser": Array(error[..., None], ("member", "size", "regulariser")),
        }
        blocks[arm] = [tmp_path / f"{arm}.h5"]
        storage.write(blocks[arm][0], stage="train", attributes={}, arrays=arrays, tables={})
    settings = SummaryStage(
        experiment="tiny", seed=0, kind="molecule_regression", title="t", label="l", num_members=8,
        arms=(ArmFacts(name="mlp", label="MLP"), ArmFacts(name="so3", label="SO(3)", compare_to="mlp")),
    )  # fmt: skip
    tables = summarise_molecule_regression(settings, blocks, {})
    quantities = tables["quantities"].set_index("name")
    assert len(tables["signals"]) == 120 and tables["atoms"]["charge"].tolist() == [6, 1]
    assert tables["signals"]["latitude"].unique().tolist() == [67.5, 22.5, -22.5, -67.5]
    assert quantities.at["exponent/so3", "value"] == pytest.approx(-0.5)
    assert quantities.at["error_difference/so3/4", "value"] == pytest.approx(-0.5 * common[:, 0].mean())
    assert quantities.at["root_mean_square/mlp/16", "value"] == pytest.approx(2 * common[:, 1].mean())
    assert quantities.at["kernel_error/so3", "value"] == 1e-6


def test_splits_of_molecules_are_those_of_images():
    assert len(np.unique(np.concatenate(draw_split(30, Splits(train=(4, 8), validation=4, test=8), 0, 0)))) == 20

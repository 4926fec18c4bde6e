"""Kernel regression on random splits: what a split is, which regulariser is taken, what is refused."""

import copy
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pytest

from emergent import storage
from emergent.config.base import validate
from emergent.config.kernel_regression import KernelRegressionExperiment
from emergent.config.splits import Splits
from emergent.config.stages import ArmFacts, SummaryStage
from emergent.domains.samples import Samples
from emergent.errors import ConfigError, DataError, ResourceError
from emergent.groups.images import image_action, orbit
from emergent.kernels.architectures import cnn_kernel, gcnn_kernel
from emergent.kernels.functions import Kernels
from emergent.point_groups import group_from_name
from emergent.prediction.kernel_regression import (
    Problem,
    all_copies,
    kernel_regression_arrays,
    pooled,
    problems,
    regression_accuracies,
    turned,
)
from emergent.prediction.ridge import chosen_regularisers, draw_split
from emergent.statistics.learning_laws import equal_samples, power_law
from emergent.storage import Array
from emergent.summaries.kernel_regression import summarise_kernel_regression

CONTENT: dict[str, Any] = {
    "experiment": "tiny",
    "kind": "kernel_regression",
    "paper": "misof",
    "title": "Tiny",
    "seed": 5,
    "data": {
        "domain": "images",
        "shape": [4, 4, 1],
        "scaling": "standardise",
        "train": {"dataset": "digits", "split": "train", "num": 30},
    },
    "arms": {
        "cnn": {
            "model": {
                "family": "cnn",
                "layers": [{"channels": 4}],
                "readout": "mean",
                "num_outputs": 2,
                "parametrisation": "ntk",
            }
        }
    },
    "splits": {"train": [4, 8], "validation": 6, "test": 10},
    "regularisers": [1e-4, 1e-2],
    "members": {"num": 4, "block": 2},
}


@pytest.fixture(autouse=True)
def float64():
    with jax.enable_x64(True):
        yield


def changed(**changes: Any) -> dict[str, Any]:
    content = copy.deepcopy(CONTENT)
    for path, value in changes.items():
        *parents, last = path.split("__")
        target = content
        for parent in parents:
            target = target[parent]
        target[last] = value
    return content


def stripes(num: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Noisy images with one bright row (class 0) or a bright square (class 1)."""
    generator = np.random.default_rng(seed)
    labels = generator.integers(0, 2, num)
    images = 0.3 * generator.normal(size=(num, 4, 4, 1))
    images[labels == 0, 1] += 2
    images[labels == 1, 1:3, 1:3] += 2
    return images, labels


def problem_of(kernel: Any, images: np.ndarray, labels: np.ndarray, splits: Splits, member: int = 0) -> Problem:
    return next(problems(kernel, images, labels, [draw_split(len(images), splits, 0, member)], 16))


def test_splits_of_a_member_are_its_own_and_grow():
    small, large = Splits(train=(4,), validation=6, test=10), Splits(train=(4, 20), validation=6, test=10)
    first, more, other = (draw_split(40, splits, 3, member) for splits, member in ((small, 0), (large, 0), (small, 1)))
    np.testing.assert_array_equal(first.test, more.test)
    np.testing.assert_array_equal(first.validation, more.validation)
    np.testing.assert_array_equal(first.train, more.train[:4])
    assert not np.array_equal(first.test, other.test)
    assert len(np.unique(np.concatenate(more))) == 36, "no image is in two parts"
    with pytest.raises(DataError, match=r"10 test, 6 validation and 20 training samples are 36.*has 20; use fewer"):
        draw_split(20, large, 3, 0)


def test_images_are_turned_by_quarter_turns():
    images, _ = stripes(40)
    moved = turned(images, 0)
    turns = [next(k for k in range(4) if np.array_equal(np.rot90(a, k), b)) for a, b in zip(images, moved, strict=True)]
    assert set(turns) == {0, 1, 2, 3}
    np.testing.assert_array_equal(turned(images[:7], 0), moved[:7])


def test_predictions_are_those_of_a_linear_solve():
    images, labels = stripes(40)
    split = draw_split(40, Splits(train=(12,), validation=8, test=20), 0, 0)
    kernel = cnn_kernel([1, 1], "mean", weight_std=1.4)
    problem = next(problems(kernel, images, labels, [split], 16))
    found = regression_accuracies(problem, [6, 12], [1e-3, 1.0])
    for s, size in enumerate((6, 12)):
        train = split.train[:size]
        matrix = kernel(images[train], images[train]).ntk
        targets = np.eye(2)[labels[train]] - 0.5
        for q, regulariser in enumerate((1e-3, 1.0)):
            ridge = regulariser * np.trace(matrix) / size
            weights = np.linalg.solve(matrix + ridge * np.eye(size), targets)
            for part, accuracies in zip((split.validation, split.test), found, strict=True):
                right = (kernel(images[part], images[train]).ntk @ weights).argmax(1) == labels[part]
                assert accuracies[s, q] == right.mean()


def test_pairs_that_splits_share_are_computed_once():
    """The same numbers as split by split, from fewer calls."""
    images, labels = stripes(24)
    splits = [draw_split(24, Splits(train=(8,), validation=6, test=10), 0, member) for member in range(6)]
    calls: list[int] = []

    def kernel(first: np.ndarray, second: np.ndarray) -> Kernels:
        calls.append(len(first) * len(second))
        return cnn(first, second)

    cnn = cnn_kernel([1], "mean")
    together = list(problems(kernel, images, labels, splits, 64))
    shared = sum(calls)
    alone = [next(problems(kernel, images, labels, [split], 64)) for split in splits]
    # Of 4 x 4 tiles 10.
    assert shared == 10 * 6**2 < sum(calls) - shared
    for ours, theirs in zip(together, alone, strict=True):
        assert ours.group.name == theirs.group.name == "C1"
        for one, two in zip(ours[:-1], theirs[:-1], strict=True):
            np.testing.assert_allclose(one, two, rtol=1e-12)


@pytest.mark.parametrize("group", ["C4", "D4"])
@pytest.mark.parametrize("num_splits", [1, 6])
def test_all_copies_are_learnt(group: str, num_splits: int):
    """Gram matrices of all copies are those of the kernel called on all copies, whether splits share pairs or not."""
    images, labels = stripes(24)
    splits = [draw_split(24, Splits(train=(5,), validation=6, test=10), 0, member) for member in range(num_splits)]
    kernel = cnn_kernel([1], "mean", weight_std=1.4)
    found = list(problems(kernel, images, labels, splits, 4, augmented=group))
    assert len(found) == num_splits
    moved = np.asarray(orbit(image_action(group_from_name(group), 4, 4), images))
    for problem, split in zip(found, splits, strict=True):
        flat = moved[:, split.train].reshape(-1, 4, 4, 1)
        whole = all_copies(problem.matrix, problem.group)
        np.testing.assert_allclose(whole, kernel(flat, flat).ntk, rtol=1e-12)
        np.testing.assert_array_equal(problem.cross.shape, (16, len(moved), 5))
        expected = kernel(images[split.others], flat).ntk
        np.testing.assert_allclose(problem.cross.reshape(16, -1), expected, rtol=1e-12)


@pytest.mark.parametrize("group", ["C4", "D4"])
def test_augmented_networks_predict_what_equivariant_ones_do(group: str):
    """The theorem with a regulariser, on classes that turns change: accuracies of all sizes and regularisers agree."""
    images, labels = stripes(60)
    images = turned(images, 0)
    split = draw_split(60, Splits(train=(30,), validation=10, test=20), 0, 0)
    cnn = cnn_kernel([1, 1], "mean", weight_std=1.4)
    gcnn = gcnn_kernel(group_from_name(group), cnn)
    augmented = next(problems(cnn, images, labels, [split], 16, augmented=group))
    equivariant, plain = (next(problems(kernel, images, labels, [split], 16)) for kernel in (gcnn, cnn))
    sizes, regularisers = [6, 15, 30], [1e-4, 1e-2, 1.0]
    # That nearly all accuracies agree could be chance; predictions to ten digits could not.
    for size in sizes:
        order, targets = augmented.group.order, np.eye(2)[labels[split.train[:size]]] - 0.5
        matrix = all_copies(augmented.matrix[:, :size, :size], augmented.group)
        ridge = 1e-2 * np.trace(equivariant.matrix[0, :size, :size]) / size
        ours = augmented.cross[:, :, :size].reshape(30, -1) @ np.linalg.solve(
            matrix + order * ridge * np.eye(len(matrix)), np.tile(targets, (order, 1))
        )
        theirs = equivariant.cross[:, 0, :size] @ np.linalg.solve(
            equivariant.matrix[0, :size, :size] + ridge * np.eye(size), targets
        )
        np.testing.assert_allclose(ours, theirs, rtol=1e-9, atol=1e-10)
    found = [regression_accuracies(each, sizes, regularisers) for each in (augmented, equivariant, plain)]
    np.testing.assert_array_equal(found[0], found[1])
    assert np.abs(np.asarray(found[0]) - found[2]).max() > 0.02, "without copies the network predicts something else"


def test_an_equivariant_kernel_knows_turned_images():
    """Trained upright and tested turned: bright rows become columns, which only the group's kernel has seen."""
    images, labels = stripes(60)
    split = draw_split(60, Splits(train=(30,), validation=10, test=20), 0, 0)
    moved = images.copy()
    moved[split.test] = np.rot90(images[split.test], axes=(1, 2))
    gcnn = gcnn_kernel(group_from_name("C4"), cnn_kernel([1, 1], "mean", weight_std=1.4))
    upright, rotated = (next(problems(gcnn, each, labels, [split], 16)) for each in (images, moved))
    assert regression_accuracies(rotated, [30], [1e-3])[1] == regression_accuracies(upright, [30], [1e-3])[1]


def test_the_best_regulariser_on_validation_images_is_taken():
    validation = np.array([[0.5, 0.7, 0.6], [0.8, 0.8, 0.1], [0.3, 0.3, 0.3]])
    assert chosen_regularisers(validation).tolist() == [1, 1, 2]


def test_what_is_no_kernel_is_refused():
    images, labels = stripes(20)

    def no_kernel(first: np.ndarray, second: np.ndarray) -> Kernels:
        products = -first.reshape(len(first), -1) @ second.reshape(len(second), -1).T
        return Kernels(products, products)

    with pytest.raises(ConfigError, match="Gram matrix of 6 samples: expected eigenvalues of at least 0, found -"):
        regression_accuracies(
            problem_of(no_kernel, images, labels, Splits(train=(6,), validation=4, test=4)), [6], [1e-3]
        )


def test_pooled_images_are_means_of_boxes():
    images = np.arange(2 * 4 * 4).reshape(2, 4, 4, 1)
    np.testing.assert_array_equal(pooled(images, 2)[0, :, :, 0], [[2.5, 4.5], [10.5, 12.5]])


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"splits__train": [8, 4]}, r"splits.train: expected ascending numbers, found \[8, 4\]"),
        ({"regularisers": [0.1, 0.01]}, "regularisers: expected ascending"),
        ({"regularisers": [0.0]}, "greater than 0"),
        ({"splits__average_pool": 3}, "splits.average_pool: expected a divisor of 4 and 4, found 3"),
        ({"splits__test": 20}, "data.train.num: the splits need 34 images, found 30"),
        ({"data__shape": [4, 2, 1], "splits__turned": True}, "quarter turns need square images, found 4 x 2"),
        ({"arms__cnn__model__parametrisation": "pytorch"}, "arms.cnn.model: no infinite-width kernel"),
        ({"arms__cnn__augmented": "C8"}, "arms.cnn.augmented: Input should be 'C1', 'C2', 'C4' or 'D4' .found 'C8'"),
        (
            {"arms__cnn__augmented": "C4", "data__shape": [4, 2, 1]},
            "arms.cnn.augmented: copies need square images, found 4 x 2",
        ),
        (
            {"arms__cnn__model__family": "gcnn", "arms__cnn__model__group": "C4", "arms__cnn__augmented": "C4"},
            "arms.cnn.augmented: only networks of family 'cnn' are augmented here, found 'gcnn'",
        ),
    ],
)
def test_mistakes_are_refused(changes: dict[str, Any], words: str):
    with pytest.raises(ConfigError, match=words):
        validate(KernelRegressionExperiment, changed(**changes), "tiny.yaml")


def test_a_block_holds_its_splits_whatever_the_others_are():
    study = validate(KernelRegressionExperiment, CONTENT, "tiny.yaml")
    stage = study.stage("train", "cnn")
    images, labels = stripes(30)
    advanced: list[int] = []
    arrays = kernel_regression_arrays(stage, (0, 1), Samples(images, labels, None), advanced.append)
    assert arrays["accuracy"].values.shape == (2, 2) and advanced == [1, 1]
    alone = kernel_regression_arrays(stage, (1,), Samples(images, labels, None), advanced.append)
    np.testing.assert_array_equal(arrays["accuracy"].values[1:], alone["accuracy"].values)
    with pytest.raises(DataError, match="digits: kernel regression learns classes, but the data set has none"):
        kernel_regression_arrays(stage, (0,), Samples(images, None, None), advanced.append)


def test_too_little_memory_is_refused_before_anything_is_computed():
    stage = validate(KernelRegressionExperiment, CONTENT, "tiny.yaml").stage("train", "cnn")
    images, labels = stripes(30)
    advanced: list[int] = []
    with pytest.raises(ResourceError, match=r"kernels in tiles of 32 need .* may be used"):
        kernel_regression_arrays(stage, (0, 1), Samples(images, labels, None), advanced.append, memory_bytes=20_000)
    assert not advanced


def test_gains_are_taken_split_by_split(tmp_path: Path):
    """The same splits for both arms: their common scatter is not in the error of the gain."""
    generator = np.random.default_rng(0)
    common = generator.uniform(0.3, 0.7, (8, 2))
    blocks = {}
    for arm, gain in (("cnn", 0.0), ("gcnn", 0.1)):
        accuracy = common + gain
        arrays = {
            "members": Array(np.arange(8), ("member",)),
            "sizes": Array(np.array([4, 8]), ("size",)),
            "regularisers": Array(np.array([1e-3]), ("regulariser",)),
            "accuracy": Array(accuracy, ("member", "size")),
            "regulariser": Array(np.full((8, 2), 1e-3), ("member", "size")),
            "accuracy_by_regulariser": Array(accuracy[..., None], ("member", "size", "regulariser")),
        }
        blocks[arm] = [tmp_path / f"{arm}.h5"]
        storage.write(blocks[arm][0], stage="train", attributes={}, arrays=arrays, tables={})
    settings = SummaryStage(
        experiment="tiny", seed=0, kind="kernel_regression", title="t", label="l", num_members=8,
        arms=(ArmFacts(name="cnn", label="CNN"), ArmFacts(name="gcnn", label="GCNN", compare_to="cnn")),
    )  # fmt: skip
    tables = summarise_kernel_regression(settings, blocks, {})
    quantities = tables["quantities"].set_index("name")
    assert quantities.at["gain/gcnn/4", "value"] == pytest.approx(0.1)
    assert quantities.at["gain/gcnn/4", "stderr"] < 1e-12 < quantities.at["accuracy/gcnn/4", "stderr"]
    assert list(tables["learning"].columns) == ["arm", "size", "mean", "std", "num", "regulariser"]
    laws = tables["laws"].set_index("arm")
    assert laws.at["gcnn", "exponent"] == pytest.approx(
        np.log((0.9 - common[:, 1]).mean() / (0.9 - common[:, 0]).mean()) / np.log(2)
    )
    assert quantities.at["exponent/cnn", "stderr"] > 0 and "equal_samples/cnn" not in quantities.index


def test_power_laws_are_found_with_the_right_errors():
    """Exact laws exactly; of noisy ones the errors are the scatter of the estimates over data sets."""
    sizes = [16, 32, 64, 128]
    exact = np.tile(0.8 * (np.array(sizes) / 32) ** -0.3, (4, 1))
    law = power_law(sizes, exact)
    assert (law.exponent.value, law.exponent.stderr) == pytest.approx((-0.3, 0.0), abs=1e-12)
    assert law.level.value == pytest.approx(0.8 * (law.centre / 32) ** -0.3)
    # Twice the samples for the same error: shifted along the sizes.
    assert equal_samples(sizes, exact, exact * 2**0.3).value == pytest.approx(2.0)
    assert equal_samples(sizes, exact, exact).value == pytest.approx(1.0)
    generator, found, stated = np.random.default_rng(0), [], []
    for _ in range(400):
        common = generator.normal(size=(10, 1))
        noisy = exact[0] * np.exp(0.1 * (common + generator.normal(size=(10, 4))))
        other = 1.2 * exact[0] * np.exp(0.1 * (common + generator.normal(size=(10, 4))))
        estimates = power_law(sizes, noisy).exponent, equal_samples(sizes, noisy, other)
        found.append([one.value for one in estimates])
        stated.append([one.stderr for one in estimates])
    ratio = np.sqrt(np.mean(np.square(stated), 0)) / np.std(found, 0)
    # A spread over 400 is known to 3.5 %; the jackknife of ten repeats is a little too large.
    assert (ratio > 0.9).all() and (ratio < 1.2).all(), ratio
    with pytest.raises(ValueError, match="at least two sizes"):
        power_law([8, 8], exact[:, :2])

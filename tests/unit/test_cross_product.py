"""Cross products of vector pairs: the data, the experiment, and one block of it from data to metrics."""

from pathlib import Path

import numpy as np
import pytest

from emergent import storage
from emergent.config.datasets import load_registry
from emergent.config.generators import CrossProductOptions
from emergent.config.stages import EvaluateStage, TrainStage
from emergent.config.study import SCALES
from emergent.datasets.cross_product import prepare
from emergent.domains.registry import orbit_sets, training_data
from emergent.evaluation.orbits import evaluate_block
from emergent.kinds import load_experiment
from emergent.point_groups import group_from_name
from emergent.training.engine import train_block

CONFIG = Path(__file__).parents[2] / "config"
OPTIONS = CrossProductOptions(num_train=400, num_test=32, num_ood=400, half_width=1.5, seed=3)


def values(options: CrossProductOptions) -> dict[str, np.ndarray]:
    return {name: array.values for name, array in prepare(Path("unused"), options).items()}


def test_products_turn_with_their_vectors() -> None:
    found = values(OPTIONS)
    assert {name: array.shape for name, array in found.items()} == {
        "train/inputs": (400, 2, 3),
        "train/targets": (400, 3),
        "test/inputs": (32, 2, 3),
        "test/targets": (32, 3),
        "ood/inputs": (400, 2, 3),
        "ood/targets": (400, 3),
    }
    inputs, targets = found["test/inputs"].astype(np.float64), found["test/targets"]
    # Orthogonal to both factors, right-handed, and as long as the parallelogram is large.
    np.testing.assert_allclose(np.einsum("nvi,ni->nv", inputs, targets), 0, atol=1e-5)
    gram = np.einsum("nvi,nwi->nvw", inputs, inputs)
    np.testing.assert_allclose(np.square(targets).sum(1), np.linalg.det(gram), rtol=1e-4, atol=1e-5)
    for matrix in group_from_name("octahedral").matrices[[1, 5, 11]]:
        turned = inputs @ matrix.T
        np.testing.assert_allclose(np.cross(turned[:, 0], turned[:, 1]), targets @ matrix.T, atol=1e-5)


def test_distributions_of_the_splits() -> None:
    found = values(OPTIONS)
    normal, cube = found["train/inputs"], found["ood/inputs"]
    # 2400 components: standard errors 0.02 of the mean, 0.029 of the variance; 4 of them.
    assert abs(normal.mean()) < 0.082 and abs(normal.var() - 1) < 0.12
    assert np.abs(cube).max() <= 1.5 and np.abs(cube).max() > 1.49
    np.testing.assert_allclose(cube.var(), 1.5**2 / 3, rtol=0.1)
    assert np.abs(normal).max() > 2.5


def test_more_pairs_begin_with_fewer_and_splits_do_not_depend_on_each_other() -> None:
    few, many = values(OPTIONS), values(OPTIONS.model_copy(update={"num_train": 500}))
    np.testing.assert_array_equal(many["train/inputs"][:400], few["train/inputs"])
    np.testing.assert_array_equal(many["test/inputs"], few["test/inputs"])
    assert not np.array_equal(values(OPTIONS.model_copy(update={"seed": 4}))["test/inputs"], few["test/inputs"])
    assert not np.array_equal(few["train/inputs"][:32], few["test/inputs"])


@pytest.mark.parametrize("scale", SCALES)
def test_every_scale_is_valid_and_its_splits_exist(scale: str) -> None:
    study = load_experiment(CONFIG / "experiments", "cross_product", scale)
    splits = load_registry(CONFIG / "datasets.yaml").entry("cross_product").splits
    assert {split for _, split in study.splits_used()} == set(splits)


def test_one_block_from_data_to_metrics(tmp_path: Path) -> None:
    """Training lowers the loss, and the ensemble is closer to equivariance than its members."""
    path = tmp_path / "prepared.h5"
    storage.write(path, stage="prepare", attributes={}, arrays=prepare(Path("unused"), OPTIONS))
    study = load_experiment(CONFIG / "experiments", "cross_product", "smoke")
    arm = study.arm_names[0]
    train, evaluate = study.stage("train", arm), study.stage("evaluate", arm)
    assert isinstance(train, TrainStage) and isinstance(evaluate, EvaluateStage)
    data = training_data(train, {"cross_product": path})
    assert (data.num_samples, data.copies) == (64, 12)
    result = train_block(train, (0, 1, 2, 3), data, "members")
    assert (result.losses[-1] < 0.7 * result.losses[0]).all()
    sets = orbit_sets(evaluate, {"cross_product": path})
    assert {name: (part.rotations is not None) for name, part in sets.items()} == dict.fromkeys(sets, True)
    arrays = evaluate_block(evaluate, (result.parameters, (0, 1, 2, 3), result.epochs), sets)
    for name, part in sets.items():
        assert arrays[f"{name}/rotations"].values.shape == (8, 3, 3)
        np.testing.assert_array_equal(arrays[f"{name}/rotations"].values[0], np.eye(3))
        whole = arrays[f"{name}/runs"].values.tolist().index([0, 4])
        mean = arrays[f"{name}/sums"].values[whole, -1] / 4
        assert part.output_action is not None
        gap = np.square(mean - part.output_action.moved(mean[:, 0])).mean()
        assert 0 < gap < arrays[f"{name}/metric/orbit_mse"].values.mean()

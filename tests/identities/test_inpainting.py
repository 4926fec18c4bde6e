"""Networks of block-structured layers: their dense matrices, equivariance, holes, and training through the engine."""

from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from emergent.config.base import merge, read_yaml, validate
from emergent.config.domains import DataSelection
from emergent.config.inpainting import BlockNetwork, InpaintingExperiment, InpaintingStage
from emergent.domains.inpainting import Pool, draw_run, flipped, holes, stratified
from emergent.errors import ConfigError, DataError
from emergent.groups.blocks import block_pixels, draw_permutations, from_blocks, mirror, move, to_blocks
from emergent.models.block_network import BlockLinear, BlockNet, block_network, uniform_between
from emergent.training import inpainting
from emergent.training.inpainting import by_size, inpainting_arrays, relative_error, step_multiplications

CONTENT = read_yaml(Path(__file__).parents[2] / "config/experiments/inpainting_augmented.yaml")
SMOKE = CONTENT.pop("scales")["smoke"]


def experiment(**delta: Any) -> InpaintingExperiment:
    return validate(InpaintingExperiment, merge(merge(CONTENT, SMOKE), delta), "case")


def stage(arm: str, **delta: Any) -> InpaintingStage:
    found = experiment(**delta).stage("train", arm)
    assert isinstance(found, InpaintingStage)
    return found


def pool(num: int = 20, side: int = 8) -> Pool:
    generator = np.random.default_rng(0)
    waves = np.sin(generator.normal(size=(2 * num, 1)) + 0.3 * np.arange(side**2) * generator.normal(size=(2 * num, 1)))
    return Pool(waves[:num].astype(np.float32), waves[num:].astype(np.float32))


def dense(within: np.ndarray, across: np.ndarray, side: int, blocks: int) -> np.ndarray:
    """The matrix sum_a w_a 1_a + (1 / P) sum_ab v_ab 1_(a x b) of one pair of channels, literally, from b to a."""
    total = np.zeros((side**2, side**2))
    pixels = block_pixels(side, blocks)
    for a in range(blocks**2):
        total[pixels[a], pixels[a]] += within[a]
        for b in range(blocks**2):
            total[np.ix_(pixels[a], pixels[b])] += across[b, a] / side**2
    return total


@pytest.mark.parametrize("blocks", [1, 2, 3, 6])
@pytest.mark.parametrize("reflected", [False, True])
def test_layers_are_their_dense_matrices(blocks: int, reflected: bool) -> None:
    if reflected and blocks % 2:
        return
    side, channels, outputs = 6, 2, 3
    with jax.enable_x64(True):
        layer = BlockLinear(blocks, outputs, uniform_between(-1.0, 1.0), reflected)
        inputs = jax.random.normal(jax.random.key(1), (4, side**2, channels), jnp.float64)
        parameters = layer.init(jax.random.key(0), inputs)
        found = np.asarray(layer.apply(parameters, inputs))
    weights = {name: np.asarray(value) for name, value in parameters["params"].items()}
    within, across = weights["within"], weights["across"]
    assert within.dtype == np.float64
    if reflected:
        within = np.concatenate([within, within[:, ::-1]], 1)
        across = np.concatenate([across, across[:, ::-1, :, :, ::-1]], 1)
    within = within.reshape(blocks**2, channels, outputs)
    across = across.reshape(blocks**2, channels, blocks**2, outputs)
    expected = np.zeros((4, side**2, outputs))
    for i in range(channels):
        for o in range(outputs):
            expected[..., o] += np.asarray(inputs)[..., i] @ dense(within[:, i, o], across[:, i, :, o], side, blocks).T
    np.testing.assert_allclose(found, expected + weights["bias"], atol=1e-12)
    num = channels * outputs * (blocks**2 + blocks**4) // (2 if reflected else 1) + outputs
    assert sum(value.size for value in weights.values()) == num


@pytest.mark.parametrize("layers", [1, 2])
@pytest.mark.parametrize("blocks", [1, 2, 4])
def test_networks_commute_with_their_group_and_no_larger_one(layers: Any, blocks: int) -> None:
    with jax.enable_x64(True):
        net = BlockNet(BlockNetwork(layers=layers, channels=3), blocks)
        images = jax.random.normal(jax.random.key(0), (5, 64), jnp.float64)
        parameters = net.init(jax.random.key(1), images)

        def error(within: int) -> float:
            moved = draw_permutations(jax.random.key(2), 5, 8, within)
            outputs = np.asarray(net.apply(parameters, move(images, moved)))
            return relative_error(outputs, np.asarray(move(jnp.asarray(net.apply(parameters, images)), moved)))

        assert error(blocks) < 1e-13
        if blocks > 1:
            assert error(blocks // 2) > 1e-2


def test_mirrored_weights_commute_with_the_mirror() -> None:
    images = jax.random.normal(jax.random.key(0), (5, 64))
    for reflected in (True, False):
        net = BlockNet(BlockNetwork(layers=2, channels=3, reflected=reflected), 4)
        parameters = net.init(jax.random.key(1), images)
        turned = np.asarray(net.apply(parameters, mirror(images)))
        error = relative_error(turned, np.asarray(mirror(jnp.asarray(net.apply(parameters, images)))))
        assert (error < 1e-5) == reflected


@pytest.mark.parametrize("reflected", [False, True])
def test_relaxed_networks_start_as_the_network_of_the_group(reflected: bool) -> None:
    config = BlockNetwork(layers=2, channels=3, reflected=reflected, relaxed=True)
    with jax.enable_x64(True):
        net, alone = block_network(config, 2, 8), BlockNet(config, 2)
        images = jax.random.normal(jax.random.key(0), (5, 64), jnp.float64)
        own: Any = net.init(jax.random.key(1), images)["params"]
        np.testing.assert_array_equal(
            net.apply({"params": own}, images), alone.apply({"params": own["equivariant"]}, images)
        )
        moved = draw_permutations(jax.random.key(2), 5, 8, 2)

        def errors(share: float) -> tuple[float, float]:
            parameters = {"params": own | {"share": jnp.asarray(share)}}
            outputs = jnp.asarray(net.apply(parameters, images))
            turned = net.apply(parameters, move(images, moved)), net.apply(parameters, mirror(images))
            pairs = zip(turned, (move(outputs, moved), mirror(outputs)), strict=True)
            return tuple(relative_error(np.asarray(found), np.asarray(due)) for found, due in pairs)  # pyright: ignore

        start, later = errors(float(own["share"])), errors(0.3)
    assert start[0] < 1e-13 < 1e-2 < later[0]
    # The free network has no mirror either.
    assert (start[1] < 1e-13) == reflected and later[1] > 1e-2


def test_relaxed_networks_train_away_from_their_group() -> None:
    arm = {"layers": 2, "channels": 2, "blocks": [2], "relaxed": True}
    settings = stage("relaxed", train={"num_epochs": 30}, arms={"relaxed": arm}, measured=2, examples=2)
    found = inpainting_arrays(settings, [0], pool())
    assert found["start"].values.max() < 1e-5 < 1e-4 < found["asymmetry"].values.min()
    assert found["best_step"].values.min() > 0
    # The work is that of both networks.
    data = draw_run(pool(), settings.data, None, [1]).data
    plain = settings.network.model_copy(update={"relaxed": False})
    own, free = (step_multiplications(BlockNet(plain, blocks), data) for blocks in (2, 8))
    assert found["multiplications"].values.tolist() == [30 * (own + free)]


def test_blocks_there_and_back_and_permutations_within() -> None:
    images = jnp.arange(2 * 36.0).reshape(2, 36)
    for blocks in (1, 2, 3, 6):
        np.testing.assert_array_equal(from_blocks(to_blocks(images, blocks)), images)
        np.testing.assert_array_equal(to_blocks(images, blocks)[0], block_pixels(6, blocks))
        moved = np.asarray(draw_permutations(jax.random.key(0), 50, 6, blocks))
        assert (np.sort(moved, 1) == np.arange(36)).all()
        own = np.sort(np.asarray(to_blocks(jnp.asarray(moved), blocks)), -1)
        assert (own == block_pixels(6, blocks)).all()
    with pytest.raises(ValueError, match="divisor of the 6 pixels of a side, found 4"):
        block_pixels(6, 4)


def test_holes_are_squares_that_reach_no_last_corner() -> None:
    kept = holes(np.random.default_rng(0), 500, 8, 3).reshape(-1, 8, 8)
    assert ((~kept).sum((1, 2)) == 9).all()
    # Corners are from 0 to side - hole - 1: the last row and column are never hidden.
    assert kept[:, -1].all() and kept[:, :, -1].all()
    assert (~kept)[:, :7, :7].any(0).all()


def test_a_run_splits_masks_and_augments() -> None:
    settings = stage("augmented").data
    run = draw_run(pool(), settings, 4, [1])
    again = draw_run(pool(), settings, 4, [1])
    np.testing.assert_array_equal(run.test_inputs, again.test_inputs)
    assert run.data.images.shape[0] == 16 and run.data.validation_targets.shape[0] == 4
    inputs, targets = run.data.batch(None, jax.random.key(0))
    others = draw_run(pool(), settings, None, [1]).data.batch(None, jax.random.key(0))
    # Permutations move inputs and targets alike: what is seen is the target's pixel.
    seen = np.asarray(inputs) != 0
    np.testing.assert_array_equal(np.asarray(inputs)[seen], np.asarray(targets)[seen])
    assert not np.array_equal(targets, others[1])
    np.testing.assert_array_equal(np.sort(targets, 1), np.sort(others[1], 1))
    mirrored = np.asarray(flipped(others[1], jax.random.key(3)))
    kinds = [np.array_equal(a, b) for a, b in zip(mirrored, np.asarray(others[1]), strict=True)]
    assert 0 < sum(kinds) < len(kinds)


def test_classes_are_taken_in_equal_numbers(tmp_path: Path) -> None:
    labels = np.repeat(np.arange(4), [5, 50, 20, 9])
    chosen = stratified(tmp_path, labels, DataSelection(dataset="any", split="train", num=18))
    assert np.bincount(labels[chosen]).tolist() == [5, 5, 4, 4]
    with pytest.raises(DataError, match="5 samples of class 0, 6 are needed for 24"):
        stratified(tmp_path, labels, DataSelection(dataset="any", split="train", num=24))


def test_training_keeps_the_best_epoch_whatever_the_block() -> None:
    settings = stage(
        "two_layers", train={"num_epochs": 30}, arms={"two_layers": {"blocks": [2], "channels": 2}}, examples=2
    )
    both = inpainting_arrays(settings, [0, 1], pool())
    one = inpainting_arrays(settings, [1], pool())
    np.testing.assert_array_equal(both["error"].values[1:], one["error"].values)
    assert (both["best_step"].values > 0).all() and (both["best_step"].values <= 30).all()
    assert (both["start"].values < 1e-5).all()
    # A rate at which training only climbs: the start stays the best.
    wild = stage("two_layers", train={"num_epochs": 3, "learning_rate": 50.0}, arms={"two_layers": {"blocks": [2]}})
    assert inpainting_arrays(wild, [0], pool())["best_step"].values.max() == 0


def test_networks_that_do_not_commute_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = stage("two_layers", train={"num_epochs": 1}, arms={"two_layers": {"blocks": [2]}})
    # Permutations of a larger group than the one that is built in.
    monkeypatch.setattr(
        inpainting, "draw_permutations", lambda key, num, side, blocks: draw_permutations(key, num, side, 1)
    )
    with pytest.raises(DataError, match="arm two_layers, 2 blocks a side: expected a network that commutes"):
        inpainting_arrays(settings, [0], pool())


def test_ensembles_lose_what_their_members_do_not_share() -> None:
    generator = np.random.default_rng(0)
    noise = generator.normal(size=(4, 50, 64))
    targets = generator.normal(size=(50, 64))
    error, asymmetry = by_size(targets + noise, targets + generator.normal(size=(4, 50, 64)), targets)
    np.testing.assert_allclose(error, 1 / np.arange(1, 5), rtol=0.05)
    assert asymmetry[3] < 0.7 * asymmetry[0]


@pytest.mark.parametrize(
    ("delta", "message"),
    [
        (
            {"arms": {"two_layers": {"blocks": [1, 3]}}},
            r"two_layers\.blocks: expected divisors of the 8 pixels.*found 3",
        ),
        ({"arms": {"augmented": {"permuted": 5}}}, r"augmented\.permuted: expected divisors of the 8"),
        ({"measured": 5}, "measured: expected divisors of the 8"),
        (
            {"arms": {"two_layers": {"relaxed": True}}},
            r"two_layers\.relaxed: expected a group built in.*found the trivial group, of 8 blocks",
        ),
        ({"arms": {"augmented": {"relaxed": True}}}, r"augmented\.relaxed: .*found augmentation by permuted"),
        ({"arms": {"two_layers": {"reflected": True, "blocks": [1, 2]}}}, "mirrored blocks share weights.*found 1"),
        ({"data": {"hole": 8}}, "smaller than the image of 8 pixels, found 8"),
        ({"data": {"train": {"num": None}}}, "expected a number of images"),
    ],
)
def test_settings_that_cannot_be_are_refused(delta: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        experiment(**delta)

"""Nested grids and transformers with shifted windows: order, shifts, masks, and attention written out."""

from collections.abc import Iterator
from typing import Any

import healpix
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from emergent.config.base import validate
from emergent.config.swin import SwinNetwork
from emergent.errors import ConfigError
from emergent.groups.nested_grids import (
    healpix_points,
    neighbours_before,
    offsets,
    shift,
    side_of,
    square_order,
    square_places,
)
from emergent.models.swin import SwinBlock, SwinNet, WindowAttention

NETWORK: dict[str, Any] = {
    "family": "heal_swin", "nside": 4, "channels": 8, "depths": [2], "heads": [2], "window": 4, "shift": 1,
}  # fmt: skip


@pytest.fixture(autouse=True)
def double_precision() -> Iterator[None]:
    with jax.enable_x64(True):
        yield


def network(**delta: Any) -> SwinNetwork:
    return validate(SwinNetwork, NETWORK | delta, "tiny")


def double(parameters: Any) -> Any:
    return jax.tree.map(lambda leaf: leaf.astype(jnp.float64), parameters)


def test_cells_of_a_square_are_nested() -> None:
    np.testing.assert_array_equal(square_places(4), [[0, 0], [0, 1], [1, 0], [1, 1]])
    coarse, fine = square_places(16), square_places(64)
    np.testing.assert_array_equal(fine.reshape(16, 4, 2) // 2, np.repeat(coarse[:, None], 4, 1))
    np.testing.assert_array_equal(np.sort(square_order(8)), np.arange(64))


def test_cells_of_the_sphere_are_nested_and_of_equal_area() -> None:
    points, coarse = healpix_points(8), healpix_points(4)
    np.testing.assert_allclose(np.linalg.norm(points, axis=1), 1)
    np.testing.assert_allclose(points.mean(0), 0, atol=1e-12)
    # Four cells in a row lie about the one that they are merged into.
    middle = points.reshape(-1, 4, 3).mean(1)
    cosine = (middle * coarse).sum(1) / np.linalg.norm(middle, axis=1)
    assert np.degrees(np.arccos(np.clip(cosine, -1, 1))).max() < 2
    area = np.bincount(
        healpix.vec2pix(8, *np.random.default_rng(0).normal(size=(3, 400_000)), nest=True), minlength=768
    )
    assert area.std() / area.mean() < 1.2 / area.mean() ** 0.5


@pytest.mark.parametrize(("grid", "num"), [("healpix", 192), ("square", 64)])
def test_a_shift_is_a_permutation_with_a_way_back(grid: Any, num: int) -> None:
    moved, values = shift(grid, num, 2), np.arange(num)
    np.testing.assert_array_equal(np.sort(moved.order), values)
    np.testing.assert_array_equal(values[moved.order][moved.inverse], values)


def test_a_shift_on_the_square_moves_along_both_axes() -> None:
    image = np.arange(64).reshape(8, 8)
    nested = image.reshape(-1)[square_order(8)]
    moved = np.empty(64, int)
    moved[square_order(8)] = nested[shift("square", 64, 3).order]
    np.testing.assert_array_equal(moved.reshape(8, 8), np.roll(image, (-3, -3), (0, 1)))
    pieces = np.empty(64, int)
    pieces[square_order(8)] = shift("square", 64, 3).piece
    assert (pieces.reshape(8, 8)[:5, :5] == 0).all() and (pieces.reshape(8, 8)[5:, 5:] == 3).all()


def test_a_shift_on_the_sphere_moves_along_rings() -> None:
    points = healpix_points(4)
    moved = points[shift("healpix", 192, 2).order]
    belt = np.abs(points[:, 2]) < 0.6
    # On rings of equal length by two cells to the east, 1/8 of a turn; those that pass 0 go on in the next ring.
    stays = belt & (np.abs(moved[:, 2] - points[:, 2]) < 1e-9)
    assert stays.sum() > 0.8 * belt.sum()
    turn = np.angle((moved[:, 0] + 1j * moved[:, 1]) / (points[:, 0] + 1j * points[:, 1]))
    np.testing.assert_allclose(turn[stays], np.pi / 4, atol=1e-9)
    seen = neighbours_before("healpix", 192, 16, 2)
    assert 0 < (~seen).any((1, 2)).sum() <= 2 and seen[:, np.arange(16), np.arange(16)].all()


def test_offsets_within_a_window() -> None:
    table = offsets(16)
    assert len(np.unique(table)) == 49 and (np.diag(table) == 24).all()
    np.testing.assert_array_equal(table + table.T, 48)
    # Cells in a row of the window are one column apart everywhere.
    assert table[0, 1] == table[2, 3] == table[12, 13] == 23


@pytest.mark.parametrize("steps", [0, 1])
def test_attention_written_out(steps: int) -> None:
    cells = jax.random.normal(jax.random.key(0), (1, 48, 6), jnp.float64)
    layer = WindowAttention(2, 4, "healpix", steps)
    parameters = double(layer.init(jax.random.key(1), cells))
    given = {name: np.asarray(leaf) for name, leaf in parameters["params"].items() if not isinstance(leaf, dict)}
    linear = [parameters["params"][f"Linear_{index}"] for index in range(4)]
    moved, x = shift("healpix", 48, steps), np.asarray(cells[0])[shift("healpix", 48, steps).order]
    q, k, v = (x @ np.asarray(part["kernel"]) + np.asarray(part.get("bias", 0.0)) for part in linear[:3])
    out = np.zeros_like(x)
    for a in range(48):
        for head in range(2):
            own = slice(3 * head, 3 * head + 3)
            seen = [b for b in range(48) if b // 4 == a // 4 and moved.piece[a] == moved.piece[b]]
            logits = []
            for b in seen:
                cosine = q[a, own] @ k[b, own] / np.linalg.norm(q[a, own]) / np.linalg.norm(k[b, own])
                logits.append(cosine / given["temperature"][head] + given["bias"][head, offsets(4)[a % 4, b % 4]])
            weights = np.exp(logits) / np.exp(logits).sum()
            out[a, own] = weights @ v[seen][:, own]
    expected = (out @ np.asarray(linear[3]["kernel"]) + np.asarray(linear[3]["bias"]))[moved.inverse]
    np.testing.assert_allclose(np.asarray(layer.apply(parameters, cells))[0], expected, atol=1e-9)


def test_cells_see_their_window_and_after_a_shift_beyond() -> None:
    cells = jax.random.normal(jax.random.key(0), (1, 48, 6), jnp.float64)

    def reach(*steps: int) -> int:
        blocks = [SwinBlock(2, 4, "healpix", own, 2) for own in steps]
        parameters = [double(block.init(jax.random.key(1), cells)) for block in blocks]

        def one(values: jax.Array) -> jax.Array:
            for block, own in zip(blocks, parameters, strict=True):
                values = block.apply(own, values)  # pyright: ignore[reportAssignmentType]
            return values[0, 5] @ jnp.arange(6.0)

        return int((jnp.abs(jax.grad(one)(cells)).sum(-1) > 1e-12).sum())

    assert reach(0) == reach(0, 0) == 4 < reach(0, 1) <= 16


@pytest.mark.parametrize("family", ["heal_swin", "flat_swin"])
def test_networks_of_both_grids(family: str) -> None:
    given = network(family=family, nside=8 if family == "heal_swin" else None, depths=[2, 1], heads=[2, 4], channels=8)
    grid, num = ("healpix", (768,)) if family == "heal_swin" else ("square", (16, 16))
    net = SwinNet(given, 10, grid)  # pyright: ignore[reportArgumentType]
    images = jax.random.normal(jax.random.key(0), (3, *num, 1))
    parameters = net.init(jax.random.key(1), images)
    assert net.apply(parameters, images).shape == (3, 10)  # pyright: ignore[reportAttributeAccessIssue]
    # Both grids have the same parameters, those that are counted by hand.
    stages = [(8, 2, 2), (16, 4, 1)]
    of_block = {c: 4 * c * c + 3 * c + h + 9 * h + 4 * c + 8 * c * c + 5 * c for c, h, _ in stages}
    total = 4 * 8 + 8 + 16 + sum(of_block[c] * depth for c, _, depth in stages) + 32 * 16 + 32 + 32 + 16 * 10 + 10
    assert sum(leaf.size for leaf in jax.tree.leaves(parameters)) == total


@pytest.mark.parametrize(
    ("delta", "words"),
    [
        ({"nside": 6}, "expected squares with a side of a power of two (1, 2, 4, ...), found 6"),
        ({"window": 8}, "window: expected a power of four (4, 16, 64), a square of cells, found 8"),
        ({"window": 16}, "window: expected at most 4 cells, of a square of the last of 1 stages on a side of 4"),
        ({"heads": [3]}, "heads: expected divisors of the channels of each stage, found 3 for 8"),
        ({"heads": [2, 2]}, "heads: expected 1 numbers, as of depths, found 2"),
        ({"nside": None}, "nside: a setting of heal_swin, which needs one, and of no other"),
    ],
)
def test_bad_settings_are_refused(delta: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigError) as caught:
        network(**delta)
    assert words in str(caught.value)


def test_bad_grids_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"expected the cells of 12 squares of side 2\^k \(nside\), found 108 cells"):
        side_of("healpix", 108)
    with pytest.raises(ConfigError, match=r"nside: expected a power of two \(1, 2, 4, ...\), found 3"):
        healpix_points(3)

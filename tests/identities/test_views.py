"""Random views of images: those that change nothing or are index maps, colours of another library, ranges of draws."""

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import matplotlib.colors
import numpy as np

from emergent.config.contrastive import Views
from emergent.groups.views import View, draw_views, repeated, take_views


def plain(num: int, **changed: Any) -> View:
    ones = jnp.ones((num, 2))
    view = View(jnp.zeros(num), 0 * ones, ones, jnp.zeros(num, bool), jnp.ones((num, 3)), jnp.zeros(num),
                jnp.zeros(num, bool), jnp.zeros(num))  # fmt: skip
    return view._replace(**changed)


ALL = Views(
    rotation=90, flip=0.5, jitter=1.0, brightness=0.4, contrast=0.4, saturation=0.4, hue=0.1, grey=0.5, blur=0.5
)


take = jax.jit(partial(take_views, ALL))


def test_views_that_change_nothing_are_the_image_and_exact_ones_are_index_maps() -> None:
    pixels = jax.random.uniform(jax.random.key(0), (2, 6, 6, 3))
    np.testing.assert_allclose(take(pixels, plain(2)), pixels, atol=2e-6)
    turned = take(pixels, plain(2, angle=jnp.full(2, jnp.pi / 2)))
    np.testing.assert_allclose(turned, np.rot90(pixels, 1, (1, 2)), atol=1e-5)
    mirrored = take(pixels, plain(2, flip=jnp.ones(2, bool)))
    np.testing.assert_allclose(mirrored, pixels[:, :, ::-1], atol=2e-6)
    # The lower right quarter, enlarged: pixel centres of the part lie between those of the new image.
    ramp = jnp.broadcast_to(jnp.arange(6.0)[None, None, :, None] / 5, (2, 6, 6, 3))
    part = take_views(Views(fill="edge"), ramp, plain(2, extent=jnp.full((2, 2), 0.5), corner=jnp.full((2, 2), 0.5)))
    expected = np.minimum((3 + (np.arange(6) + 0.5) / 2 - 0.5) / 5, 1)
    np.testing.assert_allclose(part[0, 2, :, 1], expected, atol=1e-6)


def test_hue_is_that_of_another_library() -> None:
    pixels = jax.random.uniform(jax.random.key(1), (2, 5, 5, 3))
    found = take(pixels, plain(2, hue=jnp.full(2, 0.08)))
    expected = matplotlib.colors.rgb_to_hsv(np.asarray(pixels, np.float64))
    expected[..., 0] = (expected[..., 0] + 0.08) % 1
    np.testing.assert_allclose(found, matplotlib.colors.hsv_to_rgb(expected), atol=1e-5)


def test_one_view_is_the_same_map_for_all_images_of_a_part() -> None:
    drawn = draw_views(ALL, jax.random.key(2), 2)
    pixels = jax.random.uniform(jax.random.key(3), (4, 6, 6, 3))
    together = take(pixels, repeated(drawn, 2))
    exchanged = take(pixels, View(*(values[jnp.array([1, 0, 0, 1])] for values in drawn)))
    np.testing.assert_allclose(together[1], exchanged[1], atol=1e-6)
    np.testing.assert_allclose(together[3], exchanged[3], atol=1e-6)
    assert float(jnp.abs(together[0] - exchanged[0]).max()) > 0.05
    assert float(together.min()) >= 0 and float(together.max()) <= 1


def test_draws_stay_in_their_ranges() -> None:
    views = Views(rotation=30, area=(0.2, 0.5), ratio=(0.75, 1.3333), jitter=0.5, brightness=0.4, hue=0.1)
    drawn = draw_views(views, jax.random.key(4), 500)
    area = drawn.extent[:, 0] * drawn.extent[:, 1]
    assert 0.19 < float(area.min()) < 0.25 and 0.45 < float(area.max()) < 0.51
    assert float((drawn.corner + drawn.extent).max()) <= 1 + 1e-6
    assert float(jnp.abs(drawn.angle).max()) <= np.pi / 6
    unchanged = (drawn.factors == 1).all(1)
    assert 0.4 < float(unchanged.mean()) < 0.6
    assert not drawn.flip.any() and not drawn.blur.any() and not drawn.grey.any()

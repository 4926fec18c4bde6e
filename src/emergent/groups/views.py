"""Random views of images: turned, cut out and enlarged, mirrored, in other colours, blurred.

A view is a function of an image, and its draws are kept apart from its use: so one and the same view can be taken of
many images, and one view of another. Pixels lie between 0 and 1; colours change as in torchvision, whose order of
changes is random and here fixed: brightness, contrast, saturation, hue.
"""

import math
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax.scipy.ndimage import map_coordinates
from jaxtyping import Array, Bool, Float, PRNGKeyArray

from emergent.config.contrastive import Views

GREY = (0.2989, 0.587, 0.114)
"""Weights of red, green and blue in a grey value."""


class View(NamedTuple):
    """What was drawn, for each of N views.

    Attributes:
        angle: radians, counter-clockwise as seen.
        corner: of the part that is cut out, row and column in units of the side.
        extent: of that part, the same.
        flip: mirrored.
        factors: of brightness, contrast and saturation.
        hue: in turns.
        grey: without colours.
        blur: weight of each neighbour in units of the middle one; 0 for none.
    """

    angle: Float[Array, " N"]
    corner: Float[Array, "N 2"]
    extent: Float[Array, "N 2"]
    flip: Bool[Array, " N"]
    factors: Float[Array, "N 3"]
    hue: Float[Array, " N"]
    grey: Bool[Array, " N"]
    blur: Float[Array, " N"]


def draw_views(views: Views, key: PRNGKeyArray, num: int) -> View:
    """Returns independent random views."""
    keys = [jax.random.fold_in(key, index) for index in range(10)]
    largest = math.radians(views.rotation)
    angle = jax.random.uniform(keys[0], (num,), minval=-largest, maxval=largest)
    area = jax.random.uniform(keys[1], (num,), minval=views.area[0], maxval=views.area[1])
    low, high = (math.log(value) for value in views.ratio)
    ratio = jnp.exp(jax.random.uniform(keys[2], (num,), minval=low, maxval=high))
    # Where a part would be longer than the image it ends at its edge.
    extent = jnp.minimum(jnp.stack([jnp.sqrt(area / ratio), jnp.sqrt(area * ratio)], 1), 1.0)
    corner = jax.random.uniform(keys[3], (num, 2)) * (1 - extent)
    flip = jax.random.bernoulli(keys[4], views.flip, (num,))
    changed = jax.random.bernoulli(keys[5], views.jitter, (num,))
    widths = jnp.array([views.brightness, views.contrast, views.saturation])
    factors = 1 + widths[None] * jax.random.uniform(keys[6], (num, 3), minval=-1.0)
    hue = views.hue * jax.random.uniform(keys[7], (num,), minval=-1.0)
    grey = jax.random.bernoulli(keys[8], views.grey, (num,))
    blurred, width = jax.random.split(keys[9])
    std = jax.random.uniform(width, (num,), minval=views.blur_std[0], maxval=views.blur_std[1])
    blur = jnp.where(jax.random.bernoulli(blurred, views.blur, (num,)), jnp.exp(-0.5 / std**2), 0.0)
    return View(angle, corner, extent, flip, jnp.where(changed[:, None], factors, 1.0),
                jnp.where(changed, hue, 0.0), grey, blur)  # fmt: skip


def take_views(views: Views, images: Float[Array, "N H W C"], drawn: View) -> Float[Array, "N H W C"]:
    """Returns each image in its own view.

    Args:
        views: of which kind; what it leaves out is not computed.
        images: pixels between 0 and 1, as are those that come out.
        drawn: one view for each image.
    """
    moved = jax.vmap(partial(_resampled, fill=views.fill))(images, drawn)
    if views.jitter:
        moved = jax.vmap(_brightened)(moved, drawn.factors)
        if views.coloured:
            moved = jax.vmap(_coloured)(moved, drawn)
    if views.grey:
        moved = jnp.where(drawn.grey[:, None, None, None], _grey(moved), moved)
    return jax.vmap(_blurred)(moved, drawn.blur) if views.blur else moved


def repeated(drawn: View, times: int) -> View:
    """Returns each view so many times in a row, so that neighbouring images share it."""
    return View(*(jnp.repeat(values, times, 0) for values in drawn))


def _resampled(image: Float[Array, "H W C"], view: View, fill: str) -> Float[Array, "H W C"]:
    """Returns an image turned, of which a part is cut out, enlarged and perhaps mirrored; bilinear."""
    height, width, _ = image.shape
    down, right = ((jnp.arange(side) + 0.5) / side for side in (height, width))
    right = jnp.where(view.flip, 1 - right, right)
    y = (view.corner[0] + view.extent[0] * down)[:, None] * height - height / 2
    x = (view.corner[1] + view.extent[1] * right)[None, :] * width - width / 2
    cosine, sine = jnp.cos(view.angle), jnp.sin(view.angle)
    # Rows count downwards: the value at a place comes from where the inverse rotation leads.
    rows = cosine * y + sine * x + (height - 1) / 2
    columns = cosine * x - sine * y + (width - 1) / 2
    mode = "nearest" if fill == "edge" else "constant"
    sample = partial(map_coordinates, coordinates=[rows, columns], order=1, mode=mode)
    return jax.vmap(sample, -1, -1)(image)


def _grey(images: Float[Array, "*N H W C"]) -> Float[Array, "*N H W C"]:
    """Returns grey values in all channels."""
    if images.shape[-1] != len(GREY):
        return images
    return jnp.broadcast_to((images @ jnp.asarray(GREY, images.dtype))[..., None], images.shape)


def _brightened(image: Float[Array, "H W C"], factors: Float[Array, "3"]) -> Float[Array, "H W C"]:
    """Returns an image with another brightness and contrast."""
    image = jnp.clip(factors[0] * image, 0, 1)
    middle = _grey(image).mean()
    return jnp.clip(middle + factors[1] * (image - middle), 0, 1)


def _coloured(image: Float[Array, "H W 3"], view: View) -> Float[Array, "H W 3"]:
    """Returns an image with another saturation and hue."""
    middle = _grey(image)
    image = jnp.clip(middle + view.factors[2] * (image - middle), 0, 1)
    high, low = image.max(-1), image.min(-1)
    chroma = high - low
    red, green, blue = (image[..., channel] for channel in range(3))
    sector = jnp.where(high == red, (green - blue) / jnp.where(chroma > 0, chroma, 1) % 6,
                       jnp.where(high == green, (blue - red) / jnp.where(chroma > 0, chroma, 1) + 2,
                                 (red - green) / jnp.where(chroma > 0, chroma, 1) + 4))  # fmt: skip
    # From hue, chroma and the largest channel back: each channel falls from it by the chroma, away from its own hue.
    place = (jnp.array([[[5.0, 3.0, 1.0]]]) + (sector + 6 * view.hue)[..., None]) % 6
    fallen = jnp.clip(jnp.minimum(place, 4 - place), 0, 1)
    return high[..., None] - chroma[..., None] * fallen


def _blurred(image: Float[Array, "H W C"], weight: Float[Array, ""]) -> Float[Array, "H W C"]:
    """Returns an image under a filter of three pixels each way, the image reflected at its edges."""
    total = 1 + 2 * weight
    padded = jnp.pad(image, ((1, 1), (0, 0), (0, 0)), "reflect")
    image = (weight * (padded[:-2] + padded[2:]) + padded[1:-1]) / total
    padded = jnp.pad(image, ((0, 0), (1, 1), (0, 0)), "reflect")
    return (weight * (padded[:, :-2] + padded[:, 2:]) + padded[:, 1:-1]) / total

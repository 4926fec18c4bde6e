"""Colour images to the grey, smaller ones that a grey-scale experiment needs."""

import numpy as np
from jaxtyping import Float32, UInt8
from PIL import Image

from emergent.config.datasets import ColourOptions

_LUMA = np.array([0.2989, 0.587, 0.114], np.float32)


def to_grey(image: UInt8[np.ndarray, "*shape 3"]) -> Float32[np.ndarray, "*shape"]:
    """Returns 0.2989 R + 0.587 G + 0.114 B (ITU-R BT.601), not rounded."""
    return image.astype(np.float32) @ _LUMA


def convert(images: UInt8[np.ndarray, "N H W 3"], options: ColourOptions) -> UInt8[np.ndarray, "N h w c"]:
    """Returns the images in the colours and at the resolution asked for.

    Grey values and resampling are computed in float32 and rounded once at the end.
    """
    unchanged = images.shape[1] == options.resolution
    if not options.grey and unchanged:
        return images
    channels = 1 if options.grey else 3
    result = np.empty((len(images), options.resolution, options.resolution, channels), np.uint8)
    for index, image in enumerate(images):
        planes = [_grey(image, options)] if options.grey else list(np.moveaxis(image.astype(np.float32), -1, 0))
        for channel, plane in enumerate(planes):
            resized = plane if unchanged else _resize(plane, options)
            # To 8 bits again; the released code of arXiv 2410.01452 keeps the fractions, at most half a grey level.
            result[index, :, :, channel] = np.rint(resized).clip(0, 255)
    return result


def _grey(image: np.ndarray, options: ColourOptions) -> np.ndarray:
    return to_grey(image) if options.weights == "luma" else image.astype(np.float32).mean(-1)


def _resize(plane: np.ndarray, options: ColourOptions) -> np.ndarray:
    size, edge = options.resolution, len(plane)
    if options.resizing == "crop":
        start = (edge - size) // 2
        return plane[start : start + size, start : start + size]
    picture = Image.fromarray(plane)
    if options.resizing == "antialiased":
        # The triangle of the interpolation is as much wider as the image becomes smaller.
        return np.asarray(picture.resize((size, size), Image.Resampling.BILINEAR))
    step = edge / size
    matrix = (step, 0, 0, 0, step, 0)
    return np.asarray(picture.transform((size, size), Image.Transform.AFFINE, matrix, Image.Resampling.BILINEAR))

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

    Resampling is bilinear with the triangle widened by the
    shrink factor (antialiased), done in float32 and rounded once at the end.
    """
    unchanged = images.shape[1] == options.resolution
    if not options.grey and unchanged:
        return images
    channels = 1 if options.grey else 3
    result = np.empty((len(images), options.resolution, options.resolution, channels), np.uint8)
    for index, image in enumerate(images):
        planes = [to_grey(image)] if options.grey else list(np.moveaxis(image.astype(np.float32), -1, 0))
        for channel, plane in enumerate(planes):
            resized = plane if unchanged else _resize(plane, options.resolution)
            # To 8 bits again; the released code of arXiv 2410.01452 keeps the fractions, at most half a grey level.
            result[index, :, :, channel] = np.rint(resized).clip(0, 255)
    return result


def _resize(plane: np.ndarray, resolution: int) -> np.ndarray:
    return np.asarray(Image.fromarray(plane).resize((resolution, resolution), Image.Resampling.BILINEAR))

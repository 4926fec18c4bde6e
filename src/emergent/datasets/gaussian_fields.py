"""Band-limited Gaussian random fields: the out-of-distribution images of the papers.

Output: one split ``test`` of float32 images without labels. Per channel x = a irfft2(C, s=(H, W)) with
C[0:b, 0:b] iid complex Gaussian, E|C|^2 = 1, and zero elsewhere. Only one quadrant of wave vectors occurs, so that the
fields are striped along one diagonal and a rotation changes them strongly.

References:
    arXiv:2406.06504 and arXiv:2403.03103: out-of-distribution samples. Amplitude and normalisation are not published.
"""

from pathlib import Path

import numpy as np
from jaxtyping import Float

from emergent.config.generators import GaussianFieldOptions
from emergent.storage import Array


def prepare(raw: Path, options: GaussianFieldOptions) -> dict[str, Array]:
    """Returns test fields [N, H, W, C] float32."""
    fields = sample_fields(options).astype(np.float32)
    return {"test/inputs": Array(fields, ("sample", "height", "width", "channel"), "1", "Gaussian random fields")}


def sample_fields(options: GaussianFieldOptions) -> Float[np.ndarray, "N H W C"]:
    """Returns the fields in float64; the first n do not depend on how many are drawn.

    With ``scale`` each image is shifted and stretched to that mean and standard deviation over all its pixels and
    channels; the constant term of the field is lost then.
    """
    height, width, block = options.height, options.width, options.block
    generator = np.random.default_rng(options.seed)
    parts = generator.standard_normal((options.num, options.channels, block, block, 2)) / np.sqrt(2)
    spectrum = np.zeros((options.num, options.channels, height, width // 2 + 1), np.complex128)
    spectrum[:, :, :block, :block] = parts[..., 0] + 1j * parts[..., 1]
    # All columns but the first count twice, for their mirror images too: as in the published images, in which the first
    # has half the amplitude.
    norm = "backward" if options.amplitude is None else "forward"
    fields = np.fft.irfft2(spectrum, s=(height, width), axes=(2, 3), norm=norm).transpose(0, 2, 3, 1)
    if options.amplitude is not None:
        return options.amplitude * fields
    if options.scale is None:
        return fields
    mean, std = options.scale
    found = fields.std(axis=(1, 2, 3), keepdims=True)
    return mean + std * (fields - fields.mean(axis=(1, 2, 3), keepdims=True)) / found

"""Pictures inside the page: the same pixels in less space, small ones for lists, and words for who cannot see them."""

import base64
import io
import re
from dataclasses import dataclass
from functools import cached_property

from PIL import Image, UnidentifiedImageError

from emergent.config.figure_kinds import Entry
from emergent.errors import DataError

SMALL = (320, 200)
"""Largest width and height of a small picture, in pixels: twice what is shown, for screens of many pixels."""
MOST_WORDS = 60
"""Longest text in place of a picture, in words."""


@dataclass(frozen=True)
class Picture:
    """An image with what a page says about it.

    Attributes:
        content: bytes of the file.
        kind: its media type.
        width: in pixels.
        height: in pixels.
        alt: text in its place.
        small: bytes of a small one (WebP).
    """

    content: bytes
    kind: str
    width: int
    height: int
    alt: str
    small: bytes

    @cached_property
    def src(self) -> str:
        """The image as an address that holds it."""
        return data_uri(self.kind, self.content)

    @cached_property
    def small_src(self) -> str:
        """The small image as an address that holds it."""
        return data_uri("image/webp", self.small)


def data_uri(kind: str, content: bytes) -> str:
    """Returns an address that holds the content itself."""
    return f"data:{kind};base64,{base64.b64encode(content).decode('ascii')}"


def embedded(content: bytes, alt: str, name: str) -> Picture:
    """Returns a picture for the page: still ones as lossless WebP, which takes less than half of a PNG.

    Args:
        content: bytes of a PNG or GIF file.
        alt: text in its place.
        name: of the file, for messages.

    Raises:
        DataError: the bytes are no image.
    """
    try:
        with Image.open(io.BytesIO(content)) as image:
            moves = bool(getattr(image, "is_animated", False))
            width, height = image.size
            still = image.convert("RGB")
    except (UnidentifiedImageError, OSError) as error:
        raise DataError(f"{name}: expected a picture ({error}); make it again.") from None
    small = still.copy()
    small.thumbnail(SMALL, Image.Resampling.LANCZOS)
    shown, kind = (content, "image/gif") if moves else (_webp(still, lossless=True, quality=30, method=3), "image/webp")
    return Picture(shown, kind, width, height, alt, _webp(small, quality=82, method=6))


def _webp(image: Image.Image, **options: float) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "WEBP", **options)
    return buffer.getvalue()


def alternative(entry: Entry, caption: str) -> str:
    """Returns a text in place of a figure: what it shows, and the first sentences of its caption."""
    words: list[str] = []
    for sentence in re.split(r"(?<=[.;]) +", caption):
        if words and len(words) + len(sentence.split()) > MOST_WORDS:
            break
        words += sentence.split()
    return f"{entry.title}. {' '.join(words[:MOST_WORDS])}"

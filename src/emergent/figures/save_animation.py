"""Writes animations: a GIF that begins again, the same bytes at each run."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from PIL import Image

from emergent.atomic import atomic_path
from emergent.figures import style
from emergent.figures.drawing import Animation

DPI = 120
# Milliseconds of a frame, of one that stays for longer, and of the last one.
SHORT, LONG, LAST = 130, 1100, 3000
COLORS = 64


def save_animation(animation: Animation, path: Path, on_frame: Callable[[int], None] | None = None) -> None:
    """Writes all frames, with one palette.

    Args:
        animation: drawn but not saved.
        path: of the GIF.
        on_frame: called with 1 after each frame.
    """
    images = []
    with style.context():
        animation.figure.set_dpi(DPI)
        canvas = FigureCanvasAgg(animation.figure)
        # The layout is solved once and then kept: solved anew for each frame, the axes would jump.
        if (engine := animation.figure.get_layout_engine()) is not None:
            engine.execute(animation.figure)
        animation.figure.set_layout_engine(None)
        for frame in animation.frames:
            animation.show(frame)
            canvas.draw()
            images.append(Image.fromarray(np.asarray(canvas.buffer_rgba())).convert("RGB"))
            if on_frame:
                on_frame(1)
    # One palette for all: with a palette each, colours of what stands still would flicker.
    palette = images[-1].quantize(COLORS)
    flat = [image.quantize(palette=palette, dither=Image.Dither.NONE) for image in images]
    # The background was rounded like all colours; on a white page it would show.
    background = flat[0].getpixel((0, 0))
    assert isinstance(background, int)
    for image in flat:
        colors = image.getpalette() or []
        colors[3 * background : 3 * background + 3] = [255, 255, 255]
        image.putpalette(colors)
    durations = [LONG if frame in animation.lasting else SHORT for frame in animation.frames]
    durations[-1] = LAST
    with atomic_path(path) as temporary:
        flat[0].save(temporary, format="GIF", save_all=True, append_images=flat[1:], duration=durations, loop=0,
                     optimize=True)  # fmt: skip

"""Finished tiles of Gram matrices in files, so that a computation that is cut short goes on where it was.

A tile is one HDF5 file, written at once or not at all, whose name is a digest of what it depends on: settings, code,
inputs and its place. Tiles of other settings or inputs have other names, and are never read.
"""

import hashlib
import shutil
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from jaxtyping import Float

from emergent import storage
from emergent.errors import DataError
from emergent.kernels.functions import KernelFunction
from emergent.kernels.gram import Tiles
from emergent.storage import Array

STAGE = "tile"
# Inputs of the pairs that are timed before the work.
PROBED = 8


class TileStore:
    """A folder of tiles.

    Attributes:
        folder: made at the first tile.
        found: tiles that were read instead of computed.
    """

    def __init__(self, folder: Path, settings: str) -> None:
        """Keeps tiles in a folder, for one set of settings and one state of the code."""
        self.folder = folder
        self.found = 0
        self._settings = settings

    def of(self, name: str, *inputs: Float[np.ndarray, "N ..."]) -> Tiles:
        """Returns what keeps the tiles of one matrix.

        Args:
            name: of the matrix.
            inputs: that it is made of.
        """
        head = hashlib.sha256(f"{self._settings}\n{name}\n".encode())
        for part in inputs:
            head.update(np.ascontiguousarray(part).tobytes())

        def tile(place: str, make: Callable[[], Float[np.ndarray, "2 rows columns"]]) -> np.ndarray:
            digest = head.copy()
            digest.update(place.encode())
            path = self.folder / f"{digest.hexdigest()[:32]}.h5"
            if path.exists():
                try:
                    values = storage.read_arrays(path, ["kernels"], STAGE)["kernels"]
                except DataError as error:
                    # Damaged by what cut the run short, or since: it is one tile.
                    print(f"{error} It is computed again.", file=sys.stderr)
                else:
                    self.found += 1
                    return values
            values = make()
            self.folder.mkdir(parents=True, exist_ok=True)
            array = Array(values, ("kernel", "row", "column"), "1", "NNGP and NTK")
            storage.write(path, stage=STAGE, attributes={"matrix": name, "place": place}, arrays={"kernels": array})
            return values

        return tile

    def announce(self, kernel: KernelFunction, inputs: Float[np.ndarray, "N ..."], pairs: int, num_bytes: int) -> None:
        """Prints how long the work takes and what memory it needs, before it begins.

        Args:
            kernel: which is timed on a few pairs.
            inputs: of which these are taken.
            pairs: in all.
            num_bytes: memory.
        """
        few = inputs[:PROBED]
        kernel(few, few)
        start = time.perf_counter()
        kernel(few, few)
        seconds = (time.perf_counter() - start) / len(few) ** 2 * pairs
        kept = len(list(self.folder.glob("*.h5"))) if self.folder.exists() else 0
        again = f"; {kept} tiles of an earlier run are there" if kept else ""
        print(
            f"kernels of {pairs:,} pairs: about {_duration(seconds)}, {num_bytes / 2**30:.2g} GiB{again}",
            file=sys.stderr,
        )

    def remove(self) -> None:
        """Removes the folder, once the result is written."""
        shutil.rmtree(self.folder, ignore_errors=True)


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"

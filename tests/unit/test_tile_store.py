"""Tiles of Gram matrices outlive a run that is cut short, and are those of the same settings and inputs alone."""

import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from emergent.config.splits import Splits
from emergent.kernels.functions import Kernels
from emergent.kernels.gram import cross_gram, gram
from emergent.kernels.tile_store import TileStore
from emergent.prediction.kernel_regression import num_pairs, problems
from emergent.prediction.ridge import draw_split


class Counting:
    """A kernel that counts its calls, and stops after some of them as a killed process does."""

    def __init__(self, stop: int | None = None) -> None:
        self.calls = 0
        self.stop = stop

    def __call__(self, first: Any, second: Any) -> Kernels:
        if self.calls == self.stop:
            raise KeyboardInterrupt
        self.calls += 1
        product = np.asarray(first) @ np.asarray(second).T
        return Kernels(product, np.exp(product))


INPUTS = np.random.default_rng(0).normal(size=(40, 3))
SPLITS = [draw_split(40, Splits(train=(12,), validation=4, test=6), 0, member) for member in range(2)]


def found(store: TileStore | None, kernel: Counting) -> list[np.ndarray]:
    labels = np.arange(40) % 2
    return [part for problem in problems(kernel, INPUTS, labels, SPLITS, 5, store) for part in problem[:2]]


def test_a_run_goes_on_where_it_was_cut_short(tmp_path: Path):
    whole = Counting()
    undisturbed = found(None, whole)
    first, second = Counting(stop=7), Counting()
    with pytest.raises(KeyboardInterrupt):
        found(TileStore(tmp_path / "tiles", "settings"), first)
    kept = len(list((tmp_path / "tiles").glob("*.h5")))
    assert 0 < kept <= 7
    store = TileStore(tmp_path / "tiles", "settings")
    for ours, theirs in zip(found(store, second), undisturbed, strict=True):
        np.testing.assert_array_equal(ours, theirs)
    assert store.found == kept and second.calls == whole.calls - 7 + (7 - kept)
    store.remove()
    assert not (tmp_path / "tiles").exists()
    TileStore(tmp_path / "tiles", "settings").remove()


def test_tiles_of_other_settings_inputs_and_matrices_are_not_read(tmp_path: Path):
    kernel = Counting()
    gram(kernel, INPUTS, 20, TileStore(tmp_path, "settings").of("a", INPUTS))
    calls = kernel.calls
    for settings, name, inputs in (("others", "a", INPUTS), ("settings", "b", INPUTS), ("settings", "a", INPUTS + 1)):
        store = TileStore(tmp_path, settings)
        gram(kernel, inputs, 20, store.of(name, inputs))
        assert store.found == 0 and kernel.calls == 2 * calls
        kernel.calls = calls
    store = TileStore(tmp_path, "settings")
    again = gram(Counting(stop=0), INPUTS, 20, store.of("a", INPUTS))
    np.testing.assert_array_equal(again.ntk, gram(kernel, INPUTS, 20).ntk)
    # Another cut has other tiles, and a matrix of two sets too.
    for matrix in (gram(kernel, INPUTS, 13, store.of("a", INPUTS)),
                   cross_gram(kernel, INPUTS, INPUTS, 20, store.of("a", INPUTS, INPUTS))):  # fmt: skip
        np.testing.assert_allclose(matrix.ntk, again.ntk, rtol=1e-12)


def test_a_damaged_tile_is_computed_again(tmp_path: Path, capsys):
    kernel = Counting()
    before = gram(kernel, INPUTS, 20, TileStore(tmp_path, "settings").of("a", INPUTS))
    tiles = sorted(tmp_path.glob("*.h5"))
    tiles[0].write_bytes(tiles[0].read_bytes()[:300])
    store = TileStore(tmp_path, "settings")
    after = gram(kernel, INPUTS, 20, store.of("a", INPUTS))
    np.testing.assert_array_equal(before.ntk, after.ntk)
    assert store.found == len(tiles) - 1
    message = capsys.readouterr().err
    assert str(tiles[0]) in message and message.rstrip().endswith("It is computed again.")


def test_time_and_memory_are_said_before_the_work(tmp_path: Path, capsys):
    kernel = Counting()
    pairs = num_pairs(SPLITS)
    assert pairs == sum(12 * 13 // 2 + 10 * 12 for _ in SPLITS)
    store = TileStore(tmp_path, "settings")
    store.announce(kernel, INPUTS, pairs, 2**30)
    assert "kernels of 396 pairs: about 0 s, 1 GiB\n" in capsys.readouterr().err
    gram(kernel, INPUTS, 20, store.of("a", INPUTS))
    store.announce(kernel, INPUTS, 10**15, 2**31)
    assert " h, 2 GiB; 10 tiles of an earlier run are there" in capsys.readouterr().err


DYING = """
import os, signal, sys
from pathlib import Path
sys.path.insert(0, sys.argv[2])
from test_tile_store import Counting, found
from emergent.kernels.tile_store import TileStore
rename, written = os.replace, []
def replace(source, target):
    written.append(target)
    if len(written) == 4:
        os.kill(os.getpid(), signal.SIGKILL)
    rename(source, target)
os.replace = replace
found(TileStore(Path(sys.argv[1]), "settings"), Counting())
"""


def test_a_process_killed_while_it_writes_a_tile_loses_that_tile(tmp_path: Path):
    folder = tmp_path / "tiles"
    died = subprocess.run([sys.executable, "-c", DYING, str(folder), str(Path(__file__).parent)], check=False)
    assert died.returncode == -signal.SIGKILL
    assert len(list(folder.glob("*.h5"))) == 3
    assert len(list(folder.glob(".*.partial"))) == 1, "it was to leave half a file"
    store = TileStore(folder, "settings")
    for ours, theirs in zip(found(store, Counting()), found(None, Counting()), strict=True):
        np.testing.assert_array_equal(ours, theirs)
    assert store.found == 3
    assert not list(folder.glob(".*.partial"))

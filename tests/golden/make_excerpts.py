"""Makes the excerpts of official files that tests read where no mirror is named: first samples, in the same format.

    python tests/golden/make_excerpts.py MIRROR

Only of data sets whose licence lets a part be passed on (MNIST, Fashion-MNIST, the subset of QM9).
"""

import gzip
import sys
from pathlib import Path

import numpy as np

from emergent.config.datasets import load_registry
from emergent.datasets.download import mirror_candidates
from emergent.datasets.mnist import FILES, read_idx
from emergent.datasets.raw_files import load_npz

ROOT = Path(__file__).parents[2]
FOLDER = Path(__file__).parent / "excerpts"
NUM_IMAGES = {"train": 20, "test": 10}
NUM_MOLECULES = 20
QM9_ARRAYS = ("positions", "charges", "num_atoms", "U0_atomization_eV", "source")


def official(mirror: Path, dataset: str, name: str) -> Path:
    """Returns where a file of a data set lies below a mirror."""
    registry = load_registry(ROOT / "config/datasets.yaml")
    file = next(file for file in registry.entry(dataset).files if file.name == name)
    return next(path for path in mirror_candidates(dataset, file, mirror) if path.is_file())


def make(mirror: Path, folder: Path) -> None:
    """Writes all excerpts."""
    for dataset in ("mnist", "fashion_mnist"):
        for split, names in FILES.items():
            for name, rank in zip(names, (3, 1), strict=True):
                part = read_idx(official(mirror, dataset, name), rank)[: NUM_IMAGES[split]]
                header = bytes([0, 0, 8, rank]) + np.array(part.shape, ">u4").tobytes()
                target = folder / dataset / name
                target.parent.mkdir(parents=True, exist_ok=True)
                # Without a time, so that equal contents are equal bytes.
                target.write_bytes(gzip.compress(header + part.tobytes(), mtime=0))
    path = official(mirror, "qm9_subset", "qm9_subset_1084.npz")
    content = load_npz(path, QM9_ARRAYS)
    # The first ones of either source.
    chosen = np.concatenate([np.flatnonzero(content["source"] == source)[:NUM_MOLECULES] for source in (0, 1)])
    arrays = {name: values[chosen] for name, values in content.items()}
    (folder / "qm9_subset").mkdir(parents=True, exist_ok=True)
    np.savez_compressed(folder / "qm9_subset" / path.name, **arrays)


if __name__ == "__main__":
    make(Path(sys.argv[1]), FOLDER)

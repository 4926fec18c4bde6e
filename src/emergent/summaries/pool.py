"""All evaluated members of one arm, put together from the files of their blocks."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path

import h5py
import numpy as np
from jaxtyping import Float

from emergent import storage
from emergent.config.stages import SummaryStage
from emergent.errors import DataError
from emergent.statistics.ensembles import Run, disjoint_ensembles, ensemble_mean
from emergent.summaries.files import Blocks, in_order

STAGE = "evaluate"


class MemberPool:
    """Read access to the evaluation of one arm.

    Attributes:
        num_members: M.
        epochs: [E] checkpoint epochs, ascending.
    """

    def __init__(self, arm: str, paths: Sequence[Path], num_members: int) -> None:
        """Looks into the files of an arm's blocks.

        Raises:
            DataError: a file is missing or truncated, members are missing or doubled, or blocks were evaluated at
                other epochs than others.
        """
        blocks = in_order(arm, paths, STAGE, num_members)
        self._paths = [path for path, _, _ in blocks]
        self._borders = [first for _, first, _ in blocks] + [blocks[-1][2]]
        self.num_members = num_members
        epochs = [storage.read_arrays(path, ["epochs"], STAGE)["epochs"] for path in self._paths]
        self.epochs = epochs[0]
        for path, own in zip(self._paths, epochs, strict=True):
            if not np.array_equal(own, self.epochs):
                raise DataError(
                    f"{path}: epochs {own.tolist()}, but {self._paths[0]} has {self.epochs.tolist()}; the blocks of "
                    "an arm must be trained alike: make them again."
                )

    @property
    def num_parameters(self) -> int:
        """Returns the parameters of one member."""
        return int(storage.read_arrays(self._paths[0], ["num_parameters"], STAGE)["num_parameters"][0])

    def costs(self) -> dict[str, int]:
        """Returns what one network costs, see ``emergent.evaluation.costs``; nothing where it was not stored."""
        with storage.open_file(self._paths[0], STAGE) as file:
            names = list(file["costs"]) if "costs" in file else []
            return {name: int(storage.read_array(file, f"costs/{name}")[0]) for name in names}

    def metric(self, data: str, name: str) -> np.ndarray:
        """Returns one metric [M, E, N] of all members on one evaluation set."""
        key = f"{data}/metric/{name}"
        return np.concatenate([storage.read_arrays(path, [key], STAGE)[key] for path in self._paths])

    def has_metric(self, data: str, name: str) -> bool:
        """Returns whether a metric was computed on an evaluation set (accuracy needs labels)."""
        with storage.open_file(self._paths[0], STAGE) as file:
            return f"{data}/metric/{name}" in file

    def labels(self, data: str) -> np.ndarray:
        """Returns the labels [N] of an evaluation set."""
        return storage.read_arrays(self._paths[0], [f"{data}/labels"], STAGE)[f"{data}/labels"]

    def ensembles(self, data: str, size: int, max_ensembles: int) -> Iterator[Float[np.ndarray, "E N G K"]]:
        """Yields the mean outputs, in float64, of the disjoint ensembles of one size, in order."""
        locations: dict[tuple[int, int], tuple[h5py.Dataset, int]] = {}
        with ExitStack() as stack:
            for path in self._paths:
                file = stack.enter_context(storage.open_file(path, STAGE))
                for row, run in enumerate(storage.read_array(file, f"{data}/runs")):
                    # Not read yet: sums of all runs of a pool together may not fit into memory.
                    locations[int(run[0]), int(run[1])] = (file[f"{data}/sums"], row)
            for ensemble in disjoint_ensembles(size, self.num_members, max_ensembles):
                inside = {
                    run: dataset[row]
                    for run, (dataset, row) in locations.items()
                    if ensemble[0] <= run[0] and run[1] <= ensemble[1]
                }
                yield ensemble_mean(ensemble, inside, self._borders)

    def mean(self, data: str) -> Float[np.ndarray, "E N G K"]:
        """Returns the mean outputs of all members, in float64, where the sums of whole blocks were stored."""
        return ensemble_mean((0, self.num_members), dict(self._block_sums(data)), self._borders)

    def means_of_blocks(
        self, data: str, index: int, parts: Sequence[Float[np.ndarray, "A B"]]
    ) -> Iterator[Float[np.ndarray, "A N G K"]]:
        """Yields the mean outputs of all members of some blocks, in float64, at one checkpoint.

        Args:
            data: the evaluation set.
            index: position of the checkpoint.
            parts: weights of the blocks, whose means are given together; blocks whose weight is not 0 are one ensemble.
        """
        blocks = list(self._block_sums(data, index))
        sizes = np.array([stop - first for (first, stop), _ in blocks])
        sums = np.stack([block for _, block in blocks]).astype(np.float64)
        for weights in parts:
            chosen = (weights != 0).astype(np.float64)
            yield np.tensordot(chosen / (chosen @ sizes)[:, None], sums, 1)

    @property
    def num_blocks(self) -> int:
        """Returns the number of blocks."""
        return len(self._paths)

    def _block_sums(self, data: str, index: int | slice = slice(None)) -> Iterator[tuple[Run, np.ndarray]]:
        """Yields the members of each block and their summed outputs at one checkpoint, or at all."""
        for path, first, stop in zip(self._paths, self._borders[:-1], self._borders[1:], strict=True):
            with storage.open_file(path, STAGE) as file:
                runs = [(int(start), int(end)) for start, end in storage.read_array(file, f"{data}/runs")]
                if (first, stop) in runs:
                    yield (first, stop), file[f"{data}/sums"][runs.index((first, stop)), index]

    def reader(self, data: str, epoch: int) -> tuple[Callable[[int, int], np.ndarray], int]:
        """Returns a function from first and last sample (excluded) to outputs [M, n, G, K], and the number of samples.

        Raises:
            DataError: the members' outputs at this epoch were not stored.
        """
        with storage.open_file(self._paths[0], STAGE) as file:
            if f"{data}/outputs" not in file:
                raise DataError(f"{self._paths[0]}: no outputs of members on {data!r}; evaluate the blocks again.")
            epochs = [int(stored) for stored in storage.read_array(file, f"{data}/output_epochs")]
            num_samples = file[f"{data}/outputs"].shape[2]
        if epoch not in epochs:
            raise DataError(f"{self._paths[0]}: outputs on {data!r} at epochs {epochs}, {epoch} was asked for.")
        index = epochs.index(epoch)

        def read(start: int, stop: int) -> np.ndarray:
            parts = []
            for path in self._paths:
                with storage.open_file(path, STAGE) as file:
                    parts.append(file[f"{data}/outputs"][:, index, start:stop])
            return np.concatenate(parts)

        return read, num_samples


def open_pools(settings: SummaryStage, blocks: Blocks) -> dict[str, MemberPool]:
    """Returns the evaluated members of every arm."""
    return {
        arm.name: MemberPool(arm.name, blocks[arm.name], arm.num_members or settings.num_members)
        for arm in settings.arms
    }

"""Evaluated blocks put together: the same members and ensembles whatever the blocks."""

from pathlib import Path

import h5py
import numpy as np
import pytest
from summary_cases import evaluated

from emergent import integrity, storage
from emergent.errors import DataError
from emergent.metrics.orbit import orbit_same_predictions
from emergent.statistics.ensembles import runs_in_block
from emergent.storage import Array
from emergent.summaries.pool import MemberPool

NUM_MEMBERS, SIZES, MAX_ENSEMBLES = 12, (1, 3, 5), 3
OUTPUTS = np.random.default_rng(0).normal(size=(3, NUM_MEMBERS, 4, 2, 5)).astype(np.float32)  # E M N G K
LABELS = np.array([0, 3, 1, 4], np.int32)
EPOCHS = np.array([0, 2, 4])


def write_block(
    folder: Path, first: int, stop: int, labels: np.ndarray | None = LABELS, epochs: np.ndarray | None = None
) -> Path:
    """An evaluated block of members whose only parameters are their outputs."""
    runs = [*runs_in_block(SIZES, MAX_ENSEMBLES, first, stop), (first, stop)]
    metrics = ("orbit_same_predictions", "correct")
    found = evaluated(OUTPUTS[:, first:stop], first, labels, metrics, runs, (0, 2))
    found["output_epochs"] = Array(EPOCHS[[0, 2]], ("output_epoch",))
    arrays = {f"test/{name}": value for name, value in found.items()} | {
        "members": Array(np.arange(first, stop), ("member",)),
        "epochs": Array(EPOCHS if epochs is None else epochs, ("epoch",)),
    }
    path = folder / f"members_{first:04d}-{stop - 1:04d}.h5"
    storage.write(path, stage="evaluate", attributes={}, arrays=arrays)
    return path


def write_blocks(folder: Path, block: int, num_members: int = NUM_MEMBERS) -> list[Path]:
    return [write_block(folder, first, min(first + block, num_members)) for first in range(0, num_members, block)]


@pytest.mark.parametrize("block", [1, 2, 5, 6, 7, 12])
def test_members_and_ensembles_do_not_depend_on_the_block_size(tmp_path: Path, block: int) -> None:
    pool = MemberPool("arm", write_blocks(tmp_path, block)[::-1], NUM_MEMBERS)
    assert pool.num_members == NUM_MEMBERS
    np.testing.assert_array_equal(pool.epochs, EPOCHS)
    np.testing.assert_array_equal(pool.labels("test"), LABELS)
    osp = pool.metric("test", "orbit_same_predictions")
    np.testing.assert_array_equal(osp, orbit_same_predictions(np.swapaxes(OUTPUTS, 0, 1)))
    accuracy = pool.metric("test", "correct")
    np.testing.assert_array_equal(accuracy, np.swapaxes(OUTPUTS[:, :, :, 0].argmax(-1) == LABELS, 0, 1))
    for size in SIZES:
        means = list(pool.ensembles("test", size, MAX_ENSEMBLES))
        assert len(means) == min(NUM_MEMBERS // size, MAX_ENSEMBLES)
        for k, mean in enumerate(means):
            expected = OUTPUTS[:, k * size : (k + 1) * size].mean(1, dtype=np.float64)
            np.testing.assert_allclose(mean, expected, rtol=1e-5, atol=1e-6)


def test_growing_the_pool_leaves_files_and_ensembles_of_earlier_blocks_unchanged(tmp_path: Path) -> None:
    paths = write_blocks(tmp_path, 3, 6)
    contents = [path.read_bytes() for path in paths]
    before = list(MemberPool("arm", paths, 6).ensembles("test", 3, MAX_ENSEMBLES))
    grown = write_blocks(tmp_path, 3, 12)
    assert [path.read_bytes() for path in grown[:2]] == contents
    after = list(MemberPool("arm", grown, 12).ensembles("test", 3, MAX_ENSEMBLES))
    assert len(before) == 2 and len(after) == 3
    for first, second in zip(before, after, strict=False):
        np.testing.assert_array_equal(first, second)


def test_fewer_ensembles_on_request_are_the_first_ones(tmp_path: Path) -> None:
    pool = MemberPool("arm", write_blocks(tmp_path, 4), NUM_MEMBERS)
    (only,) = pool.ensembles("test", 3, 1)
    np.testing.assert_allclose(only, OUTPUTS[:, :3].mean(1), rtol=1e-5, atol=1e-6)
    assert list(pool.ensembles("test", 20, MAX_ENSEMBLES)) == []


def test_set_without_labels_has_no_accuracy(tmp_path: Path) -> None:
    pool = MemberPool("arm", [write_block(tmp_path, 0, 12, labels=None)], NUM_MEMBERS)
    assert not pool.has_metric("test", "correct")
    assert pool.has_metric("test", "orbit_same_predictions")
    with pytest.raises(DataError, match=r"no array 'test/labels'. It holds: epochs, members, test/metric/"):
        pool.labels("test")


@pytest.mark.parametrize(
    ("blocks", "num_members"),
    [([(0, 4), (8, 12)], 12), ([(4, 8), (8, 12)], 12), ([(0, 4), (0, 4)], 8), ([(0, 6), (4, 12)], 12), ([(0, 4)], 12)],
    ids=["gap", "start", "double", "overlap", "end"],
)
def test_members_that_are_missing_or_doubled(tmp_path: Path, blocks: list, num_members: int) -> None:
    paths = [write_block(tmp_path / str(i), first, stop) for i, (first, stop) in enumerate(blocks)]
    with pytest.raises(DataError, match=rf"arm arm: expected members 0 to {num_members - 1} once each, found"):
        MemberPool("arm", paths, num_members)


def test_file_that_is_missing_truncated_or_of_another_stage(tmp_path: Path) -> None:
    paths = write_blocks(tmp_path, 6)
    with pytest.raises(DataError, match="no such file"):
        MemberPool("arm", [*paths, tmp_path / "members_0012-0017.h5"], 18)
    content = paths[1].read_bytes()
    paths[1].write_bytes(content[: len(content) // 2])
    with pytest.raises(DataError, match=r"members_0006-0011.h5: not a readable HDF5 file"):
        MemberPool("arm", paths, NUM_MEMBERS)
    storage.write(paths[1], stage="train", attributes={})
    with pytest.raises(DataError, match="expected a file of stage 'evaluate', found 'train'"):
        MemberPool("arm", paths, NUM_MEMBERS)


def test_blocks_that_were_trained_otherwise(tmp_path: Path) -> None:
    paths = [write_block(tmp_path, 0, 6), write_block(tmp_path, 6, 12, epochs=np.array([0, 2, 6]))]
    with pytest.raises(DataError, match=r"members_0006-0011.h5: epochs \[0, 2, 6\], but .* has \[0, 2, 4\]"):
        MemberPool("arm", paths, NUM_MEMBERS)


def test_files_of_another_schema_are_refused_whatever_is_read(tmp_path: Path) -> None:
    paths = write_blocks(tmp_path, 6)
    pool = MemberPool("arm", paths, NUM_MEMBERS)
    read, _ = pool.reader("test", 4)
    with h5py.File(paths[1], "r+") as file:
        file.attrs["schema_version"] = 99
    # As files were before they had a digest, which this one would not meet.
    paths[1].write_bytes(paths[1].read_bytes()[integrity.HEADER_BYTES :])
    for attempt in (lambda: next(pool.ensembles("test", 3, MAX_ENSEMBLES)), lambda: read(0, 1)):
        with pytest.raises(DataError, match="expected schema version 1, found 99"):
            attempt()


def test_blocks_evaluated_for_other_ensembles(tmp_path: Path) -> None:
    pool = MemberPool("arm", write_blocks(tmp_path, 4), NUM_MEMBERS)
    with pytest.raises(DataError, match="no stored sum; evaluate the blocks again"):
        next(pool.ensembles("test", 2, MAX_ENSEMBLES))


def test_more_than_ten_thousand_members(tmp_path: Path) -> None:
    def write_large(first: int, stop: int) -> Path:
        path = tmp_path / f"members_{first:04d}-{stop - 1:04d}.h5"
        arrays = {"members": Array(np.arange(first, stop), ("member",)), "epochs": Array(EPOCHS, ("epoch",))}
        storage.write(path, stage="evaluate", attributes={}, arrays=arrays)
        return path

    assert (
        MemberPool("arm", [write_large(first, first + 5000) for first in (0, 5000, 10000)], 15000).num_members == 15000
    )


@pytest.mark.parametrize("block", [2, 5, 12])
def test_mean_of_the_pool_and_outputs_of_its_members(tmp_path: Path, block: int) -> None:
    pool = MemberPool("arm", write_blocks(tmp_path, block), NUM_MEMBERS)
    np.testing.assert_allclose(pool.mean("test"), OUTPUTS.mean(1), rtol=1e-5, atol=1e-6)
    read, num_samples = pool.reader("test", 4)
    assert num_samples == OUTPUTS.shape[2]
    np.testing.assert_array_equal(read(1, 3), OUTPUTS[2, :, 1:3])


def test_outputs_that_were_not_kept(tmp_path: Path) -> None:
    pool = MemberPool("arm", write_blocks(tmp_path, 6), NUM_MEMBERS)
    with pytest.raises(DataError, match=r"at epochs \[0, 4\], 2 was asked for"):
        pool.reader("test", 2)

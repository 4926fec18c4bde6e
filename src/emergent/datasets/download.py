"""A verified file under its final name: from a mirror folder if there is one, else from the addresses in turn.

A file lies under its final name only after its size and digests agreed; until then it is ``<name>.part`` beside it.
"""

import logging
import os
import shutil
from pathlib import Path

from emergent.atomic import atomic_path
from emergent.config.downloads import RawFile
from emergent.datasets.transfer import Patience, transfer
from emergent.datasets.verify import find_mismatch
from emergent.errors import DataError

_LOG = logging.getLogger(__name__)


def fetch(
    dataset: str,
    file: RawFile,
    destination: Path,
    *,
    mirror: Path | None,
    all_files: tuple[RawFile, ...] = (),
    patience: Patience | None = None,
) -> str:
    """Puts one verified file under ``destination`` and returns where it came from.

    Args:
        dataset: data set named in messages and looked for in the mirror.
        file: what to fetch and how to recognise it.
        destination: final path.
        mirror: folder tried before any address; None for no mirror.
        all_files: every file of the data set, listed when nothing works.
        patience: retry settings of the addresses.

    Raises:
        DataError: neither mirror nor any address gave the right file; the message says what was tried and how to
            supply the files.
        ResourceError: the disk is full.
    """
    if destination.exists() and find_mismatch(destination, file) is None:
        return str(destination)
    destination.parent.mkdir(parents=True, exist_ok=True)
    tried: list[tuple[str, str]] = []
    source = _copy_from_mirror(dataset, file, destination, mirror, tried)
    if source is None:
        source = _fetch_from_addresses(file, destination, patience or Patience(), tried)
    if source is None:
        raise DataError(_explain(dataset, file, all_files or (file,), tried))
    return source


def mirror_candidates(dataset: str, file: RawFile, mirror: Path) -> list[Path]:
    """Returns the paths at which a mirror folder may hold a file, in the order in which they are tried."""
    return list(dict.fromkeys([mirror / file.mirror, mirror / dataset / file.name, mirror / file.name]))


def _copy_from_mirror(
    dataset: str, file: RawFile, destination: Path, mirror: Path | None, tried: list[tuple[str, str]]
) -> str | None:
    if mirror is None:
        tried.append(("mirror", "none given"))
        return None
    if not mirror.is_dir():
        tried.append((f"mirror {mirror}", "no such folder"))
        return None
    for candidate in mirror_candidates(dataset, file, mirror):
        if not candidate.is_file():
            tried.append((f"mirror {candidate}", "no such file"))
            continue
        if (mismatch := find_mismatch(candidate, file)) is not None:
            tried.append((f"mirror {candidate}", f"corrupt or another version: {mismatch}"))
            if file.urls:
                _LOG.warning("%s: corrupt or another version: %s. Trying other sources.", candidate, mismatch)
            continue
        with atomic_path(destination) as temporary:
            shutil.copyfile(candidate, temporary)
            # The copy is checked too: network file systems do lose bytes.
            if (mismatch := find_mismatch(temporary, file)) is not None:
                raise DataError(f"{candidate}: changed while it was copied to {destination.parent}: {mismatch}.")
        return str(candidate)
    return None


def _fetch_from_addresses(
    file: RawFile, destination: Path, patience: Patience, tried: list[tuple[str, str]]
) -> str | None:
    part = destination.with_name(destination.name + ".part")
    for url in file.urls:
        resumed = part.exists()
        reason = transfer(url, part, file.bytes, patience)
        if reason is None and (reason := find_mismatch(part, file)) is not None and resumed:
            # The older part may have been the bad half: once more, whole.
            part.unlink()
            reason = transfer(url, part, file.bytes, patience) or find_mismatch(part, file)
        if reason is None:
            with open(part, "rb+") as stream:
                os.fsync(stream.fileno())
            part.replace(destination)
            return url
        tried.append((url, reason))
        # What is whole but wrong is of no use to the next address, what is begun is.
        if part.exists() and part.stat().st_size in (0, file.bytes):
            part.unlink()
    return None


def _explain(dataset: str, file: RawFile, all_files: tuple[RawFile, ...], tried: list[tuple[str, str]]) -> str:
    lines = [f"data set {dataset!r}: {file.name} could not be obtained. Tried:"]
    lines += [f"  {place}: {reason}" for place, reason in tried]
    if not file.urls:
        lines.append("  no address: this file is not published anywhere, it can only come from a mirror folder")
    lines.append("Files of this data set:")
    lines += [f"  {each.expectation()}" for each in all_files]
    lines.append(
        f"To supply them: put them into a folder, as {all_files[0].mirror} and so on, or in a subfolder {dataset}/, or"
        " directly; then name that folder as 'mirror' in config/config.yaml or in the environment variable"
        " EMERGENT_MIRROR."
    )
    return "\n".join(lines)

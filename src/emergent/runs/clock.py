"""Times of files after a clock was wrong: what is made from now on must be seen to be newer than all that there is.

Snakemake runs a job again when an input is newer than its output. An output that is dated in the future, by a clock
that was ahead, would hide until then that its input has been made anew.
"""

import os
import time
from collections.abc import Iterable, Iterator
from pathlib import Path


def settle(folders: Iterable[Path]) -> str:
    """Dates files that are dated in the future now, in the order that they had.

    Args:
        folders: searched with all that is in them; need not exist.

    Returns:
        One line on what was done; empty where nothing was.
    """
    now = time.time_ns()
    ahead = sorted((path.lstat().st_mtime_ns, path) for folder in folders for path in _files(folder, now))
    # Files of the same time keep one, as outputs of one job may have.
    times = sorted({changed for changed, _ in ahead})
    settled = {changed: now - len(times) + index for index, changed in enumerate(times)}
    num = 0
    for changed, path in ahead:
        try:
            os.utime(path, ns=(settled[changed], settled[changed]), follow_symlinks=False)
        except OSError:
            # Gone meanwhile, or not ours to change.
            continue
        num += 1
    return (
        f"{num} files were dated in the future: a clock was wrong. They are dated now, in their order." if num else ""
    )


def _files(folder: Path, now: int) -> Iterator[Path]:
    for parent, _, names in os.walk(folder):
        for name in names:
            path = Path(parent, name)
            try:
                if path.lstat().st_mtime_ns > now:
                    yield path
            except OSError:
                continue

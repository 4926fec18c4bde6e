"""What a run does about clocks, bytecode and failures of earlier ones."""

import os
import py_compile
import time
from pathlib import Path

import pytest

from emergent.runs import bytecode, clock, failures

HOUR = 3600 * 10**9


def date(path: Path, when: int) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()
    os.utime(path, ns=(when, when))
    return path


def test_files_of_the_future_are_dated_now_in_their_order(tmp_path: Path) -> None:
    now = time.time_ns()
    past = date(tmp_path / "results/past", now - HOUR)
    first, second, twin = (
        date(tmp_path / f"results/a/{name}", now + when * HOUR)
        for name, when in (("late", 1), ("later", 2), ("twin", 2))
    )
    assert clock.settle([tmp_path / "results", tmp_path / "none"]).startswith("3 files were dated in the future")
    times = [path.stat().st_mtime_ns for path in (past, first, second, twin)]
    assert times[0] == now - HOUR
    assert times[0] < times[1] < times[2] == times[3] <= time.time_ns()
    assert clock.settle([tmp_path / "results"]) == ""


def test_bytecode_that_was_cut_is_removed_and_no_other(tmp_path: Path) -> None:
    (tmp_path / "module.py").write_text("x = 1\n")
    whole, cut, empty = (tmp_path / f"__pycache__/{name}.pyc" for name in ("whole", "cut", "empty"))
    for path in (whole, cut, empty):
        py_compile.compile(str(tmp_path / "module.py"), str(path), doraise=True)
    os.truncate(cut, cut.stat().st_size - 3)
    os.truncate(empty, 0)
    assert bytecode.remove_damaged([str(tmp_path)]) == 2
    assert [path.exists() for path in (whole, cut, empty)] == [True, False, False]


SNAKEMAKES_LOG = """
localrule train:
    output: results/a.h5, results/a.h5.provenance.json
RuleException:
CalledProcessError in file "train.smk", line 47:
Command 'python -m emergent.cli.train' returned non-zero exit status {status}.
[Fri Nov 27 22:59:36 2026]
Error in rule train:
    message: None
    jobid: 8
    input: results/prepared.h5
    output: results/a.h5, results/a.h5.provenance.json
    log: {log} (check log file(s) for error details)
    shell:
        python -m emergent.cli.train --output results/a.h5
        (command exited with non-zero exit code)

Exiting because a job execution failed. Look above for error messages
"""


@pytest.mark.parametrize(
    ("status", "log", "expected"),
    [
        (1, "0%|\rwarning\nerror: results/a.h5: the disk is full. Free some space.\n",
         "train results/a.h5: the disk is full. Free some space."),
        (1, "error: two lines:\n  of one error\n", "train results/a.h5: two lines:\n  of one error"),
        (137, "0%|  | 0/4\r50%|  | 2/4", "train results/a.h5: was killed (SIGKILL, by hand or because memory ran out). "
         "Run again: what is finished is kept."),
        (139, "", "train results/a.h5: was killed (SIGSEGV). Run again: what is finished is kept."),
        (2, "Traceback\n  File\nKeyError: 'x'\n\n",
         "train results/a.h5: ended with status 2: KeyError: 'x' (log: LOG)"),
        (2, None, "train results/a.h5: ended with status 2: no message (log: LOG)"),
    ],
)  # fmt: skip
def test_failures_are_told_in_the_words_of_the_job(tmp_path: Path, status: int, log: str | None, expected: str) -> None:
    own = tmp_path / "train.log"
    if log is not None:
        own.write_text(log, newline="")
    (tmp_path / "snakemake.log").write_text(SNAKEMAKES_LOG.format(status=status, log=own))
    assert failures.failures(tmp_path / "snakemake.log") == [expected.replace("LOG", str(own))]


def test_many_failures_are_counted(tmp_path: Path) -> None:
    one = SNAKEMAKES_LOG.format(status=1, log="none")
    (tmp_path / "log").write_text("".join(one.replace("a.h5", f"{index}.h5") for index in range(15)))
    found = failures.failures(tmp_path / "log")
    assert len(found) == failures.MOST_SHOWN + 1
    assert found[-1].startswith("... and 5 more; all is in ")

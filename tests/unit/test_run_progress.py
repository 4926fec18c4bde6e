"""Lines on how far a whole run is: jobs that are done, and the time that is left by estimates and the pace seen."""

import io
import logging
from enum import Enum

import pytest

from emergent.runs.progress import TRUSTED_SECONDS, RunProgress


class Event(Enum):
    JOB_STARTED = 1
    JOB_FINISHED = 2
    JOB_INFO = 3


class Run:
    """A run whose clock is set by hand."""

    def __init__(self, expected: dict[int, float], cores: int | None = None) -> None:
        self.now, self.stream, self.logger = 0.0, io.StringIO(), logging.Logger("run", logging.INFO)
        self.progress = RunProgress(expected, cores, every=30, stream=self.stream, clock=lambda: self.now)
        self.logger.addHandler(self.progress)

    def start(self, *jobs: int) -> None:
        self.logger.info(None, extra={"event": Event.JOB_STARTED, "jobs": list(jobs)})

    def finish(self, job: int) -> None:
        self.logger.info("Finished", extra={"event": Event.JOB_FINISHED, "job_id": job})


def test_estimates_alone_before_anything_is_done() -> None:
    run = Run({1: 100.0, 2: 100.0, 3: 40.0}, cores=2)
    assert run.progress.seconds_left() == pytest.approx(120)
    # One job that is longer than all others together keeps one core busy.
    assert Run({1: 300.0, 2: 10.0}, cores=4).progress.seconds_left() == pytest.approx(300)
    run.start(1)
    run.now = 60.0
    assert run.progress.seconds_left() == pytest.approx(100)


def test_a_slower_machine_is_seen_from_what_has_finished() -> None:
    run = Run(dict.fromkeys(range(4), 600.0), cores=1)
    run.start(0)
    run.now = 1800.0
    run.finish(0)
    pace = (1800 + TRUSTED_SECONDS) / (600 + TRUSTED_SECONDS)
    assert run.progress.seconds_left() == pytest.approx(3 * 600 * pace)
    assert run.stream.getvalue() == "progress: 1 of 4 jobs, 30 min so far, about 85 min left\n"


def test_lines_are_apart_and_none_follows_the_last_job() -> None:
    run = Run(dict.fromkeys(range(5), 20.0), cores=1)
    for job in range(5):
        run.start(job)
        run.now += 20
        run.finish(job)
    lines = run.stream.getvalue().splitlines()
    assert lines == [
        "progress: 2 of 5 jobs, 40 s so far, about 60 s left", "progress: 4 of 5 jobs, 80 s so far, about 20 s left"
    ]  # fmt: skip


def test_jobs_side_by_side_are_counted_where_cores_are_not_known() -> None:
    run = Run(dict.fromkeys(range(8), 50.0))
    assert run.progress.seconds_left() == pytest.approx(400)
    run.start(0, 1)
    run.start(2, 3)
    assert run.progress.seconds_left() == pytest.approx(100)


def test_other_words_of_the_log_are_not_minded() -> None:
    run = Run({1: 10.0})
    run.logger.info("Select jobs to execute...")
    run.logger.info(None, extra={"event": Event.JOB_INFO, "jobid": 1})
    run.finish(7)
    run.now = 40.0
    run.finish(8)
    assert run.stream.getvalue().count("\n") <= 1

"""How far a whole run is, and how long it will still take: a line now and then, beside Snakemake's own words.

Times of jobs are those that ``make plan`` estimates. How fast this machine is, beside the one where they were measured,
is seen from the jobs that have finished.
"""

import logging
import sys
import time
from collections.abc import Callable, Mapping
from typing import TextIO

TRUSTED_SECONDS = 60.0
"""Of estimated work: before that much is done the estimates count as much as what was seen."""


def duration(seconds: float) -> str:
    """Returns a time as people read it: ``40 s``, ``12 min``, ``3.5 h``, ``2.1 d``."""
    for limit, unit, name in ((90, 1, "s"), (90 * 60, 60, "min"), (48 * 3600, 3600, "h")):
        if seconds < limit:
            return f"{seconds / unit:.0f} {name}" if unit < 3600 else f"{seconds / unit:.1f} {name}"
    return f"{seconds / 86400:.1f} d"


class RunProgress(logging.Handler):
    """Hears from Snakemake's logger which jobs begin and end, and says how many are done and what is left.

    Attributes:
        every: seconds between two lines, at least.
    """

    def __init__(
        self,
        expected: Mapping[int, float],
        cores: int | None = None,
        every: float = 30.0,
        stream: TextIO | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Begins a run.

        Args:
            expected: seconds that each job takes by estimate, by its number.
            cores: jobs that run side by side; None for as many as have been seen to.
            every: seconds between two lines, at least.
            stream: for lines; None for standard error.
            clock: seconds.
        """
        super().__init__(logging.INFO)
        self.every = every
        self._expected, self._cores = dict(expected), cores
        self._stream, self._clock = stream or sys.stderr, clock
        self._begin = self._last = clock()
        self._running: dict[int, float] = {}
        self._taken: dict[int, float] = {}
        self._most = 1

    def emit(self, record: logging.LogRecord) -> None:
        """Notes what a record says of jobs, and writes a line if it is time for one."""
        match getattr(getattr(record, "event", None), "name", None):
            case "JOB_STARTED":
                self._running |= dict.fromkeys(getattr(record, "jobs", None) or (), self._clock())
                self._most = max(self._most, len(self._running))
            case "JOB_FINISHED":
                job, now = getattr(record, "job_id", -1), self._clock()
                self._taken[job] = now - self._running.pop(job, now)
                if now - self._last >= self.every and len(self._taken) < len(self._expected):
                    self._last = now
                    self._stream.write(f"{self.line()}\n")
                    self._stream.flush()

    def line(self) -> str:
        """Returns how far the run is, e.g. ``progress: 37 of 210 jobs, 4 min so far, about 11 min left``."""
        done, so_far = len(self._taken), self._clock() - self._begin
        words = f"progress: {done} of {len(self._expected)} jobs, {duration(so_far)} so far"
        return f"{words}, about {duration(self.seconds_left())} left"

    def seconds_left(self) -> float:
        """Returns how long the rest of the run takes: estimates, at the pace that was seen."""
        now = self._clock()
        elapsed = {job: now - begin for job, begin in self._running.items()}
        seen = sum(self._taken.values())
        estimated = sum(self._expected.get(job, 0.0) for job in self._taken)
        pace = (seen + TRUSTED_SECONDS) / (estimated + TRUSTED_SECONDS)
        rest = [
            max(pace * seconds - elapsed.get(job, 0.0), 0.0)
            for job, seconds in self._expected.items()
            if job not in self._taken
        ]
        # Jobs run side by side, and no job on more than one core.
        return max(sum(rest) / (self._cores or self._most), max(rest, default=0.0))

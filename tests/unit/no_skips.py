"""A test that is skipped tells nothing: with EMERGENT_NO_SKIPS=1, as in continuous integration, it fails.

But for what no machine for rent has: a GPU, or the files of data sets that may not be passed on.
"""

import os
from collections.abc import Generator

import pytest

VARIABLE = "EMERGENT_NO_SKIPS"
CANNOT_BE_HAD = ("no GPU", "there is a GPU", "accelerators take banks", "EMERGENT_MIRROR is not set")
"""How the reasons begin of tests that may be skipped all the same."""


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Turns a skipped test into a failed one, with its reason."""
    report = yield
    if os.environ.get(VARIABLE) == "1" and report.skipped and not hasattr(report, "wasxfail"):
        assert isinstance(report.longrepr, tuple)
        reason = str(report.longrepr[2]).removeprefix("Skipped: ")
        if not reason.startswith(CANNOT_BE_HAD):
            report.outcome = "failed"
            report.longrepr = f"{report.nodeid}: {VARIABLE} is set, but it was to be skipped: {reason}"
    return report

"""Where nothing may be skipped a skipped test fails; unless it needs what no machine for rent has."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

TESTS = """
import pytest

def test_inside():
    pytest.skip("no mounts")

@pytest.mark.skipif(True, reason="no browser")
def test_marked():
    pass

@pytest.mark.skipif(True, reason="no GPU: none here")
def test_gpu():
    pass

@pytest.mark.xfail(reason="known")
def test_expected_to_fail():
    assert False
"""


@pytest.mark.parametrize(("value", "code", "skipped"), [("1", 1, 1), ("", 0, 3)])
def test_skipped_tests_fail_where_they_must_not_be(tmp_path: Path, value: str, code: int, skipped: int) -> None:
    (tmp_path / "test_some.py").write_text(TESTS)
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no_skips", "-p", "no:cacheprovider", "test_some.py"],
        cwd=tmp_path,
        env=os.environ | {"EMERGENT_NO_SKIPS": value, "PYTHONPATH": str(Path(__file__).parent)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == code, done.stdout
    assert f"{skipped} skipped" in done.stdout and "1 xfailed" in done.stdout
    failed = "EMERGENT_NO_SKIPS is set, but it was to be skipped: "
    for reason in ("no mounts", "no browser"):
        assert (f"{failed}{reason}" in done.stdout) == bool(value)
    assert f"{failed}no GPU" not in done.stdout


def test_every_test_of_this_run_is_watched(pytestconfig: pytest.Config) -> None:
    assert pytestconfig.pluginmanager.has_plugin("no_skips")

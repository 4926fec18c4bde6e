"""The audit of the locks: the committed report is about them, and silence is never taken for a clean bill."""

import json
import re
import runpy
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ENVS = Path(__file__).parents[2] / "envs"
AUDIT = runpy.run_path(str(ENVS / "audit.py"))
REPORT = json.loads((ENVS / "audit.json").read_text())
ACCEPTED = json.loads((ENVS / "audit-accepted.json").read_text())


def test_the_committed_report_is_about_the_locks() -> None:
    packages = AUDIT["locked"](ENVS)
    assert len(packages) > 100 and "numpy" in {package.split()[0] for package in packages}
    assert AUDIT["problems"](REPORT, set(packages), ACCEPTED) == []


def test_the_committed_report_does_not_call_clean_what_was_not_audited() -> None:
    for package, entry in REPORT.items():
        assert (entry["audited"] is None) == (entry["advisories"] is None), package
        assert entry["audited"] is None or re.fullmatch(r"\d{4}-\d\d-\d\d", entry["audited"]), package


TOOL = """#!{python}
import json, sys
if {broken}:
    sys.exit("Traceback\\nConnectionError: no route to host")
lines = open(sys.argv[sys.argv.index("--requirement") + 1]).read().split()
answers = []
for name, version in (line.split("==") for line in lines):
    if name in {unknown}:
        answers.append(dict(name=name, skip_reason="Dependency not found on PyPI"))
    else:
        vulns = [dict(id="PYSEC-1", fix_versions=["2.0"])] if name in {bad} else []
        answers.append(dict(name=name, version=version, vulns=vulns))
print("No known vulnerabilities found", file=sys.stderr)
print(json.dumps(dict(dependencies=answers, fixes=[])))
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Locks of three packages, one of them in two, and nothing known yet."""
    for lock in AUDIT["LOCKS"]:
        (tmp_path / lock).write_text("alpha==1.0 \\\n    --hash=sha256:0\nbeta==1.5 ; python_version < '3.13' \\\n")
    (tmp_path / AUDIT["LOCKS"][0]).write_text("alpha==1.0 \\\n    --hash=sha256:0\ngamma==3.0\n")
    (tmp_path / "audit-accepted.json").write_text("{}")
    return tmp_path


def audit(folder: Path, **behaviour: Any) -> tuple[int, str, dict[str, Any]]:
    """Runs the audit with a tool that answers as told; returns status, output and the report."""
    tool = folder / "pip-audit"
    tool.write_text(TOOL.format(python=sys.executable, **{"broken": False, "unknown": (), "bad": ()} | behaviour))
    tool.chmod(0o755)
    command = [sys.executable, str(ENVS / "audit.py"), "--folder", str(folder), "--tool", str(tool)]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    return done.returncode, done.stdout, json.loads((folder / "audit.json").read_text())


def test_every_package_of_every_lock_is_audited_once(folder: Path) -> None:
    status, output, report = audit(folder)
    assert status == 0
    assert re.fullmatch(r"audit: 3 of 3 locked packages audited, between (\S+) and \1; 0 NOT audited\n", output)
    assert {package: entry["locks"] for package, entry in report.items()} == {
        "alpha 1.0": "cpu, cuda, checks, docs, audit, crate",
        "beta 1.5": "cuda, checks, docs, audit, crate",
        "gamma 3.0": "cpu",
    }
    assert all(entry["advisories"] == [] for entry in report.values())


def test_an_advisory_fails_until_it_has_a_reason(folder: Path) -> None:
    status, output, report = audit(folder, bad=("beta",))
    assert status == 1
    assert report["beta 1.5"]["advisories"] == [{"id": "PYSEC-1", "fixed_in": ["2.0"]}]
    places = "cuda, checks, docs, audit, crate"
    assert f"error: beta 1.5 ({places}): PYSEC-1, fixed in 2.0. Raise the version and run make locks" in output
    (folder / "audit-accepted.json").write_text('{"PYSEC-1": "ok"}')
    assert "PYSEC-1 is accepted without a reason" in audit(folder, bad=("beta",))[1]
    (folder / "audit-accepted.json").write_text(
        '{"PYSEC-1": "Only its server is concerned, which nothing here starts."}'
    )
    assert audit(folder, bad=("beta",))[0] == 0
    # What is accepted must be there: else a reason would outlive what it was given for.
    assert "PYSEC-1 is accepted, but no locked package has it: remove it" in audit(folder)[1]


@pytest.mark.parametrize(
    ("behaviour", "why"),
    [
        ({"broken": True}, "could not be asked (ConnectionError: no route to host)"),
        ({"unknown": ("alpha", "beta", "gamma")}, "the database of vulnerabilities is not there"),
    ],
    ids=["no network", "a mirror without the database"],
)
def test_what_could_not_be_asked_is_not_audited(folder: Path, behaviour: dict[str, Any], why: str) -> None:
    """Though the tool itself says that it found no known vulnerabilities."""
    status, output, report = audit(folder, **behaviour)
    assert (status, why in output) == (0, True), output
    assert "audit: 0 of 3 locked packages audited; 3 NOT audited" in output
    assert all(entry["audited"] is None and entry["advisories"] is None for entry in report.values())


def test_what_was_known_stays_for_the_same_version_alone(folder: Path) -> None:
    audit(folder, bad=("beta",))
    for lock in AUDIT["LOCKS"]:
        text = (folder / lock).read_text()
        (folder / lock).write_text(text.replace("alpha==1.0", "alpha==1.1"))
    status, output, report = audit(folder, broken=True)
    assert status == 1 and "PYSEC-1" in output
    assert report["alpha 1.1"]["audited"] is None
    assert "alpha 1.0" not in report
    assert report["gamma 3.0"]["audited"] is not None


def test_one_that_the_database_does_not_know_is_not_audited(folder: Path) -> None:
    _, output, report = audit(folder, unknown=("gamma",))
    assert "audit: 2 of 3 locked packages audited" in output and "1 NOT audited" in output
    assert report["gamma 3.0"]["audited"] is None

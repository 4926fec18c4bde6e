"""Looks every locked package up in PyPI's database of known vulnerabilities; what was found is kept in ``audit.json``.

A package of which nothing could be learnt, without a network or because the database does not know it, stands there as
not audited: date and advisories are null. Nothing is taken for harmless because nobody could be asked.
"""

import argparse
import json
import re
import subprocess
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent
LOCKS = tuple(f"requirements-{name}.lock" for name in ("cpu", "cuda", "checks", "docs", "audit", "crate"))


def locked(folder: Path) -> dict[str, str]:
    """Returns name and version of every package in the locks, as ``name version``, and where it is locked."""
    found: dict[str, list[str]] = {}
    for lock in LOCKS:
        for name, version in re.findall(r"^([a-z0-9][\w.-]*)==([\w.]+)", (folder / lock).read_text(), re.MULTILINE):
            found.setdefault(f"{name} {version}", []).append(lock.removeprefix("requirements-").removesuffix(".lock"))
    return {package: ", ".join(places) for package, places in sorted(found.items())}


def ask(tool: str, packages: list[str]) -> dict[str, dict[str, Any]]:
    """Returns what pip-audit says of each package; of those that it could not look up, nothing.

    Raises:
        ConnectionError: no answer.
    """
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as requirements:
        requirements.write("".join(f"{package.replace(' ', '==')}\n" for package in packages))
        requirements.flush()
        command = [tool, "--requirement", requirements.name, "--no-deps", "--disable-pip", "--format", "json"]
        done = subprocess.run([*command, "--progress-spinner", "off"], capture_output=True, text=True, check=False)
    try:
        answers = json.loads(done.stdout)["dependencies"]
    except (ValueError, KeyError):
        raise ConnectionError((done.stderr.strip().splitlines() or ["no answer"])[-1]) from None
    return {f"{answer['name']} {answer['version']}": answer for answer in answers if "skip_reason" not in answer}


def audit(tool: str, packages: dict[str, str], known: dict[str, Any]) -> tuple[dict[str, Any], str]:
    """Returns the report on all packages and why it is not new; what was known of a package stays where nothing is."""
    answers: dict[str, dict[str, Any]] = {}
    why = ""
    try:
        # One first: a mirror of PyPI without its database answers that it has never heard of any package.
        if ask(tool, list(packages)[:1]):
            answers = ask(tool, list(packages))
        else:
            why = "the database of vulnerabilities is not there"
    except (OSError, ConnectionError) as error:
        why = f"the database of vulnerabilities could not be asked ({error})"
    report = {}
    for package, places in packages.items():
        entry = {"audited": None, "advisories": None, "locks": places}
        if (answer := answers.get(package)) is not None:
            found = [{"id": item["id"], "fixed_in": item["fix_versions"]} for item in answer["vulns"]]
            entry |= {"audited": datetime.now(UTC).strftime("%Y-%m-%d"), "advisories": found}
        elif (old := known.get(package)) is not None:
            entry |= {"audited": old["audited"], "advisories": old["advisories"]}
        report[package] = entry
    return report, why


def problems(report: dict[str, Any], packages: set[str], accepted: dict[str, str]) -> list[str]:
    """Returns what is wrong: packages that the report lacks or that nobody locks, and advisories without an answer."""
    found = [
        f"{package} is locked and not in audit.json: run make audit" for package in sorted(packages - report.keys())
    ]
    found += [
        f"{package} is in audit.json and not locked: run make audit" for package in sorted(report.keys() - packages)
    ]
    known = set()
    for package, entry in report.items():
        for advisory in entry["advisories"] or ():
            known.add(advisory["id"])
            if advisory["id"] not in accepted:
                fixed = ", ".join(advisory["fixed_in"]) or "no version yet"
                found.append(
                    f"{package} ({entry['locks']}): {advisory['id']}, fixed in {fixed}. Raise the version and run make "
                    "locks, or say in envs/audit-accepted.json why it does no harm here"
                )
    found += [
        f"{name} is accepted, but no locked package has it: remove it" for name in sorted(accepted.keys() - known)
    ]
    return found + [f"{name} is accepted without a reason" for name, reason in accepted.items() if len(reason) < 20]


def summary(report: dict[str, Any]) -> str:
    """Returns one line: how many packages were audited, and when."""
    dates = sorted(entry["audited"] for entry in report.values() if entry["audited"])
    when = f", between {dates[0]} and {dates[-1]}" if dates else ""
    missing = len(report) - len(dates)
    return f"audit: {len(dates)} of {len(report)} locked packages audited{when}; {missing} NOT audited"


def main() -> None:
    """Asks, unless told not to, writes the report, and fails where something is wrong with it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tool", help="pip-audit; without it the report is only checked")
    parser.add_argument("--folder", type=Path, default=FOLDER, help="of locks and report")
    arguments = parser.parse_args()
    path, packages = arguments.folder / "audit.json", locked(arguments.folder)
    report = json.loads(path.read_text()) if path.exists() else {}
    if arguments.tool:
        report, why = audit(arguments.tool, packages, report)
        path.write_text(json.dumps(report, indent=1) + "\n")
        if why:
            print(f"audit: {why}; nothing new was learnt.")
    print(summary(report))
    accepted = json.loads((arguments.folder / "audit-accepted.json").read_text())
    if found := problems(report, set(packages), accepted):
        sys.exit("\n".join(f"error: {problem}." for problem in found))


if __name__ == "__main__":
    main()

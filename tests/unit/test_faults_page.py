"""docs/faults.md: every row names a test that there is, and every fault that is tried has a row."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/faults.md").read_text(encoding="utf-8")
ROWS = [
    line for line in PAGE.splitlines() if line.startswith("| ") and not line.startswith(("| ---", "| fault", "| inp"))
]
TESTS = [re.fullmatch(r"\| .+ \| .+ \| `(tests/\w+/((?:test|check)_\w+)\.py)::(test_\w+)` \|", row) for row in ROWS]


def defined_in(path: Path) -> set[str]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return {node.name for node in tree.body if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")}


def test_the_test_of_every_row_exists() -> None:
    assert len(ROWS) > 30
    for row, found in zip(ROWS, TESTS, strict=True):
        assert found is not None, f"expected | fault | what happens | `tests/<folder>/<file>.py::<test>` |, found {row}"
        assert found[3] in defined_in(ROOT / found[1]), row


@pytest.mark.parametrize("file", ["tests/workflow/test_faults.py", "tests/workflow/test_interruption.py"])
def test_every_fault_of_a_run_has_a_row(file: str) -> None:
    assert defined_in(ROOT / file) <= {found[3] for found in TESTS if found}

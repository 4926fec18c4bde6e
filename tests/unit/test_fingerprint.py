"""Fingerprints follow the code that a module runs on, and nothing else."""

from pathlib import Path

import pytest

from emergent.fingerprint import code_fingerprint, import_closure

ROOT = Path(__file__).parents[2]

SOURCES = {
    "__init__.py": "",
    "cli/__init__.py": "",
    "cli/train.py": "from emergent.training import engine\n\n\ndef main():\n    engine.run(1)\n",
    "training/__init__.py": "",
    "training/engine.py": (
        '"""Trains."""\n\nimport json\n\n\ndef run(n):\n    """Runs."""\n'
        "    from emergent.groups.finite import order\n\n    return f'{order(n):>{n}}', [*range(n)], lambda x=None: x\n"
    ),
    "groups/__init__.py": "",
    "groups/finite.py": "def order(n):\n    return n + 1\n",
    "figures/__init__.py": "",
    "figures/style.py": "COLOUR = 'red'\n",
}


@pytest.fixture
def source_root(tmp_path: Path) -> Path:
    for name, text in SOURCES.items():
        path = tmp_path / "emergent" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return tmp_path


def edit(source_root: Path, name: str, old: str, new: str) -> None:
    path = source_root / "emergent" / name
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))


def fingerprint(source_root: Path) -> str:
    return code_fingerprint("emergent.cli.train", source_root)


def test_closure_has_submodules_late_imports_and_packages(source_root: Path) -> None:
    assert import_closure("emergent.cli.train", source_root) == [
        "emergent",
        "emergent.cli",
        "emergent.cli.train",
        "emergent.groups",
        "emergent.groups.finite",
        "emergent.training",
        "emergent.training.engine",
    ]


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("training/engine.py", '"""Trains."""', '"""Trains networks."""'),
        ("training/engine.py", '    """Runs."""\n', ""),
        ("training/engine.py", "import json\n", "import json  # for later\n"),
        ("groups/finite.py", "n + 1", "(n\n            + 1)"),
        ("groups/finite.py", "def order", '"""What follows."""\n\n\ndef order'),
        ("figures/style.py", "red", "blue"),
    ],
    ids=["module docstring", "function docstring removed", "comment", "formatting", "docstring added", "unrelated"],
)
def test_edit_that_cannot_matter_keeps_it(source_root: Path, name: str, old: str, new: str) -> None:
    before = fingerprint(source_root)
    edit(source_root, name, old, new)
    assert fingerprint(source_root) == before


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("cli/train.py", "run(1)", "run(2)"),
        ("groups/finite.py", "n + 1", "n + 2"),
        ("groups/finite.py", "n + 1", "'n'"),
        ("groups/__init__.py", "", "import emergent.figures.style\n"),
    ],
    ids=["own code", "deep in the closure", "string that is used", "package file"],
)
def test_edit_that_can_matter_changes_it(source_root: Path, name: str, old: str, new: str) -> None:
    before = fingerprint(source_root)
    edit(source_root, name, old, new)
    assert fingerprint(source_root) != before


def test_same_in_every_python_version(source_root: Path) -> None:
    assert fingerprint(source_root) == "026ae549958a"


def test_import_of_what_is_not_there_names_the_importer(source_root: Path) -> None:
    edit(source_root, "groups/finite.py", "def order", "import emergent.grops.points\n\n\ndef order")
    with pytest.raises(ModuleNotFoundError, match=r"emergent\.groups\.finite, line 1 imports emergent\.grops\.points"):
        fingerprint(source_root)


def test_relative_import_is_refused(source_root: Path) -> None:
    edit(source_root, "groups/finite.py", "def order", "from . import points\n\n\ndef order")
    with pytest.raises(ImportError, match=r"finite\.py, line 1: relative import"):
        fingerprint(source_root)


def test_every_verb_of_this_package_has_one() -> None:
    verbs = sorted(path.stem for path in (ROOT / "src/emergent/cli").glob("[a-z]*.py"))
    fingerprints = {verb: code_fingerprint(f"emergent.cli.{verb}", ROOT / "src") for verb in verbs}
    assert len(set(fingerprints.values())) == len(verbs) > 0

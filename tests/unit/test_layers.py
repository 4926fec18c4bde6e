"""The layer contract: imports run downwards only, and the modules stay small.

The contract is checked on the real package, and on small fake ones that break it, so that each check is seen to fail.
"""

import ast
import graphlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

SOURCE_ROOT = Path(__file__).parents[2] / "src"

# From the top down: a module may import from its own line's package and from the lines below.
LAYERS = (
    ("cli",),
    ("lineage",),
    ("report",),
    ("pages",),
    ("figures",),
    ("schema",),
    ("estimates",),
    ("job_memory",),
    ("plan",),
    ("kinds",),
    ("claims",),
    ("summaries",),
    ("evaluation",),
    ("prediction",),
    ("training",),
    ("flows",),
    ("linear",),
    ("theorems",),
    ("units",),
    ("domains",),
    ("statistics",),
    ("metrics",),
    ("kernels",),
    ("models",),
    ("datasets",),
    ("dynamics",),
    ("groups",),
    ("prng",),
    ("runs",),
    ("storage",),
    ("provenance",),
    ("integrity", "atomic"),
    ("config", "fingerprint"),
    ("point_groups",),
    ("errors",),
)
RANK = {name: -index for index, names in enumerate(LAYERS) for name in names}
WITHOUT_JAX = (
    "report",
    "pages",
    "figures",
    "claims",
    "summaries",
    "statistics",
    "metrics",
    "storage",
    "provenance",
    "atomic",
    "integrity",
    "runs",
    "config",
    "fingerprint",
    "point_groups",
    "errors",
)
JAX_PACKAGES = {"jax", "jaxlib", "flax", "optax", "diffrax", "neural_tangents"}
VAGUE_NAMES = {"utils", "util", "helpers", "misc", "common"}
MAX_LINES = 300

# The one module that imports neural_tangents; it looks into JAX by name to restore what neural_tangents expects there.
COMPATIBILITY_MODULE = "kernels.neural_tangents"


@dataclass(frozen=True)
class Import:
    importer: str  # without the leading "emergent."
    line: int
    target: str  # full dotted name; "." in front when relative

    def __str__(self) -> str:
        return f"{self.importer or 'emergent'}, line {self.line}, imports {self.target}"

    @property
    def inside(self) -> str:
        """The target without ``emergent.``, or an empty string when it is another package's."""
        return self.target.removeprefix("emergent.") if self.target.startswith("emergent.") else ""


def modules(root: Path) -> dict[str, Path]:
    """Returns each module's dotted name, without ``emergent.``, and file."""
    package = root / "emergent"
    return {
        ".".join(path.relative_to(package).with_suffix("").parts).removesuffix("__init__").rstrip("."): path
        for path in sorted(package.rglob("*.py"))
    }


def imports(root: Path) -> list[Import]:
    known = modules(root)
    found = []
    for module, path in known.items():
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                found += [Import(module, node.lineno, alias.name) for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                base = "." * node.level + (node.module or "")
                for alias in node.names:
                    submodule = f"{base}.{alias.name}"
                    is_module = base == "emergent" or submodule.removeprefix("emergent.") in known
                    found.append(Import(module, node.lineno, submodule if is_module else base))
    return found


def layer(module: str) -> str:
    return module.partition(".")[0]


def wrong_arrows(root: Path) -> list[str]:
    """Upwards, between packages of one layer, from one verb to another (they share ``cli._*``), or from the root."""
    problems = []
    for item in imports(root):
        if not item.inside:
            continue
        source, target = layer(item.importer), layer(item.inside)
        if source == target:
            wrong = source == "cli" and not item.inside.startswith("cli._")
        else:
            wrong = not source or RANK.get(source, 0) <= RANK.get(target, 1)
        if wrong:
            problems.append(str(item))
    return problems


def unknown_modules(root: Path) -> list[str]:
    return [name for name in modules(root) if name and (layer(name) not in RANK or VAGUE_NAMES & set(name.split(".")))]


def relative_or_dynamic_imports(root: Path) -> list[str]:
    problems = [str(item) for item in imports(root) if item.target.startswith(".")]
    for module, path in modules(root).items():
        if module == COMPATIBILITY_MODULE:
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            name = node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""
            imported = {alias.name for alias in node.names} if isinstance(node, ast.ImportFrom) else set()
            if {name, *imported} & {
                "import_module",
                "__import__",
                "spec_from_file_location",
                "run_module",
                "exec",
                "eval",
            }:
                problems.append(f"{module}, line {node.lineno}, imports or runs code by name")  # type: ignore[attr-defined]
    return problems


def cycles(root: Path) -> list[str]:
    graph: dict[str, set[str]] = {}
    known = modules(root)
    for item in imports(root):
        if item.inside in known:
            graph.setdefault(item.importer, set()).add(item.inside)
    try:
        graphlib.TopologicalSorter(graph).prepare()
    except graphlib.CycleError as error:
        return [" -> ".join(error.args[1])]
    return []


def jax_where_there_must_be_none(root: Path) -> list[str]:
    return [
        str(item)
        for item in imports(root)
        if layer(item.importer) in WITHOUT_JAX
        and (layer(item.target) in JAX_PACKAGES or (item.inside and layer(item.inside) not in WITHOUT_JAX))
    ]


def stray_neural_tangents(root: Path) -> list[str]:
    return [
        str(item)
        for item in imports(root)
        if layer(item.target) == "neural_tangents" and item.importer != COMPATIBILITY_MODULE
    ]


def long_files(root: Path) -> list[str]:
    lengths = {name: len(path.read_text(encoding="utf-8").splitlines()) for name, path in modules(root).items()}
    return [f"{name}: {length} lines" for name, length in lengths.items() if length > MAX_LINES]


CHECKS: list[Callable[[Path], list[str]]] = [
    wrong_arrows,
    unknown_modules,
    relative_or_dynamic_imports,
    cycles,
    jax_where_there_must_be_none,
    stray_neural_tangents,
    long_files,
]


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_package_keeps_the_contract(check: Callable[[Path], list[str]]) -> None:
    assert check(SOURCE_ROOT) == []


def fake_package(root: Path, sources: dict[str, str]) -> Path:
    for name, text in {"__init__.py": "", **sources}.items():
        path = root / "emergent" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


def test_allowed_imports_pass(tmp_path: Path) -> None:
    root = fake_package(
        tmp_path,
        {
            "errors.py": "import json\n",
            "config/base.py": "from emergent.errors import ConfigError\n",
            "config/datasets.py": "from emergent.config import base\n",
            "fingerprint.py": "import ast\n",
            "kernels/neural_tangents.py": "import neural_tangents\n",
            "training/engine.py": "import jax\nfrom emergent.kernels.neural_tangents import stax\n",
            "figures/style.py": "import matplotlib\n",
            "cli/_run.py": "from emergent.errors import EmergentError\n",
            "cli/train.py": "from emergent.cli._run import main_guard\nfrom emergent.training import engine\n",
        },
    )
    assert [problem for check in CHECKS for problem in check(root)] == []


@pytest.mark.parametrize(
    ("check", "name", "source"),
    [
        (wrong_arrows, "groups/finite.py", "from emergent.datasets import mnist\n"),
        (wrong_arrows, "groups/finite.py", "import emergent.cli.train as train\n"),
        (wrong_arrows, "groups/finite.py", "def f():\n    from emergent.training.engine import run\n"),
        (wrong_arrows, "groups/finite.py", "from emergent import models\n"),
        (wrong_arrows, "config/base.py", "from emergent.fingerprint import code_fingerprint\n"),
        (wrong_arrows, "fingerprint.py", "from emergent.config.base import digest\n"),
        (wrong_arrows, "cli/train.py", "from emergent.cli.evaluate import main\n"),
        (wrong_arrows, "__init__.py", "from emergent.errors import EmergentError\n"),
        (unknown_modules, "elsewhere.py", ""),
        (unknown_modules, "groups/utils.py", ""),
        (relative_or_dynamic_imports, "groups/finite.py", "from . import images\n"),
        (relative_or_dynamic_imports, "groups/finite.py", "from ..errors import ConfigError\n"),
        (relative_or_dynamic_imports, "groups/finite.py", "import importlib\nimportlib.import_module('jax')\n"),
        (relative_or_dynamic_imports, "groups/finite.py", "from importlib import import_module as load\n"),
        (relative_or_dynamic_imports, "groups/finite.py", "__import__('jax')\n"),
        (cycles, "groups/finite.py", "from emergent.groups import finite\n"),
        (jax_where_there_must_be_none, "figures/style.py", "import jax.numpy as jnp\n"),
        (jax_where_there_must_be_none, "claims/verdict.py", "from flax import linen\n"),
        (jax_where_there_must_be_none, "figures/style.py", "from emergent.groups.images import orbit\n"),
        (jax_where_there_must_be_none, "summaries/pool.py", "from emergent.groups.actions import subset\n"),
        (jax_where_there_must_be_none, "statistics/laws.py", "from emergent.training import engine\n"),
        (jax_where_there_must_be_none, "config/base.py", "import neural_tangents\n"),
        (stray_neural_tangents, "kernels/gram.py", "from neural_tangents import stax\n"),
        (long_files, "groups/finite.py", "x = 1\n" * 301),
    ],
)
def test_breach_is_found(check: Callable[[Path], list[str]], name: str, source: str, tmp_path: Path) -> None:
    assert len(check(fake_package(tmp_path, {name: source}))) == 1

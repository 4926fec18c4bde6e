"""Fingerprints of code, so that editing a module reruns exactly the rules that use it.

Snakemake does not see edits inside an imported package. Each rule therefore carries, as a parameter, the fingerprint
of its command-line module and of everything in this package that the module imports, directly or not. Only source
files are read; nothing is imported, so that the Snakefile can call this while it is parsed. Versions of other packages
are not part of it, nor is any data file.
"""

import ast
import functools
import hashlib
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any


def code_fingerprint(module: str, source_root: Path) -> str:
    """Returns 12 hexadecimal digits that change when the code that a module runs on changes.

    Comments, formatting and docstrings do not count. Imports count wherever they stand, also inside functions.

    Args:
        module: dotted name, e.g. ``"emergent.cli.train"``.
        source_root: the folder that holds the package, e.g. ``src``.

    Raises:
        ModuleNotFoundError: the module, or one of its package that it imports, has no source file.
        ImportError: an import is relative, which this project does not use.
    """
    digest = hashlib.sha256()
    for name in import_closure(module, source_root):
        # With its name: code that moves from one module to another counts.
        digest.update(f"{name}:{_read(_source(name, source_root)).digest}\n".encode())
    return digest.hexdigest()[:12]


def files_digest(paths: Sequence[Path]) -> str:
    """Returns 12 hexadecimal digits that change when the content or the name of a file does, e.g. of a template."""
    digest = hashlib.sha256()
    for path in paths:
        digest.update(f"{path.name}:{hashlib.sha256(path.read_bytes()).hexdigest()}\n".encode())
    return digest.hexdigest()[:12]


def import_closure(module: str, source_root: Path) -> list[str]:
    """Returns the sorted names of a module, of the packages around it, and of all of its package that these import."""
    closure: set[str] = set()
    asked: set[str] = set()
    pending = [module]
    while pending:
        name = pending.pop()
        if name in closure:
            continue
        closure.add(name)
        # To import a module runs the __init__ of every package around it.
        pending.append(name.rpartition(".")[0] or name)
        for imported, importer_line in _read(_source(name, source_root)).imports:
            if imported.partition(".")[0] == module.partition(".")[0] and imported not in asked:
                asked.add(imported)
                pending.append(_existing(imported, source_root, f"{name}, line {importer_line}"))
    return sorted(closure)


def _existing(imported: str, source_root: Path, importer: str) -> str:
    """Returns the module that provides ``imported``: itself, or its parent when the last part is a name in there."""
    for candidate in (imported, imported.rpartition(".")[0]):
        if candidate and _find(candidate, source_root):
            return candidate
    raise ModuleNotFoundError(f"{importer} imports {imported}, which has no source file under {source_root}.")


def _find(module: str, source_root: Path) -> Path | None:
    # Text and not paths, which take ten times as long to make: this is asked thousands of times.
    stem = os.path.join(source_root, *module.split("."))
    return next((Path(path) for path in (f"{stem}.py", f"{stem}/__init__.py") if os.path.isfile(path)), None)


def _source(module: str, source_root: Path) -> Path:
    path = _find(module, source_root)
    if path is None:
        raise ModuleNotFoundError(f"{module} has no source file under {source_root}.")
    return path


class _Module:
    """What one source file contributes: the digest of its code and the (name, line) of each import."""

    def __init__(self, path: Path) -> None:
        tree = ast.parse(path.read_bytes(), filename=str(path))
        self.imports = list(_imports(tree, path))
        self.digest = hashlib.sha256(_canonical(tree).encode()).hexdigest()


def _canonical(node: Any) -> str:
    """Returns a syntax tree as text, without positions, docstrings and empty fields.

    Unlike ``ast.dump``, whose text changes from one Python to the next as optional fields are added.
    """
    if isinstance(node, ast.AST):
        fields = [(name, getattr(node, name, None)) for name in node._fields]
        words = [f"{name}={_canonical(value)}" for name, value in fields if value is not None and value != []]
        return f"{type(node).__name__}({','.join(words)})"
    if isinstance(node, list):
        return f"[{','.join(_canonical(item) for item in node if not _is_docstring(item))}]"
    return repr(node)


def _is_docstring(node: Any) -> bool:
    """Tells whether this is a statement that is only a string, which does nothing when run, wherever it stands."""
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)


def _read(path: Path) -> _Module:
    """Returns the parsed file, kept for the life of the process while the file stays as it is."""
    status = path.stat()
    return _read_version(path, status.st_mtime_ns, status.st_size)


@functools.cache
def _read_version(path: Path, modified: int, size: int) -> _Module:
    return _Module(path)


def _statements(tree: ast.AST) -> Iterator[ast.AST]:
    """Yields all statements, and what holds some; not the expressions in them, which are most of a syntax tree."""
    pending = [tree]
    while pending:
        node = pending.pop()
        yield node
        for name in ("body", "orelse", "finalbody", "handlers", "cases"):
            part = getattr(node, name, None)
            if isinstance(part, list):
                pending += part


def _imports(tree: ast.AST, path: Path) -> Iterator[tuple[str, int]]:
    for node in _statements(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name, node.lineno
        elif isinstance(node, ast.ImportFrom):
            if node.level:
                raise ImportError(f"{path}, line {node.lineno}: relative import; write the full name of the module.")
            for alias in node.names:
                # What is imported may be a module or a name in one; which of the two is looked up in the folder.
                yield f"{node.module}.{alias.name}", node.lineno

"""The drawing of the rooms in ``docs/design.md``: which package imports which, read from the source."""

import ast
from collections.abc import Iterator
from pathlib import Path

from emergent.config.base import Name, StrictModel, read_yaml, validate
from emergent.errors import DataError


class Rooms(StrictModel):
    """What every room is for, from the top of the house down."""

    rooms: dict[Name, str]


def room_imports(source: Path) -> dict[str, set[str]]:
    """Returns each room (package or module of ``emergent``) with the rooms that it imports from.

    Args:
        source: folder that holds the package ``emergent``.
    """
    package = source / "emergent"
    found: dict[str, set[str]] = {}
    for path in sorted(package.rglob("*.py")):
        room = path.relative_to(package).parts[0].removesuffix(".py")
        if room == "__init__":
            continue
        targets = found.setdefault(room, set())
        for node in _statements(ast.parse(path.read_text(encoding="utf-8"))):
            targets.update(_imported_rooms(node))
        targets.discard(room)
    return found


def _statements(node: ast.AST) -> Iterator[ast.AST]:
    """Yields all statements below a node; imports stand among them, and expressions are most of a tree."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.stmt | ast.ExceptHandler | ast.match_case):
            yield child
            yield from _statements(child)


def _imported_rooms(node: ast.AST) -> set[str]:
    if isinstance(node, ast.Import):
        names = [alias.name for alias in node.names]
    elif isinstance(node, ast.ImportFrom) and node.module == "emergent":
        names = [f"emergent.{alias.name}" for alias in node.names]
    elif isinstance(node, ast.ImportFrom):
        names = [node.module or ""]
    else:
        names = []
    return {name.split(".")[1] for name in names if name.startswith("emergent.")}


def drawing(root: Path) -> str:
    """Returns the rooms as a graph and as a table: from the top down, what each is for and what it imports.

    Raises:
        DataError: a room has no sentence, a sentence no room, or a room imports one above it.
    """
    path = root / "docs" / "templates" / "rooms.yaml"
    sentences = validate(Rooms, read_yaml(path), str(path)).rooms
    imports = room_imports(root / "src")
    if wrong := sorted(set(sentences) ^ set(imports)):
        raise DataError(f"{path}: rooms and sentences do not fit one another: {', '.join(wrong)}.")
    order = list(sentences)
    for room, targets in imports.items():
        if above := [target for target in targets if order.index(target) <= order.index(room)]:
            raise DataError(f"{path}: {room} imports {', '.join(above)}, which must stand below it.")
    arrows = [f"  {room} --> {target}" for room in order for target in order if target in _direct(room, imports)]
    graph = "\n".join(["```mermaid", "graph TD", *arrows, "```"])
    head = "| room | what it is for | imports |\n| --- | --- | --- |"
    lines = [
        f"| `{room}` | {sentences[room]} | {', '.join(t for t in order if t in imports[room]) or '–'} |"
        for room in order
    ]
    return f"{graph}\n\n{head}\n" + "\n".join(lines)


def _direct(room: str, imports: dict[str, set[str]]) -> set[str]:
    """Returns the rooms that it imports and that none of its other imports leads to: the arrows worth drawing."""
    return {
        target for target in imports[room]
        if not any(target in _reached(other, imports) for other in imports[room] - {target})
    }  # fmt: skip


def _reached(room: str, imports: dict[str, set[str]]) -> set[str]:
    found: set[str] = set()
    waiting = [room]
    while waiting:
        for target in imports[waiting.pop()] - found:
            found.add(target)
            waiting.append(target)
    return found

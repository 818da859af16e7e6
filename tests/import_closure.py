"""Which of our own modules a program imports, read from the source: nothing is executed."""

import ast
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def find(module, root=ROOT):
    """The file of a module of ours; None for other packages."""
    path = root.joinpath(*module.split("."))
    if path.with_suffix(".py").exists():
        return path.with_suffix(".py")
    return path / "__init__.py" if (path / "__init__.py").exists() else None


def imported_modules(path, lazily=True):
    """The names of modules that a file imports; `lazily`: also within functions."""
    tree = ast.parse(path.read_text())
    for node in ast.walk(tree) if lazily else tree.body:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def closure(*starts, lazily=True):
    """(our own files that these files import, directly or not; names of other modules)."""
    found, others, waiting = set(), set(), list(starts)
    while waiting:
        path = waiting.pop()
        if path in found:
            continue
        found.add(path)
        for name in imported_modules(path, lazily):
            if own := find(name):
                packages = name.split(".")
                waiting += [own, *(p for i in range(1, len(packages)) if (p := find(".".join(packages[:i]))))]
            elif not find(name.rpartition(".")[0] or name):
                others.add(name.split(".")[0])
    return found, others

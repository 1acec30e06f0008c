"""The modules of the package as text and syntax trees, for tests of its structure."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "modelaudit"
GENERATED = PACKAGE / "formats" / "graph" / "protos"
IMPORTERS = {"__import__", "import_module", "importlib.import_module"}


def module_name(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


SOURCES = {
    module_name(path): path.read_text(encoding="utf-8")
    for path in sorted(PACKAGE.rglob("*.py"))
    if not path.is_relative_to(GENERATED)
}
PACKAGES = {module_name(path) for path in PACKAGE.rglob("__init__.py")}
MODULES = {*SOURCES, *PACKAGES}


def within(module: str, rooms: tuple[str, ...]) -> bool:
    return any(module == room or module.startswith(f"{room}.") for room in rooms)


def imports(module: str, source: str) -> Iterator[str]:
    """Every module that a module imports, including imports in functions and by name."""
    package = module if module in PACKAGES else module.rpartition(".")[0]
    for node in nodes(source):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                above = package.split(".")[: len(package.split(".")) - node.level + 1]
                base = ".".join([*above, base] if base else above)
            for alias in node.names:
                inner = f"{base}.{alias.name}"
                if inner in MODULES:
                    yield inner
                elif inner != "modelaudit.__version__":
                    yield base
        elif isinstance(node, ast.Call) and called(node) in IMPORTERS and node.args:
            yield ast.unparse(node.args[0]).strip("'\"")


@cache
def nodes(source: str) -> tuple[ast.AST, ...]:
    return tuple(ast.walk(ast.parse(source)))


def called(node: ast.Call) -> str:
    return ast.unparse(node.func)

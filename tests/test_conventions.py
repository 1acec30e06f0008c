"""What holds for every file of tests."""

from __future__ import annotations

import ast
from pathlib import Path

TESTS = Path(__file__).resolve().parent
PACKAGE = TESTS.parent / "modelaudit"
FILES = sorted(TESTS.rglob("test_*.py"))
HEAVY = {"tensorflow", "keras", "tf_keras"}


def test_tests_are_in_directories_that_the_package_has():
    folders = {path.parent.relative_to(TESTS) for path in FILES}
    assert [folder for folder in sorted(folders) if not (PACKAGE / folder).is_dir()] == []


def test_collecting_imports_no_tensorflow():
    """It takes seconds in each worker, also for a single test: there are fixtures for it."""
    assert [path.name for path in FILES if HEAVY & set(imported(path))] == []


def imported(path: Path) -> list[str]:
    """Packages that a module imports where it begins."""
    found = []
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Import):
            found += [alias.name.partition(".")[0] for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            found.append((node.module or "").partition(".")[0])
        elif isinstance(node, ast.Assign) and isinstance(node.value, ast.Call):
            found += [each.value for each in node.value.args if isinstance(each, ast.Constant)]
    return found

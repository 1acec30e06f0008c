"""The files that other interpreters run: Python 3.7 syntax, no unavailable imports."""

from __future__ import annotations

import ast
import sys
from pathlib import Path

import pytest

import modelaudit.probe

FOLDER = Path(modelaudit.probe.__file__).parent / "child"
CHILD = (
    *("zygote", "worker", "frames", "adapters", "graph_adapters", "loading", "observing"),
    *(
        "arrays",
        "callables",
        "compiling",
        "encoded_inputs",
        "graph_heads",
        "graph_settings",
        "graph_shapes",
        "lite_adapter",
    ),
    *("sandbox", "landlock", "seccomp", "allowed_calls", "unprivileged"),
)
SINCE_3_8 = {
    *("removeprefix", "removesuffix", "prod", "cached_property", "pairwise", "send_fds"),
    *("recv_fds", "waitstatus_to_exitcode", "pidfd_open", "is_relative_to", "batched"),
}


@pytest.mark.parametrize("name", CHILD)
def test_child_files_parse_as_python_3_7(name: str) -> None:
    source = (FOLDER / f"{name}.py").read_text()
    tree = ast.parse(source, feature_version=(3, 7))
    used = {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    assert not used & SINCE_3_8
    for node in ast.walk(tree):  # ast accepts zip's keyword in every version
        if isinstance(node, ast.Call):
            assert "strict" not in {keyword.arg for keyword in node.keywords}


@pytest.mark.parametrize("name", CHILD)
def test_child_files_need_nothing_installed_but_numpy_and_tensorflow(name: str) -> None:
    allowed = sys.stdlib_module_names | {"numpy", "tensorflow"}
    for node in ast.walk(ast.parse((FOLDER / f"{name}.py").read_text())):
        if isinstance(node, ast.Import):
            assert all(alias.name.split(".")[0] in allowed for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level:
            modules = [node.module] if node.module else [alias.name for alias in node.names]
            assert set(modules) <= set(CHILD)
        elif isinstance(node, ast.ImportFrom):
            assert (node.module or "").split(".")[0] in allowed

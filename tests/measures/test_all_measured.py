"""Every measure is called by the package; otherwise it would not reach an audit."""

from __future__ import annotations

import ast
from collections import Counter

import pytest

from tests.sources import SOURCES, within


@pytest.mark.slow
def test_every_measure_is_called():
    uses = Counter(
        node.id if isinstance(node, ast.Name) else node.attr
        for source in SOURCES.values()
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Name | ast.Attribute)
    )
    measures = [
        (module, node.name)
        for module, source in SOURCES.items()
        if within(module, ("modelaudit.measures",))
        for node in ast.parse(source).body
        if isinstance(node, ast.FunctionDef) and not node.name.startswith("_")
    ]
    assert len(measures) > 50
    assert [each for each in measures if not uses[each[1]]] == []

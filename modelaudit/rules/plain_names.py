"""Names from a file in the texts of findings: none of them begins a line.

Behind the first line of a fix stands code to paste, so a line break in the name of a layer would
let a file write that code.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from modelaudit.facts import Artifact, Json
from modelaudit.findings import Finding
from modelaudit.structs import PerObject, replace
from modelaudit.work_budget import spend

# What ends a line for Python, HTML or `str.splitlines`.
_BREAK = re.compile("[\n\r\x0b\x0c\x1c\x1d\x1e\x85\u2028\u2029]")


def with_plain_names(finding: Finding, artifact: Artifact) -> Finding:
    """The finding with escapes for line breaks in names of the file."""
    if not (_BREAK.search(finding.detail) or _BREAK.search(finding.fix)):
        return finding
    pieces = _broken_pieces(artifact)
    if not pieces:
        return finding
    return replace(
        finding, detail=_escaped(finding.detail, pieces), fix=_escaped(finding.fix, pieces)
    )


def _escaped(text: str, pieces: Iterable[str]) -> str:
    for piece in pieces:
        if piece in text:
            text = text.replace(piece, _BREAK.sub(_escape, piece))
    return text


def _escape(found: re.Match[str]) -> str:
    return found[0].encode("unicode_escape").decode()


def _pieces(artifact: Artifact) -> tuple[str, ...]:
    """Parts of names around their line breaks, the longest first: texts may shorten names."""
    found = set()
    for name in _names(artifact):
        if name.isprintable():
            continue
        ends = [match.start() for match in _BREAK.finditer(name)]
        for start, at in zip([-1, *ends], ends, strict=False):
            before = name[start + 1 : at + 1]
            found.add(before if len(before) > 1 else name[at : at + 2])
            spend(1)
    return tuple(sorted(found, key=lambda each: (-len(each), each)))


_broken_pieces = PerObject(_pieces)


def _names(artifact: Artifact) -> Iterator[str]:
    for layer in artifact.architecture.layers if artifact.architecture else ():
        yield from (layer.route, layer.name, layer.class_name, *layer.variables.values())
    yield from (tensor.name for tensor in artifact.tensors)
    yield from (each.path for each in artifact.files)
    for graph in artifact.graphs:
        yield from (node.name for node in graph.nodes)
        for function in graph.functions.values():
            yield function.name
            yield from (node.name for node in function.nodes)
    for signature in artifact.signatures:
        yield from (signature.name, *(each.tensor for each in signature.outputs))
    yield from _texts(dict(artifact.training or {}), 6)


def _texts(value: Json, deeper: int) -> Iterator[str]:
    """All texts of a setting: names of losses, metrics and outputs."""
    if isinstance(value, str):
        yield value
    elif deeper and isinstance(value, dict):
        for key, each in value.items():
            yield key
            yield from _texts(each, deeper - 1)
    elif deeper and isinstance(value, list):
        for each in value:
            yield from _texts(each, deeper - 1)

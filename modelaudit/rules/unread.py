"""Rules whose input could not be read completely: they do not pass."""

from __future__ import annotations

import re
from enum import Enum, auto

from modelaudit.facts import Artifact, Problem, ProblemKind
from modelaudit.rules.integrity.files import LOST_KINDS
from modelaudit.rules.model import Facts, Family, Need, Rule
from modelaudit.rules.plain_graphs.architecture import shown_by_graph
from modelaudit.rules.problem_findings import sentence
from modelaudit.structs import PerObject

UNREAD_KINDS = frozenset(
    {ProblemKind.UNREADABLE, ProblemKind.UNSUPPORTED, ProblemKind.LIMIT_EXCEEDED}
)
"""A part of a file that was not read, as opposed to one that is damaged."""
_DAMAGE = UNREAD_KINDS | LOST_KINDS | {ProblemKind.TEXT_MANGLED, ProblemKind.CONFIG_INVALID}


# Problems of stored values, whatever file they are in.
_OF_VALUES = frozenset(
    {
        *(ProblemKind.MISSING_SHARD, ProblemKind.SIZE_MISMATCH, ProblemKind.CRC_MISMATCH),
        ProblemKind.TENSOR_UNREADABLE,
    }
)


class _Part(Enum):
    CONFIG = auto()
    GRAPH = auto()
    WEIGHTS = auto()


_ENDINGS = (
    (_Part.CONFIG, re.compile(r"(?:\.json|keras_metadata\.pb|(?:model|training)_config)\Z")),
    (_Part.GRAPH, re.compile(r"\.(?:pb|pbtxt|meta)\Z")),
    (_Part.WEIGHTS, re.compile(r"\.(?:h5|hdf5|npz|index|data-[\w-]+)\Z")),
)
_NEEDS = {
    Need.CONFIG: _Part.CONFIG,
    Need.ARCHITECTURE: _Part.CONFIG,
    Need.LAYERS: _Part.CONFIG,
    Need.TENSORS: _Part.WEIGHTS,
    Need.MEASUREMENTS: _Part.WEIGHTS,
    Need.GRAPH: _Part.GRAPH,
}


def unread_input(rule: Rule, facts: Facts) -> str:
    """Why a rule that found nothing does not pass: a part of its input was not read; else "".

    Rules on configs, graphs and weights depend on these parts, rules on containers on everything,
    and rules on the integrity of files on every file that could not be opened.
    """
    artifact = facts.artifact
    parts = _parts(rule) if artifact.problems else set()
    for problem in artifact.problems:
        if problem.kind not in _DAMAGE:
            continue
        if parts:
            concerned = _part(problem, artifact) in parts
        elif rule.family is Family.INTEGRITY:
            concerned = problem.kind in UNREAD_KINDS
        else:
            concerned = rule.family is Family.SECURITY
        if concerned:
            return f"not determined: {sentence(problem)}"
    return _other_operations(artifact) if Need.LAYERS in rule.needs else ""


def _parts(rule: Rule) -> set[_Part]:
    """The parts of a model that a rule needs."""
    parts = {_NEEDS[need] for need in rule.needs if need in _NEEDS}
    return parts | {_Part.WEIGHTS} if rule.family is Family.WEIGHTS else parts


def _left_open(artifact: Artifact) -> str:
    shown = shown_by_graph(artifact)
    others = [layer for layer in shown.layers if layer.custom] if shown is not None else []
    if not others:
        return ""
    names = ", ".join(sorted({layer.class_name for layer in others})[:3])
    return f"not determined: the graph has operations that are no layers of Keras ({names})"


_other_operations = PerObject(_left_open)
"""What the layers that a graph shows leave open, or ""."""


def unlisted_weights(artifact: Artifact) -> str:
    """Why the file may hold more weights than were found, or "": a limit ended the search."""
    for problem in artifact.problems:
        ended = problem.kind is ProblemKind.LIMIT_EXCEEDED and (
            problem.evidence.get("hdf5") in {None, "objects", "depth"}
        )
        if ended and _part(problem, artifact) is _Part.WEIGHTS:
            return f"not determined: {sentence(problem)}"
    return ""


def _part(problem: Problem, artifact: Artifact) -> _Part | None:
    """The part of the model that a problem is in; None for assets and foreign files."""
    if problem.kind in _OF_VALUES:
        return _Part.WEIGHTS
    for part, ending in _ENDINGS:
        if ending.search(problem.route) or ending.search(problem.file):
            return part
    # The whole file: what else it contains was read, or its rules are not applicable.
    return _Part.WEIGHTS if problem.file == artifact.root.name else None

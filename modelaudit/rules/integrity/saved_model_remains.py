"""SavedModel directories without a graph: one under another name, or remains beside a model."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from modelaudit.facts import Artifact, Problem, ProblemKind
from modelaudit.findings import Finding, Severity
from modelaudit.rules.file_advice import advised, misplaced_variables
from modelaudit.rules.grouped import LISTED
from modelaudit.rules.program_files import head_of
from modelaudit.structs import replace

_GRAPH = "saved_model.pb"
_SAVED_MODEL = b"\x08\x01\x12"  # the schema's version 1, and the first graph
_MODELS = (".keras", ".h5", ".hdf5", ".tflite")
_RENAME = "Rename {} to saved_model.pb, and keep it in one directory with its variables/."


def with_remains(artifact: Artifact, told: Iterable[tuple[Problem, Finding]]) -> Iterator[Finding]:
    """The findings on problems, with what to do about a graph that has another name.

    Empty variables without a graph, beside the file of another model, are remains: low. What is no
    leftover of the SavedModel is not told as one.
    """
    problems = artifact.problems
    lost = any(p.kind is ProblemKind.MISSING_FILE and p.file == _GRAPH for p in problems)
    beside = [p for p in problems if p.kind is ProblemKind.LEFTOVER and lost]
    graphs = [p.file for p in beside if head_of(p).startswith(_SAVED_MODEL)]
    variables = [each for each in artifact.files if each.path.startswith("variables/")]
    empty = not any(each.size for each in variables)
    models = [p.file for p in beside if empty and p.file.endswith(_MODELS)]
    misplaced = misplaced_variables(problems)
    for problem, finding in told:
        if problem in beside and problem.file in {*graphs, *models}:
            continue
        if models and problem.kind is ProblemKind.EMPTY:
            continue  # the missing graph says it
        if problem.kind is ProblemKind.LEFTOVER and problem.file in misplaced:
            continue
        if misplaced and problem.kind is ProblemKind.MISSING_FILE:
            listed = ", ".join(misplaced[:LISTED])
            yield replace(finding, fix=f"Move {listed} into `variables/`.")
        elif problem.file == _GRAPH and lost and graphs:
            yield replace(finding, fix=_RENAME.format(graphs[0]))
        elif models and problem.kind is ProblemKind.MISSING_FILE:
            title = f"Remains of a SavedModel without content, beside {models[0]}"
            fix = f"Delete the empty files, unless a SavedModel is needed beside {models[0]}."
            yield replace(finding, severity=Severity.LOW, title=title, fix=fix)
        else:
            yield advised(artifact, problem, finding)

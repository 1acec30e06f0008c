"""What to do about a file that is missing, has the wrong name, or is of another format."""

from __future__ import annotations

from collections.abc import Sequence

from modelaudit.audit_types.loading import LoadOutcome
from modelaudit.facts import Artifact, Problem, ProblemKind
from modelaudit.file_formats import Container, Format
from modelaudit.findings import Finding, Severity
from modelaudit.formats.checkpoint.state_fields import HISTORY, LATEST
from modelaudit.rules.model import Facts
from modelaudit.runtimes.model import OF_NAMES, LoadCall
from modelaudit.structs import replace

_COPY = {
    Container.SAVED_MODEL: "Copy the whole directory of the SavedModel, with `variables/` in it.",
    Container.CHECKPOINT: "Copy all files of the checkpoint: `.index` and every `.data-…-of-…`.",
    Container.ZIP: "Save the model again with `model.save`.",
    Container.JSON: "Copy the JSON file together with all files of weights that it lists.",
}
_ARCHITECTURE = (
    "`model.to_json()` was written to this file. Rename it to `{name}`, build the model with "
    "`keras.models.model_from_json` and load its weights from their own file. If there is none, "
    'save the trained model again with `model.save("model.keras")`.'
)


def advised(artifact: Artifact, problem: Problem, finding: Finding) -> Finding:
    """The finding with advice for its format, if the general advice does not fit it."""
    match problem.kind:
        case ProblemKind.MISSING_FILE:
            fix = _COPY.get(artifact.format.info.container, finding.fix)
            return replace(finding, fix=fix)
        case ProblemKind.MISSING_SHARD if name := problem.evidence.get("renamed"):
            wanted = problem.route or problem.file.rpartition("/")[2]
            fix = f"Rename `{name}` to `{wanted}`, if it is that file. {finding.fix}"
            return replace(finding, fix=fix)
        case ProblemKind.SUFFIX_MISMATCH if "graph_def" in problem.evidence:
            return replace(finding, title=_GRAPH_DEF, fix=_imported(problem))
        case ProblemKind.SUFFIX_MISMATCH if "taken" in problem.evidence:
            return replace(
                finding, title=_TITLE, fix=_place(problem), detail=_graph(finding, problem)
            )
        case ProblemKind.SUFFIX_MISMATCH if name := problem.evidence.get("rename"):
            return replace(finding, title=_SUFFIX, fix=f"Rename `{problem.file}` to `{name}`.")
        case ProblemKind.UNSUPPORTED if problem.evidence.get("content") == "architecture":
            name = f"{problem.file.rpartition('.')[0] or problem.file}.json"
            title = "The file contains the architecture of a Keras model, without its weights"
            return replace(finding, title=title, fix=_ARCHITECTURE.format(name=name))
        case ProblemKind.UNSUPPORTED if problem.evidence.get("content") == "nested-archive":
            fix = "Make the archive again from the files, without the directory that holds them."
            return replace(finding, title="The files of the archive are in a directory", fix=fix)
        case ProblemKind.UNSUPPORTED if artifact.format is Format.TFLITE and problem.route:
            return replace(finding, title=_STORED, severity=Severity.LOW, fix=_OTHERWISE_STORED)
    return finding


_STORED = "A tensor is stored in a form whose values are not audited"
_OTHERWISE_STORED = (
    "Nothing, if the interpreter runs the model: such tensors are valid in TensorFlow Lite. To audit "
    "their values, audit the Keras model that was converted, or convert it without this form of "
    "storage (sparse weights, weights in blocks)."
)
_SUFFIX = "The file's suffix does not match its format"
_GRAPH_DEF = "A GraphDef has the name of a SavedModel's graph"
_TITLE = "The graph of a SavedModel has another name than loaders look for"


def _graph(finding: Finding, problem: Problem) -> str:
    lost = problem.evidence.get("needed") and not problem.evidence.get("variables")
    if not lost or problem.evidence.get("taken"):
        return finding.detail
    return f"{finding.detail}. Its variables, in variables/, are not beside it"


def and_then(facts: Facts, finding: Finding) -> Finding:
    """The finding on a name, with what else stops the installed Keras behind the right name."""
    for each in facts.predictions:
        if each.runtime != facts.installed or each.call != LoadCall.LOAD_MODEL:
            continue
        failing = [why for why in each.because if why.predicted is LoadOutcome.FAILS]
        others = [why for why in failing if why.code not in OF_NAMES]
        if others and len(others) < len(failing):
            more = f"{each.runtime} does not load it then either, because {others[0].text} (MA220)."
            return replace(finding, fix=f"{finding.fix} {more}")
        if failing and not others and each.compiling:
            more = f"Then load it with compile=False: {each.runtime} cannot compile it as it was "
            more += f"saved, because {each.compiling[0].text} (MA213)."
            return replace(finding, fix=f"{finding.fix} {more}")
    return finding


def _imported(problem: Problem) -> str:
    """How to load a GraphDef that has the name of a SavedModel's graph."""
    suffix = problem.file.rpartition(".")[2]
    fix = (
        f"Rename `{problem.file}`, for example to `graph.{suffix}`, and import it with "
        "`tf.graph_util.import_graph_def`. To serve it, write a SavedModel with "
        "`tf.compat.v1.saved_model.simple_save`."
    )
    if not problem.evidence.get("variables"):
        return fix
    return f"{fix} Before that, restore the values of its variables from their checkpoint."


def _place(problem: Problem) -> str:
    """Where the graph and its variables belong."""
    name, evidence = str(problem.evidence.get("rename")), problem.evidence
    needed = evidence.get("needed") is not False
    if evidence.get("taken"):
        also = " Its `variables/` belongs there, too; the one here is that of the other graph."
        also = (
            also
            if evidence.get("variables") == "variables"
            else " Its `variables/` belongs there, too."
        )
        return (
            f"Put `{problem.file}` into a directory of its own, as `{name}`: here another graph has "
            f"that name.{also if needed else ''}"
        )
    rename = f"Rename `{problem.file}` to `{name}`, and load its directory."
    if not needed or evidence.get("variables") == "variables":
        return rename
    if evidence.get("variables"):
        return f"{rename} Move variables.index and variables.data-… into `variables/` in it."
    return (
        f"Find its `variables/`, or export the model again: without them the weights are lost. "
        f"Then rename `{problem.file}` to `{name}`, and load its directory."
    )


def misplaced_variables(problems: Sequence[Problem]) -> tuple[str, ...]:
    """Files of the variables that lie outside `variables/` in a SavedModel that lacks its index."""
    lost = any(p.kind is ProblemKind.MISSING_FILE and p.file == _INDEX for p in problems)
    left = [p.file for p in problems if p.kind is ProblemKind.LEFTOVER and lost]
    homes = {file.removesuffix(".index") for file in left if file.endswith("variables.index")}
    return tuple(
        file for file in left if any(file.startswith((f"{h}.index", f"{h}.data-")) for h in homes)
    )


_INDEX = "variables/variables.index"


def of_state_file(finding: Finding, problem: Problem) -> Finding:
    """What to do about paths that a `checkpoint` file names, by the field that names them."""
    if problem.evidence.get(LATEST):
        write = f"write the plain name of the checkpoint to `{LATEST}`"
        fix = f"Restore with an explicit prefix, or {write}."
    else:
        fix = f"Delete the paths in `{HISTORY}`, or write plain names. `{LATEST}` is not affected."
    return replace(finding, fix=fix) if {LATEST, HISTORY} & problem.evidence.keys() else finding

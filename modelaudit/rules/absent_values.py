"""Files of a model that hold no value of a weight: checkpoints of counters, graphs not frozen."""

from __future__ import annotations

from collections.abc import Iterator

from modelaudit.facts import Artifact, Format
from modelaudit.findings import Finding, Severity
from modelaudit.formats.graph.restore_ops import VARIABLES
from modelaudit.rules.grammar import counted, quoted
from modelaudit.rules.model import Facts, Rule

_REAL = ("float16", "bfloat16", "float32", "float64")
LISTED = 20  # names listed in one finding; the rest is counted


def variables_without_values(artifact: Artifact) -> list[str]:
    """Variables of a graph in a file of its own, which cannot hold their values.

    Scalars count where there is nothing else, and only real ones: others are counters, and what
    an optimizer keeps.
    """
    if artifact.format is not Format.FROZEN_GRAPH or not artifact.graphs:
        return []
    nodes = [each for each in artifact.graphs[0].nodes if each.op in VARIABLES]
    arrays = [each.name for each in nodes if each.attrs.get("shape")]
    return arrays or [each.name for each in nodes if each.attrs.get("dtype") in _REAL]


def without_values(rule: Rule, facts: Facts) -> Iterator[Finding]:
    """A graph with variables, in a file that cannot hold their values."""
    if names := variables_without_values(facts.artifact):
        yield rule.finding(
            f"The graph has {counted(len(names), 'variable', 'variables')}, but the file holds no "
            f"values of variables: {', '.join(quoted(names[:LISTED]))}{' …' if len(names) > LISTED else ''}. They are "
            "in a checkpoint, if they were saved.",
            route=names[0],
            title="The file holds a graph without the values of its variables",
            severity=Severity.LOW,  # training writes such graphs beside its checkpoints
            evidence={"measured": 0, "unit": "values", "n": len(names)},
            key="no values",
            fix="Freeze the graph with its checkpoint, or keep both together.",
        )


_OF_WEIGHTS = {
    Format.TF2_CHECKPOINT: ("checkpoint", "without the model, or before it was built"),
    Format.WEIGHTS_H5_V3: ("file", "before the model was built, or of a model without weights"),
    Format.WEIGHTS_H5_LEGACY: ("file", "before the model was built, or of a model without weights"),
}


def holds_counters(artifact: Artifact) -> bool:
    """Whether it is a whole file of weights without one, and without what an optimizer keeps."""
    weights = any(tensor.role in ("weight", "optimizer") for tensor in artifact.tensors)
    return artifact.format in _OF_WEIGHTS and artifact.complete and not weights


def only_counters(rule: Rule, facts: Facts) -> Iterator[Finding]:
    """Weights without a weight: of `tf.train.Checkpoint()`, or of a model that was not built.

    It may be a model that needs none, as one of Flatten alone: no architecture says that.
    """
    artifact = facts.artifact
    names = [tensor.name for tensor in artifact.tensors if tensor.dtype != "string"]
    kind = _OF_WEIGHTS.get(artifact.format)
    if kind and holds_counters(artifact):
        what, saved = kind
        held = f", only {', '.join(quoted(names[:LISTED]))}" if names else ""
        yield rule.finding(
            f"The {what} holds no weights{held}: it was saved {saved}.",
            severity=Severity.LOW,
            evidence={"measured": 0, "unit": "weights in the file"},
            key="no weights",
        )

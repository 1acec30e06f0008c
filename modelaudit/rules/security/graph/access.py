"""MA740 to MA750: operations that reach outside the graph."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from modelaudit.facts import Artifact, Format, Json
from modelaudit.findings import Confidence, Finding, Severity
from modelaudit.rules.absent_values import variables_without_values
from modelaudit.rules.grouped import by_cause
from modelaudit.rules.model import Check, Facts, Family, Need, Rule, rules_of
from modelaudit.rules.security.graph.examples import constant, graph_with, harmless
from modelaudit.rules.security.graph.input_sources import ValueOrigin
from modelaudit.rules.security.graph.operations import GraphOperation, graph_file, operations
from modelaudit.rules.security.graph.reachability import ADAPT, Reach
from modelaudit.rules.security.op_threats import THREATS, OpThreat

_CHECKPOINTING, _PIPELINE, _CALLBACK = "MA746", "MA745", "MA744"
_READS_ASSETS = frozenset({"MA741", "MA742", "MA745", "MA747", "MA748"})
_OF_PROGRAM = (
    "If the path is one of training data, this is the input pipeline of the program that trained or "
    "tested the model. To use the model, export its prediction function only."
)
_ASKED = (
    "Serve it only to callers who may name any file of the machine, as where it is trained further on "
    "a device. For others, export a function that takes the content of the file, or no file."
)
# Attributes that name the target; `_NO_PLACE` are values that name none.
_ATTRIBUTES = {
    "PrintV2": "output_stream",
    "DecodeProtoV2": "descriptor_source",
    "EncodeProto": "descriptor_source",
    "DumpTensor": "log_dir_path",
    "CalibrationStatisticsSaver": "output_file_path",
    "ImmutableConst": "memory_region_name",
    "RecordInput": "file_pattern",
    **dict.fromkeys(
        (
            *("DebugIdentity", "DebugIdentityV2", "DebugIdentityV3", "DebugNanCount"),
            *("DebugNumericSummary", "DebugNumericSummaryV2"),
        ),
        "debug_urls",
    ),
}
_NO_PLACE = frozenset({"", "local://", "stdout", "stderr", "log(info)", "log(warning)"}) | {
    "log(error)"
}
_NAMED = frozenset({"constant", "asset", "rewritten"})  # origins whose text is known
_INSIDE = "memmapped_package://"  # of a frozen graph that is stored in one file with its weights
_SHOWN = 300
_MOST = 1000  # operations of one kind to follow; a legitimate graph has none


def is_of_program(artifact: Artifact) -> bool:
    """Whether the graph is that of a program of TensorFlow 1, whose weights are in a checkpoint.

    Advice follows from it, no severity: a variable that nothing needs is easily added to a graph.
    """
    if artifact.format in (Format.TF1_CHECKPOINT, Format.TF1_CHECKPOINT_V1):
        return True
    return not artifact.kernels and bool(variables_without_values(artifact))


def lowered(severity: Severity, steps: int) -> Severity:
    """A severity lowered by some steps."""
    return list(Severity)[max(severity.rank - steps, 0)]


def _check(threat: OpThreat) -> Check:
    def check(rule: Rule, facts: Facts) -> Iterator[Finding]:
        ours = [
            operation
            for operation in operations(facts.artifact).watched
            if operation.node.op in threat.operations
        ]
        followed, left = _followed(threat, ours)
        found = (each for one in followed for each in _judge(rule, facts, threat, one))
        yield from by_cause(found, "operation")
        if left:
            yield rule.finding(
                f"{left:,} more such operations were not traced.",
                file=graph_file(facts.artifact),
                evidence={"measured": len(ours), "unit": "operations", "threshold": _MOST},
            )

    return check


def _followed(threat: OpThreat, ours: Sequence[GraphOperation]) -> tuple[list[GraphOperation], int]:
    """Operations to judge, and the number of those beyond the limit.

    What takes the same targets and runs alike is traced once: each `Saver` of TensorFlow 1 has an
    operation for every variable, and some programs make a new one for every checkpoint.
    """
    honest: dict[object, bool] = {}
    followed: list[GraphOperation] = []
    left = 0
    for one in ours:
        inputs = [each for each in one.node.inputs if not each.startswith("^")]
        targets = tuple(inputs[i] for i in threat.operations[one.node.op] if i < len(inputs))
        function = one.function.name if one.function else ""
        key = (one.prefix, function, one.node.op, targets or one.node.name, one.reach)
        if key not in honest and len(honest) < _MOST:
            sources = _sources(threat, one)
            honest[key] = sources is None or _is_honest(threat, one, sources)
        if key not in honest or (not honest[key] and len(followed) == _MOST):
            left += 1
        elif not honest[key]:
            followed.append(one)
    return followed, left


def _judge(
    rule: Rule, facts: Facts, threat: OpThreat, operation: GraphOperation
) -> Iterator[Finding]:
    sources = _sources(threat, operation)
    if sources is None or _is_honest(threat, operation, sources):
        return
    fix = rule.fix
    if threat.code in _READS_ASSETS and is_of_program(facts.artifact):
        fix = _OF_PROGRAM
    elif _is_asked(sources):
        fix = _ASKED
    yield rule.finding(
        _detail(threat, operation, sources),
        file=graph_file(facts.artifact),
        route=operation.route,
        evidence={
            "op": operation.node.op,
            "reached": operation.via or None,
            "targets": _texts(sources),
            "from": [*sorted({source.kind for source in sources})],
        },
        key=operation.node.op,
        severity=_severity(facts.artifact, threat, operation, sources),
        fix=fix,
        confidence=Confidence.CERTAIN if operation.reach is Reach.RUN else Confidence.HIGH,
    )


def _sources(threat: OpThreat, operation: GraphOperation) -> tuple[ValueOrigin, ...] | None:
    """Where the operation's target comes from; None if it has none and so does nothing."""
    attribute = _ATTRIBUTES.get(operation.node.op)
    if attribute is not None:
        value = operation.node.attrs.get(attribute)
        values = value if isinstance(value, list) else [value]
        texts = [v for v in values if isinstance(v, str) and not v.startswith(_INSIDE)]
        named = [v for v in texts if v not in _NO_PLACE]
        return tuple(ValueOrigin("constant", value) for value in named) or None
    found: list[ValueOrigin] = []
    for position in threat.operations[operation.node.op]:
        found.extend(operation.origins(position))
    # An empty name makes a cache or summary use memory.
    if found and all(source.kind == "constant" and source.value == "" for source in found):
        return None
    return tuple(found)


def _is_honest(
    threat: OpThreat, operation: GraphOperation, sources: tuple[ValueOrigin, ...]
) -> bool:
    """Whether the operation does what every exported model does."""
    kinds = {source.kind for source in sources}
    if threat.code == _CHECKPOINTING:
        if operation.reach is Reach.RUN:
            return False
        # A saver uses the path that it is given. One that names its own path reads elsewhere.
        return operation.reach is Reach.DEAD or kinds != {"constant"}
    return threat.code in _READS_ASSETS and kinds == {"asset"}


def _severity(
    artifact: Artifact,
    threat: OpThreat,
    operation: GraphOperation,
    sources: tuple[ValueOrigin, ...],
) -> Severity:
    if operation.reach is Reach.DEAD:
        return lowered(threat.severity, 2)
    if operation.node.op == "MergeV2Checkpoints":
        return Severity.CRITICAL  # it deletes what it has merged
    # The input pipeline of a training graph, which inference does not run.
    if threat.code == _PIPELINE and artifact.training_graph:
        return lowered(threat.severity, 1)
    # What a layer of Keras runs there is code of Keras, too: a prediction does not need it.
    if threat.code == _CALLBACK and operation.via == ADAPT:
        return lowered(threat.severity, 1)
    # The path of an asset that the graph changes leads elsewhere, and hides where.
    if any(source.kind == "rewritten" for source in sources):
        return max(threat.severity, Severity.HIGH, key=lambda each: each.rank)
    return lowered(threat.severity, 1) if _is_asked(sources) else threat.severity


def _is_asked(sources: tuple[ValueOrigin, ...]) -> bool:
    """Whether the caller of the model names the file."""
    return bool(sources) and all(source.kind == "input" for source in sources)


def _detail(threat: OpThreat, operation: GraphOperation, sources: tuple[ValueOrigin, ...]) -> str:
    texts = _texts(sources)
    if any(source.kind == "rewritten" for source in sources):
        where = (
            f", whose path it computes from that of an asset ({', '.join(map(repr, texts[:4]))})"
        )
    elif texts:
        where = f" ({', '.join(repr(text) for text in texts[:4])})"
    elif any(source.kind == "input" for source in sources):
        caller = "the model's input" if operation.via or not operation.function else "its caller"
        where = f" named by {caller}"  # a function that nothing runs has arguments of its own
    else:
        where = ""
    when = f"run by {operation.via}" if operation.via else "not run by anything in the file"
    return f"{operation.node.op} {threat.does}{where}; {when}."


def _texts(sources: tuple[ValueOrigin, ...]) -> list[Json]:
    named = [s for s in sources if s.kind in _NAMED and s.value not in {None, ""}]
    return [str(source.value)[:_SHOWN] for source in named[:16]]


def _example(threat: OpThreat) -> Callable[[], Facts]:
    op, positions = next(iter(threat.operations.items()))
    attributes: dict[str, Json] = {}
    if op in _ATTRIBUTES:
        attributes[_ATTRIBUTES[op]] = "file:///tmp/elsewhere"
    count = max(positions, default=-1) + 1
    nodes = tuple(constant(f"path_{i}", "/srv/elsewhere") for i in range(count))
    return lambda: graph_with(op, nodes, attributes)


RULES = rules_of(THREATS, Family.SECURITY, Need.GRAPH, check=_check, bad=_example, good=harmless)

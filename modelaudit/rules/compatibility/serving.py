"""MA225 and MA226: models that cannot be served, in the declared runtime or in any."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from modelaudit.audit_types.loading import LoadOutcome, Status
from modelaudit.facts import Artifact, Format, Graph, Json, Signature
from modelaudit.findings import Confidence, Finding, Severity
from modelaudit.probe.protocol import Observation
from modelaudit.rules import examples
from modelaudit.rules.compatibility.repair_advice import with_repair
from modelaudit.rules.compatibility.runtimes import QUOTED
from modelaudit.rules.model import Facts, Family, Need, NotApplicable, NotRelevant, Rule
from modelaudit.runtimes.catalogue import covers
from modelaudit.runtimes.checks.meta_graphs import tags_argument
from modelaudit.runtimes.model import Prediction, Reason
from modelaudit.settings import Settings
from modelaudit.structs import replace

SERVE = "serve"  # the tag of graphs for inference
NO_SIGNATURE = "There is no signature, and no function to call."
ENDED = frozenset({Status.LOADED, Status.FAILED, Status.CRASHED})


def is_serving(facts: Facts, runtime: str) -> bool:
    """Whether this runtime is the declared one."""
    asked = facts.settings.serving
    return bool(asked) and (runtime == asked or covers(asked, runtime.partition("+tf-keras")[0]))


def serving_attempts(facts: Facts) -> tuple[Observation, ...]:
    """Attempts in the serving runtime that ended by loading or refusing the model."""
    seen = (*facts.observations, *facts.elsewhere)
    return tuple(each for each in seen if each.status in ENDED and is_serving(facts, each.target))


def serving_predictions(facts: Facts) -> tuple[Prediction, ...]:
    """The predictions for the serving runtime."""
    return tuple(each for each in facts.predictions if is_serving(facts, each.runtime))


def serving_loads(facts: Facts) -> bool:
    """Whether the serving runtime loads the model: as observed, or else as predicted."""
    if tried := serving_attempts(facts):
        return any(each.status is Status.LOADED for each in tried)
    good = (LoadOutcome.LOADS, LoadOutcome.CONDITIONAL, LoadOutcome.DIFFERS)
    return any(each.predicted in good for each in serving_predictions(facts))


def _refused(rule: Rule, facts: Facts) -> Iterator[Finding]:
    """What the serving runtime was observed to do, or else what is predicted for it."""
    if not facts.settings.serving:
        raise NotRelevant("no serving runtime is declared (`[serving]` in the settings)")
    tried, predicted = serving_attempts(facts), serving_predictions(facts)
    if not tried and not (facts.all_predictions() and predicted):
        raise NotApplicable("there are no predictions for files of this format")
    if serving_loads(facts):
        return
    if tried:
        yield _observed(rule, facts, tried[0])
    elif all(each.predicted is LoadOutcome.FAILS for each in predicted):
        yield _predicted(rule, facts, predicted[0])
    else:
        raise NotApplicable("it cannot be predicted whether the serving runtime loads the model")


def _observed(rule: Rule, facts: Facts, seen: Observation) -> Finding:
    return rule.finding(
        f"The serving runtime {facts.settings.serving} does not load the model: {seen.call} in "
        f"{seen.target} ended with {seen.failure[:QUOTED]}",
        evidence={
            "runtime": seen.target,
            "call": seen.call,
            "measured": seen.status.value,
            "versions": dict(seen.versions),
        },
        key=f"{seen.call} {seen.error_type}",
        fix=with_repair(facts, facts.settings.serving, rule.fix),
        confidence=Confidence.CERTAIN,
    )


def _predicted(rule: Rule, facts: Facts, first: Prediction) -> Finding:
    reason = first.because[0]
    return rule.finding(
        f"The serving runtime {first.runtime} cannot load the model: {first.call} fails because "
        f"{reason.text}.{reason.expected()}",
        route=reason.route,
        evidence={
            "runtime": first.runtime,
            "collected": first.collected,
            "call": first.call,
            "measured": first.predicted.value,
            "because": [each.facts() for each in first.because[:3]],
            "error": reason.error,
        },
        key=f"{first.call} {reason.code}",
        fix=with_repair(facts, first.runtime, reason.fix),
        severity=Severity.MEDIUM if first.conditions else rule.severity,
        confidence=min(rule.confidence, first.confidence, key=list(Confidence).index),
    )


def _functions(artifact: Artifact) -> dict[str, tuple[str, ...]]:
    """Functions of the root object with the names of their arguments, as far as they are saved."""
    nodes = {node.index: node for node in artifact.object_graph}
    root = nodes.get(0)
    found: dict[str, tuple[str, ...]] = {}
    for name, index in sorted(root.children.items()) if root else ():
        node = nodes.get(index)
        if node is None or node.kind not in ("function", "bare_function"):
            continue
        traces = [nodes[each] for each in node.children.values() if each in nodes] or [node]
        given = traces[0].detail.get("arguments")
        found[name] = tuple(map(str, given)) if isinstance(given, list) else ()
    return found


def _not_served(rule: Rule, facts: Facts) -> Iterator[Finding]:
    artifact = facts.artifact
    if not artifact.format.is_saved_model:
        raise NotRelevant("only a SavedModel has signatures and tags")
    if not artifact.graphs:
        raise NotApplicable("the graph cannot be read")
    tags = [list(graph.tags) for graph in artifact.graphs if not graph.held_by]
    functions = _functions(artifact)
    signatures = [each.name for each in artifact.signatures if not each.name.startswith("__")]
    served = any(SERVE in each for each in tags)
    if served and signatures:
        return
    told_tags: list[Json] = [[*each] for each in tags]
    told = [] if served else [f"No graph has the tag {SERVE}; {_listed(tags)}."]
    if not signatures:
        has = ", ".join(
            f"{name}({', '.join(given)})" if given else name for name, given in functions.items()
        )
        told.append(f"There is no signature; the functions are {has}." if has else NO_SIGNATURE)
    yield rule.finding(
        " ".join(told),
        evidence={"measured": len(signatures), "unit": "signatures", "tags": told_tags},
        severity=Severity.INFO if served and functions else rule.severity,
        fix=f"{rule.fix}\n\n{_load_call(artifact, tags, signatures, functions)}",
    )


def _listed(tags: Sequence[Sequence[str]]) -> str:
    named = [", ".join(each) for each in tags if each]
    return f"the tags are {' and '.join(named)}" if named else "it has no tag"


def _load_call(
    artifact: Artifact,
    tags: Sequence[Sequence[str]],
    signatures: Sequence[str],
    functions: Mapping[str, Sequence[str]],
) -> str:
    """The calls that load what is there."""
    path, first = artifact.root.name, list(tags[0]) if tags else []
    if artifact.format is Format.SAVEDMODEL_TF2 or signatures:
        name = next(iter(functions), "")
        call = f".signatures[{signatures[0]!r}]" if signatures else f".{name}" if name else ""
        given = tags_argument(artifact)
        used = f"\n    model{call.removesuffix('.__call__')}(...)" if call else ""
        return (
            f"    import tensorflow as tf\n    model = tf.saved_model.load({path!r}{given}){used}"
        )
    return (
        "    import tensorflow.compat.v1 as tf\n"
        "    with tf.Session(graph=tf.Graph()) as session:\n"
        f"        tf.saved_model.load(session, {first!r}, {path!r})\n"
        "        session.run(...)  # tensors by name"
    )


def _saved_model(tag: str, *signatures: str) -> Facts:
    facts = examples.healthy()
    told = tuple(Signature(name, "", (), (), (tag,)) for name in signatures)
    graph = Graph((tag,), ())
    kind = Format.SAVEDMODEL_TF1
    return replace(
        facts, artifact=replace(facts.artifact, format=kind, graphs=(graph,), signatures=told)
    )


def _example(predicted: LoadOutcome) -> Facts:
    reason = Reason("example", predicted, "an option is not supported", "an error", "save it again")
    because = () if predicted is LoadOutcome.LOADS else (reason,)
    facts = replace(examples.healthy(), settings=Settings(serving="tf==2.16"))
    return replace(facts, predictions=(Prediction("tf==2.16.2", "load_model", predicted, because),))


RULES = (
    Rule(
        code="MA225",
        name="serving-runtime-cannot-load",
        family=Family.COMPATIBILITY,
        severity=Severity.HIGH,
        confidence=Confidence.HIGH,
        needs=(Need.ARTIFACT,),
        summary="The runtime that serves the models cannot load this one",
        pass_title="The runtime that serves the models loads this one",
        why="The model cannot be served. The settings declare where models are served, with "
        '`[serving] runtime = "tf==2.16"`. If the audit ran the model in that runtime, the finding '
        "says what happened; otherwise it is predicted from the file.",
        fix="The finding names the affected part of the file and what to change. Classes that the "
        "serving code registers go into `custom_objects` in the settings.",
        check=_refused,
        bad=lambda: _example(LoadOutcome.FAILS),
        good=lambda: _example(LoadOutcome.LOADS),
    ),
    Rule(
        code="MA226",
        name="not-servable",
        family=Family.COMPATIBILITY,
        severity=Severity.LOW,
        confidence=Confidence.CERTAIN,
        needs=(Need.ARTIFACT,),
        summary="The SavedModel has no signature, or none of its graphs has the tag `serve`",
        pass_title="The SavedModel has a signature and the tag serve",
        why="TensorFlow Serving, `TFSMLayer` and `saved_model_cli` load the graph with the tag "
        "`serve` and call a signature. A program can still load the model and call its functions, "
        "or run tensors by their names.",
        fix="To serve the model, save it again with the tag `serve` and a signature "
        "(`signatures=` of `tf.saved_model.save`). To load it as it is:",
        check=_not_served,
        bad=lambda: _saved_model("train", "serving_default"),
        good=lambda: _saved_model("serve", "serving_default"),
    ),
)

"""MA332 to MA334: operations that stop gradients or mix the inputs of a batch, and unused inputs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from modelaudit.errors import LimitExceeded, WorkSpent
from modelaudit.facts import Artifact, Json, Layer
from modelaudit.findings import Confidence, Finding, Severity
from modelaudit.formats.graph.used_inputs import used_inputs
from modelaudit.formats.keras.compiled_losses import KNOWN, compiled_losses, named_outputs
from modelaudit.measures.architecture.activation_operations import operation_name
from modelaudit.measures.architecture.layer_graph import LayerGraph
from modelaudit.rules import examples
from modelaudit.rules.grammar import counted
from modelaudit.rules.initial_weights.untrained_bodies import layer_of
from modelaudit.rules.model import Facts, Family, Need, NotApplicable, NotRelevant, Rule
from modelaudit.rules.network.batch_mixing import (
    REDUCTIONS,
    given,
    graph_operation,
    may_mix,
    mixes,
    moved_axes,
    operation,
    put_back,
)
from modelaudit.rules.network.network_heads import joined_graph, saved_graph
from modelaudit.structs import replace

# Operations whose derivative is 0 or not defined, in the spellings of Keras 3 and TensorFlow.
_FLAT = frozenset(
    {
        *("round", "rint", "sign", "floor", "ceil", "trunc", "floordiv", "floordivide"),
        *("argmax", "argmin", "argsort", "onehot"),
        *("greater", "greaterequal", "less", "lessequal", "equal", "notequal"),
    }
)
_STOP = "stopgradient"
_LEARNED = frozenset(("bias", "embeddings", "gamma", "beta", "alpha"))
_FURTHER, _FURTHERS = "further layer with weights", "further layers with weights"


def rounds(layer: Layer) -> bool:
    """Whether it is an operation that gives steps, such as rounding, and no gradient."""
    return operation(layer) in _FLAT


def _is_flat(layer: Layer) -> bool:
    name = operation(layer) or graph_operation(layer).lower()
    if name != "cast":
        return name in _FLAT or name == _STOP
    told = given(layer, "dtype", "DstT")
    return bool(told) and str(told[0]).startswith(("int", "uint", "bool"))


def _learns(layer: Layer) -> bool:
    """Whether gradients change a variable of it, unlike the statistics of an adapted layer."""
    learn = any(role.endswith("kernel") or role in _LEARNED for role in layer.variables)
    return layer.trainable and learn


def _without_gradient(rule: Rule, facts: Facts) -> Iterator[Finding]:
    graph = saved_graph(facts)
    flat = {layer.route for layer in graph.layers if _is_flat(layer)}
    if not flat:
        raise NotRelevant("the model has no rounding, and no other operation without a gradient")
    live = graph.above((end for end in graph.outputs if end not in flat), around=flat)
    if not any(graph.layer(route).variables for route in live if graph.get(route)) and not (
        _judged(facts.artifact)
    ):
        return  # nothing with weights is behind it: the operation only forms the answer
    cut = graph.above(graph.outputs) - live - flat
    for layer in graph.layers:
        if layer.route not in flat:
            continue
        before = graph.above([layer.route]) & cut
        stopped = [x for x in graph.layers if x.route in before and _learns(x)]
        shown = bool(graph_operation(layer))  # by an export, which may end in a decision
        if not stopped or (shown and not _weighed_behind(graph, layer)):
            continue
        name = operation_name(layer)
        last = stopped[-1].route
        several = len(stopped) > 1
        meant = operation(layer) == _STOP
        before_it = _trained(facts, stopped)
        yield rule.finding(
            f"`{layer.route}` ({name}) passes no gradient on, and `{last}` reaches the output through "
            "it alone"
            + (
                f", as {counted(len(stopped) - 1, _FURTHER + ' does', _FURTHERS + ' do')}"
                if several
                else ""
            )
            + f": training {'with it ' if before_it else ''}never changes {'them' if several else 'it'}."
            + (
                " They are not as drawn: they were trained before it was put there."
                if before_it
                else ""
            ),
            route=layer.route,
            evidence={"measured": len(stopped), "unit": "layers", "operation": name},
            severity=Severity.INFO if before_it else Severity.LOW if meant or shown else None,
            fix="Nothing, if it is for inference alone."
            if before_it
            else f"If these layers are meant to stay as they are, set `trainable=False` in them. If "
            f"not, remove `{layer.name}` and train again."
            if meant
            else f"Remove `{layer.name}` and train again. To {_purpose(layer)}, apply it to what "
            "`predict` returns.",
        )
        cut -= before


def _weighed_behind(graph: LayerGraph, layer: Layer) -> bool:
    """Whether a layer with weights gets what comes of another one."""
    return any(x.variables and layer.route in graph.above([x.route]) for x in graph.layers)


def _judged(artifact: Artifact) -> bool:
    """Whether a loss is compiled for every output, so that training needs their gradients."""
    names = named_outputs(artifact.architecture) if artifact.architecture else ()
    losses = compiled_losses(artifact.training, names)
    return bool(losses) and None not in losses


def _purpose(layer: Layer) -> str:
    name = operation(layer)
    return "choose a class" if name.startswith("arg") else "get whole numbers or a decision"


def _trained(facts: Facts, layers: Sequence[Layer]) -> bool:
    """Whether the weights of one of these layers are not as its initializer draws them."""
    found = facts.measurements.initialization if facts.measurements else ()
    routes = {layer.route for layer in layers}
    return any(each.state == "trained" and layer_of(each) in routes for each in found)


def _mixed(rule: Rule, facts: Facts) -> Iterator[Finding]:
    graph = joined_graph(facts)
    asked = [layer for layer in graph.layers if may_mix(layer)]
    moved = moved_axes(graph) if asked else {}
    back = {x.route: found for x in asked if (found := put_back(graph, x, moved))}
    how = {x.route: found for x in asked if (found := mixes(graph, x, moved))}
    if not how and not back:
        raise NotRelevant("the model has no operation over the inputs of a batch")
    starts = {layer.route for layer in graph.layers if not graph.calls[layer.route]}
    said: set[str] = set()
    for end in graph.outputs:
        apart = () if end in how else graph.above([end], around=how)
        first = next((route for route in graph.above([end]) if route in how), "")
        if not first or first in said or starts.intersection(apart):
            continue  # told of another output, or there is a way that keeps the inputs apart
        said.add(first)
        layer, detail = graph.layer(first), how[first]
        alike = operation(layer) in REDUCTIONS
        yield rule.finding(
            f"`{first}` {detail}: what `{end}` answers for one input depends on the others in its "
            "batch" + (", and is the same for all of them." if alike else "."),
            route=first,
            evidence={"measured": operation_name(layer)},
            fix=f"Use another axis than 0 in `{layer.name}`, and train again."
            if alike
            else "Use keras.layers.Permute and keras.layers.Reshape, which keep the batch, and train "
            "again.",
        )
    joined = sorted(back.keys() & graph.above(graph.outputs))
    if joined and not said:
        route = joined[0]
        yield rule.finding(
            f"`{route}` {back[route]}: what the model answers for one input depends on the others in "
            "its batch.",
            route=route,
            evidence={"measured": operation_name(graph.layer(route))},
            severity=Severity.LOW,  # a statistic of the batch may be meant, as in training alone
            fix=f"Use another axis than 0 in `{graph.layer(route).name}`, such as axis=-1, or a "
            "BatchNormalization, which keeps statistics for inference. Then train again.",
        )


def _unused(rule: Rule, facts: Facts) -> Iterator[Finding]:
    if facts.artifact.architecture is None:
        yield from _unused_in_graph(rule, facts)
        return
    graph = saved_graph(facts)
    given = facts.artifact.architecture
    inputs = given.inputs if given is not None and not given.assumed else ()
    if len(inputs) < 2:
        raise NotRelevant("the model has a single input, or its inputs are not in the file")
    # The graph has the first calls of a layer only.
    taken = {source for x in given.layers for call in x.inbound for source in call} if given else ()
    used = {*graph.outputs}
    own = not _known_losses(facts)
    for route in inputs:
        if graph.get(route) is not None and route not in taken and route not in used:
            name = graph.layer(route).name
            yield rule.finding(
                f"No layer takes the input `{name}`: the answers do not depend on it."
                + (" A loss of the author's own may use it, as that of PPO does." if own else ""),
                route=route,
                evidence={"measured": name, "n": len(inputs)},
                severity=Severity.LOW if own else None,
                fix=f"If only the loss uses it, build the model without `{name}` for inference. If not, "
                "connect it and train again."
                if own
                else f"Connect `{name}` and train again, or build the model without it.",
            )


def _unused_in_graph(rule: Rule, facts: Facts) -> Iterator[Finding]:
    """Inputs of an exported signature from which no way leads to its outputs."""
    artifact = facts.artifact
    served = [x for x in artifact.signatures if len(x.inputs) > 1]
    signature = next((x for x in served if x.name == "serving_default"), next(iter(served), None))
    tags = signature.tags if signature else ()
    graph = next((x for x in artifact.graphs if x.tags == tags and not x.held_by), None)
    if signature is None or graph is None:
        raise NotRelevant("the model has a single input, or its inputs are not in the file")
    try:
        used = used_inputs(graph, [each.tensor for each in signature.outputs])
    except WorkSpent:
        raise
    except LimitExceeded as limit:
        raise NotApplicable(str(limit)) from limit
    for each in signature.inputs:
        # Single numbers, such as a seed, may be for training alone.
        if each.tensor.partition(":")[0] not in used and len(each.shape or ()) > 1:
            yield rule.finding(
                f"Nothing takes the input `{each.name}`: the answers do not depend on it.",
                route=each.name,
                evidence={"measured": each.name, "n": len(signature.inputs)},
                severity=Severity.LOW,  # a loss may have used it, which is not in the file
                fix=f"If only the loss uses it, export the model without `{each.name}`. If not, connect it "
                "and train again.",
            )


def _known_losses(facts: Facts) -> bool:
    """Whether it was compiled, and with losses of Keras alone."""
    architecture = facts.artifact.architecture
    names = named_outputs(architecture) if architecture else ()
    losses = compiled_losses(facts.artifact.training, names)
    given = (facts.artifact.training or {}).get("loss")
    return bool(given) and all(each is not None and each.name in KNOWN for each in losses)


def _between(operation: str, *, beside: bool = False, axis: Json = None) -> Facts:
    """An operation between two layers, which `beside` joins by another way."""
    config: dict[str, Json] = {} if axis is None else {"axis": axis}
    between = examples.layer("between", operation, {}, config)
    between = replace(between, module="keras.src.ops.numpy", expected={}, input_shapes=((None, 8),))
    facts = examples.chain(examples.dense("hidden"), between, examples.dense("head"))
    found = facts.artifact.architecture
    assert found is not None
    *before, head = found.layers
    joined = replace(head, inbound=(("hidden", "between"),)) if beside else head
    architecture = replace(found, layers=(*before, joined))
    return replace(facts, artifact=replace(facts.artifact, architecture=architecture))


def _inputs(*joined: str) -> Facts:
    rows = [examples.layer(name, "InputLayer", {}) for name in ("first", "second")]
    head = examples.dense("head")
    facts = examples.chain(*rows, head)
    found = facts.artifact.architecture
    assert found is not None
    calls = {"head": (joined,)}
    layers = tuple(replace(x, inbound=calls.get(x.name, ())) for x in found.layers)
    architecture = replace(found, layers=layers, inputs=("first", "second"))
    return replace(facts, artifact=replace(facts.artifact, architecture=architecture))


_NEEDS = (Need.LAYERS,)

RULES = (
    Rule(
        code="MA332",
        name="operation-without-gradient",
        family=Family.ARCHITECTURE,
        severity=Severity.MEDIUM,
        confidence=Confidence.HIGH,
        needs=_NEEDS,
        summary="Layers reach the output only through an operation that passes no gradient on",
        pass_title="No operation keeps gradients from layers with weights",
        why="Rounding, signs, comparisons and the position of a maximum have the derivative 0 or "
        "none. All that was learned is what the layers behind them made of random features.",
        fix="Remove the operation and train again.",
        check=_without_gradient,
        assumes="order",
        bad=lambda: _between("Round"),
        good=lambda: _between("Round", beside=True),
    ),
    Rule(
        code="MA333",
        name="inputs-of-a-batch-mixed",
        family=Family.ARCHITECTURE,
        severity=Severity.MEDIUM,
        confidence=Confidence.HIGH,
        needs=_NEEDS,
        summary="Answers depend on the other inputs of the batch",
        pass_title="No answer depends on the other inputs of a batch",
        why="The first axis of a tensor counts the inputs. A mean over it, or a reshape behind a "
        "transpose that moves it, gives one input values of others: `predict` answers in batches, so the "
        "answers change with the order and the number of inputs. It is right only if a batch is one bag "
        "of instances.",
        fix="Keep the first axis apart, and train again.",
        check=_mixed,
        assumes="order",
        bad=lambda: _between("Mean", axis=0),
        good=lambda: _between("Mean", beside=True, axis=0),
    ),
    Rule(
        code="MA334",
        name="unused-input",
        family=Family.ARCHITECTURE,
        severity=Severity.MEDIUM,
        confidence=Confidence.CERTAIN,
        needs=_NEEDS,
        summary="The model has an input that no layer takes",
        pass_title="Every input is taken by a layer",
        why="The model asks for values that it does not use. Mostly a layer was connected to another "
        "input than was meant.",
        fix="Connect the input and train again, or build the model without it.",
        check=_unused,
        assumes="order",
        bad=lambda: _inputs("first"),
        good=lambda: _inputs("first", "second"),
    ),
)

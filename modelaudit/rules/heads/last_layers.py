"""MA305 to MA307: outputs that are constant by construction or that do not suit their loss."""

from __future__ import annotations

import math
from collections.abc import Iterator

from modelaudit.facts import Architecture, Layer
from modelaudit.findings import Confidence, Finding, Severity
from modelaudit.formats.keras.compiled_losses import (
    BINARY,
    CATEGORICAL,
    KNOWN,
    OVERLAPS,
    SPARSE,
    CompiledLoss,
    compiled_losses,
    named_outputs,
)
from modelaudit.measures.optimizer_state import never_stepped
from modelaudit.rules.architecture.constant_layers import (
    OVER_BATCH,
    Constancy,
    constant_fix,
    constant_in_graph,
    constant_outputs,
    constant_reasons,
    over_one_value,
)
from modelaudit.rules.assumed_parts import with_outputs
from modelaudit.rules.grouped import by_cause, one_for_alike
from modelaudit.rules.heads.examples import example_head
from modelaudit.rules.heads.head_advice import advised, exchanged, of_one_class, wrong_axis
from modelaudit.rules.heads.idle_activations import with_idle
from modelaudit.rules.heads.label_sums import joined_shares, labels_above_one, labels_apart
from modelaudit.rules.heads.loss_mismatches import MISMATCHES, by_their_names
from modelaudit.rules.heads.mismatches import suited_to
from modelaudit.rules.heads.restored_inputs import inputs_beyond, without_known_loss
from modelaudit.rules.heads.unreached_targets import targets_beyond
from modelaudit.rules.model import Facts, Family, Need, NotApplicable, NotRelevant, Rule
from modelaudit.rules.network.graph_heads import graph_heads
from modelaudit.rules.network.loss_inputs import (
    KEPT_SOFTMAX,
    SCORES_TAKEN,
    class_axis,
    scores_taken,
)
from modelaudit.rules.network.network_heads import (
    LAYERS_OF_ACTIVATIONS,
    SOFTMAXES,
    HeadStep,
    NetworkHead,
    output_heads,
    saved_graph,
)
from modelaudit.rules.network.softmax_fixes import is_column, softmax_fix
from modelaudit.rules.network.value_ranges import limited_step
from modelaudit.rules.network.weightless_outputs import with_weightless
from modelaudit.structs import PerObject

Paired = tuple[NetworkHead, CompiledLoss | None]


def _read_heads(facts: Facts) -> list[Paired]:
    """The heads of the outputs that are computed in a known way, each with its compiled loss.

    Raises:
        NotApplicable: the file shows no layers or operations.
    """
    architecture = with_outputs(facts.artifact)
    if architecture is None:
        if not facts.artifact.graphs:
            raise NotApplicable("the file contains neither a Keras architecture nor a graph")
        heads = graph_heads(facts.artifact)
        (only,) = compiled_losses(facts.artifact.training, [""])
        return [(head, only if len(heads) == 1 else None) for head in heads]
    return heads_of_layers(facts, architecture)


def heads_of_layers(facts: Facts, architecture: Architecture) -> list[Paired]:
    """The heads that the saved layers show, each with its compiled loss."""
    graph = saved_graph(facts)
    names = named_outputs(architecture)
    losses = compiled_losses(facts.artifact.training, names)
    by_route = dict(zip(graph.outputs, losses, strict=False))
    if len(graph.outputs) != len(names):
        by_route = {}  # an inner model has several outputs
    return [(head, by_route.get(head.route)) for head in output_heads(graph)]


_known_heads = PerObject(_read_heads)


def paired_heads(facts: Facts) -> list[Paired]:
    """The heads of the outputs, each with its compiled loss.

    Raises:
        NotApplicable: also if there are none.
    """
    found = _known_heads(facts)
    if not found:
        raise NotApplicable("no output is computed by layers whose effect is known")
    return found


def _compiled(facts: Facts) -> list[tuple[NetworkHead, CompiledLoss]]:
    found = [(head, loss) for head, loss in paired_heads(facts) if loss is not None]
    if not found:
        raise NotRelevant("the model was saved without a loss of Keras")
    return found


def _over_one_value(head: NetworkHead, step: HeadStep) -> bool:
    """Whether a step normalises over an axis of size 1, which gives a constant."""
    return step.activation in SOFTMAXES and head.units == 1 and step.axis == -1


def _constant(rule: Rule, facts: Facts) -> Iterator[Finding]:
    if with_outputs(facts.artifact) is None:
        constant, said = constant_in_graph(facts.artifact), False
        for head, loss in (_known_heads if constant else paired_heads)(facts):
            step = next((each for each in head.steps if _over_one_value(head, each)), None)
            if step is not None:
                said, reason = True, over_one_value(step.activation)
                yield _same(rule, facts, head.route, step.layer, reason, "", head, loss)
        for route, (layer, reason, fix) in constant.items() if not said else ():
            yield _same(rule, facts, route, layer, reason, fix, None)
        return
    graph = saved_graph(facts)
    found = constant_outputs(graph)
    heads = {each[0].route: each for each in (_known_heads if found else paired_heads)(facts)}
    for route, layer in found.items():
        known: tuple[NetworkHead | None, CompiledLoss | None] = heads.get(route) or (None, None)
        reason = constant_reasons(graph)[layer.route]
        yield _same(rule, facts, route, layer, reason, constant_fix(graph, layer, reason), *known)


def _same(
    rule: Rule,
    facts: Facts,
    route: str,
    layer: Layer,
    reason: Constancy,
    fix: str,
    head: NetworkHead | None,
    loss: CompiledLoss | None = None,
) -> Finding:
    one = reason.activation == "softmax"
    if one:
        column = facts.artifact.architecture is not None and is_column(saved_graph(facts), layer)
        fix = softmax_fix(layer, column=column)
        if head is not None and head.units == 1 and not column:
            fix = of_one_class(facts.artifact.training, head, loss)
    return rule.finding(
        f"`{layer.route}` applies {reason.text}, which gives {'1' if one else 'the same'} for every input"
        + (", given one at a time." if reason.code == OVER_BATCH else "."),
        route=layer.route,
        evidence={"measured": head.units if head else None, "unit": "units", "reason": reason.text},
        key=route,
        fix=fix,
    )


_OWN = " If {} is a function of the author's own, it may be another."
_NEVER_USED = " The file holds no step of an optimizer: this loss may never have been used."


def _unsuited(rule: Rule, facts: Facts) -> Iterator[Finding]:
    others = [*without_known_loss(rule, facts, paired_heads)]
    yield from others
    try:
        yield from by_cause(_losses(rule, facts), "output")
    except NotApplicable:
        if not others:
            raise


def _losses(rule: Rule, facts: Facts) -> Iterator[Finding]:
    """Losses that do not suit their outputs."""
    unused = never_stepped(facts.artifact)
    perhaps = _NEVER_USED if unused else ""
    for head, loss in (pairs := _compiled(facts)):
        axis = head.activations[-1].axis if head.last == "softmax" else -1
        compared = class_axis(head, loss)
        known = axis <= 0 and compared is not None  # else the rank of the output is not known
        other = known and axis not in {-1, compared} and head.units != 1
        if loss.name in SPARSE | CATEGORICAL and other:
            yield wrong_axis(rule, head, axis, loss, unused=unused)
        beyond = targets_beyond(rule, facts, head, loss)
        beyond = beyond or labels_above_one(rule, facts, head, loss)
        beyond = beyond or (inputs_beyond(rule, facts, head, loss) if loss.name in KNOWN else None)
        beyond = beyond or labels_apart(rule, facts, head, loss)
        if beyond is not None:
            yield beyond
            continue
        found = next((each for each in MISMATCHES if each.applies(head, loss)), None)
        if found is None:
            yield from (*by_their_names(rule, head, loss), *joined_shares(rule, head, loss))
            continue
        words = {"loss": loss.name, "last": head.last, "suited": suited_to(head, loss)}
        severity = _unused(found.severity) if unused else found.severity_of(loss, head.units)
        own = loss.by_name and loss.name in OVERLAPS  # names that many give to functions of theirs
        if own:
            severity = Severity.LOW
        scores = found.from_logits is True
        took = scores and scores_taken(facts.artifact, head, loss)
        said = found.fix.format(**words)
        yield rule.finding(
            f"`{head.route}`: {found.detail.format(**words)}{SCORES_TAKEN * took}{perhaps}"
            + (_OWN.format(loss.name) if own else ""),
            route=head.route,
            evidence={
                "loss": loss.name,
                "from_logits": loss.from_logits,
                "activation": head.last,
                "units": head.units,
            },
            key=head.route,
            severity=Severity.LOW if took else severity,
            fix=KEPT_SOFTMAX
            if took
            else exchanged(pairs, head)
            or advised(facts.artifact.training, head, loss, said, scores=scores),
        )


def _unused(severity: Severity) -> Severity:
    """One level lower: of a loss that may never have been used."""
    lower = {Severity.HIGH: Severity.MEDIUM, Severity.MEDIUM: Severity.LOW}
    return lower.get(severity, severity)


def _repeated(rule: Rule, facts: Facts) -> Iterator[Finding]:
    for head, loss in paired_heads(facts):
        found = limited_step(head)
        if found is None or any(_over_one_value(head, each) for each in head.steps):
            continue
        first, second, (_, high) = found.before, found.step, found.given
        own = loss is not None and loss.name in BINARY  # for which the sigmoid is right
        ends = {"softmax"} if first.activation == "softmax" and not own else {"softmax", "sigmoid"}
        if second.activation != "softmax" and found.results:
            least, most = found.results
            limits = f"all of its results are between {least:.2g} and {most:.2g}"
        elif math.isinf(high) and found.pooled:
            limits = "scores below 0 become 0 at each position before they are pooled"
        elif math.isinf(high):
            limits = "negative scores become 0 and get no gradient: their classes stay alike"
        elif found.results is None:
            limits = f"no class gets more than {found.most_apart:.2g} times what another gets"
        else:
            limits = f"none of the {head.units} classes gets more than {found.results[1]:.0%}"
        # At the usual limit of 0.5, one unit then has one answer, and so has each of several labels.
        # The largest share of a softmax is still that of the class.
        labels = own and first.activation != "softmax"
        fixed = second.activation == "sigmoid" and (head.units == 1 or labels)
        fixed = fixed and found.given[0] >= 0
        answer = "one answer" if head.units == 1 else "a yes to each label"
        yield rule.finding(
            f"`{second.layer.route}` applies {second.activation} to the {first.activation} of "
            f"`{first.layer.route}`: {limits}" + (f", {answer} for all inputs." if fixed else "."),
            route=second.layer.route,
            evidence={
                "measured": [first.activation, second.activation],
                "units": head.units,
                "results": [*found.results] if found.results else None,
            },
            key=head.route,
            severity=Severity.HIGH
            if fixed and (own or loss is None)
            else Severity.LOW  # as in SqueezeNet
            if found.pooled and first.activation == "relu"
            else Severity.MEDIUM,
            fix=_without(head, first if second.activation in ends else second),
        )


def _without(head: NetworkHead, step: HeadStep) -> str:
    """How to remove an activation: with code where the last layer with weights applies it."""
    if step.layer.name != head.weights.name and not head.joined:
        what = step.layer.name
        by_class = step.layer.class_name in LAYERS_OF_ACTIVATIONS
        what = f"the layer `{what}`" if by_class else f"the {step.activation} of `{what}`"
        return f"Remove {what}, then train again."
    code = head.code("linear")
    if not head.joined:
        code += f"  # in place of `{head.weights.name}`"
    return f"Remove the {step.activation} of `{step.layer.name}`, then train again:\n{code}"


_SOUND = example_head("softmax", "sparse_categorical_crossentropy")

RULES = (
    Rule(
        code="MA305",
        name="constant-output",
        family=Family.ARCHITECTURE,
        severity=Severity.HIGH,
        confidence=Confidence.CERTAIN,
        needs=(Need.ARTIFACT,),
        summary="The output is the same for every input, whatever the weights",
        pass_title="No output is constant by construction",
        why="A softmax divides by the sum over the classes. With one class, that is division by "
        "itself: the model predicts 1 for every input. The weights may be sound, because Keras' "
        "binary_crossentropy trains the score before the softmax; other losses leave them "
        "untrained.",
        fix="For two classes, use one unit with a sigmoid; for K exclusive classes, K units with a "
        "softmax. A head that was trained with binary_crossentropy can keep its weights; "
        "otherwise, train again.",
        check=one_for_alike(_constant, "output"),
        assumes="output",
        bad=example_head("softmax", "binary_crossentropy", 1),
        good=example_head("sigmoid", "binary_crossentropy", 1),
    ),
    Rule(
        code="MA306",
        name="loss-unsuited-to-output",
        family=Family.ARCHITECTURE,
        severity=Severity.MEDIUM,
        confidence=Confidence.HIGH,
        needs=(Need.ARCHITECTURE,),
        summary="The compiled loss expects other values than the output gives",
        pass_title="Every compiled loss suits its output",
        why="Such a model trains without an error, but its gradients vanish or point elsewhere, so "
        "it often ends with one answer for every input.",
        fix="Choose the activation of the last layer and the loss together, then train again.",
        check=with_weightless(_unsuited),
        assumes="output",
        bad=example_head("relu", "binary_crossentropy", 1),
        good=_SOUND,
    ),
    Rule(
        code="MA307",
        name="repeated-output-activation",
        family=Family.ARCHITECTURE,
        severity=Severity.MEDIUM,
        confidence=Confidence.CERTAIN,
        needs=(Need.ARTIFACT,),
        summary="A softmax or sigmoid is applied to the result of another activation",
        pass_title="No softmax or sigmoid is applied to the result of another activation, and no ReLU to "
        "values that it does not change",
        why="The first activation limits what the second one gets. After a softmax or sigmoid, all "
        "classes are nearly equally likely; after a ReLU, no score is negative, so a sigmoid never "
        "gives less than 0.5.",
        fix="Remove the first activation, then train again.",
        check=with_idle(one_for_alike(_repeated, "output")),
        assumes="output",
        bad=example_head("softmax", "categorical_crossentropy", 10, ("Softmax", {})),
        good=_SOUND,
    ),
)

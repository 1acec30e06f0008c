"""What is said of a subclassed model whose parts, but not its code, are in the file."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from modelaudit.facts import Architecture, Artifact, Layer
from modelaudit.findings import Confidence, Finding, Severity
from modelaudit.rules.model import Check, Facts, NotApplicable, Rule
from modelaudit.rules.network.loss_inputs import PROBABILITIES
from modelaudit.structs import replace
from modelaudit.terminal_text import plain, shorten

_WIDTH = 80  # of a name in a sentence
_LOWER = {Confidence.CERTAIN: Confidence.MEDIUM, Confidence.HIGH: Confidence.MEDIUM}


def with_outputs(artifact: Artifact) -> Architecture | None:
    """The architecture if it shows what computes the outputs; None where a graph tells it better."""
    architecture = artifact.architecture
    if architecture is None or not architecture.outputs:
        return None
    return None if architecture.assumed and artifact.graphs else architecture


def with_held_layers(check: Check) -> Check:
    """A check that judges the settings of layers which a subclassed model holds, too.

    Its graph shows what they compute at inference: neither dropout, nor what training needs.
    """

    def both(rule: Rule, facts: Facts) -> Iterator[Finding]:
        architecture = facts.artifact.architecture
        if architecture is None or architecture.layers or not architecture.held:
            yield from check(rule, facts)
            return
        try:
            found = [*check(rule, facts)]
        except NotApplicable:  # to what the graph shows
            found = []
        yield from found
        if found:
            return
        alone = tuple(replace(layer, inbound=()) for layer in architecture.held)
        parts = replace(architecture, layers=alone, inputs=(), outputs=(), held=())
        yield from check(
            rule, replace(facts, artifact=replace(facts.artifact, architecture=parts, graphs=()))
        )

    return both


def qualified(rule: Rule, findings: tuple[Finding, ...], artifact: Artifact) -> Iterator[Finding]:
    """Findings that depend on how a class joins its parts, with that condition.

    The class may compute more itself, behind the output or between its parts, so that the absence
    of an activation there is no more than a hint, as is one that gives no probabilities.
    """
    architecture = artifact.architecture
    if architecture is None or not architecture.assumed or not rule.assumes:
        yield from findings
        return
    for each in findings:
        # A route of the graph is not one of the layers: the graph shows what the code does.
        layer = architecture.find(each.location.route)
        said = plain(_condition(rule, architecture, layer)) if layer else ""
        if not layer or not said:
            yield each
            continue
        hint = each.code == "MA306" and each.evidence.get("activation") not in PROBABILITIES
        hint |= each.code == "MA309" and _one_each(architecture)
        yield replace(
            each,
            detail=each.detail + said,
            confidence=Confidence.LOW if hint else _LOWER.get(each.confidence, each.confidence),
            severity=_of_hint(each, layer) if hint else each.severity,
        )


def _of_hint(finding: Finding, layer: Layer) -> Severity:
    """Layers of a list are called in a loop, which as often applies an activation to each."""
    _, *inside, place = layer.config_route.split("/")
    in_list = place.isdecimal() and "config" not in inside
    return Severity.INFO if finding.code == "MA309" and in_list else Severity.LOW


def _condition(rule: Rule, architecture: Architecture, layer: Layer) -> str:
    """The sentence with what a rule takes for granted of a layer, "" if the file says it."""
    own = shorten(architecture.class_name.rpartition(">")[2], _WIDTH)
    lacks = f" The file does not have the code of `{own}`: this holds if "
    if rule.assumes == "order":
        joined = any(layer.inbound) and "/config/" not in layer.config_route
        return f"{lacks}it calls its layers in the order of its config." if joined else ""
    if not architecture.outputs:
        return ""
    last = architecture.layer(architecture.outputs[0])
    key = last.config_route.removeprefix("config/")
    held = f"`{shorten(key, _WIDTH)}`" + (
        f" (`{shorten(last.route, _WIDTH)}`)" if key != last.route else ""
    )
    return f"{lacks}the model gives what its {held} gives."


def _one_each(architecture: Architecture) -> bool:
    """Whether no part has two layers with kernels, between which a class can apply nothing."""
    weighing = (
        x for x in architecture.layers if {"kernel", "depthwise_kernel"} & x.expected.keys()
    )
    parts = Counter(layer.config_route.split("/config/")[0] for layer in weighing)
    return max(parts.values(), default=0) <= 1

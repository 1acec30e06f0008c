"""What is said of a subclassed model whose parts, but not its code, are in the file."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from modelaudit.facts import Architecture, Artifact
from modelaudit.findings import Confidence, Finding, Severity
from modelaudit.rules.loss_inputs import PROBABILITIES
from modelaudit.structs import replace
from modelaudit.terminal_text import plain, shorten

# Rules about what computes the output, and MA309, which needs the order of all layers.
_OF_OUTPUTS = frozenset(
    [
        "MA305",
        "MA306",
        "MA307",
        "MA308",
        "MA309",
        "MA312",
        "MA314",
        "MA315",
        "MA317",
        "MA318",
        "MA320",
        "MA324",
        "MA325",
        "MA327",
        "MA329",
    ]
)
_WIDTH = 80  # of a name in a sentence
_LOWER = {Confidence.CERTAIN: Confidence.MEDIUM, Confidence.HIGH: Confidence.MEDIUM}


def with_outputs(artifact: Artifact) -> Architecture | None:
    """The architecture if it shows what computes the outputs; None where a graph tells it better."""
    architecture = artifact.architecture
    if architecture is None or not architecture.outputs:
        return None
    return None if architecture.assumed and artifact.graphs else architecture


def qualified(findings: tuple[Finding, ...], artifact: Artifact) -> Iterator[Finding]:
    """Findings that depend on how a class joins its parts, with that condition.

    The class may compute more itself, behind the output or between its parts, so that the absence
    of an activation there is no more than a hint, as is one that gives no probabilities.
    """
    architecture = artifact.architecture
    if architecture is None or not architecture.outputs or not architecture.assumed:
        yield from findings
        return
    last = architecture.layer(architecture.outputs[0])
    key = last.config_route.removeprefix("config/")
    own = architecture.class_name.rpartition(">")[2]
    held = f"`{shorten(key, _WIDTH)}`" + f" (`{shorten(last.route, _WIDTH)}`)" * (key != last.route)
    said = plain(
        f" The file does not have the code of `{shorten(own, _WIDTH)}`: this holds if the model gives what "
        f"its {held} gives."
    )
    for each in findings:
        # A route of the graph is not one of the layers: the graph shows what the code does.
        if each.code not in _OF_OUTPUTS or architecture.find(each.location.route) is None:
            yield each
            continue
        hint = each.code == "MA306" and each.evidence.get("activation") not in PROBABILITIES
        hint |= each.code == "MA309" and _one_each(architecture)
        yield replace(
            each,
            detail=each.detail + said,
            confidence=Confidence.LOW if hint else _LOWER.get(each.confidence, each.confidence),
            severity=Severity.LOW if hint else each.severity,
        )


def _one_each(architecture: Architecture) -> bool:
    """Whether no part has two layers with kernels, between which a class can apply nothing."""
    weighing = (
        x for x in architecture.layers if {"kernel", "depthwise_kernel"} & x.expected.keys()
    )
    parts = Counter(layer.config_route.split("/config/")[0] for layer in weighing)
    return max(parts.values(), default=0) <= 1

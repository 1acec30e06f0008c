"""Steps about outputs that carry too little information: nondeterminism, dead units, bias."""

from __future__ import annotations

import re
from collections.abc import Iterator

from msgspec import UNSET

from modelaudit.audit_types.behaviour import OutputBehaviour
from modelaudit.audit_types.diagnosis import Evidence
from modelaudit.diagnosis.case import (
    Case,
    answered_alike,
    bits_in_words,
    capacity,
    information,
)
from modelaudit.diagnosis.model import CauseExcluded, CauseFound, CauseUnknown, StepResult
from modelaudit.diagnosis.steps.input import other_form
from modelaudit.diagnosis.steps.label import never_predicted
from modelaudit.diagnosis.steps.training import still_trained
from modelaudit.diagnosis.steps.weight import evidence_of
from modelaudit.facts import Artifact
from modelaudit.findings import Severity
from modelaudit.layer_classes import augments
from modelaudit.measures.behaviour.collapse import bits_limit
from modelaudit.measures.input_corrections import words_of
from modelaudit.measures.optimizer_state import optimizer_state
from modelaudit.measures.summary import Behaviour
from modelaudit.rules.behaviour.nondeterminism import draws_by_design, keeps_state, may_draw
from modelaudit.rules.behaviour.probes import steady
from modelaudit.rules.security.graph.reachability import CallGraph, Reach, every_node
from modelaudit.thresholds.answers import BIAS_EXCESS, DEAD, MIN_SPREAD, UNINFORMED
from modelaudit.thresholds.weights import SOUND_FIT

NAMED = 5
# Operations that draw random numbers; those that only provide seeds accompany one of them.
_DRAWS = re.compile(r"(?:Stateless|Parameterized|Stateful)?(?:Random|Truncated|Multinomial)\w*")
_SEEDS = re.compile(r"\w*(?:GetKeyCounter\w*|GetAlg|Seed\w*|Dataset\w*)")
# The ends of an operation's name that describe how it draws, not where.
_HOW = re.compile(
    r"(?:/(?:stateless_|stateful_)?(?:random_(?:uniform|normal)|truncated_normal|random_shuffle)"
    r"(?:_\d+)?)?/[^/]+$"
)


def output_called(case: Case, name: str) -> OutputBehaviour | None:
    """The output with this name."""
    return next((o for o in case.outputs if o.name == name), None)


def amount(output: OutputBehaviour, value: float) -> str:
    """How much an output carries: bits if it has classes, else its spread over the inputs."""
    return f"{value:.2f} bits" if capacity(output) else f"a spread of {value:.2g} of its scale"


def _collapse_evidence(seen: Behaviour, output: OutputBehaviour) -> Evidence:
    n, state = seen.inputs.n, output.collapse
    code = "MA602" if state.collapsed else ""  # which reports only outputs that collapsed
    if state.information is None:
        text = f"Over {n} inputs, {output.name} varies only by {state.spread:.2g} of its scale."
        return Evidence(text, code, state.spread, MIN_SPREAD.value, n)
    share = f"; one class gets {state.top_share:.0%}" if state.top_share is not None else ""
    text = (
        f"Over {n} inputs, {output.name} carries {bits_in_words(output, state.information)}{share}."
    )
    return Evidence(text, code, state.information, bits_limit(state.classes or 2), n)


def nondeterministic(case: Case) -> StepResult:
    """Two runs on the same inputs differ."""
    seen = case.behaviour
    if seen is None:
        return CauseUnknown(case.unfed())
    if seen.deterministic:
        return CauseExcluded(
            f"the same inputs give the same outputs (largest difference {seen.noise_floor:.1g})"
        )
    if case.facts.artifact.training_graph:
        return CauseUnknown("a graph for inference: the file holds the one that trained the model")
    artifact = case.facts.artifact
    if kept := keeps_state(artifact):
        return CauseUnknown(f"runs from the same state: {kept}")
    flagged = any(_in_training(artifact))
    repeated = seen.repeat_differs is not False
    # Only a batch that gives other outputs when it runs again shows that something was drawn.
    drawn = draws_by_design(artifact) if seen.repeat_differs and not flagged else ""
    if flagged and seen.training_flag_matters:
        text = (
            "A call saved in the model has training=True, and the outputs depend on whether the "
            "caller overrides it."
        )
    elif repeated:
        text = f"For the same inputs the outputs differ by up to {seen.noise_floor:.3g}."
    else:
        text = (
            "The same inputs give other outputs in batches with other inputs: they differ by up to "
            f"{seen.noise_floor:.3g}."
        )
    if drawn:
        text += f" Random numbers are drawn: {drawn}."
    elif repeated and not flagged:
        text = f"{text} {may_draw(artifact)}".rstrip()
    evidence = (Evidence(text, "MA605", seen.noise_floor, None, seen.inputs.n),)
    if drawn:
        return CauseFound(evidence, cause="sampled-output")
    return CauseFound(evidence, where=", ".join(drawing(artifact)))


def nonfinite_output(case: Case) -> StepResult:
    """The output is NaN or infinite although the weights are finite."""
    seen = case.behaviour
    if seen is None:
        return CauseUnknown(case.unfed())
    output = max(case.outputs, key=lambda each: each.nonfinite, default=None)
    if output is None or output.nonfinite <= 0:
        return CauseExcluded("every output is finite")
    text = (
        f"For {output.nonfinite:.0%} of {seen.inputs.n} inputs, {output.name} contains NaN or "
        "infinite values."
    )
    evidence = Evidence(text, "MA607", output.nonfinite, 0.0, seen.inputs.n)
    return CauseFound((evidence,), where=output.name)


def dead_units(case: Case) -> StepResult:
    """A whole layer is never active, and the output hardly depends on the input."""
    seen = case.behaviour
    proven = [f for f in case.findings("MA437") if f.severity is Severity.HIGH]
    if proven:
        where = proven[0].location.route
        return CauseFound(tuple(map(evidence_of, proven[:NAMED])), where=where)
    if seen is None:
        return CauseUnknown(case.unfed())
    if not seen.dead:
        return _dead_by_clearing(case, seen)
    dead = [route for route, share in seen.dead.items() if share >= DEAD.value]
    if not dead:
        most = max(seen.dead.values())
        return CauseExcluded(
            f"every layer has active channels (at most {most:.0%} of a layer are inactive)"
        )
    silent = case.collapsed or next(
        (o for o in case.outputs if information(o) < UNINFORMED.value * capacity(o)), None
    )
    if silent is None:
        return CauseExcluded(
            f"{dead[0]!r} is never active, but the output still depends on the input"
        )
    other = other_form(case)
    if other:
        return CauseExcluded(
            f"{dead[0]!r} is inactive for the {case.words.many} as given, but the output follows "
            f"them {words_of(other)}"
        )
    given = "" if seen.inputs.kind == "user" else "made-up "
    evidence = tuple(
        Evidence(
            f"No channel of {route!r} is above zero for any of {seen.inputs.n} {given}inputs.",
            "MA606",
            1.0,
            1.0,
            seen.inputs.n,
        )
        for route in dead
    )
    traces = tuple(map(evidence_of, case.findings("MA433")))
    against: tuple[Evidence, ...] = ()
    if not traces and still_trained(optimizer_state(case.facts.artifact), dead[0]):
        # It died after training: by its restore, or by inputs that training did not see.
        text = (
            f"Until the end of training the optimizer had gradients for {dead[0]!r}, so it was "
            "alive then: weights that were restored wrongly or inputs on another scale look like "
            "this."
        )
        against = (Evidence(text),)
    found = (*evidence, *traces, _collapse_evidence(seen, silent))
    return CauseFound(found, where=dead[0], against=against)


def _dead_by_clearing(case: Case, seen: Behaviour) -> StepResult:
    """If activations cannot be read: does clearing one layer's bias restore the output?"""
    if "dead units" not in seen.skipped:
        return CauseExcluded("the model has no rectified layer")
    output = case.collapsed
    if output is None:
        return CauseExcluded(
            "the output depends on the input, so no layer before it is completely dead"
        )
    tried = seen.interventions.get("clear_negative_bias")
    if tried is None:
        return CauseExcluded("no layer has a bias that could make all its channels inactive")
    before, after = tried.before, tried.after
    enough = UNINFORMED.value * capacity(output) if capacity(output) else MIN_SPREAD.value
    if after <= enough:
        return CauseExcluded("clearing any all-negative bias in a copy leaves the output constant")
    layer = tried.layer or ""
    evidence = Evidence(
        f"Every bias of {layer!r} is negative. With that bias cleared in a copy of the model, the "
        f"output carries {amount(output, after)} instead of {amount(output, before)}.",
        "",
        after,
        before,
        seen.inputs.n,
    )
    return CauseFound((evidence, _collapse_evidence(seen, output)), where=layer)


def head_bias(case: Case) -> StepResult:
    """The head's bias dominates the features."""
    seen = case.behaviour
    if seen is None:
        return CauseUnknown(case.unfed())
    tried = seen.interventions.get("centre_head_bias")
    if tried is None:
        why = seen.skipped.get("centred head bias", "")
        if why == "no kernel has a bias":
            return CauseExcluded("no layer of the model has a bias")
        return CauseUnknown("a head whose bias can be found and centred in the restored model")
    before, after = tried.before, tried.after
    output = output_called(case, tried.output)
    if output is None:
        return CauseUnknown("an output whose mutual information can be measured")
    if not tried.responsible:
        return CauseExcluded(
            "centring the head's bias in a copy of the model changes little: from "
            f"{amount(output, before)} to {amount(output, after)}"
        )
    evidence = [
        _collapse_evidence(seen, output),
        Evidence(
            "With the head's bias centred in a copy of the model, the output carries "
            f"{amount(output, after)} instead of {amount(output, before)}: the features are sound.",
            "",
            after,
            before,
            seen.inputs.n,
        ),
    ]
    excess = tried.excess
    if excess is not UNSET:
        text = f"The bias is {excess:.1f} standard deviations from the mean pre-bias activation."
        evidence.append(Evidence(text, "", excess, BIAS_EXCESS.value))
    return CauseFound(tuple(evidence), where=tried.layer or "")


def collapse_open(case: Case) -> StepResult:
    """The output is constant and no earlier step explains it."""
    if case.behaviour is None:
        return CauseUnknown(case.unfed())
    output = case.collapsed
    if output is None:
        return CauseExcluded("the output depends on the input")
    if not (case.images or steady(output.collapse)):
        return CauseUnknown(
            f"{case.wanted}: a sound model may give one output for all inputs that mean nothing to "
            "it"
        )
    evidence = (_collapse_evidence(case.behaviour, output), *never_predicted(output))
    return CauseFound(evidence, where=output.name)


def little_information(case: Case) -> StepResult:
    """Unlabelled images get (nearly) one prediction: images of one kind, or misplaced weights."""
    seen = case.behaviour
    if seen is None or not case.images:
        return CauseUnknown(case.unfed())
    if case.collapsed:
        return CauseUnknown("an output that is not completely constant")
    quiet = next(
        (o for o in case.outputs if not o.collapse.collapsed and answered_alike(o)),
        None,
    )
    if quiet is None:
        return CauseExcluded(f"the predictions differ from {case.words.one} to {case.words.one}")
    if case.one_class:
        return CauseExcluded(f"your labels say that all {case.words.many} have the same class")
    if seen.batchnorm and max(fit.misfit for fit in seen.batchnorm) <= SOUND_FIT.value:
        return CauseExcluded(
            "all batch statistics match the layer inputs, so the weights are in the right layers; "
            f"{case.words.many} of one kind, or preprocessed differently than in training, get the "
            "same prediction"
        )
    if quiet.accuracy:
        return CauseExcluded("the predictions are alike; your labels show how accurate they are")
    against = Evidence(
        f"{case.words.many.capitalize()} that all have the same class would look the same."
    )
    return CauseFound((_collapse_evidence(seen, quiet),), where=quiet.name, against=(against,))


def drawing(artifact: Artifact) -> tuple[str, ...]:
    """Layers that are always called in training mode, and parts of the graph that draw."""
    return tuple(dict.fromkeys((*_in_training(artifact), *_in_graph(artifact))))[:NAMED]


def _in_training(artifact: Artifact) -> Iterator[str]:
    for layer in artifact.architecture.layers if artifact.architecture else ():
        # Keras 3 saves it with every call of an augmentation layer, and `predict` overrides it.
        flagged = any(kwargs.get("training") is True for kwargs in layer.call_kwargs)
        if flagged and not augments(layer.class_name):
            yield layer.route


def _in_graph(artifact: Artifact) -> Iterator[str]:
    """Parts of what a signature runs: other functions of a SavedModel may be for training."""
    for graph in artifact.graphs:
        calls = CallGraph(graph, artifact)
        for function, node in every_node(graph):
            if not _DRAWS.fullmatch(node.op) or _SEEDS.fullmatch(node.op):
                continue
            reach, root = calls.reach(function, node.name)
            if reach is Reach.RUN and (root.startswith("signature ") or not artifact.signatures):
                place = _HOW.search(node.name)
                yield node.name[: place.start()] if place else node.name

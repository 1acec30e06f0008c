"""Steps about an output that says too little: nondeterminism, dead units, bias, scale."""

from __future__ import annotations

from modelaudit.diagnosis import thresholds as at
from modelaudit.diagnosis.case import IMAGES, WORDS, Case, better, capacity, information
from modelaudit.diagnosis.model import Answer, Evidence, Excluded, Found, Unknown
from modelaudit.facts import Json
from modelaudit.measures.summary import OutputBehaviour


def _number(value: Json) -> float | None:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def _collapse_evidence(case: Case, output: OutputBehaviour) -> Evidence:
    assert case.behaviour is not None
    n, seen = case.behaviour.inputs.n, output.collapse
    if seen.information is None:
        text = f"{output.name} varies by {seen.spread:.2g} of its scale over {n} inputs."
        return Evidence(text, "MA602", seen.spread, None, n)
    share = f", one class answers {seen.top_share:.0%}" if seen.top_share is not None else ""
    text = (
        f"{output.name} carries {seen.information:.2f} of {capacity(output):.2f} bits about "
        f"{n} inputs{share}."
    )
    return Evidence(text, "MA602", seen.information, capacity(output), n)


def nondeterministic(case: Case) -> Answer:
    """Two runs on the same inputs differ."""
    seen = case.behaviour
    if seen is None:
        return Unknown(f"running the model ({case.not_run()})")
    if seen.deterministic:
        return Excluded(
            f"the same inputs give the same outputs (largest difference {seen.noise_floor:.1g})"
        )
    text = f"The same inputs give outputs that differ by up to {seen.noise_floor:.3g}."
    return Found(0.99, (Evidence(text, "MA605", seen.noise_floor, None, seen.inputs.n),))


def dead_units(case: Case) -> Answer:
    """A whole layer is never active."""
    seen = case.behaviour
    if seen is None:
        return Unknown(f"running the model ({case.not_run()})")
    if not seen.dead:
        return Unknown("a Keras model whose inner activations can be read")
    dead = [route for route, share in seen.dead.items() if share >= 1.0]
    if not dead:
        most = max(seen.dead.values())
        return Excluded(f"every layer has active channels (at most {most:.0%} of one are silent)")
    evidence = [
        Evidence(
            f"No channel of {route} is ever above zero on {seen.inputs.n} inputs.",
            "MA606",
            1.0,
            1.0,
            seen.inputs.n,
        )
        for route in dead
    ]
    if case.collapsed:
        evidence.append(_collapse_evidence(case, case.collapsed))
    return Found(0.97 if case.collapsed else 0.6, tuple(evidence), where=dead[0])


def head_bias(case: Case) -> Answer:
    """The head's bias drowns what the features say."""
    seen = case.behaviour
    if seen is None:
        return Unknown(f"running the model ({case.not_run()})")
    tried = seen.interventions.get("centre_head_bias")
    if not tried:
        return Unknown("a Keras model whose head has a bias that can be centred")
    before, after = _number(tried.get("before")), _number(tried.get("after"))
    excess = _number(tried.get("excess"))
    output = _output(case, tried.get("output"))
    if before is None or after is None or output is None:
        return Unknown("an output whose information can be measured")
    share = output.collapse.top_share or 0.0
    restores = bool(tried.get("responsible"))
    moderate = (
        share > at.TOP_SHARE and after - before > at.GAIN and (excess or 0.0) > at.BIAS_EXCESS
    )
    if not (output.collapse.collapsed and restores) and not moderate:
        return Excluded(
            f"centring the head's bias in a copy changes the information from {before:.2f} to "
            f"{after:.2f} bits"
        )
    evidence = (
        _collapse_evidence(case, output),
        Evidence(
            f"With the head's bias centred in a copy of the model the output carries {after:.2f} "
            f"bits instead of {before:.2f}: the features are sound.",
            "",
            after,
            before,
            seen.inputs.n,
        ),
    )
    return Found(0.97 if restores else 0.85, evidence, where=str(tried.get("layer", "")))


def _output(case: Case, name: Json) -> OutputBehaviour | None:
    return next(
        (o for o in case.outputs if o.name == name), case.outputs[0] if case.outputs else None
    )


def input_domain(case: Case) -> Answer:
    """The values arrive on another scale than the model was trained on."""
    if case.behaviour is None:
        return Unknown(f"running the model ({case.not_run()})")
    if not case.images:
        return Unknown(IMAGES)
    first = case.behaviour.batchnorm[0] if case.behaviour.batchnorm else None
    for output in case.outputs:
        found = better(dict(output.domain), information(output), capacity(output))
        if found is None:
            continue
        name, bits = found
        evidence = [
            Evidence(
                f"Inputs {WORDS.get(name, name)} carry {bits:.2f} bits into {output.name}, as "
                f"given {information(output):.2f} of {capacity(output):.2f}.",
                "",
                bits,
                information(output),
                case.behaviour.inputs.n,
            )
        ]
        fits = first is not None and first.domain.get(name, 9.0) < at.FIT_DOMAIN
        if first is not None and first.mean_deviation > at.MISFIT_DOMAIN and fits:
            evidence.append(
                Evidence(
                    f"What reaches {first.route} is {first.mean_deviation:.1f} standard deviations "
                    "from the stored mean; "
                    f"{WORDS.get(name, name)} it is {first.domain[name]:.2f}.",
                    "",
                    first.mean_deviation,
                    at.MISFIT_DOMAIN,
                )
            )
            return Found(0.95, tuple(evidence), transform=name)
        if output.collapse.collapsed:
            return Found(0.9, tuple(evidence), transform=name)
        if _labels_prefer(output, name):
            return Found(0.9, tuple(evidence), transform=name)
    return Excluded(
        "no other scale (/255, x255, 2x-1, 1-x) carries much more information"
        + (" and fits the stored statistics better" if first else "")
    )


def _labels_prefer(output: OutputBehaviour, name: str) -> bool:
    given, other = output.accuracy.get("e"), output.accuracy.get(name)
    return given is not None and other is not None and other > 0.9 and other - given > 0.2


def unconverged_statistics(case: Case) -> Answer:
    """BatchNorm statistics that training left far from converged: recalibration repairs it."""
    seen = case.behaviour
    tried = seen.interventions.get("recalibrate_batchnorm") if seen else None
    if seen is None or not case.images:
        return Unknown(IMAGES)
    if not tried:
        return Excluded("the model has no batch normalisation that could be recalibrated")
    before, after = _number(tried.get("before")), _number(tried.get("after"))
    output = _output(case, tried.get("output"))
    room = capacity(output) if output else 0.0
    if before is None or after is None or not room:
        return Unknown("an output whose information can be measured")
    if before < at.UNINFORMED * room and after > at.INFORMED * room:
        text = (
            "Recomputing all batch normalisation statistics on your images in a copy of the "
            f"model lifts the information from {before:.2f} to {after:.2f} of {room:.2f} bits, "
            "and no other scale of the input does."
        )
        return Found(0.9, (Evidence(text, "", after, before, seen.inputs.n),))
    return Excluded(
        f"recalibrating batch normalisation changes the information from {before:.2f} to "
        f"{after:.2f} bits"
    )


def collapse_open(case: Case) -> Answer:
    """The output is constant and nothing above explains it."""
    if case.behaviour is None:
        return Unknown(f"running the model ({case.not_run()})")
    output = case.collapsed
    if output is None:
        return Excluded("the output depends on the input")
    return Found(0.6, (_collapse_evidence(case, output),), where=output.name)


def wrong_weights(case: Case) -> Answer:
    """Stored statistics contradict what flows in: weights of another model stand before them."""
    seen = case.behaviour
    if seen is None:
        return Unknown(f"running the model ({case.not_run()})")
    if not case.images:
        return Unknown(IMAGES)
    bad = next((fit for fit in seen.batchnorm if fit.misfit > at.MISFIT), None)
    if bad is not None:
        excused = [n for n, d in {**bad.orientation, **bad.domain}.items() if d < at.FIT_DOMAIN]
        if excused:
            return Excluded(
                f"{bad.route} does not fit its input, but does when inputs are "
                f"{WORDS.get(excused[0], excused[0])}"
            )
        evidence = Evidence(
            f"{bad.route} is the first batch normalisation whose stored statistics do not fit what "
            f"flows into it (misfit {bad.misfit:.2f}); no orientation or scale of the input mends "
            "it.",
            "",
            bad.misfit,
            at.MISFIT,
            seen.inputs.n,
        )
        return Found(0.85, (evidence,), where=bad.route)
    for output in case.outputs:
        accuracy, room = output.accuracy.get("e"), capacity(output)
        if accuracy is not None and accuracy < 0.5 and information(output) < at.UNINFORMED * room:
            best = max(output.accuracy.values())
            text = (
                f"{accuracy:.0%} of the labelled images are answered right, {best:.0%} at best in "
                f"any orientation or scale, and the output carries {information(output):.2f} of "
                f"{room:.2f} bits."
            )
            return Found(0.7, (Evidence(text, "", accuracy, 0.5, seen.inputs.n),))
    if seen.batchnorm:
        worst = max(fit.misfit for fit in seen.batchnorm)
        return Excluded(
            f"all {len(seen.batchnorm)} batch normalisations fit what flows into them (misfit at "
            f"most {worst:.2f})"
        )
    if any(o.accuracy for o in case.outputs):
        return Excluded("labelled images are answered as a working model would")
    return Unknown("labelled images (class folders, or y in the .npz)")

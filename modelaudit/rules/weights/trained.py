"""MA401, MA402, MA404, MA405: do the stored values look trained and completely restored?"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from modelaudit.audit_types.kernels import BatchNormState, InitialState, KernelInitialization
from modelaudit.findings import Confidence, Finding, Severity
from modelaudit.measures.kernels.batchnorm import batchnorm_tensors
from modelaudit.measures.kernels.inference_norms import (
    called_for_inference,
    fitted,
    initial_statistics,
)
from modelaudit.measures.summary import Measurements
from modelaudit.rules import examples
from modelaudit.rules.grammar import counted, every, of_all, quoted
from modelaudit.rules.grouped import by_cause
from modelaudit.rules.initial_weights.drawn_weights import few, set_alike, starts_constant
from modelaudit.rules.initial_weights.initial_explained import (
    BODY,
    EXPLAINED,
    FIRST_STEP,
    NO_GRADIENT,
)
from modelaudit.rules.initial_weights.initial_values import left_initial, never_trained
from modelaudit.rules.initial_weights.moving_averages import stale_averages
from modelaudit.rules.initial_weights.training_reach import hardly_moved, how_untrained
from modelaudit.rules.initial_weights.training_traces import (
    frozen_norms,
    got_gradients,
    tells_frozen,
)
from modelaudit.rules.initial_weights.untrained_bodies import Untouched, layer_of
from modelaudit.rules.model import Facts, Family, Need, NotApplicable, NotRelevant, Rule
from modelaudit.rules.training.alike_inputs import fed_zeros
from modelaudit.rules.training.extent import steps_without_effect
from modelaudit.rules.training.never_learned import why_initial, why_left
from modelaudit.rules.training.trainability import frozen_heads
from modelaudit.rules.weights.half_statistics import (
    NEVER_BY_BATCH,
    UNTOLD,
    explanation,
    half_lost,
)
from modelaudit.rules.weights.without_gradient import without_gradient
from modelaudit.terminal_text import first_of

LISTED = 8


def _batchnorm(facts: Facts) -> tuple[BatchNormState, ...]:
    states = facts.measured.batchnorm
    if not states:
        raise NotRelevant("the model has no batch normalization")
    return states


def _statistics_lost(rule: Rule, facts: Facts) -> Iterator[Finding]:
    states = _batchnorm(facts)
    lost = [s.route for s in states if s.statistics_initial and not s.affine_initial]
    said = of_all(len(lost), len(states), "batch normalization layer", "has", "have")
    said += " moving mean 0 and moving variance 1 exactly, although gamma or beta were trained"
    severity, explained, fix = explanation(rule, facts.artifact, states)
    said += f"; {explained}" if explained else ""
    used = initial_statistics(facts.artifact, states) in NEVER_BY_BATCH
    title = "Batch normalization never ran in training mode" if used else ""
    yield from _layers_told(rule, said, lost, len(states), severity, fix, title)
    yield from half_lost(rule, facts.artifact, states)


def _statistics_untouched(rule: Rule, facts: Facts) -> Iterator[Finding]:
    states = _batchnorm(facts)
    new = [s.route for s in states if s.statistics_initial and s.affine_initial]
    said = of_all(
        *(len(new), len(states), "batch normalization layer"),
        *("still has exactly its initial values", "still have exactly their initial values"),
    )
    # Layers that are not meant to be trained stay as they are, as in networks of random features.
    severity = Severity.LOW if frozen_norms(facts.artifact).issuperset(new) else None
    trained = [k.tests.get("bias_initial") is False for k in facts.measured.initialization]
    trained += [not s.statistics_initial for s in states]
    # Layers that no configuration connects may belong to a part that is not used.
    used = facts.artifact.architecture is not None or len(new) == len(states)
    if severity is None and any(trained) and used and tells_frozen(facts.artifact):
        severity = Severity.HIGH
    # Without gamma and beta, nothing else of the layer shows how it was trained.
    bare = {x.route for x in batchnorm_tensors(facts.artifact) if not (x.gamma or x.beta)}
    called = called_for_inference(facts.artifact, new)
    if bare.issuperset(new) and (called or not fitted(facts.artifact)):
        severity, said = Severity.LOW, f"{said} of mean and variance; {UNTOLD}"
    yield from _layers_told(rule, said, new, len(states), severity)


def _layers_told(
    rule: Rule,
    said: str,
    layers: list[str],
    n: int,
    severity: Severity | None = None,
    fix: str = "",
    title: str = "",
) -> Iterator[Finding]:
    """One finding about these `layers`, out of `n`, if there are any."""
    if layers:
        yield rule.finding(
            f"{said}: {first_of(quoted(layers), LISTED)}.",
            route=layers[0],
            severity=severity,
            fix=fix,
            title=title,
            evidence={
                "measured": len(layers),
                "unit": "layers",
                "threshold": 0,
                "n": n,
                "layers": [*layers],
            },
        )


def _decided(facts: Facts) -> tuple[KernelInitialization, ...]:
    kernels = facts.measured.initialization
    if all(kernel.state == "undecidable" for kernel in kernels):
        raise NotRelevant("no kernel could be decided by a test against its initializer")
    return kernels


def _never_trained(rule: Rule, facts: Facts) -> Iterator[Finding]:
    kernels = _decided(facts)
    never, why = never_trained(facts.artifact, kernels, facts.measured.batchnorm)
    if why:
        raise NotApplicable(f"kernels look as their initializers draw them, but {why}")
    untrained, moved = hardly_moved(facts.artifact, kernels)
    fresh = [kernel for kernel in untrained if kernel.state == "fresh"]
    if never:
        why, severity, fix = why_initial(facts, moved)
        others = len(kernels) - len(fresh)
        untested = f" (the other {others:,} could not be)" if others else ""
        yield rule.finding(
            every(
                len(fresh),
                f"kernel that could be tested{untested} still has its initial values",
                f"kernels that could be tested{untested} still have their initial values",
            )
            + f": {why}.",
            route=fresh[0].route,
            evidence={
                "measured": len(fresh),
                "unit": "kernels",
                "n": len(fresh),
                "layers": [k.route for k in fresh],
            },
            severity=severity,
            fix=fix,
        )


def _partial_restore(rule: Rule, facts: Facts) -> Iterator[Finding]:
    kernels = _decided(facts)
    decided = [kernel for kernel in kernels if kernel.state != "undecidable"]
    others = sum(kernel.tests.get("fits") is not True for kernel in decided)
    trained = counted(others, "other kernel is", "other kernels are") + " trained"
    while_others = f"while {trained if others else 'biases elsewhere are trained'}"
    said = fed_zeros(facts.artifact)  # by MA439, with what to do
    cut = without_gradient(facts)  # by MA305, MA314, MA406 or MA439
    frozen = {layer.route for layer in frozen_heads(facts)}  # by MA321
    idle = steps_without_effect(facts) > 0  # by MA319
    found = [
        each
        for each in left_initial(facts.artifact, kernels, facts.measured.batchnorm)
        # Units that start alike let no gradient pass: said by MA406, with what to do.
        if not (
            each.against in {BODY, FIRST_STEP, NO_GRADIENT}
            and (said or starts_constant(each.kernel))
        )
        and not (said and not got_gradients(facts.artifact, each.kernel))
        and not cut(each.kernel)
        and layer_of(each.kernel) not in frozen
        and not (idle and each.kernel.tests.get("trainable") is not False)
    ]
    yield from by_cause(_left_out(rule, facts, found, while_others, len(decided)), "layer")
    for why, severity in dict.fromkeys((e.against, e.severity) for e in found if e.against):
        routes = [e.kernel.route for e in found if (e.against, e.severity) == (why, severity)]
        title, fix = EXPLAINED.get(why, ("", ""))
        yield rule.finding(
            f"{first_of(quoted(routes), LISTED)} still {'has' if len(routes) == 1 else 'have'} values as drawn by "
            f"the initializer, {while_others}. {why}",
            route=routes[0],
            severity=severity,
            evidence={"measured": len(routes), "unit": "kernels", "n": len(decided)},
            title=title,
            fix=fix,
        )

    stale, averages = stale_averages(facts.artifact, kernels)
    if stale:
        yield rule.finding(
            of_all(len(stale), averages, "moving average", "has", "have")
            + f" the values that the weights had before training: {first_of(stale, LISTED)}. "
            "What reads the averages in place of the weights is not trained.",
            route=stale[0],
            severity=Severity.MEDIUM,
            evidence={"measured": len(stale), "n": averages, "averages": [*stale]},
        )


def _left_out(
    rule: Rule, facts: Facts, found: Sequence[Untouched], while_others: str, decided: int
) -> Iterator[Finding]:
    """Layers of which nothing but a restore, or no training, explains the initial values."""
    since, do = why_left(facts)
    for each in found:
        kernel = each.kernel
        if each.against:
            continue
        bias = " Its bias has changed." if kernel.tests.get("bias_initial") is False else ""
        if few(kernel):
            bias = f" Its {kernel.weights} weights prove little, but every step moves a bias, too."
        guess = f" (a guess: {kernel.initializer})" if kernel.guessed else ""
        norm = "norms" in kernel.tests
        alike = norm and kernel.tests["norms"] == kernel.tests.get("initial")
        moved = ", or a converter moved them into the layer behind" if alike else ""
        made = "its initializer sets them" if set_alike(kernel) else "drawn by its initializer"
        values = f"values as {made}{guess}"
        still = bool(do) and not got_gradients(facts.artifact, kernel)
        untrained = how_untrained(facts.artifact, kernel) + since * still
        yield rule.finding(
            f"`{kernel.route}` still has {'gamma 1 and beta 0' if norm else values}, {while_others}: "
            f"it was skipped when the weights were restored, or {untrained}{moved}.{bias}",
            route=kernel.route,
            severity=each.severity,
            evidence={"n": kernel.weights, "tests": dict(kernel.tests), "tested": decided},
            fix=f"{do}\n\nIf it had been trained before: {rule.fix}" if still else "",
        )


def _bn(*, lost: bool = False, new: bool = False) -> Measurements:
    others = (BatchNormState("other", 8, False, False, 0.5),) * lost
    return Measurements(batchnorm=(BatchNormState("bn", 8, lost or new, new, 0.5), *others))


def _kernels(*states: InitialState) -> Measurements:
    return Measurements(
        initialization=tuple(
            KernelInitialization(
                f"conv{i}",
                f"conv{i}/kernel",
                "GlorotUniform",
                state,
                weights=4608,
                tests={"fits": state == "fresh", "bias_initial": state == "fresh"},
            )
            for i, state in enumerate(states)
        )
    )


MEASURED = (Need.TENSORS, Need.MEASUREMENTS)

RULES = (
    Rule(
        code="MA401",
        name="batchnorm-statistics-lost",
        family=Family.WEIGHTS,
        severity=Severity.HIGH,
        confidence=Confidence.HIGH,
        needs=MEASURED,
        summary="Batch normalization lost its moving statistics",
        pass_title="Every batch normalization layer with trained parameters has trained statistics",
        why="At inference the layer normalises with these statistics. With mean 0 and variance 1 "
        "in their place, the layers after it receive values on the wrong scale, and the network "
        "often predicts the same for every input.",
        fix="Restore a checkpoint that includes the non-trainable variables (`model.weights`, not "
        "`model.trainable_weights`). Without one, recalibrate on training images, with "
        "`modelaudit repair MODEL --for RUNTIME --out recalibrated.keras --recalibrate IMAGES`, or in "
        "code:\n\n"
        "    for layer in model._flatten_layers():  # by name: each Keras has its own class\n"
        '        if type(layer).__name__ == "BatchNormalization":\n'
        "            layer.momentum = 0.9\n"
        "    for batch in images:  # unlabelled, 50 batches or more\n"
        "        model(batch, training=True)",
        check=_statistics_lost,
        bad=examples.measured(_bn(lost=True)),
        good=examples.measured(_bn()),
    ),
    Rule(
        code="MA402",
        name="batchnorm-untouched",
        family=Family.WEIGHTS,
        severity=Severity.MEDIUM,
        confidence=Confidence.CERTAIN,
        needs=MEASURED,
        summary="Batch normalization still has its initial values",
        pass_title="Every batch normalization layer was trained",
        why="A single training step changes these values.",
        fix="Check whether the weights were loaded before the model was saved.",
        check=_statistics_untouched,
        bad=examples.measured(_bn(new=True)),
        good=examples.measured(_bn()),
    ),
    Rule(
        code="MA404",
        name="never-trained",
        family=Family.WEIGHTS,
        severity=Severity.HIGH,
        confidence=Confidence.HIGH,
        needs=MEASURED,
        summary="Every kernel still has its initial values",
        pass_title="At least one kernel was trained",
        why="A model that was built and saved without loading its weights looks complete, but its "
        "outputs are random. Weights alone, in a file that has no trace of a training, are medium: several "
        "trainings may start from them.",
        fix="Train the model, or load its weights, before saving. Call `model.load_weights(path)` "
        "after the model is built, and make sure that it raises no warning.",
        check=_never_trained,
        bad=examples.measured(_kernels("fresh", "fresh")),
        good=examples.measured(_kernels("trained", "fresh")),
    ),
    Rule(
        code="MA405",
        name="layer-at-initial-values",
        family=Family.WEIGHTS,
        severity=Severity.HIGH,
        confidence=Confidence.HIGH,
        needs=MEASURED,
        summary="A layer still has its initial values while others are trained",
        pass_title="No single layer was left at its initial values",
        why="A partial restore leaves this: `by_name=True`, `skip_mismatch=True` and "
        "`expect_partial()` skip layers without an error. So does training in which no gradient "
        "reaches the layer. Either way its outputs are arbitrary.",
        fix="Load the weights again without `by_name=True`, `skip_mismatch=True` or "
        "`expect_partial()`, which skip layers:\n\n"
        '    model.load_weights("trained.weights.h5")\n'
        "    # or, for a TensorFlow checkpoint, with an error if anything is skipped:\n"
        "    import tensorflow as tf\n"
        '    status = tf.train.Checkpoint(model=model).restore("CHECKPOINT")\n'
        "    status.assert_existing_objects_matched()\n\n"
        "If the values are right, find why training did not change them. If the layer is random and "
        "frozen on purpose (random features), waive this finding.",
        check=_partial_restore,
        bad=examples.measured(_kernels("trained", "fresh")),
        good=examples.measured(_kernels("trained", "trained")),
    ),
)

"""MA321, MA323: layers that training does not change, or changes all alike."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence, Set

from modelaudit.audit_types.kernels import KernelInitialization
from modelaudit.facts import Layer
from modelaudit.findings import Confidence, Finding, Severity
from modelaudit.measures.architecture.layer_graph import enclosing_model
from modelaudit.measures.optimizer_state import optimizer_state
from modelaudit.measures.summary import Measurements
from modelaudit.rules import examples
from modelaudit.rules.grammar import counted
from modelaudit.rules.initial_weights.initial_values import never_trained
from modelaudit.rules.initial_weights.sized_kernels import starts_constant
from modelaudit.rules.initial_weights.start_alike import start_alike
from modelaudit.rules.initial_weights.training_traces import steps_of_nothing
from modelaudit.rules.initial_weights.untrained_bodies import layer_of
from modelaudit.rules.model import Facts, Family, Need, NotApplicable, NotRelevant, Rule
from modelaudit.rules.network.frozen_layers import all_frozen
from modelaudit.rules.network.network_heads import output_heads, saved_graph, weighs
from modelaudit.rules.plain_graphs.architecture import shown_architecture
from modelaudit.rules.training.results import exploded_beside
from modelaudit.structs import replace
from modelaudit.thresholds.training import UNITS_ALIKE


def _frozen(rule: Rule, facts: Facts) -> Iterator[Finding]:
    if facts.artifact.architecture is None:
        yield from _frozen_in_graph(rule, facts)
        return
    if not (facts.artifact.training or {}).get("loss"):
        raise NotRelevant("the model was saved without a loss")
    graph = saved_graph(facts)
    architecture = facts.artifact.architecture
    models = {x.route for x in architecture.layers if x.is_model} if architecture else frozenset()
    weighing = [layer for layer in graph.layers if layer.variables or layer.expected]
    heads = {head.weights.route: head.weights for head in output_heads(graph)}
    measured = facts.measurements.initialization if facts.measurements else ()
    states = {layer_of(kernel): kernel for kernel in reversed(measured)}
    trained = {route for route, state in states.items() if state.state == "trained"}
    steps = steps_of_nothing(facts.artifact)
    for layer in heads.values() if not steps else ():
        state = states.get(layer.route)
        fresh = state is not None and state.state == "fresh" and not state.guessed
        model = enclosing_model(layer.route, models)
        if not layer.trainable and not fresh and model:
            fresh = _drawn(model, states)
        alone = (
            not model  # the head of the whole, whose layers the others all are
            or _alone(layer, weighing, models)
            or _drawn(model, states)
            # Frozen as a whole, it was trained before: the last layer is the one that was not.
            or any(route.startswith(f"{model}/") for route in trained)
        )
        if not layer.trainable and fresh and trained and alone:
            around = any(each.trainable and each.route in trained for each in weighing)
            effect = (
                "the layers before it could only learn what suits these values"
                if around
                else "what the classes are was never learned"
            )
            yield _found(
                rule,
                layer,
                f"`{layer.route}`, the last layer with weights, is frozen at the values that its "
                f"initializer drew: {effect}",
                Severity.MEDIUM if around else Severity.HIGH,
            )
            return
    if all_frozen(graph.layers):
        yield _all_frozen(rule, facts, weighing, steps)
        return
    for layer in heads.values():
        if not layer.trainable:
            alone = _alone(layer, weighing, models)
            detail = (
                f"`{layer.route}`, the last layer with weights, is frozen: with these settings "
                "training cannot change what the classes are"
            )
            untouched = _at_start(states.get(layer.route)) and trained
            severity = Severity.MEDIUM if untouched else Severity.LOW
            also = ", and its bias and kernel are as initializers draw them" if untouched else ""
            yield _found(rule, layer, detail + also, severity if alone else Severity.INFO)
    yield from _trained_though_frozen(rule, facts, weighing)


def _trained_though_frozen(
    rule: Rule, facts: Facts, weighing: Sequence[Layer]
) -> Iterator[Finding]:
    """Layers that the optimizer of this compilation trained, beside others that are not frozen."""
    state = optimizer_state(facts.artifact)
    got = {each.route for each in state.moments if each.first or each.second} if state else set()
    found = [layer for layer in weighing if not layer.trainable and layer.route in got]
    if not found or not any(layer.trainable and layer.route in got for layer in weighing):
        return
    names = ", ".join(f"`{layer.route}`" for layer in found[:4]) + (
        ", ..." if len(found) > 4 else ""
    )
    yield rule.finding(
        f"{names}: frozen, but the optimizer has averages of gradients of its weights, as it has of layers "
        "that are not frozen. It looks as if trainable was set after compile(), which takes effect only "
        "when the model is compiled again: until then, training goes on changing these weights.",
        route=found[0].route,
        title="Frozen layers that the compiled optimizer trained",
        evidence={"measured": len(found), "unit": "layers", "n": len(weighing)},
        key="trained though frozen",
        severity=Severity.LOW,
        confidence=Confidence.MEDIUM,
        fix="If these layers were to keep their weights, load them again, and compile after freezing:\n"
        f"model{_access(found[0])}.trainable = False\nmodel.compile(...)\n"
        "If they were frozen after the training, ignore this.",
    )


def _frozen_in_graph(rule: Rule, facts: Facts) -> Iterator[Finding]:
    """The same of an export, which lists the weights that were trained but has no loss."""
    for layer in frozen_heads(facts):
        yield _found(
            rule,
            layer,
            f"`{layer.route}`, the last layer with weights, is not among those that were trained, and its "
            "bias and kernel are as initializers draw them: the layers before it could only learn what "
            "suits these values",
            Severity.MEDIUM,
        )


def frozen_heads(facts: Facts) -> list[Layer]:
    """The frozen last layers of an export that are as drawn, beside others that were trained."""
    if facts.artifact.architecture is not None or facts.measurements is None:
        return []
    if shown_architecture(facts.artifact) is None:
        return []
    graph = saved_graph(facts)
    states = {layer_of(kernel): kernel for kernel in reversed(facts.measurements.initialization)}
    learnt = {r for r, state in states.items() if state.tests.get("bias_initial") is False}
    normed = any(not norm.affine_initial for norm in facts.measurements.batchnorm)
    trained = any(
        x.variables and x.trainable and (normed or x.route in learnt) for x in graph.layers
    )
    heads = {head.weights.route: head.weights for head in output_heads(graph)}
    return [
        layer
        for layer in heads.values()
        if trained and not layer.trainable and _at_start(states.get(layer.route))
    ]


def _all_frozen(rule: Rule, facts: Facts, weighing: Sequence[Layer], steps: int) -> Finding:
    """That no layer can learn. `steps` were made in vain, see `steps_of_nothing`."""
    measured = facts.measurements.initialization if facts.measurements else ()
    norms = facts.measurements.batchnorm if facts.measurements else ()
    never = bool(measured) and never_trained(facts.artifact, measured, norms)[0]
    fresh = next((kernel for kernel in measured if kernel.state == "fresh" and steps), None)
    # An optimizer with averages of gradients trained weights before they were frozen, unless
    # all are as they were drawn.
    slots = any(t.role == "optimizer" and t.shape for t in facts.artifact.tensors)
    before = slots and not never
    if before:
        effect = (
            "The optimizer trained some before; they were frozen afterwards, for use without training "
            "or as a part of another model such as a GAN."
        )
        severity = Severity.INFO
    elif steps:
        made = counted(steps, "training step", "training steps")
        effect = f"The {made} changed nothing: the optimizer has averages for no weight."
        severity = Severity.HIGH if never or fresh else Severity.MEDIUM
    else:
        effect = "With the compile settings in this file, training changes nothing."
        severity = Severity.LOW
        effect += " That they still have their initial values, MA404 says." if never else ""
    if never and steps:
        effect += " They still have their initial values."
    elif fresh:
        effect += f" {layer_of(fresh)} still has values as drawn by its initializer."
    return rule.finding(
        f"All of the {counted(len(weighing), 'layer', 'layers')} with weights are frozen. {effect}",
        route=weighing[-1].route,
        title="All layers with weights are frozen",
        evidence={"measured": 0, "unit": "layers that are not frozen", "n": len(weighing)},
        severity=severity,
        fix="Unfreeze what is to learn, compile, and train again:\nmodel.trainable = True",
    )


def _at_start(state: KernelInitialization | None) -> bool:
    """Whether a kernel may be as drawn, and its bias is: training moves every bias."""
    return bool(
        state and state.tests.get("fits") is True and state.tests.get("bias_initial") is True
    )


def _drawn(model: str, states: Mapping[str, KernelInitialization]) -> bool:
    """Whether an inner model is as drawn, with all its biases: it was never trained by itself."""
    inner = [state for route, state in states.items() if route.startswith(f"{model}/")]
    fresh = any(state.state == "fresh" and not state.guessed for state in inner)
    return fresh and all(
        state.tests.get("fits") is not False and state.tests.get("bias_initial") is True
        for state in inner
    )


def _alone(layer: Layer, weighing: list[Layer], models: Set[str]) -> bool:
    """Whether other layers of its model are not frozen.

    A model frozen as a whole is part of another on purpose, as in a GAN.
    """
    model = enclosing_model(layer.route, models)
    return any(each.trainable for each in weighing if enclosing_model(each.route, models) == model)


def _found(rule: Rule, layer: Layer, detail: str, severity: Severity) -> Finding:
    return rule.finding(
        f"{detail}.",
        route=layer.route,
        evidence={"measured": False, "unit": "trainable"},
        severity=severity,
        fix="If it is to learn, unfreeze the layer, compile, and train again:\n"
        f"model{_access(layer)}.trainable = True",
    )


def _access(layer: Layer) -> str:
    """Code that takes a layer from its model, through the models around it."""
    names = layer.route.split("/")
    around = layer.config_route.count("/config/")  # models; names may have slashes of their own
    names = names if len(names) == around + 1 else [layer.name]
    return "".join(f".get_layer({name!r})" for name in names)


def _equal(rule: Rule, facts: Facts) -> Iterator[Finding]:
    assert facts.measurements is not None
    graph = saved_graph(facts)
    hidden = {layer.route: layer for layer in graph.layers if layer.route not in graph.outputs}
    if not facts.measurements.initialization:
        raise NotApplicable("no kernel could be measured")
    constant = {each.route for each in facts.measurements.constant}
    told = set[str]()
    for kernel in facts.measurements.initialization:
        layer = hidden.get(kernel.route)
        alike = kernel.tests.get("unit_similarity")
        if layer is None or not isinstance(alike, float) or not weighs(layer):
            continue
        if alike < UNITS_ALIKE.value:
            continue
        told.add(kernel.route)
        if alike < 1 and (kernel.route in constant or exploded_beside(facts, kernel.tensor)):
            continue  # of units that large steps moved alike, MA435 and MA437 tell
        unlike = any(
            x.initializer and not starts_constant(x)
            for x in facts.artifact.kernels
            if x.route == layer.route
        )
        units = layer.config.get("units", layer.config.get("filters"))
        initializer = layer.config.get("kernel_initializer")
        said = initializer.get("class_name") if isinstance(initializer, dict) else initializer
        same = "the same weights" if alike == 1 else f"nearly the same weights (cosine {alike:.2f})"
        effect = "" if alike == 1 else "hardly more than "
        yield rule.finding(
            f"All {units} units of `{layer.route}` have {same}, so it computes {effect}one number "
            f"{units} times. Its initializer is {said}.",
            route=layer.route,
            evidence={
                "measured": alike,
                "unit": "mean cosine of two units",
                "threshold": UNITS_ALIKE.value,
                "n": units,
            },
            # Frozen layers can repeat a channel on purpose.
            severity=Severity.LOW
            if not layer.trainable
            else Severity.HIGH
            if alike == 1
            else Severity.MEDIUM,
            fix="Its initializer draws them unlike. If a program set them to one value, draw them at "
            "random. Otherwise training moved all of them alike: use a loss that suits the output and "
            "a lower learning rate. Then train again."
            if unlike
            else "Draw the weights at random and train again:\n"
            f'keras.layers.{layer.class_name}({units!r}, ..., kernel_initializer="glorot_uniform", '
            f"name={layer.name!r})",
        )
    yield from start_alike(rule, graph, told)


def _headed(trainable: bool) -> Facts:
    head = examples.layer("head", config={"units": 3, "activation": "softmax"})
    hidden = examples.layer("hidden", config={"units": 8, "activation": "relu"})
    return examples.chain(hidden, replace(head, trainable=trainable))


def _units(similarity: float) -> Facts:
    tests = {"unit_similarity": similarity}
    state = KernelInitialization("hidden", "hidden/kernel", "Ones", "trained", tests=tests)
    facts = _headed(True)
    return replace(facts, measurements=Measurements(initialization=(state,)))


RULES = (
    Rule(
        code="MA321",
        name="frozen-head",
        family=Family.ARCHITECTURE,
        severity=Severity.LOW,
        confidence=Confidence.HIGH,
        needs=(Need.LAYERS,),
        summary="The last layer with weights is frozen",
        pass_title="The last layer with weights is not frozen",
        why="Transfer learning freezes the layers before the last one. If the last one is frozen "
        "too, it keeps the values that it had. That is right if the whole model was frozen after "
        "training, as for one that is part of another.",
        fix="Unfreeze the last layer, compile, and train again.",
        check=_frozen,
        bad=lambda: _headed(False),
        good=lambda: _headed(True),
    ),
    Rule(
        code="MA323",
        name="equal-units",
        family=Family.ARCHITECTURE,
        severity=Severity.HIGH,
        confidence=Confidence.CERTAIN,
        needs=(Need.ARCHITECTURE, Need.MEASUREMENTS),
        summary="All units of a hidden layer have the same weights",
        pass_title="The units of every hidden layer differ",
        why="Units that start alike get the same gradient, or nearly, and stay alike. The layer passes on a "
        "single number, however many units it has.",
        fix="Use a random kernel_initializer, such as the default, and train again.",
        check=_equal,
        bad=lambda: _units(1.0),
        good=lambda: _units(0.5),
    ),
)

"""MA605: outputs that differ from run to run, and whether the model seems meant to draw them."""

from __future__ import annotations

from collections.abc import Iterator

from modelaudit.facts import Artifact
from modelaudit.findings import Confidence, Finding, Severity
from modelaudit.layer_classes import Trait, has
from modelaudit.rules import examples_behaviour
from modelaudit.rules.architecture.sequences import stateful
from modelaudit.rules.model import Facts, Family, Need, NotApplicable, Rule
from modelaudit.rules.security.config.code_sites import code_sites
from modelaudit.rules.security.graph.reachability import every_node

# Operations that draw samples; dropout draws uniform numbers instead.
_SAMPLERS = frozenset(
    ("Multinomial", "RandomStandardNormal", "RandomGamma", "StatelessMultinomial")
    + ("StatelessRandomNormal", "StatelessRandomNormalV2")
)
_LONGEST = 60  # of a scope: those of chained bijectors have hundreds of characters
_OTHERWISE = ("nitializer", "noise", "dropout", "init/")  # scopes of initial values and noise


def draws_by_design(artifact: Artifact) -> str:
    """What draws samples as if on purpose, as in a variational autoencoder or a policy; or ""."""
    layers = artifact.architecture.layers if artifact.architecture else ()
    for layer in layers:
        operation = has(layer.class_name, Trait.TENSORFLOW_OPERATION)
        if (
            operation
            and "random" in f"{layer.config.get('function')}{layer.config.get('node_def')}"
        ):
            return f"the operation `{layer.route}` does so on purpose"
        draws = has(layer.class_name, Trait.DROPOUT | Trait.NOISE)
        if draws and any(call.get("training") is True for call in layer.call_kwargs):
            return f"`{layer.route}` is called with training=True, as on purpose for Monte Carlo dropout"
    for site in code_sites(artifact):
        if any("random" in name.lower() for name in site.names):
            return f"the code of {site.text.site.layer or 'a Lambda layer'} does so on purpose"
    for graph in artifact.graphs if not layers else ():
        for _, node in every_node(graph):
            if node.op in _SAMPLERS and not any(word in node.name for word in _OTHERWISE):
                scope, _, name = node.name.rpartition("/")
                shown = f"…/{name}" if len(scope) > _LONGEST else node.name
                return f"{shown} ({node.op}) may do so on purpose"
    return ""


def keeps_state(artifact: Artifact) -> str:
    """That a layer keeps its state from one run to the next, which then begins with it; or ""."""
    kept = stateful(artifact.architecture.layers if artifact.architecture else ())
    return f"`{kept[0].route}` keeps its state from one run to the next (MA325)" if kept else ""


def may_draw(artifact: Artifact) -> str:
    """That a custom layer, whose code the file does not hold, may draw samples; or ""."""
    layers = artifact.architecture.layers if artifact.architecture else ()
    custom = next((each for each in layers if each.custom and not each.is_model), None)
    if custom is None:
        return ""
    return f"Its custom layer `{custom.route}` ({custom.class_name}) may draw random numbers."


def _in_training(artifact: Artifact) -> bool:
    """Whether a call is saved with training=True; Keras 3 saves it with every augmentation layer."""
    layers = artifact.architecture.layers if artifact.architecture else ()
    saved = (layer for layer in layers if not has(layer.class_name, Trait.AUGMENTATION))
    return any(call.get("training") is True for layer in saved for call in layer.call_kwargs)


def _nondeterministic(rule: Rule, facts: Facts) -> Iterator[Finding]:
    behaviour = facts.behaviour
    assert behaviour is not None
    if not behaviour.deterministic:
        if facts.artifact.training_graph:
            raise NotApplicable(
                "undecidable: the file holds the graph that trained the model, in which dropout "
                "may be active, and no graph for inference"
            )
        if kept := keeps_state(facts.artifact):
            raise NotApplicable(f"undecidable: {kept}")
        repeated = behaviour.repeat_differs is not False
        # Batches of other inputs may then differ by rounding alone.
        matters = behaviour.training_flag_matters is True
        flagged = not repeated and matters and _in_training(facts.artifact)
        drawn = draws_by_design(facts.artifact) if behaviour.repeat_differs or flagged else ""
        may = may_draw(facts.artifact) if repeated and not drawn else ""
        when = "when the model runs twice" if repeated else "in batches of other inputs"
        text = f"The same inputs give different outputs {when} (largest difference "
        text += f"{behaviour.noise_floor:.3g})."
        if flagged:
            text = "model(x) gives other outputs than predict: a saved training=True is in effect."
        text += f" Random numbers are drawn: {drawn}." if drawn else ""
        yield rule.finding(
            text + (f" {may}" if may else ""),
            severity=Severity.MEDIUM if drawn or may else None,
            evidence={"n": behaviour.inputs.n}
            if flagged
            else {
                "measured": behaviour.noise_floor,
                "unit": "as largest difference between two runs on the same input",
                "n": behaviour.inputs.n,
            },
        )


RULES = (
    Rule(
        code="MA605",
        name="nondeterministic-output",
        family=Family.BEHAVIOUR,
        severity=Severity.HIGH,
        confidence=Confidence.CERTAIN,
        needs=(Need.BEHAVIOUR,),
        summary="The same input gives different outputs",
        pass_title="The same input gives the same output",
        why="A layer runs in training mode (dropout, noise, batch statistics) or draws random "
        "numbers. Unless that is intended, as in a generator, a sampling policy or Monte Carlo "
        "dropout, no single prediction can be trusted.",
        fix="If the model is meant to sample, waive this finding. Otherwise, look for `training=True` in the saved calls, for random layers and for operations over the "
        "axis of the batch (`keras.ops.max(x)` without an axis), and rebuild the model without them. `model.export` of Keras 3 keeps random augmentation layers active: "
        "export a call with `training=False` through `keras.export.ExportArchive`.",
        check=_nondeterministic,
        bad=examples_behaviour.noisy,
        good=examples_behaviour.sound_behaviour,
    ),
)

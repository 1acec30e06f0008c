"""What to do about a training that was missing or short, with code."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from enum import StrEnum
from functools import wraps

from modelaudit.audit_types.values import number
from modelaudit.facts import Layer
from modelaudit.file_formats import Format
from modelaudit.findings import Finding
from modelaudit.layer_classes import Trait, has
from modelaudit.measures.architecture.layer_graph import LayerGraph
from modelaudit.measures.kernels.initializers import candidates
from modelaudit.rules.architecture.starting_values import begin_below
from modelaudit.rules.model import Facts, Rule
from modelaudit.rules.network.network_heads import activation_of
from modelaudit.structs import replace

FREEZE = (
    "Restore the trained checkpoint in the session in which the graph is frozen, after the initializers "
    "have run, and freeze it again."
)
UPDATE_AND_FREEZE = (
    "Freeze the graph again from a checkpoint that holds the moving statistics. If training did not keep them, "
    "run the operations of `tf.compat.v1.GraphKeys.UPDATE_OPS` with each of its steps."
)
EXPORT_AGAIN = (
    "Look at the model that was exported: if it has other statistics, export it again. If its layers have "
    "momentum=1, use keras.layers.BatchNormalization(momentum=0.99); if the training loop calls it "
    "without `training=True`, pass that. `fit` of Keras 3 passes it to a subclass only if `call` has a "
    "parameter `training`. Then train and export again."
)


class Training(StrEnum):
    """What to do about a training that was missing or short."""

    AT_ALL = "at-all"
    WITH_A_RATE = "with-a-rate"
    LONGER = "longer"


_WHOLE = "model.save(path)"
# `{save}` is the call that writes the format of the audited file.
_TEXTS = {
    Training.AT_ALL: "Train the model, then save it:\n\n    model.fit(x, y)\n    {save}",
    Training.WITH_A_RATE: (
        "Train the model at a learning rate above 0, then save it:\n\n"
        "    model.fit(x, y)\n    {save}"
    ),
    Training.LONGER: (
        "Train for more epochs, then save the model:\n\n"
        "    model.fit(x, y, epochs=50)\n    {save}\n\n"
        "If EarlyStopping ended training, give it a patience, such as 10: the default of 0 ends it after "
        "the first epoch that is no better, at the latest."
    ),
}
_SESSIONS = (
    Format.SAVEDMODEL_TF1,
    Format.TF1_CHECKPOINT,
    Format.TF1_CHECKPOINT_V1,
    Format.SESSION_BUNDLE,
)
_WEIGHTS = (Format.WEIGHTS_H5_LEGACY, Format.WEIGHTS_H5_V3, Format.NPZ_WEIGHTS)
_IN_A_SESSION = {
    Training.AT_ALL: (
        "Train the model in its session, or restore a trained checkpoint there after the initializers have "
        "run, then save it."
    ),
    Training.WITH_A_RATE: (
        "Train the model at a learning rate above 0 in its session, then save it."
    ),
    Training.LONGER: "Train the model for more steps in its session, then save it.",
}
Check = Callable[[Rule, Facts], Iterator[Finding]]


def whole(training: Training) -> str:
    """What to do about a model that `Model.save` wrote."""
    return _TEXTS[training].format(save=_WHOLE)


def in_its_format(training: Training, check: Check) -> Check:
    """The check of a rule whose advice names the call that writes the format of the audited file."""

    @wraps(check)
    def checked(rule: Rule, facts: Facts) -> Iterator[Finding]:
        fix = as_saved(training, facts.artifact.format)
        yield from check(replace(rule, fix=fix), facts)

    return checked


def as_saved(training: Training | None, form: Format) -> str:
    """What to do, with the call that writes this format; without a training, only for graphs."""
    if form is Format.FROZEN_GRAPH:
        return FREEZE
    if form in _SESSIONS:
        return _IN_A_SESSION[training or Training.AT_ALL]
    if training is None:
        return ""
    call = _WHOLE
    if form in _WEIGHTS:
        call = "model.save_weights(path)"
    if form is Format.TF2_CHECKPOINT:
        call = "model.save_weights(path)  # or tf.train.Checkpoint(model=model).save(path), as it was written"
    return _TEXTS[training].format(save=call)


def for_silent(facts: Facts, routes: Collection[str]) -> str:
    """What to do where no gradient reaches these layers and the config says why; empty otherwise.

    All of them are recurrent, or the biases of a ReLU started so low that it gave 0.
    """
    if low := begin_below(facts) or _start_below(facts, routes):
        first = ", ".join(f"`{route}`" for route in low[:5])
        return f'Use bias_initializer="zeros" in {first} and train again.'
    layers = facts.artifact.architecture.layers if facts.artifact.architecture else ()
    if facts.artifact.architecture is not None and not layers:  # a class joins them
        first = ", ".join(f"`{route}`" for route in [*routes][:5])
        return (
            f"See that `call` of the model's class passes on the results of {first}, and does not give its "
            "input to a later layer instead. If it does, train again with a smaller learning rate, or "
            "with leaky_relu instead of relu."
        )
    named = [layer for layer in layers if layer.route in routes]
    if not named or not all(has(layer.class_name, Trait.RECURRENT) for layer in named):
        return ""
    return (
        'Train again with the defaults activation="tanh" and recurrent_initializer="orthogonal", inputs '
        "on a scale of about 1, and keras.layers.LSTM or GRU in place of SimpleRNN. If the layers were "
        "frozen on purpose, set trainable=False before compiling."
    )


def _start_below(facts: Facts, routes: Collection[str]) -> list[str]:
    """Those of these layers that are ReLUs whose biases started below 0."""
    layers = facts.artifact.architecture.layers if facts.artifact.architecture else ()
    found = []
    for layer in layers:
        said = layer.config.get("bias_initializer")
        drawn = candidates(said, (1,)) if isinstance(said, dict) else ()
        below = any(each.kind == "constant" and each.mean < 0 for each in drawn)
        if below and layer.route in routes and activation_of(layer) == "relu":
            found.append(layer.route)
    return found


def for_penalized(facts: Facts) -> str:
    """What comes first where a layer's results became the same and are penalized; or empty."""
    layers = facts.artifact.architecture.layers if facts.artifact.architecture else ()
    for layer in layers:
        given = layer.config.get("activity_regularizer")
        inner = given.get("config") if isinstance(given, dict) else None
        if layer.class_name == "ActivityRegularization":
            inner = dict(layer.config)
        if isinstance(inner, dict):
            factor = max(number(inner.get(each)) or 0.0 for each in ("l1", "l2"))
            if factor > 0:
                return (
                    f"The activity penalty of `{layer.route}`, with a factor of {factor:g}, draws its results "
                    "to 0, and it is added up over all units: use a hundredth of it or none, and train "
                    "again. If that does not help: "
                )
    return ""


def rescaling_before(graph: LayerGraph, route: str) -> Layer | None:
    """The first layer before this one that scales what the network gets by a constant."""
    above = graph.above([route])
    return next((x for x in graph.layers if x.class_name == "Rescaling" and x.route in above), None)


def scaled_once(scale: Layer | None) -> str:
    """What to do about inputs that were scaled too often, perhaps by this layer."""
    return (
        f"`{scale.name}` scales by {scale.config.get('scale')!r} already: give the model values as they "
        "are, such as pixels of 0 to 255, without dividing them before, and train again."
        if scale is not None
        else "Check that the inputs are scaled once, to a standard deviation of about 1, and train again."
    )

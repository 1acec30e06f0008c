"""Losses and metrics, and what optimizers need, for `load_model(compile=True)`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from modelaudit.facts import Artifact, Json
from modelaudit.formats.keras.json_config import mapping, text
from modelaudit.runtimes.checks.compiled_optimizers import (
    RECOMPILE,
    check_archived,
    check_optimizer,
    check_schedule,
    compile_reason,
)
from modelaudit.runtimes.checks.own_classes import (
    compile_objects as own_objects,
)
from modelaudit.runtimes.model import CheckContext, Reason
from modelaudit.runtimes.profile import RuntimeProfile
from modelaudit.runtimes.saved_config import FUNCTION, imports_modules
from modelaudit.runtimes.version_bounds import SUBCLASS_CHECKED

_WRAPPERS = ("MeanMetricWrapper", "SumOverBatchSizeMetricWrapper")  # of functions
_BY_OUTPUT = ("accuracy", "acc", "crossentropy", "ce")  # chosen by the shape of the output


def check(artifact: Artifact, context: CheckContext, archive: bool) -> Iterator[Reason]:
    """Reasons for the compile config."""
    training = artifact.training
    if training is None:
        return
    if archive:
        yield from check_archived(training.get("optimizer"), context)
    else:
        yield from check_optimizer(training.get("optimizer_config"), context)
        if context.profile.keras < (2, 3) and "sample_weight_mode" not in training:
            yield compile_reason(
                "training-config",
                "the training config has no sample_weight_mode",
                "KeyError: 'sample_weight_mode'",
            )
    yield from _losses(training, context, archive)
    yield from _metrics(training, context, archive)
    for kind, word in (("losses", "loss"), ("metrics", "metrics")):
        for name, form, config, module in _objects(training.get(word)):
            if archive and _foreign(module, name, context):
                continue
            if form == "class" and name not in context.request.custom:
                # A loss can be a metric; several classes have the name of one.
                held = "losses" if module.rpartition(".")[2] == "losses" else kind
                yield from _arguments(held, word, name, config, context)
    yield from own_objects.check(training, context, archive, RECOMPILE)
    for word in ("metrics", "weighted_metrics") if context.profile.keras3 else ():
        yield from _alone(word, training.get(word), context, archive)


def check_saved_model(artifact: Artifact, context: CheckContext) -> Iterator[Reason]:
    """Reasons of a SavedModel, whose loader creates losses and metrics from their config alone."""
    yield from _losses(artifact.training or {}, context, archive=False)
    optimizer = mapping((artifact.training or {}).get("optimizer_config"))
    yield from check_schedule(mapping(optimizer.get("config")), context)
    metrics = {
        f"nodes/{node.index}"
        for node in artifact.object_graph
        if node.detail.get("identifier") == "_tf_keras_metric"
    }
    for document in artifact.documents:
        said = mapping(document.value) if document.route in metrics else {}
        name = text(said.get("class_name"))
        if name in _WRAPPERS:
            name = text(mapping(said.get("config")).get("fn"))
        if name and not _known(name, context):
            yield compile_reason(
                "unknown-metric",
                f"the metric {name} is not one of {context.profile.name}",
                f"ValueError: Unable to restore custom object of class {said.get('class_name')}",
            )


def _metrics(
    training: Mapping[str, Json], context: CheckContext, archive: bool
) -> Iterator[Reason]:
    """Metrics that the runtime does not find."""
    for word in ("metrics", "weighted_metrics"):
        for name, form, config, module in _objects(training.get(word)):
            if form == "class" and name in _WRAPPERS:
                yield from _wrapped(name, config.get("fn"), context, archive)
            # In Keras 3, a text that is not found is looked up when the model is trained.
            foreign = archive and form == "class" and _foreign(module, name, context)
            known = _known(name, context) and not foreign
            if not name or known or (archive and _imported(module, context)):
                continue
            if archive and context.profile.keras3 and _is_function(form, name, context.profile):
                continue
            located = form in ("function", "class") and archive
            if located or not context.profile.keras3:
                shown = "function" if form == "function" else name
                yield compile_reason(
                    "unknown-metric",
                    f"the metric {name} is not one of {context.profile.name}",
                    f"TypeError: Could not locate {form} '{name.rpartition('>')[2]}'"
                    if located
                    else f"ValueError: Unknown metric function: '{shown}'",
                )


def _alone(word: str, value: Json, context: CheckContext, archive: bool) -> Iterator[Reason]:
    """Metrics without a list around them, which Keras 2 compiles and Keras 3 does not."""
    found = [*_objects(value)]
    if len(found) != 1 or not (isinstance(value, str) or "class_name" in mapping(value)):
        return
    ((name, form, *_),) = found
    if not name:
        return
    error = f"ValueError: Expected `{word}` argument to be a list, tuple, or dict."
    if form == "text" and word == "metrics" and not archive and not _known(name, context):
        error = "TypeError: string indices must be integers, not 'str'"
    yield compile_reason(
        "metrics-alone" if word == "metrics" else "weighted-metrics-alone",
        f"the {word} are {name} alone, without the list that {context.profile.name} requires",
        error,
    )


def _wrapped(
    wrapper: str, function: Json, context: CheckContext, archive: bool
) -> Iterator[Reason]:
    """The function of a metric that is one: Keras 2 looks up a name, and Keras 3 an object.

    Each leaves the other form as it is, and fails only where the metric is computed. A loss object
    as Keras 2 writes it, without its module, is looked up among the metrics, which have no
    `reduction`.
    """
    keras3, config = context.profile.keras3, mapping(function)
    name, held = text(function), text(config.get("class_name"))
    by_class = held not in ("", FUNCTION) and held not in context.request.custom
    if by_class and not ("module" in config and (keras3 or archive)):
        error = f"TypeError: …{wrapper}'> could not be deserialized properly"
        what = f"the function of the metric {wrapper} is a {held} object without its module"
        if keras3:
            what += f", which {context.profile.name} requires"
            yield compile_reason("metric-object", what, error)
        elif context.profile.knows("metrics", held):
            given = mapping(config.get("config"))
            yield from _arguments("metrics", "metrics", held, given, context)
        else:
            what = f"the function of the metric {wrapper} is a {held} object, which is no metric"
            error = f"ValueError: Unknown metric function: '{held}'"
            yield compile_reason("metric-object", f"{what} of {context.profile.name}", error)
        return
    error = f"ValueError: Unknown metric function: '{name}'"
    if keras3:
        name = text(config.get("config")) if config.get("class_name") == FUNCTION else ""
        error = f"TypeError: …{wrapper}'> could not be deserialized properly"
    # Keras 2 reads a name in HDF5 as one of its metrics, which not all of its losses are.
    known = _known(name, context)
    if not (keras3 or archive):
        known = name in context.request.custom or context.profile.knows("metrics", name)
    if name and not known:
        what = f"the metric {name} is not one of {context.profile.name}"
        yield compile_reason("unknown-metric", what, error)


def _known(name: str, context: CheckContext) -> bool:
    """Whether a metric is one of Keras, or is given."""
    given = {*_BY_OUTPUT, *context.request.custom}
    return not given.isdisjoint((name, name.rpartition(">")[2])) or any(
        context.profile.knows(kind, name) for kind in ("metrics", "losses")
    )


def _objects(value: Json) -> Iterator[tuple[str, str, Mapping[str, Json], str]]:
    """(name, form, config, module) of every loss or metric: form is text, function or class."""
    if isinstance(value, str):
        yield value, "text", {}, ""
    elif isinstance(value, list):
        for item in value:
            yield from _objects(item)
    elif isinstance(value, dict):
        if value.get("class_name") == FUNCTION:
            yield text(value.get("config")), "function", {}, ""
        elif "class_name" in value:
            # A class that a program registered is found by that name only.
            registered = "" if value.get("module") else text(value.get("registered_name"))
            name = registered if ">" in registered else text(value["class_name"])
            yield name, "class", mapping(value.get("config")), text(value.get("module"))
        else:
            for item in value.values():
                yield from _objects(item)


def _arguments(
    kind: str, word: str, name: str, config: Mapping[str, Json], context: CheckContext
) -> Iterator[Reason]:
    """Keys of a loss or metric that its class does not accept."""
    accepted = context.profile.accepts(kind, name)
    extra = sorted(set(config) - accepted) if accepted is not None else []
    if extra:
        listed = ", ".join(extra)
        yield compile_reason(
            f"{word}-argument",
            f"the {word} {name} has {listed}, which {name} in {context.profile.name} does not "
            "accept",
            f"TypeError: …{name}.__init__() got an unexpected keyword argument '{extra[0]}'",
        )
    elif accepted is not None and context.profile.keras3 and config.get("reduction") == "auto":
        yield compile_reason(
            "reduction-auto",
            f"the {word} {name} has the Keras 2 reduction auto, which Keras 3 does not support",
            "ValueError: Invalid value for argument `reduction`. …Received: reduction=auto",
        )


def _losses(training: Mapping[str, Json], context: CheckContext, archive: bool) -> Iterator[Reason]:
    """Losses that the runtime does not find by their names."""
    loss, profile = training.get("loss"), context.profile
    alone = isinstance(loss, str) or "class_name" in mapping(loss)
    for name, form, config, module in _objects(loss):
        if not name or name in context.request.custom or (archive and _imported(module, context)):
            continue
        by_module = form == "class" and profile.is_public(module, name)
        if profile.keras3 and archive and (by_module or _is_function(form, name, profile)):
            continue  # found by its module, also one that is missing in the table of names
        error = f"TypeError: Could not locate {form} '{name}'"
        if not profile.knows("losses", name):
            if form == "class" and profile.keras3 and not archive and config.get("name", 0) is None:
                continue  # looked up by the name in its config, as that of no loss
            by_name = form == "text" or (form == "function" and not archive)
            if by_name and profile.keras3 and (archive or not alone):
                continue  # it stays a text, which is looked up when the model is trained
            if by_name:
                shown = name if form == "text" else form
                error = f"ValueError: Unknown loss function: '{shown}'"
            if by_name and profile.keras3:
                error = "TypeError: string indices must be integers, not 'str'"
            said = f"the loss is {name}, which {profile.name} does not have"
            yield compile_reason("unknown-loss", said, error)
        elif profile.keras3 and not archive and form == "text" and _is_short(name, profile):
            error = f"TypeError: Could not locate function '{name}'"
            if SUBCLASS_CHECKED.holds(profile):
                error = (
                    f"ValueError: Could not deserialize 'keras.metrics.{name}' because it is not a "
                    "KerasSaveable subclass"
                )
            yield compile_reason(
                "loss-by-short-name",
                f"the loss is written as {name}, a short name that {profile.name} does not "
                "recognise when it reads HDF5",
                error,
            )


def _imported(module: str, context: CheckContext) -> bool:
    """Whether the loader imports a class of the program by the module that an archive states."""
    return imports_modules(context) and module in context.request.modules


def _foreign(module: str, name: str, context: CheckContext) -> bool:
    """Whether Keras 3 looks it up in another package, which an archive names."""
    root = module.partition(".")[0]
    own = root in ("", "keras", "builtins") or name in context.request.custom
    return context.profile.keras3 and not own


def _is_function(form: str, name: str, profile: RuntimeProfile) -> bool:
    """Whether it is a function of Keras, which an archive names without its module."""
    modules = ("keras.metrics", "keras.losses")
    return form == "function" and any(profile.is_public(module, name) for module in modules)


def _is_short(name: str, profile: RuntimeProfile) -> bool:
    """Whether it is the name of a function that is in no public module."""
    modules = ("keras.metrics", "keras.losses")
    return name == name.lower() and not any(profile.is_public(m, name) for m in modules)

"""Predicts which runtimes load a model, from its facts alone."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import Path

from modelaudit.audit_types.loading import LoadOutcome
from modelaudit.facts import Artifact, Format
from modelaudit.findings import Confidence
from modelaudit.formats.source_code.classes import SourceCode
from modelaudit.runtimes.catalogue import as_installed, find_profile, saving_runtime
from modelaudit.runtimes.checks import (
    compile as match_compile,
)
from modelaudit.runtimes.checks import (
    config as match_config,
)
from modelaudit.runtimes.checks import (
    file_names,
    fusions,
    joined_gates,
    silent_differences,
)
from modelaudit.runtimes.checks import (
    graph as match_graph,
)
from modelaudit.runtimes.checks import (
    saved_keras as match_saved_keras,
)
from modelaudit.runtimes.checks.inbound_nodes import check_nodes
from modelaudit.runtimes.checks.orders.sorted_dictionaries import sorted_dictionaries
from modelaudit.runtimes.checks.own_classes import (
    subclasses as match_subclasses,
)
from modelaudit.runtimes.checks.own_classes import (
    unbuilt_layers as match_unbuilt,
)
from modelaudit.runtimes.checks.own_classes.built_twice import built_twice
from modelaudit.runtimes.checks.own_classes.constructors import operation_names
from modelaudit.runtimes.checks.own_classes.file_classes import classes_in
from modelaudit.runtimes.checks.own_classes.kept_objects import unknown_objects
from modelaudit.runtimes.checks.own_classes.lost_arguments import lost_arguments
from modelaudit.runtimes.checks.own_classes.masks_by_position import masks_by_position
from modelaudit.runtimes.checks.own_classes.output_shapes import further_outputs, open_sizes
from modelaudit.runtimes.checks.own_classes.untracked_objects import untracked_objects
from modelaudit.runtimes.checks.sequential import check_sequential, form_of, without_layers
from modelaudit.runtimes.checks.sizes import no_columns
from modelaudit.runtimes.checks.stored import (
    weights as match_weights,
)
from modelaudit.runtimes.checks.stored.checkpoints import nameless_prefix
from modelaudit.runtimes.checks.stored.own_variables import check_variables
from modelaudit.runtimes.checks.values import input_shapes
from modelaudit.runtimes.graph_usage import usage_of
from modelaudit.runtimes.model import (
    NOT_READ,
    CheckContext,
    LoadCall,
    LoadRequest,
    Prediction,
    Reason,
)
from modelaudit.runtimes.prediction_reasons import all_reasons, bounded
from modelaudit.runtimes.profile import RuntimeProfile
from modelaudit.runtimes.saved_config import is_model
from modelaudit.runtimes.unread_code import unread_code
from modelaudit.runtimes.untried import untried
from modelaudit.structs import replace
from modelaudit.work_budget import spend

_CALLS: dict[Format, tuple[LoadCall, ...]] = {
    Format.LEGACY_H5_FULL: (LoadCall.LOAD_MODEL,),
    Format.KERAS_ARCHIVE: (LoadCall.LOAD_MODEL,),
    Format.SAVEDMODEL_TF2: (LoadCall.LOAD_MODEL, LoadCall.SAVED_MODEL, LoadCall.TFSM_LAYER),
    Format.SAVEDMODEL_TF1: (LoadCall.SAVED_MODEL, LoadCall.SESSION, LoadCall.TFSM_LAYER),
    Format.WEIGHTS_H5_LEGACY: (LoadCall.LOAD_WEIGHTS,),
    Format.WEIGHTS_H5_V3: (LoadCall.LOAD_WEIGHTS,),
    Format.TF2_CHECKPOINT: (LoadCall.LOAD_WEIGHTS, LoadCall.RESTORE, LoadCall.LOAD_CHECKPOINT),
    Format.TF1_CHECKPOINT: (LoadCall.LOAD_CHECKPOINT,),
}

# The calls that make layers or read their weights, not a graph.
_BY_LAYERS = {
    LoadCall.LOAD_MODEL,
    LoadCall.FROM_JSON,
    LoadCall.LOAD_WEIGHTS,
    LoadCall.RESTORE,
}

KERAS_3_IN_2 = (
    "Load it in Keras 3, which saved it; editing the file cannot turn it into a Keras 2 model. "
    "For Keras 2, build the same layers in tf-keras and copy the weights layer by layer "
    "(`new.set_weights(old.get_weights())`), or export it from Keras 3 (`model.export(directory)`) "
    "and use `tf.saved_model.load` (random augmentation layers stay active in an export)."
)


def read_profiles(targets: Iterable[str], own: tuple[Path, ...] = ()) -> None:
    """Read what `predict` needs for these targets, so that workers forked later share it.

    Raises:
        UsageError: a target is not a runtime.
    """
    for target in targets:
        as_installed(find_profile(target, own))


def predict(
    artifact: Artifact,
    targets: Iterable[str],
    custom: frozenset[str] = frozenset(),
    own: tuple[Path, ...] = (),
    code: SourceCode | None = None,
) -> tuple[Prediction, ...]:
    """What happens when each target loads the model with each call for its format.

    Where only `compile=True`, the default of `load_model`, fails, that is a call of its own.

    Args:
        targets: runtimes as `find_profile` accepts them: `tf==2.21`, `tf-keras==2.21.0`.
        custom: names of classes and functions that will be passed as custom_objects.
        own: the user's own profiles.
        code: of the program that loads the model, which passes or registers its own objects.

    Raises:
        UsageError: a target is not a runtime.
        WorkSpent: there is too little work left for all of them.
    """
    profiles = {each.name: each for each in (find_profile(target, own) for target in targets)}
    code = code or SourceCode()
    custom |= code.passed
    asked = [
        (as_installed(profile), LoadRequest(call, custom))
        for profile in profiles.values()
        for call in _calls(artifact)
        if profile.keras3 or call is not LoadCall.TFSM_LAYER
    ]
    found = predict_calls(artifact, asked, code)
    if not artifact.training:
        return found
    found = tuple(
        replace(plain, compiling=_compiling(artifact, CheckContext(*each, code=code)))
        if each[1].call is LoadCall.LOAD_MODEL and plain.predicted is LoadOutcome.FAILS
        else plain
        for each, plain in zip(asked, found, strict=True)
    )
    compiling = [
        (profile, replace(request, compile=True))
        for (profile, request), plain in zip(asked, found, strict=True)
        if request.call is LoadCall.LOAD_MODEL and plain.predicted is not LoadOutcome.FAILS
    ]
    compiled = predict_calls(artifact, compiling, code)
    return (*found, *(each for each in compiled if each.predicted is LoadOutcome.FAILS))


def _compiling(artifact: Artifact, context: CheckContext) -> tuple[Reason, ...]:
    """What stops the call in the compile settings."""
    if artifact.format.is_saved_model:
        reasons = match_compile.check_saved_model(artifact, context)
    else:
        archive = artifact.format is Format.KERAS_ARCHIVE
        reasons = match_compile.check(artifact, context, archive)
    return tuple(
        each for each in all_reasons(bounded(reasons)) if each.predicted is LoadOutcome.FAILS
    )


def _calls(artifact: Artifact) -> tuple[LoadCall, ...]:
    """The calls for a format; weights next to an architecture in JSON are also loaded into that.

    Not into one that lacks layers of theirs: it is that of other weights, as MA124 says.
    """
    calls = _CALLS.get(artifact.format, ())
    beside = artifact.extra.get("architecture_from")
    written = isinstance(beside, str) and beside.lower().endswith(".json")
    written = written and not artifact.extra.get("lost_layers")
    return (LoadCall.FROM_JSON, *calls) if written else calls


def predict_calls(
    artifact: Artifact,
    asked: Iterable[tuple[RuntimeProfile, LoadRequest]],
    code: SourceCode | None = None,
) -> tuple[Prediction, ...]:
    """What happens when each runtime loads the model with the requested call."""
    writer, usage, shapes = saving_runtime(artifact), usage_of(artifact), input_shapes(artifact)
    code = code or SourceCode()
    classes = tuple(classes_in(artifact, code)) if code.classes else ()
    return tuple(
        _prediction(
            artifact,
            CheckContext(profile, request, writer, usage, shapes, code=code, classes=classes),
        )
        for profile, request in asked
    )


def _prediction(artifact: Artifact, context: CheckContext) -> Prediction:
    profile = context.profile
    spend()
    reasons = all_reasons(chain(bounded(_reasons(artifact, context)), _untested(context)))
    if not artifact.complete and not reasons:
        reasons = (_incomplete(artifact),)
    by_layers = context.request.call in _BY_LAYERS
    if by_layers and not reasons:
        reasons = all_reasons(unread_code(artifact, context))
    decisive = min((reason.predicted for reason in reasons), key=_rank, default=LoadOutcome.LOADS)
    guessed = untried(artifact) if by_layers and decisive is LoadOutcome.LOADS else ()
    return Prediction(
        runtime=profile.name,
        call=context.request.label,
        predicted=decisive,
        because=tuple(sorted(reasons, key=lambda reason: _rank(reason.predicted))),
        confidence=Confidence.HIGH if profile.exact and not guessed else Confidence.MEDIUM,
        collected=profile.collected,
        untried=guessed,
    )


def _rank(predicted: LoadOutcome) -> int:
    return predicted.rank


def _untested(context: CheckContext) -> Iterator[Reason]:
    """What cannot be decided because the profile is older than an experiment."""
    for name in sorted(context.untested):
        yield Reason(
            "no-experiment",
            LoadOutcome.UNKNOWN,
            f"the profile of {context.profile.collected} was collected without the experiment "
            f"{name}, which decides about a part of this file",
            fix="Collect the profile again with `modelaudit runtimes collect`.",
        )


def _incomplete(artifact: Artifact) -> Reason:
    why = artifact.problems[0].detail if artifact.problems else "parts could not be read"
    return Reason(NOT_READ, LoadOutcome.UNKNOWN, f"the model could only be read in part: {why}")


def _reasons(artifact: Artifact, context: CheckContext) -> Iterator[Reason]:
    call = context.request.call
    if call is LoadCall.LOAD_CHECKPOINT:
        yield from nameless_prefix(artifact)
    if call in (LoadCall.LOAD_CHECKPOINT, LoadCall.META_GRAPH):
        return
    yield from file_names.pattern(artifact)
    if call is LoadCall.LOAD_MODEL and artifact.format.is_saved_model:
        yield from match_saved_keras.check(artifact, context)
        yield from joined_gates.check(artifact, context)
        if context.request.compile:
            yield from match_compile.check_saved_model(artifact, context)
    elif call is LoadCall.SESSION or artifact.format.is_saved_model:
        yield from match_graph.check(artifact, context)
        yield from fusions.check(artifact, context)
        yield from joined_gates.check(artifact, context)
    elif call in (LoadCall.LOAD_WEIGHTS, LoadCall.RESTORE):
        yield from match_weights.check(artifact, context)
    elif call in (LoadCall.LOAD_MODEL, LoadCall.FROM_JSON):
        yield from _advised(_model_file(artifact, context), context)


def _advised(reasons: Iterable[Reason], context: CheckContext) -> Iterator[Reason]:
    """Reasons with a fix that works: a Keras 3 file has many of them at once for Keras 2."""
    across = context.writer and context.writer.keras3 and not context.profile.keras3
    for reason in reasons:
        fails = reason.predicted is LoadOutcome.FAILS
        yield replace(reason, fix=KERAS_3_IN_2) if across and fails else reason


def _model_file(artifact: Artifact, context: CheckContext) -> Iterator[Reason]:
    """A model in one file, or only its architecture."""
    archive = artifact.format is Format.KERAS_ARCHIVE
    if archive and not context.profile.archives:
        yield file_names.archive_in_old_keras(context)
        return
    yield from file_names.other_suffix(artifact, context)
    architecture = artifact.architecture
    if architecture is None or not artifact.documents:
        yield Reason(
            "no-config", LoadOutcome.UNKNOWN, "no architecture could be read from the file"
        )
        return
    document = artifact.documents[0].value
    config = document if isinstance(document, dict) else {}
    whole = context.request.call is LoadCall.LOAD_MODEL
    weighing = any(tensor.role == "weight" for tensor in artifact.tensors)
    form = () if archive else tuple(check_sequential(config, context, weighing))
    listed = form_of(config).startswith("list")
    yield from form if listed else ()  # the loader meets it before the layers
    yield from without_layers(config, context)
    layers = tuple(match_config.check_model(config, context, archive))
    yield from layers
    yield from () if archive else unknown_objects(config, context)
    form = tuple(each for each in form if each not in layers)
    if whole and not archive and artifact.tensors and not is_model(config):
        yield from match_subclasses.in_hdf5(config, artifact, context)
    if not (archive or listed):  # models inside are called before outputs are looked up
        yield from (each for each in form if each.route and not each.loads)
    yield from check_nodes(config, context, artifact.format is Format.LEGACY_H5_FULL)
    if context.profile.keras3:
        yield from operation_names(config, context)
        yield from masks_by_position(artifact, context)
        yield from open_sizes(artifact, context)
        yield from further_outputs(config, context)
        yield from no_columns(artifact, context)
    yield from match_config.check_name(config, context)
    if archive:
        yield from built_twice(config, context)
        yield from untracked_objects(artifact, context)
        if whole and not is_model(config):
            yield from match_subclasses.check(config, artifact, context)
        if not match_unbuilt.never_built(config, context):
            yield from match_weights.v3_layout(artifact, context)
    elif not listed:
        yield from (each for each in form if not each.route or each.loads)
    if whole:
        yield from lost_arguments(config, context)
        yield from check_variables(artifact, context)
        yield from sorted_dictionaries(artifact, context)
        yield from match_unbuilt.check(config, artifact, context, archive)
    yield from silent_differences.check(artifact, context, archive)
    if context.request.compile:
        yield from match_compile.check(artifact, context, archive)

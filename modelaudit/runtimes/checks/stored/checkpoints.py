"""Object-based checkpoints: whether the parts of a model have the names that the file lists."""

from __future__ import annotations

import re
from collections.abc import Iterator

from modelaudit.audit_types.loading import LoadOutcome
from modelaudit.facts import Artifact
from modelaudit.runtimes.checks.own_classes.listed_layers import in_lists, listed_layers
from modelaudit.runtimes.checks.stored.left_out import left_out
from modelaudit.runtimes.checks.stored.object_names import (
    KERAS3_ATTRIBUTES,
    names_in_keras3,
    needs_keras2,
    written_by_keras2,
    written_by_keras3,
)
from modelaudit.runtimes.checks.stored.object_paths import found_by_name, names, weights
from modelaudit.runtimes.checks.stored.optimizer_order import moved_variable, other_order
from modelaudit.runtimes.checks.stored.recorded_casts import moved_by_casts
from modelaudit.runtimes.checks.stored.recorded_masks import moved_by_masks
from modelaudit.runtimes.model import CheckContext, LoadCall, Reason
from modelaudit.runtimes.version_bounds import NEW_OPTIMIZERS
from modelaudit.terminal_text import first_of

_SLOT = "/.OPTIMIZER_SLOT/"
_BESIDE = ("_CHECKPOINTABLE_OBJECT_GRAPH", "save_counter")  # what a checkpoint has of itself
# Optimizer of a model inside another one.
_OF_PART = re.compile(r"(?:.*/)?layer(?:_with_weights)?-[0-9]+/(?:.*/)?optimizer/")
# Of an optimizer: its steps, and their size.
_COUNTS = ("_iterations", "_learning_rate", "iterations", "learning_rate")
_LISTED = re.compile(r"\boptimizer(?:/inner_optimizer)?/_variables/([0-9]{1,6})\b")
_SCALE = "_scale"  # of the loss, in mixed precision: numbers with other dtypes
# Which SavedModels of Keras 2 list for each object, and no object of Keras 3 has.
_LISTS = ("keras_api", "variables", "trainable_variables")
# Keras before 2.12 writes another layout under this name, which Keras 3 refuses.
REBUILD = "Load it into its network with tf-keras, and save the weights there as .weights.h5"
# For all checkpoints whose keys are others in the runtime.
COPY = "copy the variables with `tf.train.load_checkpoint`."
_NAMED = (
    "rename `.index` and `.data-…` to names with something in front, such as `model.index`, and "
)


def nameless_prefix(artifact: Artifact) -> Iterator[Reason]:
    """A prefix that ends in a slash, which `load_checkpoint` takes for the directory."""
    if _nameless(artifact):
        yield Reason(
            "prefix-without-name",
            LoadOutcome.FAILS,
            f"the prefix is `{artifact.root.name}/` (files `.index`, `.data-…`), which "
            "`tf.train.load_checkpoint` takes for a directory",
            fix="Rename the files, for example `.index` to `model.index`, and use that prefix.",
            unless="the program gives the prefix to `tf.train.Checkpoint.read` or "
            "`tf.compat.v1.train.Saver.restore`, which take it as it is",
        )


def _nameless(artifact: Artifact) -> bool:
    return any(entry.path == ".index" for entry in artifact.files)


def copy_advice(artifact: Artifact) -> str:
    """How to copy the variables, after a prefix without a name has got one."""
    return _NAMED * _nameless(artifact) + COPY


def check_checkpoint(artifact: Artifact, context: CheckContext) -> Iterator[Reason]:
    """Reasons for `load_weights` and `Checkpoint.restore` of an object-based checkpoint."""
    if context.request.call is LoadCall.LOAD_WEIGHTS:
        yield from _checkpoint_as_weights(artifact, context)
    yield from _restored(artifact, context)
    if written_by_keras3(artifact) is context.profile.keras3:
        yield from _adapted(artifact, context)


def _checkpoint_as_weights(artifact: Artifact, context: CheckContext) -> Iterator[Reason]:
    if context.profile.keras3:
        yield Reason(
            "checkpoint-in-keras-3",
            LoadOutcome.FAILS,
            "Keras 3 cannot load weights from a TensorFlow checkpoint",
            "ValueError: File format not supported: filepath=… Keras 3 only supports V3 `.keras`",
            f"{REBUILD}, or {copy_advice(artifact)} Never restore with expect_partial(), which "
            "hides mismatches.",
        )


def _restored(artifact: Artifact, context: CheckContext) -> Iterator[Reason]:
    """`Checkpoint(model).restore`: what does not match is silently left unchanged."""
    profile = context.profile
    slots = [
        tensor.name.partition(_SLOT)[2]
        for tensor in artifact.tensors
        if _SLOT in tensor.name and "optimizer" in tensor.name
    ]
    if slots and not profile.keras3 and NEW_OPTIMIZERS.holds(profile):
        inside = any(map(_OF_PART.match, slots))  # `trained` is said of the whole model
        yield Reason(
            "legacy-optimizer-slots",
            LoadOutcome.FAILS if context.request.trained or inside else LoadOutcome.UNKNOWN,
            "the checkpoint contains the slots of an optimizer from before Keras 2.11, which "
            "a model compiled with a later one does not restore",
            "ValueError: You are trying to restore a checkpoint from a legacy Keras optimizer into "
            "a v2.11+ Optimizer, which can cause errors.",
            "Restore into a model that is not compiled, or compiled with keras.optimizers.legacy.",
            unless=f"the program does not compile the model{' inside' if inside else ''}, or "
            "compiles it with an optimizer of keras.optimizers.legacy",
        )
    keras3 = written_by_keras3(artifact)
    restores = context.request.call is LoadCall.RESTORE
    if artifact.complete and artifact.object_graph and _is_empty(artifact):
        if restores and keras3 and profile.keras3:
            yield from left_out(artifact, context)  # may say of which layers
        yield _nothing_stored()
        return
    if not restores:
        if keras3 and not profile.keras3:
            yield _nothing_matches(artifact)
        return
    old = written_by_keras2(artifact) or (profile.keras3 and any(_kept_in_lists(artifact, context)))
    nodes = {node.index: node for node in artifact.object_graph}
    if not keras3 and not old:  # plain variables, which have the same keys everywhere
        yield from listed_layers(nodes, context.code)
        return
    if keras3 != profile.keras3:
        yield from _renamed(artifact, context, keras3)
        if context.request.trained or _scaled(artifact):
            yield from _optimizer_variables(artifact, context, keras3)
        if keras3:  # what it does not save in lists keeps random values in Keras 2 as well
            yield from listed_layers(nodes, context.code)
        return
    if keras3:
        yield from _unmatched(artifact, context)
        yield from moved_by_casts(artifact, context)
        yield from moved_by_masks(artifact, context)
        yield from other_order(artifact, context)
        yield from left_out(artifact, context)
    elif profile.keras < (2, 3):
        yield Reason(
            "restored-later",
            LoadOutcome.DIFFERS,
            "in graph mode, restore() only prepares the values; without "
            "initialize_or_restore(session) the weights keep their random values",
            "no error",
            "Call `status.initialize_or_restore(session)`.",
        )


def _is_empty(artifact: Artifact) -> bool:
    """Whether it has no variables but counts of checkpoints and what an optimizer begins with."""
    return all(
        each.name.split("/")[0] in _BESIDE or each.name.rpartition("/")[2] in _COUNTS
        for each in artifact.tensors
    )


def _nothing_stored() -> Reason:
    return Reason(
        "checkpoint-without-variables",
        LoadOutcome.DIFFERS,
        "the checkpoint has no variables, so that all weights keep their random values. Keras 3 "
        "saves no layers and weights there that a class keeps in a list or dictionary",
        "no error",
        "Save the weights as .weights.h5.",
        unless="the model has no weights",
    )


def _renamed(artifact: Artifact, context: CheckContext, keras3: bool) -> Iterator[Reason]:
    """Weights that the other generation of Keras lists under other names."""
    listed = sorted(names(artifact))
    exported = any("keras_api" in node.children for node in artifact.object_graph)
    kept, inside = _kept_in_lists(artifact, context)
    found = found_by_name(
        artifact,
        lambda held, name: (
            not (
                _of_one_generation(held, name, keras3)
                or (exported and name in _LISTS)
                or name in kept | inside
            )
        ),
    )
    lost = [name for name in listed if name not in found]
    if not lost:
        return
    old, new = ("Keras 3", "Keras 2") if keras3 else ("Keras 2", "Keras 3")
    text = "nothing matches, and the weights keep their random values"
    if found:
        text = (
            f"of {len(listed)} weights there is no match for {first_of(lost, 1)}, so random values "
            f"stay there{_listed(artifact, context, found)}"
        )
    if found and any(each.dtype == "float64" for each in weights(artifact)):
        text += " (in a model of float64, as the file; one of float32 raises an error)"
    library = "" if keras3 else needs_keras2(artifact)
    yield Reason(
        "checkpoint-of-other-generation",
        LoadOutcome.DIFFERS,
        f"the checkpoint's keys are those of {old}, but {new} objects have other names"
        + (f", and none for what a class keeps in {first_of(sorted(kept), 2)}" if kept else "")
        + f": {text}",
        "no error",
        f"{copy_advice(artifact).capitalize()} See `status.assert_existing_objects_matched()`.",
        unless=f"its layers are of tf_keras, as {library} needs them" if library else "",
    )


def _kept_in_lists(artifact: Artifact, context: CheckContext) -> tuple[set[str], set[str]]:
    """Lists and dictionaries of the program's classes, whose parts Keras 3 does not restore."""
    states = context.behaviour("restored_states", {})
    if LoadOutcome.DIFFERS.value not in (states.get("list"), states.get("dict")):
        return set(), set()
    return in_lists({node.index: node for node in artifact.object_graph}, context.code)


def _listed(artifact: Artifact, context: CheckContext, found: set[str]) -> str:
    """What also does not match if a class of Keras holds the lists: a `tf.Module` tracks them."""
    if context.behaviour("restored_states", {}).get("list") != LoadOutcome.DIFFERS.value:
        return ""
    outside = found_by_name(artifact, lambda _, name: not name.isdigit())
    inside = sorted(found - outside)
    if not inside:
        return ""
    held = re.split(r"/[0-9]+/", inside[0])[0]
    return (
        f"; the same holds for {first_of(inside, 1)} if {held} is a list in a class of "
        "Keras, as Keras 3 tracks none there"
    )


def _of_one_generation(held: str, name: str, keras3: bool) -> bool:
    """Whether only one generation of Keras gives this name to a part of an object.

    Attributes of subclassed models have the names that the program gave them, and most variables
    of layers the same in both. Cells of recurrent layers have a `kernel` in both.
    """
    if keras3:
        return name in KERAS3_ATTRIBUTES
    return (
        name.startswith(("layer-", "layer_with_weights-"))
        or (name == "kernel" and not held.startswith("cell"))
        or name in ("embeddings", "depthwise_kernel")
    )


def _scaled(artifact: Artifact) -> bool:
    """Whether it has the scale of a loss, which a compiled model has before it is trained."""
    return any(_SCALE in tensor.name for tensor in artifact.tensors)


def _optimizer_variables(
    artifact: Artifact, context: CheckContext, keras3: bool
) -> Iterator[Reason]:
    """The optimizer's variables, which do have the same names: numbers in a list.

    Keras 3 counts the learning rate too, so that a number is another variable there.
    """
    keras = context.profile.keras
    listed = NEW_OPTIMIZERS.covers(keras) and any(
        _LISTED.search(tensor.name) for tensor in artifact.tensors
    )
    if listed and (_scaled(artifact) or moved_variable(artifact, keras3, keras)):
        yield Reason(
            "optimizer-of-other-generation",
            LoadOutcome.FAILS,
            "the checkpoint contains the variables of an optimizer by their numbers, which are "
            f"other variables in {context.profile.name}",
            "ValueError: Received incompatible tensor with shape … when attempting to restore "
            "variable with shape …",
            copy_advice(artifact).capitalize(),
            unless="the program reads the checkpoint before it trains the model"
            if not _scaled(artifact)
            else "",
        )


def _adapted(artifact: Artifact, context: CheckContext) -> Iterator[Reason]:
    """Statistics of a Normalization layer, which computes with copies of them."""
    names = {tensor.name for tensor in weights(artifact)}
    routes = (
        name.removesuffix(f"/{prefix}mean")
        for name in sorted(names)
        for prefix in ("", "adapt_")
        if name.endswith(f"/{prefix}mean")
    )
    route = next(
        (
            each
            for each in routes
            if f"{each}/count" in names
            and not names.isdisjoint((f"{each}/variance", f"{each}/adapt_variance"))
        ),
        None,
    )
    as_weights = ".load_weights" if context.request.call is LoadCall.LOAD_WEIGHTS else ""
    if route is None:
        return
    states = context.behaviour("restored_states", {})
    if states.get(f"Normalization{as_weights}") == LoadOutcome.DIFFERS.value:
        yield Reason(
            "normalization-not-refreshed",
            LoadOutcome.DIFFERS,
            f"`{route}` is a Normalization layer, whose statistics {context.profile.name} "
            "restores, but it goes on computing with those that the code gave it",
            "no error",
            "Call finalize_state() of the layer after the checkpoint was restored.",
            route,
            unless="the code adapts the layer to the same data",
        )


def _nothing_matches(artifact: Artifact) -> Reason:
    """`load_weights` of Keras 2 with a checkpoint of Keras 3: it raises if nothing matches."""
    lists = {"_operations", "_functional", "_layers"}
    # Below a name that the program gave, as in `Checkpoint(model=…)`, nothing matches either.
    whole = any(lists & set(tensor.name.split("/")[:2]) for tensor in weights(artifact))
    return Reason(
        "checkpoint-of-other-generation",
        LoadOutcome.FAILS if whole else LoadOutcome.DIFFERS,
        "the checkpoint's keys are those of Keras 3, but Keras 2 objects have other names"
        + ("" if whole else ": weights that do not match keep their random values"),
        "AssertionError: Nothing except the root object matched a checkpointed value."
        if whole
        else "no error",
        copy_advice(artifact).capitalize(),
    )


def _unmatched(artifact: Artifact, context: CheckContext) -> Iterator[Reason]:
    """Weights that the file lists only under names that this version of Keras 3 does not use."""
    own = context.behaviour("checkpoint_names")
    gone = names_in_keras3() - set(own) if own else frozenset()
    lost = sorted(names(artifact) - found_by_name(artifact, lambda _, name: name not in gone))
    if lost:
        yield Reason(
            "checkpoint-of-other-version",
            LoadOutcome.DIFFERS,
            f"the checkpoint lists {lost[0]} only under a name that {context.profile.name} "
            "does not use, so the weight keeps its random value",
            "no error",
            f"{copy_advice(artifact).capitalize()} See `status.assert_existing_objects_matched()`.",
        )

"""Variables of TensorFlow in layers of the program, which Keras 2 counts among the weights.

Keras 3 counts its own variables alone: a layer with a `tf.Variable`, such as a token or a table of
indices, expects one weight less than Keras 2 wrote, and its own files do not have the variable.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator

from msgspec.structs import replace

from modelaudit.audit_types.loading import LoadOutcome
from modelaudit.facts import Artifact, Format, Layer, Tensor
from modelaudit.formats.keras.builtin_layers import snake_case
from modelaudit.formats.keras.json_config import mapping, sequence, text
from modelaudit.formats.source_code.classes import ClassCode, SourceCode
from modelaudit.runtimes.checks.own_classes.base_storage import unread_weights, unsaved_weights
from modelaudit.runtimes.checks.own_classes.kept_variables import (
    class_of,
    draws_variable,
    is_named_variable,
    keeps_variable,
    own_variables,
)
from modelaudit.runtimes.checks.stored.object_paths import weights
from modelaudit.runtimes.checks.stored.own_weights import NAMELESS, own_weights
from modelaudit.runtimes.checks.stored.weight_layouts import OLD_LAYOUT
from modelaudit.runtimes.model import CheckContext, Reason
from modelaudit.terminal_text import first_of

_INTEGERS = ("int32", "int64")
_OF_MODEL = "vars/"  # how the names of weights begin that a model makes itself
_LOADS = "load_own_variables"
# Weights that layers of Keras 2 make outside of a call, so that their names lack the layer's.
_OF_KERAS = frozenset(
    (
        *("kernel", "bias", "gamma", "beta", "moving_mean", "moving_variance", "embeddings"),
        *("recurrent_kernel", "depthwise_kernel", "pointwise_kernel", "alpha"),
        *("mean", "variance", "count", "summary", "idf_weights"),
    )
)
# Words of classes that keep something that is learnt, and have no layers in them to keep it.
_LEARNT = re.compile(r"quanti[sz]er|codebook|(?:^|_)(?:class|cls|register)_?token|learn(?:ed|able)")


def check_variables(artifact: Artifact, context: CheckContext) -> Iterator[Reason]:
    """The first variable in a file of either generation that Keras 3 does not count."""
    of_keras3 = context.writer is not None and context.writer.keras3
    noted = mapping(artifact.extra.get("h5")).get("vars_names")  # by Keras 3
    if of_keras3 or noted:
        expected = None if context.profile.keras3 else _expected(artifact, context)
        yield from _not_saved(artifact, context) if expected is None else (expected,)
        yield from unsaved_weights(artifact, context)
    elif context.profile.keras3 and artifact.format in (
        Format.LEGACY_H5_FULL,
        Format.WEIGHTS_H5_LEGACY,
    ):
        yield from _without_layer(artifact, context)
        yield from own_weights(artifact, context)
    elif context.profile.keras3:
        yield from _numbered(artifact, context)
        yield from unread_weights(artifact, context)


def _numbered(artifact: Artifact, context: CheckContext) -> Iterator[Reason]:
    """Weights of Keras 2 with numbers for names: a table, a count, or a thing that is learnt.

    Layers of Keras 2 have no integers with more than one axis among their weights.
    """
    stored = {tensor.name for tensor in artifact.tensors}
    found: Reason | None = None
    for tensor in weights(artifact):
        layer, _, number = tensor.name.rpartition("/vars/")
        if _table(tensor):
            yield _counted(layer, f"a table of {tensor.dtype}", LoadOutcome.FAILS, context)
            return
        if tensor.name.startswith(_OF_MODEL):
            yield from _of_model(context)
            return
        alone = number == "0" and f"{layer}/vars/1" not in stored
        what = "a count" if alone and tensor.dtype in _INTEGERS and not tensor.shape else ""
        if not what and number == "0" and _LEARNT.search(layer.rpartition("/")[2]):
            what = "what it learnt"
        kept = _class_at(layer, artifact, context) if number else None
        if not what and kept is not None and own_variables(kept, context.code):
            what = "a variable"
        if what and (judged := _judged(layer, "", what, artifact, context, kept)):
            overlooked = _is_overlooked(layer, kept, context.code)
            found = found or (_overlooked(judged) if overlooked else judged)
            if not overlooked:
                yield judged
                return
    yield from filter(None, (found,))


def _of_model(context: CheckContext) -> Iterator[Reason]:
    """A weight of a model itself, whose class keeps a `tf.Variable` and adds no weight."""
    for owner in context.classes:
        if own_variables(owner, context.code) and not context.code.weights(owner):
            yield _counted(owner.name, "a variable", LoadOutcome.FAILS, context)
            return


def _class_at(layer: str, artifact: Artifact, context: CheckContext) -> ClassCode | None:
    """The class of a layer in an archive: by its name, or by the attribute of a class there."""
    code, attribute = context.code, layer.rpartition("/")[2]
    if found := class_of(layer, artifact, code):
        return found
    made = {
        each.name.rpartition(".")[2]
        for owner in context.classes
        for part in code.parts(owner)
        for each in part.made
        if each.attribute == attribute
    }
    return code.find(made.pop()) if len(made) == 1 else None


def _is_overlooked(layer: str, kept: ClassCode | None, code: SourceCode) -> bool:
    """Whether Keras 3 also looks for a layer of a subclassed model where Keras 2 has none.

    It has the layers of such a model in a list, too, where it finds the nothing that it expects.
    """
    own = layer.partition("/")[0] in (OLD_LAYOUT, "layers")
    return not own and kept is not None and not code.weights(kept)


def _overlooked(found: Reason) -> Reason:
    return replace(
        found,
        predicted=LoadOutcome.DIFFERS,
        text=f"{found.text}, looks for the layer under another name as well, and takes that there "
        "is nothing for it: it keeps what the code gives it",
        error="no error",
    )


def _table(tensor: Tensor) -> bool:
    return len(tensor.shape) > 1 and tensor.dtype in _INTEGERS


def _without_layer(artifact: Artifact, context: CheckContext) -> Iterator[Reason]:
    """Weights in HDF5 of Keras 2 without a name of their own, or of the layer before it.

    The constructor makes the latter. `add_weight` makes both, too, but is mostly given a name.
    """
    architecture = artifact.architecture
    custom = None  # whether a layer is one of the program, or a model, where the file tells that
    if architecture:
        custom = {each.name for each in architecture.layers if each.custom or each.is_model}
    groups = mapping(mapping(artifact.extra.get("h5")).get("groups"))
    layers = {text(route): name for name, listed in groups.items() for route in sequence(listed)}
    found: Reason | None = None
    for tensor in weights(artifact):
        layer = layers.get(tensor.name)
        if layer is None or (custom is not None and layer not in custom):
            continue
        name = tensor.name.removeprefix("model_weights/").removeprefix(f"{layer}/")
        name = name.partition(":")[0]
        if _table(tensor):
            yield _counted(layer, f"a table of {tensor.dtype}", LoadOutcome.FAILS, context)
            return
        if name == NAMELESS:
            yield _counted(layer, "a variable without a name", LoadOutcome.FAILS, context)
            return
        what, own = _doubtful(name), name.rpartition("/")[2]
        named = own not in _OF_KERAS and is_named_variable(layer, own, context.code)
        if not what and (named or keeps_variable(layer, "", artifact, context.code)):
            what = "a variable"
        if found is None and what:
            found = _judged(layer, own, what, artifact, context)
    yield from filter(None, (found,))


def _judged(
    layer: str,
    own: str,
    what: str,
    artifact: Artifact,
    context: CheckContext,
    kept: ClassCode | None = None,
) -> Reason | None:
    """A weight that may be a `tf.Variable`, as far as the code of its class tells."""
    keeps = keeps_variable(layer, own, artifact, context.code)
    if kept is not None:
        keeps = any(each.variables for each in context.code.parts(kept))
    if keeps is False:
        return None
    return _counted(layer, what, LoadOutcome.FAILS if keeps else LoadOutcome.UNKNOWN, context)


def _doubtful(name: str) -> str:
    """What of a weight may be a `tf.Variable`; "" where nothing says that it is none of Keras."""
    inside, _, own = name.rpartition("/")
    if own == NAMELESS:
        return "a variable without a name"
    if not inside and own not in _OF_KERAS:
        return f"{own}, which its constructor made,"
    return f"{own}, which it learnt," if _LEARNT.search(inside.rpartition("/")[2]) else ""


def _counted(layer: str, what: str, predicted: LoadOutcome, context: CheckContext) -> Reason:
    certain = predicted is LoadOutcome.FAILS
    return Reason(
        "variable-not-counted",
        predicted,
        f"`{layer}` has {what} among its weights, {'as' if certain else 'which may be'} the "
        f"`tf.Variable` of a layer of the program; {context.profile.name} does not count these",
        "ValueError: A total of N objects could not be loaded. … expected 1 variables, but "
        "received 2 variables during loading",
        "Build the model from code, and assign the weights of the layer from the file.",
        layer,
        unless="the layer makes it by `add_weight`",
    )


def _not_saved(artifact: Artifact, context: CheckContext) -> Iterator[Reason]:
    """A layer of the program that has to keep something, and has no weights in a file of Keras 3.

    A `tf.Variable` keeps what the constructor gives it there.
    """
    architecture = artifact.architecture
    own = [each for each in architecture.layers if each.custom] if architecture else []
    empty = [each for each in own if not (each.is_model or each.variables)]
    longer = next((each.route for each in empty if _lengthens(each)), "")
    named = {each.route: f"{snake_case(each.class_name)} {each.name}" for each in empty}
    if architecture is None:
        named = _without_weights(artifact)
    told = {each: draws_variable(each, artifact, context.code) for each in named}
    every = [*named, *_held(artifact), *(each.route for each in own)]
    sure = next((x for x in every if told.get(x) or _loses(x, artifact, context.code)), "")
    learnt = next((route for route, name in named.items() if _LEARNT.search(name)), "")
    layer = sure or longer or learnt
    if layer and told.get(layer) is not False:
        yield Reason(
            "variable-not-saved",
            LoadOutcome.DIFFERS if sure else LoadOutcome.UNKNOWN,
            f"`{layer}` has no weights in the file, though it "
            + (
                "keeps a `tf.Variable` of random numbers"
                if sure
                else "adds a step to a sequence"
                if layer == longer
                else "is named like what is learnt"
            )
            + ": Keras 3 saves no `tf.Variable` of a layer, which then keeps what the code gives "
            f"it in {context.profile.name}",
            fix="Make it by `add_weight` in the code, train the model, and save it again.",
            route=layer,
            unless="the layer computes this without a `tf.Variable`",
        )


def _held(artifact: Artifact) -> dict[str, str]:
    """Groups of layers in weights of Keras 3 -> the names of the layers."""
    noted = mapping(mapping(artifact.extra.get("h5")).get("vars_names"))
    return {route.removesuffix("/vars"): text(name) for route, name in noted.items()}


def _loses(layer: str, artifact: Artifact, code: SourceCode) -> bool:
    """Whether the class of a layer draws a `tf.Variable`, and does not save it by itself."""
    name = _held(artifact).get(layer) or layer
    found = class_of(name, artifact, code) or class_of(layer, artifact, code)
    saves = found is not None and code.defines(found, _LOADS) is not False
    drawn = draws_variable(name, artifact, code) or draws_variable(layer, artifact, code)
    return not saves and bool(drawn)


def _expected(artifact: Artifact, context: CheckContext) -> Reason | None:
    """A layer that keeps a `tf.Variable`, which Keras 3 did not save and Keras 2 looks for."""
    stored = Counter(tensor.name.rpartition("/")[0] for tensor in weights(artifact))
    for group, name in mapping(mapping(artifact.extra.get("h5")).get("vars_names")).items():
        layer, code = group.removesuffix("/vars"), context.code
        found = class_of(text(name) or layer, artifact, code) or class_of(layer, artifact, code)
        if found is None or code.defines(found, _LOADS) is not False:
            continue
        if kept := own_variables(found, code):
            count = stored[group]
            return Reason(
                "variable-not-saved",
                LoadOutcome.FAILS,
                f"`{layer}` is a {found.name} ({found.where}), which keeps a `tf.Variable` in "
                f"{first_of(sorted(kept), 3)}: Keras 3 saves none, and {context.profile.name} "
                "looks for it",
                f"ValueError: Layer '…' expected {count + len(kept)} variables, but received "
                f"{count} variables during loading",
                "Make it by `add_weight` in the code, train the model, and save it again.",
                layer,
            )
    return None


def _lengthens(layer: Layer) -> bool:
    """Whether it gives one step more than the one sequence that it takes."""
    taken, given = layer.input_shapes, layer.output_shape
    if given is None or len(taken) != 1 or not len(taken[0]) == len(given) == 3:
        return False
    steps, longer = taken[0][1], given[1]
    return steps is not None and longer == steps + 1 and taken[0][2] == given[2]


def _without_weights(artifact: Artifact) -> dict[str, str]:
    """Groups of layers in weights of Keras 3 that hold none -> class and name, as in names."""
    kept = [tensor.name for tensor in artifact.tensors]
    return {
        route: f"{route.rpartition('/')[2]} {name}"
        for route, name in _held(artifact).items()
        if not any(each.startswith(f"{route}/") for each in kept)
    }

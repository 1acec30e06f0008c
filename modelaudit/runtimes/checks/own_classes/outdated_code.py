"""Code of a class that fails in some versions of Keras, whatever the file says."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from modelaudit.audit_types.loading import LoadOutcome
from modelaudit.facts import Json
from modelaudit.formats.keras.json_config import mapping, sequence
from modelaudit.formats.source_code.classes import ClassCode, MadeLayer
from modelaudit.formats.source_code.imports import OLD_KERAS
from modelaudit.formats.source_code.methods import ADD_WEIGHT, CONSTRUCTOR, OUTPUT_SHAPE
from modelaudit.formats.source_code.running import TRAINING
from modelaudit.layer_classes import LAYER_CLASSES
from modelaudit.runtimes.checks.own_classes.given_code import code_of
from modelaudit.runtimes.checks.own_classes.refused_code import (
    RefusedCode,
    needs_training,
    refusals,
)
from modelaudit.runtimes.checks.own_classes.unbuilt_layers import never_built
from modelaudit.runtimes.model import FIRST_CALL, CheckContext, Reason
from modelaudit.runtimes.saved_config import Config, known_in_keras2
from modelaudit.terminal_text import first_of

REMOVED = ("add_metric", "add_update")
"""Methods of layers of Keras 2 that Keras 3 does not have."""
OF_SHAPES = ("as_list", "dims", "ndims", "num_elements", "rank", "with_rank")
"""What a `TensorShape` has, which `build` gets in Keras 2, and a tuple has not."""
# First Keras 2 that makes a `TensorShape` of the shape in an archive before it builds a layer.
_SHAPES_OF_ARCHIVES = (2, 15)
# What layers of Keras 3 have as properties that nothing can be assigned to, and in Keras 2 not; by
# the sources of 3.0 to 3.5 and what 3.8 to 3.15 have.
_OWNED = {
    "Dense": frozenset(("kernel",)),
    "EinsumDense": frozenset(("kernel",)),
    "Embedding": frozenset(("embeddings",)),
    "MultiHeadAttention": frozenset(
        (
            *("attention_axes", "dropout", "key_dim", "num_heads", "use_bias", "value_dim"),
            *("key_dense", "output_dense", "query_dense", "value_dense"),
        )
    ),
}
_CONVOLUTION = re.compile("Conv(?:olution)?[123]D")
_CONVOLUTIONS = (3, 3)  # first Keras 3 in which these have their kernel so; 3.2 does not
_TAKEN = frozenset(("input_dtype", "metrics_variables", "path", "quantization_mode"))
_PATHS = (3, 8)  # first Keras 3 known to have these in every layer
# First Keras 3 known to make one output of the shape that an Embedding tells. 3.8 does not.
_ONE_OUTPUT = (3, 11)
_BUILD, _CALL, _LAYER = "build", "call", "Layer"
_SHAPES = (OUTPUT_SHAPE, "compute_output_spec")
# What `tf.keras` has beside the names of Keras 3; by the sources of 3.8, 3.11 and 3.15.
_KEPT_LAYERS = ("RandomHeight", "RandomWidth", "ThresholdedReLU")
_KEPT_MODULES = ("keras.losses", "keras.metrics")
_ROOTS = ("keras", "tensorflow.keras", "tf_keras")
_LAYERS = ("keras.layers", "tensorflow.keras.layers", "tf_keras.layers")


def check(node: Config, context: CheckContext, route: str, archive: bool) -> Iterator[Reason]:
    """The first statement in the class of a layer that its version of Keras does not accept."""
    found = code_of(node, context)
    if found is None:
        return
    lineage = [*context.code.lineage(found)]
    shaped = next(
        (x for x in lineage if not isinstance(x, str) and OUTPUT_SHAPE in x.methods), None
    )
    unbuilt = archive and never_built(node, context)
    untold = needs_training(found, context.code) and not _told(node)
    if context.profile.keras3 and untold and not unbuilt:
        yield Reason(
            "code-of-other-keras",
            LoadOutcome.FAILS,
            f"`{route}`: the `call` of {found.name} ({found.where}) has no default for `training`, "
            f"and {context.profile.name} passes none while it builds the model",
            "TypeError: missing a required argument: 'training'",
            f"Give `training` the default None in the `call` of {found.name}.",
            route,
        )
        return
    for each in context.code.parts(found):
        certain, later, owner = True, "", found if each in lineage else each
        said = next(_faults(each, context, archive, connected=each is shaped), None)
        if said is None and context.profile.keras3:
            said = next(_of_base(each, owner, context), None)
        if said is None and context.profile.keras3 and each.slashed:
            slashed, certain = max(each.slashed.items(), key=lambda item: item[1])
            said = (
                f"names a layer or weight {slashed}, whose slash {context.profile.name} refuses",
                "ValueError: Argument `name` must be a string and cannot contain character `/`.",
                "Give it a name without a slash.",
            )
        if said is None and context.profile.keras3:
            config = mapping(node.get("config")) if each in lineage else {}
            if refused := next(_surest(each, owner, config, context), None):
                said = refused.what, refused.error, refused.fix
                certain, later = refused.use.always, FIRST_CALL * refused.later
        if said is not None:
            what, error, fix = said
            yield Reason(
                "code-of-other-keras",
                LoadOutcome.FAILS if certain else LoadOutcome.UNKNOWN,
                f"`{route}`: {each.name} ({each.where}) {what}"
                + ", where it does so" * (not certain),
                error,
                fix,
                route,
                later=later,
            )
            return


def _told(node: Config) -> bool:
    """Whether the calls in a file say whether they train."""

    def words(value: Json) -> Iterator[str]:
        if isinstance(value, dict):
            yield from value
        for each in value.values() if isinstance(value, dict) else sequence(value):
            yield from words(each)

    return TRAINING in words(node.get("inbound_nodes"))


def _surest(
    code: ClassCode, owner: ClassCode, config: Config, context: CheckContext
) -> Iterator[RefusedCode]:
    """What always happens first, and of that what stops the load itself."""
    found = [*refusals(code, owner, config, context)]
    yield from sorted(found, key=lambda each: (not each.use.always, each.later))


def _faults(
    code: ClassCode, context: CheckContext, archive: bool, *, connected: bool
) -> Iterator[tuple[str, str, str]]:
    """(what it does, error, fix) of each statement that fails.

    `connected` says that the model connects a layer whose `compute_output_shape` is that of `code`:
    Keras 3 then asks for its output's shape.
    """
    name = context.profile.name
    yield from _not_imported(code, context)
    if context.profile.keras3:
        if code.names_first:
            yield (
                f"gives the name of a weight to `add_weight` first, where {name} takes the shape",
                "TypeError: …add_weight() got multiple values for argument 'shape'",
                "Pass it as name=….",
            )
        for method in sorted(code.called & set(REMOVED)):
            yield (
                f"calls `self.{method}`, which layers in {name} do not have",
                f"…{method}",
                f"Delete the call of `{method}`, or load the model with tf-keras.",
            )
    if context.profile.keras3 or (archive and context.profile.keras < _SHAPES_OF_ARCHIVES):
        kind = "tuple" if context.profile.keras3 else "list"
        used = [(attribute, _BUILD) for attribute in sorted(code.of_shapes)]
        if context.profile.keras3 and connected:
            used += [(attribute, OUTPUT_SHAPE) for attribute in sorted(code.of_output_shapes)]
        for attribute, method in used:
            if attribute in OF_SHAPES:
                yield (
                    f"uses `{attribute}` of the shape for `{method}`, which is a {kind} in {name}",
                    f"AttributeError: '{kind}' object has no attribute '{attribute}'",
                    "Make the shape one of TensorFlow first: `tf.TensorShape(input_shape)`.",
                )
    if context.profile.keras3 and connected and code.sets_output_shape:
        yield (
            f"sets an item of the shape for `{OUTPUT_SHAPE}`, which is a tuple in {name}",
            "TypeError: …'tuple' object does not support item assignment",
            "Make the shape a list first: `shape = list(input_shape)`.",
        )
    for made in (*code.made, *(_first_there(each, context) for each in code.helped)):
        yield from _made(made, context)
    if context.profile.keras3 and (late := _made_late(code, context)):
        yield (
            f"makes `{late.attribute}` in its `call`, where {name} makes no layers and weights",
            "ValueError: …",
            f"Make `{late.attribute}` in the `build` of {code.name}.",
        )


def _not_imported(code: ClassCode, context: CheckContext) -> Iterator[tuple[str, str, str]]:
    """A name of Keras in its file that the runtime which saved the model has, and this one not.

    With tf-keras, `keras` itself is another Keras.
    """
    roots = _ROOTS[1:] if context.profile.legacy else _ROOTS
    for full in sorted(code.needed if context.writer is not None else ()):
        module, _, name = full.rpartition(".")
        root = next((each for each in roots if f"{module}.".startswith(f"{each}.")), "")
        plain = f"keras{module.removeprefix(root)}" if root else ""
        known = [each.is_public(plain, name) for each in (context.writer, context.profile) if each]
        missing = bool(plain) and known == [True, False] and not _kept(root, plain, name)
        if missing or (context.profile.keras3 and full.startswith(OLD_KERAS)):
            yield (
                f"is in a file that needs `{full}`, which {context.profile.name} does not have",
                f"AttributeError: module '{module}' has no attribute '{name}'",
                f"Do without `{name}`, or import what this version has in its place.",
            )


def _kept(root: str, module: str, name: str) -> bool:
    """Whether `tf.keras` has a name of Keras 2 that Keras 3 itself does not have."""
    return root == "tensorflow.keras" and (
        module in _KEPT_MODULES or (module == "keras.layers" and name in _KEPT_LAYERS)
    )


def _of_base(
    code: ClassCode, owner: ClassCode, context: CheckContext
) -> Iterator[tuple[str, str, str]]:
    """What a class does that its base, a layer or model of Keras 3, does not let it do.

    `owner` is the class of the object, which may have an attribute in place of a property.
    """
    name, base = context.profile.name, context.code.base(code).rpartition(".")[2]
    kept = {made.attribute for made in code.made if made.method in (CONSTRUCTOR, _BUILD)}
    kept |= {*code.stored.values()}
    of_every = base in (_LAYER, "Model", "Sequential") or base in LAYER_CLASSES
    taken = _TAKEN if of_every and context.profile.keras >= _PATHS else frozenset()
    owned = _OWNED.get(base, taken)
    if _CONVOLUTION.fullmatch(base) and context.profile.keras >= _CONVOLUTIONS:
        owned = frozenset(("kernel",))
    for each in sorted(kept & (owned | taken)):
        if context.code.defines(owner, each):
            continue
        yield (
            f"assigns `{each}`, which {base} has as a property in {name}",
            f"AttributeError: property '{each}' of '{code.name}' object has no setter",
            f"Keep it as another attribute; of a weight, call the `build` of {base}.",
        )
    if base == "Embedding" and code.several_outputs and context.profile.keras >= _ONE_OUTPUT:
        yield (
            f"gives several shapes in `{OUTPUT_SHAPE}`, of which an Embedding in {name} makes one",
            "ValueError: …",
            "Make it a layer of its own that holds an Embedding.",
        )


def _made_late(code: ClassCode, context: CheckContext) -> MadeLayer | None:
    """A layer or weight that only `call` makes, when the layer is built already.

    Keras 3 builds by a trace of `call` a layer that has no `build` and has others inside, and takes
    what that makes.
    """
    late = [each for each in code.made if each.method == _CALL]
    early = [each for each in code.made if each.method != _CALL]
    base = context.code.base(code)
    if base.rpartition(".")[2] != _LAYER or (early and _BUILD not in code.methods):
        return None
    own = {each.attribute for each in early}
    found = (each for each in late if each.attribute not in own)
    return next(
        (each for each in found if each.name == ADD_WEIGHT or context.code.makes_weights(each)),
        None,
    )


def timed(name: str, config: Config, context: CheckContext, route: str) -> Iterator[Reason]:
    """A layer of the program inside a TimeDistributed, which asks it for its output's shape."""
    node = mapping(config.get("layer"))
    found = code_of(node, context) if name == "TimeDistributed" else None
    if found is None or not context.profile.keras3:
        return
    plain = context.code.base(found).rpartition(".")[2] == _LAYER
    if plain and not any(context.code.defines(found, each) for each in _SHAPES):
        yield Reason(
            "code-of-other-keras",
            LoadOutcome.FAILS,
            f"`{route}`: {found.name} ({found.where}) has no `compute_output_shape`, which "
            f"TimeDistributed in {context.profile.name} asks for",
            "NotImplementedError: …",
            f"Add a `compute_output_shape` to {found.name}.",
            route,
        )


def _first_there(choices: Sequence[MadeLayer], context: CheckContext) -> MadeLayer:
    """The first of several layers that the version has, or the last."""
    for each in choices[:-1]:
        module, _, name = each.name.rpartition(".")
        if context.profile.is_public(module[module.find("keras") :], name):
            return each
    return choices[-1]


def _made(made: MadeLayer, context: CheckContext) -> Iterator[tuple[str, str, str]]:
    """A layer of Keras that the class makes, and this version does not have or make so."""
    module, _, layer = made.name.rpartition(".")
    profile = context.profile
    if module not in _LAYERS:
        return
    accepted = profile.accepts("layers", layer)
    lacks = profile.keras3 and not profile.is_public("keras.layers", layer)
    lacks = lacks and not _kept(module.removesuffix(".layers"), "keras.layers", layer)
    if lacks and known_in_keras2("layers", layer):
        yield (
            f"makes a {layer}, which {profile.name} does not have",
            f"AttributeError: module '{module}' has no attribute '{layer}'",
            "Load the model with tf-keras.",
        )
    elif accepted is not None and (extra := sorted(made.words - accepted)):
        yield (
            f"makes a {layer} with {first_of(extra, 4)}, which {profile.name} does not accept",
            "…",
            f"Make the {layer} without {first_of(extra, 4)}.",
        )

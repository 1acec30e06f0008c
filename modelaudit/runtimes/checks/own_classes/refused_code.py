"""What the methods of a class do, when it is made, built and called, that Keras 3 refuses."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from msgspec import Struct

from modelaudit.facts import Json
from modelaudit.formats.keras.json_config import mapping
from modelaudit.formats.source_code.classes import KERAS, ClassCode, SourceCode
from modelaudit.formats.source_code.methods import BUILD, OUTPUT_SHAPE
from modelaudit.formats.source_code.running import CALL, TRAINING
from modelaudit.formats.source_code.statements import AddedWeight, Use
from modelaudit.layer_classes import TAKES_ANY_VALUE
from modelaudit.runtimes.checks.own_classes import names_of_keras2 as of_keras2
from modelaudit.runtimes.model import CheckContext
from modelaudit.structs import replace

_MODELS, _WRAPPER = ("Model", "Sequential"), "Wrapper"
_ITSELF = "__call__"
# First Keras 3 whose `ops.tile` goes through the numbers of repeats; 3.12 does not.
_REPEATS_ONE_BY_ONE = (3, 13)
_BACKEND, _ADD_WEIGHT, _ARGS = "backend", "add_weight", "args"
_AGGREGATION, _ENUMERATION = (
    "aggregation",
    "VariableAggregation",
)  # an argument, and what Keras 2 takes


class RefusedCode(Struct, frozen=True):
    """What a class does, the error, what to do, and when it does so.

    `of_trace` says that it fails only while Keras 3 traces a call.
    """

    what: str
    error: str
    fix: str
    use: Use = Use()
    later: bool = False
    of_build: bool = False
    of_trace: bool = False


def refusals(
    code: ClassCode, owner: ClassCode, config: Mapping[str, Json], context: CheckContext
) -> Iterator[RefusedCode]:
    """What a class does; `owner` is the class of the object, `config` is that of the model's layer.

    A class of an object inside the layer has no config of its own.
    """
    if not context.code.base(owner).startswith(KERAS):
        return
    replaced = replaced_methods(code, owner, context.code)
    for each in _refusals(code, owner, config, context):
        if (each.use.called and CALL in replaced) or (each.of_build and BUILD in replaced):
            continue
        untraced = each.use.called and _not_traced(owner, context.code)
        if not (untraced and (each.use.untold or each.of_trace)):  # who calls the model tells
            yield replace(each, later=each.later or untraced)


def replaced_methods(code: ClassCode, owner: ClassCode, source: SourceCode) -> set[str]:
    """Methods of a base class that the class of the object has its own of."""
    found: set[str] = set()
    for each in source.lineage(owner):
        if isinstance(each, ClassCode) and each.where != code.where:
            found |= each.methods
        else:
            return found if each is code else set()
    return set()


def _not_traced(owner: ClassCode, code: SourceCode) -> bool:
    """Whether Keras 3 asks a layer for its output's shape, and does not call it while it loads."""
    own = code.defines(owner, OUTPUT_SHAPE) is not False
    return own or code.base(owner).rpartition(".")[2] not in (*_MODELS, "Layer", _WRAPPER)


def _refusals(
    code: ClassCode, owner: ClassCode, config: Mapping[str, Json], context: CheckContext
) -> Iterator[RefusedCode]:
    base = context.code.base(owner)
    yield from _reads(code, owner, base.rpartition(".")[2], context)
    yield from _functions(code, context.profile.name)
    for weight in code.running.weights:
        yield from _weight(weight, context.profile.name)
    yield from _losses(code, context.profile.name)
    yield from _conditions(code, context)
    yield from _by_position(code, owner, context)
    yield from _untold(code, context)
    yield from _starred(code, owner, context)
    yield from _without_call(code, owner, config, context)
    yield from _repeats(code, context)
    yield from _built_again(code, owner, config, context)


def _reads(
    code: ClassCode, owner: ClassCode, base: str, context: CheckContext
) -> Iterator[RefusedCode]:
    """Attributes that objects of Keras 2 have."""
    lineage = [each for each in context.code.lineage(owner) if isinstance(each, ClassCode)]
    own = frozenset().union(*(each.assigned | each.methods for each in lineage))
    names = of_keras2.LAYER | of_keras2.OF_CLASSES.get(base, frozenset())
    names |= frozenset() if base in _MODELS else of_keras2.SHAPES
    for name in sorted((code.running.reads.keys() & names) - own):
        yield RefusedCode(
            f"uses `self.{name}`, which a {base} in {context.profile.name} does not have",
            f"AttributeError: '{owner.name}' object has no attribute '{name}'",
            f"Do without `self.{name}`, or load the model with tf-keras.",
            code.running.reads[name],
        )


def _functions(code: ClassCode, name: str) -> Iterator[RefusedCode]:
    """Functions of Keras 2, in `tf.keras` or in `keras` itself."""
    for used, use in sorted(code.running.keras.items()):
        module, _, function = used.rpartition(".")
        root, _, module = module.rpartition(".")
        if root == "keras" and module == _BACKEND:
            missing = function not in of_keras2.PLAIN_BACKEND
        elif root == "tensorflow.keras" and module == _BACKEND:
            missing = function in of_keras2.BACKEND
        elif root == "tensorflow.keras" and module in ("losses", "metrics"):
            missing = function in of_keras2.LOSSES
        else:
            missing = ".layers.experimental." in used
        if missing:
            yield RefusedCode(
                f"uses `{used}`, which {name} does not have",
                f"AttributeError: module '…{module}' has no attribute '{function}'",
                f"Do without `{function}`, or load the model with tf-keras.",
                use,
            )


def _weight(weight: AddedWeight, name: str) -> Iterator[RefusedCode]:
    words = weight.words.keys()
    if weight.method == _ADD_WEIGHT:
        extra = sorted(words & of_keras2.ADD_WEIGHT)
        kept = _AGGREGATION in words and _AGGREGATION not in weight.constants
        named = not kept or _ENUMERATION in weight.words[_AGGREGATION]
        error = f"add_weight() got an unexpected keyword argument '{extra[0] if extra else ''}'"
        if kept and not extra:
            extra, error = [_AGGREGATION], f"Invalid value for argument `{_AGGREGATION}`"
        if extra:
            word = extra[0]
            yield RefusedCode(
                f"calls `add_weight` with {word}={weight.words[word]}, which {name} does not take",
                f"…{error}…",
                f"Leave `{word}` out.",
                weight.use if named or word != _AGGREGATION else replace(weight.use, always=False),
            )
    elif weight.all_told and (
        "shape" in words if weight.positional else not {"shape", "initializer"} <= words
    ):
        yield RefusedCode(
            f"calls `add_variable` as in Keras 2, where {name} takes a shape and an initializer",
            "TypeError: …add_variable() …",
            "Call `add_weight` with keywords instead.",
            weight.use,
        )


def _losses(code: ClassCode, name: str) -> Iterator[RefusedCode]:
    for how, use in sorted(code.running.losses.items()):
        function = how == "a function"
        yield RefusedCode(
            f"calls `add_loss` with {how}, where {name} takes a tensor alone",
            "ValueError: `add_loss()` can only be called from inside `build()` or `call()`, on a "
            "tensor input"
            if function
            else "TypeError: …add_loss() got an unexpected keyword argument 'inputs'",
            "Call `add_loss` in `call`, with a tensor and nothing else.",
            use,
        )


def _conditions(code: ClassCode, context: CheckContext) -> Iterator[RefusedCode]:
    """Statements that depend on a tensor, which Keras 2 translated when it saved the model."""
    if context.writer is not None and context.writer.keras3:
        return
    for text, use in sorted(code.running.conditions.items()):
        yield RefusedCode(
            f"has `{text}` in its `call`, which depends on the value of a tensor: "
            f"{context.profile.name} does not translate it",
            "…OperatorNotAllowedInGraphError: …",
            "Write it with `tf.cond` or `tf.while_loop`, or make `call` a `tf.function`.",
            use,
            of_trace=True,
        )


def _by_position(code: ClassCode, owner: ClassCode, context: CheckContext) -> Iterator[RefusedCode]:
    """Flags and numbers that a layer inside is given by position."""
    for each in code.running.passed:
        if _is_layer(each.attribute, owner, context.code):
            yield RefusedCode(
                f"passes {each.value} by position when it calls `self.{each.attribute}`, where "
                f"layers in {context.profile.name} take only tensors by position",
                "ValueError: Only input tensors may be passed as positional arguments",
                f"Pass it by its name, as {each.value}={each.value}."
                if each.value.isidentifier()
                else "Pass it by its name.",
                each.use,
                later=each.later,
            )


def needs_training(code: ClassCode, source: SourceCode) -> bool:
    """Whether `call` has no default for `training`, which Keras 2 passes and Keras 3 may not."""
    found = (each.call for each in source.lineage(code) if isinstance(each, ClassCode))
    call = next((each for each in found if each is not None), None)
    return call is not None and TRAINING in call.required


def _untold(code: ClassCode, context: CheckContext) -> Iterator[RefusedCode]:
    """Calls of layers of the program that do not say what they need to know."""
    made = {part.attribute: context.code.made_class(part.name) for part in code.made}
    for each in code.running.calls:
        inner = made.get(each.attribute)
        if inner is None or not each.all_told or TRAINING in each.words:
            continue
        names = inner.call.names if inner.call else ()
        told = TRAINING in names[: len(each.given)]
        if needs_training(inner, context.code) and not told:
            yield RefusedCode(
                f"calls `self.{each.attribute}` without `training`, for which the `call` of "
                f"{inner.name} has no default, and {context.profile.name} passes none",
                "TypeError: missing a required argument: 'training'",
                f"Give `training` the default None in the `call` of {inner.name}.",
                each.use,
            )


def _starred(code: ClassCode, owner: ClassCode, context: CheckContext) -> Iterator[RefusedCode]:
    """A `call` of `*args` alone: Keras 3 has no shape for what has no name.

    It gives `build` None, or a tuple with the shape in it if the name is another one than `args`,
    and so does the method of a layer of Keras that tells the shape of its output.
    """
    lineage = [each for each in context.code.lineage(owner) if isinstance(each, ClassCode)]
    call = next((each.call for each in lineage if each.call is not None), None)
    base = context.code.base(owner)
    kind = base.rpartition(".")[2]
    if code is not owner or call is None or call.names or not call.starred or kind in _MODELS:
        return
    build = next((each for each in lineage if BUILD in each.methods), None)
    own_shape = context.code.defines(owner, OUTPUT_SHAPE) is not False
    shaped = call.starred == _ARGS and kind not in ("Layer", _WRAPPER) and not own_shape
    if shaped or context.code.has_weights(base) or (build is not None and build.uses_shape):
        yield RefusedCode(
            f"has a `call` without a named argument, of which {context.profile.name} does not have "
            "the shape",
            "…",
            f"Name the first argument in the `call` of {owner.name}, as `inputs`.",
        )


def _without_call(
    code: ClassCode, owner: ClassCode, config: Mapping[str, Json], context: CheckContext
) -> Iterator[RefusedCode]:
    """A layer of the model that gives back what it gets, as those of Keras 2 do by themselves."""
    base = context.code.base(owner).rpartition(".")[2]
    if code is not owner or not config or base not in ("Layer", _WRAPPER):
        return
    if any(context.code.defines(owner, each) is not False for each in (CALL, _ITSELF)):
        return
    yield RefusedCode(
        f"has no `call`, without which {context.profile.name} calls no layer",
        f"NotImplementedError: Layer {owner.name} does not have a `call()` method implemented.",
        f"Add `def call(self, inputs): return inputs` to {owner.name}.",
        Use(called=True),
    )


def _repeats(code: ClassCode, context: CheckContext) -> Iterator[RefusedCode]:
    """Numbers of repeats in a tensor, which Keras takes one by one while it traces a call."""
    if context.profile.keras < _REPEATS_ONE_BY_ONE:
        return
    for text, use in sorted(code.running.repeats.items()):
        yield RefusedCode(
            f"has `{text}`, whose number of repeats is a tensor, through which "
            f"{context.profile.name} goes one by one",
            "OperatorNotAllowedInGraphError: Iterating over a symbolic `tf.Tensor` is not allowed",
            "Give the numbers of repeats as a tuple, as `(batch_size, 1, 1)`.",
            use,
            of_trace=True,
        )


def _is_layer(attribute: str, owner: ClassCode, code: SourceCode) -> bool:
    """Whether all that the class keeps under this name are layers."""
    lineage = [each for each in code.lineage(owner) if isinstance(each, ClassCode)]
    made = [part.name for each in lineage for part in each.made if part.attribute == attribute]

    def one(name: str) -> bool:
        if name.startswith(KERAS):
            return ".layers." in name and name.rpartition(".")[2] not in TAKES_ANY_VALUE
        found = code.made_class(name)
        return found is not None and code.base(found).startswith(KERAS)

    return bool(made) and all(map(one, made))


def _built_again(
    code: ClassCode, owner: ClassCode, config: Mapping[str, Json], context: CheckContext
) -> Iterator[RefusedCode]:
    """A wrapped layer that the file builds, and `build` without asking builds again."""
    base = context.code.base(owner).rpartition(".")[2]
    shape = mapping(mapping(config.get("layer")).get("build_config")).get("input_shape")
    built = code.running.builds.get("layer", Use(always=False))
    if base == _WRAPPER and shape is not None and built.always:
        yield RefusedCode(
            "builds the layer that it wraps, which is built already when "
            f"{context.profile.name} loads it",
            "ValueError: You cannot add new elements of state (variables or sub-layers) to a layer "
            "that is already built.",
            "Build it under `if not self.layer.built:`.",
            of_build=True,
        )

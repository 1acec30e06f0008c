"""What the code of a class says of a config that its constructor is given."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from msgspec import Struct, field

from modelaudit.audit_types.loading import LoadOutcome
from modelaudit.formats.keras.json_config import mapping, text
from modelaudit.formats.source_code.classes import BaseCall, ClassCode, Parameters, SourceCode
from modelaudit.formats.source_code.statements import ParameterUse
from modelaudit.formats.source_code.value_uses import NeededKind
from modelaudit.runtimes.model import CheckContext, Reason
from modelaudit.runtimes.saved_config import ARRAYS, Config, legacy_key
from modelaudit.terminal_text import first_of

_OF_MODELS = {"name", "layers", "input_layers", "output_layers"}  # of a config that connects layers
_CONNECTED = ("inputs", "outputs", "name")  # what a model of such layers takes, in order
_LOOKS_AT_CONSTRUCTOR = (2, 12)  # first Keras known to; 2.11 passes each class what it connected
_REST_PASSED = (3, 8)  # first Keras 3 known to pass on what else is in the config; 3.5 does not
_FROM_CONFIG = "from_config"
_MADE_OF_WORDS = ("Layer", "Dense", "Embedding", "Loss", "Metric")
_ORDER = ("name", "reduction")  # of a loss in Keras 3; that of Keras 2 is the other one
_COMPILED = ("losses", "metrics", "optimizers")
_FREE = "Wrapper"  # losses and metrics of functions, whose arguments they pass on
PASSIVE = "__passive_serialization__"  # a mark of HDF5 at objects in the configs of others
_REVIVES = (3, 11)  # first Keras 3 known to make these objects; 3.8 does not
_KEYWORDS = (
    "Give the constructor **kwargs, and pass them to the constructor of its base class; or build "
    "the model from code and load the weights."
)


class ConstructorRefusal(Struct, frozen=True):
    """Why a constructor refuses what it is given: Python's words, and those of a reason."""

    error: str
    text: str
    fix: str


class Construction(Struct, frozen=True):
    """What reaches the constructor of the first base class of Keras, or why nothing does.

    `base` is "" if the code leaves it open.
    """

    refusal: ConstructorRefusal | None = None
    base: str = ""
    given: set[str] = field(default_factory=set)


def code_of(node: Config, context: CheckContext) -> ClassCode | None:
    """The code of the class of a layer or model, where the user gives it."""
    return context.code.find(text(node.get("class_name")), text(node.get("module")))


def check(node: Config, context: CheckContext, route: str, archive: bool) -> Iterator[Reason]:
    """A constructor that does not take what the config has for it."""
    code = code_of(node, context)
    if code is None:
        return
    config = mapping(node.get("config"))
    keys = list(config)
    if context.profile.keras3 and not archive:
        keys = [each for key in keys if (each := legacy_key(key, code.name))]
    found = refused(code, keys, context)
    if found:
        yield Reason(
            "constructor-refuses-config",
            LoadOutcome.FAILS,
            f"`{route}` was saved with {first_of(list(config), 8) or 'no arguments'}: {found.text}",
            f"TypeError: …{found.error}",
            found.fix,
            route,
        )
    elif lost := _not_deserialized(code, config, context, archive):
        yield lost


def restores(code: ClassCode, source: SourceCode) -> bool | None:
    """Whether a class has a `from_config` of its own; None if no one can tell.

    One that only passes the config to the constructor does what that of Keras does, in these bases.
    """
    own = source.defines(code, _FROM_CONFIG)
    if not own or source.base(code).rpartition(".")[2] not in _MADE_OF_WORDS:
        return own
    lineage = (each for each in source.lineage(code) if isinstance(each, ClassCode))
    return not next(each.only_makes for each in lineage if _FROM_CONFIG in each.methods)


def is_revived(node: Config, context: CheckContext) -> bool:
    """Whether the reader of HDF5 makes an object of one in the config of another.

    A constructor or a `from_config` then gets the object in place of its config.
    """
    return PASSIVE in node and not (3,) <= context.profile.keras < _REVIVES


def _not_deserialized(
    code: ClassCode, config: Config, context: CheckContext, archive: bool
) -> Reason | None:
    """A layer in the config, of which the code makes an object never, or once too often."""
    own = restores(code, context.code)
    lineage = [each for each in context.code.lineage(code) if isinstance(each, ClassCode)]
    if own is None or not all(each.static for each in lineage):
        return None
    deserializes = any(each.deserializes for each in lineage)
    called = frozenset().union(*(each.called for each in lineage))
    for parameter, value in config.items() if archive and not own else ():
        if text(mapping(value).get("class_name")) in ARRAYS:
            return _reason(code, parameter, mapping(value), "no `from_config` makes an array of it")
    for each in lineage:
        opened = {use.parameter for use in each.running.values if _no_dictionary(use)}
        for parameter, attribute in each.stored.items():
            node = mapping(config.get(parameter))
            used = attribute in called or parameter in opened
            if not used or not {"class_name", "config"} <= node.keys():
                continue
            revived = not archive and is_revived(node, context)
            if not (revived or own):
                return _reason(code, parameter, node, "no `from_config` makes an object of it")
            if revived and deserializes:
                return _reason(code, parameter, node, "its `from_config` gets the object itself")
    return None


def _no_dictionary(use: ParameterUse) -> bool:
    """Whether it takes an attribute that no dictionary has."""
    return use.need == NeededKind.ATTRIBUTE and not hasattr(dict, use.name)


def _reason(code: ClassCode, parameter: str, node: Config, why: str) -> Reason:
    return Reason(
        "object-not-deserialized",
        LoadOutcome.FAILS,
        f"the config of {code.name} ({code.where}) has {parameter}, a "
        f"{text(node.get('class_name'))}, as a dictionary, and {why}",
        "…",
        f"Add a `from_config` to {code.name} that passes {parameter} through "
        "`keras.saving.deserialize_keras_object` if it is a dictionary.",
        parameter,
    )


def refused(
    code: ClassCode, keys: Sequence[str], context: CheckContext
) -> ConstructorRefusal | None:
    """Why `from_config` fails with these keys; None if it does not, or nothing tells."""
    return constructed(code, keys, context).refusal


def constructed(code: ClassCode, keys: Sequence[str], context: CheckContext) -> Construction:
    """What becomes of the keys of a config in the constructors of a class and of its bases.

    `from_config` of Keras passes them as keywords. Those that a constructor does not name go on
    to the constructor of its base class, if it passes its `**kwargs` there.
    """
    if restores(code, context.code) is not False:
        return Construction()
    given, by_position = list(keys), BaseCall()
    if set(keys) >= _OF_MODELS and _revived_connected(code, context):
        given = _of_connected(keys, context)
    for each in context.code.lineage(code):
        if isinstance(each, str):
            base = each.rpartition(".")[2]
            found = _by_position(code, base, by_position, given, context)
            connected = by_position.positional > 1 or {*_CONNECTED[:2]} <= {*given}
            if not (base == "Model" and connected and context.profile.keras3):
                found = found or _refused_by_keras(code, each, given, context)
            return Construction(found, base, {*given})
        taken = each.constructor
        if not each.static:
            return Construction()
        if taken is None:
            continue
        placed = set(taken.names[: by_position.positional])
        if found := _refused_by(each, taken, given, placed):
            return Construction(found)
        call = each.base_call
        if call is None:
            return Construction()
        mine = {*taken.names, *taken.read}
        rest = [key for key in given if key not in mine] if call.keywords else []
        if twice := sorted(call.words.intersection(rest)):
            return Construction(_twice(each, twice))
        given, by_position = [*sorted(call.words), *rest], call
    return Construction()


def _revived_connected(code: ClassCode, context: CheckContext) -> bool:
    """Whether Keras connects the layers in the file, and passes inputs and outputs to the class.

    Otherwise the class is passed the config itself.
    """
    taken = next(
        (
            each.constructor
            for each in context.code.lineage(code)
            if isinstance(each, ClassCode) and each.constructor is not None
        ),
        None,
    )
    if taken is None or taken.variadic or context.profile.keras < _LOOKS_AT_CONSTRUCTOR:
        return True
    return taken.names == (*_CONNECTED, *("trainable",) * (not context.profile.keras3))


def _of_connected(keys: Sequence[str], context: CheckContext) -> list[str]:
    """What a class gets with the layers that Keras connected."""
    given = [*_CONNECTED, *("trainable",) * context.profile.keras3]
    rest = [key for key in keys if key not in {*given, *_OF_MODELS}]
    return given + rest * (context.profile.keras >= _REST_PASSED)


def _refused_by(
    owner: ClassCode, taken: Parameters, given: Sequence[str], placed: set[str]
) -> ConstructorRefusal | None:
    """What one constructor says of keywords, and of parameters that are passed by position."""
    extra = [key for key in given if key not in taken.names]
    if extra and not taken.keywords:
        return ConstructorRefusal(
            f"__init__() got an unexpected keyword argument '{extra[0]}'",
            f"the constructor of {owner.name} ({owner.where}) does not take {first_of(extra, 8)}",
            _KEYWORDS,
        )
    if twice := sorted(placed.intersection(given)):
        return _twice(owner, twice)
    absent = [name for name in taken.required if name not in {*given, *placed}]
    if not absent:
        return None
    return ConstructorRefusal(
        f"__init__() missing {len(absent)} required positional argument{'s' * (len(absent) > 1)}",
        f"the constructor of {owner.name} ({owner.where}) needs {first_of(absent, 8)}",
        f"Return {first_of(absent, 8)} in the `get_config` of {owner.name} and save the model "
        "again; or build the model from code and load the weights.",
    )


def _twice(owner: ClassCode, twice: list[str]) -> ConstructorRefusal:
    return ConstructorRefusal(
        f"__init__() got multiple values for keyword argument '{twice[0]}'",
        f"{first_of(twice, 8)} reaches a constructor twice: {owner.name} ({owner.where}) states "
        "it, and passes it once more in **kwargs",
        f"Take {first_of(twice, 8)} out of **kwargs in the constructor of {owner.name}.",
    )


def _by_position(
    code: ClassCode, base: str, call: BaseCall, given: Sequence[str], context: CheckContext
) -> ConstructorRefusal | None:
    """Arguments by position: those of `Model` may be keywords as well, `Layer` of Keras 3 takes
    none, `Loss` takes them in another order.
    """
    count = call.positional
    order = _ORDER if context.profile.keras3 else (*reversed(_ORDER),)
    if base == "Loss" and call.passed == (*reversed(order),):
        return ConstructorRefusal(
            "Invalid value for argument `reduction`"
            if context.profile.keras3
            else "Invalid Reduction Key",
            f"{code.name} ({code.where}) passes {first_of(call.passed, 2)} to the constructor of "
            f"Loss by position, which takes {first_of(order, 2)} in {context.profile.name}",
            "Pass them as keywords: `super().__init__(reduction=reduction, name=name)`.",
        )
    twice = sorted(set(_CONNECTED[:count]).intersection(given)) if base == "Model" else []
    if twice:
        return _twice(code, twice)
    if not (count and base == "Layer" and context.profile.keras3):
        return None
    return ConstructorRefusal(
        f"Layer.__init__() takes 1 positional argument but {count + 1} were given",
        f"{code.name} ({code.where}) passes arguments to the constructor of Layer by position, "
        f"which takes keywords only in {context.profile.name}",
        "Pass them as keywords: `super().__init__(trainable=trainable, name=name)`.",
    )


def _refused_by_keras(
    code: ClassCode, full: str, given: Sequence[str], context: CheckContext
) -> ConstructorRefusal | None:
    """What reaches the constructor of the base class in Keras, and is not for it."""
    module, _, base = full.rpartition(".")
    kind = module.rpartition(".")[2]
    kind = kind if kind in _COMPILED and not base.endswith(_FREE) else "layers"
    known = context.profile.accepts(kind, base)
    if known is None and base == "Model":
        known = (context.profile.accepts("layers", "Layer") or frozenset()) | {"inputs", "outputs"}
    extra = [key for key in given if key not in known] if known else []
    if not extra:
        return None
    return ConstructorRefusal(
        "Unrecognized keyword argument"
        if context.profile.keras3
        else "Keyword argument not understood",
        f"{first_of(extra, 8)} reaches the constructor of {base}, the base class of {code.name} "
        f"({code.where}), in **kwargs, and is not for it",
        f"Take {first_of(extra, 8)} in the constructor of {code.name}, or leave it out in "
        "`get_config`; or build the model from code and load the weights.",
    )


def takes(code: ClassCode, context: CheckContext) -> frozenset[str] | None:
    """The arguments of its own that the constructor names; None if the code leaves it open."""
    found: set[str] = set()
    for each in context.code.lineage(code):
        if isinstance(each, str):
            return frozenset(found) if each else None
        if not each.static:
            return None
        if each.constructor is not None:
            found |= {*each.constructor.names, *each.constructor.read}
            if not each.constructor.keywords:
                return frozenset(found)
    return None

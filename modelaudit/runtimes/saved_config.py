"""Helpers of the checks: reading saved configs of any structure, and constructor arguments."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import islice
from typing import TypedDict

from msgspec import Struct

from modelaudit.audit_types.loading import LoadOutcome
from modelaudit.facts import Json
from modelaudit.formats.keras.json_config import text
from modelaudit.layer_classes import Trait, has
from modelaudit.runtimes.catalogue import find_profile
from modelaudit.runtimes.model import CheckContext, Reason
from modelaudit.runtimes.version_bounds import MODULES_READ
from modelaudit.terminal_text import first_of
from modelaudit.work_budget import spend

Config = Mapping[str, Json]
FUNCTION = "function"
_WITH_LEGACY = "tf==2.21"  # where the layers of keras.src.legacy are known
ARRAYS = ("__numpy__", "__tensor__")
"""Classes of arrays in configs of archives, which Keras reads back in some places only."""
NAMELESS = "Model"
"""The base class of models, of which Keras saves none but those that have layers."""
USE_KERAS_2 = "Use tf-keras (TF_USE_LEGACY_KERAS=1)"
# Keys that the `from_config` of a class takes out of the config, before any constructor.
_TAKEN = ("layer", "cell", "cells", "function")
_SHOWN = 20  # names in a reason
_LONGEST = 60  # characters of a name or value in an error
UPGRADE = "use the version that saved it, or a newer one of the same Keras generation (2 or 3)"
# Arguments added in later versions, and the value at which a layer behaves as before.
ADDED: Config = {
    **dict.fromkeys(("antialias", "crop_to_aspect_ratio", "force_generator", "keepdims"), False),
    **dict.fromkeys(("optional", "pad_to_aspect_ratio", "ragged", "renorm", "sparse"), False),
    **dict.fromkeys(("synchronized", "time_major", "use_gate", "zero_output_for_mask"), False),
    **dict.fromkeys(("bounding_box_format", "flash_attention", "idf_weights"), None),
    **dict.fromkeys(("input_axes", "lora_alpha", "lora_rank", "output_axes"), None),
    **dict.fromkeys(("quantization_config", "renorm_clipping", "sliding_window"), None),
    "fill_value": 0.0,
    "groups": 1,
    "score_mode": "dot",
}


class ConfigLocation(Struct, frozen=True):
    """The location of an object: how its siblings were looked up, its route, and its kind."""

    route: str
    kind: str = "layers"
    wrapped: bool = False  # inside a layer's own config, not in a model's list of layers
    archive: bool = False  # the document is that of a .keras archive


def is_custom(node: Config, context: CheckContext) -> bool:
    """Whether the caller provides the object."""
    custom = context.request.custom
    name = text(node.get("class_name"))
    registered = text(node.get("registered_name"))
    package = text(node.get("module")).partition(".")[0]
    if package in ("keras", "tf_keras") and not registered and reads_modules(context):
        return False  # one of Keras, also where the program has a class of its name
    if context.profile.keras < (2, 3):  # before packages, `lab>Scale` was an ordinary name
        return name in custom
    return bool(custom) and (
        name in custom
        or name.rpartition(">")[2] in custom
        or registered in custom
        or registered.rpartition(">")[2] in custom
    )


class ReasonCondition(TypedDict, total=False):
    """The fields of a reason that say when it does not apply."""

    unless: str
    sign: str


def passed(name: str) -> ReasonCondition:
    """The condition that the program passes an object of its own, and its sign in errors."""
    # A lambda is saved by its name, `<lambda>`; other names may be `package>Name`.
    sign = name.rpartition(">")[2] or name
    return {"unless": f"{name} is passed in custom_objects", "sign": sign}


def quoted_route(route: str, otherwise: str = "the model") -> str:
    """A layer or inner model as reasons name it; `otherwise` stands for the whole model."""
    return f"`{route}`" if route else otherwise


def reads_modules(context: CheckContext) -> bool:
    """Whether the loader supports objects with a `module` key."""
    return MODULES_READ.holds(context.profile)


def imports_modules(context: CheckContext) -> bool:
    """Whether the loader imports the module that a file states, of whatever package."""
    free = context.behaviour("imports_any_module", default=not context.profile.keras3)
    return bool(free) and reads_modules(context)


def resolves(module: str, name: str, context: CheckContext) -> bool:
    """Whether module and name lead to a class."""
    profile = context.profile
    root, _, rest = module.partition(".")
    if root == "tf_keras" and profile.legacy:
        return profile.is_public("keras." + rest, name) or profile.is_internal(module, name)
    if root == "keras":
        if profile.is_public(module, name):
            return True
        inside = "tf_" + module if profile.legacy else module
        if rest.startswith("_legacy."):  # the name under which Keras 3 exports keras.src.legacy
            inside = f"keras.src.{rest[1:]}"
            if profile.keras3:  # 3.4 to 3.9 have it once `tf.keras` is used, as programs do
                profile = find_profile(_WITH_LEGACY)
        return profile.is_internal(inside, name)
    if not module:
        return False
    free = context.behaviour("imports_any_module", default=not profile.keras3)
    return bool(free) and module in context.request.modules


def legacy_key(key: str, name: str) -> str:
    """The key that Keras 3's reader of the old dialect uses instead."""
    if key == "batch_input_shape":
        return "batch_shape" if name == "InputLayer" else "input_shape"
    return key


def nodes_in(value: Json) -> Iterator[Config]:
    """All objects with a class and a config in a document, the outer ones first."""
    spend()
    if isinstance(value, dict):
        if isinstance(value.get("class_name"), str) and "config" in value:
            yield value
        for each in value.values():
            if isinstance(each, (dict, list)):
                yield from nodes_in(each)
    elif isinstance(value, list):
        for each in value:
            if isinstance(each, (dict, list)):
                yield from nodes_in(each)


def is_model(node: Config) -> bool:
    """Whether it is a Sequential or Functional model of any name, or one of Keras' own.

    A `Model` without a list of layers is a class of the program that has this name.
    """
    config = node.get("config")
    name = text(node.get("class_name"))
    layers = config.get("layers") if isinstance(config, dict) else None
    if isinstance(layers, list):
        return True
    return has(name, Trait.MODEL) and not (name == NAMELESS and isinstance(config, dict))


def unknown_arguments(
    name: str,
    kind: str,
    given: set[str],
    context: CheckContext,
    route: str,
    config: Config,
) -> Iterator[Reason]:
    """Reasons for keys that the class does not accept or lacks; `config` has their values."""
    profile = context.profile
    accepted = profile.accepts(kind, name)
    if accepted is not None and (extra := sorted(given - accepted)):
        listed = first_of(extra, _SHOWN)
        yield Reason(
            "unknown-argument",
            LoadOutcome.FAILS,
            f"`{route}` ({name}) was saved with {listed}, but {name} in {profile.name} does not "
            f"accept {'this argument' if len(extra) == 1 else 'these arguments'}",
            _not_accepted(name, kind, _as_written(extra, config), context),
            _without(name, kind, extra, config, context),
            route,
            repairs=True,
        )
    if absent := sorted(set(profile.needs(kind, name)) - given):
        yield Reason(
            "missing-argument",
            LoadOutcome.FAILS,
            f"`{route}` ({name}) was saved without {', '.join(absent)}, which {name} in "
            f"{profile.name} requires",
            _missing(name, absent),
            "Load it with the version that saved it and save only the weights.",
            route,
            repairs=_of_other_dialect(name, kind, absent, context),
        )


def _as_written(extra: list[str], config: Config) -> Config:
    """Their values in the order in which Python meets them; what the loader adds comes last."""
    written = [*(key for key in config if key in extra), *extra]
    return {key: config.get(key) for key in dict.fromkeys(written)}


def _of_other_dialect(name: str, kind: str, absent: list[str], context: CheckContext) -> bool:
    """Whether the writer's generation of Keras has no such arguments, so that none was lost."""
    writer = context.writer
    if writer is None or writer.keras3 == context.profile.keras3:
        return False
    return set(absent).isdisjoint(writer.needs(kind, name))


def _missing(name: str, absent: list[str]) -> str:
    """Python's error about arguments that a constructor requires; "" where none may say it."""
    if not set(absent).isdisjoint(_TAKEN):
        return ""
    count = f"{len(absent)} required positional argument{'s' if len(absent) > 1 else ''}"
    listed = f": '{absent[0]}'" if len(absent) == 1 else ""
    return f"TypeError: …{name}.__init__() missing {count}{listed}"


def known_in_keras2(kind: str, name: str, *keys: str) -> bool:
    """Whether the newest Keras 2 has a class that accepts these keys of a config."""
    keras2 = find_profile("tf-keras==2.21.0")
    accepted = keras2.accepts(kind, name)
    return keras2.knows(kind, name) and (accepted is None or accepted.issuperset(keys))


def _not_accepted(name: str, kind: str, extra: Mapping[str, Json], context: CheckContext) -> str:
    """The error about arguments that a class does not accept; Python's for what is no layer."""
    keys = [key[:_LONGEST] for key in islice(extra, _SHOWN)]
    keras3 = context.profile.keras3
    if kind != "layers":
        if not context.profile.accepts(kind, name):  # it has no constructor of its own
            return f"TypeError: {name}() takes no arguments"
        return f"TypeError: {name}.__init__() got an unexpected keyword argument '{keys[0]}'"
    if keras3 and {"autocast", "trainable"}.isdisjoint(context.profile.accepts(kind, name) or ()):
        # Its constructor takes nothing for that of Layer.
        return f"TypeError: {name}.__init__() got an unexpected keyword argument '{keys[0]}'"
    if keras3:
        # Recurrent layers have their own `from_config`, which changes no error.
        error = "ValueError" if has(name, Trait.RECURRENT) else "TypeError"
        shown = (
            "…" if isinstance(value, (dict, list)) else repr(value)[:_LONGEST]
            for value in extra.values()
        )
        listed = ", ".join(f"{key!r}: {value}" for key, value in zip(keys, shown, strict=False))
        more = ", …" if len(extra) > _SHOWN else ""
        lookup = has(name, Trait.CATEGORIES) and has(name, Trait.VOCABULARY)
        what = "argument(s)" if lookup else f"arguments passed to {name}"
        return f"{error}: Unrecognized keyword {what}: {{{listed}{more}}}"
    if name == "InputLayer":
        return f"TypeError: Unrecognized keyword arguments: {keys}"
    return f"TypeError: ('Keyword argument not understood:', '{keys[0]}')"


def _without(name: str, kind: str, extra: list[str], config: Config, context: CheckContext) -> str:
    """What to do about unsupported arguments: they may be deleted only if they have no effect."""
    from_keras_2 = context.writer and not context.writer.keras3 and context.profile.keras3
    older = from_keras_2 and known_in_keras2(kind, name, *extra)
    newer = f"{UPGRADE[:1].upper()}{UPGRADE[1:]}"
    upgrade = "Load it with tf-keras, which is Keras 2" if older else newer
    idle = all(key in ADDED and key in config and _same(config[key], ADDED[key]) for key in extra)
    if not idle:
        return f"{upgrade}."
    stand = "which has its default value" if len(extra) == 1 else "which have their default values"
    return f"{upgrade}, or delete {', '.join(extra)} from the saved config, {stand}."


def _same(one: Json, other: Json) -> bool:
    """Whether two values mean the same; None and False both disable an argument."""
    off = (None, False)
    return one in off if other in off else one == other

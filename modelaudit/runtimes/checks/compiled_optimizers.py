"""The optimizer in compile settings, and the schedule of its learning rate."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from modelaudit.audit_types.loading import LoadOutcome
from modelaudit.facts import Json
from modelaudit.formats.keras.json_config import mapping, text
from modelaudit.runtimes.model import CheckContext, Reason
from modelaudit.runtimes.profile import RuntimeProfile
from modelaudit.runtimes.saved_config import imports_modules, is_custom
from modelaudit.runtimes.version_bounds import (
    NEW_OPTIMIZERS,
    OPTIMIZERS_BUILT_AS_ARE,
    SUBCLASS_CHECKED,
)

RECOMPILE = "Load it with compile=False, then compile the model again."
# Prefix of the optimizers that Keras 2.11 registered in place of the older ones, and the name of
# the one that it added for mixed precision.
NEW_OPTIMIZER = ("Custom>", "LossScaleOptimizerV3")
# The optimizers that Keras 2 may have, and how the names of what wraps one begin.
_KERAS_2 = (
    *("Adadelta", "Adagrad", "Adam", "Adamax", "Ftrl", "Nadam", "RMSprop", "SGD", "TFOptimizer"),
)
_KERAS = ("", "keras", "tf_keras", "builtins")  # packages whose modules Keras imports
_SCALED = ("lossscaleoptimizer", "experimental")


def compile_reason(code: str, what: str, error: str) -> Reason:
    """A reason in the compile settings."""
    return Reason(code, LoadOutcome.FAILS, what, error, RECOMPILE, repairs=True)


def check_optimizer(value: Json, context: CheckContext) -> Iterator[Reason]:
    """The optimizer in an HDF5 file."""
    profile = context.profile
    name = text(mapping(value).get("class_name"))
    if name.startswith(NEW_OPTIMIZER) and not NEW_OPTIMIZERS.holds(profile):
        yield compile_reason(
            "unknown-optimizer",
            f"the optimizer is {name}, as written by Keras 2.11 and newer",
            f"ValueError: Unknown optimizer: {name}",
        )
    config = mapping(mapping(value).get("config"))
    if profile.keras3 and name.startswith(NEW_OPTIMIZER):
        return  # Keras 3 takes its own optimizer of that name, without these settings
    if name and not is_custom(mapping(value), context) and not _found(name, profile):
        yield compile_reason(
            "unknown-optimizer",
            f"the optimizer is {name}, which {profile.name} does not find by its name",
            "ValueError: Could not interpret optimizer identifier: …"
            if profile.keras3
            else f"ValueError: Unknown optimizer: …{name}",
        )
        return
    if profile.keras3 and "lr" in config:
        yield compile_reason(
            "optimizer-argument",
            f"the optimizer {name} has lr, as Keras wrote it before 2.3, which {profile.name} does "
            "not accept",
            "ValueError: Argument(s) not recognized: {'lr'",
        )
    yield from check_schedule(config, context)
    rate = mapping(config.get("learning_rate"))
    stated = "module" in rate or is_custom(rate, context)
    if profile.keras3 and "class_name" in rate and not stated:
        schedule = text(rate["class_name"])
        yield compile_reason(
            "schedule-without-module",
            f"the learning rate is a {schedule} without its module, which {profile.name} requires",
            f"TypeError: Could not locate class '{schedule}'.",
        )


def _found(name: str, profile: RuntimeProfile) -> bool:
    """Whether the reader of HDF5 files has an optimizer of this name, in small letters or not."""
    if profile.keras3:
        return profile.knows("optimizers", name.lower())  # as its table has them
    if name.startswith(NEW_OPTIMIZER):
        return True
    known = (each for each in _KERAS_2 if profile.knows("optimizers", each))
    short = name.lower()
    return short.startswith(_SCALED) or short in {each.lower() for each in known}


def check_schedule(
    config: Mapping[str, Json], context: CheckContext, archive: bool = False
) -> Iterator[Reason]:
    """A learning rate that follows a class of the program's own."""
    rate, profile = mapping(config.get("learning_rate")), context.profile
    name = text(rate.get("class_name"))
    by_module = (archive or profile.keras3) and imports_modules(context)
    if (
        not name
        or is_custom(rate, context)
        or profile.is_public("keras.optimizers.schedules", name)
        or (by_module and text(rate.get("module")) in context.request.modules)
    ):
        return
    error = f"TypeError: Cannot deserialize object of type `{name}`"
    if profile.keras3:
        error = f"TypeError: …Could not locate class '{name}'"
    elif not archive:
        error = f"ValueError: Unknown decay: …{name}"
    what = f"the learning rate is a {name}, which is not one of the schedules in {profile.name}"
    yield compile_reason("unknown-schedule", what, error)


def check_archived(value: Json, context: CheckContext) -> Iterator[Reason]:
    """The optimizer in a .keras archive: looked up by module, created from its config."""
    node = mapping(value)
    name, module = text(node.get("class_name")), text(node.get("module"))
    if not name or name in context.request.custom:
        return
    profile = context.profile
    if module.endswith("optimizers.legacy") and not OPTIMIZERS_BUILT_AS_ARE.holds(profile):
        error = f"AttributeError: '{name}' object has no attribute 'build'"
        if profile.keras3:
            error = f"ValueError: Could not deserialize '{module}.{name}' because it is not a "
            error = f"{error}KerasSaveable subclass" if SUBCLASS_CHECKED.holds(profile) else ""
        yield compile_reason(
            "legacy-optimizer",
            f"the optimizer is {module}.{name}, which {profile.name} does not "
            + ("have" if profile.keras3 else "build as it reads an archive"),
            error,
        )
        return
    imported = imports_modules(context) and module in context.request.modules
    if module.partition(".")[0] not in _KERAS and not imported:
        yield compile_reason(
            "unknown-optimizer",
            f"the optimizer is {name} of the module {module}, which {profile.name} does not find",
            f"TypeError: …Could not locate class '{name}'",
        )
        return
    yield from check_schedule(mapping(node.get("config")), context, archive=True)
    kind = "optimizers.legacy" if module.endswith("optimizers.legacy") else "optimizers"
    accepted = profile.accepts(kind, name)
    if accepted is None:
        return
    if extra := sorted(set(mapping(node.get("config"))) - accepted):
        listed = ", ".join(extra)
        yield compile_reason(
            "optimizer-argument",
            f"the optimizer {name} has {listed}, which {profile.name} does not accept",
            f"ValueError: Argument(s) not recognized: {{'{extra[0]}'"
            if profile.keras3
            else f"TypeError: {extra[0]} is not a valid argument, kwargs should be empty",
        )

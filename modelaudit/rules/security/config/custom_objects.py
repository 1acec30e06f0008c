"""MA715: classes and functions that are not part of Keras."""

from __future__ import annotations

from collections.abc import Iterator

from modelaudit.facts import Artifact, Format
from modelaudit.findings import Confidence, Finding, Remedy, Severity
from modelaudit.layer_classes import EXPERIMENTAL, LAYER_CLASSES
from modelaudit.rules.conditions import lacked, registration
from modelaudit.rules.grammar import times
from modelaudit.rules.model import Facts, Family, Need, NotApplicable, NotRelevant, Rule
from modelaudit.rules.security.config.custom_call import loading_fix
from modelaudit.rules.security.config.examples import dense, example
from modelaudit.rules.security.config.module_lists import KERAS, imported_module, suspicious_module
from modelaudit.rules.security.config.object_references import ObjectReference, references
from modelaudit.rules.security.op_threats import OF_TENSORRT
from modelaudit.runtimes.checks.graph import UNKNOWN_OPERATION, UNKNOWN_TYPE
from modelaudit.runtimes.checks.lambda_code import UNKNOWN_FUNCTION
from modelaudit.runtimes.checks.layer_parts import UNKNOWN_OBJECT
from modelaudit.runtimes.checks.meta_graphs import tags_argument

# Keras 2.11 to 2.15 registered its own optimizers as if they were custom objects.
_TRAINING = ("compile_config", "training_config")
_OWN_OPTIMIZERS = frozenset(
    [
        "Adadelta",
        "Adafactor",
        "Adagrad",
        "Adam",
        "AdamW",
        "Adamax",
        "Ftrl",
        "Lion",
        "LossScaleOptimizer",
        "LossScaleOptimizerV3",
        "Nadam",
        "RMSprop",
        "SGD",
    ]
)


def _in_a_session(facts: Facts) -> str:
    """A sentence about the graph without the library, if only a session loaded it; else ""."""
    if not any(seen.refused for seen in facts.observations):
        return ""
    restore = facts.artifact.extra.get("restore")
    lacks = isinstance(restore, dict) and bool(restore.get("unrestored"))
    left = ", but does not restore all variables of it (MA416)" if lacks else ""
    return f" A session loads the graph without it{left}."


def check(rule: Rule, facts: Facts) -> Iterator[Finding]:
    """One finding for each class or function, with all places that refer to it."""
    artifact = facts.artifact
    needed = _registrations(facts)
    old = (artifact.provenance.tensorflow or "").startswith("1.")
    contrib = ", or which tf.contrib of TensorFlow 1 registered" if old else ""
    for name in sorted(needed - OF_TENSORRT):  # which MA752 names
        yield rule.finding(
            f"Loading needs {name}, which a library registers that is not part of TensorFlow{contrib}."
            + _in_a_session(facts),
            evidence={"name": name},
            key=name,
            fix=_import(name, artifact),
        )
    if not artifact.documents:
        if needed:
            return
        raise NotApplicable("the model contains no readable config")
    wanted: dict[str, list[ObjectReference]] = {}
    for reference in references(artifact):
        if _is_custom(reference) and not _of_preset(artifact, reference):
            wanted.setdefault(_registered(reference) or str(reference), []).append(reference)
    imported = {
        name: next(filter(None, map(imported_module, uses)), "") for name, uses in wanted.items()
    }
    others = _unnamed(artifact) - {
        ref.name.rpartition(">")[2] for uses in wanted.values() for ref in uses
    }
    # The functions of a SavedModel are in its graph; `load_model` of Keras 2 falls back to them.
    if artifact.format.is_saved_model:
        others.clear()
        wanted = {name: uses for name, uses in wanted.items() if imported[name]}
        if not wanted and needed:
            return
        if not wanted:
            raise NotRelevant("a SavedModel runs without the code of its classes")
    by_name = _by_name(facts)
    # Of parts of layers, only an activation can be a layer of Keras.
    layers = (by_name - others) & LAYER_CLASSES.keys() - EXPERIMENTAL
    others |= by_name - {_key(uses[0]).rpartition(">")[2] for uses in wanted.values()}
    names = {*others, *(_key(uses[0]) for uses in wanted.values() if not _is_training(uses))}
    fix = loading_fix(facts, names)
    for name, uses in wanted.items():
        site, module = uses[0].site, imported[name]
        how = f" Loaders that import modules by name will import {module}." if module else ""
        yield rule.finding(
            f"The config refers to {name} ({times(len(uses))}), which is not part of Keras.{how}",
            file=site.file,
            route=site.route,
            severity=Severity.MEDIUM if module else None,
            evidence={
                "name": name,
                "module": module or uses[0].module,
                "measured": len(uses),
                "unit": "uses",
                "layers": [use.site.layer for use in uses[:16]],
            },
            key=name,
            fix=fix,
        )
    for name in sorted(others):
        kind = "class" if name[:1].isupper() else "function"
        what = (
            "which Keras 2 has in layers.experimental, where load_model does not look"
            if name in EXPERIMENTAL
            else "a layer of Keras that load_model does not look for among the activations"
            if name in layers
            else "which is not part of Keras"
        )
        yield rule.finding(
            f"The config refers to the {kind} {name}, {what}.",
            evidence={"name": name},
            key=name,
            fix=_given(facts, name, "tf_keras", "keras.layers.experimental")
            if {*wanted, *others} <= EXPERIMENTAL
            else _given(facts, name, "keras", "keras.layers")
            if {*wanted, *others} <= layers
            else fix,
        )
    facts.all_predictions()  # which name some of them


def _given(facts: Facts, name: str, package: str, module: str) -> Remedy:
    """The call that loads a model with a class of Keras that the loader does not look for."""
    imported = f"import {package}" + (" as keras" if package != "keras" else "")
    return Remedy(
        f"Give the class when you load the model:\n\n    {imported}\n"
        f"    model = keras.models.load_model({facts.artifact.root.name!r}, custom_objects={{{name!r}: "
        f"{module}.{name}}})",
        loads=True,
    )


def _of_preset(artifact: Artifact, reference: ObjectReference) -> bool:
    """Whether it is a class of KerasHub in a preset, which MA231 tells."""
    module = (reference.module or "").partition(".")[0]
    return artifact.format is Format.KERASHUB_PRESET and module in {"keras_hub", "keras_nlp"}


def _by_name(facts: Facts) -> set[str]:
    """Functions and parts that Keras does not know; a SavedModel has them in its graph."""
    if facts.artifact.format.is_saved_model:
        return set()
    return {
        reason.sign
        for prediction in facts.predictions
        for reason in prediction.because
        if reason.code in (UNKNOWN_OBJECT, UNKNOWN_FUNCTION) and reason.unless
    }


def _registrations(facts: Facts) -> set[str]:
    """Operations and types of other libraries that a graph needs."""
    predicted = {
        reason.sign
        for prediction in facts.predictions
        for reason in prediction.because
        if reason.code in (UNKNOWN_OPERATION, UNKNOWN_TYPE) and reason.unless
    }
    failed = [each.error for each in facts.observations if lacked(facts, each)]
    failed += [each.refused for each in facts.observations]
    return predicted | {name for error in failed if (name := registration(error))}


def _import(name: str, artifact: Artifact) -> str:
    """What to do so that TensorFlow knows `name`."""
    module = "tensorflow_probability" if name.startswith("tfp.") else ""
    return (
        "Import the library that registers it before you load the model, or name that library "
        "where the model is kept:\n\n    import tensorflow as tf\n"
        f"    import {module or 'LIBRARY'}\n"
        f"    model = tf.saved_model.load({artifact.root.name!r}{tags_argument(artifact)})"
    )


def _key(reference: ObjectReference) -> str:
    """The name under which `custom_objects` has the object."""
    return _registered(reference) or reference.name


def _is_training(uses: list[ObjectReference]) -> bool:
    """Whether all uses are in training settings, which `compile=False` ignores."""
    return all(part in _TRAINING for use in uses for part in [use.site.route.partition("/")[0]])


def _is_custom(reference: ObjectReference) -> bool:
    if reference.name == "*" or suspicious_module(reference):  # `*`: the module of code's globals
        return False
    registered = _registered(reference)
    if registered:
        package, _, name = registered.rpartition(">")
        return not (package == "Custom" and name in _OWN_OPTIMIZERS)
    return reference.root not in KERAS | {"", "builtins"}


def _registered(reference: ObjectReference) -> str:
    """`package>Name`, if the object was registered by its user."""
    for name in (reference.site.value.get("registered_name"), reference.name):
        if isinstance(name, str) and name.partition(">")[2]:
            return name
    return ""


def _unnamed(artifact: Artifact) -> set[str]:
    """Classes of layers, and of the model, that no module names and that are not part of Keras."""
    architecture = artifact.architecture
    if architecture is None:
        return set()
    found = {
        layer.class_name.rpartition(">")[2]
        for layer in architecture.layers
        if layer.custom and not layer.module and ">" not in (layer.registered_name or "")
    }
    name = architecture.class_name.rpartition(">")[2]
    return found if name in LAYER_CLASSES else found | {name}


RULES = (
    Rule(
        code="MA715",
        name="custom-object",
        family=Family.SECURITY,
        severity=Severity.LOW,
        confidence=Confidence.HIGH,
        needs=(Need.ARTIFACT,),
        summary="The model needs code that is not in the file",
        pass_title="The model needs no code other than Keras",
        why="The file names a custom class or function, and that code decides what loading does. "
        "If the file gives only a name, or the module of a well-known package, this is an "
        "incompatibility: either the program that loads the model has the code, or nothing runs. "
        "Any other module raises the severity to medium. Keras before 3.9, and every version of "
        "tf-keras, import the module because the file names it, even in safe mode, and run the "
        "first module of that name that Python finds, which may be one next to the model in the "
        "working directory. Keras from 3.9 on imports only its own modules, keras_hub, keras_cv "
        "and keras_nlp. The severity is not higher because the file contains no code, and every "
        "legitimate model with a custom layer looks the same.",
        fix="Get the code from the author, read it, and pass it when you load the model "
        "(`custom_objects={...}` or `@keras.saving.register_keras_serializable()`).",
        check=check,
        bad=example({"module": "lab.layers", "class_name": "Mix", "config": {"name": "mix"}}),
        good=dense,
    ),
)

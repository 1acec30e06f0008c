"""MA715: classes and functions that are not part of Keras."""

from __future__ import annotations

from collections.abc import Iterator

from modelaudit.facts import Artifact
from modelaudit.findings import Confidence, Finding, Severity
from modelaudit.rules.grammar import times
from modelaudit.rules.model import Facts, Family, Need, Rule
from modelaudit.rules.security.config.examples import dense, example
from modelaudit.rules.security.config.module_lists import KERAS, imported_module, suspicious_module
from modelaudit.rules.security.config.object_references import ObjectReference, references
from modelaudit.rules.security.config_walk import require_documents

# Keras 2.11 to 2.15 registered its own optimizers as if they were custom objects.
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


def check(rule: Rule, facts: Facts) -> Iterator[Finding]:
    """One finding for each class or function, with all places that refer to it."""
    require_documents(facts)
    wanted: dict[str, list[ObjectReference]] = {}
    for reference in references(facts.artifact):
        if _is_custom(reference):
            wanted.setdefault(_registered(reference) or str(reference), []).append(reference)
    for name, uses in wanted.items():
        site = uses[0].site
        imported = next(filter(None, map(imported_module, uses)), "")
        how = f" Loaders that import modules by name will import {imported}." if imported else ""
        yield rule.finding(
            f"The config refers to {name} ({times(len(uses))}), which is not part of Keras.{how}",
            file=site.file,
            route=site.route,
            severity=Severity.MEDIUM if imported else None,
            evidence={
                "name": name,
                "module": imported or uses[0].module,
                "measured": len(uses),
                "unit": "uses",
                "layers": [use.site.layer for use in uses[:16]],
            },
            key=name,
        )
    for class_name in sorted(
        _unnamed(facts.artifact) - {r.name for u in wanted.values() for r in u}
    ):
        yield rule.finding(
            f"The config refers to the layer class {class_name}, which is not part of Keras.",
            evidence={"name": class_name},
            key=class_name,
        )


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
        if isinstance(name, str) and ">" in name:
            return name
    return ""


def _unnamed(artifact: Artifact) -> set[str]:
    """Layer classes that are not part of Keras, in dialects that name no module."""
    layers = artifact.architecture.layers if artifact.architecture else ()
    return {
        layer.class_name.rpartition(">")[2]
        for layer in layers
        if layer.custom and not layer.module and ">" not in (layer.registered_name or "")
    }


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

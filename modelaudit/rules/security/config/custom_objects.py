"""MA715: classes and functions that come with somebody's code rather than with Keras."""

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

# Keras 2.11 to 2.15 registered its own optimizers as if they were a user's.
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
    """One finding for each class or function, with all places that ask for it."""
    require_documents(facts)
    wanted: dict[str, list[ObjectReference]] = {}
    for reference in references(facts.artifact):
        if _is_custom(reference):
            wanted.setdefault(_registered(reference) or str(reference), []).append(reference)
    for name, uses in wanted.items():
        site = uses[0].site
        imported = next(filter(None, map(imported_module, uses)), "")
        how = f" Loaders that import modules by name import {imported}." if imported else ""
        yield rule.finding(
            f"The config asks for {name}, which Keras does not have ({times(len(uses))}).{how}",
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
            f"The config asks for the layer class {class_name}, which Keras does not have.",
            evidence={"name": class_name},
            key=class_name,
        )


def _is_custom(reference: ObjectReference) -> bool:
    if reference.name == "*" or suspicious_module(reference):  # `*`: where code takes globals from
        return False
    registered = _registered(reference)
    if registered:
        package, _, name = registered.rpartition(">")
        return not (package == "Custom" and name in _OWN_OPTIMIZERS)
    return reference.root not in KERAS | {"", "builtins"}


def _registered(reference: ObjectReference) -> str:
    """`package>Name`, where the object was registered by its user."""
    for name in (reference.site.value.get("registered_name"), reference.name):
        if isinstance(name, str) and ">" in name:
            return name
    return ""


def _unnamed(artifact: Artifact) -> set[str]:
    """Layer classes that are none of Keras's, in dialects that name no module."""
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
        pass_title="The model needs no code but Keras's own",
        why="The file names a class or function of its maker's, and it is that code which decides "
        "what loading does. Where only a name is given, or the module of a package that is known, "
        "it is an incompatibility: the program that loads has the code, or nothing runs. Another "
        "module is medium. Keras before 3.9, and tf-keras of every version, import it by the "
        "file's word alone, in safe mode too, and run the first module of that name that Python "
        "finds, be it one that lies beside the model in the working directory. Keras from 3.9 on "
        "imports none but its own, keras_hub, keras_cv and keras_nlp. Not higher, since the file "
        "brings no code, and every honest model with a layer of its own looks the same.",
        fix="Get the code from the maker, read it, and pass it on loading "
        "(`custom_objects={...}` or `@keras.saving.register_keras_serializable()`).",
        check=check,
        bad=example({"module": "lab.layers", "class_name": "Mix", "config": {"name": "mix"}}),
        good=dense,
    ),
)

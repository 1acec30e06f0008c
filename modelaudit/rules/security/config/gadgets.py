"""MA704 to MA708: objects that a config refers to although no model needs them."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping

from modelaudit.facts import Artifact, Json
from modelaudit.findings import Confidence, Finding, Severity
from modelaudit.formats.graph.op_registry import known_operations
from modelaudit.rules.model import Check, Facts, Family, Need, Rule
from modelaudit.rules.security.config.capabilities import abilities
from modelaudit.rules.security.config.examples import dense, example, function, keras_layer
from modelaudit.rules.security.config.module_lists import (
    GET_FILE,
    KERAS,
    NON_MODELLING,
    STANDARD,
    TRUSTED,
    UNSAFE,
    is_model_part,
    suspicious_module,
)
from modelaudit.rules.security.config.object_references import ObjectReference, references
from modelaudit.rules.security.config_walk import (
    ConfigObject,
    ConfigText,
    config_tree,
)
from modelaudit.rules.security.op_threats import LOOPS, NATIVE, RUNS_GRAPH, WATCHED
from modelaudit.structs import PerObject, replace

_DOTTED = re.compile(r"(?:[^\W\d]\w*+\.)*+[^\W\d]\w*+")
# Keys whose values can be functions; lists of words can contain anything.
_FUNCTIONS = re.compile(
    r"(?:\w+_)?(?:function|fn|activation|initializer|regularizer|constraint|loss|metrics?"
    r"|standardize|split|callable)(?:/\d+)*"
)
_COMMON_WORDS = frozenset({"code", "types", "site", "glob", "profile", "modules"})
_DELETE = "Do not load it. Keras never saves a model like this; inform whoever you got it from."


def _find(artifact: Artifact) -> tuple[ObjectReference, ...]:
    found = config_tree(artifact)
    return (
        *(reference for text in found.texts for reference in _in_text(text)),
        *(
            ObjectReference(site, package, name, class_name == "function")
            for site in found.sites
            if isinstance(registered := site.value.get("registered_name"), str)
            and (class_name := site.value.get("class_name"))
            and not site.value.get("module")
            for package, _, name in [registered.rpartition(">")]
            # Authors choose the package: `signal>Filter` is a class of theirs, `os>system` is not.
            if package.partition(".")[0] in STANDARD and abilities((name,))
        ),
    )


def _in_text(text: ConfigText) -> Iterator[ObjectReference]:
    if not _FUNCTIONS.fullmatch(text.key) or not _DOTTED.fullmatch(text.value):
        return
    if text.site.parent is not None and text.site.parent.class_name == "TFOpLambda":
        return  # a name of TensorFlow's, such as `io.decode_png`
    module, _, name = text.value.rpartition(".")
    root = module.partition(".")[0]
    if name in {GET_FILE, UNSAFE}:
        if not isinstance(text.site.value.get("module"), str):  # else it is a complete reference
            yield ObjectReference(text.site, module, name, True)
    elif root in STANDARD and abilities((root, name)):
        yield ObjectReference(text.site, module, name, True)


named = PerObject(_find)
"""Hostile objects that strings and registered names in an artifact's configs refer to.

Keras itself does not look up either. Old and third-party loaders do, and no legitimate config
contains `os.system` where an activation belongs.
"""


def _ask(
    rule: Rule,
    reference: ObjectReference,
    what: str,
    evidence: Mapping[str, Json] | None = None,
    severity: Severity | None = None,
    confidence: Confidence | None = None,
) -> Finding:
    site = reference.site
    return rule.finding(
        f"{site.subject} refers to {reference}, {what}.",
        file=site.file,
        route=site.route,
        evidence={"module": reference.module, "name": reference.name, **(evidence or {})},
        key=str(reference),
        severity=severity,
        confidence=confidence,
    )


def check_modules(rule: Rule, facts: Facts) -> Iterator[Finding]:
    """Objects from modules that contain no parts of models."""
    for reference in (*references(facts.artifact), *named(facts.artifact)):
        why = suspicious_module(reference)
        if not why:
            yield from _borrowed(rule, reference)
            continue
        # A user's own module can have the same name as one of Python's.
        module = "" if reference.module in _COMMON_WORDS else reference.module
        dangerous = abilities((module, reference.name))
        if dangerous or reference.is_called or reference.module == "builtins":
            yield _ask(rule, reference, why)
        else:
            yield _ask(rule, reference, why, severity=Severity.MEDIUM, confidence=Confidence.LOW)


def _borrowed(rule: Rule, reference: ObjectReference) -> Iterator[Finding]:
    """A function that any package may have imported from a dangerous module, by its name."""
    last = reference.name.rpartition(".")[2]
    if reference.root in KERAS | {"", "builtins"} or last in _COMMON_WORDS | {GET_FILE, UNSAFE}:
        return
    found = abilities((last,)) if reference.is_called else {}
    if found:
        what = f"which has the same name as a function that {' and '.join(found)}"
        yield _ask(rule, reference, what, severity=Severity.HIGH, confidence=Confidence.MEDIUM)


def _check_names(names: frozenset[str], what: str) -> Check:
    """A check for functions of Keras, or of an unnamed module, by name."""

    def check(rule: Rule, facts: Facts) -> Iterator[Finding]:
        for reference in (*references(facts.artifact), *named(facts.artifact)):
            last = reference.name.rpartition(".")[2].rpartition(">")[2]
            if last not in names:
                continue
            if reference.root in KERAS | {"", "builtins"} or last in {GET_FILE, UNSAFE}:
                arguments = _arguments(reference.site)
                yield _ask(rule, reference, what, {"arguments": arguments} if arguments else None)

    return check


def check_parts(rule: Rule, facts: Facts) -> Iterator[Finding]:
    """Objects of Keras and TensorFlow that no model consists of."""
    yield from _check_names(NON_MODELLING, "which loads, saves or registers things")(rule, facts)
    for reference in references(facts.artifact):
        last = reference.name.rpartition(".")[2].rpartition(">")[2]
        own = reference.root in TRUSTED and last not in {*NON_MODELLING, GET_FILE, UNSAFE}
        if own and not is_model_part(reference) and not _dangerous_call(reference):
            arguments = _arguments(reference.site)
            what = "which is no layer, operation or other part of models"
            yield _ask(rule, reference, what, {"arguments": arguments} if arguments else None)


def _arguments(site: ConfigObject) -> dict[str, Json]:
    """Keyword arguments that a surrounding Lambda would pass to its function."""
    for holder in (site, site.parent):
        arguments = holder.value.get("arguments") if holder else None
        if isinstance(arguments, dict):
            return {
                key[:100]: value[:300] if isinstance(value, str) else value
                for key, value in list(arguments.items())[:16]
                if not isinstance(value, (list, dict))
            }
    return {}


def check_safe_mode(rule: Rule, facts: Facts) -> Iterator[Finding]:
    """Ways to disable safe mode from inside a file."""
    yield from _check_names(frozenset({UNSAFE}), "which disables safe mode")(rule, facts)
    for site in config_tree(facts.artifact).sites:
        if "safe_mode" in site.value and not site.value["safe_mode"]:
            yield rule.finding(
                f"{site.subject} sets safe_mode to {json.dumps(site.value['safe_mode'])}.",
                file=site.file,
                route=f"{site.route}/safe_mode",
                evidence={"safe_mode": site.value["safe_mode"]},
                key="safe_mode",
            )


def check_tensorflow_calls(rule: Rule, facts: Facts) -> Iterator[Finding]:
    """Layers that call a TensorFlow function that reaches outside the graph."""
    for reference in references(facts.artifact):
        if found := _dangerous_call(reference):
            yield _ask(rule, reference, f"which {' and '.join(found)}")


def _dangerous_call(reference: ObjectReference) -> list[str]:
    """What a function of TensorFlow is known to reach outside the graph."""
    parts = reference.module.split(".")
    if parts[0] != "tensorflow" or KERAS & {*parts[1:]}:
        return []
    names = reference.name.split(".")
    raw = names[0] == "raw_ops"
    threat = WATCHED.get(names[-1] if raw else reference.name)
    other = LOOPS | NATIVE | {RUNS_GRAPH}
    if raw and not threat and names[-1] in known_operations() and names[-1] not in other:
        return []  # it computes; MA708 tells it
    # A class of `raw_ops` or `saved_model` can be anything; a function there is dangerous.
    found = list(abilities((*parts, *names) if reference.is_called else names))
    return [threat.does] if threat else found


def _rule(
    code: str,
    name: str,
    severity: Severity,
    summary: str,
    pass_title: str,
    why: str,
    fix: str,
    check: Check,
    bad: Callable[[], Facts],
    references: tuple[str, ...],
) -> Rule:
    return Rule(
        code=code,
        name=name,
        family=Family.SECURITY,
        severity=severity,
        confidence=Confidence.HIGH,
        needs=(Need.CONFIG,),
        summary=summary,
        pass_title=pass_title,
        why=why,
        fix=fix,
        check=check,
        bad=bad,
        good=dense,
        references=references,
    )


RULES = (
    _rule(
        "MA704",
        "tensorflow-function-call",
        Severity.CRITICAL,
        "The config calls a TensorFlow function that reaches outside the graph",
        "The config calls no TensorFlow function that reaches outside the graph",
        "Keras 2 stores a call of any TensorFlow function as a layer with the function's name. "
        "This one reads or writes files, or runs code, whenever the model is called.",
        _DELETE,
        check_tensorflow_calls,
        example(keras_layer("TFOpLambda", function="io.write_file")),
        (),
    ),
    _rule(
        "MA705",
        "arbitrary-module",
        Severity.CRITICAL,
        "The config refers to an object that cannot be part of a model",
        "The config refers only to objects that can be part of a model",
        "Keras before 3.9, and tf-keras, import any module that a config names and call objects in "
        "it with arguments from the file. Merely loading the model runs them, even in safe mode. "
        "Objects that a module has imported can be reached through it.",
        _DELETE,
        check_modules,
        example(function("os", "system")),
        ("CVE-2025-1550",),
    ),
    _rule(
        "MA706",
        "config-downloads-file",
        Severity.CRITICAL,
        "The config makes Keras download a file",
        "The config downloads nothing",
        "`keras.utils.get_file` downloads from any address and can unpack the archive. In a config "
        "it runs while the model is loaded, with addresses that the file chooses.",
        _DELETE,
        _check_names(frozenset({GET_FILE}), "which downloads and unpacks files"),
        example(function("keras.utils", "get_file")),
        (
            *("CVE-2025-8747", "GHSA-c9rc-mg46-23w3", "CVE-2025-12060", "CVE-2025-12638"),
            *("GHSA-hqp4-2352-xf5r", "CVE-2024-55459 (disputed)"),
        ),
    ),
    _rule(
        "MA707",
        "config-disables-safe-mode",
        Severity.CRITICAL,
        "The config disables Keras's safe mode",
        "The config does not change safe mode",
        "Safe mode prevents Keras from running code from files. Keras before 3.11 lets a file "
        "disable it while the file is loaded, after which a second layer or file can run anything.",
        _DELETE,
        check_safe_mode,
        example(function("keras.config", "enable_unsafe_deserialization")),
        ("CVE-2025-9906", "GHSA-36fq-jgmw-4r9c"),
    ),
    replace(
        _rule(
            "MA708",
            "non-modelling-function",
            Severity.HIGH,
            "The config refers to an object of Keras or TensorFlow that is no part of models",
            "The config refers only to objects of Keras and TensorFlow that are parts of models",
            "A config can name any object of these packages, and loaders import and call it, in "
            "safe mode as well. Only layers, operations, activations, initializers, regularizers, "
            "constraints, losses, metrics, optimizers and dtype policies belong into a model. "
            "Everything else may load, save, list or download files, load libraries or run "
            "programs when it is imported. Newer versions reject some of it, older ones call it.",
            _DELETE,
            check_parts,
            example(function("keras.models", "load_model")),
            ("https://github.com/keras-team/keras/pull/23115", "CVE-2025-9906"),
        ),
        keeps_from_running=True,
    ),
)

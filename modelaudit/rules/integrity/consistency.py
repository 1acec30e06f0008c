"""MA413 to MA417: do the files of a SavedModel or a checkpoint belong together?"""

from __future__ import annotations

from collections.abc import Iterator

from modelaudit.facts import Format, Json
from modelaudit.findings import Confidence, Finding, Severity
from modelaudit.graphs import LiteModel
from modelaudit.rules import examples
from modelaudit.rules.grammar import counted, quoted
from modelaudit.rules.integrity.graph_savers import left_initial_statistics, of_other_savers
from modelaudit.rules.integrity.lite_variables import variables_without_values
from modelaudit.rules.integrity.restored import KEPT, counted_evidence, listing
from modelaudit.rules.model import Facts, Family, Need, NotApplicable, NotRelevant, Rule
from modelaudit.structs import replace

KERAS_METADATA = "keras_metadata.pb"
HASHES = (  # file, its hash in fingerprint.pb, the computed hash
    ("variables.index", "checkpoint_hash", "index_hash"),
    ("saved_model.pb", "saved_model_checksum", "model_hash"),
)


def _fingerprint(rule: Rule, facts: Facts) -> Iterator[Finding]:
    said = facts.artifact.extra.get("fingerprint")
    if not isinstance(said, dict):
        raise NotRelevant("there is no fingerprint.pb (TensorFlow writes one since 2.11)")
    pairs = [
        (what, key, said.get(key), said.get(computed))
        for what, key, computed in HASHES
        if said.get(key) != "0" and said.get(computed)
    ]
    if not pairs:
        raise NotApplicable("fingerprint.pb contains no hash that could be checked")
    for what, key, written, measured in pairs:
        if written != measured:
            yield rule.finding(
                f"{what} has the hash {measured}, but fingerprint.pb says {written}.",
                file="fingerprint.pb",
                route=key,
                evidence={"measured": measured, "expected": written},
            )


def _config_differs(rule: Rule, facts: Facts) -> Iterator[Finding]:
    if facts.artifact.extra.get("foreign_metadata"):
        yield rule.finding(
            f"{KERAS_METADATA} is that of another save: it describes other objects than "
            "saved_model.pb has. Keras 2 reads it and fails, or creates that other model. "
            "`tf.saved_model.load` and TF-Serving do not read it.",
            file=KERAS_METADATA,
            key="another save",
            fix=f"Copy the {KERAS_METADATA} of the same save. If TensorFlow 2.4 or older saved the "
            "model, which keeps its config in saved_model.pb, delete it.",
        )
        return  # what it describes is compared with nothing
    told = facts.artifact.extra.get("config_differs")
    if not isinstance(told, list):
        raise NotRelevant("only a Keras 2 SavedModel contains both a graph and a config")
    for each in told:
        if not isinstance(each, dict):
            continue
        field, tensor = str(each.get("field")), str(each.get("tensor"))
        yield rule.finding(
            f"`{tensor}`: {field} {_value(each.get('config'))} in the config, "
            f"{_in_graph(field, each.get('graph'))}. Keras uses the config, TensorFlow and "
            "TF-Serving use the graph.",
            file=KERAS_METADATA,
            route=tensor,
            evidence={"measured": each.get("graph"), "expected": each.get("config")},
            key=field,
        )


def _in_graph(field: str, found: Json) -> str:
    """What the graph has: in the functions of the layer, or anywhere if none is named by it."""
    if isinstance(found, list) and field in {"activation", "recurrent_activation", "epsilon"}:
        others = ", ".join(map(str, found)) or "none"
        return f"but {others} in the operations of the graph"
    return f"{_value(found)} in the graph"


def _value(value: Json) -> str:
    return "none" if value is None else str(value)


def restore_facts(facts: Facts, key: str) -> list[Json]:
    """What the reader reported about restoring, by its key in `extra["restore"]`."""
    restore = facts.artifact.extra.get("restore")
    if not isinstance(restore, dict):
        raise NotRelevant("only checkpoints and SavedModels are restored by name")
    found = restore.get(key)
    return found if isinstance(found, list) else []


def _divergent(rule: Rule, facts: Facts) -> Iterator[Finding]:
    for pair in restore_facts(facts, "divergent"):
        if isinstance(pair, dict):
            used, copy = str(pair.get("used")), str(pair.get("copy"))
            yield rule.finding(
                f"{used} and its copy {copy} have different values.",
                route=used,
                evidence={"used": used, "copy": copy},
            )


def _unrestored(rule: Rule, facts: Facts) -> Iterator[Finding]:
    if facts.artifact.lite is not None:
        yield from _without_values(rule, facts.artifact.lite)
        return
    yield from _left_out(rule, facts)
    names = [str(name) for name in restore_facts(facts, "unrestored")]
    if names:
        by_objects = facts.artifact.format is Format.SAVEDMODEL_TF2
        whom = (
            " TF-Serving and TensorFlow 1 sessions use this operation; `tf.saved_model.load` does "
            "not."
            if by_objects
            else ""
        )
        yield rule.finding(
            counted(len(names), "variable of the graph is", "variables of the graph are")
            + f" not restored by its restore operation: {listing(quoted(names))}.{whom}",
            route=names[0],
            severity=Severity.MEDIUM if by_objects else rule.severity,
            evidence={
                **counted_evidence(len(names), "variables"),
                "variables": [*names[:KEPT]],
            },
        )


def _without_values(rule: Rule, lite: LiteModel) -> Iterator[Finding]:
    """Variables of a TensorFlow Lite model, whose file holds their values as constants."""
    handled, names = variables_without_values(lite)
    if not handled:
        raise NotRelevant("the TensorFlow Lite model has no variables that it reads")
    if names:
        found = rule.finding(
            counted(len(names), "variable is read, and", "variables are read, and")
            + f" nothing in the file gives {'it a value' if len(names) == 1 else 'them values'}: "
            f"{listing(quoted(names))}. The interpreter raises no error and computes with what is "
            "in memory, such as NaN.",
            route=names[0],
            evidence={**counted_evidence(len(names), "variables"), "variables": [*names[:KEPT]]},
            key="without values",
            fix=_CONVERT,
        )
        yield replace(found, title="Variables are read that nothing in the file gives values")


_CONVERT = (
    "Convert the trained model again, with its values: with "
    "`tf.lite.TFLiteConverter.from_keras_model(model)`, or, if it was converted from a SavedModel "
    "of Keras 3, write that with `model.export(path)`, since `tf.saved_model.save` does not tell "
    "the converter the variables."
)


def _left_out(rule: Rule, facts: Facts) -> Iterator[Finding]:
    found = facts.artifact.extra.get("left_out")
    names = [str(name) for name in found] if isinstance(found, list) else []
    missing = {str(name) for name in restore_facts(facts, "missing")}
    names += sorted(missing & _apart(facts))
    if names:
        yield rule.finding(
            counted(len(names), "variable of the graph is", "variables of the graph are")
            + f" not in the checkpoint, since the saver leaves {'it' if len(names) == 1 else 'them'} "
            f"out: {listing(quoted(names))}. A read fails unless the program gives a value first.",
            route=names[0],
            severity=Severity.LOW,
            evidence={**counted_evidence(len(names), "variables"), "variables": [*names[:KEPT]]},
        )


def _apart(facts: Facts) -> set[str]:
    """What the saver leaves to others, or at its initial value."""
    graphs = facts.artifact.graphs
    return of_other_savers(graphs[0]) | left_initial_statistics(graphs[0]) if graphs else set()


def _asked_for(rule: Rule, facts: Facts) -> Iterator[Finding]:
    elsewhere = _apart(facts)
    names = [str(name) for name in restore_facts(facts, "missing")]
    names = [name for name in names if name not in elsewhere]
    shapes = [entry for entry in restore_facts(facts, "shapes") if isinstance(entry, dict)]
    told = [f"`{name}`: not in the index" for name in names]
    told += [
        f"`{each.get('name')}`: {each.get('expected')} expected, {each.get('stored')} stored"
        for each in shapes
    ]
    if told:
        first = names[0] if names else str(shapes[0].get("name"))
        yield rule.finding(
            f"{counted(len(told), 'variable', 'variables')} cannot be restored. {listing(told)}.",
            route=first,
            evidence={
                **counted_evidence(len(told), "variables"),
                "missing": [*names[:KEPT]],
                "shapes": [*shapes[:KEPT]],
            },
        )


def a_saved_model(**extra: Json) -> Facts:
    """An example with these facts of the reader."""
    layer = examples.layer()
    return Facts(examples.model(layer, extra=extra, kind=Format.SAVEDMODEL_TF2))


def _fingerprinted(index_hash: str) -> Facts:
    return a_saved_model(fingerprint={"checkpoint_hash": "12", "index_hash": index_hash})


def _restoring(**found: Json) -> Facts:
    nothing: dict[str, Json] = {"divergent": [], "unrestored": [], "missing": [], "shapes": []}
    return a_saved_model(restore=nothing | found)


RULES = (
    Rule(
        code="MA413",
        name="stale-fingerprint",
        family=Family.WEIGHTS,
        severity=Severity.HIGH,
        confidence=Confidence.CERTAIN,
        needs=(Need.ARTIFACT,),
        summary="The variables or the graph do not match the SavedModel's fingerprint",
        pass_title="The fingerprint matches the variables and the graph, as far as it was checked",
        why="TensorFlow writes fingerprint.pb together with the model, and no loader checks it. The "
        "files beside it were replaced or edited later: variables of another training run load "
        "without an error if their shapes fit.",
        fix="Ask whoever changed the files why, or export the model again. Always copy a SavedModel "
        "as a whole directory.",
        check=_fingerprint,
        bad=lambda: _fingerprinted("13"),
        good=lambda: _fingerprinted("12"),
    ),
    Rule(
        code="MA414",
        name="config-differs-from-graph",
        family=Family.WEIGHTS,
        severity=Severity.HIGH,
        confidence=Confidence.HIGH,
        needs=(Need.ARTIFACT,),
        summary="The graph and the Keras config of a SavedModel describe different models",
        pass_title="The graph and the Keras config agree wherever they can be compared",
        why="Such a model computes one thing in Keras 2 and another in TF-Serving, while the tests "
        "on each side pass.",
        fix="Export the model again with the code that trained it.",
        check=_config_differs,
        bad=lambda: a_saved_model(
            config_differs=[
                {"tensor": "conv/kernel", "field": "strides", "config": [1, 1], "graph": [2, 2]}
            ]
        ),
        good=lambda: a_saved_model(config_differs=[]),
    ),
    Rule(
        code="MA415",
        name="divergent-copies",
        family=Family.WEIGHTS,
        severity=Severity.HIGH,
        confidence=Confidence.CERTAIN,
        needs=(Need.ARTIFACT,),
        summary="A weight is stored twice with different values",
        pass_title="Weights that are stored twice are equal",
        why="Which of the two values a program gets depends on how it loads the model.",
        fix="Export the model again. Do not edit only one of the copies.",
        check=_divergent,
        bad=lambda: _restoring(divergent=[{"used": "a/kernel", "copy": "variables/0"}]),
        good=_restoring,
    ),
    Rule(
        code="MA416",
        name="variables-not-restored",
        family=Family.WEIGHTS,
        severity=Severity.HIGH,
        confidence=Confidence.HIGH,
        needs=(Need.ARTIFACT,),
        summary="The graph's restore operation skips some of its variables",
        pass_title="Every variable of the graph is given its values",
        why="A session that loads the model fails at the first use of such a variable, or reads "
        "its initial value. `tf.saved_model.save` of a Keras 3 model skips all of them: TF-Serving "
        "then loads the model and fails at the first request, and TensorFlow Lite models that are "
        "converted from it hold no weights.",
        fix="For a Keras 3 model, use `model.export(path)`. In TensorFlow 1, create the "
        "`tf.train.Saver` for all variables, not for a selection.",
        check=_unrestored,
        bad=lambda: _restoring(unrestored=["head/kernel"]),
        good=_restoring,
    ),
    Rule(
        code="MA417",
        name="checkpoint-lacks-variables",
        family=Family.WEIGHTS,
        severity=Severity.HIGH,
        confidence=Confidence.HIGH,
        needs=(Need.ARTIFACT,),
        summary="The checkpoint lacks variables that the model needs, or has them in another shape",
        pass_title="The checkpoint has every variable that the model needs",
        why="Strict loaders stop. With `expect_partial()` and object-based restoring, the "
        "variables silently keep their initial values.",
        fix="Use the checkpoint that was written by exactly this graph.",
        check=_asked_for,
        bad=lambda: _restoring(missing=["head/kernel"]),
        good=_restoring,
    ),
)

"""MA407, MA408, MA413 to MA418: does the restored model match the file, and can it be restored?"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from modelaudit.audit_types.json_form import jsonable
from modelaudit.audit_types.loading import Status
from modelaudit.audit_types.restore import TensorChange, TensorDifference
from modelaudit.facts import Format, Json
from modelaudit.findings import Confidence, Finding, Severity
from modelaudit.probe.protocol import runtime_name
from modelaudit.restore.layers import LayerDifference
from modelaudit.restore.model import WeightComparison
from modelaudit.restore.proof import RestoreProof
from modelaudit.rules import examples
from modelaudit.rules.grammar import counted
from modelaudit.rules.model import Facts, Family, Need, NotApplicable, NotRelevant, Rule

LISTED, KEPT = 20, 1000  # named in one finding, kept in its evidence


def listing(items: Iterable[str]) -> str:
    """Items as text, the first `LISTED` of them."""
    texts = list(items)
    rest = len(texts) - LISTED
    return "; ".join(texts[:LISTED]) + (f"; and {rest} more" if rest > 0 else "")


def _proof(facts: Facts) -> RestoreProof:
    if facts.restore is None:
        raise NotApplicable("no runtime restored variables that could be compared with the file")
    return facts.restore


def _counted(count: int, what: str) -> dict[str, Json]:
    """Evidence about things of which there should be none."""
    return {"measured": count, "unit": what, "threshold": 0}


def _restored(rule: Rule, facts: Facts) -> Iterator[Finding]:
    proof = _proof(facts)
    told = [str(each) for each in proof.differing]
    told += [f"{name}: not in the restored model" for name in proof.missing]
    if told:
        yield rule.finding(
            f"{len(told)} of {proof.compared} stored weights differ from what {proof.call} in "
            f"{runtime_name(proof.runtime)} restored. {listing(told)}.",
            route=proof.differing[0].tensor if proof.differing else proof.missing[0],
            evidence={
                **_counted(len(told), "weights"),
                "n": proof.compared,
                "runtime": proof.runtime,
                "differing": jsonable(proof.differing[:KEPT]),
                "missing": [*proof.missing[:KEPT]],
            },
        )


def _unstored(rule: Rule, facts: Facts) -> Iterator[Finding]:
    proof = _proof(facts)
    if proof.unexpected:
        yield rule.finding(
            counted(len(proof.unexpected), "variable has", "variables have")
            + f" no value in the file that {proof.call} in {runtime_name(proof.runtime)} loaded: "
            f"{listing(proof.unexpected)}.",
            route=proof.unexpected[0],
            evidence={
                **_counted(len(proof.unexpected), "variables"),
                "variables": [*proof.unexpected[:KEPT]],
            },
        )


def _layers(rule: Rule, facts: Facts) -> Iterator[Finding]:
    proof = _proof(facts)
    if not (proof.layers_compared or proof.layers):
        raise NotApplicable("the file names no Keras layers, or no layers were restored")
    if proof.layers:
        differences = counted(len(proof.layers), "difference", "differences")
        yield rule.finding(
            f"{differences} between the saved config and the model that {proof.call} restored in "
            f"{runtime_name(proof.runtime)}. {listing(map(str, proof.layers))}.",
            route=proof.layers[0].route,
            evidence={
                **_counted(len(proof.layers), "differences"),
                "n": proof.layers_compared,
                "runtime": proof.runtime,
                "layers": jsonable(proof.layers[:KEPT]),
            },
        )


def _fingerprint(rule: Rule, facts: Facts) -> Iterator[Finding]:
    said = facts.artifact.extra.get("fingerprint")
    if not isinstance(said, dict):
        raise NotRelevant("there is no fingerprint.pb (TensorFlow writes one since 2.11)")
    written, measured = said.get("checkpoint_hash"), said.get("index_hash")
    if written == "0" or not measured:
        raise NotApplicable("fingerprint.pb contains no hash of the variables to check")
    if written != measured:
        yield rule.finding(
            f"The fingerprint of variables.index is {measured}, but fingerprint.pb says {written}.",
            file="fingerprint.pb",
            route="checkpoint_hash",
            evidence={"measured": measured, "expected": written},
        )


def _config_differs(rule: Rule, facts: Facts) -> Iterator[Finding]:
    told = facts.artifact.extra.get("config_differs")
    if not isinstance(told, list):
        raise NotRelevant("only a Keras 2 SavedModel contains both a graph and a config")
    for text in told:
        yield rule.finding(
            f"{text}. Keras uses the config, TensorFlow and TF-Serving use the graph.",
            file="keras_metadata.pb",
            route=str(text).partition(":")[0].split(" ", 1)[0],
            key=str(text),
        )


def _restore_facts(facts: Facts, key: str) -> list[Json]:
    """What the reader reported about restoring, by its key in `extra["restore"]`."""
    restore = facts.artifact.extra.get("restore")
    if not isinstance(restore, dict):
        raise NotRelevant("only checkpoints and SavedModels are restored by name")
    found = restore.get(key)
    return found if isinstance(found, list) else []


def _divergent(rule: Rule, facts: Facts) -> Iterator[Finding]:
    for pair in _restore_facts(facts, "divergent"):
        if isinstance(pair, dict):
            used, copy = str(pair.get("used")), str(pair.get("copy"))
            yield rule.finding(
                f"{used} and its copy {copy} have different values.",
                route=used,
                evidence={"used": used, "copy": copy},
            )


def _unrestored(rule: Rule, facts: Facts) -> Iterator[Finding]:
    names = [str(name) for name in _restore_facts(facts, "unrestored")]
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
            + f" not restored by its restore operation: {listing(names)}.{whom}",
            route=names[0],
            severity=Severity.MEDIUM if by_objects else rule.severity,
            evidence={
                **_counted(len(names), "variables"),
                "variables": [*names[:KEPT]],
            },
        )


def _asked_for(rule: Rule, facts: Facts) -> Iterator[Finding]:
    names = [str(name) for name in _restore_facts(facts, "missing")]
    shapes = [entry for entry in _restore_facts(facts, "shapes") if isinstance(entry, dict)]
    told = [f"{name}: not in the index" for name in names]
    told += [
        f"{each.get('name')}: {each.get('expected')} expected, {each.get('stored')} stored"
        for each in shapes
    ]
    if told:
        first = names[0] if names else str(shapes[0].get("name"))
        yield rule.finding(
            f"{counted(len(told), 'variable', 'variables')} cannot be restored. {listing(told)}.",
            route=first,
            evidence={
                **_counted(len(told), "variables"),
                "missing": [*names[:KEPT]],
                "shapes": [*shapes[:KEPT]],
            },
        )


def _with_proof(*differences: TensorDifference, unexpected: tuple[str, ...] = ()) -> Facts:
    found = WeightComparison(2, 2 - len(differences), differences, (), unexpected)
    proof = RestoreProof("here", "load_model", comparison=found)
    return replace(examples.observed(Status.LOADED)(), restore=proof)


def _with_layers(*layers: LayerDifference) -> Facts:
    facts = _with_proof()
    assert facts.restore is not None
    return replace(facts, restore=replace(facts.restore, layers=layers, layers_compared=3))


def _saved_model(**extra: Json) -> Facts:
    layer = examples.layer()
    return Facts(examples.model(layer, extra=extra, kind=Format.SAVEDMODEL_TF2))


def _fingerprinted(index_hash: str) -> Facts:
    return _saved_model(fingerprint={"checkpoint_hash": "12", "index_hash": index_hash})


def _restoring(**found: Json) -> Facts:
    nothing: dict[str, Json] = {"divergent": [], "unrestored": [], "missing": [], "shapes": []}
    return _saved_model(restore=nothing | found)


LOADED = (Need.TENSORS, Need.OBSERVATION)

RULES = (
    Rule(
        code="MA407",
        name="restored-weights-differ",
        family=Family.WEIGHTS,
        severity=Severity.HIGH,
        confidence=Confidence.CERTAIN,
        needs=LOADED,
        summary="The restored model does not have the weights in the file",
        pass_title="The restored model has every stored weight, byte for byte",
        why="The model loaded without an error, but it is not the model that was saved. Every "
        "stored tensor was compared with its variable.",
        fix="Load the model with the version that saved it and compare again. Check for custom "
        "layers that change their weights when they are built, and for loading by name.",
        check=_restored,
        bad=lambda: _with_proof(TensorDifference("a", "a", TensorChange.SWAPPED, other="b")),
        good=_with_proof,
    ),
    Rule(
        code="MA408",
        name="variables-without-values",
        family=Family.WEIGHTS,
        severity=Severity.HIGH,
        confidence=Confidence.HIGH,
        needs=LOADED,
        summary="The restored model has variables without a value in the file",
        pass_title="Every variable of the restored model got its value from the file",
        why="Such variables keep their initial random values, which differ in every session: part "
        "of each output is random, and no error is raised.",
        fix="Find the listed layers in the training code. They were not tracked when the model was "
        "saved (for example layers in a plain list or dict, or a variable without an owner).",
        check=_unstored,
        bad=lambda: _with_proof(unexpected=("head/kernel",)),
        good=_with_proof,
    ),
    Rule(
        code="MA413",
        name="stale-fingerprint",
        family=Family.WEIGHTS,
        severity=Severity.MEDIUM,
        confidence=Confidence.CERTAIN,
        needs=(Need.ARTIFACT,),
        summary="The variables do not match the SavedModel's fingerprint",
        pass_title="The fingerprint matches the variables",
        why="fingerprint.pb is written together with the model, and no loader checks it. Either it "
        "or variables/ was replaced later, by another training run or by an edit.",
        fix="Ask whoever changed the variables why, or export the model again. Always copy a "
        "SavedModel as a whole directory.",
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
        bad=lambda: _saved_model(config_differs=["conv: strides [1, 1] and [2, 2]"]),
        good=lambda: _saved_model(config_differs=[]),
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
        pass_title="The graph's restore operation covers every variable",
        why="A session that loads the model fails at the first use of such a variable, or reads "
        "its initial value. `tf.saved_model.save` of a Keras 3 model skips all of them: TF-Serving "
        "then loads the model and fails at the first request.",
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
    Rule(
        code="MA418",
        name="restored-architecture-differs",
        family=Family.WEIGHTS,
        severity=Severity.HIGH,
        confidence=Confidence.HIGH,
        needs=LOADED,
        summary="The layers of the restored model differ from the saved layers",
        pass_title="Every layer was restored as it was saved",
        why="The model loaded without an error, but a layer is missing, has another class, or has "
        "a setting that differs from the file. Compared are classes, output shapes, and the "
        "settings that affect what the model computes.",
        fix="Load the model with the version that saved it. For custom classes, check that "
        "`from_config` restores what `get_config` returned.",
        check=_layers,
        bad=lambda: _with_layers(LayerDifference("conv", "strides is [1, 1], saved as [2, 2]")),
        good=_with_layers,
    ),
)

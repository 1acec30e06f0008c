"""MA407, MA408, MA413 to MA418: does the restored model hold what the file does, and can it?"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace

from modelaudit.facts import Format, Json
from modelaudit.findings import Confidence, Finding, Severity
from modelaudit.probe.protocol import Status, runtime_name
from modelaudit.restore.layers import LayerDifference
from modelaudit.restore.model import Change, Comparison, Difference
from modelaudit.restore.proof import RestoreProof
from modelaudit.rules import examples
from modelaudit.rules.grammar import counted
from modelaudit.rules.model import DoesNotArise, Facts, Family, Need, NotApplicable, Rule
from modelaudit.schema import jsonable

LISTED = 20  # spelled out in one finding
KEPT = 1000  # in its evidence


def listing(items: Iterable[str]) -> str:
    """Items as text, the first `LISTED` of them."""
    texts = list(items)
    rest = len(texts) - LISTED
    return "; ".join(texts[:LISTED]) + (f"; and {rest} more" if rest > 0 else "")


def _proof(facts: Facts) -> RestoreProof:
    if facts.restore is None:
        raise NotApplicable("no runtime restored variables to compare with the file")
    return facts.restore


def _counted(count: int, what: str) -> dict[str, Json]:
    """Evidence of things of which there should be none."""
    return {"measured": count, "unit": what, "threshold": 0}


def _restored(rule: Rule, facts: Facts) -> Iterator[Finding]:
    proof = _proof(facts)
    told = [str(each) for each in proof.differing]
    told += [f"{name}: not in the restored model" for name in proof.missing]
    if told:
        yield rule.finding(
            f"{len(told)} of {proof.compared} stored weights are not what {proof.call} in "
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
            f"{len(proof.unexpected)} variables of the model that {proof.call} restored in "
            f"{runtime_name(proof.runtime)} have no value in the file: {listing(proof.unexpected)}.",
            route=proof.unexpected[0],
            evidence={
                **_counted(len(proof.unexpected), "variables"),
                "variables": [*proof.unexpected[:KEPT]],
            },
        )


def _layers(rule: Rule, facts: Facts) -> Iterator[Finding]:
    proof = _proof(facts)
    if not (proof.layers_compared or proof.layers):
        raise NotApplicable("the file names no layers of Keras, or no layers were restored")
    if proof.layers:
        differences = counted(len(proof.layers), "difference", "differences")
        yield rule.finding(
            f"{differences} to the saved config in the model that {proof.call} restored in "
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
        raise DoesNotArise("there is no fingerprint.pb (TensorFlow writes one since 2.11)")
    written, measured = said.get("checkpoint_hash"), said.get("index_hash")
    if written == "0" or not measured:
        raise NotApplicable("fingerprint.pb has no hash of the variables that could be checked")
    if written != measured:
        yield rule.finding(
            f"variables.index has the fingerprint {measured}, fingerprint.pb says {written}.",
            file="fingerprint.pb",
            route="checkpoint_hash",
            evidence={"measured": measured, "expected": written},
        )


def _config_differs(rule: Rule, facts: Facts) -> Iterator[Finding]:
    told = facts.artifact.extra.get("config_differs")
    if not isinstance(told, list):
        raise DoesNotArise("only a SavedModel of Keras 2 holds both a graph and a config")
    for text in told:
        yield rule.finding(
            f"{text}. Keras follows the config, TensorFlow and TF-Serving follow the graph.",
            file="keras_metadata.pb",
            route=str(text).partition(":")[0].split(" ", 1)[0],
            key=str(text),
        )


def _restore_facts(facts: Facts, key: str) -> list[Json]:
    """What the reader found out about restoring, by its key in `extra["restore"]`."""
    restore = facts.artifact.extra.get("restore")
    if not isinstance(restore, dict):
        raise DoesNotArise("only checkpoints and SavedModels are restored by name")
    found = restore.get(key)
    return found if isinstance(found, list) else []


def _divergent(rule: Rule, facts: Facts) -> Iterator[Finding]:
    for pair in _restore_facts(facts, "divergent"):
        if isinstance(pair, dict):
            used, copy = str(pair.get("used")), str(pair.get("copy"))
            yield rule.finding(
                f"{used} and its copy {copy} hold different values.",
                route=used,
                evidence={"used": used, "copy": copy},
            )


def _unrestored(rule: Rule, facts: Facts) -> Iterator[Finding]:
    names = [str(name) for name in _restore_facts(facts, "unrestored")]
    if names:
        by_objects = facts.artifact.format is Format.SAVEDMODEL_TF2
        whom = (
            " TF-Serving and TensorFlow 1 sessions restore by it; `tf.saved_model.load` does not."
            if by_objects
            else ""
        )
        yield rule.finding(
            counted(len(names), "variable of the graph is", "variables of the graph are")
            + f" given no value by its restore operation: {listing(names)}.{whom}",
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
        f"{each.get('name')}: {each.get('expected')} wanted, {each.get('stored')} stored"
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


def _with_proof(*differences: Difference, unexpected: tuple[str, ...] = ()) -> Facts:
    found = Comparison(2, 2 - len(differences), differences, (), unexpected)
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
    said: Mapping[str, Json] = {"checkpoint_hash": "12", "index_hash": index_hash}
    return _saved_model(fingerprint=dict(said))


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
        summary="The restored model does not hold the weights of the file",
        pass_title="The restored model holds every stored weight, byte for byte",
        why="The model was loaded without an error and is another one than was saved. Every stored "
        "tensor was compared with the variable that it belongs to.",
        fix="Load with the version that saved the model and compare again; check for custom layers "
        "that change their weights when they are built, and for loads by name.",
        check=_restored,
        bad=lambda: _with_proof(Difference("a/kernel", "a/kernel", Change.SWAPPED, other="b")),
        good=_with_proof,
    ),
    Rule(
        code="MA408",
        name="variables-without-values",
        family=Family.WEIGHTS,
        severity=Severity.HIGH,
        confidence=Confidence.HIGH,
        needs=LOADED,
        summary="The restored model has variables that the file gives no value",
        pass_title="Every variable of the restored model has its value from the file",
        why="Such variables keep the values that an initialiser drew, other ones in every session: "
        "the model answers at random to some part, without an error.",
        fix="Find the layers named here in the training code: they were not tracked when the model "
        "was saved (a layer in a plain list or dict, a variable that nobody owns).",
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
        summary="The variables are not those that the SavedModel was fingerprinted with",
        pass_title="The fingerprint fits the variables",
        why="fingerprint.pb was written together with the model and no loader checks it. Either it "
        "or variables/ was put in later: from another run, or from an edit.",
        fix="Ask whoever changed the variables why, or export the model again. Copy SavedModels as "
        "whole directories.",
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
        summary="Graph and Keras config of one SavedModel describe different models",
        pass_title="Graph and Keras config agree wherever they can be compared",
        why="Such a model computes one thing under Keras 2 and another under TF-Serving, and each "
        "test passes on its side.",
        fix="Export the model again from the code that trained it.",
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
        why="Which of the two a program gets depends on how it loads the model.",
        fix="Export the model again; do not edit one of the copies.",
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
        summary="The graph's restore operation leaves out some of its variables",
        pass_title="The graph's restore operation covers every variable",
        why="A session that loads the model stops at the first use of such a variable, or reads "
        "whatever an initialiser put there. `tf.saved_model.save` of a Keras 3 model leaves out all "
        "of them: TF-Serving then loads the model and fails at the first request.",
        fix="Of a Keras 3 model: `model.export(path)`. In TensorFlow 1: a `tf.train.Saver` over all "
        "variables, not over a chosen list.",
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
        summary="The model asks for variables that its checkpoint does not have in that form",
        pass_title="The checkpoint has every variable that the model asks for",
        why="Strict loaders stop; `expect_partial()` and object-based restores go on with what the "
        "initialiser drew.",
        fix="Use the checkpoint that was written by this very graph.",
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
        summary="The restored model has other layers than were saved",
        pass_title="Every layer came back as it was saved",
        why="The model was loaded without an error, and a layer is missing, of another class, or "
        "has another setting than the file says. Compared are classes, output shapes, and the "
        "settings that change what a model computes.",
        fix="Load it with the version that saved it. Of custom classes look at `from_config`: it must "
        "give back what `get_config` said.",
        check=_layers,
        bad=lambda: _with_layers(LayerDifference("conv", "strides is [1, 1], saved as [2, 2]")),
        good=_with_layers,
    ),
)

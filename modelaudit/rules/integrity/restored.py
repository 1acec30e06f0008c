"""MA407, MA408, MA418: does the restored model match the file?"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from modelaudit.audit_types.json_form import jsonable
from modelaudit.audit_types.loading import Status
from modelaudit.audit_types.restore import TensorChange, TensorDifference
from modelaudit.facts import Json
from modelaudit.findings import Confidence, Finding, Severity
from modelaudit.probe.protocol import runtime_name
from modelaudit.restore.layers import LayerDifference
from modelaudit.restore.model import WeightComparison
from modelaudit.restore.proof import RestoreProof
from modelaudit.rules import examples
from modelaudit.rules.grammar import counted, quoted_name
from modelaudit.rules.model import Facts, Family, Need, NotApplicable, Rule
from modelaudit.structs import replace
from modelaudit.terminal_text import first_of

LISTED, KEPT = 20, 1000  # named in one finding, kept in its evidence


def listing(items: Iterable[str]) -> str:
    """Items as text, the first `LISTED` of them."""
    return first_of([*items], LISTED, "; ")


def _proof(facts: Facts) -> RestoreProof:
    if facts.restore is None:
        raise NotApplicable("no runtime restored variables that could be compared with the file")
    return facts.restore


def counted_evidence(count: int, what: str) -> dict[str, Json]:
    """Evidence about things of which there should be none."""
    return {"measured": count, "unit": what, "threshold": 0}


def _restored(rule: Rule, facts: Facts) -> Iterator[Finding]:
    proof = _proof(facts)
    told = [str(each) for each in proof.differing]
    told += [f"{name}: not in the restored model" for name in proof.missing]
    if told:
        yield rule.finding(
            f"{len(told)} of {proof.compared} stored weights differ from what {proof.call} in "
            f"{runtime_name(proof.runtime)} restored. {listing(map(quoted_name, told))}.",
            route=proof.differing[0].tensor if proof.differing else proof.missing[0],
            evidence={
                **counted_evidence(len(told), "weights"),
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
                **counted_evidence(len(proof.unexpected), "variables"),
                "variables": [*proof.unexpected[:KEPT]],
            },
        )


def _layers(rule: Rule, facts: Facts) -> Iterator[Finding]:
    proof = _proof(facts)
    if not (proof.layers_compared or proof.layers):
        raise NotApplicable("the file names no Keras layers, or no layers were restored")
    if proof.layers:
        differences = counted(len(proof.layers), "difference", "differences")
        sure = any(each.certain for each in proof.layers)
        yield rule.finding(
            f"{differences} between the saved config and the model that {proof.call} restored in "
            f"{runtime_name(proof.runtime)}. {listing(map(str, proof.layers))}."
            + ("" if sure else " If these sizes were inferred wrongly, nothing differs."),
            route=proof.layers[0].route,
            severity=None if sure else Severity.LOW,
            evidence={
                **counted_evidence(len(proof.layers), "differences"),
                "n": proof.layers_compared,
                "runtime": proof.runtime,
                "layers": jsonable(proof.layers[:KEPT]),
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

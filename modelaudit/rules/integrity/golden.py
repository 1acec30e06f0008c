"""MA409 to MA412: does the model still match its golden record?"""

from __future__ import annotations

from collections.abc import Iterator

from modelaudit.audit_types.json_form import jsonable
from modelaudit.audit_types.loading import Status
from modelaudit.audit_types.restore import TensorChange, TensorDifference
from modelaudit.findings import Confidence, Finding, Severity
from modelaudit.restore.golden_check import GoldenCheck, OutputReplay
from modelaudit.restore.model import WeightComparison
from modelaudit.rules import examples
from modelaudit.rules.grammar import counted, quoted_name
from modelaudit.rules.integrity.restored import KEPT, listing
from modelaudit.rules.model import Facts, Family, Limit, Need, NotApplicable, Rule
from modelaudit.structs import replace


def _golden(facts: Facts) -> GoldenCheck:
    if facts.golden is None:
        raise NotApplicable(
            "there is no golden record (weights and outputs recorded at saving time) next to the "
            "model; `modelaudit record` creates one where the model was trained"
        )
    return facts.golden


def _usable(facts: Facts) -> GoldenCheck:
    golden = _golden(facts)
    if golden.problem:
        raise NotApplicable(f"the golden record cannot be used: {golden.problem}")
    return golden


def _golden_outputs(rule: Rule, facts: Facts) -> Iterator[Finding]:
    golden = _usable(facts)
    if golden.not_replayed:
        raise NotApplicable(f"the golden record was not replayed: {golden.not_replayed}")
    allows = "rounding accounts for" if rule.chosen(facts) is None else "the settings allow"
    for output in golden.outputs:
        if not output.reproduced:
            yield rule.finding(
                f"Output `{output.name}` differs by up to {output.difference:.3g} from the output "
                f"recorded at saving time ({output.relative:.2%} of its largest value); {allows} "
                f"{output.tolerance:.2g}.",
                file=golden.file,
                route=f"outputs/{output.name}",
                evidence={
                    "measured": output.difference,
                    "unit": "as largest difference",
                    "threshold": output.tolerance,
                },
            )


def _golden_weights(rule: Rule, facts: Facts) -> Iterator[Finding]:
    golden = _usable(facts)
    found = golden.weights
    if found is None:
        raise NotApplicable("the record and the file have no weights to compare")
    told = [str(each) for each in found.differing]
    told += [f"{name}: not in the file" for name in found.missing]
    told += [f"{name}: not in the record" for name in found.unexpected]
    if told:
        yield rule.finding(
            counted(len(told), "weight does not match", "weights do not match")
            + f" the recorded model: {listing(map(quoted_name, told))}.",
            file=golden.file,
            route=next(each.partition(": ")[0] for each in told),
            evidence={
                "measured": len(told),
                "unit": "weights",
                "threshold": 0,
                "n": found.compared,
                "differing": jsonable(found.differing[:KEPT]),
                "missing": [*found.missing[:KEPT]],
                "unexpected": [*found.unexpected[:KEPT]],
            },
        )


def _golden_invalid(rule: Rule, facts: Facts) -> Iterator[Finding]:
    golden = _golden(facts)
    if golden.problem:
        yield rule.finding(
            f"`{golden.file}`: {golden.problem}.",
            file=golden.file,
            evidence={"kind": golden.kind},
        )


def _golden_files(rule: Rule, facts: Facts) -> Iterator[Finding]:
    golden = _usable(facts)
    if golden.same_files is None:
        raise NotApplicable("the record does not say which files it was made from")
    if not golden.same_files:
        same = golden.weights is not None and golden.weights.equal
        yield rule.finding(
            "The model's files are not the recorded ones"
            + ("; all weights are unchanged." if same else "."),
            file=golden.file,
            evidence={"weights_equal": same},
            severity=Severity.LOW if same else rule.severity,
        )


def _recorded(
    *differences: TensorDifference, gap: float = 0.0, problem: str = "", same_files: bool = True
) -> Facts:
    golden = GoldenCheck(
        file="example.keras.golden.json",
        problem=problem,
        same_files=same_files,
        weights=WeightComparison(2, 2 - len(differences), differences),
        outputs=(OutputReplay("scores", gap, 1e-5, gap),),
        not_replayed="",
    )
    return replace(examples.observed(Status.LOADED)(), golden=golden)


RULES = (
    Rule(
        code="MA409",
        name="golden-files-changed",
        family=Family.WEIGHTS,
        severity=Severity.MEDIUM,
        confidence=Confidence.CERTAIN,
        needs=(Need.ARTIFACT,),
        summary="The model's files changed after its golden record was made",
        pass_title="The model's files match its golden record",
        why="The model was saved, converted or edited and not recorded again. If weights or "
        "outputs changed, other findings show how.",
        fix="Find out who changed the model and why. If the change was intended, check that its "
        "outputs are correct, then record it again where it was changed (`modelaudit record`).",
        check=_golden_files,
        bad=lambda: _recorded(same_files=False),
        good=_recorded,
    ),
    Rule(
        code="MA410",
        name="golden-outputs-differ",
        family=Family.WEIGHTS,
        severity=Severity.HIGH,
        confidence=Confidence.CERTAIN,
        needs=(Need.OBSERVATION,),
        summary="The restored model does not compute the outputs recorded at saving time",
        pass_title="The restored model computes the outputs recorded at saving time",
        why="The same inputs were used when the model was saved. Whatever the cause, the loaded "
        "model is not the one that was tested.",
        fix="Compare the recorded weights first (MA411). If they are equal, the architecture was "
        "changed, or this version computes a layer differently: load the model with the versions "
        "in the record.",
        check=_golden_outputs,
        limit=Limit(
            None,
            0.0,
            1.0,
            "as share of the largest recorded value (unless set, what rounding accounts for)",
        ),
        bad=lambda: _recorded(gap=0.5),
        good=_recorded,
    ),
    Rule(
        code="MA411",
        name="golden-weights-differ",
        family=Family.WEIGHTS,
        severity=Severity.HIGH,
        confidence=Confidence.CERTAIN,
        needs=(Need.TENSORS,),
        summary="The file's weights are not the weights recorded at saving time",
        pass_title="Every recorded weight is in the file, byte for byte",
        why="If layers are dropped, swapped, reinitialised or taken from another epoch, the file "
        "still loads without an error. The record contains the digest of each weight.",
        fix="Restore the listed weights from the training run that wrote the record.",
        check=_golden_weights,
        bad=lambda: _recorded(TensorDifference("a/kernel", "a/kernel", TensorChange.VALUES)),
        good=_recorded,
    ),
    Rule(
        code="MA412",
        name="golden-record-unusable",
        family=Family.WEIGHTS,
        severity=Severity.MEDIUM,
        confidence=Confidence.CERTAIN,
        needs=(Need.ARTIFACT,),
        summary="The golden record next to the model cannot be used",
        pass_title="The golden record is complete and unmodified",
        why="A record that was edited or damaged proves nothing, and what it would have shown "
        "stays hidden.",
        fix="Get the record from where the model was saved, or create a new one from a model that "
        "you trust.",
        check=_golden_invalid,
        bad=lambda: _recorded(problem="its content does not match its own digest"),
        good=_recorded,
    ),
)

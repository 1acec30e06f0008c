"""Differences of two audits, breaking or not; none if nothing changed."""

from __future__ import annotations

import pytest

from modelaudit import schema
from modelaudit.audit_types.behaviour import (
    BehaviourSection,
    Collapse,
    OutputBehaviour,
    TransformEffect,
)
from modelaudit.audit_types.loading import CompatibilityRow, LoadOutcome
from modelaudit.audit_types.probe_data import ProbeInputs
from modelaudit.changes.audit_change import ChangedSection, FindingChange, FindingChangeKind
from modelaudit.changes.audits import compare_audits
from modelaudit.facts import Endpoint, Format, Signature
from modelaudit.findings import Severity
from modelaudit.pipeline import finish_audit
from modelaudit.report.wording.audit_changes import describe
from modelaudit.rules import examples
from modelaudit.rules.model import Facts
from modelaudit.schema import Audit
from modelaudit.settings.audit_target import AuditTarget
from modelaudit.structs import replace

TARGET = AuditTarget(examples.ROOT, examples.ROOT.parent, "example.keras", "example.keras")


def audited(facts: Facts) -> Audit:
    """The audit as read back from its file."""
    return schema.loads(schema.dumps(finish_audit(facts, TARGET, "2026-01-02T03:04:05Z", {})))


def served(**shapes: tuple[int | None, ...] | str) -> Audit:
    """A SavedModel whose signature has input `x` and output `y`, or as told."""
    ends = {"x": (None, 8), "y": (None, 3)} | {k: v for k, v in shapes.items() if len(k) == 1}
    ports = {
        name: Endpoint(name, f"{name}:0", "float32", shape)
        for name, shape in ends.items()
        if shape != "none"
    }
    inputs = tuple(port for name, port in ports.items() if name in "xab")
    outputs = tuple(port for name, port in ports.items() if name not in "xab")
    signature = Signature("serving_default", "predict", inputs, outputs)
    artifact = examples.model(examples.layer(), kind=Format.SAVEDMODEL_TF2)
    return audited(Facts(replace(artifact, architecture=None, signatures=(signature,))))


@pytest.mark.parametrize(
    ("change", "breaking"),
    [
        ({"x": (None, 9)}, True),
        ({"x": (None, None)}, False),
        ({"x": (1, 8)}, True),
        ({"y": (None, 4)}, True),
        ({"y": (5, 3)}, False),
        ({"y": (None, None)}, True),
        ({"y": "none", "z": (None, 3)}, True),
        ({"z": (None, 3)}, False),
        ({"a": (None, 3)}, True),
    ],
)
def test_changed_signatures_are_breaking(change: dict, breaking: bool) -> None:
    found = [
        each for each in compare_audits(served(), served(**change)) if each.section == "signature"
    ]
    assert found
    assert any(each.breaking for each in found) is breaking
    assert compare_audits(served(), served()) == ()


def keras(*names: str) -> Audit:
    """A model whose only inputs are layers of these names."""
    inputs = [examples.layer(name, "InputLayer", variables={}) for name in names]
    layers = [replace(each, output_shape=(None, 8)) for each in inputs]
    return audited(Facts(examples.model(*layers)))


@pytest.mark.parametrize(
    ("old", "new", "breaking"),
    [
        (["input_layer"], ["input_layer_3"], False),
        (["keras_tensor_1"], ["keras_tensor_12"], False),
        (["image"], ["picture"], True),
        (["image"], ["input_layer"], True),
    ],
)
def test_names_that_keras_counts_are_not_breaking(old, new, breaking) -> None:
    found = compare_audits(keras(*old), keras(*new))
    assert any(each.breaking for each in found) is breaking


def test_layers_are_matched_by_route() -> None:
    one, two = examples.layer("a"), examples.layer("b")
    other = examples.layer("b", config={"units": 3})
    old, new = audited(Facts(examples.model(one, two))), audited(Facts(examples.model(one, other)))
    assert [*map(describe, compare_audits(old, new))] == ["b (Dense): changed settings"]
    lost = audited(Facts(examples.model(one)))
    told = [describe(c) for c in compare_audits(old, lost) if c.section == "architecture"]
    assert "b (Dense): removed" in told
    back = [describe(c) for c in compare_audits(lost, old) if c.section == "architecture"]
    assert "b (Dense): added" in back


def test_two_saves_of_one_model_have_one_config_digest() -> None:
    configs = ({"dtype": {"config": {}, "shared_object_id": n}} for n in (1, 2))
    old, new = (audited(Facts(examples.model(examples.layer(config=c)))) for c in configs)
    assert compare_audits(old, new) == ()


def test_new_and_resolved_findings_are_listed() -> None:
    def kinds(old: Audit, new: Audit) -> list[FindingChangeKind]:
        found = compare_audits(old, new)
        return [each.kind for each in found if isinstance(each, FindingChange)]

    healthy = audited(examples.healthy())
    sick = audited(Facts(examples.model(examples.layer(variables={"kernel": "dense/kernel"}))))
    assert kinds(healthy, sick) == [FindingChangeKind.NEW]
    assert kinds(sick, healthy) == [FindingChangeKind.FIXED]


def test_behaviour_is_compared_where_both_had_the_same_inputs() -> None:
    def seen(right: float, agreement: float, n: int = 8) -> Audit:
        effect = TransformEffect("AT", n, agreement)
        output = OutputBehaviour(
            "y", "softmax", (None, 3), Collapse(collapsed=False), (effect,), accuracy={"e": right}
        )
        inputs = ProbeInputs("user", n, (4, 4, 1), (0.0, 1.0))
        behaviour = BehaviourSection(runtime="here", inputs=inputs, outputs=(output,))
        return replace(audited(examples.healthy()), behaviour=behaviour)

    assert [*map(describe, compare_audits(seen(1.0, 0.5), seen(0.25, 1.0)))] == [
        "y: accuracy, as given: 100.0% became 25.0%",
        "y: agreement, transposed (anti-diagonal): 50.0% became 100.0%",
    ]
    assert compare_audits(seen(1.0, 0.5), seen(0.25, 1.0, n=9)) == ()
    assert compare_audits(seen(1.0, 0.5), seen(0.996, 0.5)) == ()  # less than is shown


def test_weights_are_compared_by_the_digests_of_the_audits() -> None:
    def of(**digests: str) -> Audit:
        tensors = tuple(
            replace(examples.tensor(f"dense/{name}"), sha256=digest * 64)
            for name, digest in digests.items()
        )
        return audited(Facts(examples.model(examples.layer(), tensors=tensors)))

    def told(old: Audit, new: Audit) -> list[str]:
        found = compare_audits(old, new)
        return [describe(each) for each in found if each.section is ChangedSection.WEIGHTS]

    assert compare_audits(of(kernel="a", bias="b"), of(kernel="a", bias="b")) == ()
    assert told(of(kernel="a", bias="b"), of(kernel="b", bias="a")) == [
        "dense/kernel: swapped with dense/bias",
        "dense/bias: swapped with dense/kernel",
    ]
    assert told(of(kernel="a"), of(kernel="a", bias="b")) == ["dense/bias: added"]
    assert told(of(kernel="a", bias="b"), of(kernel="a")) == ["dense/bias: removed"]


def test_predictions_are_compared_for_the_runtimes_of_both_audits() -> None:
    def predicted(**outcomes: LoadOutcome) -> Audit:
        rows = tuple(
            CompatibilityRow(
                runtime=name, call="load_model", predicted=outcome, because=(), observed=None
            )
            for name, outcome in outcomes.items()
        )
        return replace(audited(examples.healthy()), compatibility=rows)

    old = predicted(a=LoadOutcome.LOADS, b=LoadOutcome.LOADS, c=LoadOutcome.LOADS)
    new = predicted(a=LoadOutcome.FAILS, b=LoadOutcome.LOADS, d=LoadOutcome.FAILS)
    assert [*map(describe, compare_audits(old, new))] == ["a, load_model: loads became fails"]


def test_the_waiver_and_the_severity_of_a_finding_are_changes() -> None:
    sick = audited(Facts(examples.model(examples.layer(variables={"kernel": "dense/kernel"}))))
    finding = sick.findings[0]

    def judged(**change: object) -> Audit:
        results = (
            replace(each, findings=(replace(finding, **change),))
            if finding in each.findings
            else each
            for each in sick.results
        )
        return replace(sick, results=tuple(results))

    def told(old: Audit, new: Audit) -> list[str]:
        return [*map(describe, compare_audits(old, new))]

    name = f"{finding.code} {finding.name}"
    at = f" at {finding.location.route}" if finding.location.route else ""
    waived, low = judged(waived_by="known"), judged(severity=Severity.LOW)
    assert told(sick, waived) == [f"now waived: {name}{at}"]
    assert told(waived, sick) == [f"no longer waived: {name}{at}"]
    assert told(low, sick) == [f"{name}: low -> {finding.severity}"]

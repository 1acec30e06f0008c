"""What `diff` says of two audits: breaking or not, and nothing where nothing changed."""

from __future__ import annotations

from dataclasses import replace

import pytest

from modelaudit import schema
from modelaudit.audit_types.behaviour import (
    BehaviourSection,
    Collapse,
    OutputBehaviour,
    ProbeInputs,
    TransformEffect,
)
from modelaudit.facts import Endpoint, Format, Signature
from modelaudit.pipeline import AuditTarget, finish_audit
from modelaudit.restore.audit_diff import audit_changes, compare_audited, weight_changes
from modelaudit.rules import examples
from modelaudit.rules.model import Facts
from modelaudit.schema import Audit

TARGET = AuditTarget(examples.ROOT, examples.ROOT.parent, "example.keras", "example.keras")


def audited(facts: Facts) -> Audit:
    """The audit as it comes back from its file."""
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
def test_signatures_break_who_relied_on_them(change: dict, breaking: bool) -> None:
    found = [
        each for each in audit_changes(served(), served(**change)) if each.section == "signature"
    ]
    assert found
    assert any(each.breaking for each in found) is breaking
    assert audit_changes(served(), served()) == []


def test_layers_are_followed_by_route() -> None:
    one, two = examples.layer("a"), examples.layer("b")
    other = examples.layer("b", config={"units": 3})
    old, new = audited(Facts(examples.model(one, two))), audited(Facts(examples.model(one, other)))
    assert [each.what for each in audit_changes(old, new)] == ["b (Dense): changed settings"]
    lost = audited(Facts(examples.model(one)))
    told = [c.what for c in audit_changes(old, lost) if c.section == "architecture"]
    assert "b (Dense): removed" in told
    back = [c.what for c in audit_changes(lost, old) if c.section == "architecture"]
    assert "b (Dense): added" in back


def test_two_saves_of_one_model_have_one_config_digest() -> None:
    configs = ({"dtype": {"config": {}, "shared_object_id": n}} for n in (1, 2))
    old, new = (audited(Facts(examples.model(examples.layer(config=c)))) for c in configs)
    assert audit_changes(old, new) == []


def test_findings_come_and_go() -> None:
    def kinds(old: Audit, new: Audit) -> list[str]:
        return [c.what.split(" ")[0] for c in audit_changes(old, new) if c.section == "findings"]

    healthy = audited(examples.healthy())
    sick = audited(Facts(examples.model(examples.layer(variables={"kernel": "dense/kernel"}))))
    assert kinds(healthy, sick) == ["new:"]
    assert kinds(sick, healthy) == ["gone:"]


def test_behaviour_is_told_in_the_words_that_are_given() -> None:
    def seen(right: float, agreement: float, n: int = 8) -> Audit:
        effect = TransformEffect("AT", n, agreement)
        output = OutputBehaviour(
            "y", "softmax", (None, 3), Collapse(collapsed=False), (effect,), accuracy={"e": right}
        )
        inputs = ProbeInputs("user", n, (4, 4, 1), (0.0, 1.0))
        behaviour = BehaviourSection(runtime="here", inputs=inputs, outputs=(output,))
        return replace(audited(examples.healthy()), behaviour=behaviour)

    words = {"e": "as given", "AT": "turned over"}
    assert [c.what for c in audit_changes(seen(1.0, 0.5), seen(0.25, 1.0), words.__getitem__)] == [
        "y: accuracy, as given: 100.0% became 25.0%",
        "y: agreement, turned over: 50.0% became 100.0%",
    ]
    assert audit_changes(seen(1.0, 0.5), seen(0.25, 1.0, n=9), words.__getitem__) == []


def test_weights_are_compared_by_the_digests_of_the_audits() -> None:
    def of(**digests: str) -> Audit:
        tensors = tuple(
            replace(examples.tensor(f"dense/{name}"), sha256=digest * 64)
            for name, digest in digests.items()
        )
        return audited(Facts(examples.model(examples.layer(), tensors=tensors)))

    same = compare_audited(of(kernel="a", bias="b"), of(kernel="a", bias="b"))
    assert same.equal
    assert weight_changes(same) == []
    swapped = compare_audited(of(kernel="a", bias="b"), of(kernel="b", bias="a"))
    assert [c.what for c in weight_changes(swapped)] == [
        "dense/kernel: swapped with dense/bias",
        "dense/bias: swapped with dense/kernel",
    ]
    grown = compare_audited(of(kernel="a"), of(kernel="a", bias="b"))
    assert [c.what for c in weight_changes(grown)] == ["dense/bias: added"]

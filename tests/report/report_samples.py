"""The audits shared by the report tests, including a hostile one."""

from __future__ import annotations

from sample_audits import CREATED, TOOL, audit, failing, finding, healthy, model, results
from sample_foreign import foreign
from sample_parts import SHA, architecture, behaviour, symmetry, weights
from sample_rules import RULES

from modelaudit.findings import Location, Verdict
from modelaudit.report.pages.index import IndexRow
from modelaudit.result_row import result_row
from modelaudit.runs.run_index import index_entry
from modelaudit.schema import Audit


def unreadable() -> Audit:
    return audit(
        tool=TOOL,
        created=CREATED,
        model=model(
            path="old/weights.h5",
            slug="old-weights",
            format="empty_file",
            format_label="Empty file",
            bytes=0,
            saved_with={},
            complete=False,
        ),
        verdict=Verdict.INCOMPLETE,
        reason="The file is empty, so there is nothing to audit.",
        results=results([], dict.fromkeys(RULES, "the file is empty")),
        behaviour={"skipped_reason": "the file is empty"},
        exit={"code": 3, "reasons": ["incomplete"]},
    )


def empty() -> Audit:
    return audit(verdict=Verdict.INCOMPLETE)


def large(layers: int = 133) -> Audit:
    base = healthy()
    return audit(
        tool=base.tool,
        created=base.created,
        model=model(path="vision/large.keras"),
        verdict=Verdict.PASS,
        reason="Nothing wrong was found.",
        results=results([]),
        compatibility=base.compatibility,
        architecture=architecture(layers),
        weights=weights(layers),
        symmetry=symmetry(layers),
        behaviour=base.behaviour,
        restore=base.restore,
        observations=base.observations,
        files=base.files,
        exit=base.exit,
    )


HOSTILE_NAME = (
    "</script><script>alert(1)</script><img src=x onerror=alert(2)>{{ 7*7 }}{% raw %}"
    "\u202egnp.exe\u202c\u200b\x1b[31m\x00\ud800 \U0001f600 模型 مودل " + "x" * 200
)


def hostile() -> Audit:
    base = failing()
    name = HOSTILE_NAME
    changed = architecture(4)
    for layer in changed["layers"]:
        layer["route"] = name + layer["route"]
        layer["class"] = name
    stored = weights(2)
    for tensor in stored["tensors"]:
        tensor["name"] = name + tensor["name"]
    measured = symmetry(3)
    for key in ("layers", "initialization", "batchnorm", "gallery"):
        for item in measured[key]:
            item["route"] = name + item["route"]
    ran = behaviour()
    ran["outputs"][0]["name"] = name
    ran["dead"] = {name: 0.5}
    for effect in ran["outputs"][0]["transforms"][:3]:
        effect["name"] = name
    return audit(
        tool=TOOL,
        created=CREATED,
        model=model(
            root="/srv/mod els",
            path=name,
            slug="hostile",
            format_label=name,
            saved_with={"keras": name},
        ),
        verdict=Verdict.FAIL,
        reason=name,
        results=results(
            [
                finding(
                    "MA701",
                    name,
                    title=name,
                    location=Location(name, name),
                    evidence={name: name},
                    fix=f"{name}\n\n    {name}\n",
                ),
                finding("MA702", "x " * 3000, waived_by=name),
            ]
        ),
        compatibility=(
            {
                "runtime": name,
                "call": name,
                "predicted": "fails",
                "because": [{"code": name, "text": name}],
                "observed": {"status": "failed", "error": name},
            },
        ),
        architecture=changed,
        weights=stored,
        symmetry=measured,
        behaviour=ran,
        restore={
            "compared": 1,
            "identical": 0,
            "missing": [name],
            "golden": {"file": name, "problem": name},
        },
        diagnosis={
            "question": name,
            "answer": name,
            "suspects": [{"name": name, "state": name, "text": name}],
            "consequences": [{"cause": name, "of": name, "text": name}],
            "causes": [
                {
                    "cause": name,
                    "title": name,
                    "transform": name,
                    "where": name,
                    "belief": 1.0,
                    "evidence": [{"text": name, "code": name}],
                    "against": [{"text": name}],
                    "refute": name,
                    "next_steps": [{"text": name, "code": name}],
                }
            ],
            "ruled_out": [{"cause": name, "by": name}],
            "undecidable": [{"what": name, "needs": name}],
        },
        observations=(
            {
                "runtime": name,
                "call": name,
                "status": "failed",
                "error_type": name,
                "error": name,
                "versions": {name: name},
                "sandbox": {name: name},
            },
        ),
        files=({"path": name, "size": 1, "sha256": name, "role": name},),
        exit=base.exit,
    )


SAMPLES = {
    "healthy": healthy,
    "failing": failing,
    "unreadable": unreadable,
    "empty": empty,
    "large": large,
    "hostile": hostile,
    "foreign": foreign,
}


def index_rows() -> dict[str, IndexRow]:
    """The row of each sample; an audit without a model has none."""
    audits = {name: make() for name, make in SAMPLES.items()}
    return {
        name: index_entry(result_row(audit), ["html", "pdf"])
        for name, audit in audits.items()
        if name != "empty"
    }


__all__ = [
    "CREATED", "HOSTILE_NAME", "RULES", "SAMPLES", "SHA", "behaviour", "empty", "failing",
    "foreign", "healthy", "hostile", "index_rows", "large", "model", "unreadable",
]  # fmt: skip

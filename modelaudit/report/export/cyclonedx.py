"""CycloneDX 1.6 (ECMA-424, 2024): a machine-learning bill of materials from the audit.

It holds only what the audit holds: no intended use, no training data, no licence.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping, Sequence

from modelaudit.audit_types.values import finite_only
from modelaudit.facts import Json
from modelaudit.findings import Finding, Outcome
from modelaudit.report.rule_info import Rules
from modelaudit.report.sections.architecture import ports
from modelaudit.report.wording import text, vocabulary
from modelaudit.schema import Audit

SCHEMA = "http://cyclonedx.org/schema/bom-1.6.schema.json"
NAMESPACE = uuid.uuid5(uuid.NAMESPACE_URL, "tf-modelaudit/cyclonedx")
TASKS: Mapping[str, str] = {
    "softmax": "classification",
    "logits": "classification",
    "sigmoid": "classification",
    "regression": "regression",
    "embedding": "embedding",
}
SECURITY = "security"


def _properties(pairs: Mapping[str, object]) -> list[Json]:
    return [
        {"name": f"modelaudit:{name}", "value": text.printable(str(value))}
        for name, value in pairs.items()
        if value not in (None, "")
    ]


def _hashes(digest: str | None) -> dict[str, Json]:
    """SHA-256 in the standard's form, empty if there is none."""
    return {"hashes": [{"alg": "SHA-256", "content": digest}]} if digest else {}


def _metrics(audit: Audit) -> list[Json]:
    """Accuracy and agreement under transforms, and the inputs they were measured on."""
    inputs = audit.behaviour.inputs
    kind = "user inputs" if inputs and inputs.kind == "user" else "synthetic inputs"
    measured_on = f"{text.number(inputs.n) if inputs else '–'} {kind}"
    found: list[Json] = []
    for output in audit.behaviour.outputs:
        name = text.shorten(output.name, 60)
        on = f"output {name}, {measured_on}" if name else measured_on
        for key, share in finite_only(output.accuracy).items():
            kind_of = f"accuracy, input {vocabulary.transform(text.shorten(key, 60))}"
            found.append({"type": kind_of, "value": text.number(share), "slice": on})
        for effect in output.transforms:
            if effect.agreement is None:
                continue
            how = vocabulary.transform(text.shorten(effect.name, 60))
            metric: dict[str, Json] = {
                "type": f"agreement, input {how}",
                "value": text.number(effect.agreement),
                "slice": on,
            }
            if effect.agreement_ci:
                low, high = map(text.number, effect.agreement_ci)
                metric["confidenceInterval"] = {"lowerBound": low, "upperBound": high}
            found.append(metric)
    return found


def _card(audit: Audit) -> dict[str, Json]:
    architecture, outputs = audit.architecture, audit.behaviour.outputs
    parameters: dict[str, Json] = {}
    if outputs and (task := TASKS.get(outputs[0].kind)):
        parameters["task"] = task
    if architecture.class_name:
        parameters["modelArchitecture"] = text.shorten(architecture.class_name, 100)
    for key, side in (("inputs", architecture.inputs), ("outputs", architecture.outputs)):
        if shown := ports(side):
            parameters[key] = [{"format": port} for port in shown]
    card: dict[str, Json] = {}
    if parameters:
        card["modelParameters"] = parameters
    if metrics := _metrics(audit):
        card["quantitativeAnalysis"] = {"performanceMetrics": metrics}
    limits: list[Json] = [
        text.printable(f"{finding.code} {finding.severity.value}: {finding.title}{waived}")
        for finding in audit.findings
        for waived in [f" (waived: {finding.waived_by})" if finding.waived_by else ""]
    ]
    if limits:
        card["considerations"] = {"technicalLimitations": list(dict.fromkeys(map(str, limits)))}
    return card


def _component(audit: Audit, ref: str) -> dict[str, Json]:
    model, architecture = audit.model, audit.architecture
    files: list[Json] = [
        {
            "type": "file",
            "bom-ref": f"{ref}#{number}",
            "name": text.printable(entry.path) or "unnamed",
            **_hashes(entry.sha256),
        }
        for number, entry in enumerate(audit.files, 1)
    ]
    digest = model.sha256
    made: dict[str, Json] = {
        "type": "machine-learning-model",
        "bom-ref": ref,
        "name": text.printable(model.path) or "unnamed model",
        # The standard has no digest over several files: that is a property.
        **(_hashes(digest) if len(files) == 1 else {}),
        "properties": _properties(
            {
                "verdict": audit.verdict.value,
                "reason": audit.reason,
                "format": model.format_label or model.format,
                "origin": model.origin or None,
                "digest": digest,
                "bytes": model.bytes,
                "parameters": None if architecture.empty else architecture.params,
                "layers": len(architecture.layers) or None,
                "saved-with-keras": model.saved_with.keras,
                "saved-with-tensorflow": model.saved_with.tensorflow,
                "questions-without-answer": sum(not result.moot for result in audit.skipped),
            }
        ),
    }
    if card := _card(audit):
        made["modelCard"] = card
    if len(files) > 1:
        made["components"] = files
    return made


def _vulnerability(finding: Finding, ref: str, number: int) -> dict[str, Json]:
    where = f" Where: {finding.location}." if str(finding.location) else ""
    made: dict[str, Json] = {
        "bom-ref": f"{ref}!{number}",
        "id": finding.code,
        "source": {"name": "modelaudit"},
        "ratings": [{"severity": finding.severity.value, "method": "other"}],
        "description": text.printable(finding.title),
        "detail": text.printable(f"{finding.detail}{where}"),
        "recommendation": text.printable(finding.fix) or "–",
        "affects": [{"ref": ref}],
    }
    if finding.outcome is Outcome.WAIVED:
        made["analysis"] = {"detail": text.printable(f"waived: {finding.waived_by}")}
    return made


def render(audits: Sequence[Audit], rules: Rules) -> str:
    """One bill of materials over all audits.

    A model is a component of type `machine-learning-model` with a model card; findings of the
    security rules are vulnerabilities, all findings limitations in the card.
    """
    first = audits[0].tool if audits else None
    # One name for each model, unique in the document
    found: dict[str, None] = {}
    for audit in audits:
        base = name = audit.model.slug
        number = 1
        while name in found:
            number += 1
            name = f"{base}-{number}"
        found[name] = None
    references = [f"model:{name}" for name in found]
    pairs = list(zip(audits, references, strict=True))
    components: list[Json] = [_component(audit, ref) for audit, ref in pairs]
    vulnerabilities: list[Json] = [
        _vulnerability(finding, ref, number)
        for audit, ref in pairs
        for number, finding in enumerate(audit.findings, 1)
        if (info := rules.get(finding.code)) and info.family == SECURITY
    ]
    tool: dict[str, Json] = {"type": "application", "name": first.name if first else "modelaudit"}
    if first:
        tool["version"] = first.version
    metadata: dict[str, Json] = {"tools": {"components": [tool]}}
    if audits:
        metadata["timestamp"] = audits[0].created
    body = {"metadata": metadata, "components": components, "vulnerabilities": vulnerabilities}
    content = json.dumps(body, ensure_ascii=True, allow_nan=False, sort_keys=True)
    document = {
        "$schema": SCHEMA,
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": f"urn:uuid:{uuid.uuid5(NAMESPACE, content)}",
        "version": 1,
        **body,
    }
    return json.dumps(document, indent=2, ensure_ascii=True, allow_nan=False) + "\n"

"""Compares two audits: what changed from one model to the next."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass

from msgspec import UNSET

from modelaudit.audit_types.architecture import LayerRow, PortRow
from modelaudit.audit_types.behaviour import BehaviourSection, OutputBehaviour
from modelaudit.audit_types.values import finite
from modelaudit.audit_types.weights import TensorRow
from modelaudit.facts import Endpoint, Shape, Signature, TensorStats
from modelaudit.restore.compare import compare
from modelaudit.restore.model import Weight, WeightComparison
from modelaudit.schema import Audit


@dataclass(frozen=True, slots=True)
class AuditChange:
    """One change. `breaking`: a client of the old model may fail on the new one.

    `measured`: the change is in one of many numbers that were measured for both models.

    `section` is format, versions, signature, architecture, weights, findings or behaviour.
    """

    section: str
    what: str
    breaking: bool = False
    measured: bool = False


def audit_changes(
    old: Audit, new: Audit, in_words: Callable[[str], str] = str
) -> list[AuditChange]:
    """All changes except the weights; see `audited_weights` and `compare` for those.

    `in_words` describes a transform code for users; without it, codes stay as they are.
    """
    return [
        *_format(old, new),
        *_interface(old, new),
        *_architecture(old.architecture.layers, new.architecture.layers),
        *_findings(old, new),
        *_behaviour(old.behaviour, new.behaviour, in_words),
    ]


def weight_changes(found: WeightComparison) -> list[AuditChange]:
    """The result of a comparison of weights, tensor by tensor."""
    told = [
        str(each) if each.found == each.tensor
        # Of two names, the values go by the new model's.
        else f"{each.found} (before: {each.tensor}){str(each).removeprefix(each.tensor)}"
        for each in found.differing
    ]  # fmt: skip
    told += [f"{name}: removed" for name in found.missing]
    told += [f"{name}: added" for name in found.unexpected]
    return [AuditChange("weights", text) for text in told]


def audited_weights(audit: Audit) -> list[Weight]:
    """The weights that an audit lists, with digests and statistics."""
    return [
        Weight((row.name,), row.shape, row.dtype, row.sha256, _stats(row))
        for row in audit.weights.tensors
        if row.role == "weight" and row.sha256
    ]


def compare_audited(old: Audit, new: Audit) -> WeightComparison:
    """Compares the weights of two audits without their values."""
    return compare(audited_weights(old), audited_weights(new))


def _stats(row: TensorRow) -> TensorStats | None:
    low, high, mean, std = map(finite, (row.min, row.max, row.mean, row.std))
    if low is None or high is None or mean is None or std is None:
        return None
    return TensorStats(low, high, mean, std, row.zeros or 0, row.nonfinite or 0)


def _format(old: Audit, new: Audit) -> Iterator[AuditChange]:
    before, after = old.model.format_label, new.model.format_label
    if before != after:
        yield AuditChange("format", f"{before} became {after}")
    a, b = (asdict(audit.model.saved_with) for audit in (old, new))
    for key in sorted(a.keys() - {"date_saved"}):
        if a[key] != b[key]:
            was, became = ("not named" if x[key] is None else x[key] for x in (a, b))
            yield AuditChange("versions", f"{key}: {was} became {became}")


def signature_changes(old: Iterable[Signature], new: Iterable[Signature]) -> Iterator[AuditChange]:
    """The changes between the signatures of two SavedModels."""
    before = {signature.name: signature for signature in old}
    after = {signature.name: signature for signature in new}
    for name, was in before.items():
        if name not in after:
            yield AuditChange("signature", f"{name} was removed", breaking=True)
        else:
            now = after[name]
            yield from _ports(f"{name}, input", _named(was.inputs), _named(now.inputs), takes=True)
            yield from _ports(
                f"{name}, output", _named(was.outputs), _named(now.outputs), takes=False
            )
    for name in after:
        if name not in before:
            yield AuditChange("signature", f"{name} was added")


def _interface(old: Audit, new: Audit) -> Iterator[AuditChange]:
    """Signatures of SavedModels; for Keras files, the inputs and outputs of the config."""
    a, b = old.architecture, new.architecture
    if old.signatures and new.signatures:
        yield from signature_changes(old.signatures, new.signatures)
    elif not a.empty and not b.empty:
        yield from _ports("model, input", _routed(a.inputs), _routed(b.inputs), takes=True)
        yield from _ports("model, output", _routed(a.outputs), _routed(b.outputs), takes=False)


def _named(ports: Iterable[Endpoint]) -> dict[str, Endpoint]:
    return {port.name: port for port in ports}


def _routed(ports: Iterable[PortRow]) -> dict[str, PortRow]:
    return {port.route: port for port in ports}


def _ports(
    side: str,
    before: Mapping[str, Endpoint | PortRow],
    after: Mapping[str, Endpoint | PortRow],
    *,
    takes: bool,
) -> Iterator[AuditChange]:
    """Changes of inputs (`takes`) or outputs, by their name."""
    for port, was in before.items():
        where = f"{side} {port}"
        if port not in after:
            yield AuditChange("signature", f"{where}: removed", breaking=True)
            continue
        yield from _port(where, was, after[port], takes=takes)
    for port in after:
        if port not in before:
            # A client of the old model does not pass a new input, and ignores a new output.
            yield AuditChange("signature", f"{side} {port}: added", breaking=takes)


def _port(
    where: str, old: Endpoint | PortRow, new: Endpoint | PortRow, *, takes: bool
) -> Iterator[AuditChange]:
    if old.dtype != new.dtype:
        yield AuditChange("signature", f"{where}: {old.dtype} became {new.dtype}", breaking=True)
    if old.shape != new.shape:
        wide, narrow = (new.shape, old.shape) if takes else (old.shape, new.shape)
        what = f"{where}: shape {_shape(old.shape)} became {_shape(new.shape)}"
        yield AuditChange("signature", what, breaking=not _covers(wide, narrow))


def _shape(shape: Shape | None) -> str:
    return str(list(shape)).replace("None", "?") if shape is not None else "unknown"


def _covers(wide: Shape | None, narrow: Shape | None) -> bool:
    """Whether every array of the narrow shape also has the wide shape."""
    if wide is None:
        return True
    if narrow is None or len(wide) != len(narrow):
        return False
    return all(a in (None, b) for a, b in zip(wide, narrow, strict=True))


def _architecture(old: Sequence[LayerRow], new: Sequence[LayerRow]) -> Iterator[AuditChange]:
    before = {layer.route: layer for layer in old}
    after = {layer.route: layer for layer in new}
    if not before or not after:
        return
    for route, layer in before.items():
        other = after.get(route)
        if other is None:
            yield AuditChange("architecture", f"{route} ({layer.class_name}): removed")
        elif layer.class_name != other.class_name:
            what = f"{route}: {layer.class_name} became {other.class_name}"
            yield AuditChange("architecture", what)
        elif told := _settings(layer, other):
            yield AuditChange("architecture", f"{route} ({layer.class_name}): {', '.join(told)}")
    for route, layer in after.items():
        if route not in before:
            yield AuditChange("architecture", f"{route} ({layer.class_name}): added")


def _settings(old: LayerRow, new: LayerRow) -> list[str]:
    differ = {
        "changed settings": old.config_digest != new.config_digest,
        "different input layers": old.inbound != new.inbound,
        "different output shape": old.output_shape != new.output_shape,
        "frozen or unfrozen": old.trainable != new.trainable,
    }
    return [said for said, differs in differ.items() if differs]


def _findings(old: Audit, new: Audit) -> Iterator[AuditChange]:
    before = {finding.fingerprint: finding for finding in old.findings}
    after = {finding.fingerprint: finding for finding in new.findings}
    for sign, mine, others in (("new", after, before), ("gone", before, after)):
        for fingerprint, each in mine.items():
            if fingerprint not in others:
                place = f" at {each.location.route}" if each.location.route else ""
                yield AuditChange("findings", f"{sign}: {each.code} {each.name}{place}")


def _behaviour(
    old: BehaviourSection, new: BehaviourSection, in_words: Callable[[str], str]
) -> Iterator[AuditChange]:
    """Accuracy and agreement under transforms, if both models ran on the same inputs."""
    if old.inputs is UNSET or old.inputs != new.inputs:
        return
    before = {output.name: output for output in old.outputs}
    for output in new.outputs:
        was = before.get(output.name)
        if was is None and len(before) == len(new.outputs) == 1:
            was = next(iter(before.values()))
        if was is None:
            continue
        a, b = _numbers(was, in_words), _numbers(output, in_words)
        for key in sorted(a.keys() & b.keys()):
            if abs(a[key] - b[key]) >= 0.005:
                what = f"{output.name}: {key}: {a[key]:.1%} became {b[key]:.1%}"
                yield AuditChange("behaviour", what, measured=True)


def _numbers(output: OutputBehaviour, in_words: Callable[[str], str]) -> dict[str, float]:
    shares: dict[str, float | None] = {
        f"accuracy, {in_words(key)}": finite(share) for key, share in output.accuracy.items()
    }
    for effect in output.transforms:
        shares[f"agreement, {in_words(effect.name)}"] = effect.agreement
    return {key: share for key, share in shares.items() if share is not None}

"""Compares two audits: what changed from one model to the next."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from modelaudit.facts import TensorStats
from modelaudit.restore.compare import compare
from modelaudit.restore.model import Weight, WeightComparison
from modelaudit.schema import Audit

Map = Mapping[str, Any]


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
        *_architecture(old.architecture, new.architecture),
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
    rows = audit.weights.get("tensors")
    weights = []
    for row in rows if isinstance(rows, list) else ():
        if isinstance(row, dict) and row.get("role") == "weight" and row.get("sha256"):
            shape = tuple(int(n) for n in _items(row.get("shape")))
            name, dtype, sha256 = (str(row.get(key)) for key in ("name", "dtype", "sha256"))
            weights.append(Weight((name,), shape, dtype, sha256, _stats(row)))
    return weights


def compare_audited(old: Audit, new: Audit) -> WeightComparison:
    """Compares the weights of two audits without their values."""
    return compare(audited_weights(old), audited_weights(new))


def _stats(row: Map) -> TensorStats | None:
    numbers = [row.get(key) for key in ("min", "max", "mean", "std")]
    if not all(isinstance(n, int | float) for n in numbers):
        return None
    low, high, mean, std = (float(n or 0.0) for n in numbers)
    return TensorStats(low, high, mean, std, int(row.get("zeros") or 0), int(row["nonfinite"] or 0))


def _items(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def _map(value: object) -> Map:
    return value if isinstance(value, Mapping) else {}


def _format(old: Audit, new: Audit) -> Iterator[AuditChange]:
    before, after = str(old.model.get("format_label")), str(new.model.get("format_label"))
    if before != after:
        yield AuditChange("format", f"{before} became {after}")
    a, b = _map(old.model.get("saved_with")), _map(new.model.get("saved_with"))
    for key in sorted({*a, *b} - {"date_saved"}):
        if a.get(key) != b.get(key):
            was, became = ("not named" if x.get(key) is None else x[key] for x in (a, b))
            yield AuditChange("versions", f"{key}: {was} became {became}")


def signature_changes(old: Iterable[Map], new: Iterable[Map]) -> Iterator[AuditChange]:
    """The changes between the signatures of two SavedModels, as `schema.jsonable` gives them."""
    before = {str(s.get("name")): s for s in old}
    after = {str(s.get("name")): s for s in new}
    for name, signature in before.items():
        if name not in after:
            yield AuditChange("signature", f"{name} was removed", breaking=True)
        else:
            yield from _ports(name, signature, after[name], "name")
    for name in after:
        if name not in before:
            yield AuditChange("signature", f"{name} was added")


def _interface(old: Audit, new: Audit) -> Iterator[AuditChange]:
    """Signatures of SavedModels; for Keras files, the inputs and outputs of the config."""
    if old.signatures and new.signatures:
        yield from signature_changes(old.signatures, new.signatures)
    elif old.architecture and new.architecture:
        yield from _ports("model", old.architecture, new.architecture, "route")


def _ports(name: str, old: Map, new: Map, key: str) -> Iterator[AuditChange]:
    for side in ("inputs", "outputs"):
        before = {str(p.get(key)): p for p in _items(old.get(side))}
        after = {str(p.get(key)): p for p in _items(new.get(side))}
        for port, was in before.items():
            where = f"{name}, {side[:-1]} {port}"
            if port not in after:
                yield AuditChange("signature", f"{where}: removed", breaking=True)
                continue
            yield from _port(where, was, after[port], takes=side == "inputs")
        for port in after:
            if port not in before:
                # A client of the old model does not pass a new input, and ignores a new output.
                needed = side == "inputs"
                yield AuditChange(
                    "signature", f"{name}, {side[:-1]} {port}: added", breaking=needed
                )


def _port(where: str, old: Map, new: Map, *, takes: bool) -> Iterator[AuditChange]:
    if old.get("dtype") != new.get("dtype"):
        what = f"{where}: {old.get('dtype')} became {new.get('dtype')}"
        yield AuditChange("signature", what, breaking=True)
    before, after = old.get("shape"), new.get("shape")
    if before != after:
        wide, narrow = (after, before) if takes else (before, after)
        what = f"{where}: shape {_shape(before)} became {_shape(after)}"
        yield AuditChange("signature", what, breaking=not _covers(wide, narrow))


def _shape(shape: object) -> str:
    return str(shape).replace("None", "?") if shape is not None else "unknown"


def _covers(wide: object, narrow: object) -> bool:
    """Whether every array of the narrow shape also has the wide shape."""
    if wide is None:
        return True
    if not isinstance(wide, list) or not isinstance(narrow, list) or len(wide) != len(narrow):
        return False
    return all(a in (None, b) for a, b in zip(wide, narrow, strict=True))


def _architecture(old: Map, new: Map) -> Iterator[AuditChange]:
    before = {str(layer.get("route")): layer for layer in _items(old.get("layers"))}
    after = {str(layer.get("route")): layer for layer in _items(new.get("layers"))}
    if not before or not after:
        return
    for route, layer in before.items():
        other = after.get(route)
        if other is None:
            yield AuditChange("architecture", f"{route} ({layer.get('class')}): removed")
        elif layer.get("class") != other.get("class"):
            was, became = layer.get("class"), other.get("class")
            yield AuditChange("architecture", f"{route}: {was} became {became}")
        else:
            told = [
                said
                for key, said in (
                    ("config_digest", "changed settings"),
                    ("inbound", "different input layers"),
                    ("output_shape", "different output shape"),
                    ("trainable", "frozen or unfrozen"),
                )
                if layer.get(key) != other.get(key)
            ]
            if told:
                yield AuditChange("architecture", f"{route} ({layer['class']}): {', '.join(told)}")
    for route, layer in after.items():
        if route not in before:
            yield AuditChange("architecture", f"{route} ({layer.get('class')}): added")


def _findings(old: Audit, new: Audit) -> Iterator[AuditChange]:
    before = {finding.fingerprint: finding for finding in old.findings}
    after = {finding.fingerprint: finding for finding in new.findings}
    for sign, mine, others in (("new", after, before), ("gone", before, after)):
        for fingerprint, each in mine.items():
            if fingerprint not in others:
                place = f" at {each.location.route}" if each.location.route else ""
                yield AuditChange("findings", f"{sign}: {each.code} {each.name}{place}")


def _behaviour(old: Map, new: Map, in_words: Callable[[str], str]) -> Iterator[AuditChange]:
    """Accuracy and agreement under transforms, if both models ran on the same inputs."""
    if not old.get("inputs") or old.get("inputs") != new.get("inputs"):
        return
    before = {str(o.get("name")): o for o in _items(old.get("outputs"))}
    outputs = _items(new.get("outputs"))
    for output in outputs:
        was = before.get(str(output.get("name")))
        if was is None and len(before) == len(outputs) == 1:
            was = next(iter(before.values()))
        if was is None:
            continue
        name = output.get("name")
        a, b = _numbers(was, in_words), _numbers(output, in_words)
        for key in sorted(a.keys() & b.keys()):
            if abs(a[key] - b[key]) >= 0.005:
                what = f"{name}: {key}: {a[key]:.1%} became {b[key]:.1%}"
                yield AuditChange("behaviour", what, measured=True)


def _numbers(output: Map, in_words: Callable[[str], str]) -> dict[str, float]:
    right = _map(output.get("accuracy"))
    shares = {f"accuracy, {in_words(str(key))}": share for key, share in right.items()}
    for effect in _items(output.get("transforms")):
        shares[f"agreement, {in_words(str(effect.get('name')))}"] = effect.get("agreement")
    return {key: float(v) for key, v in shares.items() if isinstance(v, int | float)}

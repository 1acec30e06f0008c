"""MA111: weights that are NaN or infinite."""

from __future__ import annotations

from collections.abc import Iterator

from modelaudit.facts import Json, Layer, Tensor, TensorStats
from modelaudit.findings import Confidence, Finding, Severity
from modelaudit.measures.architecture.layer_graph import layer_graph
from modelaudit.rules import examples
from modelaudit.rules.grammar import counted, quoted
from modelaudit.rules.grouped import LISTED
from modelaudit.rules.integrity.divergence import LikelyCause, diverged
from modelaudit.rules.integrity.restored import listing
from modelaudit.rules.integrity.weight_owners import REAL_ROLES, last_part
from modelaudit.rules.model import Facts, Family, Need, Rule
from modelaudit.rules.network.masks import mask_before

_CHECKPOINT = "Use the last checkpoint from before training diverged, or restore the file."


def _non_finite(rule: Rule, facts: Facts) -> Iterator[Finding]:
    damaged = [t for t in facts.artifact.tensors if t.stats and t.stats.nonfinite]
    layers = facts.artifact.architecture.layers if facts.artifact.architecture else ()
    owned = {name: layer for layer in layers for name in layer.variables.values()}
    # A scalar of no layer is mostly a record of the training loop, such as its best loss.
    used = {
        t.name
        for t in damaged
        if t.role == "weight" and (t.shape or t.name in owned)
        if not _is_limit(facts, t, owned.get(t.name))
    }
    weights = [(tensor, _one_feature(facts, tensor)) for tensor in damaged if tensor.name in used]
    alike = [tensor for tensor, said in weights if not said]
    mean = _mean_of_none(facts) if weights else ""
    cause = diverged(facts, used) if alike and not mean else LikelyCause()
    ordered = f"{_CHECKPOINT} {cause.fix}" if cause.fix else ""
    for tensor, said in weights:
        if said:
            yield _not_finite(rule, tensor, said, rule.severity)
    if alike:
        names = [tensor.name for tensor in alike[1:]]
        said = "."
        if names:
            more = counted(len(names), "other weight has", "other weights have")
            said = f"; {more} such values too: {listing(quoted(names))}."
        fix = f"{mean}\n\n{rule.fix}" if mean else ordered
        yield _not_finite(rule, alike[0], said + cause.said, rule.severity, *names, fix=fix)
    unused = [tensor for tensor in damaged if tensor.name not in used]
    unused.sort(key=lambda each: not (each.role == "optimizer" and each.shape))
    if unused:  # one cause damages all slots of an optimizer
        stalled = not used and any(t.role == "optimizer" and t.shape for t in unused)
        said = ". The tensor is no weight of a layer."
        if unused[1:]:
            more = counted(len(unused) - 1, "other tensor has", "other tensors have")
            said = f"; {more} such values too. None of them is a weight of a layer."
        if stalled:
            said += " With such averages, each step of these weights is 0 or NaN: training stopped "
            said += "there, or destroys the weights if it goes on."
        if all(_is_limit(facts, tensor, owned.get(tensor.name)) for tensor in unused):
            said += " None is NaN: masks and records that were never set are infinite."
        severity = Severity.MEDIUM if stalled else Severity.LOW
        yield _not_finite(
            rule, unused[0], said, severity, *(t.name for t in unused[1:]), fix=ordered
        )


def _is_limit(facts: Facts, tensor: Tensor, layer: Layer | None) -> bool:
    """Whether values are infinite in a variable that is no usual weight, as in a mask or a record.

    Where training diverges, most values are NaN. Beside infinity, masks have one other number.
    Numbers that differ were learnt, and what is infinite among them did not fit into its type.
    """
    stats, role = tensor.stats, last_part(tensor.name)
    numbered = role.isdecimal() and not (layer and layer.custom)
    applied = {name for kernel in facts.artifact.kernels for name in (kernel.tensor, kernel.bias)}
    usual = role in REAL_ROLES or numbered or tensor.name in applied
    # An optimizer keeps averages, of its shape, of what is learnt.
    slots = {t.shape for t in facts.artifact.tensors if t.role == "optimizer"}
    learnt = len(tensor.shape) > 1 and tensor.role == "weight" and tensor.shape in slots
    if stats is None or stats.infinite < stats.nonfinite or usual or learnt:
        return False
    return stats.minimum == stats.maximum or stats.nonfinite == tensor.size


def _one_feature(facts: Facts, tensor: Tensor) -> str:
    """The end of the sentence if whole rows of the first Dense kernel are damaged; else ""."""
    kernels, stats = facts.artifact.kernels, tensor.stats
    first = bool(kernels) and kernels[0].tensor == tensor.name and kernels[0].kind == "dense"
    if not first or stats is None or tensor.shape[1] < 2:
        return ""
    start, rest = divmod(stats.nonfinite_run_at, tensor.shape[1])
    rows, more = divmod(stats.nonfinite, tensor.shape[1])
    if rest or more or stats.nonfinite_run != stats.nonfinite or rows == tensor.shape[0]:
        return ""
    features = f"feature {start}" if rows == 1 else f"features {start} to {start + rows - 1}"
    return (
        f": all weights of input {features} (counted from 0), and no others. NaN or infinite values "
        "there in the training data are a likely cause."
    )


def _mean_of_none(facts: Facts) -> str:
    """What to look at where a mean over the positions that a mask leaves can be one of none."""
    architecture = facts.artifact.architecture
    graph = layer_graph(architecture) if architecture is not None else None
    for layer in graph.layers if graph is not None else ():
        mask = mask_before(graph, layer.route)
        if layer.class_name == "GlobalAveragePooling1D" and mask is not None:
            return (
                f"`{layer.route}` divides by the number of positions that the mask of `{mask[0]}` leaves: for an "
                f"input that is all {mask[1]}, that is 0 / 0. See that no training input is."
            )
    return ""


def _not_finite(
    rule: Rule, tensor: Tensor, said: str, severity: Severity, *others: str, fix: str = ""
) -> Finding:
    bad = tensor.stats.nonfinite if tensor.stats else 0
    evidence: dict[str, Json] = {
        "measured": bad,
        "unit": "values",
        "threshold": 0,
        "n": tensor.size,
    }
    if others:
        evidence["tensors"] = [tensor.name, *others[: LISTED - 1]]
    return rule.finding(
        f"`{tensor.name}`: {counted(bad, 'value is', 'values are')} NaN or infinite, of "
        f"{tensor.size}{said}",
        file=tensor.file,
        route=tensor.name,
        evidence=evidence,
        severity=severity,
        fix=fix,
    )


def _nan() -> Facts:
    stats = TensorStats(-1.0, 1.0, 0.0, 0.5, 0, 3)
    tensors = (examples.tensor("dense/kernel", stats=stats), examples.tensor("dense/bias", (2,)))
    return Facts(examples.model(examples.layer(), tensors=tensors))


RULES = (
    Rule(
        code="MA111",
        name="non-finite-weights",
        family=Family.INTEGRITY,
        severity=Severity.HIGH,
        confidence=Confidence.CERTAIN,
        needs=(Need.TENSORS,),
        summary="Weights contain NaN or infinite values",
        pass_title="All stored values are finite",
        why="A single NaN propagates through the network. Where a ReLU masks it, the output is "
        "finite but wrong.",
        fix=f"{_CHECKPOINT} To train again, check the inputs and labels for NaN, scale both, lower the "
        "learning rate, and clip gradients (clipnorm=1.0).",
        check=_non_finite,
        bad=_nan,
        good=examples.healthy,
    ),
)

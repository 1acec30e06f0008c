"""MA11x: do the stored tensors match the saved architecture?"""

from __future__ import annotations

import re
from collections.abc import Iterator

from modelaudit.facts import Format, Layer, fits
from modelaudit.findings import Confidence, Finding, Severity
from modelaudit.formats.keras.variables.names import VariableName
from modelaudit.graphs import GRAPH_KEY
from modelaudit.layer_classes import Trait, has
from modelaudit.measures.kernels.batchnorm import variable_names
from modelaudit.rules import examples
from modelaudit.rules.absent_values import only_counters, without_values
from modelaudit.rules.grammar import counted, quoted
from modelaudit.rules.grouped import LISTED
from modelaudit.rules.integrity.unmatched_names import (
    lacking_weights,
    taken_out,
    unclaimed_tensors,
    under_other_names,
)
from modelaudit.rules.model import Facts, Family, Need, NotApplicable, Rule
from modelaudit.rules.network.quantized_layers import packed, quantized_owners
from modelaudit.rules.network.shared_objects import stored_elsewhere
from modelaudit.rules.unread import unlisted_weights
from modelaudit.structs import replace

_BATCHNORM = re.compile(r"(?:^|[/_.])(?:batch_?norm|bn(?=[\d_]|$))[^/]*\Z", re.IGNORECASE)


def _without_weights(facts: Facts) -> bool:
    """Whether no layer of the config has variables; layers of unknown classes may have some."""
    architecture = facts.artifact.architecture
    layers = architecture.layers if architecture else ()
    return bool(layers) and not any(each.expected or each.custom for each in layers)


def weighted_layers(facts: Facts) -> tuple[Layer, ...]:
    """Layers that own variables, where the file is meant to contain weights."""
    architecture = facts.artifact.architecture
    if architecture is None or not facts.artifact.tensors:
        raise NotApplicable("the file does not contain both an architecture and weights")
    if facts.artifact.format is Format.TF2_CHECKPOINT and not facts.artifact.object_graph:
        raise NotApplicable("the object graph, which says whose variable each is, cannot be read")
    if not _keys_are_told(facts):
        raise NotApplicable("the object graph, which says whose variable each is, is missing")
    if not any(layer.variables for layer in architecture.layers):
        raise NotApplicable("the names of the stored tensors do not identify layers")
    apart = stored_elsewhere(architecture)
    return tuple(
        x
        for x in architecture.layers
        if x.expected and not (x.is_model or packed(x) or x.route in apart)
    )


def _keys_are_told(facts: Facts) -> bool:
    """Whether the object graph of a checkpoint, if it has one, was read: it is in its data."""
    return all(x.source is not None for x in facts.artifact.tensors if x.name == GRAPH_KEY)


def paired_by_place(facts: Facts) -> str:
    """The file that is taken for the architecture of the weights only as it lies beside them.

    Several models can be in one directory, and one `model.json`.
    """
    name = facts.artifact.extra.get("architecture_from")
    if not isinstance(name, str) or facts.settings.architecture:
        return ""
    same = name.partition(".")[0] == facts.artifact.root.name.partition(".")[0]
    return "" if same else name


def _compared_with(facts: Facts) -> str:
    """That file, if it may be the architecture of the weights.

    Raises:
        NotApplicable: the weights name layers that it lacks, so that it is of another model.
    """
    beside = paired_by_place(facts)
    if beside and facts.artifact.extra.get("lost_layers"):
        raise NotApplicable(
            f"{beside} beside the weights is of another model, by the layers' names"
        )
    return beside


def _if_its(finding: Finding, beside: str) -> Finding:
    """The finding, where the architecture beside the weights may be of another model."""
    if not beside:
        return finding
    fix = f"If `{beside}` is of another model, name the right one with `--architecture`."
    return replace(finding, severity=Severity.MEDIUM, fix=f"{fix} {finding.fix}")


def _holds_nothing(facts: Facts) -> tuple[Layer, ...]:
    """Layers that need weights, if the weights file was read and has not a single one."""
    architecture = facts.artifact.architecture
    layers = architecture.layers if architecture and _no_weight_is_stored(facts) else ()
    return tuple(layer for layer in layers if layer.expected)


def _no_weight_is_stored(facts: Facts) -> bool:
    """Whether the weights file was read completely and has not a single weight."""
    artifact = facts.artifact
    stored = any(tensor.role == "weight" for tensor in artifact.tensors)
    return "h5" in artifact.extra and not artifact.problems and not stored


def _unbuilt(facts: Facts) -> str:
    """The class of a subclassed model of which neither layers nor weights were saved."""
    architecture = facts.artifact.architecture
    if architecture is None or architecture.layers or not _no_weight_is_stored(facts):
        return ""
    own = has(architecture.class_name, Trait.MODEL)
    return "" if own else architecture.class_name


_BUILD = (
    "Build the model before it is saved: call it on a batch of inputs. If `model.weights` is empty then, "
    "keep the layers as attributes of a class that derives from `keras.Model`, not from `Sequential`. "
    "No weight can be restored from this file."
)
_CONVERT = (
    "Convert the model again. If weights of these shapes are in the file under other names, write the "
    "names of the layers into `weightsManifest` of the JSON file: TensorFlow.js finds weights by name."
)


def _lost_statistics(facts: Facts) -> dict[str, list[str]]:
    """Batch normalizations, by their names, that have gamma or beta but lack moving statistics.

    Without an architecture only the names tell: a layer normalization has no statistics.
    """
    names = variable_names(facts.artifact)
    scopes: dict[str, set[str]] = {}
    for tensor in facts.artifact.tensors:
        if tensor.role == "weight":
            parsed = VariableName.parse(names.get(tensor.name, tensor.name))
            scopes.setdefault(parsed.scope, set()).add(parsed.variable.lstrip("_"))
    return {
        scope: absent
        for scope, stored in scopes.items()
        if _BATCHNORM.search(scope) and stored & {"gamma", "beta"}
        if (absent := sorted({"moving_mean", "moving_variance"} - stored))
    }


def _without_statistics(rule: Rule, facts: Facts) -> Iterator[Finding]:
    lost = {} if facts.artifact.graphs else _lost_statistics(facts)  # else MA417 asks the graph
    if not lost:
        raise NotApplicable("the file contains no Keras architecture")
    first, absent = next(iter(lost.items()))
    more = f" The same is true of {counted(len(lost) - 1, 'other layer', 'other layers')}."
    yield rule.finding(
        f"{first} has gamma or beta, but no {' and no '.join(absent)}. Inference needs the "
        "moving statistics, unless the program normalizes by the statistics of each batch."
        + (more if len(lost) > 1 else ""),
        route=first,
        severity=Severity.MEDIUM,
        evidence={"measured": len(lost), "unit": "layers", "layers": [*list(lost)[:LISTED]]},
        key="moving statistics",
    )


def _missing(rule: Rule, facts: Facts) -> Iterator[Finding]:
    if unlisted := unlisted_weights(facts.artifact):
        raise NotApplicable(unlisted)
    if facts.artifact.architecture is None:
        told = [*only_counters(rule, facts), *without_values(rule, facts)]
        yield from told or _without_statistics(rule, facts)
        return
    if name := _unbuilt(facts):
        compiled = bool(facts.artifact.training)
        yield rule.finding(
            f"The file holds no weights at all: the model, a subclass ({name}), was saved before "
            "it was built, or keeps its layers where Keras does not find them.",
            severity=rule.severity if compiled else Severity.MEDIUM,
            fix=_BUILD,
            evidence={"measured": 0, "unit": "weights in the file"},
            key="no weights",
        )
        return
    if empty := _holds_nothing(facts):
        yield rule.finding(
            "The file holds no weights at all, but "
            + counted(len(empty), "layer needs some", "layers need some")
            + f", first `{empty[0].route}`.",
            route=empty[0].route,
            evidence={"measured": 0, "unit": "weights in the file", "n": len(empty)},
            key="no weights",
        )
        return
    layers, beside = weighted_layers(facts), _compared_with(facts)
    lacking = lacking_weights(layers)
    if lacking and under_other_names(facts.artifact, layers):
        raise NotApplicable("tensors that fit are in the file, under names that tell no layer")
    if lacking:
        (layer, absent), *others = lacking
        more = f" {counted(len(others), 'other layer lacks', 'other layers lack')} weights too: "
        more += ", ".join(quoted(each.route for each, _ in others[:LISTED])) + (
            " …" if len(others) > LISTED else ""
        )
        whole = [x for x in layers if x.variables.keys() >= x.expected.keys()]
        twin = next((x.route for x in whole if _is_alike(x, layer)), "")
        once = f" `{twin}` has the same name and shapes: if it was the same layer, Keras stored it once."
        found = rule.finding(
            f"Layer `{layer.route}` ({layer.class_name}) needs {', '.join(absent)}"
            f"{f' by `{beside}`' if beside else ''}, but the file does not contain "
            f"{'it' if len(absent) == 1 else 'them'}."
            + (f"{more}." if others else "")
            + once * bool(twin),
            route=layer.route,
            evidence={
                "measured": len(layer.variables),
                "unit": "weights in the file",
                "expected": len(layer.expected),
                "missing": [*absent],
                "layers": [each.route for each, _ in lacking[:LISTED]],
            },
            fix=_CONVERT if facts.artifact.format is Format.TFJS_LAYERS else rule.fix,
        )
        yield _if_its(found, "" if taken_out(facts.artifact, lacking) else beside)


def _is_alike(a: Layer, b: Layer) -> bool:
    return (a.name, a.expected) == (b.name, b.expected)


def _unexpected(rule: Rule, facts: Facts) -> Iterator[Finding]:
    unused = _without_weights(facts) and _keys_are_told(facts)
    layers = () if unused else weighted_layers(facts)
    beside, others = _compared_with(facts), under_other_names(facts.artifact, layers)
    listed = [name for name in unclaimed_tensors(facts.artifact) if name not in others]
    owners = quantized_owners(facts.artifact)
    if names := [name for name in listed if name.rpartition("/")[0] not in owners]:
        found = rule.finding(
            counted(len(names), "stored tensor belongs", "stored tensors belong")
            + " to no layer of the architecture"
            + (", none of whose layers has weights" if unused else "")
            + ": "
            + ", ".join(names[:LISTED])
            + (" …" if len(names) > LISTED else ""),
            severity=Severity.HIGH if unused else rule.severity,
            evidence={"measured": len(names), "unit": "tensors", "tensors": list(names[:LISTED])},
        )
        yield _if_its(found, beside)


def _shapes(rule: Rule, facts: Facts) -> Iterator[Finding]:
    tensors = facts.artifact.by_name
    layers, beside = weighted_layers(facts), _compared_with(facts)
    if facts.artifact.architecture is not None and facts.artifact.architecture.assumed:
        # Other shapes speak against the assumed order, from which they follow.
        raise NotApplicable("how the model's class joins its layers is not in the file")
    unfit = [
        (f"{layer.route}/{role}", expected, tensor)
        for layer in layers
        for role, name in layer.variables.items()
        if (expected := layer.expected.get(role)) is not None
        and (tensor := tensors.get(name)) is not None
        and not fits(tensor.shape, expected)
    ]
    if unfit:
        (route, expected, tensor), *others = unfit
        more = f" {counted(len(others), 'other weight does', 'other weights do')} not fit either: "
        more += ", ".join(quoted(each for each, _, _ in others[:LISTED]))
        more += " …" if len(others) > LISTED else "."
        found = rule.finding(
            f"`{route}` should have shape {list(expected)}{f' by `{beside}`' if beside else ''}, but "
            f"the stored tensor has shape {list(tensor.shape)}.{more * bool(others)}",
            file=tensor.file,
            route=route,
            evidence={
                "measured": list(tensor.shape),
                "expected": list(expected),
                "tensor": tensor.name,
                "weights": [each for each, _, _ in unfit[:LISTED]],
                "n": len(unfit),
            },
        )
        yield _if_its(found, beside)


def _lacks_bias() -> Facts:
    return Facts(examples.model(examples.layer(variables={"kernel": "dense/kernel"})))


def _wrong_shape() -> Facts:
    tensors = (examples.tensor("dense/kernel", (5, 2)), examples.tensor("dense/bias", (2,)))
    return Facts(examples.model(examples.layer(), tensors=tensors))


def _one_too_many() -> Facts:
    return Facts(examples.model(examples.layer(), extra={"unclaimed": ["other/kernel"]}))


RULES = (
    Rule(
        code="MA112",
        name="missing-tensors",
        family=Family.INTEGRITY,
        severity=Severity.HIGH,
        confidence=Confidence.HIGH,
        needs=(Need.ARTIFACT,),
        summary="Weights that the architecture needs are missing from the file",
        pass_title="The file contains every weight that the architecture needs",
        why="Loaders that match weights by name or skip mismatches leave such layers at their "
        "initial random values without raising an error.",
        fix="Save architecture and weights together: `model.save('model.keras')`.",
        check=_missing,
        bad=_lacks_bias,
        good=examples.healthy,
    ),
    Rule(
        code="MA113",
        name="unexpected-tensors",
        family=Family.INTEGRITY,
        severity=Severity.MEDIUM,
        confidence=Confidence.HIGH,
        needs=(Need.ARCHITECTURE, Need.TENSORS),
        summary="The file contains weights that belong to no layer of the architecture",
        pass_title="Every stored weight belongs to a layer",
        why="They are left over from another architecture, or the layer that owned them was lost. "
        "In the second case the restored model computes something else.",
        fix="Compare the architecture with the code that trained the model, then save the model "
        "again.",
        check=_unexpected,
        bad=_one_too_many,
        good=examples.healthy,
    ),
    Rule(
        code="MA114",
        name="shape-mismatch",
        family=Family.INTEGRITY,
        severity=Severity.HIGH,
        confidence=Confidence.HIGH,
        needs=(Need.ARCHITECTURE, Need.TENSORS),
        summary="The shape of a stored weight differs from the shape that its layer needs",
        pass_title="Every stored weight has the shape that its layer needs",
        why="The weights come from another architecture or were edited. Loading raises an error, "
        "or skips the layer if `skip_mismatch=True`.",
        fix="Use the weights that were saved with this architecture.",
        check=_shapes,
        bad=_wrong_shape,
        good=examples.healthy,
    ),
)

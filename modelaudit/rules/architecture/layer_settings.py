"""MA322, MA326: settings of layers with which little or nothing can be learned."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping

from modelaudit.audit_types.values import number
from modelaudit.facts import Json, Layer
from modelaudit.findings import Confidence, Finding, Severity
from modelaudit.formats.keras.compiled_losses import KNOWN, compiled_losses
from modelaudit.layer_classes import Trait, has
from modelaudit.measures.architecture.layer_graph import LayerGraph
from modelaudit.measures.architecture.layer_shapes import axis_orders, features_last
from modelaudit.rules import examples
from modelaudit.rules.architecture.augmented_ranges import (
    SCALINGS,
    keeps_or_scales,
    other_range,
    row,
    scaled_again,
)
from modelaudit.rules.architecture.constant_layers import over_one
from modelaudit.rules.architecture.random_factors import WITH_FACTORS, large_factors
from modelaudit.rules.assumed_parts import with_held_layers
from modelaudit.rules.grammar import counted
from modelaudit.rules.grouped import by_cause
from modelaudit.rules.model import Facts, Family, Need, NotRelevant, Rule
from modelaudit.rules.network.limited_values import RELUS, unreached
from modelaudit.rules.network.network_heads import activation_of, saved_graph, weighs
from modelaudit.rules.network.positions_softmax import (
    softmax_over_columns,
    softmax_over_positions,
)
from modelaudit.thresholds.design import (
    CRUSHED,
    LARGE_REGULARIZER,
    REGULARIZER,
    SHORT_MEMORY,
    TINY_NORM,
)

_LATENT = re.compile(r"(?i)log_?(var|sigma|std)|z_?mean|mean_?z|latent_?mean")
_ONE_SIGN = frozenset(("relu", "sigmoid"))  # a softplus is of a variance, whatever its name
_TAKE_INDICES = frozenset(("Embedding", "CategoryEncoding", "IntegerLookup"))
_OVER_FEATURES = frozenset(("LayerNormalization", "GroupNormalization"))
_CONSTRAINT = "kernel_constraint"
_PENALTIES = ("kernel_regularizer", "embeddings_regularizer", "activity_regularizer")
_TOLD = (_CONSTRAINT, *_PENALTIES)  # ends of keys
_SIGN_ALONE = frozenset(("UnitNormalization", "RMSNormalization"))
_LIMIT_NORMS = frozenset(("MaxNorm", "MinMaxNorm", "max_norm", "min_max_norm"))


def _settings(rule: Rule, facts: Facts) -> Iterator[Finding]:
    yield from by_cause(_of_each_layer(rule, facts), "layer")


def _of_each_layer(rule: Rule, facts: Facts) -> Iterator[Finding]:
    graph = saved_graph(facts)
    for layer in graph.layers:
        for detail, value, severity, fix in _found(facts, graph, layer):
            yield rule.finding(
                f"`{layer.route}`: {detail}.",
                route=layer.route,
                evidence={"measured": value, "unit": "as configured"},
                key=f"{layer.route} {detail.partition(' ')[0]}",
                severity=severity,
                fix=f"{fix}, then train again.",
            )


def _found(
    facts: Facts, graph: LayerGraph, layer: Layer
) -> Iterator[tuple[str, Json, Severity, str]]:
    """What is wrong with the settings of a layer: each kind is looked for where it can be."""
    name = layer.class_name
    if _LATENT.search(layer.name) and weighs(layer) and activation_of(layer) in _ONE_SIGN:
        yield _one_sided_code(layer)
    told = any(isinstance(x, dict) and key.endswith(_TOLD) for key, x in layer.config.items())
    normalizes = has(name, Trait.BATCH_NORMALISATION)
    if told or normalizes or name in RELUS:
        yield from _own(facts, layer)
    if told or name == "ActivityRegularization":
        yield from _penalties(facts, layer)
    yield from softmax_over_columns(graph, layer)
    if name in _SIGN_ALONE:
        yield from _lone_sign(layer)
    elif name == "Softmax":
        first = axis_orders(graph).get(layer.route)
        yield from softmax_over_positions(facts, graph, layer, first)
    elif name in SCALINGS:
        yield from scaled_again(facts, graph, layer)
    elif name in _TAKE_INDICES:
        yield from _scaled_indices(graph, layer)
    elif name in WITH_FACTORS:
        yield from large_factors(layer)
    if "value_range" in layer.config:
        yield from other_range(graph, layer)
    if normalizes or name in _OVER_FEATURES:
        yield from _norm_axis(graph, layer, axis_orders(graph).get(layer.route))


def _one_sided_code(layer: Layer) -> tuple[str, Json, Severity, str]:
    """The mean or the logarithm of the variance of a code, by its name, without negative values."""
    applied = activation_of(layer)
    what = "logarithm of a variance" if "log" in layer.name.lower() else "mean of a code"
    detail = (
        f"{applied} gives no value below 0, but the {what}, as it seems by its name, has both signs"
    )
    return detail, applied, Severity.LOW, f"Use no activation in `{layer.name}`"


def _as_started(facts: Facts, layer: Layer) -> bool:
    """Whether no stored statistic contradicts that the layer keeps those that it started with."""
    measured = facts.measurements.batchnorm if facts.measurements else ()
    return all(norm.statistics_initial for norm in measured if norm.route == layer.route)


def _own(facts: Facts, layer: Layer) -> Iterator[tuple[str, Json, Severity, str]]:
    """What the config of a layer shows by itself."""
    config = layer.config
    if has(layer.class_name, Trait.BATCH_NORMALISATION):
        momentum, epsilon = number(config.get("momentum")), number(config.get("epsilon"))
        if momentum is not None and momentum >= 1:
            started = _as_started(facts, layer)
            start = "at their initial values" if started else "as they were loaded"
            detail = f"momentum {momentum:g} keeps the moving statistics {start}"
            fix = f"Use keras.layers.BatchNormalization(momentum=0.99, name={layer.name!r})"
            yield detail, momentum, Severity.HIGH if started else Severity.LOW, fix
        elif momentum is not None and 0 <= momentum < SHORT_MEMORY.value:
            detail = f"momentum {momentum:g} leaves the moving statistics those of the last batches"
            fix = f"Use keras.layers.BatchNormalization(momentum=0.99, name={layer.name!r})"
            yield detail, momentum, Severity.LOW, fix
        if epsilon is not None and epsilon >= 1:
            detail = f"epsilon {epsilon:g} is larger than most variances, so values are not scaled"
            fix = f"Use keras.layers.BatchNormalization(epsilon=0.001, name={layer.name!r})"
            crushed = epsilon >= CRUSHED.value
            detail = detail.replace("not scaled", "nearly constant") if crushed else detail
            yield detail, epsilon, Severity.MEDIUM if crushed else Severity.LOW, fix
    limit = unreached(layer)
    if limit is not None:
        detail = f"threshold {limit:g} gives 0 for every value below it, and so for all usual ones"
        yield detail, limit, Severity.MEDIUM, f"Use keras.layers.ReLU(name={layer.name!r})"
    for key, value in config.items():
        inner = value.get("config") if isinstance(value, dict) else None
        if not isinstance(value, dict) or not isinstance(inner, dict):
            continue
        # Others, such as the author's own, may take `max_value` for another limit.
        if key.endswith(_CONSTRAINT) and str(value.get("class_name")) in _LIMIT_NORMS:
            most = number(inner.get("max_value"))
            if most is not None and most <= 0:
                detail = f"{key} allows no weight but 0"
                yield detail, most, Severity.HIGH, f"Use {key}=keras.constraints.MaxNorm(2)"
            elif most is not None and most < TINY_NORM.value:
                detail = f"{key} limits the norm of the weights of each unit to {most:g}"
                yield detail, most, Severity.MEDIUM, f"Use {key}=keras.constraints.MaxNorm(2)"


def _norm_axis(
    graph: LayerGraph, layer: Layer, first: bool | None
) -> Iterator[tuple[str, Json, Severity, str]]:
    """A normalization over one axis that is not that of the features.

    Args:
        first: whether the layer gets channels first, if known.
    """
    by_statistics = has(layer.class_name, Trait.BATCH_NORMALISATION)
    if not by_statistics and (layer.class_name not in _OVER_FEATURES or layer.custom):
        return
    axis, shape = layer.config.get("axis"), layer.output_shape
    axis = axis[0] if isinstance(axis, list) and len(axis) == 1 else axis
    last = len(shape) - 1 if shape else 0
    if isinstance(axis, int) and axis < 0:
        axis += last + 1
    if first is None and not by_statistics:
        first = False if features_last(graph, layer) else None
    if isinstance(axis, int) and first is False and 0 < axis < last:
        places = ("steps",) if last == 2 else ("rows", "columns")
        places = places if last < 4 else ("slices", *places)
        name = places[axis - 1] if last <= 4 else f"dimension {axis}"
        groups = layer.config.get("groups")
        each = f"its means are over {'groups of ' if groups is not None else ''}{name}"
        does = f"it scales {name}" if by_statistics else each
        kind = "channels" if last > 2 else "features"
        detail = f"axis {axis} is that of {name}, but the {kind} are last: {does}"
        first_given = f"{groups!r}, " if groups is not None else ""
        fix = f"Use keras.layers.{layer.class_name}({first_given}axis=-1, name={layer.name!r})"
        yield detail, axis, Severity.LOW, fix
    elif by_statistics and first and axis == last > 1:
        name = "steps" if last == 2 else "columns"
        detail = f"axis {axis} is that of {name}, but the channels are first: it scales {name}"
        fix = f"Use keras.layers.{layer.class_name}(axis=1, name={layer.name!r})"
        yield detail, axis, Severity.LOW, fix


def _penalties(facts: Facts, layer: Layer) -> Iterator[tuple[str, Json, Severity, str]]:
    """Penalties on weights or results that cost more than any fit to the data gains."""
    penalties = {
        key: inner
        for key, value in layer.config.items()
        if key.endswith(_PENALTIES)
        and isinstance(value, dict)
        and isinstance(inner := value.get("config"), dict)
    }
    if layer.class_name == "ActivityRegularization":
        penalties["activity_regularizer"] = dict(layer.config)
    for key, inner in penalties.items():
        one, two = (number(inner.get(each)) or 0 for each in ("l1", "l2"))
        factor = max(one, two)
        # The gradient of an L1 penalty on w is its factor, that of an L2 penalty 2 w times its own, and
        # weights of a usual size are below a quarter.
        worth = factor if key.startswith("activity") else max(2 * one, two)
        if worth >= LARGE_REGULARIZER.value:
            drawn = "the layer's results" if key.startswith("activity") else "weights"
            detail = f"{key} with a factor of {factor:g} draws {drawn} to 0 in training"
            usual = "L1(0.00001)" if key.startswith("activity") else "L2(0.0001)"
            fix = f"Use a smaller factor, such as {key}=keras.regularizers.{usual}"
            against = (
                _grown(facts, layer) if not key.startswith("activity") else _unknown_loss(facts)
            )
            certain = worth >= REGULARIZER.value and not against
            yield detail, factor, Severity.MEDIUM if certain else Severity.LOW, fix


def _unknown_loss(facts: Facts) -> bool:
    """Whether the compiled loss is not one of Keras, so that its size is not known."""
    given = (facts.artifact.training or {}).get("loss")
    return isinstance(given, str | dict) and all(
        loss is None or loss.name not in KNOWN for loss in compiled_losses({"loss": given}, [""])
    )


def _grown(facts: Facts, layer: Layer) -> bool:
    """Whether stored weights are larger than initializers draw them, whatever a penalty costs."""
    tensors = facts.artifact.by_name
    for role in ("kernel", "embeddings"):
        found = tensors.get(layer.variables.get(role, ""))
        if found is not None and found.stats is not None and len(found.shape) > 1:
            inputs = found.size // (found.shape[-1] or 1)
            return found.stats.std > math.sqrt(2 / max(inputs, 1))  # of He's initializer
    return False


def _lone_sign(layer: Layer) -> Iterator[tuple[str, Json, Severity, str]]:
    """A single value scaled to the length 1, which leaves its sign and passes no gradient."""
    scales = layer.class_name in _SIGN_ALONE
    axis = layer.config.get("axis", -1)
    axis = axis[0] if isinstance(axis, list) and len(axis) == 1 else axis
    if scales and isinstance(axis, int) and over_one(layer, axis):
        detail = "it scales a single value to the length 1: only its sign is left, without gradient"
        yield detail, 1, Severity.HIGH, f"Remove the layer `{layer.name}`"


def _scaled_indices(graph: LayerGraph, layer: Layer) -> Iterator[tuple[str, Json, Severity, str]]:
    """Indices of an embedding that are scaled before it, and rounded down to whole numbers."""
    scale, scaling = 1.0, None
    if layer.class_name not in _TAKE_INDICES:
        return
    for at in row(graph.only_sources(layer.route, keeps_or_scales)):
        if at.custom:
            break
        if at.class_name == "Rescaling":
            factor = number(at.config.get("scale"))
            if factor is None or number(at.config.get("offset", 0.0)) != 0:
                return
            scale, scaling = scale * factor, at
        elif not has(at.class_name, Trait.KEEPS_RANGE):
            return
    if scaling is not None and 0 < scale < 1:
        detail = (
            f"it takes whole numbers, but `{scaling.name}` multiplies them by {scale:.3g}: those "
            f"below {1 / scale:.4g} all become 0"
        )
        yield detail, scale, Severity.MEDIUM, f"Remove the layer `{scaling.name}`"


def _biased(rule: Rule, facts: Facts) -> Iterator[Finding]:
    graph = saved_graph(facts)
    takers = graph.consumers()
    norms = [x for x in graph.layers if has(x.class_name, Trait.BATCH_NORMALISATION)]
    if not norms:
        raise NotRelevant("the model has no batch normalization")
    found = [layer for layer in graph.layers if _without_effect(graph, takers, layer)]
    if found:
        yield rule.finding(
            f"{counted(len(found), 'layer adds', 'layers add')} a bias directly before a batch "
            f"normalization, which subtracts it again; the first is `{found[0].route}`.",
            route=found[0].route,
            evidence={"measured": len(found), "unit": "layers", "n": len(norms)},
        )


def _without_effect(graph: LayerGraph, takers: Mapping[str, tuple[str, ...]], layer: Layer) -> bool:
    after = takers.get(layer.route, ())
    if not weighs(layer) or layer.config.get("use_bias") is not True or len(after) != 1:
        return False
    behind = graph.layer(after[0])
    return has(behind.class_name, Trait.BATCH_NORMALISATION) and activation_of(layer) == "linear"


def _normalized(momentum: float = 0.99, *, use_bias: bool = False) -> Facts:
    norm = examples.layer("norm", "BatchNormalization", {}, {"momentum": momentum})
    return examples.chain(
        examples.dense("hidden", "linear", use_bias=use_bias), norm, examples.dense("head")
    )


_NEEDS = (Need.LAYERS,)

RULES = (
    Rule(
        code="MA322",
        name="extreme-layer-setting",
        family=Family.ARCHITECTURE,
        severity=Severity.MEDIUM,
        confidence=Confidence.HIGH,
        needs=_NEEDS,
        summary="A setting of a layer keeps its weights or values near a constant",
        pass_title="No layer has a setting that keeps its weights or values near a constant",
        why="Weights that are drawn to 0, statistics that never move and pixels that were scaled "
        "twice have one effect: what the layer passes on hardly depends on the input.",
        fix="Use the default of the setting and train again.",
        check=with_held_layers(_settings),
        bad=lambda: _normalized(1.0),
        good=lambda: _normalized(0.9),
    ),
    Rule(
        code="MA326",
        name="bias-before-batch-normalization",
        family=Family.ARCHITECTURE,
        severity=Severity.INFO,
        confidence=Confidence.CERTAIN,
        needs=_NEEDS,
        summary="A bias directly before a batch normalization has no effect",
        pass_title="No layer adds a bias directly before a batch normalization",
        why="It does no harm: the batch normalization subtracts the mean, and the bias with it. It "
        "only costs memory.",
        fix="Use use_bias=False in that layer when you build the model again.",
        check=_biased,
        assumes="order",
        bad=lambda: _normalized(use_bias=True),
        good=lambda: _normalized(use_bias=False),
    ),
)

"""MA320: metrics that judge other values than the output gives."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from modelaudit.facts import Json
from modelaudit.findings import Confidence, Finding, Severity
from modelaudit.formats.keras.compiled_losses import (
    BINARY,
    CATEGORICAL,
    CROSS_ENTROPIES,
    DISTANCES,
    HINGES,
    SPARSE,
    CompiledLoss,
    compiled_losses,
)
from modelaudit.formats.keras.dialects import activation
from modelaudit.rules.model import Facts, Family, Need, NotRelevant, Rule
from modelaudit.rules.network.graph_heads import graph_heads
from modelaudit.rules.network.loss_inputs import PROBABILITIES
from modelaudit.rules.network.network_heads import NetworkHead, output_heads, saved_graph
from modelaudit.rules.training.settings import compile_settings, compiled_example, output_names

_ACCURACIES = frozenset(("accuracy", "acc"))
_EQUAL = "Accuracy"  # Keras' class of this name; in lower case it stands for what suits the loss
_NOT_REGRESSION = CROSS_ENTROPIES | HINGES | {"cosine_similarity", "ctc"}
# Metrics that count answers above a threshold, in lower case, and its argument.
_COUNTS = {
    name.lower(): (name, key)
    for key, group in (
        (
            "thresholds",
            "Precision Recall TruePositives TrueNegatives FalsePositives FalseNegatives",
        ),
        ("threshold", "BinaryIoU"),
        ("", "F1Score FBetaScore"),  # whose threshold must be above 0
    )
    for name in group.split()
}
_ABOVE_0 = "keras.metrics.BinaryAccuracy(threshold=0.0)"
_PRECISION_AND_RECALL = (
    "keras.metrics.Precision(thresholds=0.0), keras.metrics.Recall(thresholds=0.0)"
)
# Metrics that take the output for the number of a class, unless they are told that it is a share of each.
_NUMBERED = frozenset(("iou", "meaniou"))
# Metrics of the answers for one class, unless they are told of none, and their names in Keras.
_OF_ONE_CLASS = {"precision": "Precision", "recall": "Recall"}
_BOTH = 2  # units
# Metrics over many thresholds from 0 to 1.
_OVER_THRESHOLDS = frozenset(
    {
        *("auc", "sensitivityatspecificity", "specificityatsensitivity"),
        *("precisionatrecall", "recallatprecision"),
    }
)
# Metrics that look for the class of the label among the largest values, and how many by default.
_LARGEST = {
    "categoricalaccuracy": 1,
    "sparsecategoricalaccuracy": 1,
    "topkcategoricalaccuracy": 5,
    "sparsetopkcategoricalaccuracy": 5,
}
# Metrics that read labels in one form, and what reads them in the other form.
_OF_ONE_HOT = {
    "categoricalaccuracy": '"accuracy"',
    "topkcategoricalaccuracy": "keras.metrics.SparseTopKCategoricalAccuracy(k={k})",
    "categoricalcrossentropy": '"sparse_categorical_crossentropy"',
    "categoricalfocalcrossentropy": '"sparse_categorical_crossentropy"',
    "categoricalhinge": '"accuracy"',
    "onehotiou": "keras.metrics.MeanIoU(num_classes={classes}, sparse_y_pred=False)",
    "onehotmeaniou": "keras.metrics.MeanIoU(num_classes={classes}, sparse_y_pred=False)",
}
_OF_NUMBERS = {
    "sparsecategoricalaccuracy": '"accuracy"',
    "sparsetopkcategoricalaccuracy": "keras.metrics.TopKCategoricalAccuracy(k={k})",
    "sparsecategoricalcrossentropy": '"categorical_crossentropy"',
}


def _metrics(rule: Rule, facts: Facts) -> Iterator[Finding]:
    training = compile_settings(facts)
    graph = saved_graph(facts)
    heads = {head.route: head for head in output_heads(graph)}
    names, routes = output_names(facts), graph.outputs
    if not names:  # a model of the user's own class
        heads = {head.route: head for head in graph_heads(facts.artifact)}
        names, routes = [""], tuple(heads)
    losses = compiled_losses(training, names)
    if len(losses) != len(routes):
        raise NotRelevant("an inner model has several outputs")
    saved = training.get("metrics", training.get("metrics_config"))
    given = _by_output(saved, names)
    for route, loss, metrics in zip(routes, losses, given, strict=True):
        head = heads.get(route)
        if head is None or loss is None:
            continue
        for name, config in _named_metrics(metrics):
            wrong = _unsuited(name, config, head, loss)
            if wrong is not None:
                detail, severity, fix = wrong
                yield rule.finding(
                    f"The metric {name} does not suit `{route}`: {detail}.",
                    route=route,
                    evidence={"measured": name, "loss": loss.name},
                    key=name if len(losses) == 1 else f"{route} {name}",
                    severity=severity,
                    fix=f"model.compile(..., metrics=[{fix}])",
                )


def _by_output(saved: Json, names: Sequence[str]) -> list[Json]:
    """The metrics of each output; None where it is unknown which output they are of."""
    if len(names) == 1:
        return [saved]
    if any(said := _said(saved, names)):
        return said
    if isinstance(saved, list) and len(saved) == len(names):
        return [each if isinstance(each, list) else None for each in saved]
    if isinstance(saved, dict) and "class_name" not in saved:
        return [saved.get(name) for name in names]
    return [None for _ in names]


def _said(saved: Json, names: Sequence[str]) -> list[Json]:
    """The metrics whose names start with that of one output, as Keras 2 names them.

    It stores their lists in the order of the sorted names of the outputs.
    """
    found: list[list[Json]] = [[] for _ in names]
    for entry in saved if isinstance(saved, list) else []:
        for each in entry if isinstance(entry, list) else [entry]:
            config = each.get("config") if isinstance(each, dict) else None
            own = str(config.get("name")) if isinstance(config, dict) else ""
            of = [index for index, name in enumerate(names) if own.startswith(f"{name}_")]
            if len(of) == 1:
                found[of[0]].append(each)
    return [*found] if any(found) else []


def _named_metrics(value: Json, depth: int = 0) -> Iterator[tuple[str, Mapping[str, Json]]]:
    """Name, as `accuracy` or `BinaryAccuracy`, and config of each metric, in nested lists too."""
    if isinstance(value, str):  # of which Keras takes "Accuracy" for "accuracy"
        yield value.lower() if value.lower() in _ACCURACIES else value, {}
    elif isinstance(value, list) and depth < 4:
        for each in value:
            yield from _named_metrics(each, depth + 1)
    elif isinstance(value, dict) and "class_name" in value:
        if value.get("registered_name"):  # of the user's own, whatever it is called
            return
        config = value.get("config")
        config = config if isinstance(config, dict) else {}
        name = activation(value)
        if name == "MeanMetricWrapper":
            # Keras 2 chooses the function of `accuracy` when the model is fitted.
            said = config.get("name")
            name = said if said in _ACCURACIES else activation(config.get("fn"))
        yield str(name), config
    elif isinstance(value, dict) and depth < 4:
        for each in value.values():
            yield from _named_metrics(each, depth + 1)


def _unsuited(
    name: str, saved: Mapping[str, Json], head: NetworkHead, loss: CompiledLoss
) -> tuple[str, Severity, str] | None:
    scores = head.last == "linear"
    plain = name.replace("_", "").lower()
    exact = plain in _ACCURACIES or plain == "binaryaccuracy"
    if name == _EQUAL and loss.name in CROSS_ENTROPIES | HINGES:
        detail = (
            "it counts values that equal the labels exactly, which probabilities and scores do not"
        )
        return detail, Severity.LOW, _counted_by(loss)
    number = head.last not in PROBABILITIES and head.units == 1
    if exact and loss.name not in _NOT_REGRESSION and number:
        detail = (
            f"it counts numbers that are equal, but {loss.name} is of distances. If these are numbers "
            "of classes, use one unit for each, a softmax and sparse_categorical_crossentropy instead"
        )
        return detail, Severity.LOW, '"mean_absolute_error"'
    largest = plain in _ACCURACIES or _LARGEST.get(plain) == 1
    if largest and loss.name in DISTANCES and head.last != "softmax" and (head.units or 1) > 1:
        detail = (
            f"it takes the largest of {head.units} values for the class, but {loss.name} is of "
            "distances. If these are classes, use a softmax and categorical_crossentropy instead"
        )
        return detail, Severity.LOW, '"mean_absolute_error"'
    compares = plain in _COUNTS and saved.get("top_k") is None  # the k largest need no threshold
    if (compares or plain in _OVER_THRESHOLDS) and loss.name in DISTANCES and scores:
        detail = f"it counts answers above a threshold, but {loss.name} is of distances"
        return detail, Severity.LOW, '"mean_absolute_error"'
    if plain in {"f1score", "fbetascore"} and head.units == 1 and saved.get("threshold") is None:
        detail = (
            "without a threshold it takes the largest of one value: every answer counts as a yes"
        )
        return detail, Severity.LOW, f"keras.metrics.{_COUNTS[plain][0]}(threshold=0.5)"
    if plain in _LARGEST and head.units is not None and _largest(plain, saved) >= head.units:
        detail = (
            "it looks for the class among as many of the largest values as there are: always right"
        )
        fix = '"binary_accuracy"' if head.units == 1 else '"accuracy"'
        return detail, Severity.LOW, fix
    logits = loss.name in BINARY and loss.from_logits and scores
    threshold = saved.get("threshold", 0.5)
    if exact and logits and isinstance(threshold, int | float) and threshold > 0:
        detail = f"it compares scores with {threshold:g}, but scores above 0 stand for class 1"
        return detail, Severity.LOW, _ABOVE_0
    if logits and plain in _OVER_THRESHOLDS and saved.get("from_logits") is not True:
        detail = "it expects probabilities, but the output gives scores: its limits are from 0 to 1"
        takes = plain == "auc"  # the others know no scores
        fix = "keras.metrics.AUC(from_logits=True)" if takes else _ABOVE_0
        return detail, Severity.LOW, fix
    if plain in _NUMBERED and saved.get("sparse_y_pred") is not False:
        return _cut_to_numbers(saved, head, loss)
    made, key = _COUNTS.get(plain, (name, ""))
    limit = _least(saved.get(key or "threshold"))
    # An F score without a threshold takes the class with the largest score.
    given = key or saved.get("threshold") is not None
    if logits and compares and given and limit > 0:
        detail = f"it compares scores with {limit:g}, but scores above 0 stand for class 1"
        fix = f"keras.metrics.{made}({key}=0.0)" if key else _PRECISION_AND_RECALL
        return detail, Severity.LOW, fix
    said = {"k": saved.get("k", 5), "classes": saved.get("num_classes", head.units)}
    if plain in _OF_ONE_HOT and loss.name in SPARSE:
        detail = f"it expects one-hot labels, but {loss.name} takes numbers of classes"
        return detail, Severity.LOW, _OF_ONE_HOT[plain].format(**said)
    if plain in _OF_NUMBERS and loss.name in CATEGORICAL:
        detail = f"it expects numbers of classes, but {loss.name} takes one-hot labels"
        return detail, Severity.LOW, _OF_NUMBERS[plain].format(**said)
    exclusive = loss.name in CATEGORICAL or (loss.name in BINARY and head.last == "softmax")
    return _of_exclusive(plain, saved, head) if exclusive else _of_several(plain, saved, head, loss)


def _counted_by(loss: CompiledLoss) -> str:
    """What `accuracy` stands for with this loss, by its own name."""
    if loss.name in SPARSE:
        return "keras.metrics.SparseCategoricalAccuracy()"
    if loss.name in CATEGORICAL:
        return "keras.metrics.CategoricalAccuracy()"
    if loss.name in BINARY:
        return f"keras.metrics.BinaryAccuracy(threshold={0.0 if loss.from_logits else 0.5})"
    return '"accuracy"'


def _for_each_unit(plain: str, saved: Mapping[str, Json]) -> bool:
    """Whether a metric compares each unit with its label.

    Until TensorFlow 2.1, `accuracy` did so with binary cross-entropy; what it became is saved.
    """
    chosen = activation(saved.get("fn")) == "binary_accuracy"
    return plain == "binaryaccuracy" or (plain in _ACCURACIES and chosen)


def _of_exclusive(
    plain: str, saved: Mapping[str, Json], head: NetworkHead
) -> tuple[str, Severity, str] | None:
    """What a metric counts where each input has one class, as one-hot labels say."""
    units = head.units or 0
    if _for_each_unit(plain, saved) and units > _BOTH:
        detail = "it counts the zeros of one-hot labels, so guessing scores high"
        return detail, Severity.LOW, '"categorical_accuracy"'
    all_classes = all(saved.get(key) is None for key in ("class_id", "top_k", "thresholds"))
    if plain not in _OF_ONE_CLASS or head.last != "softmax" or units != _BOTH or not all_classes:
        return None
    detail = (
        "it counts the units of both classes together. Of two shares of 1 one is above a half, so precision "
        "and recall both equal the accuracy"
    )
    return detail, Severity.LOW, f"keras.metrics.{_OF_ONE_CLASS[plain]}(class_id=1)"


def _of_several(
    plain: str, saved: Mapping[str, Json], head: NetworkHead, loss: CompiledLoss
) -> tuple[str, Severity, str] | None:
    """What an accuracy counts of several sigmoids, as for labels of which each may be right."""
    units = head.units or 0
    counts = plain in _ACCURACIES or plain == "categoricalaccuracy"
    several = head.weights.class_name == "Dense" and units >= _BOTH and loss.name in BINARY
    if not counts or not several or head.last != "sigmoid":
        return None
    if _for_each_unit(plain, saved):
        detail = (
            f"it counts each of the {units} classes by itself. If each input has one class, an answer of no "
            f"to all is {1 - 1 / units:.0%} right: for classes that exclude one another, use a softmax and "
            "categorical_crossentropy"
        )
        return detail, Severity.LOW, "keras.metrics.AUC(multi_label=True)"
    detail = (
        f"it takes the largest of {units} values for the class. If inputs have several labels, or none, it "
        "does not see the others; for classes that exclude one another, use a softmax and "
        "categorical_crossentropy"
    )
    return detail, Severity.LOW, '"binary_accuracy", keras.metrics.AUC(multi_label=True)'


def _cut_to_numbers(
    saved: Mapping[str, Json], head: NetworkHead, loss: CompiledLoss
) -> tuple[str, Severity, str] | None:
    """What is wrong with an IoU that takes the answer for the number of a class."""
    if head.last in PROBABILITIES:
        detail = "it takes the answer for the number of a class: a probability below 1 is class 0"
    elif head.last == "linear" and loss.name in CROSS_ENTROPIES:
        detail = "it takes the answer for the number of a class, and cuts scores to whole numbers"
    else:
        return None
    if head.last != "softmax" and (head.units == 1 or loss.name in BINARY):
        threshold = 0.5 if head.last in PROBABILITIES else 0.0
        return detail, Severity.LOW, f"keras.metrics.BinaryIoU(threshold={threshold})"
    classes = saved.get("num_classes", head.units)
    if loss.name in CATEGORICAL or saved.get("sparse_y_true") is False:
        return detail, Severity.LOW, f"keras.metrics.OneHotMeanIoU(num_classes={classes})"
    shares = f"keras.metrics.MeanIoU(num_classes={classes}, sparse_y_pred=False)"
    return detail, Severity.LOW, shares


def _largest(plain: str, saved: Mapping[str, Json]) -> int:
    k = saved.get("k")
    return k if isinstance(k, int) else _LARGEST[plain]


def _least(value: Json) -> float:
    """The smallest of the thresholds of a metric; 0.5 where they are left out."""
    given = value if isinstance(value, list) else [value]
    numbers = [each for each in given if isinstance(each, int | float)]
    return min(numbers, default=0.5)


RULES = (
    Rule(
        code="MA320",
        name="metric-unsuited-to-output",
        family=Family.ARCHITECTURE,
        severity=Severity.LOW,
        confidence=Confidence.HIGH,
        needs=(Need.ARCHITECTURE,),
        summary="A metric judges other values than the output gives",
        pass_title="Every metric suits its output",
        why="The metric does not change the model, but its values mislead whoever chose the model "
        "by them.",
        fix="Use a metric that suits the loss.",
        check=_metrics,
        assumes="output",
        bad=compiled_example(metrics=["accuracy"]),
        good=compiled_example(metrics=["mean_absolute_error"]),
    ),
)

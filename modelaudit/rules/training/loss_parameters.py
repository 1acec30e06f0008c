"""Compiled losses of which a class, or the whole loss, weighs nothing, or that are scores."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from modelaudit.audit_types.values import number
from modelaudit.facts import Json
from modelaudit.findings import Severity
from modelaudit.formats.keras.compiled_losses import KNOWN, compiled_losses
from modelaudit.formats.keras.json_config import sequence
from modelaudit.measures.optimizer_state import compiled_optimizer
from modelaudit.thresholds.small_layers import HUBER_DELTA

Worthless = tuple[str, Json, Severity, str]
_SURE = Severity.HIGH
_BALANCES = "apply_class_balancing"
_SCORES = frozenset(
    {
        *("coef", "coeff", "coefficient", "score", "accuracy", "acc", "psnr", "ssim", "iou", "auc"),
        *("determination", "r2", "rsquare", "rsquared", "pearson", "pearsonr", "correlation"),
        *("precision", "recall", "f1", "fscore", "fbeta"),
    }
)
_OF_SQUARES = (["r", "square"], ["r", "squared"], ["r", "2"])


def worthless(training: Mapping[str, Json]) -> Iterator[Worthless]:
    """What is wrong, the value, how sure, and what to write, of each loss whose config is saved."""
    plain = compiled_optimizer(training)[0] == "SGD"
    for name, config in _saved(training.get("loss")):
        alpha, delta = number(config.get("alpha")), number(config.get("delta"))
        if name == "BinaryFocalCrossentropy" and config.get(_BALANCES) is True and alpha in (0, 1):
            kept = int(alpha)
            detail = f"alpha of {name} is {kept}: class {1 - kept} weighs nothing"
            yield f"{detail}, so the best answer is always class {kept}", kept, _SURE, "alpha=0.25"
        elif name == "CategoricalFocalCrossentropy" and alpha == 0:
            yield f"alpha of {name} is 0: the loss is always 0", alpha, _SURE, "alpha=0.25"
        elif name == "CategoricalFocalCrossentropy" and 0 in (
            weights := sequence(config.get("alpha"))
        ):
            yield _of_classes(name, weights)
        elif name == "Tversky" and number(config.get("beta")) == 0:
            # Keras weighs with beta what is predicted and not labelled, whatever its page says.
            detail = (
                "alpha and beta of Tversky are 0: the loss is 0 for every answer"
                if alpha == 0
                else "beta of Tversky is 0: the loss is 0 for the answer 1 everywhere"
            )
            yield detail, 0, _SURE, "alpha=0.5, beta=0.5"
        elif name == "Huber" and delta is not None and delta <= 0:
            detail = f"delta of {name} is {delta:g}: the loss has no gradient"
            yield detail, delta, _SURE, "delta=1.0"
        elif name == "Huber" and plain and delta is not None and delta <= HUBER_DELTA.value:
            detail = f"delta of Huber is {delta:g}: no error has a larger gradient, so steps of SGD"
            yield f"{detail} hardly move a weight", delta, Severity.LOW, "delta=1.0"


def scores(training: Mapping[str, Json], outputs: Sequence[str]) -> Iterator[Worthless]:
    """Functions of the program with the name of what is larger for better answers.

    The name alone tells: the function may give its negative, or what is missing to 1.
    """
    told: set[str] = set()
    for loss in compiled_losses(training, outputs or ("",)):
        if loss is None or loss.name in KNOWN or loss.name in told:
            continue
        told.add(loss.name)
        words = loss.name.lower().split("_")
        score = words[-1] in _SCORES or words[-2:] in _OF_SQUARES
        if score and {"loss", "neg", "negative", "minus"}.isdisjoint(words):
            detail = f"The loss is {loss.name}, which by its name is larger for better answers"
            fix = f"1 - {loss.name} as the loss, unless the function gives what is missing to 1,"
            yield f"{detail}: training makes a loss smaller", loss.name, Severity.LOW, fix


def _of_classes(name: str, weights: Sequence[Json]) -> Worthless:
    """Some classes of which the labels weigh nothing, as a void class may on purpose."""
    classes = [str(place) for place, weight in enumerate(weights) if weight == 0]
    others = len(weights) - len(classes)
    detail = f"alpha of {name} is 0 for {'class' if len(classes) == 1 else 'classes'} {', '.join(classes)}"
    why = "the loss is always 0" if not others else "inputs of it teach nothing"
    severity = Severity.HIGH if others < 2 else Severity.LOW
    return f"{detail}: {why}", [*weights], severity, "an alpha above 0 for each class"


def _saved(given: Json) -> Iterator[tuple[str, Mapping[str, Json]]]:
    """Class and config of each loss: of one, or of several outputs."""
    if isinstance(given, dict) and "class_name" not in given:
        given = [*given.values()]
    for each in given if isinstance(given, list) else [given]:
        inner = each.get("config") if isinstance(each, dict) else None
        if isinstance(each, dict) and isinstance(inner, dict):
            yield str(each.get("class_name")).rpartition(">")[2], inner

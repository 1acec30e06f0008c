"""What the metrics that a model was compiled with say of its targets."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from modelaudit.facts import Json

_WRAPPERS = frozenset(("meanmetricwrapper", "meanmetric", "function"))
_OF_NUMBERS = frozenset(
    {
        *("mae", "meanabsoluteerror", "mse", "meansquarederror", "rmse", "rootmeansquarederror"),
        *("mape", "meanabsolutepercentageerror", "msle", "meansquaredlogarithmicerror"),
        *("r2", "r2score", "logcosh", "logcosherror", "huber"),
    }
)
_MOST = 256  # metrics and lists of them


def of_numbers(training: Mapping[str, Json] | None) -> bool:
    """Whether there are metrics, and all are distances between numbers."""
    names = {_plain(name) for name, _ in _metrics(training)}
    return bool(names) and names <= _OF_NUMBERS


def has_metrics(training: Mapping[str, Json] | None) -> bool:
    """Whether the model was compiled with any metric."""
    return next(_metrics(training), None) is not None


def independent(training: Mapping[str, Json] | None) -> bool:
    """Whether a metric judges each class by itself, so that several can be right.

    `accuracy` does not say so: Keras chooses what it counts by the loss.
    """
    return any(
        config.get("multi_label") is True
        or (_plain(name) == "binaryaccuracy" and not _suffix(config.get("name")))
        for name, config in _metrics(training)
    )


def _suffix(name: Json) -> bool:
    """Whether it is the name that Keras 2 gives `accuracy`, perhaps behind that of an output."""
    parts = str(name).split("_")
    return parts[-1] in {"accuracy", "acc"} and "binary" not in parts


def _metrics(training: Mapping[str, Json] | None) -> Iterator[tuple[str, Mapping[str, Json]]]:
    """The name of each metric, of its function for a wrapper, with its config."""
    saved = (training or {}).get("metrics", (training or {}).get("metrics_config"))
    pending: list[tuple[Json, Mapping[str, Json]]] = [(saved, {})]
    for _ in range(_MOST):
        if not pending:
            return
        value, around = pending.pop()
        if isinstance(value, str):
            yield value, around
        elif isinstance(value, list):
            pending += [(each, around) for each in value]
        elif isinstance(value, dict) and isinstance(value.get("class_name"), str):
            name, config = str(value["class_name"]), value.get("config")
            if isinstance(config, dict) and _plain(name) in _WRAPPERS:
                pending.append((config.get("fn", config.get("name")), config))
            elif name == "function":
                pending.append((config, around))
            else:
                yield name, config if isinstance(config, dict) else {}
        elif isinstance(value, dict):
            pending += [(each, around) for each in value.values()]


def _plain(name: str) -> str:
    return name.rpartition(">")[2].replace("_", "").lower()

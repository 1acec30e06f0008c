"""Whether a model was compiled for numbers, not for classes, by its metrics."""

from __future__ import annotations

from collections.abc import Mapping

from modelaudit.facts import Json

_WRAPPERS = frozenset(("meanmetricwrapper", "meanmetric", "function"))
_OF_NUMBERS = frozenset(
    {
        *("mae", "meanabsoluteerror", "mse", "meansquarederror", "rmse", "rootmeansquarederror"),
        *("mape", "meanabsolutepercentageerror", "msle", "meansquaredlogarithmicerror"),
        *("r2", "r2score", "logcosh", "logcosherror", "huber"),
    }
)
_MOST = 64  # metrics


def of_numbers(training: Mapping[str, Json] | None) -> bool:
    """Whether there are metrics, and all are distances between numbers."""
    saved = (training or {}).get("metrics", (training or {}).get("metrics_config"))
    names: list[str] = []
    pending: list[Json] = [saved]
    while pending and len(names) < _MOST:
        value = pending.pop()
        if isinstance(value, str):
            names.append(value)
        elif isinstance(value, list):
            pending += value
        elif isinstance(value, dict) and isinstance(value.get("class_name"), str):
            name, config = str(value["class_name"]), value.get("config")
            if isinstance(config, dict) and _plain(name) in _WRAPPERS:
                pending.append(config.get("fn", config.get("name")))
            else:
                pending.append(config if name == "function" else name)
        elif isinstance(value, dict):
            pending += value.values()
    return bool(names) and {_plain(each) for each in names} <= _OF_NUMBERS


def _plain(name: str) -> str:
    return name.rpartition(">")[2].replace("_", "").lower()

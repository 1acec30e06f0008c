"""`fit`, `evaluate` and `predict` of few steps without a traced function, in all tests.

Keras traces a step for every model, which costs as much as to run tens of steps directly. Both
compute the same, so calls of few steps are run directly. The steps of the others are traced, once
where Keras does it twice, as a function within a function.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from types import ModuleType
from typing import Any

from tests.imports import around_imports

DIRECT = 12  # steps, which cost less than to trace one


class _Step:
    """One step of a model: directly as long as few were asked for, traced from then on."""

    asked = 0  # for by the call that runs: an estimate

    def __init__(self, traced: Callable[[Any], Any], direct: Callable[[Any], Any]) -> None:
        self.traced, self.direct, self.done = traced, direct, 0

    def __call__(self, data: Any) -> Any:
        self.done += 1
        few = self.done + _Step.asked <= DIRECT
        _Step.asked = max(_Step.asked - 1, 0)
        return (self.direct if few else self.traced)(data)


class _InTurn:
    """Whether a function is to run directly: the inner one, for which Keras asks first."""

    def __init__(self) -> None:
        self.asked = 0

    def __bool__(self) -> bool:
        self.asked += 1
        return self.asked == 1


def _wrap(model: type, make: str, name: str, twice: bool) -> None:
    """Let the method `make` of the class set the attribute `name` to a function of both kinds.

    `twice` says that Keras traces it twice.
    """
    real = getattr(model, make)

    def function(self: Any, force: bool = False) -> Any:
        if getattr(self, name) is not None and not force:
            return getattr(self, name)
        if self.run_eagerly or self.jit_compile or _many(self):
            return real(self, force=True)
        chosen = self._run_eagerly
        made = []
        for way in (_InTurn() if twice else chosen, True):
            self._run_eagerly = way
            real(self, force=True)
            made.append(getattr(self, name))
        self._run_eagerly = chosen
        setattr(self, name, _Step(*made))
        return getattr(self, name)

    setattr(model, make, function)


def _asked(call: dict[str, Any]) -> int:
    """The further steps that these arguments ask for; 0 if they do not tell."""
    x = call.get("x")
    while isinstance(x, list | tuple | dict) and len(x):
        x = next(iter(x.values() if isinstance(x, dict) else x))
    rows = x.shape[0] if getattr(x, "shape", ()) else 0
    of_epoch = call.get("steps_per_epoch") or -(-rows // (call.get("batch_size") or 32))
    return max(call.get("epochs", 1) * of_epoch - 1, 0)


def _count(model: type, name: str) -> None:
    """Let a method of the class tell how many steps it will take."""
    real = getattr(model, name)
    told = inspect.signature(real)

    @functools.wraps(real)
    def method(self: Any, *given: Any, **named: Any) -> Any:
        around = _Step.asked  # `fit` calls `evaluate`
        _Step.asked = _asked(told.bind(self, *given, **named).arguments)
        try:
            return real(self, *given, **named)
        finally:
            _Step.asked = around

    setattr(model, name, method)


def _many(model: Any) -> bool:
    """Whether a call of the function is several steps."""
    per_call = getattr(model, "steps_per_execution", None)
    if per_call is None:  # tf-keras, where it is a variable
        per_call = getattr(model, "_steps_per_execution", None) or 1
    return int(per_call) != 1


def _of(model: type) -> None:
    keras3 = not model.__module__.startswith("tf_keras")
    for step, name in (("train", "fit"), ("test", "evaluate"), ("predict", "predict")):
        twice = keras3 and step != "predict"
        _count(model, name)
        _wrap(model, f"make_{step}_function", f"{step}_function", twice)


# Module -> its class whose methods make the functions.
CLASSES = {
    "keras.src.backend.tensorflow.trainer": "TensorFlowTrainer",
    "tf_keras.src.engine.training": "Model",
}


def _changed(module: ModuleType, load: Callable[[], None]) -> None:
    load()
    _of(getattr(module, CLASSES[module.__name__]))


def short_training() -> None:
    """Train by few steps directly in this process, which may not have imported Keras yet."""
    around_imports(CLASSES, _changed)

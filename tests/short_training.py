"""`fit`, `evaluate` and `predict` of few steps without a traced function, in all tests.

Keras traces a step for every model, which costs as much as to run tens of steps directly. Both
compute the same, so the first `DIRECT` steps of a model are run directly, and the others traced.
"""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable
from importlib.machinery import ModuleSpec
from types import ModuleType, SimpleNamespace
from typing import Any

DIRECT = 10  # steps, which cost less than to trace one


def _short(traced: Callable[[Any], Any], direct: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """The second for the first steps, then the first."""
    left = DIRECT

    def step(data: Any) -> Any:
        nonlocal left
        left -= 1
        return direct(data) if left >= 0 else traced(data)

    return step


def _wrap(model: type, make: str, name: str) -> None:
    """Let the method `make` of the class set the attribute `name` to a function of both kinds."""
    real = getattr(model, make)

    def made(self: Any, force: bool = False) -> Any:
        if getattr(self, name) is not None and not force:
            return getattr(self, name)
        real(self, force=True)
        traced = getattr(self, name)
        if not (self.run_eagerly or self.jit_compile or _many(self)):
            chosen = self._run_eagerly
            self._run_eagerly = True
            real(self, force=True)
            self._run_eagerly = chosen
            setattr(self, name, _short(traced, getattr(self, name)))
        return getattr(self, name)

    setattr(model, make, made)


def _many(model: Any) -> bool:
    """Whether a call of the function is several steps."""
    per_call = getattr(model, "steps_per_execution", None)
    if per_call is None:  # tf-keras, where it is a variable
        per_call = getattr(model, "_steps_per_execution", None) or 1
    return int(per_call) != 1


def _of(model: type) -> None:
    for step in ("train", "test", "predict"):
        _wrap(model, f"make_{step}_function", f"{step}_function")


# Module -> its class whose methods make the functions.
CLASSES = {
    "keras.src.backend.tensorflow.trainer": "TensorFlowTrainer",
    "tf_keras.src.engine.training": "Model",
}


class _Finder:
    """Changes the classes when their modules are imported, which may be in the middle of a test."""

    def find_spec(self, name: str, path: object, target: object = None) -> ModuleSpec | None:
        if name not in CLASSES:
            return None
        sys.meta_path.remove(self)
        try:
            spec = importlib.util.find_spec(name)
        finally:
            sys.meta_path.insert(0, self)
        loader = spec.loader

        def run(module: ModuleType) -> None:
            loader.exec_module(module)
            _of(getattr(module, CLASSES[name]))

        spec.loader = SimpleNamespace(create_module=loader.create_module, exec_module=run)
        return spec


def short_training() -> None:
    """Train by few steps directly in this process, which may not have imported Keras yet."""
    sys.meta_path.insert(0, _Finder())

"""What is done around the import of a module, which may be in the middle of a test."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable, Collection
from importlib.machinery import ModuleSpec
from types import ModuleType, SimpleNamespace

from modelaudit.probe.child.zygote import cheap_imports

Load = Callable[[], None]


class _Finder:
    def __init__(self, names: Collection[str], run: Callable[[ModuleType, Load], None]) -> None:
        self.names, self.run = names, run

    def find_spec(self, name: str, path: object, target: object = None) -> ModuleSpec | None:
        if name not in self.names:
            return None
        sys.meta_path.remove(self)
        try:
            spec = importlib.util.find_spec(name)
        finally:
            sys.meta_path.insert(0, self)
        if spec is None:
            return None
        loader = spec.loader

        def run(module: ModuleType) -> None:
            spec.loader = module.__loader__ = loader
            self.run(module, lambda: loader.exec_module(module))

        spec.loader = SimpleNamespace(create_module=loader.create_module, exec_module=run)
        return spec


def around_imports(names: Collection[str], run: Callable[[ModuleType, Load], None]) -> None:
    """Import modules of these names by `run`, which gets the module and a call that loads it."""
    sys.meta_path.insert(0, _Finder(names, run))


def cheap_tensorflow() -> None:
    """Import TensorFlow and Keras in half the time, whichever test is the first to do it."""

    def cheaply(_: ModuleType, load: Load) -> None:
        with cheap_imports():
            load()

    around_imports(("tensorflow", "keras", "tf_keras"), cheaply)

"""The versions of TensorFlow and Keras in this interpreter."""

from __future__ import annotations

import importlib
import opcode
import os
import platform

from .signatures import AnyObject


def keras_of(legacy: bool) -> tuple[AnyObject, str]:
    """The Keras that `load_model` belongs to, and its import name."""
    if legacy:
        os.environ["TF_USE_LEGACY_KERAS"] = "1"
        return importlib.import_module("tf_keras"), "tf_keras"
    tensorflow = importlib.import_module("tensorflow")
    if version_of(tensorflow) >= (2, 16):
        return importlib.import_module("keras"), "keras"
    return tensorflow.keras, "keras"


def version_of(module: AnyObject) -> tuple[int, ...]:
    """The first two numbers of a module's version (`tensorflow.keras` has none from 2.13 on)."""
    return tuple(int(part) for part in version_text(module).split(".")[:2])


def version_text(module: AnyObject) -> str:
    """A module's version; that of the `keras` package for a module without one."""
    if hasattr(module, "__version__"):
        return str(module.__version__)
    return str(importlib.import_module("keras").__version__)


def instructions() -> dict[str, list[AnyObject]]:
    """Number of an instruction of this Python -> its name and the number of its cache entries.

    Empty for Python before 3.11, which has no caches.
    """
    caches: AnyObject = getattr(opcode, "_inline_cache_entries", None)
    if caches is None:
        return {}
    found = {}
    for name, number in opcode.opmap.items():
        count = caches.get(name, 0) if isinstance(caches, dict) else caches[number : number + 1]
        found[str(number)] = [name, sum(count) if isinstance(count, list) else count]
    return found


def versions(keras: AnyObject) -> dict[str, str]:
    """Versions of everything that is involved in loading a model."""
    found = {"python": platform.python_version(), "keras": version_text(keras)}
    for name in ("tensorflow", "h5py", "numpy"):
        found[name] = str(importlib.import_module(name).__version__)
    return found

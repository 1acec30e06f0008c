"""Collects what the TensorFlow and Keras of the running interpreter accept, as one JSON document.

This package is run by other interpreters: it stands alone (standard library and the runtime's own
packages) and keeps to the syntax of Python 3.7. Nothing is taken from a list of samples: the
arguments come from the signatures and the sources of the constructors, the names from the
tables that the loaders look up, the operations from the registry of the runtime.
"""

from __future__ import annotations

import contextlib
import importlib
import inspect
import json
import os
import sys

from .experiments import experiments
from .fusions import fusions_refused
from .signatures import AnyObject, describe
from .versions import instructions, keras_of, version_of, versions

SCHEMA = 1
KINDS = (
    "layers",
    "initializers",
    "regularizers",
    "constraints",
    "activations",
    "losses",
    "metrics",
    "optimizers",
)
# Public modules that a saved object may name as its `module`.
PUBLIC = KINDS + (
    "",
    "models",
    "ops",
    "random",
    "dtype_policies",
    "mixed_precision",
    "optimizers.legacy",
    "optimizers.schedules",
    "layers.experimental.preprocessing",
    "saving",
    "utils",
)


def operations() -> dict[str, AnyObject]:
    """Registered operations: name -> names of their attributes; the versions of GraphDef; and the
    chains of operations that are refused in a graph."""
    tensorflow = importlib.import_module("tensorflow")
    try:
        session = importlib.import_module("tensorflow.python.client.pywrap_tf_session")
        buffer = session.TF_GetAllOpList()
    except (ImportError, AttributeError):
        session = importlib.import_module("tensorflow.python.pywrap_tensorflow")
        buffer = session.TF_GetAllOpList()
    message = importlib.import_module("tensorflow.core.framework.op_def_pb2").OpList()
    message.ParseFromString(session.TF_GetBuffer(buffer))
    version = tensorflow.compat.v1 if hasattr(tensorflow, "compat") else tensorflow
    return {
        "operations": {op.name: sorted(attr.name for attr in op.attr) for op in message.op},
        "graph_def": {
            "producer": int(version.GRAPH_DEF_VERSION),
            "min_producer": int(version.GRAPH_DEF_VERSION_MIN_PRODUCER),
            "min_consumer": int(version.GRAPH_DEF_VERSION_MIN_CONSUMER),
        },
        "fusions_refused": fusions_refused() if hasattr(tensorflow, "raw_ops") else None,
    }


def public_names(keras: AnyObject) -> dict[str, dict[str, AnyObject]]:
    """Public module -> its classes and functions (module names without `keras.`)."""
    found = {}
    for path in PUBLIC:
        module = keras
        for part in filter(None, path.split(".")):
            module = getattr(module, part, None)
        if module is None:
            continue
        members = {}
        for name in dir(module):
            if name.startswith("_"):
                continue
            try:
                members[name] = getattr(module, name)
            except Exception:
                continue
        found[path] = {
            n: m for n, m in members.items() if inspect.isclass(m) or inspect.isroutine(m)
        }
    return found


def looked_up(keras: AnyObject, root: str, kind: str) -> dict[str, AnyObject]:
    """Name -> object, from the table in which `keras.<kind>.deserialize` looks up names."""
    public = getattr(keras, kind)
    deserialize = getattr(public, "deserialize", None)
    if deserialize is None:
        return {}
    function = inspect.unwrap(deserialize)
    with contextlib.suppress(Exception):  # it fills its table, then fails to find the name
        function({"class_name": "?", "config": {}})
    scope = function.__globals__
    if root == "keras" and version_of(keras) >= (3, 0):
        if kind == "layers":
            return dict(vars(importlib.import_module("keras.src.layers")))
        return dict(scope.get("ALL_OBJECTS_DICT", {}))
    local = scope.get("LOCAL")
    table = (
        dict(getattr(local, "ALL_OBJECTS", None) or {})
        if kind in ("layers", "initializers")
        else {}
    )
    return table or dict(scope)


def internal_classes(root: str) -> dict[str, list[str]]:
    """Modules inside the package -> their own layers, models and other serialisable classes."""
    found: dict[str, list[str]] = {}
    for module_name, module in sorted(sys.modules.items()):
        if not (
            module_name == root or module_name.startswith((root + ".", "tensorflow.python.keras"))
        ):
            continue
        for name, value in sorted(vars(module).items()) if module else ():
            if inspect.isclass(value) and hasattr(value, "from_config"):
                found.setdefault(module_name, []).append(name)
    return found


def collect(legacy: bool = False) -> dict[str, AnyObject]:
    """The whole profile."""
    keras, root = keras_of(legacy)
    public = public_names(keras)
    kinds: dict[str, list[str]] = {}
    objects: dict[str, dict[str, AnyObject]] = {}
    for kind in KINDS:
        table = {n: o for n, o in looked_up(keras, root, kind).items() if savable(kind, o)}
        kinds[kind] = sorted(name for name in table if not name.startswith("_"))
        for source in (public.get(kind, {}), table):
            for name, value in source.items():
                if inspect.isclass(value) and not name.startswith("_"):
                    objects.setdefault(kind, {}).setdefault(name, describe(value))
    for path in (
        "",
        "models",
        "dtype_policies",
        "mixed_precision",
        "optimizers.legacy",
        "optimizers.schedules",
        "ops",
    ):
        for name, value in public.get(path, {}).items():
            if inspect.isclass(value) and hasattr(value, "from_config"):
                objects.setdefault(path or "root", {}).setdefault(name, describe(value))
    for module, names in internal_classes(root).items():
        if module.startswith(f"{root}.src.ops."):  # operations of Keras 3, saved as layers
            for name in names:
                described = describe(getattr(sys.modules[module], name))
                objects.setdefault("ops", {}).setdefault(name, described)
    profile = {
        "schema": SCHEMA,
        "name": ("tf-keras" if legacy else "tf"),
        "versions": versions(keras),
        "instructions": instructions(),
        "root": root,
        "tables": kinds,
        "classes": objects,
        "public": {path: sorted(names) for path, names in sorted(public.items())},
        "internal": internal_classes(root),
        "behaviours": experiments(keras, root),
    }
    profile.update(operations())
    return profile


def savable(kind: str, value: AnyObject) -> bool:
    """Whether a table's entry is a class with a config, or a function."""
    if inspect.isclass(value):
        return hasattr(value, "from_config") or hasattr(value, "get_config")
    return kind != "layers" and inspect.isfunction(value)


def main() -> None:
    """Write the profile to standard output."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    profile = collect("--legacy-keras" in sys.argv[1:])
    json.dump(profile, sys.stdout, sort_keys=True, separators=(",", ":"))

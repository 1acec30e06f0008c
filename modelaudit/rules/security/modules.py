"""Which modules and names of a config are no home of a model's parts."""

from __future__ import annotations

import re
import sys

from modelaudit.rules.security.references import Reference

KERAS = frozenset({"keras", "tf_keras", "tensorflow", "keras_core"})

# Modules of other packages that a class of theirs can be used through, but never a function:
# it would read pickles, open connections, run programs.
_FOREIGN = frozenset(
    {
        *("numpy", "scipy", "pandas", "torch", "joblib", "dill", "cloudpickle", "requests"),
        *("yaml", "IPython", "pip", "setuptools", "urllib3", "httpx", "aiohttp", "paramiko"),
        *("cffi", "pexpect", "fsspec", "jax", "h5py", "posix", "nt", "__builtin__"),
    }
)
# Names of builtins that Keras writes for its own functions' module are losses and activations;
# these are Python's.
_BUILTINS = frozenset(
    [
        "__import__",
        "eval",
        "exec",
        "compile",
        "open",
        "print",
        "input",
        "getattr",
        "setattr",
        "delattr",
        "globals",
        "locals",
        "vars",
        "breakpoint",
        "memoryview",
        "type",
        "object",
        "super",
        "help",
        "exit",
        "quit",
        "dir",
        "id",
        "map",
        "filter",
        "iter",
        "next",
        "format",
        "execfile",
        "file",
        "reload",
        "classmethod",
        "staticmethod",
        "property",
    ]
)
_HARMLESS_BUILTINS = frozenset(
    [
        "function",
        "dict",
        "list",
        "tuple",
        "set",
        "frozenset",
        "str",
        "int",
        "float",
        "bool",
        "bytes",
        "complex",
        "slice",
        "range",
        "NoneType",
        "ellipsis",
        "builtin_function_or_method",
    ]
)

GET_FILE = "get_file"
UNSAFE = "enable_unsafe_deserialization"
# Exported by Keras, and of no use in a model: they load, save, list and register.
NON_MODELLING = frozenset(
    [
        "load_model",
        "save_model",
        "model_from_json",
        "model_from_config",
        "model_from_yaml",
        "load_weights",
        "save_weights",
        "export_model",
        "clear_session",
        "load_img",
        "save_img",
        "image_dataset_from_directory",
        "text_dataset_from_directory",
        "audio_dataset_from_directory",
        "load_data",
        "deserialize_keras_object",
        "serialize_keras_object",
        "register_keras_serializable",
    ]
)


# Modules of Keras that hold tools: for files, for saving, for settings, for data sets.
_TOOLBOXES = re.compile(
    r"(?:tf_)?keras\.(?:src\.)?(?:utils|saving|legacy\.saving|config|export|datasets)(?:\.|\Z)"
)
_HONEST_TOOLS = frozenset({"normalize", "to_categorical", GET_FILE, UNSAFE})


def is_tool(reference: Reference) -> bool:
    """Whether a function is one of Keras's tools and no part of a model.

    `get_file` and the switch for safe mode have rules of their own.
    """
    toolbox = _TOOLBOXES.match(reference.module)
    return bool(toolbox) and reference.is_function and reference.name not in _HONEST_TOOLS


def suspicious_module(reference: Reference) -> str:
    """Why a module is no home of a model's parts; empty where it may be one."""
    if reference.module == "builtins":
        if reference.is_function:
            called = reference.name in _BUILTINS
        else:
            called = reference.name not in _HARMLESS_BUILTINS
        return "a Python builtin" if called else ""
    if reference.root in sys.stdlib_module_names or reference.root in {"nt", "__builtin__"}:
        return "part of Python's standard library"
    if reference.root in _FOREIGN and reference.is_function:
        return "a function of a general-purpose package"
    return ""

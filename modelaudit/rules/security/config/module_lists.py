"""Which modules and names in a config cannot belong to parts of a model."""

from __future__ import annotations

import re
import sys

from modelaudit.rules.security.config.capabilities import abilities
from modelaudit.rules.security.config.object_references import ObjectReference

KERAS = frozenset({"keras", "tf_keras", "tensorflow", "keras_core"})

# Python's standard library, including modules of older and newer versions.
STANDARD = sys.stdlib_module_names | {
    *("nt", "__builtin__", "distutils", "imp", "asyncore", "asynchat", "smtpd", "pipes", "cgi"),
    *("telnetlib", "crypt", "nis", "msilib", "spwd", "imghdr", "sndhdr", "lib2to3", "nntplib"),
    *("commands", "popen2", "urllib2", "httplib", "cPickle", "StringIO", "posixfile", "dl"),
}

# Modules of other packages whose classes a model may use, but never their functions: those can
# read pickles, open connections or run programs.
_FOREIGN = frozenset(
    {
        *("numpy", "scipy", "pandas", "torch", "joblib", "dill", "cloudpickle", "requests"),
        *("yaml", "IPython", "pip", "setuptools", "urllib3", "httpx", "aiohttp", "paramiko"),
        *("cffi", "pexpect", "fsspec", "jax", "h5py", "sklearn", "skimage", "matplotlib", "PIL"),
        *("cv2", "imageio", "huggingface_hub", "pkg_resources", "sh", "plumbum", "fabric"),
        *("invoke", "boto3", "google", "pyarrow", "tables", "psutil", "zmq", "pytest", "wandb"),
        *("mlflow", "tensorboard", "jinja2", "flask", "django", "twisted", "tornado", "lxml"),
    }
)
# Where these packages keep activations and similar functions.
_NUMERIC = re.compile(
    r"jax\.(?:_src\.)?(?:nn|numpy|lax|scipy)(?:\.|\Z)|torch\.nn\.functional\Z|torch\._C\._nn\Z"
    r"|scipy\.special(?:\.|\Z)|numpy\Z"
)
# Builtins that Keras writes for functions in its own module are losses and activations; these are
# Python's.
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
# Exported by Keras but of no use in a model: they load, save, list and register.
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
        "deserialize",
        "plot_model",
        "decode_predictions",
    ]
)


# Keras modules with tools: for files, saving, settings, datasets, training, whole models.
_TOOLBOXES = frozenset(["utils", "saving", "config", "export", "datasets", "callbacks"])
_HONEST_TOOLS = frozenset({"*", "normalize", "to_categorical", GET_FILE, UNSAFE})
_SWITCHES = ("set_", "enable_", "disable_", "load_", "save_")


def is_tool(reference: ObjectReference) -> bool:
    """Whether a function is one of Keras's tools and not part of a model.

    `get_file` and the switch for safe mode have their own rules.
    """
    parts = frozenset(reference.module.split("."))
    name = reference.name.rpartition(".")[2]
    if not parts & (KERAS - {"tensorflow"}) or name in _HONEST_TOOLS or not reference.is_called:
        return False
    if "applications" in parts and name[:1].isupper():  # builds a model, with weights from a path
        return True
    return bool(parts & _TOOLBOXES) or name.startswith(_SWITCHES) or bool(abilities((name,)))


# Packages of layers and losses that models commonly need. Keras imports the first three itself.
_KNOWN = frozenset(
    {
        *("keras_hub", "keras_cv", "keras_nlp", "keras_tuner", "keras_contrib"),
        *("tensorflow_addons", "tensorflow_hub", "tensorflow_probability", "tensorflow_text"),
        *("tensorflow_model_optimization", "tensorflow_recommenders", "tensorflow_graphics"),
        *("tensorflow_decision_forests", "tensorflow_similarity", "tensorflow_quantum"),
    }
)


def imported_module(reference: ObjectReference) -> str:
    """The module that a loader imports because a config names it; empty if none, or well-known.

    Without a module, the name is looked up among the objects that the program registered;
    `__main__` is that program.
    """
    if reference.root in KERAS | _KNOWN | {"builtins", "__main__"}:
        return ""
    return "" if _NUMERIC.match(reference.module) else reference.module


def suspicious_module(reference: ObjectReference) -> str:
    """Why a module cannot contain parts of a model; empty if it can."""
    if reference.module == "builtins":
        if reference.is_function:
            called = reference.name in _BUILTINS
        else:
            called = reference.name not in _HARMLESS_BUILTINS
        return "a Python builtin" if called else ""
    if reference.root in STANDARD:
        return "part of Python's standard library"
    if reference.module.endswith(".__main__"):
        return "a program, which runs when it is imported"
    # A module also exposes what it has imported: `os.system` of a package is Python's.
    outer, _, inner = reference.name.rpartition(".")
    borrowed = outer.partition(".")[0] in STANDARD and reference.root != "tensorflow"
    if borrowed and abilities((outer, inner)):
        return "part of Python's standard library, reached through another module"
    dangerous = bool(abilities((reference.name,)))
    if reference.root in _FOREIGN and (reference.is_called if dangerous else reference.is_function):
        numeric = _NUMERIC.match(reference.module) and not dangerous
        return "" if numeric else "a function of a general-purpose package"
    return ""

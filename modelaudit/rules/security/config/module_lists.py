"""Which modules and names in a config cannot belong to parts of a model."""

from __future__ import annotations

import re
import sys

from modelaudit.formats.keras.builtin_layers import words
from modelaudit.formats.keras.part_names import part_names
from modelaudit.rules.security.config.allowed_code import allowed_words, is_arithmetic
from modelaudit.rules.security.config.capabilities import abilities
from modelaudit.rules.security.config.object_references import ObjectReference

KERAS = frozenset({"keras", "tf_keras", "tensorflow", "keras_core"})

# Packages whose parts any model has, also under names of their modules.
TRUSTED = KERAS | {"tensorflow_core", "keras_preprocessing", "keras_applications"}

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


# Parts of the names of modules that contain parts of models. Others of Keras contain tools: for
# files, saving, settings, datasets, training, plots, distribution.
_PART_MODULES = words(
    """layers ops activations activation initializers regularizers constraints losses metrics
    optimizers optimizer optimizer_v1 optimizer_v2 optimizer_experimental dtype_policies
    mixed_precision models engine random quantizers feature_column premade premade_models
    applications distillation feature_space legacy experimental legacy_tf_layers merge"""
)
_TOOL_MODULES = words("saving export callbacks datasets config distribution visualization testing")
# Where TensorFlow has functions that it does not export, and the types of tensors.
_INITIALIZERS = re.compile(r"tensorflow\.python\.ops\.init_ops(?:_v2)?")
_TENSORFLOW_OPS = re.compile(r"tensorflow(?:_core)?\.python\.(?:ops|keras)(?:\.|\Z)")
_TYPE_MODULES = re.compile(r"tensorflow(?:_core)?\.(?:python\.(?:framework|ops|data)(?:\.|\Z)|\Z)?")
_TYPES = re.compile(r"(?:[A-Z]\w*)?(?:Spec|TensorShape|DType)V?\d?|_TensorShape")


# Python's operators on tensors, as TensorFlow names them.
_OPERATORS = words(
    """add sub mul truediv floordiv div mod pow matmul neg abs and or xor invert eq ne lt le gt ge
    getitem ragged_getitem"""
)
_UTILITIES = words("normalize to_categorical FeatureSpace")


def is_model_part(reference: ObjectReference) -> bool:
    """Whether an object of Keras or TensorFlow is one that a model consists of.

    That is a layer, operation, activation, initializer and so on: the module must have such, and
    the name must be one of them in some version. Everything else may load, save, download or
    import something, and loaders call it.
    """
    parts = reference.module.split(".")
    if reference.name == "*":  # the module of a function's globals
        return bool({*parts} & _PART_MODULES) and not {*parts} & _TOOL_MODULES
    if "tensorflow" in parts[0] and not {*parts} & KERAS - {"tensorflow"}:
        return _is_tensorflow_part(reference)
    public = len(parts) == 1 or parts[-1] in {"keras", "src", "api"}
    known = public or ({*parts} & _PART_MODULES and not {*parts} & _TOOL_MODULES)
    utility = parts[-1] == "utils" and reference.name in _UTILITIES
    return (bool(known) and reference.name in part_names()) or utility


def _is_tensorflow_part(reference: ObjectReference) -> bool:
    """Whether it is a function that computes, a type of tensors, or an operation."""
    name, module = reference.name, reference.module
    if _TYPES.fullmatch(name):
        return _TYPE_MODULES.match(module) is not None
    if reference.site.class_name == "TensorFlowOpLayer":
        return True  # judged as an operation
    if _INITIALIZERS.fullmatch(module):  # Keras 2 gives one to the last layer of EfficientNetV2
        return name in part_names()
    if _TENSORFLOW_OPS.match(module):
        return re.sub(r"_v[12]\Z", "", name) in allowed_words()
    inner = module.removeprefix("tensorflow").strip(".")
    path = [part for part in (*inner.split("."), *name.split(".")) if part]
    if path[:1] == ["__operators__"]:
        return len(path) == 2 and path[1] in _OPERATORS
    return is_arithmetic(["tf", *path])


# Packages of layers and losses that models commonly need. Keras imports the first three itself.
_KNOWN = frozenset(
    {
        *("keras_hub", "keras_cv", "keras_nlp", "keras_tuner", "keras_contrib"),
        *("tensorflow_addons", "tensorflow_hub", "tensorflow_probability", "tensorflow_text"),
        *("tensorflow_model_optimization", "tensorflow_recommenders", "tensorflow_graphics"),
        *("tensorflow_decision_forests", "tensorflow_similarity", "tensorflow_quantum"),
        *("tensorflow_ranking", "tensorflow_lattice", "tensorflow_compression", "tensorflow_gnn"),
        *("keras_rs", "tf_agents", "official", "transformers", "spektral", "qkeras", "larq"),
        *("segmentation_models", "efficientnet", "kapre", "autokeras", "deepctr", "tcn", "ncps"),
        *("keras_retinanet", "keras_bert", "keras_self_attention", "keras_unet_collection"),
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
    root = reference.root
    if reference.module == "builtins":
        if reference.is_function:
            called = reference.name in _BUILTINS
        else:
            called = reference.name not in _HARMLESS_BUILTINS
        return "a Python builtin" if called else ""
    if root in STANDARD:
        return "part of Python's standard library"
    if reference.module.endswith(".__main__"):
        return "a program, which runs when it is imported"
    # A module also exposes what it has imported: `os.system` of a package is Python's.
    outer, _, inner = reference.name.rpartition(".")
    borrowed = outer.partition(".")[0] in STANDARD and root != "tensorflow"
    if borrowed and abilities((outer, inner)):
        return "part of Python's standard library, reached through another module"
    dangerous = bool(abilities((reference.name,)))
    if root in _FOREIGN and (reference.is_called if dangerous else reference.is_function):
        numeric = _NUMERIC.match(reference.module) and not dangerous
        return "" if numeric else "a function of a general-purpose package"
    return ""

"""MA739: a pickle that has the name of a model."""

from __future__ import annotations

import re
from collections.abc import Sequence

from modelaudit.facts import Problem
from modelaudit.findings import Confidence, Finding, Severity
from modelaudit.rules.grouped import LISTED
from modelaudit.rules.model import Rule

# The functions that Keras pickles a model with, and the classes of models before there were any.
_MODEL = re.compile(
    r"(?:tensorflow\.python\.)?(?:tf_)?keras\.(?:.*\.)?"
    r"(?:pickle_utils\.deserialize_model_from_bytecode|KerasSaveable\._unpickle_model"
    r"|Sequential|Functional|Model)"
)
_PLAIN = (
    *("list", "dict", "set", "frozenset", "tuple", "int", "float", "complex", "bool", "str"),
    *("bytes", "bytearray", "slice", "range"),
)
_ARRAYS = ("_reconstruct", "scalar")
# A pickle can import what it names under another name, so names prove nothing.
_AGAIN = (
    "Do not open it unless you know who wrote it. If you do, unpickle it with the version of Keras that "
    'wrote it, and save it with `model.save("model.keras")`.'
)
_OTHER = (
    "Do not open it unless you know who wrote it. Save a Keras model with "
    '`model.save("model.keras")`, and give pickles of other objects the suffix `.pkl`.'
)


# What pickles of plain data and of arrays name, besides no name at all.
_HARMLESS = frozenset(
    {
        *(f"{of}.{name}" for of in ("builtins", "__builtin__") for name in _PLAIN),
        *(f"numpy.{of}.multiarray.{name}" for of in ("core", "_core") for name in _ARRAYS),
        *("numpy.ndarray", "numpy.dtype", "numpy._core.numeric._frombuffer"),
        *("numpy.core.numeric._frombuffer", "collections.OrderedDict", "_codecs.encode"),
        "joblib.numpy_pickle.NumpyArrayWrapper",
        *("datetime.datetime", "datetime.date", "datetime.timedelta", "decimal.Decimal"),
    }
)
# What Keras pickles a model with besides its class: its bytes, and a method of the class.
_OF_MODEL = frozenset(
    {"_io.BytesIO", "io.BytesIO", "builtins.getattr", "__builtin__.getattr", *_HARMLESS}
)


def instead(rule: Rule, problem: Problem) -> Finding:
    """The finding on a pickle in place of a model: what it holds, by the names in it."""
    listed = problem.evidence.get("names")
    names = [str(name) for name in listed] if isinstance(listed, list) else []
    model = any(map(_MODEL.fullmatch, names))
    # Names of Keras last: what else a pickle names is what its reader should see.
    names.sort(key=lambda name: "keras" in name.partition(".")[0])
    holds = "a Python pickle"
    if names:
        shown = ", ".join(names[:LISTED]) + (" …" if len(names) > LISTED else "")
        holds += f" that names {shown}{', as pickles of Keras models do' if model else ''}"
    elif problem.evidence.get("whole"):
        holds += ", in which no name of code was found"
    loads = "Keras and TensorFlow cannot load it."
    if inside := problem.evidence.get("inside"):
        loads = f"It has the data of a model in it ({inside}), "
        loads += (
            "which Keras loads without unpickling anything."
            if problem.evidence.get("found")
            else "which Keras does not look for in a file of this name."
        )
    return rule.finding(
        f"`{problem.file}` is {holds}. {loads} Opening it with pickle, joblib or dill runs whatever "
        "code it names.",
        title="A pickle has the name of a model",
        file=problem.file,
        evidence=problem.evidence,
        key="instead",
        severity=Severity.MEDIUM if _is_plain(names) else Severity.HIGH,
        confidence=Confidence.HIGH,
        fix=_AGAIN if model else _OTHER,
    )


def _is_plain(names: Sequence[str]) -> bool:
    """Whether it names nothing but what pickles of data, and those of Keras models, need."""
    models = {name for name in names if _MODEL.fullmatch(name)}
    return {*names} - models <= (_OF_MODEL if models else _HARMLESS)

"""MA739: a pickle that has the name of a model."""

from __future__ import annotations

import re

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
# A pickle can import what it names under another name, so names prove nothing.
_AGAIN = (
    "Do not open it unless you know who wrote it. If you do, unpickle it with the version of Keras that "
    'wrote it, and save it with `model.save("model.keras")`.'
)
_OTHER = (
    "Do not open it unless you know who wrote it. Save a Keras model with "
    '`model.save("model.keras")`, and give pickles of other objects the suffix `.pkl`.'
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
        shown = ", ".join(names[:LISTED]) + " …" * (len(names) > LISTED)
        holds += f" that names {shown}{', as pickles of Keras models do' * model}"
    elif problem.evidence.get("whole"):
        holds += ", in which no name of code was found"
    return rule.finding(
        f"{problem.file} is {holds}. Keras and TensorFlow cannot load it. Opening it with pickle, "
        "joblib or dill runs whatever code it names.",
        title="A pickle has the name of a model",
        file=problem.file,
        evidence=problem.evidence,
        key="instead",
        severity=Severity.MEDIUM,
        confidence=Confidence.HIGH,
        fix=_AGAIN if model else _OTHER,
    )

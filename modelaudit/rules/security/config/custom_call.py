"""The call that loads a model with its own classes and functions."""

from __future__ import annotations

import keyword
from collections.abc import Iterable

from modelaudit.audit_types.loading import LoadOutcome
from modelaudit.facts import Artifact, Format
from modelaudit.file_formats import Content, formats
from modelaudit.findings import Remedy
from modelaudit.rules.model import Facts
from modelaudit.runtimes.model import LoadCall, Prediction
from modelaudit.runtimes.saved_config import passed

_CODE = "Get the code of {names} from the author, read it, and pass it when you load the model.\n\n"
_KNOWN = "Pass {names} when you load the model.\n\n"
_OWN = "Pass TensorFlow's function when you load the model.\n\n"
# Functions of TensorFlow by the names that Keras saves, which are not those that they are called by.
_OF_TENSORFLOW = {"softmax_v2": "tf.nn.softmax", "log_softmax_v2": "tf.nn.log_softmax"}
_UNBUILT = (
    "\n\nIf this raises that a layer was never built, the build() of the class around it has to call "
    "that layer's build()."
)
_CHECKED = (
    "\n\nWith the path of that code as `source_code` in the settings, predictions say what of it does "
    "not fit the file."
)
_PASSED = "custom_objects"  # in the label of a call
_MOST = 8  # names in a call
_WHOLE = formats(Content.MODEL)


def loading_fix(facts: Facts, names: Iterable[str]) -> Remedy:
    """What to do, with the exact call if nothing else keeps a runtime from loading the model.

    Args:
        facts: of the model; predictions say which Keras loads it.
        names: keys of `custom_objects`: a class name, or `package>Name`.

    Returns:
        The advice; without a text if there is no such call.
    """
    keys = sorted(names)
    classes = [passed(key)["sign"] for key in keys]
    values = ["function" if each == "<lambda>" else each for each in classes]
    plain = all(each.isidentifier() and not keyword.iskeyword(each) for each in values)
    values = [_OF_TENSORFLOW.get(each, each) for each in values]
    chosen = next((each for each in facts.predictions if _needs_only(each, classes)), None)
    if chosen is None or not plain or not 0 < len(keys) <= _MOST:
        return Remedy("")
    given = ", ".join(f"{key!r}: {name}" for key, name in zip(keys, values, strict=True))
    call = _call(facts.artifact, f"custom_objects={{{given}}}")
    if not call:
        return Remedy("")
    keras = "tf_keras as keras" if chosen.runtime.startswith("tf-keras") else "keras"
    theirs = [each for each in classes if each not in _OF_TENSORFLOW]
    lines = ["import tensorflow as tf"] * (len(theirs) < len(classes)) + [f"import {keras}", *call]
    first = _KNOWN if facts.settings.source_code else _CODE
    code = first.format(names=", ".join(theirs)) if theirs else _OWN
    code += "\n".join(f"    {line}" for line in lines)
    if not facts.settings.source_code:
        if facts.artifact.format is Format.KERAS_ARCHIVE:
            code += _UNBUILT
        if theirs:
            code += _CHECKED
    return Remedy(code, loads=True)


def _needs_only(prediction: Prediction, classes: list[str]) -> bool:
    """Whether the prediction fails only because these classes have to be passed.

    With the classes of the settings passed, it is that the model loads.
    """
    call, *options = prediction.call.split(",")
    if call not in (LoadCall.LOAD_MODEL, LoadCall.FROM_JSON) or options not in ([], [_PASSED]):
        return False
    wanted = {each.sign for each in prediction.conditions}
    open_to_it = (LoadOutcome.LOADS, LoadOutcome.CONDITIONAL)
    loads = bool(options) and prediction.predicted in open_to_it
    return loads or (bool(wanted) and wanted <= {*classes})


def _call(artifact: Artifact, given: str) -> list[str]:
    name, beside = artifact.root.name, artifact.extra.get("architecture_from")
    if artifact.format in _WHOLE:
        return [f"model = keras.models.load_model({name!r}, {given}, compile=False)"]
    if isinstance(beside, str) and beside.endswith(".json"):
        return [
            f"config = open({beside!r}).read()",
            f"model = keras.models.model_from_json(config, {given})",
            f"model.load_weights({name!r})",
        ]
    return []

"""What of a model no architecture has with which predictions of loading were compared.

Predictions follow from what runtimes accept, which was observed, and from what their loaders do
with it, as far as somebody saw that it matters. So they are as good as the models with which they
were compared: those of `benchmarks/loading`, which several runtimes saved and others loaded. Of a
layer, an argument or a class that none of them has, a prediction is a guess.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from modelaudit.facts import Artifact, Document, Json
from modelaudit.formats.keras.builtin_layers import words
from modelaudit.runtimes.checks.saved_keras import KERAS_METADATA
from modelaudit.structs import PerObject
from modelaudit.work_budget import spend

TRIED = Path(__file__).parent / "tried_layers.json.gz"
_GZIP = 16 + zlib.MAX_WBITS
_LONGEST = 40  # letters of a word that an argument chooses; what is longer is a text
# Names, shapes and parts of a model that hold layers: other models have others.
_OF_MODELS = words(
    "name batch_input_shape batch_shape shape input_shape layers input_layers output_layers "
    "input_names output_names input_tensors output_tensors nodes inbound_nodes build_config "
    "compile_config module registered_name keras_version backend function_type "
    "output_shape_type vocabulary shared_object_id idf_weights input_spec"
)
_CODE = words("Lambda __lambda__ TensorFlowOpLayer")
_NOT_PARTS = words("__tuple__ __keras_tensor__ __tensor__ __numpy__ TensorShape TypeSpec InputSpec")
_ELSEWHERE = words("build_config compile_config training_config")  # judged with `compile` alone
_SHOWN = 4


@cache
def tried() -> dict[str, dict[str, frozenset[str]]]:
    """The kinds that were tried, by the class and its argument."""
    told = json.loads(zlib.decompress(TRIED.read_bytes(), _GZIP))
    return {
        name: {argument: frozenset(kinds) for argument, kinds in arguments.items()}
        for name, arguments in told.items()
    }


def kind_of(value: Json) -> str:
    """The kind of an argument's value: numbers and texts are alike, words and flags are not."""
    if isinstance(value, bool) or value is None:
        return str(value)
    if isinstance(value, int | float):
        return "negative" if value < 0 else "number"
    if isinstance(value, str):
        return repr(value) if len(value) <= _LONGEST else "text"
    if isinstance(value, list):
        kinds = {kind_of(each) for each in value[:8]}
        texts = any(kind[:1] == "'" for kind in kinds)
        return "texts" if texts else f"list of {', '.join(sorted(kinds)) or 'nothing'}"
    name, items = value.get("class_name"), value.get("items")
    if name == "__tuple__" and isinstance(items, list):  # as SavedModels store one
        return kind_of(items)
    return "object" if isinstance(name, str) else "dictionary"  # its class is told by itself


def kinds_in(value: Json) -> Iterator[tuple[str, dict[str, str]]]:
    """Each class in a config, at any depth, with the kinds of its arguments.

    Args:
        value: as Keras serializes it: dictionaries with `class_name` and `config`.
    """
    pending = [value]
    while pending:
        current = pending.pop()
        spend(1)
        if isinstance(current, list):
            pending.extend(current)
        if not isinstance(current, dict):
            continue
        name, config = current.get("class_name"), current.get("config")
        if isinstance(name, str) and name not in _NOT_PARTS:
            given = config if isinstance(config, dict) else {}
            yield name, {key: kind_of(given[key]) for key in given if key not in _OF_MODELS}
        pending.extend(each for key, each in current.items() if key not in _ELSEWHERE)


def of_layers(document: Document) -> bool:
    """Whether it describes layers, not how the model was compiled, nor one of its metrics."""
    metric = isinstance(document.value, dict) and "trainable" not in document.value
    return document.route != "training_config" and not (document.file == KERAS_METADATA and metric)


def _untried(artifact: Artifact) -> tuple[str, ...]:
    if not artifact.documents:
        return ("its layers, which the file does not list",)
    known, found = tried(), dict[str, None]()
    for document in filter(of_layers, artifact.documents):
        for name, arguments in kinds_in(document.value):
            shown = name[:_LONGEST]
            if name in _CODE:
                found[f"the code in `{shown}`"] = None
                continue
            if name == "function":
                found["a function of its program"] = None
                continue
            if name not in known:
                found[f"the class `{shown}`"] = None
                continue
            for argument, kind in arguments.items():
                if kind != "None" and kind not in known[name].get(argument, ()):
                    found[f"`{argument[:_LONGEST]}` of `{shown}`"] = None
    told = list(found)
    more = [f"and {len(told) - _SHOWN:,} more"] if len(told) > _SHOWN else []
    return (*told[:_SHOWN], *more)


untried = PerObject(_untried)
"""What of a model was not tried, in words: at most four parts, and how many more there are."""

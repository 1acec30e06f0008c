"""Compiling a loaded model with its saved settings, as `load_model` does by default.

Python 3.7 syntax; TensorFlow 1.15 and later.
"""

from __future__ import annotations

import contextlib
import inspect
import json
import sys
from typing import TYPE_CHECKING

from .adapters import AdapterError

if TYPE_CHECKING:
    from .frames import Untyped


def compile_as_saved(keras: Untyped, model: Untyped, training: str, archive: bool) -> None:
    """Create the optimizer, losses and metrics, and compile the model with them.

    The state of the optimizer is left out: loaders only warn if they cannot restore it.

    Args:
        model: a model that was loaded with `compile=False`.
        training: the training config or compile config of the file, as JSON.
        archive: whether the file is a .keras archive.

    Raises:
        AdapterError: this Keras has no function for it where expected.
    """
    if archive:
        deserialize = _loaders_own(keras, "serialization_lib", "deserialize_keras_object")
        model.compile(**deserialize(json.loads(training)))
    else:
        decode = _loaders_own(keras, "json_utils", "decode")
        arguments = _loaders_own(keras, "saving_utils", "compile_args_from_training_config")
        with _legacy_scope(keras):
            model.compile(**arguments(decode(training)))


def _legacy_scope(keras: Untyped) -> Untyped:
    """The scope in which Keras 2.12 and later reads HDF5: classes are looked up by their names.

    Outside of it, a class that is not found stays a text, and no error is raised.
    """
    try:
        scope = _loaders_own(keras, "saved_model.utils", "keras_option_scope")
    except AdapterError:
        return contextlib.nullcontext()  # Keras 3 compiles without one
    if "in_tf_saved_model_scope" not in inspect.signature(scope).parameters:
        return contextlib.nullcontext()
    return scope(save_traces=False, in_tf_saved_model_scope=True)


def _loaders_own(keras: Untyped, tail: str, name: str) -> Untyped:
    """A function of the modules that read models; some are not public, and have moved."""
    root = keras.Model.__module__.split(".")[0]
    for path, module in sorted(sys.modules.items()):
        if path.startswith(root + ".") and path.endswith("." + tail) and hasattr(module, name):
            return getattr(module, name)
    raise AdapterError(f"this Keras has no {tail}.{name}")

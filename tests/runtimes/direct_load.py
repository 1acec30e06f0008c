"""Load models by the calls that a user would type, in any interpreter: an oracle for the probe.

`python direct_load.py REQUEST.json` with `[[path, call], …]` prints one JSON line: for each the
type of the error, or the outputs for one input in [0, 1] as nested lists. It does not import the
package and runs under Python 3.8 and later.
"""

import json
import sys
from pathlib import Path

import numpy as np
import tensorflow as tf


def given(shape):
    return np.random.RandomState(3).uniform(size=[4, *shape[1:]]).astype("float32")


def load_model(path):
    model = tf.keras.models.load_model(path, compile=False)
    return model(given(model.inputs[0].shape), training=False)


def saved_model_load(path):
    signature = tf.saved_model.load(path).signatures["serving_default"]
    ((name, spec),) = signature.structured_input_signature[1].items()
    return signature(**{name: tf.constant(given(spec.shape))})


def tfsm_layer(path):
    layer = tf.keras.layers.TFSMLayer(path, call_endpoint="serving_default")
    signature = tf.saved_model.load(path).signatures["serving_default"]
    ((_, spec),) = signature.structured_input_signature[1].items()
    return layer(given(spec.shape))


CALLS = {"load_model": load_model, "saved_model.load": saved_model_load, "TFSMLayer": tfsm_layer}


def attempt(path, call):
    try:
        result = CALLS[call](path)
    except Exception as error:  # any exception of a loader is a result
        return {"error": type(error).__name__}
    if isinstance(result, dict):
        (result,) = result.values()
    return {"outputs": np.asarray(result, "float64").tolist()}


if __name__ == "__main__":
    with Path(sys.argv[1]).open() as request:
        wanted = json.load(request)
    sys.stdout.write(json.dumps([attempt(path, call) for path, call in wanted]))

"""Models of Keras 3 as the converter of TensorFlow.js writes them, and of Keras 2.

What is expected is what `loadLayersModel` of TensorFlow.js 4.22.0 did with these files:
"An InputLayer should be passed either a `batchInputShape` or an `inputShape`", "Corrupted
configuration, expected array for nodeData", "Provided weight data has no target variable:
sequential/dense/kernel", or it loaded them and predicted.
"""

from __future__ import annotations

import json

import numpy as np
import pytest

from modelaudit.pipeline import static_facts
from modelaudit.rules.compatibility.browsers import RULES
from modelaudit.rules.engine import run_rules
from modelaudit.settings import Settings

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]
SHAPE, NODES, NAMES = "batch_shape", "inbound_nodes", "weights have names"
# Library, kind, whether the shape is corrected, and the causes.
CASES = [
    ("keras", "sequential", False, [SHAPE, NAMES]),
    ("keras", "sequential", True, [NAMES]),
    ("keras", "functional", False, [SHAPE, NODES]),
    ("keras", "functional", True, [NODES]),
    ("tf_keras", "sequential", False, []),
    ("tf_keras", "functional", False, []),
]


@pytest.mark.parametrize(("library", "kind", "corrected", "causes"), CASES)
def test_what_tensorflow_js_does_not_read(tmp_path, library, kind, corrected, causes):
    k = pytest.importorskip(library)
    given = k.Input((4,))
    layers = [k.layers.Dense(3, activation="relu"), k.layers.Dense(2)]
    model = k.Sequential([given, *layers], name="sequential")
    if kind == "functional":
        model = k.Model(given, layers[1](layers[0](given)))
    saved = json.loads(model.to_json())
    for layer in saved["config"]["layers"]:
        if corrected and "batch_shape" in layer["config"]:
            layer["config"]["batch_input_shape"] = layer["config"].pop("batch_shape")
    names = [getattr(weight, "path", weight.name).removesuffix(":0") for weight in model.weights]
    values = [np.asarray(weight, "float32") for weight in model.weights]
    (tmp_path / "w.bin").write_bytes(b"".join(value.tobytes() for value in values))
    weights = [
        {"name": name, "shape": list(value.shape), "dtype": "float32"}
        for name, value in zip(names, values, strict=True)
    ]
    document = {
        "format": "layers-model",
        "modelTopology": {"model_config": {key: saved[key] for key in ("class_name", "config")}},
        "weightsManifest": [{"paths": ["w.bin"], "weights": weights}],
    }
    (tmp_path / "model.json").write_text(json.dumps(document))
    (result,) = run_rules(RULES, static_facts(tmp_path / "model.json", Settings()))
    said = [finding.detail for finding in result.findings]
    assert len(said) == bool(causes)
    assert [word for word in (SHAPE, NODES, NAMES) if word in "".join(said)] == causes

"""MLflow's signature compared with the model, checked by calling Keras and TensorFlow."""

from __future__ import annotations

import json

import numpy as np
import pytest
import yaml

import modelaudit
from modelaudit.findings import Outcome

pytestmark = pytest.mark.slow


def tensor(shape, dtype="float32", name=None):
    said = {"type": "tensor", "tensor-spec": {"dtype": dtype, "shape": list(shape)}}
    return said | ({"name": name} if name else {})


NOT_RUN = modelaudit.Settings(probe=modelaudit.ProbeSettings(enabled=False))


def described(folder, inputs, outputs=None, flavor="keras"):
    """Write MLflow's file next to a model in `folder`/data and return the result of MA802."""
    signature = {"inputs": json.dumps(inputs), "outputs": json.dumps(outputs) if outputs else None}
    said = {"flavors": {flavor: {"data": "data"}}, "signature": signature}
    (folder / "MLmodel").write_text(yaml.safe_dump(said))
    (audit,) = modelaudit.audit(folder, NOT_RUN)
    (result,) = [each for each in audit.results if each.code == "MA802"]
    return result


def array(said):
    spec = said["tensor-spec"]
    shape = [3 if n == -1 else n for n in spec["shape"]]
    return np.full(shape, "a", object) if spec["dtype"] == "str" else np.ones(shape, spec["dtype"])


def refused(call):
    try:
        call()
    except Exception:  # an exception of any class is a refusal
        return True
    return False


SAID = [
    tensor((-1, 6, 6, 1)),
    tensor((-1, -1, -1, 1)),
    tensor((-1, 6, 6)),
    tensor((-1, 6, 6, 3)),
    tensor((-1, 36)),
    tensor((6, 6, 1)),
    tensor((-1, 6, 6, 1), "float64"),
    tensor((-1, 6, 6, 1), "uint8"),
    tensor((-1, 6, 6, 1), "str"),
]


def fits(said):
    """An array for the specification; unknown axes get sizes that the model accepts."""
    spec = said["tensor-spec"]
    shape = [6 if n == -1 and i else n for i, n in enumerate(spec["shape"])]
    return array({"tensor-spec": spec | {"shape": shape}})


@pytest.fixture(scope="module")
def model(keras):
    given = keras.Input((6, 6, 1), name="image")
    seen = keras.layers.Flatten()(keras.layers.Conv2D(2, 3)(given))
    return keras.Model(given, keras.layers.Dense(4)(seen))


@pytest.mark.parametrize("said", SAID, ids=str)
def test_a_keras_model_refuses_the_reported_inputs(tmp_path, model, said):
    (tmp_path / "data").mkdir()
    model.save(tmp_path / "data" / "model.keras")
    found = described(tmp_path, [said]).outcome is Outcome.FAIL
    assert found == refused(lambda: model(fits(said)))


@pytest.mark.parametrize("said", [*SAID, tensor((-1, 6, 6, 1, 1))], ids=str)
def test_a_saved_model_refuses_the_reported_inputs(tensorflow, tmp_path, model, said):
    model.export(tmp_path / "data", verbose=False)
    serve = tensorflow.saved_model.load(tmp_path / "data").signatures["serving_default"]
    (port,) = serve.structured_input_signature[1].values()
    found = described(tmp_path, [said], flavor="tensorflow").outcome is Outcome.FAIL
    assert found != port.is_compatible_with(tensorflow.constant(fits(said)))


def test_undescribed_inputs_are_reported(keras, tmp_path):
    a, b = keras.Input((4,), name="a"), keras.Input((2,), name="b")
    model = keras.Model([a, b], keras.layers.Dense(3)(keras.layers.Concatenate()([a, b])))
    (tmp_path / "data").mkdir()
    model.save(tmp_path / "data" / "model.keras")
    found = described(tmp_path, [tensor((-1, 4))])
    assert refused(lambda: model(np.ones((3, 4))))
    assert found.findings[0].detail == (
        "MLflow's signature declares 1 of the 2 inputs that the model takes."
    )
    both = [tensor((-1, 2), name="b"), tensor((-1, 4), name="a")]
    assert described(tmp_path, both).outcome is Outcome.PASS
    wrong = [tensor((-1, 4), name="b"), tensor((-1, 2), name="a")]
    told = [each.detail for each in described(tmp_path, wrong).findings]
    said = "MLflow's signature declares float32 {} for input {}, but the model takes float32 {}."
    assert told == [said.format("[?, 4]", "b", "[?, 2]"), said.format("[?, 2]", "a", "[?, 4]")]
    other = [tensor((-1, 4), name="x"), tensor((-1, 2), name="y")]
    assert described(tmp_path, other).outcome is Outcome.NOT_APPLICABLE


@pytest.mark.parametrize(
    ("outputs", "outcome"),
    [
        ([tensor((-1, 4))], Outcome.PASS),
        ([tensor((-1, 4), "float64")], Outcome.PASS),
        ([tensor((-1, 10))], Outcome.FAIL),
        ([tensor((-1, 10), name="a"), tensor((-1, 4), name="b")], Outcome.PASS),  # ambiguous
        ([{"type": "double", "name": "a"}], Outcome.PASS),  # a table's column
    ],
)
def test_outputs(tmp_path, model, outputs, outcome):
    (tmp_path / "data").mkdir()
    model.save(tmp_path / "data" / "model.keras")
    assert described(tmp_path, [tensor((-1, 6, 6, 1))], outputs).outcome is outcome


def test_signatures_without_tensors_or_for_several_models_do_not_apply(tmp_path, model):
    (tmp_path / "data").mkdir()
    model.save(tmp_path / "data" / "model.keras")
    assert described(tmp_path, [{"type": "double", "name": "a"}]).moot
    text = (tmp_path / "MLmodel").read_text()
    for broken in ("[", "{}", "[1]", '[{"tensor-spec": {"dtype": 1, "shape": [-7]}}]'):
        said = yaml.safe_load(text) | {"signature": {"inputs": broken}}
        (tmp_path / "MLmodel").write_text(yaml.safe_dump(said))
        (audit,) = modelaudit.audit(tmp_path, NOT_RUN)
        assert next(each for each in audit.results if each.code == "MA802").moot

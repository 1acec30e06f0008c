"""Code that Keras 3 refuses: names against the classes themselves, and flags by position."""

from __future__ import annotations

from pathlib import Path

import pytest

from modelaudit.formats.reader import read
from modelaudit.formats.source_code.reading import read_source_code
from modelaudit.layer_classes import LAYER_CLASSES, TAKES_ANY_VALUE
from modelaudit.runtimes.catalogue import as_installed, find_profile
from modelaudit.runtimes.checks.own_classes import names_of_keras2 as of_keras2
from modelaudit.runtimes.model import FIRST_CALL, LoadCall, LoadRequest
from modelaudit.runtimes.predict import predict_calls
from modelaudit.settings import Limits

pytestmark = pytest.mark.slow
MADE = {
    "Dropout": (0.1,),
    "LayerNormalization": (),
    "BatchNormalization": (),
    "Embedding": (4, 3),
    "MultiHeadAttention": (2, 2),
    "DepthwiseConv2D": (1,),
}


def made(keras, name: str):
    """A layer of this class, built where that adds attributes."""
    layers = keras.layers
    if name in ("Bidirectional", "RNN", "TimeDistributed"):
        inside = layers.LSTMCell(3) if name == "RNN" else layers.LSTM(3)
        return getattr(layers, name)(inside)
    arguments = MADE.get(name, (2, 1) if "Conv" in name else (3,))
    return getattr(layers, name)(*arguments)


@pytest.mark.parametrize("name", ["Layer", *of_keras2.OF_CLASSES])
def test_attributes_of_one_generation(name: str) -> None:
    keras, tf_keras = pytest.importorskip("keras"), pytest.importorskip("tf_keras")
    assert name == "Layer" or name in LAYER_CLASSES
    names = of_keras2.OF_CLASSES.get(name, of_keras2.LAYER | of_keras2.SHAPES)
    old, new = (
        each.layers.Layer() if name == "Layer" else made(each, name) for each in (tf_keras, keras)
    )
    if "depthwise_kernel" in names:
        old.build((None, 4, 4, 3))
        new.build((None, 4, 4, 3))
    here = {*dir(old), *(each for each in of_keras2.SHAPES if hasattr(type(old), each))}
    assert names <= here
    assert not names & {*dir(new)}


def test_models_have_them_neither() -> None:
    keras = pytest.importorskip("keras")
    start = keras.Input((3,))
    model = keras.Model(start, keras.layers.Dense(2)(start))
    assert not of_keras2.LAYER & {*dir(model)}
    assert {*dir(model)} >= of_keras2.SHAPES


def test_functions_of_one_generation() -> None:
    tf, tf_keras = pytest.importorskip("tensorflow"), pytest.importorskip("tf_keras")
    keras = pytest.importorskip("keras")
    assert tf.keras.__version__.startswith("3")
    for module, names in (
        ("backend", of_keras2.BACKEND),
        ("losses", of_keras2.LOSSES),
        ("metrics", of_keras2.LOSSES),
    ):
        assert names <= {*dir(getattr(tf_keras, module))}
        assert not names & {*dir(getattr(tf.keras, module))}
    public = {each for each in dir(keras.backend) if not each.startswith("_")}
    assert public == of_keras2.PLAIN_BACKEND
    for word in of_keras2.ADD_WEIGHT:
        with pytest.raises(TypeError, match=word):
            keras.layers.Layer().add_weight(shape=(), **{word: None})


def test_layers_that_take_any_value() -> None:
    keras = pytest.importorskip("keras")
    for name in TAKES_ANY_VALUE:
        numbers = {"num_bins": 3} if name.startswith("Hash") else {}
        assert getattr(keras.layers, name)(**numbers)._allow_non_tensor_positional_args
    assert not keras.layers.Dense(2)._allow_non_tensor_positional_args


CODE = """
from tensorflow import keras

class Flagged(keras.layers.Layer):
    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.norm = keras.layers.BatchNormalization()

    def call(self, x, training=None):
        return self.norm(x, training)
"""


def test_a_flag_that_is_none_until_somebody_predicts(tmp_path: Path) -> None:
    keras, np = pytest.importorskip("keras"), pytest.importorskip("numpy")
    path = tmp_path / "own.py"
    path.write_text(CODE, encoding="utf-8")
    own: dict[str, type] = {}
    exec(compile(CODE, str(path), "exec"), own)
    start = keras.Input((4,))
    saved = keras.Model(start, own["Flagged"]()(start))
    saved.save(tmp_path / "m.keras")
    loaded = keras.models.load_model(tmp_path / "m.keras", custom_objects=own)
    with pytest.raises(ValueError, match="Only input tensors"):
        loaded.predict(np.ones((2, 4)), verbose=0)
    code = read_source_code([str(path)])
    request = LoadRequest(LoadCall.LOAD_MODEL, custom=code.passed)
    profile = as_installed(find_profile("tf==2.21.0"))
    model = read(tmp_path / "m.keras", Limits())
    (found,) = predict_calls(model, [(profile, request)], code)
    assert found.predicted.value == "fails"
    assert [(each.code, each.later) for each in found.because] == [
        ("code-of-other-keras", FIRST_CALL)
    ]


REPEATED = """
import tensorflow as tf
from tensorflow import keras
from keras import ops

def causal_mask(batch_size, steps):
    i = ops.arange(steps)[:, None]
    mask = ops.reshape(ops.cast(i >= ops.arange(steps), "float32"), [1, steps, steps])
    TIMES
    return ops.tile(mask, times)

class Masked(keras.layers.Layer):
    def call(self, x):
        shape = ops.shape(x)
        return ops.matmul(causal_mask(shape[0], shape[1]), x)
"""
AS_TENSOR = """times = ops.concatenate(
        [ops.expand_dims(batch_size, -1), ops.convert_to_tensor([1, 1])], 0
    )"""
# How often each row is repeated -> what Keras 3.13 and later, and earlier ones, do with it.
REPEATS = {
    "times = (batch_size, 1, 1)": ("loads", "loads"),
    AS_TENSOR: ("fails", "loads"),
}


@pytest.mark.parametrize("times", REPEATS)
def test_a_number_of_repeats_in_a_tensor(tmp_path: Path, times: str) -> None:
    """As in Keras' guide on generating text; Keras 3.15 saves the model of the tuple alone."""
    keras, np = pytest.importorskip("keras"), pytest.importorskip("numpy")

    def made(text: str) -> dict[str, type]:
        own: dict[str, type] = {}
        exec(compile(REPEATED.replace("TIMES", text), "own.py", "exec"), own)
        return own

    start = keras.Input((3, 4))
    saved = keras.Model(start, made("times = (batch_size, 1, 1)")["Masked"]()(start))
    saved.save(tmp_path / "m.keras")
    (tmp_path / "own.py").write_text(REPEATED.replace("TIMES", times), encoding="utf-8")
    try:
        loaded = keras.models.load_model(tmp_path / "m.keras", custom_objects=made(times))
        loaded.predict(np.ones((2, 3, 4)), verbose=0)
        happened = "loads"
    except Exception as error:  # TensorFlow does not export its class
        assert "Iterating over a symbolic" in str(error)
        happened = "fails"
    code = read_source_code([str(tmp_path / "own.py")])
    request = LoadRequest(LoadCall.LOAD_MODEL, custom=code.passed)
    targets = ("tf==2.21", "keras==3.12", "keras==3.13")
    asked = [(find_profile(each), request) for each in targets]
    found = predict_calls(read(tmp_path / "m.keras", Limits()), asked, code)
    new, old = REPEATS[times]
    assert [each.predicted.value for each in found] == [new, old, new]
    assert happened == new


OF_FILE = """
IMPORT

class Scaled(layers.Layer):
    def call(self, x):
        return 2.0 * x
"""
FROM, SAVING = "from tensorflow.keras import layers", "register_keras_serializable"
ONLY_OLD = f"{FROM}\nfrom tensorflow.keras.layers import LocallyConnected1D"
TRIED = f"""{FROM}
try:
    from tensorflow.keras.layers import LocallyConnected1D
except ImportError:
    LocallyConnected1D = layers.Conv1D"""
# What a file imports -> whether TensorFlow 2.21, and TensorFlow 2.9, have all of that.
IMPORTS = {
    FROM: (True, True),
    ONLY_OLD: (False, True),
    TRIED: (True, True),
    f"{FROM}\nfrom tensorflow.compat.v1.keras import regularizers": (False, True),
    f"{FROM}\nimport tensorflow as tf\nregularizers = tf.compat.v1.keras.regularizers": (
        True,
        True,
    ),
    f"{FROM}\nfrom tensorflow.keras.layers import ThresholdedReLU": (True, True),
    f"{FROM}, saving\n\ndef made(by=saving.{SAVING}):\n    pass": (True, False),
    f"{FROM}, utils\n\ndef made(by=utils.{SAVING}):\n    pass": (True, True),
}


@pytest.mark.parametrize("imports", IMPORTS)
def test_a_file_that_a_version_does_not_import(tmp_path: Path, imports: str) -> None:
    """By what is imported here, in TensorFlow 2.21; 2.9 has no `keras.saving`."""
    tf_keras = pytest.importorskip("tf_keras")
    assert pytest.importorskip("tensorflow").keras.__version__.startswith("3")
    old: dict[str, type] = {"layers": tf_keras.layers}
    exec(OF_FILE.replace("IMPORT", ""), old)
    start = tf_keras.Input((4,))
    tf_keras.Model(start, old["Scaled"]()(start)).save(tmp_path / "m.h5")
    text = OF_FILE.replace("IMPORT", imports)
    (tmp_path / "own.py").write_text(text, encoding="utf-8")
    try:
        exec(compile(text, "own.py", "exec"), {})
        imported = True
    except ImportError:
        imported = False
    code = read_source_code([str(tmp_path / "own.py")])
    request = LoadRequest(LoadCall.LOAD_MODEL, custom=code.passed)
    asked = [(find_profile(each), request) for each in ("tf==2.21", "tf==2.9", "tf-keras==2.21")]
    found = predict_calls(read(tmp_path / "m.h5", Limits()), asked, code)
    said = [any("a file that needs" in x.text for x in each.because) for each in found]
    assert said == [not each for each in (*IMPORTS[imports], True)]
    assert [each.predicted.value for each in found[::2]] == ["loads" if imported else "fails"] + [
        "loads"
    ]
    assert imported is IMPORTS[imports][0]

"""Code in configs: every encoding and position, and its severity."""

from __future__ import annotations

import base64
import marshal
from types import CodeType

import pytest

from modelaudit.facts import Document, Format, Json
from modelaudit.findings import Finding, Severity
from modelaudit.rules.catalogue import rule
from modelaudit.rules.engine import run_rules
from modelaudit.rules.examples import layer, model
from modelaudit.rules.model import Facts
from modelaudit.rules.security import RULES
from modelaudit.structs import replace
from tests.rules.saved import found

HONEST = "lambda x: K.sqrt(K.sum(K.square(x[0] - x[1]), axis=1)) / 255.0 - 0.5"
HOSTILE = "lambda x: __import__('os').system('true') or x"


def bytecode(source: str, version: int = 4) -> bytes:
    mode = "exec" if source.startswith("def ") else "eval"
    module = compile(source, "notebook.py", mode)
    (code,) = [value for value in module.co_consts if isinstance(value, CodeType)]
    return marshal.dumps(code, version)


def in_base64(source: str) -> str:
    return base64.encodebytes(bytecode(source)).decode()


def raw(source: str) -> str:
    """Code in the JSON form of Keras 1."""
    return bytecode(source, 2).decode("raw_unicode_escape")


def keras3(code: Json) -> dict[str, Json]:
    return {"class_name": "__lambda__", "config": {"code": code, "defaults": None}}


def lambda_layer(**config: Json) -> dict[str, Json]:
    return {"class_name": "Lambda", "config": {"name": "shift", **config}}


def findings(*layers: Json, kind: Format = Format.KERAS_ARCHIVE) -> list[Finding]:
    config: Json = {"class_name": "Sequential", "config": {"name": "m", "layers": list(layers)}}
    artifact = replace(model(layer(), kind=kind), documents=(Document("config.json", "", config),))
    return [finding for result in run_rules(RULES, Facts(artifact)) for finding in result.findings]


def names(*layers: Json) -> set[str]:
    return {finding.name for finding in findings(*layers)}


def encodings(source: str) -> dict[str, dict[str, Json]]:
    code = in_base64(source)
    return {
        "keras 1": lambda_layer(function=raw(source), function_type="lambda"),
        "keras 2.0": lambda_layer(function=[raw(source), None, None], function_type="lambda"),
        "keras 2": lambda_layer(function=[code, None, None], function_type="lambda"),
        "keras 3": lambda_layer(function=keras3(code)),
        "source": lambda_layer(function=source),
        "tuple": lambda_layer(function={"class_name": "__tuple__", "items": [code, None, None]}),
        "output_shape": lambda_layer(output_shape=[code, None], output_shape_type="lambda"),
        "mask": lambda_layer(mask=[code, None], mask_type="lambda"),
        "mask 3": lambda_layer(mask=keras3(code)),
        "wrapped": {
            "class_name": "TimeDistributed",
            "config": {"layer": lambda_layer(function=keras3(code))},
        },
        "nested": {
            "class_name": "Functional",
            "config": {"layers": [lambda_layer(function=keras3(code))]},
        },
        "argument": {"class_name": "Dense", "config": {"units": 1, "activation": keras3(code)}},
        "anywhere": {"class_name": "Dense", "config": {"note": {"a": [[{"b": code}]]}}},
    }


@pytest.mark.parametrize("encoding", encodings(HONEST))
def test_arithmetic_is_reported_and_is_no_attack(encoding: str) -> None:
    (found,) = findings(encodings(HONEST)[encoding])
    assert (found.name, found.severity) == ("lambda-layer", Severity.MEDIUM)
    told = found.evidence["names"]
    assert isinstance(told, list)
    assert {"K", "sqrt", "sum", "square"} <= set(told)


@pytest.mark.parametrize("encoding", encodings(HOSTILE))
def test_an_escape_is_critical(encoding: str) -> None:
    (found,) = findings(encodings(HOSTILE)[encoding])
    assert (found.name, found.severity) == ("dangerous-code", Severity.CRITICAL)
    assert found.evidence["constants"] == ["os", "true"]
    assert "runs programs" in found.detail
    if encoding != "source":
        assert found.evidence["origin"] == "notebook.py:1"


@pytest.mark.parametrize(
    "source",
    [
        "lambda x: open('/etc/hostname').read()",
        "lambda x: tf.io.read_file('/etc/hostname')",
        "lambda x: K.sys.modules",
        "lambda x: getattr(tf, 'io')",
        "lambda x: [c for c in ().__class__.__base__.__subclasses__()]",
        "lambda x: (lambda y: eval(y))('1')",
        "lambda x: tf.py_function(eval, [x], tf.int32)",
        "lambda x: tf.keras.utils.get_file('a', 'http://localhost')",
        "lambda x: tf.raw_ops.WriteFile(filename='a', contents='b')",
        "lambda x: tf.data.FixedLengthRecordDataset('a', 1)",
        "lambda x: tf.train.load_checkpoint('a')",
        "lambda x: tf.lookup.TextFileInitializer('a', 1, 1, 1, 1)",
        "lambda x: tf.distribute.Server(x)",
        "lambda x: keras.layers.deserialize(x)",
        "lambda x: operator.attrgetter('__globals__')(x)",
        "lambda x: timeit.timeit('1')",
        "lambda x: pandas.read_csv('a')",
        "lambda x: cv2.imread('a')",
    ],
)
def test_every_escape_is_recognised(source: str) -> None:
    assert names(lambda_layer(function=keras3(in_base64(source)))) == {"dangerous-code"}
    assert names(lambda_layer(function=source)) == {"dangerous-code"}


@pytest.mark.parametrize("name", ["tf.py_function", "tf.numpy_function", "tf.compat.v1.py_func"])
def test_a_python_function_is_judged_by_what_it_does(name: str) -> None:
    """Code that TensorFlow runs as Python is in the same code, and all its names are judged."""
    source = f"lambda x: {name}(lambda a: a * 2, [x], tf.float32)"
    assert names(lambda_layer(function=keras3(in_base64(source)))) == {"unlisted-code"}
    source = f"lambda x: {name}(lambda a: open(a), [x], tf.float32)"
    assert names(lambda_layer(function=keras3(in_base64(source)))) == {"dangerous-code"}


@pytest.mark.parametrize(
    "source",
    [
        "lambda x: x / 255 - 0.5",
        "lambda x: vgg16.preprocess_input(x)",
        "lambda x: x if isinstance(x, tf.Tensor) else tf.cast(x, tf.float32)",
        "lambda x: x.dtype if hasattr(x, 'dtype') else x",
        "def f(x):\n  try:\n    return tf.abs(x)\n  except Exception:\n    return x",
        "lambda t: tf.image.resize(t, (64, 64))",
        "lambda v: tf.io.decode_raw(v, tf.uint8)",
        "lambda v: tf.abs(tf.signal.stft(v, 256, 128))",
        "lambda p: p[0] + K.exp(p[1] / 2) * K.random_normal(shape=K.shape(p[0]))",
        "lambda x: tf.squeeze(tf.nn.softmax(x, axis=-1), axis=[1, 2])",
    ],
)
def test_benign_layers_are_no_attack(source: str) -> None:
    assert names(lambda_layer(function=keras3(in_base64(source)))) == {"lambda-layer"}


@pytest.mark.parametrize("before", ["\n  ", "!", "%$-~ ", "é"])
def test_characters_ignored_by_base64_hide_nothing(before: str) -> None:
    code = in_base64(HOSTILE)
    dirty = before + code[:10] + before + code[10:]
    for function in (keras3(dirty), [dirty, None, None]):
        assert names(lambda_layer(function=function, function_type="lambda")) == {"dangerous-code"}
    assert names({"class_name": "Dense", "config": {"note": dirty}}) == {"dangerous-code"}


def test_many_arguments_hide_nothing() -> None:
    arguments = ", ".join(f"a{number}" for number in range(300))
    code = in_base64(f"lambda {arguments}: __import__('os').system('true')")
    assert names(lambda_layer(function=keras3(code))) == {"dangerous-code"}


@pytest.mark.parametrize(
    "function",
    [
        keras3(in_base64(HONEST)[:60]),
        keras3("not code at all, and no base64 either \x01"),
        keras3("QUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFB"),
        [raw(HONEST)[:40], None, None],
    ],
)
def test_unreadable_code_is_high(function: Json) -> None:
    (found,) = findings(lambda_layer(function=function))
    assert (found.name, found.severity) == ("unreadable-code", Severity.HIGH)


def test_a_named_function_is_no_code() -> None:
    named = lambda_layer(function="relu", function_type="function", module="keras.activations")
    assert findings(named) == []


def test_the_position_of_the_code_is_reported() -> None:
    inner = {
        "class_name": "Functional",
        "config": {"name": "inner", "layers": [lambda_layer(function=keras3(in_base64(HONEST)))]},
    }
    (found,) = findings(inner)
    assert str(found.location) == (
        "config.json:config/layers/inner/config/layers/shift/config/function/config/code"
    )
    other = findings({"class_name": "Dense", "config": {"name": "d"}}, inner)
    assert [each.fingerprint for each in other] == [found.fingerprint]


def test_the_h5_finding_says_that_safe_mode_does_not_help() -> None:
    (found,) = findings(
        lambda_layer(function=keras3(in_base64(HONEST))), kind=Format.LEGACY_H5_FULL
    )
    assert "CVE-2025-9905" in found.detail


# `lambda x: tf.reduce_sum(x, axis=[1, 2, 3])`, compiled by Python 3.9.
LISTS = (
    "4wEAAAAAAAAAAAAAAAEAAAAEAAAAQwAAAHMSAAAAdABqAXwAZwBkAaIBZAKNAlMAKQNOKQPpAQAAAOkCAAAA6QMAAAAp"
    "AVoEYXhpcykCWgJ0ZloKcmVkdWNlX3N1bSkB2gF4qQByBQAAAPoFbmIucHnaCDxsYW1iZGE+AQAAAPMAAAAA"
)


def test_honest_code_that_an_older_python_reads_as_harm_is_no_more_than_medium() -> None:
    (found,) = [
        x
        for x in findings(lambda_layer(function=[LISTS, None, None]))
        if x.code in {"MA701", "MA717"}
    ]
    assert (found.name, found.severity) == ("unlisted-code", Severity.MEDIUM)
    assert found.evidence["unsound"] == ["3.8"]
    assert "Python 3.8 reads" in found.detail


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("names", [("twice",), ("twice", "again")])
def test_a_saved_model_tells_each_lambda_once(tmp_path, names):
    """Its metadata have the config of a layer and that of the whole model."""
    k = pytest.importorskip("tf_keras")
    start = hidden = k.Input((4,))
    for name in names:
        hidden = k.layers.Lambda(lambda x: 2 * x, name=name)(hidden)
    k.Model(start, k.layers.Dense(1)(hidden)).save(tmp_path / "m", save_format="tf")
    findings = found([rule("MA701")], tmp_path / "m")
    assert sorted(each.evidence["layer"] for each in findings) == sorted(names)

"""Variables of TensorFlow Lite models without values; the interpreter is the oracle."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from modelaudit.findings import Outcome, Severity
from modelaudit.formats.reader import read_artifact
from modelaudit.graphs import LiteModel, LiteOperator, LiteSubgraph, LiteTensor
from modelaudit.rules import catalogue
from modelaudit.rules.engine import run_rule
from modelaudit.rules.integrity.lite_variables import variables_without_values
from modelaudit.rules.model import Facts
from modelaudit.settings import Limits

KERNEL = np.float32([[2, 0], [0, 3]])


def found_in(path: Path) -> Any:
    return run_rule(catalogue.rule("MA416"), Facts(read_artifact(path, Limits())))


def answer(path: Path) -> np.ndarray:
    import tensorflow as tf

    running = tf.lite.Interpreter(str(path))
    running.allocate_tensors()
    running.set_tensor(running.get_input_details()[0]["index"], np.ones((1, 2), "float32"))
    running.invoke()
    return running.get_tensor(running.get_output_details()[0]["index"])


def converted(source: Path, to: Path, *, variables: bool = False) -> Path:
    import tensorflow as tf

    converter = tf.lite.TFLiteConverter.from_saved_model(str(source))
    converter.experimental_enable_resource_variables = variables
    to.write_bytes(converter.convert())
    return to


def of_keras() -> Any:
    import keras

    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(2, name="only")])
    model.layers[0].set_weights([KERNEL, np.zeros(2)])
    return model


@pytest.mark.slow
def test_a_model_that_was_converted_without_its_values(tmp_path: Path) -> None:
    import tensorflow as tf

    tf.saved_model.save(of_keras(), str(tmp_path / "saved"))
    path = converted(tmp_path / "saved", tmp_path / "m.tflite")
    assert not np.allclose(answer(path), [[2, 3]])
    (finding,) = found_in(path).findings
    assert finding.severity is Severity.HIGH
    assert finding.evidence["measured"] == 2
    assert "only/kernel" in finding.detail


@pytest.mark.slow
def test_the_advised_ways_convert_the_values(tmp_path: Path) -> None:
    import tensorflow as tf

    model = of_keras()
    model.export(tmp_path / "saved", verbose=False)
    paths = [converted(tmp_path / "saved", tmp_path / "exported.tflite"), tmp_path / "m.tflite"]
    paths[1].write_bytes(tf.lite.TFLiteConverter.from_keras_model(model).convert())
    for path in paths:
        assert np.allclose(answer(path), [[2, 3]])
        assert not found_in(path).findings


@pytest.mark.slow
def test_a_variable_that_is_kept_between_calls_has_a_value(tmp_path: Path) -> None:
    import tensorflow as tf

    holder = tf.Module()
    holder.total = tf.Variable(KERNEL[:1])

    @tf.function(input_signature=[tf.TensorSpec((1, 2))])
    def add(given: Any) -> Any:
        holder.total.assign_add(given)
        return holder.total + 0.0

    holder.add = add
    tf.saved_model.save(holder, str(tmp_path / "saved"), signatures=add)
    path = converted(tmp_path / "saved", tmp_path / "m.tflite", variables=True)
    assert np.allclose(answer(path), [[3, 1]])
    found = found_in(path)
    assert found.outcome is Outcome.PASS


def _model(*subgraphs: tuple[LiteOperator, ...], outputs: tuple[int, ...] = ()) -> LiteModel:
    tensors = tuple(LiteTensor(f"t{number}", "float32", ()) for number in range(4))
    return LiteModel(
        subgraphs=tuple(LiteSubgraph("", tensors, each, (), outputs) for each in subgraphs)
    )


def _handle(name: str = "v", container: str = "") -> LiteOperator:
    options = {"container": container, "shared_name": name}
    return LiteOperator("VAR_HANDLE", outputs=(0,), options=options)


READ = LiteOperator("READ_VARIABLE", inputs=(0,), outputs=(1,))
ASSIGN = LiteOperator("ASSIGN_VARIABLE", inputs=(0, 1))
READING = (_handle(), READ)


@pytest.mark.parametrize(
    ("model", "lacking"),
    [
        (_model(READING), ["v"]),
        (_model(READING, READING), ["v"]),
        (_model((*READING, ASSIGN)), []),
        (_model(READING, (_handle(), ASSIGN)), []),
        (_model(READING, (_handle("w"), ASSIGN)), ["v"]),
        (_model(READING, (_handle(container="c"), ASSIGN)), ["v"]),
        (_model((*READING, LiteOperator("WHILE", inputs=(0,), outputs=(2,)))), []),
        (_model((*READING, LiteOperator("Own", custom=True, inputs=(0,)))), []),
        (_model(READING, outputs=(0,)), []),
        (_model((_handle(),)), []),
        (_model((LiteOperator("VAR_HANDLE"), READ)), []),
        (_model((READ,)), []),
    ],
)
def test_what_may_give_a_value(model: LiteModel, lacking: list[str]) -> None:
    assert variables_without_values(model)[1] == lacking

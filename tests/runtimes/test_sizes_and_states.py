"""Sizes that are fractions and initial states as inputs: what they say, and the sound twins.

What the runtimes do was observed: shapes of fractions are refused by Keras 3.3, 3.6, 3.8, 3.10,
3.12, 3.13 and 3.15, tf-keras 2.21 and TensorFlow 2.3, 2.4 and 2.15, and read by TensorFlow 1.15.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import h5py
import pytest

from modelaudit.audit_types.loading import LoadOutcome
from modelaudit.pipeline import static_facts
from modelaudit.runtimes.model import Prediction
from modelaudit.runtimes.predict import predict
from modelaudit.settings import Settings

REFUSING = ("tf==2.16.2+keras==3.3", "tf==2.21.0", "tf-keras==2.21.0", "tf==2.3.4", "tf==2.15.1")


def written(path: Path, config: dict[str, Any]) -> Path:
    with h5py.File(path, "w") as file:
        file.attrs["model_config"] = json.dumps(config)
        file.attrs["keras_version"] = "2.2.4"
        file.create_group("model_weights").attrs["layer_names"] = []
    return path


def predicted(path: Path, runtime: str) -> Prediction:
    artifact = static_facts(path, Settings()).artifact
    (found,) = predict(artifact, [runtime])
    return found


def sized(path: Path, *sizes: Any, first: str = "InputLayer") -> Path:
    shape = [None, *sizes]
    given = {"name": "i", "batch_input_shape": shape, "dtype": "float32"}
    layers = [{"class_name": "InputLayer", "config": given}]
    if first != "InputLayer":
        given = {"name": "d", "units": 2, "batch_input_shape": shape}
        layers = [{"class_name": first, "config": given}]
    config = {"name": "s", "layers": layers}
    return written(path, {"class_name": "Sequential", "config": config})


def codes(found: Prediction) -> list[str]:
    return [each.code for each in found.because if each.predicted is LoadOutcome.FAILS]


@pytest.mark.parametrize("first", ["InputLayer", "Dense"])
@pytest.mark.parametrize("runtime", REFUSING)
def test_a_size_that_is_a_fraction_is_the_first_cause(
    tmp_path: Path, runtime: str, first: str
) -> None:
    found = predicted(sized(tmp_path / "m.h5", 270.0, 3, first=first), runtime)
    assert codes(found)[0] == "size-not-integer"
    assert "270.0" in found.because[0].error
    sound = predicted(sized(tmp_path / "n.h5", 270, 3, first=first), runtime)
    assert "size-not-integer" not in codes(sound)


def test_tensorflow_1_makes_an_integer_of_it(tmp_path: Path) -> None:
    assert codes(predicted(sized(tmp_path / "m.h5", 270.0), "tf==1.15.5")) == []


@pytest.mark.parametrize(("size", "repairs"), [(270.0, True), (270.5, False)])
def test_only_a_whole_number_can_become_an_integer(
    tmp_path: Path, size: float, repairs: bool
) -> None:
    (reason, *_) = predicted(sized(tmp_path / "m.h5", size), "tf==2.21.0").because
    assert reason.repairs is repairs
    assert ("as integers" in reason.fix) is repairs


def decoder(path: Path, inputs: list[Any], kind: str = "LSTM") -> Path:
    shape = [None, 4, 3]
    given = {"name": "x", "batch_input_shape": shape, "dtype": "float32"}
    state = {"name": "h", "batch_input_shape": [None, 2], "dtype": "float32"}
    layers = [
        {"class_name": "InputLayer", "name": "x", "config": given, "inbound_nodes": []},
        {"class_name": "InputLayer", "name": "h", "config": state, "inbound_nodes": []},
        {
            "class_name": kind,
            "name": "d",
            "config": {"name": "d", "units": 2},
            "inbound_nodes": [inputs],
        },
    ]
    ends = {"input_layers": [["x", 0, 0], ["h", 0, 0]], "output_layers": [["d", 0, 0]]}
    config = {"name": "m", "layers": layers, **ends}
    return written(path, {"class_name": "Model", "config": config})


SEQUENCE, STATE = ["x", 0, 0, {}], ["h", 0, 0, {}]


def test_initial_states_as_inputs_are_a_cause_in_keras_3_only(tmp_path: Path) -> None:
    path = decoder(tmp_path / "m.h5", [SEQUENCE, STATE, STATE])
    (reason,) = predicted(path, "tf==2.21.0").because
    assert reason.code == "initial-state-as-input"
    assert reason.error == (
        'ValueError: Layer "d" expects 1 input(s), but it received 3 input tensors'
    )
    assert predicted(path, "tf-keras==2.21.0").predicted is LoadOutcome.LOADS


def test_a_repair_is_not_advised_where_a_mask_arrives_too(tmp_path: Path) -> None:
    """Then the repaired file computes something else, as tried with Keras 3.15.1."""
    path = decoder(tmp_path / "m.h5", [SEQUENCE, STATE, STATE])
    assert predicted(path, "tf==2.21.0").because[0].repairs
    with h5py.File(path, "r+") as file:
        config = json.loads(file.attrs["model_config"])
        masking = {"class_name": "Masking", "name": "k", "config": {"name": "k"}}
        config["config"]["layers"].append({**masking, "inbound_nodes": [[SEQUENCE]]})
        file.attrs["model_config"] = json.dumps(config)
    assert not predicted(path, "tf==2.21.0").because[0].repairs


@pytest.mark.parametrize(("kind", "inputs"), [("LSTM", [SEQUENCE]), ("Add", [STATE, STATE])])
def test_a_sequence_alone_and_a_layer_of_several_inputs_are_none(
    tmp_path: Path, kind: str, inputs: list[Any]
) -> None:
    found = predicted(decoder(tmp_path / "m.h5", inputs, kind), "tf==2.21.0")
    assert "initial-state-as-input" not in codes(found)

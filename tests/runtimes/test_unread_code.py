"""Calls that the code of a program decides, with and without that code."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from modelaudit.audit_types.loading import LoadOutcome
from modelaudit.formats.reader import read
from modelaudit.formats.source_code.reading import read_source_code
from modelaudit.runtimes.catalogue import as_installed, find_profile
from modelaudit.runtimes.model import LoadCall, LoadRequest, Prediction
from modelaudit.runtimes.predict import predict_calls
from modelaudit.settings import Limits

LOADS, CONDITIONAL = LoadOutcome.LOADS, LoadOutcome.CONDITIONAL
LAYER = """
class Scaled(keras.layers.Layer):
    def build(self, shape):
        self.weight = self.add_weight(shape=(shape[-1],), name="weight")
        super().build(shape)

    def call(self, value):
        return value * self.weight
"""
# Its constructor needs what its config does not have, as the file does not show.
REFUSING = """
class Scaled(keras.layers.Layer):
    def __init__(self, factor, **keywords):
        super().__init__(**keywords)
        self.factor = factor

    def call(self, value):
        return value * self.factor

    def get_config(self):
        return super().get_config()
"""
OF_ANOTHER = "from elsewhere import Base\n\n\nclass Scaled(Base):\n    pass\n"


def predicted(path: Path, call: LoadCall, target: str, code: str | None = None) -> Prediction:
    given = None
    if code is not None:
        (path.parent / "program.py").write_text(f"import keras\n{code}")
        given = read_source_code([str(path.parent / "program.py")])
    names = frozenset(("Scaled",)) if call is LoadCall.LOAD_MODEL else frozenset[str]()
    asked = [(as_installed(find_profile(target)), LoadRequest(call, names))]
    return next(iter(predict_calls(read(path, Limits()), asked, given)))


def made(keras: Any, code: str, *arguments: float) -> tuple[Any, Any]:
    """A model with the class of the code, and the class."""
    names: dict[str, Any] = {"keras": keras}
    exec(code, names)
    start, kind = keras.Input((4,)), names["Scaled"]
    return keras.Model(start, keras.layers.Dense(2)(kind(*arguments)(start))), kind


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", ["m.keras", "m.h5"])
def test_a_whole_model(tmp_path: Path, name: str, new: ModuleType) -> None:
    model, kind = made(new, LAYER)
    model.save(tmp_path / name)
    found = predicted(tmp_path / name, LoadCall.LOAD_MODEL, "tf==2.21.0")
    assert found.predicted is CONDITIONAL
    assert [each.code for each in found.because] == ["code-not-given"]
    assert "the code of Scaled " in found.because[0].text
    by_code = predicted(tmp_path / name, LoadCall.LOAD_MODEL, "tf==2.21.0", LAYER)
    assert by_code.predicted is LOADS
    new.models.load_model(tmp_path / name, custom_objects={"Scaled": kind})


@pytest.mark.filterwarnings("ignore")
def test_code_that_does_not_fit(tmp_path: Path, new: ModuleType) -> None:
    model, kind = made(new, REFUSING, 2.0)
    path = tmp_path / "m.keras"
    model.save(path)
    assert predicted(path, LoadCall.LOAD_MODEL, "tf==2.21.0").predicted is CONDITIONAL
    by_code = predicted(path, LoadCall.LOAD_MODEL, "tf==2.21.0", REFUSING)
    assert by_code.predicted is LoadOutcome.FAILS
    with pytest.raises(TypeError, match="factor"):
        new.models.load_model(path, custom_objects={"Scaled": kind})


@pytest.mark.filterwarnings("ignore")
def test_a_base_class_that_was_not_given(tmp_path: Path, new: ModuleType) -> None:
    model, _ = made(new, LAYER)
    model.save(tmp_path / "m.keras")
    found = predicted(tmp_path / "m.keras", LoadCall.LOAD_MODEL, "tf==2.21.0", OF_ANOTHER)
    assert found.predicted is CONDITIONAL
    assert [each.code for each in found.because] == ["code-not-understood"]


@pytest.mark.filterwarnings("ignore")
def test_a_model_of_keras_alone(tmp_path: Path, new: ModuleType) -> None:
    start = new.Input((4,))
    model = new.Model(start, new.layers.Dense(2, name="scaled")(start))
    model.save(tmp_path / "m.keras")
    model.save_weights(tmp_path / "m.weights.h5")
    for name, call in (
        ("m.keras", LoadCall.LOAD_MODEL),
        ("m.weights.h5", LoadCall.LOAD_WEIGHTS),
    ):
        found = predicted(tmp_path / name, call, "tf==2.21.0")
        assert (found.predicted, found.because) == (LOADS, ())


@pytest.mark.filterwarnings("ignore")
def test_weights(tmp_path: Path, new: ModuleType) -> None:
    model, _ = made(new, LAYER)
    path = tmp_path / "m.weights.h5"
    model.save_weights(path)
    found = predicted(path, LoadCall.LOAD_WEIGHTS, "tf==2.21.0")
    assert found.predicted is CONDITIONAL
    assert predicted(path, LoadCall.LOAD_WEIGHTS, "tf==2.21.0", LAYER).predicted is LOADS
    model.load_weights(path)


@pytest.mark.filterwarnings("ignore")
def test_a_savedmodel_has_the_functions(
    tmp_path: Path, old: ModuleType, tensorflow: ModuleType
) -> None:
    """Keras 2 revives a class that it is not given from these, and needs no code."""
    model, kind = made(old, LAYER)
    model.save(tmp_path / "m", save_format="tf")
    artifact = read(tmp_path / "m", Limits())
    runtime = as_installed(find_profile("tf-keras==2.21.0"))
    names = (frozenset[str](), frozenset(("Scaled",)))
    asked = [(runtime, LoadRequest(LoadCall.LOAD_MODEL, each)) for each in names]
    plain, passed = predict_calls(artifact, asked)
    assert plain.predicted is LOADS
    assert passed.predicted is CONDITIONAL
    old.models.load_model(tmp_path / "m")
    old.models.load_model(tmp_path / "m", custom_objects={"Scaled": kind})

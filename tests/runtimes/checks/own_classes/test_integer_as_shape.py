"""A number as the shape of a weight, which Keras 2 takes and Keras 3 refuses; both are asked."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from modelaudit.formats.reader import read
from modelaudit.formats.source_code.reading import read_source_code
from modelaudit.runtimes.catalogue import as_installed, find_profile
from modelaudit.runtimes.model import LoadCall, LoadRequest
from modelaudit.runtimes.predict import predict_calls
from modelaudit.settings import Limits

CODE = """
class Shifted(keras.layers.Layer):
    def __init__(self, units=4, **kwargs):
        super().__init__(**kwargs)
        self.units = units

    def build(self, shape):
        self.bias = self.add_weight(name="bias", shape={shape}, initializer="zeros")

    def call(self, x):
        return x + self.bias

    def get_config(self):
        return {{**super().get_config(), "units": self.units}}
"""


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("shape", ["(self.units)", "(self.units,)", "self.units", "[self.units]"])
def test_numbers_as_shapes(tmp_path: Path, shape: str) -> None:
    old, new = pytest.importorskip("tf_keras"), pytest.importorskip("keras")

    def own(keras: Any) -> dict[str, Any]:
        space: dict[str, Any] = {"keras": keras}
        exec(CODE.format(shape=shape), space)
        return {"Shifted": space["Shifted"]}

    path = tmp_path / "m.h5"
    old.Sequential([old.layers.Input((4,)), own(old)["Shifted"]()]).save(path)
    (tmp_path / "own.py").write_text("import keras\n" + CODE.format(shape=shape))
    fails = shape in ("(self.units)", "self.units")
    if fails:
        with pytest.raises(ValueError, match="Cannot convert '4' to a shape"):
            new.models.load_model(path, custom_objects=own(new), compile=False)
    else:
        new.models.load_model(path, custom_objects=own(new), compile=False)
    old.models.load_model(path, custom_objects=own(old), compile=False)
    request = LoadRequest(LoadCall.LOAD_MODEL, custom=frozenset({"Shifted"}))
    code = read_source_code([str(tmp_path / "own.py")])
    for target, refused in (("tf==2.21.0", fails), ("tf-keras==2.21.0", False)):
        asked = [(as_installed(find_profile(target)), request)]
        (found,) = predict_calls(read(path, Limits()), asked, code)
        assert [each.code for each in found.because] == ["integer-as-shape"] * refused

"""Layers that Keras 2.12 to 2.14 numbered otherwise than Keras 3 does, which is the oracle.

That these count no layers which an attribute before the list `layers` has written was measured
with 2.14. Here the files are those of Keras 3, whose groups get those numbers.
"""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from modelaudit.audit_types.loading import LoadOutcome
from modelaudit.formats.reader import read
from modelaudit.formats.source_code.reading import read_source_code
from modelaudit.runtimes.catalogue import as_installed, find_profile
from modelaudit.runtimes.model import LoadCall, LoadRequest, Prediction
from modelaudit.runtimes.predict import predict_calls
from modelaudit.settings import Limits
from tests.runtimes.fitting_code import if_it_fits

DATA = np.linspace(-1, 1, 12, dtype="float32").reshape(3, 4)
# What the constructor of each model makes.
MADE = {
    "AfterOne": ("self.fc = layers.Dense(5)", "self.out = layers.Dense(3)"),
    "AfterList": (
        "self.hidden = [layers.Dense(5), layers.Dense(4)]",
        "self.out = layers.Dense(3)",
    ),
    "First": ("self.out = layers.Dense(4)", "self.blocks = [layers.Dense(5), layers.Dense(4)]"),
    "OfOthers": ("self.fc = layers.Dense(4)", "self.norm = layers.LayerNormalization()"),
    "Named": ("self.fc = layers.Dense(5)", "self.head = layers.Dense(3)"),
}
LOADS = ("First", "OfOthers", "Named")
CODE = "from keras import Model, layers\n\n\n" + "\n\n".join(
    "\n".join(
        (
            f"class {name}(Model):",
            "    def __init__(self):",
            "        super().__init__()",
            *(f"        {line}" for line in lines),
            "",
            "    def call(self, value):",
            "        for layer in self.layers:",
            "            value = layer(value)",
            "        return value",
            "",
        )
    )
    for name, lines in MADE.items()
)


def model(name: str) -> Any:
    keras = pytest.importorskip("keras")
    keras.backend.clear_session()
    names: dict[str, Any] = {}
    exec(compile(CODE, "models.py", "exec"), names)
    made = names[name]()
    made(DATA)
    return made


def saved(path: Path, name: str) -> Any:
    """Weights as Keras 2.14 writes them, and what their model answers."""
    h5py = pytest.importorskip("h5py")
    made = model(name)
    made.save_weights(path)
    with h5py.File(path, "r+") as file:
        groups: list[Any] = []
        file.visititems(lambda _, item: groups.append(item))
        for group in groups:
            group.attrs.pop("name", None)
        numbers: dict[str, Any] = {}
        for key in sorted(file["layers"]) if "layers" in file else ():
            if len(file["layers"][key]["vars"]):
                base = key.rstrip("0123456789").rstrip("_")
                number = next(numbers.setdefault(base, itertools.count()))
                other = f"{base}_{number}" if number else base
                if other != key:
                    if other in file["layers"]:
                        del file["layers"][other]
                    file["layers"].move(key, other)
    return np.asarray(made(DATA))


def predicted(path: Path, code: Path | None = None, target: str = "tf==2.21.0") -> Prediction:
    profile = as_installed(find_profile(target))
    given = read_source_code([str(code)]) if code else None
    asked = [(profile, LoadRequest(LoadCall.LOAD_WEIGHTS))]
    return next(iter(predict_calls(read(path, Limits()), asked, given)))


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", MADE)
def test_weights_of_a_subclass(tmp_path: Path, name: str) -> None:
    path, code = tmp_path / "w.weights.h5", tmp_path / "models.py"
    answer = saved(path, name)
    code.write_text(CODE)
    other = model(name)
    if name in LOADS:
        other.load_weights(path)
        np.testing.assert_allclose(np.asarray(other(DATA)), answer, atol=1e-6)
    else:
        with pytest.raises(ValueError, match="could not be loaded"):
            other.load_weights(path)
    wanted = LoadOutcome.LOADS if name in LOADS else LoadOutcome.FAILS
    assert if_it_fits(predicted(path, code)) is wanted
    without = predicted(path)
    assert if_it_fits(without) is (LoadOutcome.FAILS if name == "First" else wanted)
    if without.predicted is LoadOutcome.FAILS:
        assert "before others of its class" in without.because[0].unless


# What the constructor makes of layers that Keras 3 counts, though it wrote them before the list.
COUNTED = {
    **{name: MADE[name] for name in ("AfterOne", "OfOthers", "Named")},
    "Between": (
        "self.q = layers.Dense(4)",
        "self.k = layers.Dense(4)",
        "self.v = layers.Dense(4)",
    ),
    "Behind": ("self.q = layers.Dense(4)", "self.k = layers.Dense(4)"),
}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", COUNTED)
def test_weights_of_keras_3_where_keras_2_14_counts_what_is_left(tmp_path: Path, name: str) -> None:
    """2.14 fails for "AfterOne" and "Between" (observed: "expected 1 variables, but received 0").

    Keras 3 loads all, and the names in the file say what it counted.
    """
    keras = pytest.importorskip("keras")
    body = "".join(f"        {line}\n" for line in COUNTED[name])
    text = (
        f"from keras import Model, layers\n\n\nclass {name}(Model):\n"
        f"    def __init__(self):\n        super().__init__()\n{body}\n"
        "    def call(self, value):\n        for layer in self.layers:\n"
        "            value = layer(value)\n        return value\n"
    )
    code, path, names = tmp_path / "models.py", tmp_path / "w.weights.h5", dict[str, Any]()
    code.write_text(text)
    keras.backend.clear_session()
    exec(compile(text, "models.py", "exec"), names)
    made = names[name]()
    made(DATA)
    made.save_weights(path)
    made.load_weights(path)
    fails = name in ("AfterOne", "Between")
    for given in (code, None):
        assert if_it_fits(predicted(path, given)) is LoadOutcome.LOADS
        there = predicted(path, given, "tf==2.14.1")
        assert if_it_fits(there) is (LoadOutcome.FAILS if fails else LoadOutcome.LOADS), (
            there.because
        )

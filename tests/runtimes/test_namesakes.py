"""Own classes and arguments with the names of Keras's: tf-keras writes the files."""

from __future__ import annotations

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
from tests.runtimes.fitting_code import fitting_predictions

pytestmark = pytest.mark.slow


def predicted(path: Path, target: str, **options: Any) -> Prediction:
    asked = LoadRequest(LoadCall.LOAD_MODEL, **options)
    profile = as_installed(find_profile(target))
    return fitting_predictions(read(path, Limits()), [(profile, asked)])[0]


def pooling(keras: Any) -> Any:
    class Pooling(keras.layers.Layer):  # type: ignore[misc]
        """The sum of those of the second tensor that a mask leaves, or a tensor of that name."""

        def call(self, value: Any, mask: Any = None) -> Any:
            if isinstance(value, (list, tuple)):
                value, mask = value[-1], mask[-1]
            kept = keras.backend.cast(mask, value.dtype)
            return keras.backend.sum(value * kept[..., None], axis=1)

        def compute_mask(self, inputs: Any, mask: Any = None) -> None:
            return None

    return Pooling


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("listed", [False, True])
def test_a_mask_that_the_program_passes_and_masks_of_a_list(tmp_path: Path, listed: bool) -> None:
    keras = pytest.importorskip("tf_keras")
    layer = pooling(keras)(name="pooling")
    if listed:
        inputs = [keras.layers.Input((4,)), keras.layers.Input((4,))]
        embedding = keras.layers.Embedding(5, 3, mask_zero=True)
        value = layer([embedding(each) for each in inputs])
    else:
        inputs = [keras.layers.Input((4, 3)), keras.layers.Input((4,))]
        value = layer(inputs[0], mask=inputs[1])
    keras.Model(inputs, keras.layers.Dense(2)(value)).save(tmp_path / "m", save_format="tf")
    keras.models.load_model(tmp_path / "m", compile=False)
    assert predicted(tmp_path / "m", "tf-keras==2.21.0").predicted is LoadOutcome.LOADS


def namesake(keras: Any, described: bool) -> Any:
    """An own layer of a name that is Keras's, with an argument that Keras's has not."""

    class RandomBrightness(keras.layers.Layer):  # type: ignore[misc]
        def __init__(self, brightness: float, **kwargs: Any) -> None:
            super().__init__(**kwargs)
            self.brightness = brightness

        def call(self, value: Any) -> Any:
            return value * self.brightness

        def get_config(self) -> Any:
            if not described:
                raise NotImplementedError
            return {**super().get_config(), "brightness": self.brightness}

    RandomBrightness.__module__ = "shop_layers"
    start = keras.layers.Input((3,))
    return keras.Model(start, keras.layers.Dense(2)(RandomBrightness(0.5)(start)))


def test_the_module_of_an_archive_tells_an_own_class(tmp_path: Path) -> None:
    """Keras 3.8 imports the module that the file states (observed: it loads); 3.11 imports none."""
    keras = pytest.importorskip("tf_keras")
    path = tmp_path / "m.keras"
    namesake(keras, described=True).save(path)
    options = {"modules": frozenset(["shop_layers"])}
    there = predicted(path, "tf==2.18.1+keras==3.8.0", **options)
    assert "RandomBrightness" not in str(there.because)
    newer = predicted(path, "tf==2.20.0+keras==3.11.3", **options)
    assert "unknown-class" in [each.code for each in newer.because]
    older = predicted(path, "tf-keras==2.21.0", **options)
    assert older.because[0].code == "unknown-argument"
    with pytest.raises(TypeError, match="brightness"):
        keras.models.load_model(path, compile=False)


def test_without_a_config_the_name_says_nothing(tmp_path: Path) -> None:
    """Keras 2.9 revives such a layer from its functions (observed: it loads)."""
    keras = pytest.importorskip("tf_keras")
    namesake(keras, described=False).save(tmp_path / "m", save_format="tf")
    found = predicted(tmp_path / "m", "tf==2.9.3")
    assert "RandomBrightness" not in str(found.because)
    loaded = keras.models.load_model(tmp_path / "m", compile=False)
    assert loaded(np.ones((1, 3), "float32")).shape == (1, 2)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("package", ["keras", "tf_keras"])
@pytest.mark.parametrize("suffix", ["h5", "keras"])
def test_a_passed_class_takes_the_place_of_keras_own(
    tmp_path: Path, package: str, suffix: str
) -> None:
    keras = pytest.importorskip(package)

    class LayerNormalization(keras.layers.Layer):  # type: ignore[misc]
        def __init__(self, eps: float = 1e-6, **kwargs: Any) -> None:
            super().__init__(**kwargs)
            self.eps = eps

        def call(self, value: Any) -> Any:
            return value * self.eps

    path = tmp_path / f"m.{suffix}"
    keras.Sequential([keras.layers.Input((3,)), keras.layers.LayerNormalization()]).save(path)
    own = {"LayerNormalization": LayerNormalization}
    target = "tf==2.21.0" if package == "keras" else "tf-keras==2.21.0"
    found = predicted(path, target, custom=frozenset(own))
    fails = suffix == "h5"
    assert [each.code for each in found.because] == ["class-of-the-same-name"] * fails
    if fails:
        with pytest.raises(TypeError, match="LayerNormalization"):
            keras.models.load_model(path, custom_objects=own, compile=False)
    else:
        keras.models.load_model(path, custom_objects=own, compile=False)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", ["ResidualWrapper", "MultiHeadAttention", "RNN", "Encoder"])
@pytest.mark.parametrize("inside", [False, True])
def test_a_model_with_the_name_of_a_layer_of_keras(tmp_path: Path, name: str, inside: bool) -> None:
    """Keras 2.9 makes a layer of its own of the model's config, and refuses the model if it cannot
    ("Unable to restore object of class", observed); 2.14 revives the model then.
    """
    keras = pytest.importorskip("tf_keras")

    class Own(keras.Model):  # type: ignore[misc]
        def __init__(self, inner: Any) -> None:
            super().__init__()
            self.inner = inner

        def call(self, value: Any) -> Any:
            return self.inner(value)

    namesake = type(name, (Own,), {})
    model = namesake(keras.layers.Dense(2))
    model = Own(model) if inside else model
    model(np.ones((1, 3), "float32"))
    model.save(tmp_path / "m", save_format="tf")
    refused = name != "Encoder"
    if refused:
        with pytest.raises((TypeError, KeyError)):  # as 2.9 asks
            keras.layers.deserialize({"class_name": name, "config": {}})
    found = predicted(tmp_path / "m", "tf==2.9.3")
    assert ("missing-argument" in [each.code for each in found.because]) is refused
    assert not predicted(tmp_path / "m", "tf-keras==2.21.0").because
    keras.models.load_model(tmp_path / "m", compile=False)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", ["Attention", "Add", "Attended"])
@pytest.mark.parametrize("inside", [False, True])
def test_a_model_in_whose_place_keras_makes_a_layer(
    tmp_path: Path, name: str, inside: bool
) -> None:
    keras = pytest.importorskip("tf_keras")

    class Own(keras.Model):  # type: ignore[misc]
        def __init__(self, inner: Any) -> None:
            super().__init__()
            self.inner = inner

        def call(self, value: Any) -> Any:
            return self.inner(value)

    model = type(name, (Own,), {})(keras.layers.Dense(2))
    model = Own(model) if inside else model
    data = np.ones((1, 3), "float32")
    answer = np.asarray(model(data))
    model.save(tmp_path / "m", save_format="tf")
    found = predicted(tmp_path / "m", "tf-keras==2.21.0")
    if name == "Attended":
        assert not found.because
        loaded = keras.models.load_model(tmp_path / "m", compile=False)
        np.testing.assert_allclose(np.asarray(loaded(data)), answer)
        return
    assert [each.code for each in found.because] == ["class-of-the-same-name"]
    with pytest.raises((TypeError, ValueError)):
        keras.models.load_model(tmp_path / "m", compile=False)(data)


LIKE_KERAS = """
class LayerNormalization(keras.layers.Layer):
    def __init__(self, center=True, scale=True, epsilon=1e-6, beta_initializer=None, **kwargs):
        super().__init__(**kwargs)
        self.center, self.scale, self.epsilon = center, scale, epsilon

    def build(self, shape):
        self.gamma = self.add_weight(name="gamma", shape=shape[-1:], initializer="ones")
        self.beta = self.add_weight(name="beta", shape=shape[-1:])

    def call(self, x):
        shifted = x - keras.ops.mean(x, -1, keepdims=True)
        variance = keras.ops.mean(keras.ops.square(shifted), -1, keepdims=True)
        return shifted / keras.ops.sqrt(variance + self.epsilon) * self.gamma + self.beta

    def get_config(self):
        own = {"center": self.center, "scale": self.scale, "epsilon": self.epsilon}
        own["beta_initializer"] = "zeros"
        return {**super().get_config(), **own}
"""


@pytest.mark.filterwarnings("ignore")
def test_a_class_that_takes_the_config_of_keras(tmp_path: Path) -> None:
    keras = pytest.importorskip("keras")
    (tmp_path / "own.py").write_text("import keras\n" + LIKE_KERAS)
    space = {"keras": keras}
    exec(LIKE_KERAS, space)
    own = {"LayerNormalization": space["LayerNormalization"]}
    path = tmp_path / "m.h5"
    keras.Sequential([keras.layers.Input((3,)), own["LayerNormalization"]()]).save(path)
    keras.models.load_model(path, custom_objects=own, compile=False)
    code = read_source_code([str(tmp_path / "own.py")])
    request = LoadRequest(LoadCall.LOAD_MODEL, custom=frozenset(own))
    profile = as_installed(find_profile("tf==2.21.0"))
    (found,) = fitting_predictions(read(path, Limits()), [(profile, request)], code)
    assert not found.because


CALLED_MODEL = """
from {package} import Model
from {package}.layers import Dense


class Model(Model):
    def __init__(self):
        super().__init__()
        self.head = Dense(2)

    def call(self, value):
        return self.head(value)
"""


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("form", ["sm", "m.h5", "m.keras"])
@pytest.mark.parametrize("passed", [False, True])
def test_a_class_that_is_called_model(tmp_path: Path, form: str, passed: bool) -> None:
    """As its base class is, whose place it takes in a program."""
    package = "tf_keras" if form == "sm" else "keras"
    keras = pytest.importorskip(package)
    text = CALLED_MODEL.format(package=package)
    (tmp_path / "program.py").write_text(text)
    names: dict[str, Any] = {"__name__": "program"}
    exec(text, names)
    model, value = names["Model"](), np.ones((1, 4), "float32")
    model(value)
    path = tmp_path / form
    model.save(path, **({"save_format": "tf"} if form == "sm" else {}))
    code = read_source_code([str(tmp_path / "program.py")])
    custom = {"Model": names["Model"]} if passed else {}
    target = "tf-keras==2.21.0" if form == "sm" else "tf==2.21.0"
    request = LoadRequest(LoadCall.LOAD_MODEL, frozenset(custom))
    asked = [(as_installed(find_profile(target)), request)]
    (found,) = predict_calls(read(path, Limits()), asked, code)
    loads = form == "sm" and passed
    assert found.predicted is (LoadOutcome.LOADS if loads else LoadOutcome.FAILS), found.because
    if loads:
        keras.models.load_model(path, custom_objects=custom)(value)
        return
    why = r"Unimplemented|expected 0 layers|Could not locate|revive|could not be deserialized"
    with pytest.raises(Exception, match=why):
        keras.models.load_model(path, custom_objects=custom)(value)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("form", ["m.h5", "m.keras"])
def test_a_model_of_layers_is_none(tmp_path: Path, form: str) -> None:
    """The honest twin: models that Keras calls `Model` have a list of layers."""
    keras = pytest.importorskip("keras")
    start = keras.Input((4,))
    keras.Model(start, keras.layers.Dense(2)(start)).save(tmp_path / form)
    asked = [(as_installed(find_profile("tf==2.21.0")), LoadRequest(LoadCall.LOAD_MODEL))]
    (found,) = predict_calls(read(tmp_path / form, Limits()), asked)
    assert (found.predicted, found.because) == (LoadOutcome.LOADS, ())
    keras.models.load_model(tmp_path / form)

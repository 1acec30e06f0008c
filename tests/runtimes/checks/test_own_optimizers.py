"""Optimizers of Keras, and subclasses of them, which a file compiles with."""

from __future__ import annotations

import importlib

import pytest

from modelaudit.formats.reader import read
from modelaudit.runtimes.catalogue import as_installed, find_profile
from modelaudit.runtimes.model import LoadCall, LoadRequest
from modelaudit.runtimes.predict import predict_calls
from modelaudit.settings import Limits
from tests.rules.saved import sequential

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]
RUNTIMES = {"keras": "tf==2.21.0", "tf_keras": "tf-keras==2.21.0"}


def optimizers(k, suffix):
    """Each public optimizer, and a subclass as programs write it."""
    places = [k.optimizers]
    if k.__name__ == "tf_keras" and suffix == "h5":
        places.append(k.optimizers.legacy)
    for place in places:
        for name in ("Adam", "SGD", "RMSprop", "Adagrad", "Adadelta", "Adamax", "Nadam", "Ftrl"):
            yield getattr(place, name)()
    yield k.optimizers.AdamW()

    class Own(k.optimizers.SGD):
        pass

    Own.__module__ = "lab.optimizers"
    yield Own(0.01)


@pytest.mark.parametrize("suffix", ["keras", "h5"])
@pytest.mark.parametrize("library", list(RUNTIMES))
def test_each_loads_as_predicted(library, suffix, tmp_path):
    k = importlib.import_module(library)
    target = as_installed(find_profile(RUNTIMES[library]))
    seen, predicted = {}, {}
    for made in optimizers(k, suffix):
        model = sequential(
            k, (4,), k.layers.Dense(1), optimizer=made, loss=k.losses.MeanAbsoluteError()
        )
        kind = f"{type(made).__module__}.{type(made).__name__}"
        model.save(path := tmp_path / f"{kind}.{suffix}")
        try:
            k.models.load_model(path)
            seen[kind] = "loads"
        except (TypeError, ValueError):
            seen[kind] = "fails"
        request = LoadRequest(LoadCall.LOAD_MODEL, compile=True)
        (found,) = predict_calls(read(path, Limits()), [(target, request)])
        predicted[kind] = found.predicted.value
    assert predicted == seen
    assert seen["lab.optimizers.Own"] == "fails"

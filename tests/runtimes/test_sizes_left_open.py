"""Undefined sizes in EinsumDense, compared with the installed Keras 3."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from modelaudit.audit_types.loading import LoadOutcome
from modelaudit.formats.reader import read
from modelaudit.runtimes.predict import predict
from modelaudit.settings import Limits

pytestmark = pytest.mark.slow

CHAINS = (
    ("Flatten",),
    ("Flatten", "Dense"),
    ("Flatten", "Activation"),
    ("Flatten", "Activation", "Dense"),
    ("Flatten", "BatchNormalization"),
    ("Flatten", "LayerNormalization"),
    ("Dropout", "Flatten", "Dense"),
    ("Activation", "Flatten", "Dense"),
    ("ReLU", "Flatten", "Dense"),
    ("Dense", "Flatten", "Dense"),
    ("Conv1D", "Flatten", "Dense"),
    ("MaxPooling1D", "Flatten", "Dense"),
    ("LayerNormalization", "Flatten", "Dense"),
    ("LayerNormalization", "Dense"),
    ("GlobalAveragePooling1D", "Dense"),
    ("Reshape", "Dense"),
)
GIVEN: dict[str, tuple[Any, ...]] = {
    "Dense": (2,),
    "Activation": ("tanh",),
    "Dropout": (0.1,),
    "Conv1D": (2, 3),
    "Reshape": ((24,),),
}


@pytest.mark.parametrize("functional", [False, True])
def test_predictions_match_keras_3(tmp_path: Path, functional: bool) -> None:
    old, new = pytest.importorskip("tf_keras"), pytest.importorskip("keras")
    for number, chain in enumerate(CHAINS[:: 3 if functional else 1]):
        layers = [getattr(old.layers, name)(*GIVEN.get(name, ())) for name in chain]
        einsum = old.layers.EinsumDense("abc,cd->abd", output_shape=(None, 4))
        value = given = old.layers.Input((6, 3))
        for layer in (einsum, *layers):
            value = layer(value) if functional else value
        model = old.Model(given, value) if functional else old.Sequential([given, einsum, *layers])
        path = tmp_path / f"{number}.h5"
        model.save(path)
        (found,) = predict(read(path, Limits()), ("tf==2.21.0",))
        try:
            new.models.load_model(path, compile=False)
        except ValueError as error:
            assert found.predicted is LoadOutcome.FAILS, (chain, error)
            assert str(error).startswith(found.because[0].error.removeprefix("ValueError: "))
        else:
            assert found.predicted is LoadOutcome.LOADS, (chain, found.because)

"""Objects in the configs of own classes in HDF5: Keras and tf-keras are the oracle."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from modelaudit.audit_types.loading import LoadOutcome
from modelaudit.formats.reader import read
from modelaudit.runtimes.catalogue import as_installed, find_profile
from modelaudit.runtimes.model import LoadCall, LoadRequest
from modelaudit.runtimes.predict import predict_calls
from modelaudit.settings import Limits
from tests.runtimes.fitting_code import if_it_fits

DATA = np.linspace(-1, 1, 12, dtype="float32").reshape(3, 4)
# What `get_config` returns for the object; all but the first are objects.
KEPT = {
    "serialized": lambda keras: keras.initializers.serialize(keras.initializers.HeNormal()),
    "initializer": lambda keras: keras.initializers.HeNormal(),
    "regularizer": lambda keras: keras.regularizers.L2(0.1),
    "layer": lambda keras: keras.layers.ReLU(),
}
FAILS = ("initializer", "regularizer")


def own(keras: Any, form: str) -> Any:
    class Own(keras.layers.Layer):  # type: ignore[misc]
        def __init__(self, kept: Any = None, **keywords: Any) -> None:
            super().__init__(**keywords)
            self.kept = kept

        def call(self, value: Any) -> Any:
            return value * 2.0

        def get_config(self) -> dict[str, Any]:
            return {**super().get_config(), "kept": KEPT[form](keras)}

    return Own


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("form", KEPT)
@pytest.mark.parametrize("passed", [False, True])
def test_hdf5(tmp_path: Path, form: str, passed: bool) -> None:
    older, newer = map(pytest.importorskip, ("tf_keras", "keras"))
    path = tmp_path / "m.h5"
    start = older.Input((4,))
    older.Model(start, older.layers.Dense(2)(own(older, form)()(start))).save(path)
    names = frozenset(("Own", *(("HeNormal", "L2") if passed else ())))
    asked = [
        (as_installed(find_profile(target)), LoadRequest(LoadCall.LOAD_MODEL, custom=names))
        for target in ("tf==2.21.0", "tf-keras==2.21.0")
    ]
    found = predict_calls(read(path, Limits()), asked)
    for library, prediction in zip((newer, older), found, strict=True):
        given = {"Own": own(library, form)}
        if passed:
            given |= {"HeNormal": library.initializers.HeNormal, "L2": library.regularizers.L2}
        if form in FAILS and not passed:
            assert prediction.predicted is LoadOutcome.FAILS
            with pytest.raises(ValueError, match="Unknown config_item"):
                library.models.load_model(path, custom_objects=given, compile=False)
        else:
            assert if_it_fits(prediction) is LoadOutcome.LOADS
            library.models.load_model(path, custom_objects=given, compile=False)

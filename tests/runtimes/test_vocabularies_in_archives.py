"""Words of adapted lookups in a `.keras` file, read by tf-keras, against tf-keras itself."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import h5py
import numpy as np
import pytest

from modelaudit.audit_types.loading import LoadOutcome
from modelaudit.formats.reader import read
from modelaudit.runtimes.catalogue import as_installed, find_profile, on_python
from modelaudit.runtimes.checks.stored.weight_layouts import OLD_LAYOUT
from modelaudit.runtimes.model import LoadCall, LoadRequest
from modelaudit.runtimes.predict import predict_calls
from modelaudit.settings import Limits


def saved(path: Path, given: bool) -> np.ndarray:
    """A model of a lookup, its words given or adapted; what it computes."""
    tensorflow, keras = map(pytest.importorskip, ("tensorflow", "tf_keras"))
    words = {"vocabulary": ["b", "a", "c"]} if given else {}
    lookup = keras.layers.StringLookup(**words)
    if not given:
        lookup.adapt([["a"], ["b"], ["b"]])
    start = keras.layers.Input((1,), dtype="string")
    model = keras.Model(start, keras.layers.Embedding(9, 2)(lookup(start)))
    model.save(path)
    return np.asarray(model(tensorflow.constant([["b"]])))


@pytest.mark.parametrize("given", [False, True])
def test_adapted_words_are_restored(tmp_path: Path, given: bool) -> None:
    tensorflow, keras = map(pytest.importorskip, ("tensorflow", "tf_keras"))
    path = tmp_path / "m.keras"
    expected = saved(path, given)
    artifact = read(path, Limits())
    pythons = ("3.11.7", "3.12.1", "3.12.8", "3.12.9", "3.13.1", "3.13.2")
    profile = find_profile(f"tf-keras=={keras.__version__}")
    asked = [(on_python(profile, each), LoadRequest(LoadCall.LOAD_MODEL)) for each in pythons]
    outcomes = [each.predicted for each in predict_calls(artifact, asked)]
    found = dict(zip(pythons, outcomes, strict=True))
    fails = set() if given else {"3.12.1", "3.12.8", "3.13.1"}
    assert {each for each, outcome in found.items() if outcome is LoadOutcome.FAILS} == fails
    assert set(found.values()) <= {LoadOutcome.LOADS, LoadOutcome.FAILS}
    loaded = keras.models.load_model(path)  # on a Python whose zipfile is sound
    assert np.array_equal(np.asarray(loaded(tensorflow.constant([["b"]]))), expected)


@pytest.mark.parametrize("padded", [False, True])
@pytest.mark.parametrize("most", [6, 9])
@pytest.mark.parametrize("name", ["keras", "tf_keras"])
def test_weights_of_words_that_are_more_than_the_words(
    tmp_path: Path, name: str, most: int, padded: bool
) -> None:
    """Five words and one for others."""
    tensorflow, keras = map(pytest.importorskip, ("tensorflow", name))
    lookup = keras.layers.StringLookup(
        max_tokens=most, pad_to_max_tokens=padded, output_mode="tf_idf"
    )
    lookup.adapt(np.array([["a", "b"], ["c", "b"], ["d", "e"]]))
    start = keras.layers.Input((1,), dtype="string")
    model = keras.Model(start, lookup(start))
    path = tmp_path / "m.keras"
    model.save(path)
    given = tensorflow.constant([["b"], ["z"]])
    try:
        loaded = keras.models.load_model(path)
        assert np.allclose(loaded(given), model(given))
        outcome = LoadOutcome.LOADS
    except ValueError:
        outcome = LoadOutcome.FAILS
    assert (outcome is LoadOutcome.FAILS) is (padded and most > 6 and name == "keras")
    runtime = find_profile("tf==2.21" if name == "keras" else "tf-keras==2.21")
    (found,) = predict_calls(
        read(path, Limits()), [(as_installed(runtime), LoadRequest(LoadCall.LOAD_MODEL))]
    )
    assert found.predicted is outcome


def in_older_layout(path: Path) -> None:
    """Name the folders of layers as Keras 2.14 did, in the weights and among the words."""
    older = path.with_name("older.keras")
    with zipfile.ZipFile(path) as archive, zipfile.ZipFile(older, "w") as changed:
        for name in archive.namelist():
            content = archive.read(name)
            if name.endswith(".h5"):
                stream = io.BytesIO(content)
                with h5py.File(stream, "r+") as file:
                    file.move("layers", OLD_LAYOUT)
                content = stream.getvalue()
            changed.writestr(name.replace("/layers/", f"/{OLD_LAYOUT}/"), content)
    older.replace(path)


@pytest.mark.parametrize("older", [False, True])
def test_words_alone_in_the_folders_of_keras_2_14(tmp_path: Path, older: bool) -> None:
    tensorflow, keras = map(pytest.importorskip, ("tensorflow", "tf_keras"))
    lookup = keras.layers.StringLookup(output_mode="one_hot")
    lookup.adapt([["a"], ["b"]])
    start = keras.layers.Input((1,), dtype="string")
    model, path = keras.Model(start, lookup(start)), tmp_path / "m.keras"
    model.save(path)
    given = tensorflow.constant([["b"]])
    if older:
        in_older_layout(path)
        with pytest.raises(TypeError, match="not NoneType"):
            keras.models.load_model(path)
    else:
        assert np.array_equal(keras.models.load_model(path)(given), model(given))
    target = on_python(find_profile("tf-keras==2.21.0"), "3.11.7")
    (found,) = predict_calls(read(path, Limits()), [(target, LoadRequest(LoadCall.LOAD_MODEL))])
    assert [each.code for each in found.because] == ["table-in-older-layout"] * older


@pytest.mark.parametrize("suffix", ["h5", "keras"])
@pytest.mark.parametrize("name", ["keras", "tf_keras"])
def test_learnt_bins(tmp_path: Path, name: str, suffix: str) -> None:
    tensorflow, keras = map(pytest.importorskip, ("tensorflow", name))
    given = tensorflow.constant(np.linspace(0, 1, 12, dtype="float32")[:, None])
    bins = keras.layers.Discretization(num_bins=4)
    bins.adapt(given)
    start = keras.layers.Input((1,))
    model, path = keras.Model(start, bins(start)), tmp_path / f"m.{suffix}"
    model.save(path)
    same = np.array_equal(keras.models.load_model(path, compile=False)(given), model(given))
    target = find_profile("tf==2.21.0" if name == "keras" else "tf-keras==2.21.0")
    (found,) = predict_calls(read(path, Limits()), [(target, LoadRequest(LoadCall.LOAD_MODEL))])
    assert found.predicted is (LoadOutcome.LOADS if same else LoadOutcome.DIFFERS)

"""Saves and loads models of the classes in `habits.txt`, in one generation of Keras.

`python loads.py FOLDER keras|tf_keras save` writes a model and its answer for every class;
`… load` prints what came of loading all models in FOLDER, as JSON: one of `loads`, `differs` and
`fails`, by model and `compile`.
"""

from __future__ import annotations

import importlib
import json
import sys
import zipfile
from pathlib import Path
from types import FunctionType
from typing import Any

import numpy as np

HABITS = Path(__file__).with_name("habits.txt")
DATA = np.linspace(-1, 1, 8, dtype="float32").reshape(2, 4)
TARGETS = np.ones((2, 1), "float32")
# Classes whose constructor needs units.
WITH_UNITS = (
    *("OwnFrom", "OwnDense", "OwnDenseArgs", "OwnDenseNoKw", "NoConfig", "ChildWords", "SubBare"),
    *("NeedsMore", "DenseAndMore"),
)
TOLERANCE = 1e-5
NEW = "-new"


def classes(keras: Any) -> dict[str, Any]:
    """Classes and functions of `habits.txt` by name, and how models of some are made."""
    names: dict[str, Any] = {"keras": keras, "__name__": "habits"}
    exec(compile(HABITS.read_text(encoding="utf-8"), str(HABITS), "exec"), names)
    passed = (type, FunctionType)
    return {"MADE": names["MADE"]} | {
        name: found for name, found in names.items() if isinstance(found, passed)
    }


def models(keras: Any, own: dict[str, Any]) -> dict[str, Any]:
    """A built model for every class that this generation of Keras can make one of."""
    made = {}
    ways = own["MADE"]
    kept = {name: each for name, each in own.items() if isinstance(each, type)}
    for name in dict.fromkeys((*kept, *ways)):
        try:
            made[name] = ways[name]() if name in ways else _model(name, kept[name], keras)
        except (AttributeError, NotImplementedError, TypeError, ValueError) as error:
            sys.stderr.write(f"{name} is not made: {error}\n")
    return made


def _model(name: str, own: Any, keras: Any) -> Any:
    layers = keras.layers
    given: dict[str, Any] = {"units": 3} if name in WITH_UNITS else {}
    given |= {"scale": 2.0} if name == "NeedsMore" else {}
    if issubclass(own, keras.Model):
        model = own.made() if hasattr(own, "made") else own(**given)
        model(DATA)
        return model
    if issubclass(own, layers.Layer) and not issubclass(own, keras.metrics.Metric):
        start = keras.Input((4,))
        held = {"inner": layers.Dense(2)} if name.startswith("Holds") else given
        return keras.Model(start, own(**held)(start))
    settings: dict[str, Any] = {"optimizer": "sgd", "loss": "mse"}
    if not issubclass(own, _kinds(keras)):
        raise TypeError("it is a part of others")
    if issubclass(own, keras.losses.Loss):
        settings["loss"] = own()
    elif issubclass(own, keras.metrics.Metric):
        settings["metrics"] = [own()]
    else:
        settings["optimizer"] = keras.optimizers.SGD(own(0.1))
    model = keras.Sequential([keras.Input((4,)), layers.Dense(1)])
    model.compile(**settings)
    model.fit(DATA, TARGETS, verbose=0)
    return model


def _kinds(keras: Any) -> tuple[type, ...]:
    """What a model is compiled with."""
    schedule = keras.optimizers.schedules.LearningRateSchedule
    return keras.losses.Loss, keras.metrics.Metric, schedule


def save(folder: Path, keras: Any) -> None:
    """Every model in both formats; what Keras refuses to save is left out."""
    folder.mkdir()
    for name, model in models(keras, classes(keras)).items():
        for form in (NEW, ""):  # a new model, and one that has answered
            for suffix in (".keras", ".h5"):
                path = folder / f"{name}{form}{suffix}"
                try:
                    model.save(path)
                except (NotImplementedError, TypeError, ValueError):
                    path.unlink(missing_ok=True)
            answer = np.asarray(model(DATA))
            for path in folder.glob(f"{name}{form}.*"):
                np.save(f"{path}.npy", answer)


def load(folder: Path, keras: Any) -> dict[str, dict[str, str]]:
    """What came of each model, by its path, without and with `compile`.

    Files of the same content are loaded once: most models are saved alike before they answer.
    """
    own, found = classes(keras), {}
    loaded: dict[tuple[str, Any, bytes], dict[str, str]] = {}
    for answer in sorted(folder.rglob("*.npy")):
        path = answer.with_suffix("")
        content = path.suffix, _content(path), answer.read_bytes()
        if content not in loaded:
            loaded[content] = {
                str(compiled): _outcome(path, np.load(answer), keras, own, compiled)
                for compiled in (False, True)
            }
        found[str(path.relative_to(folder))] = loaded[content]
    return found


def _content(path: Path) -> Any:
    """All that is in a file, but for the time at which Keras wrote an archive."""
    if not zipfile.is_zipfile(path):
        return path.read_bytes()
    with zipfile.ZipFile(path) as archive:
        names = sorted(set(archive.namelist()) - {"metadata.json"})
        versions = json.loads(archive.read("metadata.json"))["keras_version"]
        return versions, *((name, archive.read(name)) for name in names)


def _outcome(path: Path, answer: Any, keras: Any, own: dict[str, Any], compiled: bool) -> str:
    try:
        model = keras.models.load_model(path, custom_objects=own, compile=compiled)
        same = np.allclose(np.asarray(model(DATA)), answer, atol=TOLERANCE)
    except Exception:  # whatever a loader says, it does not load
        return "fails"
    return "loads" if same else "differs"


if __name__ == "__main__":
    place, generation, action = sys.argv[1:]
    library = importlib.import_module(generation)
    if action == "save":
        save(Path(place, generation), library)
    else:
        sys.stdout.write(json.dumps(load(Path(place), library)) + "\n")

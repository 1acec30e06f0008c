"""Load faults produced by real loaders: five architectures, four formats, seven faults.

`python -m tests.restore.load_faults DIR` saves each intact model, restores it wrongly as a
program would, calls `prove_restored`, and prints its result next to the expected one, as JSON.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from modelaudit.restore_api import prove_restored
from tests.restore.fault_models import ARCHITECTURES, Build, Expected, exchange, named, of, trained

Model = keras.Model
WHOLE = ("model.h5", "model.keras")  # loaded by `load_model`; the others into a model from code
FORMATS = (*WHOLE, "model.weights.h5", "ckpt")


def save(model: Model, folder: Path) -> None:
    folder.mkdir(parents=True)
    for name in WHOLE:
        model.save(folder / name)
    model.save_weights(folder / "model.weights.h5")
    tf.train.Checkpoint(model=model).write(str(folder / "ckpt"))


def load(build: Build, file: Path) -> Model:
    """The model loaded from its file by the call for the format."""
    if file.name in WHOLE:
        return keras.models.load_model(file, compile=False)
    model = build(5, "head")
    if file.name == "ckpt":
        tf.train.Checkpoint(model=model).read(str(file)).assert_existing_objects_matched()
    else:
        model.load_weights(file)
    return model


def healthy(build: Build, file: Path) -> tuple[Model, Expected]:
    return load(build, file), {}


def drop(build: Build, file: Path) -> tuple[Model, Expected]:
    """The loading code has one layer less; the others get their weights by name."""
    whole, model = load(build, file), build(5, "head", "third")
    stored = named(whole)
    for route, variable in named(model).items():
        variable.assign(stored[route])
    return model, dict.fromkeys(of(whole, "third"), "missing")


def swap(build: Build, file: Path) -> tuple[Model, Expected]:
    """The weights of two layers of equal shape are swapped."""
    model = load(build, file)
    return model, exchange(model)


def redraw(build: Build, file: Path) -> tuple[Model, Expected]:
    """One layer is initialised again after the restore."""
    model, fresh = load(build, file), of(build(5, "head"), "second")
    for mine, new in zip(of(model, "second").values(), fresh.values(), strict=True):
        mine.assign(new)
    return model, dict.fromkeys(fresh, "at initial values")


def epoch(build: Build, file: Path) -> tuple[Model, Expected]:
    """One layer comes from the file of another epoch."""
    model, later = load(build, file), load(build, file.parent / "later" / file.name)
    for mine, other in zip(of(model, "second").values(), of(later, "second").values(), strict=True):
        mine.assign(other)
    return model, dict.fromkeys(of(model, "second"), "different values")


def transpose(build: Build, file: Path) -> tuple[Model, Expected]:
    """One kernel is transposed on loading."""
    model = load(build, file)
    (route, kernel), *_ = of(model, "second").items()
    value = np.array(kernel)
    kernel.assign(value.T if value.ndim == 2 else np.swapaxes(value, 0, 1))
    return model, {route: "transposed"}


def skip_mismatch(build: Build, file: Path) -> tuple[Model, Expected]:
    """The code has another number of classes, and the loader skips mismatches."""
    model = build(7, "head")
    options = {"by_name": True} if file.suffix == ".h5" and "weights" not in file.name else {}
    model.load_weights(file, skip_mismatch=True, **options)
    return model, dict.fromkeys(of(model, "head"), "different shape")


def by_name(build: Build, file: Path) -> tuple[Model, Expected]:
    """The head has another name in the code, and the loader matches by name."""
    model = build(5, "classifier")
    model.load_weights(file, by_name=True)
    return model, dict.fromkeys(of(build(5, "head"), "head"), "at initial values")


FAULTS = (healthy, drop, swap, redraw, epoch, transpose, skip_mismatch, by_name)
# Options of the loaders: checkpoints cannot skip mismatches, only HDF5 is loaded by name.
CANNOT = {("skip_mismatch", "ckpt")} | {("by_name", name) for name in FORMATS[1:]}


def further(build: Build) -> Model:
    """The model after a little more training of one layer."""
    model, rng = trained(build), np.random.default_rng(1)
    for variable in of(model, "second").values():
        variable.assign(np.array(variable) + rng.normal(0, 0.02, variable.shape))
    return model


def said(model: Model, file: Path) -> dict[str, str]:
    """The result of the proof for each weight, without numbers."""
    proof = prove_restored(model, file, architecture=file.with_name("model.keras"))
    found = {}
    for line in proof.describe().splitlines():
        name, _, what = line.partition(": ")
        found[name] = what.partition(" (")[0]
    found |= dict.fromkeys(proof.missing, "missing")
    assert proof.faithful == (not found)
    return found


def formats(build: Build, fault: str) -> list[str]:
    """All formats for a plain network and for correct loads; one of them for other faults."""
    possible = [name for name in FORMATS if (fault, name) not in CANNOT]
    if build is ARCHITECTURES[0] or fault == "healthy":
        return possible
    turn = ARCHITECTURES.index(build) + [each.__name__ for each in FAULTS].index(fault)
    return [possible[turn % len(possible)]]


def run(folder: Path, faults: tuple[Callable[..., tuple[Model, Expected]], ...] = FAULTS) -> list:
    rows = []
    for build in ARCHITECTURES:
        place = folder / build.__name__
        save(trained(build), place)
        save(further(build), place / "later")
        for fault in faults:
            for name in formats(build, fault.__name__):
                model, done = fault(build, place / name)
                row = (build.__name__, fault.__name__, name, done, said(model, place / name))
                rows.append(row)
        keras.backend.clear_session()
    return rows


if __name__ == "__main__":
    keras.utils.set_random_seed(4)
    sys.stdout.write(json.dumps(run(Path(sys.argv[1]))))

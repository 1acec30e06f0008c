"""Five small models, each saved intact and with seven restore faults, in four formats.

`python -m tests.restore.fault_models DIR` writes `DIR/<architecture>/<fault>/<format>`, next to
each the golden record of the intact model, and `DIR/expected.json`: the change of each weight.
A fault is applied to the live model as a program would do it, and the result is saved.
"""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from modelaudit.golden import record

layers = keras.layers
Expected = dict[str, str]  # weight -> change
FORMATS = ("model.h5", "model.keras", "export", "ckpt")
SHAPE = (8, 8, 3)


def plain(units: int, head: str, without: str = "") -> keras.Model:
    stack = [
        layers.Input(SHAPE, name="image"),
        layers.Conv2D(6, 3, padding="same", activation="relu", name="first"),
        layers.Conv2D(6, 3, padding="same", activation="relu", name="second"),
        layers.Conv2D(6, 3, padding="same", activation="relu", name="third"),
        layers.BatchNormalization(name="norm"),
        layers.GlobalAveragePooling2D(name="pool"),
        layers.Dense(units, activation="softmax", name=head),
    ]
    return keras.Sequential([layer for layer in stack if layer.name != without], name="plain")


def residual(units: int, head: str, without: str = "") -> keras.Model:
    image = layers.Input(SHAPE, name="image")
    x = layers.Conv2D(5, 3, padding="same", name="stem")(image)
    x = keras.activations.relu(x, max_value=6.0)  # an operation, not a layer
    for name in ("second", "third"):
        if name != without:
            y = layers.Conv2D(5, 3, padding="same", activation="relu", name=name)(x)
            x = layers.Add(name=f"{name}_sum")([x, y])
    x = layers.GlobalMaxPooling2D(name="pool")(x)
    return keras.Model(image, layers.Dense(units, name=head)(x), name="residual")


def nested(units: int, head: str, without: str = "") -> keras.Model:
    inside = layers.Input(SHAPE, name="inside")
    x = layers.SeparableConv2D(4, 3, padding="same", name="separable")(inside)
    for name in ("second", "third"):
        if name != without:
            x = layers.Conv2D(4, 3, padding="same", activation="relu", name=name)(x)
    trunk = keras.Model(inside, layers.GlobalAveragePooling2D(name="pool")(x), name="trunk")
    image = layers.Input(SHAPE, name="image")
    return keras.Model(image, layers.Dense(units, name=head)(trunk(image)), name="nested")


def recurrent(units: int, head: str, without: str = "") -> keras.Model:
    tokens = layers.Input((7,), name="tokens", dtype="int32")
    x = layers.Embedding(11, 6, name="embedding")(tokens)
    x = layers.LSTM(6, name="lstm")(x)
    for name in ("second", "third"):
        if name != without:
            x = layers.Dense(6, activation="tanh", name=name)(x)
    return keras.Model(tokens, layers.Dense(units, name=head)(x), name="recurrent")


def shared(units: int, head: str, without: str = "") -> keras.Model:
    left, right = (layers.Input((9,), name=name) for name in ("left", "right"))
    first = layers.Dense(8, activation="relu", name="first")
    a, b = first(left), first(right)
    for name in ("second", "third"):
        if name != without:
            layer = layers.Dense(8, activation="relu", name=name)
            a, b = layer(a), layer(b)
    gap = layers.Subtract(name="gap")([a, b])
    return keras.Model([left, right], layers.Dense(units, name=head)(gap), name="shared")


ARCHITECTURES = (plain, residual, nested, recurrent, shared)
Build = Callable[..., keras.Model]


def trained(build: Build, units: int = 5, head: str = "head", without: str = "") -> keras.Model:
    """The model with values as after training: none is at its initial value.

    Each weight's values depend on its name alone, so models that share layers share weights.
    """
    model = build(units, head, without)
    for route, variable in named(model).items():
        seed = list(f"{build.__name__} {route} {tuple(variable.shape)}".encode())
        rng = np.random.default_rng(seed)
        value = rng.normal(0.2, 0.5, variable.shape)
        variable.assign(np.abs(value) if "variance" in route else value)
    return model


def named(model: keras.Model, above: str = "") -> dict[str, object]:
    found = {}
    for layer in model.layers:
        if isinstance(layer, keras.Model):
            found |= named(layer, f"{above}{layer.name}/")
        else:
            tails = [v.path.rpartition(f"{layer.name}/")[2] for v in layer.weights]
            found |= {
                f"{above}{layer.name}/{tail}": v
                for tail, v in zip(tails, layer.weights, strict=True)
            }
    return found


def of(model: keras.Model, name: str) -> dict[str, object]:
    """The weights of the layer `name`, at any depth."""
    return {r: v for r, v in named(model).items() if f"/{name}/" in f"/{r}"}


def exchange(model: keras.Model) -> Expected:
    """Swap the weights of `second` and `third`, of equal shape; return the expected changes."""
    one, two = of(model, "second"), of(model, "third")
    for a, b in zip(one.values(), two.values(), strict=True):
        first, second = np.array(a), np.array(b)
        a.assign(second)
        b.assign(first)
    pairs = list(zip(one, two, strict=True))
    return {a: f"swapped with {b}" for x, y in pairs for a, b in ((x, y), (y, x))}


def healthy(build: Build, folder: Path) -> tuple[keras.Model, Expected]:
    return trained(build), {}


def drop(build: Build, folder: Path) -> tuple[keras.Model, Expected]:
    """A layer is missing, with its weights."""
    lost = of(trained(build), "third")
    return trained(build, without="third"), dict.fromkeys(lost, "missing")


def swap(build: Build, folder: Path) -> tuple[keras.Model, Expected]:
    """The weights of two layers of equal shape were swapped."""
    model = trained(build)
    return model, exchange(model)


def redraw(build: Build, folder: Path) -> tuple[keras.Model, Expected]:
    """One layer was built but not restored."""
    model = trained(build)
    fresh = of(build(5, "head"), "second")
    for mine, new in zip(of(model, "second").values(), fresh.values(), strict=True):
        mine.assign(new)
    return model, dict.fromkeys(fresh, "at initial values")


def epoch(build: Build, folder: Path) -> tuple[keras.Model, Expected]:
    """One layer has the values of a later epoch."""
    model = trained(build)
    rng = np.random.default_rng(1)
    for variable in of(model, "second").values():
        variable.assign(np.array(variable) + rng.normal(0, 0.02, variable.shape))
    return model, dict.fromkeys(of(model, "second"), "different values")


def transpose(build: Build, folder: Path) -> tuple[keras.Model, Expected]:
    """One kernel was transposed: a matrix, or the spatial axes of a convolution's kernel."""
    model = trained(build)
    (route, kernel), *_ = of(model, "second").items()
    value = np.array(kernel)
    kernel.assign(value.T if value.ndim == 2 else np.swapaxes(value, 0, 1))
    return model, {route: "transposed"}


def skip_mismatch(build: Build, folder: Path) -> tuple[keras.Model, Expected]:
    """`load_weights(…, skip_mismatch=True)` of a model with another number of classes."""
    file = folder / "other.weights.h5"
    trained(build, units=7).save_weights(file)
    model = build(5, "head")
    model.load_weights(file, skip_mismatch=True)
    file.unlink()
    return model, dict.fromkeys(of(model, "head"), "at initial values")


def by_name(build: Build, folder: Path) -> tuple[keras.Model, Expected]:
    """`load_weights(…, by_name=True)` of a model whose head has another name."""
    file = folder / "renamed.h5"
    trained(build, head="classifier").save(file)
    model = build(5, "head")
    model.load_weights(file, by_name=True)
    file.unlink()
    return model, dict.fromkeys(of(model, "head"), "at initial values")


FAULTS = (healthy, drop, swap, redraw, epoch, transpose, skip_mismatch, by_name)


def exported(build: Build, fault: Callable[..., object]) -> bool:
    """Exports take as long as all other formats: each change in one model, two in the others."""
    return fault in (healthy, swap) or (build is plain and fault in (drop, redraw, transpose))


def save(model: keras.Model, folder: Path, *, export: bool) -> None:
    model.save(folder / "model.h5")
    model.save(folder / "model.keras")
    if export:
        model.export(folder / "export", format="tf_saved_model", verbose=False)
    tf.train.Checkpoint(model=model).write(str(folder / "ckpt"))


def main(folder: Path) -> None:
    keras.utils.set_random_seed(4)
    expected: dict[str, dict[str, Expected]] = {}
    for build in ARCHITECTURES:
        records: dict[str, Path] = {}
        for fault in FAULTS:
            place = folder / build.__name__ / fault.__name__
            place.mkdir(parents=True)
            model, done = fault(build, place)
            export = exported(build, fault)
            save(model, place, export=export)
            for name in FORMATS if export else set(FORMATS) - {"export"}:
                if fault is healthy:
                    records[name] = record(model, place / name)
                else:
                    shutil.copy(records[name], place / records[name].name)
            expected.setdefault(build.__name__, {})[fault.__name__] = done
    (folder / "expected.json").write_text(json.dumps(expected))


if __name__ == "__main__":
    main(Path(sys.argv[1]))

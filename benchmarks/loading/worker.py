"""Saves and loads models in one runtime, for `matrix.py`, which runs it there.

    python worker.py MATRIX LABEL (save | load) [--legacy-keras] < NAMES-OR-CELLS

`save` writes `models/LABEL/NAME/` for every name on the input. `load` reads cells, one JSON object
a line, and prints each with its status before it takes the next one: a crash costs one cell. It
runs under Python 3.9 and later.
"""

from __future__ import annotations

import importlib
import inspect
import json
import os
import platform
import sys
import warnings
from importlib import metadata
from pathlib import Path

os.environ.update(TF_CPP_MIN_LOG_LEVEL="3", CUDA_VISIBLE_DEVICES="-1")
LEGACY = "--legacy-keras" in sys.argv
if LEGACY:
    os.environ["TF_USE_LEGACY_KERAS"] = "1"
sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
warnings.simplefilter("ignore")
np, tf, models = map(importlib.import_module, ("numpy", "tensorflow", "benchmarks.loading.models"))
keras = importlib.import_module("tf_keras") if LEGACY else tf.keras

VERSION = tuple(
    int(part)
    for part in str(getattr(keras, "__version__", None) or __import__("keras").__version__).split(
        "."
    )[:2]
)
KERAS3 = VERSION >= (3, 0)
TOLERANCE = {"mixed_precision": 2e-2, "mixed_global": 1e-2, "mixed_block": 1e-2}
TOLERANCE |= {
    "half_series": 1e-2,
    "satellite": 1e-2,
    "keypoints": 1e-3,
    "brain_floats": 3e-2,
    "low_light": 2e-2,
    "single_shot": 2e-2,
    **dict.fromkeys(models.DEEP, 1e-3),
}


def objects(matrix: Path):
    """Name -> custom object, of the modules beside the models."""
    names = sorted(path.stem for path in matrix.glob("customs*.py"))
    modules = [importlib.import_module(name) for name in names]
    return {
        name: value
        for module in modules
        for name, value in vars(module).items()
        if getattr(value, "__module__", "") == module.__name__
    }


def tensors(name: str):
    """The inputs of a model."""
    return [
        tf.constant(value.tolist()) if value.dtype == object else tf.constant(value)
        for value in models.MODELS[name][1]
    ]


def structured(name: str, inputs: list):
    """The inputs as the model takes them: one tensor, a list, or a dictionary."""
    if name in models.DICTIONARIES:
        return {each: inputs[place] for place, each in enumerate(models.INPUTS[name])}
    return inputs[0] if len(inputs) == 1 else inputs


def outputs(found) -> list:
    """Arrays of a structure of tensors, in a stable order."""
    return [np.asarray(value, dtype="float64") for value in tf.nest.flatten(found)]


def called(model, name: str, inputs: list):
    """The outputs of a model (not in training), from its initial state."""
    forget(model)
    return outputs(model(structured(name, inputs), training=False))


def forget(model) -> None:
    """Reset what recurrent layers keep between batches."""
    for layer in model.layers:
        if getattr(layer, "stateful", False) and hasattr(layer, "reset_states"):
            if KERAS3:  # its reset_states fails for stacked cells, whose states are nested
                for state in tf.nest.flatten(list(layer.states or ())):
                    state.assign(state * 0)
            else:
                layer.reset_states()


def randomized(model) -> None:
    """Give every float weight values of its own."""
    random = np.random.RandomState(7)
    for weight in model.weights:
        if None in tuple(getattr(weight, "shape", (None,))):
            continue  # the weights of words that `adapt` found
        if "float" in str(getattr(weight.dtype, "name", weight.dtype)):
            values = random.uniform(0.1, 0.9, tuple(weight.shape))
            if "variance" not in weight.name:
                values = values - 0.5
            if values.size > 3000:  # a kernel of a deep network, whose values would overflow
                values *= 5.0 / np.prod(values.shape[:-1]) ** 0.5
            weight.assign(values.astype("float32"))
    for layer in model._flatten_layers():
        if type(layer).__name__ == "Normalization":
            layer.finalize_state()  # it computes with copies of its weights


def save(matrix: Path, label: str, name: str) -> dict:
    """Save one model in every format that this version writes: format -> path or error."""
    keras.backend.clear_session()
    model = models.MODELS[name][0](keras)
    randomized(model)
    folder = matrix / "models" / label / name
    folder.mkdir(parents=True, exist_ok=True)
    np.savez(folder / "golden.npz", *called(model, name, tensors(name)))
    forget(model)
    ways = {}
    if VERSION >= (2, 12):
        ways["keras"] = ("m.keras", model.save)
        ways["weights.h5"] = ("w.weights.h5", model.save_weights)
    if KERAS3:
        quiet = "verbose" in inspect.signature(model.export).parameters
        ways["savedmodel"] = (
            "sm",
            lambda path: model.export(path, **({"verbose": False} if quiet else {})),
        )
    else:
        if name not in models.DEEP:  # minutes of tracing for each
            ways["savedmodel"] = ("sm", lambda path: model.save(path, save_format="tf"))
        ways["weights_h5"] = (
            "w.h5",
            lambda path: model.save_weights(path, save_format="h5"),
        )
    ways["checkpoint"] = ("c/ckpt", tf.train.Checkpoint(model).write)
    ways["h5"] = ("m.h5", model.save)  # last: Keras 3 then forgets the model's optimizer
    saved = {}
    for kind, (file, write) in ways.items():
        try:
            write(str(folder / file))
            saved[kind] = file
        except Exception as error:
            saved[kind + " failed"] = str(error)[:200]
    compiled = bool(getattr(model, "loss", None))
    optimizer = getattr(model, "optimizer", None)  # a step of its own needs no loss
    steps = int(getattr(optimizer, "iterations", 0)) if optimizer else 0
    return {"label": label, "arch": name, "compiled": compiled, "trained": steps > 0, **saved}


def by_signature(signature, name: str, inputs: list):
    """The outputs of a signature, its inputs bound by name (one input: whatever its name)."""
    keys = list(signature.structured_input_signature[1])
    if len(keys) == 1:
        return outputs(signature(**{keys[0]: inputs[0]}))
    wanted = models.INPUTS.get(name, ())
    if set(keys) != set(wanted):
        raise LookupError("names")
    return outputs(signature(**{key: inputs[number] for number, key in enumerate(wanted)}))


def attempt(cell: dict, matrix: Path):
    """(stage, outputs) of one loading call."""
    path = str(matrix / "models" / cell["path"])
    call, *options = cell["api"].split(",")
    name, inputs = cell["arch"], tensors(cell["arch"])
    yield "load"
    if call == "load_model":
        keywords = {"compile": "compile" in options}
        if "custom_objects" in options:
            keywords["custom_objects"] = objects(matrix)
        if "safe_mode=False" in options:
            keywords["safe_mode"] = False
        model = keras.models.load_model(path, **keywords)
        yield "call"
        yield called(model, name, inputs)
    elif call == "saved_model.load":
        loaded = tf.saved_model.load(path)
        yield "call"
        yield by_signature(loaded.signatures["serving_default"], name, inputs)
    elif call == "TFSMLayer":
        loaded = tf.saved_model.load(path)
        endpoint = "serve" if hasattr(loaded, "serve") else "serving_default"  # the default first
        layer = keras.layers.TFSMLayer(path, call_endpoint=endpoint)
        yield "call"
        try:
            found = layer(structured(name, inputs))
        except TypeError:
            layer(inputs[0] if len(inputs) == 1 else inputs)
            raise LookupError("structure") from None  # it wants what the model did not
        yield outputs(found)
    else:
        keras.backend.clear_session()
        yield "build"
        model = models.MODELS[name][0](keras)
        called(model, name, inputs)
        yield "load"
        if call == "load_weights":
            model.load_weights(path)
        else:
            tf.train.Checkpoint(model).read(path).expect_partial()
        yield "call"
        yield called(model, name, inputs)


def alike(wanted, value):
    """Where two arrays have the same number, or neither has one."""
    return (wanted == value) | (np.isnan(wanted) & np.isnan(value))


def difference(golden: list, found: list, name: str) -> float:
    """Largest difference in units of the tolerance, over the best assignment of outputs."""
    tolerance = TOLERANCE.get(name, 2e-5)
    worst, left = 0.0, list(found)
    if len(golden) != len(found):
        return float("inf")
    for wanted in golden:
        same = [
            (float(np.max(np.abs(wanted - value)[~alike(wanted, value)], initial=0.0)), number)
            for number, value in enumerate(left)
            if value.shape == wanted.shape
        ]
        if not same:
            return float("inf")
        distance, number = min(same)
        left.pop(number)
        if np.isnan(distance):
            return float("inf")
        size = float(np.max(np.abs(wanted)[np.isfinite(wanted)], initial=0.0))
        worst = max(worst, distance / (tolerance * (1.0 + size)))
    return worst


def tried(cell: dict, matrix: Path) -> dict:
    """The cell with what happened."""
    stage = ""
    try:
        for stage_or_outputs in attempt(cell, matrix):
            if isinstance(stage_or_outputs, str):
                stage = stage_or_outputs
            else:
                folder = matrix / "models" / cell["saver_version"] / cell["arch"]
                saved = np.load(folder / "golden.npz")
                golden = [saved[key] for key in sorted(saved.files)]
                apart = difference(golden, stage_or_outputs, cell["arch"])
                status = "ok" if apart <= 1.0 else "ok_but_outputs_differ"
                return {**cell, "status": status, "tolerances": apart, "message": None}
    except LookupError as error:
        if str(error) in ("names", "structure"):
            return {**cell, "status": "n/a", "message": "inputs of another structure"}
        failure = error
    except Exception as error:
        failure = error
    status = "n/a" if stage == "build" else "error"
    said = f"{type(failure).__name__}: {str(failure)[:400]}"
    return {**cell, "status": status, "stage": stage, "message": said}


def versions() -> dict:
    """The versions of this runtime."""
    beside = ""
    if not LEGACY and KERAS3:
        try:
            beside = metadata.version("tf_keras")
        except metadata.PackageNotFoundError:
            beside = ""
    return {
        "tf": tf.__version__,
        "keras": str(getattr(keras, "__version__", None) or metadata.version("keras")),
        "python": platform.python_version(),
        "legacy": LEGACY,
        "tf_keras_beside": beside,
    }


def main() -> None:
    """Save or load what the input names."""
    matrix, label, task = Path(sys.argv[1]), sys.argv[2], sys.argv[3]
    sys.path.insert(0, str(matrix))
    (matrix / f"loader_{label}.json").write_text(json.dumps({"label": label, **versions()}))
    for line in sys.stdin.read().splitlines():
        if task == "save":
            try:
                told = save(matrix, label, line)
            except Exception as error:
                said = f"{type(error).__name__}: {str(error)[:200]}"
                told = {"label": label, "arch": line, "cannot build": said}
        else:
            told = tried(json.loads(line), matrix)
        sys.stdout.write(json.dumps(told) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()

"""Files written without TensorFlow: damaged, misnamed, or in rare layouts of Keras."""

from __future__ import annotations

import io
import json
import shutil
import zipfile
from pathlib import Path

import h5py
import numpy as np

IN, OUT = 6, 4  # the one dense layer of `minimal_h5` and `minimal_keras`
_HEADER_LIMIT = 64512  # bytes of one HDF5 attribute before Keras splits it


def dense_weights() -> tuple[np.ndarray, np.ndarray]:
    """Kernel and bias of the minimal models."""
    rng = np.random.default_rng(3)
    return rng.normal(size=(IN, OUT)).astype("float32"), rng.normal(size=OUT).astype("float32")


def minimal_h5(path: Path) -> Path:
    """Write a full Keras 2.2.4 model, with an InputLayer, as that version did: ASCII attributes."""
    first = {
        "class_name": "InputLayer",
        "config": {"batch_input_shape": [None, IN], "dtype": "float32", "name": "input"},
    }
    dense = {
        "class_name": "Dense",
        "config": {
            "name": "dense",
            "trainable": True,
            "dtype": "float32",
            "units": OUT,
            "activation": "softmax",
            "use_bias": True,
        },
    }
    model = {"class_name": "Sequential", "config": {"name": "minimal", "layers": [first, dense]}}
    with h5py.File(path, "w") as file:
        file.attrs["keras_version"] = b"2.2.4"
        file.attrs["backend"] = b"tensorflow"
        file.attrs["model_config"] = json.dumps(model).encode("ascii")
        weights = file.create_group("model_weights")
        weights.attrs["keras_version"] = b"2.2.4"
        weights.attrs["backend"] = b"tensorflow"
        weights.attrs["layer_names"] = [b"dense"]
        group = weights.create_group("dense")
        group.attrs["weight_names"] = [b"dense/kernel:0", b"dense/bias:0"]
        for name, value in zip(("kernel:0", "bias:0"), dense_weights(), strict=True):
            group.create_dataset(f"dense/{name}", data=value)
    return path


def minimal_keras(path: Path) -> Path:
    """Write the same model as a Keras 3 archive."""
    layers = [
        {
            "module": "keras.layers",
            "class_name": "InputLayer",
            "config": {"batch_shape": [None, IN], "dtype": "float32", "name": "input"},
            "registered_name": None,
        },
        {
            "module": "keras.layers",
            "class_name": "Dense",
            "config": {"name": "dense", "units": OUT, "activation": "softmax", "use_bias": True},
            "registered_name": None,
            "build_config": {"input_shape": [None, IN]},
        },
    ]
    config = {
        "module": "keras",
        "class_name": "Sequential",
        "config": {"name": "minimal", "layers": layers, "build_input_shape": [None, IN]},
        "registered_name": None,
        "build_config": {"input_shape": [None, IN]},
    }
    buffer = io.BytesIO()
    with h5py.File(buffer, "w") as file:
        for index, value in enumerate(dense_weights()):
            file.create_dataset(f"layers/dense/vars/{index}", data=value)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("metadata.json", json.dumps({"keras_version": "3.8.0"}))
        archive.writestr("config.json", json.dumps(config))
        archive.writestr("model.weights.h5", buffer.getvalue())
    return path


def h5_named_keras(folder: Path) -> Path:
    """Write HDF5 named as an archive, like `model.save("m.keras")` before Keras 2.12."""
    return minimal_h5(folder / "old.keras")


def zip_named_h5(folder: Path) -> Path:
    """Write an archive named as HDF5."""
    return minimal_keras(folder / "renamed.h5")


def truncated_h5(folder: Path) -> Path:
    """Truncate an intact file after two thirds, like an interrupted copy."""
    path = minimal_h5(folder / "truncated.h5")
    data = path.read_bytes()
    path.write_bytes(data[: len(data) * 2 // 3])
    return path


def text_mangled_h5(folder: Path) -> Path:
    """Write HDF5 as if decoded as text: every byte from 0x80 on becomes U+FFFD."""
    path = minimal_h5(folder / "mangled.h5")
    path.write_bytes(path.read_bytes().decode("utf-8", errors="replace").encode("utf-8"))
    return path


def empty_file(folder: Path) -> Path:
    """Write an empty file."""
    path = folder / "empty.h5"
    path.touch()
    return path


def lfs_pointer(folder: Path) -> Path:
    """Write the Git LFS pointer that a clone without `git lfs pull` has for a 58 MB model."""
    path = folder / "pointer.h5"
    path.write_text(
        f"version https://git-lfs.github.com/spec/v1\noid sha256:{'5e' * 32}\nsize 58123456\n",
        encoding="ascii",
    )
    return path


def noise_zip(folder: Path) -> Path:
    """Write a valid zip whose members have the right names and random bytes."""
    path = folder / "noise.keras"
    rng = np.random.default_rng(4)
    with zipfile.ZipFile(path, "w") as archive:
        for name in ("metadata.json", "config.json", "model.weights.h5"):
            archive.writestr(name, rng.bytes(2000))
    return path


def chunked_attributes_h5(folder: Path, layers: int = 1200) -> Path:
    """Write legacy weights whose `layer_names` exceed one attribute: `layer_names0`, `…1`, …

    Layer `i` is named `block_i/…` and holds one weight, an array of the single value `i`.
    """
    path = folder / "chunked.h5"
    names = [f"block_{index}_{'x' * 60}".encode("ascii") for index in range(layers)]
    array = np.array(names)
    pieces = int(np.ceil(array.nbytes / _HEADER_LIMIT))
    with h5py.File(path, "w") as file:
        file.attrs["keras_version"] = b"2.2.4"
        file.attrs["backend"] = b"tensorflow"
        for number, piece in enumerate(np.array_split(array, pieces)):
            file.attrs[f"layer_names{number}"] = piece
        for index, name in enumerate(names):
            group = file.create_group(name)
            group.attrs["weight_names"] = [b"scale:0"]
            group.create_dataset("scale:0", data=np.float32([index]))
    return path


def symlink_loop(folder: Path) -> Path:
    """Make a directory with a model and a link to the directory itself."""
    path = folder / "loop"
    path.mkdir()
    minimal_h5(path / "model.h5")
    (path / "again").symlink_to(path, target_is_directory=True)
    (path / "self.h5").symlink_to("self.h5")
    return path


def serving_tree(folder: Path, saved_model: Path) -> Path:
    """Copy a SavedModel to the version directories of TensorFlow Serving: `NAME/1`, `NAME/2`."""
    path = folder / "served"
    for version in ("1", "00000002"):
        shutil.copytree(saved_model, path / version)
    return path


def nested_saved_models(folder: Path, saved_model: Path) -> Path:
    """Save twice into a directory that is a SavedModel already."""
    path = folder / "nested"
    for place in (".", "1", "model1"):
        shutil.copytree(saved_model, path / place, dirs_exist_ok=True)
    return path


ALONE = (
    h5_named_keras,
    zip_named_h5,
    truncated_h5,
    text_mangled_h5,
    empty_file,
    lfs_pointer,
    noise_zip,
    chunked_attributes_h5,
    symlink_loop,
)  # every builder that only needs a folder

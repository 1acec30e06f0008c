"""Files that look like a model and are none of TensorFlow's or Keras's, and why."""

from __future__ import annotations

import re
from pathlib import Path, PurePosixPath
from types import MappingProxyType

from modelaudit.errors import ReadError
from modelaudit.formats.io.file_window import FileWindow
from modelaudit.formats.zip.directory import read_directory
from modelaudit.settings import Limits

HEAD_BYTES = 4096

# What a file with this suffix promises is a model of ours: whatever it holds, it gets a row.
MODEL_SUFFIXES = frozenset((".keras", ".h5", ".hdf5", ".pb", ".ckpt"))

_SUFFIXES = MappingProxyType(
    {
        ".tflite": "TensorFlow Lite model",
        ".onnx": "ONNX model",
        ".pt": "PyTorch model",
        ".pth": "PyTorch model",
        ".safetensors": "safetensors weights",
        ".pkl": "Python pickle, never opened",
        ".pickle": "Python pickle, never opened",
        ".joblib": "joblib pickle, never opened",
        ".cloudpickle": "Python pickle, never opened",
        ".mlmodel": "Core ML model",
        ".gguf": "GGUF weights",
    }
)
# What downloads and copies are called until they are whole: by the Hugging Face and Google clouds'
# tools, browsers, curl and scp; and by rsync (`.NAME.Ab12Cd`) and the AWS CLI (`NAME.1a2B3c4D`).
_UNFINISHED = re.compile(
    r".+(\.incomplete|_\.gstmp|\.part|\.partial|\.filepart|\.crdownload|\.tmp)"
    r"|\..+\.[A-Za-z0-9]{6}|.+\.(keras|h5|hdf5)\.[0-9A-Fa-f]{8}",
    re.DOTALL,
)
_ZIP_MODELS = (".keras", ".h5", ".hdf5", "saved_model.pb", "saved_model.pbtxt", ".tflite", ".index")


def is_unfinished(name: str) -> bool:
    """Whether a file is called as one that is still being copied."""
    return _UNFINISHED.fullmatch(name) is not None


def unsupported_reason(name: str, head: bytes) -> str | None:
    """Why the file is no model of ours though it looks like a model; None if it does not.

    Args:
        name: the file's name.
        head: its first `HEAD_BYTES` bytes.
    """
    suffix = PurePosixPath(name).suffix.lower()
    if head[4:8] == b"TFL3":
        return f"{_SUFFIXES['.tflite']}, not TensorFlow/Keras"
    if suffix in _SUFFIXES:
        return f"{_SUFFIXES[suffix]}, not TensorFlow/Keras"
    if head.lstrip()[:1] == b"{":
        return _json_reason(head)
    return None


def _json_reason(head: bytes) -> str | None:
    if b'"modelTopology"' in head or b'"format": "layers-model"' in head:
        return "TensorFlow.js model, not TensorFlow/Keras"
    if b'"class_name"' in head and b'"config"' in head:
        return "Keras architecture as JSON, without weights"
    return None


def archived_models(path: Path, limits: Limits) -> str | None:
    """What models a zip archive holds, in words; None if its listing names none.

    Only the listing is read, and nothing is unpacked.
    """
    try:
        members = read_directory(FileWindow.of_file(path), limits).members
    except (ReadError, OSError) as error:
        reason = error.reason if isinstance(error, ReadError) else error.strerror
        return f"zip whose listing cannot be read: {reason}"
    models = [member.name for member in members if member.name.lower().endswith(_ZIP_MODELS)]
    if not models:
        return None
    more = f" and {len(models) - 1} more" if len(models) > 1 else ""
    return f"zip that contains {models[0]}{more}; unpack it to audit it"

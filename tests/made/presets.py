"""Directories as KerasHub 0.32 writes them, without KerasHub: a small image classifier.

The names of files, keys and groups are those of `save_to_preset`.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import h5py
import numpy as np

HUB = "keras_hub.src.models.resnet"
CONV, HEAD = (3, 3, 3, 8), (8, 4)


def config(module: str, name: str, **arguments: Any) -> dict[str, Any]:
    return {
        "module": f"{HUB}.{module}",
        "class_name": name,
        "config": arguments,
        "registered_name": f"keras_hub>{name}",
    }


def weights(path: Path, **groups: list[np.ndarray]) -> None:
    """A v3 weights file: `conv2d=[kernel, bias]` becomes layers/conv2d/vars/0 and 1."""
    with h5py.File(path, "w") as file:
        for name, arrays in groups.items():
            group = file.create_group(f"layers/{name}/vars")
            group.attrs["name"] = name
            for number, values in enumerate(arrays):
                group[str(number)] = values


def preset(root: Path, *, task: bool = True, tokenizer: bool = False, seed: int = 0) -> Path:
    """Write a preset with a trained backbone, and a task on it."""
    root.mkdir(parents=True)
    random = np.random.default_rng(seed)
    backbone = config("resnet_backbone", "ResNetBackbone", image_shape=[32, 32, 3])
    written = {"config.json": backbone}
    kernel, bias = random.standard_t(3, CONV) / 8, random.normal(size=CONV[-1])
    weights(root / "model.weights.h5", conv2d=[kernel.astype("f4"), bias.astype("f4")])
    if task:
        sizes = {"image_size": [32, 32], "scale": 0.00392156862745098, "offset": None}
        written["image_converter.json"] = config("converter", "ResNetImageConverter", **sizes)
        classifier = config("classifier", "ResNetImageClassifier", backbone=backbone, num_classes=4)
        written["task.json"] = classifier
        head = [random.standard_t(3, HEAD).astype("f4"), random.normal(size=HEAD[-1]).astype("f4")]
        weights(root / "task.weights.h5", dense=head)
    if tokenizer:
        arguments = {"vocabulary": None, "lowercase": False}
        written["tokenizer.json"] = config("tokenizer", "BertTokenizer", **arguments)
        (root / "assets" / "tokenizer").mkdir(parents=True)
        (root / "assets" / "tokenizer" / "vocabulary.txt").write_text("[PAD]\na\nb\n")
    written["metadata.json"] = {
        "keras_version": "3.15.1",
        "keras_hub_version": "0.32.0",
        "parameter_count": int(np.prod(CONV)) + CONV[-1],
        "date_saved": "2026-01-02@03:04:05",
        "tasks": ["ImageClassifier"],
    }
    for name, value in written.items():
        (root / name).write_text(json.dumps(value, indent=4))
    return root

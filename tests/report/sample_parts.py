"""Sections of synthetic audits: facts, measurements and observations."""

from __future__ import annotations

import math
from typing import Any

SHA = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
CLASSES = 10


def fields(depth: int) -> list[dict[str, Any]]:
    found, seen, jump = [], 1, 1
    for i in range(depth):
        seen += 2 * jump
        if i % 4 == 3:
            jump *= 2
        found.append(
            {
                "route": f"conv_{i}",
                "minimum": [seen, seen],
                "maximum": [seen, seen],
                "jump": [jump, jump],
                "output_size": [32, 32],
                "border": False,
            }
        )
    return found


def architecture(depth: int = 12) -> dict[str, Any]:
    layers, side = [], 32
    for i in range(depth):
        if i and i % 4 == 0 and side > 2:
            side //= 2
        for kind, params in (("Conv2D", 9248), ("BatchNormalization", 128), ("ReLU", 0)):
            layers.append(
                {
                    "route": {"Conv2D": f"conv_{i}", "BatchNormalization": f"bn_{i}"}.get(
                        kind, f"relu_{i}"
                    ),
                    "class": kind,
                    "module": "keras.layers",
                    "config_digest": f"{i:08x}",
                    "params": params,
                    "input_shapes": [[None, side, side, 32]],
                    "output_shape": [None, side, side, 32],
                    "inbound": [],
                    "trainable": True,
                    "variables": [],
                    "custom": False,
                }
            )
    layers.append(
        {
            "route": "pool",
            "class": "GlobalAveragePooling2D",
            "config_digest": "a" * 8,
            "params": 0,
            "output_shape": [None, 32],
            "trainable": True,
            "custom": False,
        }
    )
    layers.append(
        {
            "route": "head",
            "class": "Dense",
            "config_digest": "b" * 8,
            "params": 330,
            "output_shape": [None, CLASSES],
            "trainable": True,
            "custom": False,
        }
    )
    return {
        "class": "Functional",
        "name": "digits",
        "dialect": "keras3",
        "inputs": [{"route": "image", "shape": [None, 32, 32, 1], "dtype": "float32"}],
        "outputs": [{"route": "head", "shape": [None, CLASSES]}],
        "params": sum(layer["params"] for layer in layers),
        "layers": layers,
        "profile": {
            "grids": [
                {
                    "route": "conv_3",
                    "class_name": "Conv2D",
                    "size": [32, 32],
                    "kernel": [3, 3],
                    "strides": [2, 2],
                    "dilations": [1, 1],
                    "padding": "same",
                    "symmetric": [False, False],
                }
            ],
            "fields": fields(depth),
            "input_size": [32, 32],
            "augmentation": ["random_flip"],
            "rescaling": [],
            "head": "gap",
            "total_stride": [8, 8],
            "antialiased": False,
        },
    }


def weights(depth: int = 12) -> dict[str, Any]:
    tensors = []
    for i in range(depth):
        for name, shape in (("kernel", [3, 3, 32, 32]), ("bias", [32])):
            size = math.prod(shape)
            tensors.append(
                {
                    "name": f"layers/conv_{i}/vars/{name}",
                    "shape": shape,
                    "dtype": "float32",
                    "role": "weight",
                    "sha256": SHA,
                    "size": size,
                    "min": -0.31,
                    "max": 0.2874,
                    "mean": 0.00123,
                    "std": 0.0812,
                    "zeros": 0,
                    "nonfinite": 0,
                    "initialization": "trained",
                }
            )
    return {"tensors": tensors, "total": 110_000, "bytes": 443_000}


def symmetry(depth: int = 12, *, fresh: tuple[str, ...] = ()) -> dict[str, Any]:
    layers = [
        {
            "route": f"conv_{i}",
            "kind": "conv",
            "shape": [3, 3, 32, 32],
            "slices": 1024,
            "undefined": "",
            "even": {"H": 0.63 + 0.02 * i, "V": 0.62, "r180": 0.5},
            "baseline": {"H": 0.625, "V": 0.625, "r180": 0.5},
            "score": {"H": 0.05 * i - 0.05, "V": 0.02 * (i % 5) - 0.03, "r180": 0.01},
            "z": {"H": 2.5 * i, "V": 0.3, "r180": 0.2},
            "energies": {},
            "expected": {},
            "twins": {"H": {"score": 0.1 + 0.01 * i, "z": 3.0, "matched": 12}},
        }
        for i in range(depth)
    ]
    initialization = [
        {
            "route": f"conv_{i}",
            "tensor": f"layers/conv_{i}/vars/kernel",
            "initializer": "GlorotUniform",
            "state": "fresh" if f"conv_{i}" in fresh else "trained",
            "reason": "bound, bias and distribution are those of the initializer"
            if f"conv_{i}" in fresh
            else "",
            "weights": 9216,
            "tests": {},
        }
        for i in range(depth)
    ]
    batchnorm = [
        {
            "route": f"bn_{i}",
            "channels": 32,
            "statistics_initial": False,
            "affine_initial": False,
            "min_variance": 0.03,
        }
        for i in range(depth)
    ]
    values = [[0.2, 0.1, -0.4], [0.5, 0.0, -0.6], [0.1, 0.05, -0.3]]
    gallery = [
        {
            "route": "conv_0",
            "transform": "H",
            "filters": [
                {
                    "index": i,
                    "partner": 31 - i,
                    "score": 0.93 - 0.02 * i,
                    "values": [[v * (1 + 0.3 * i) - 0.05 * i for v in row] for row in values],
                    "partner_values": [[v * 0.9 for v in reversed(row)] for row in values],
                }
                for i in range(8)
            ],
        }
    ]
    return {
        "layers": layers,
        "initialization": initialization,
        "batchnorm": batchnorm,
        "summary": {},
        "skipped": {},
        "gallery": gallery,
    }


def behaviour(agreement: float = 0.984, *, collapsed: bool = False) -> dict[str, Any]:
    names = ("H", "V", "r180", "r90", "r270", "T", "AT")
    transforms = [
        {
            "name": g,
            "n": 64,
            "agreement": max(0.0, agreement - 0.11 * i),
            "agreement_ci": [
                max(0.0, agreement - 0.11 * i - 0.08),
                max(0.0, min(1.0, agreement - 0.11 * i + 0.02)),
            ],
            "kappa": None if collapsed else agreement - 0.12 * i - 0.02,
            "js": 0.01 + 0.08 * i,
            "js_ci": [0.0, 0.1],
            "tv": 0.01,
            "tv_ci": [0.0, 0.02],
            "nfv": None if collapsed else 0.022 + 0.2 * i,
            "action": "invariant",
            "detail": {"top_share": 0.2 + 0.05 * i},
        }
        for i, g in enumerate(names)
    ]
    return {
        "runtime": "here",
        "noise_floor": 3.1e-7,
        "deterministic": True,
        "inputs": {
            "kind": "synthetic",
            "n": 64,
            "shape": [32, 32, 1],
            "value_range": [0.0, 1.0],
            "seed": 20240229,
            "source": "",
            "labelled": False,
            "notes": ["equal mix of noise, gratings, strokes and dead leaves"],
        },
        "outputs": [
            {
                "name": "head",
                "kind": "softmax",
                "shape": [None, CLASSES],
                "collapse": {
                    "collapsed": collapsed,
                    "information": 0.002 if collapsed else 2.91,
                    "classes": CLASSES,
                    "top_class": 3,
                    "top_share": 1.0 if collapsed else 0.172,
                    "spread": 0.4,
                },
                "transforms": transforms,
                "orientation": {
                    "e": 0.9 if collapsed else 2.91,
                    "H": 2.99 if collapsed else 2.88,
                    "V": 1.4,
                    "r180": 1.5,
                    "r90": 0.7,
                    "r270": 0.66,
                    "T": 0.8,
                    "AT": 0.9,
                },
                "orientation_ci": {g: [0.6, 1.0] for g in ("r90", "r270")},
                "domain": {"as given": 2.91, "/255": 0.3, "1-x": 1.1},
                "accuracy": {},
                "per_class": [],
                "floor": {"H": 5e-14},
            }
        ],
        "dead": {"conv_3": 0.0625},
        "residuals": [
            {"route": "conv_0", "transform": "H", "identity": 5.1, "permutation": 0.7},
            {"route": "conv_11", "transform": "H", "identity": 0.62, "permutation": 0.31},
            {"route": "pool", "transform": "H", "identity": 0.032, "permutation": 0.03},
        ],
        "interventions": {"centre_head_bias": {"before": 2.91, "after": 2.92}},
        "skipped": {"per_class": "no labels were given"},
    }


def compatibility() -> list[dict[str, Any]]:
    return [
        {
            "runtime": "tf==2.21.0",
            "call": "load_model",
            "predicted": "loads",
            "because": [],
            "observed": {"status": "loaded", "error": "", "max_abs_diff": 1.2e-7},
        },
        {
            "runtime": "tf-keras==2.21.0",
            "call": "load_model",
            "predicted": "fails",
            "because": [{"code": "keras3-config", "text": "the config is in the style of Keras 3"}],
            "observed": {
                "status": "failed",
                "error": "TypeError: Could not locate class 'Functional'. "
                "Make sure custom classes are decorated",
                "max_abs_diff": None,
            },
        },
        {
            "runtime": "tf==1.15.5",
            "call": "load_model",
            "predicted": "fails",
            "because": [{"code": "zip", "text": "this version cannot open .keras archives"}],
            "observed": None,
        },
    ]


def observations() -> list[dict[str, Any]]:
    return [
        {
            "runtime": "here",
            "call": "load_model",
            "status": "loaded",
            "error_type": "",
            "error": "",
            "versions": {"tensorflow": "2.21.0", "keras": "3.15.1", "numpy": "2.4.6"},
            "sandbox": {"landlock": True, "seccomp": True, "no_new_privs": True},
        }
    ]

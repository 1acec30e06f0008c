"""Rich made-up audits that the report tests share. No model stands behind them."""

from __future__ import annotations

import math
from typing import Any

from modelaudit.findings import (
    Confidence,
    Finding,
    Location,
    Outcome,
    RuleResult,
    Severity,
    Verdict,
)
from modelaudit.report.view import RuleInfo
from modelaudit.schema import Audit

TOOL = {
    "name": "modelaudit",
    "version": "0.1.0",
    "rules_digest": "4f1c9a7be2d05c33",
    "settings_digest": "93ab20cc17de4410",
    "python": "3.11.9",
    "platform": "Linux x86_64",
}
CREATED = "2026-03-14T09:26:53+00:00"
SHA = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
CLASSES = 10

RULES = {
    info.code: info
    for info in (
        RuleInfo(
            "MA101",
            "truncated-file",
            "integrity",
            Severity.CRITICAL,
            "The file ends before its own header says",
            "The file is as long as its header says",
            "A file that was cut off in a copy or download cannot be restored; whatever loads from "
            "it is a part of the model.",
            "Copy the file again and compare the checksums:\n\n    sha256sum model.h5",
        ),
        RuleInfo(
            "MA203",
            "keras-major-mismatch",
            "compatibility",
            Severity.MEDIUM,
            "Saved by a Keras that the installed one cannot read in full",
            "The installed Keras reads what this file's Keras wrote",
            "Keras 3 changed how layers are saved. A file that loads may still lose settings.",
            "Load with `tf_keras`:\n\n```\nimport tf_keras\n"
            "model = tf_keras.models.load_model('model.h5')\n```",
            ("https://keras.io/guides/migrating_to_keras_3/",),
        ),
        RuleInfo(
            "MA301",
            "lambda-layer",
            "architecture",
            Severity.MEDIUM,
            "A Lambda layer holds Python code",
            "No layer holds Python code",
            "Python bytecode inside a model is bound to one Python version and can do anything "
            "when it is loaded.",
            "Replace the `Lambda` by a registered layer.",
        ),
        RuleInfo(
            "MA402",
            "fresh-layer",
            "weights",
            Severity.HIGH,
            "A layer is still at its initial values",
            "Every layer holds trained values",
            "Weights that equal what the initialiser draws were never trained, or were not "
            "restored. The model then answers by chance.",
            "Restore by name and look at what stays untouched:\n\n"
            "    status = checkpoint.restore(path)\n    status.assert_existing_objects_matched()",
            ("Glorot and Bengio 2010",),
        ),
        RuleInfo(
            "MA501",
            "asymmetric-kernels",
            "symmetry",
            Severity.INFO,
            "Kernels of the last layers favour one orientation",
            "Kernels of the last layers favour no orientation",
            "It hints at training without mirrored images.",
            "Train with `RandomFlip`.",
        ),
        RuleInfo(
            "MA601",
            "collapsed-output",
            "behaviour",
            Severity.HIGH,
            "The output does not depend on the input",
            "The output depends on the input",
            "A model that gives one answer to everything has learned nothing or lost it.",
            "See the diagnosis.",
        ),
        RuleInfo(
            "MA602",
            "flip-sensitive",
            "behaviour",
            Severity.MEDIUM,
            "Mirroring the input changes the answer",
            "Mirroring the input keeps the answer",
            "If mirrored images are as valid as upright ones, the model is unreliable on them.",
            "Add augmentation:\n\n    keras.layers.RandomFlip('horizontal')",
        ),
        RuleInfo(
            "MA701",
            "unsafe-code",
            "security",
            Severity.CRITICAL,
            "Loading the model runs code from the file",
            "Loading the model runs no code from the file",
            "Whoever loads the file hands over the machine.",
            "Do not load it.",
        ),
        RuleInfo(
            "MA702",
            "file-writing-op",
            "security",
            Severity.CRITICAL,
            "The graph writes files",
            "The graph writes no files",
            "See MA701.",
            "Do not load it.",
        ),
    )
}


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
                    "variables": {},
                    "custom": False,
                }
            )
    layers.append(
        {
            "route": "pool",
            "class": "GlobalAveragePooling2D",
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
        "trainable_params": sum(layer["params"] for layer in layers) - 64 * depth,
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
    return {"tensors": tensors, "total": 110_000, "non_trainable": 768, "bytes": 443_000}


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
            "reason": "bound, bias and distribution are those of the initialiser"
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
            "consistency": 0.04 + i / 100,
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
                min(1.0, agreement - 0.11 * i + 0.02),
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


def model(**changes: Any) -> dict[str, Any]:
    return {
        "root": "/srv/models",
        "path": "vision/digits-v3.keras",
        "slug": "vision-digits-v3",
        "format": "keras_v3_zip",
        "format_label": "Keras archive (.keras)",
        "sha256": SHA,
        "bytes": 443_120,
        "files": 1,
        "saved_with": {"keras": "3.15.1", "backend": "tensorflow"},
        "complete": True,
    } | changes


def finding(code: str, detail: str, **changes: Any) -> Finding:
    info = RULES[code]
    values: dict[str, Any] = {
        "code": code,
        "name": info.name,
        "severity": info.severity,
        "confidence": Confidence.HIGH,
        "title": info.summary,
        "detail": detail,
        "fix": info.fix,
    } | changes
    return Finding(**values)


def results(found: list[Finding], skipped: dict[str, str] | None = None) -> tuple[RuleResult, ...]:
    rows = []
    for code, info in RULES.items():
        mine = tuple(f for f in found if f.code == code)
        reason = (skipped or {}).get(code, "")
        if mine:
            outcome = Outcome.WAIVED if all(f.waived_by for f in mine) else Outcome.FAIL
        else:
            outcome = Outcome.NOT_APPLICABLE if reason else Outcome.PASS
        rows.append(RuleResult(code, info.name, outcome, reason, mine))
    return tuple(rows)


def healthy() -> Audit:
    return Audit(
        tool=TOOL,
        created=CREATED,
        model=model(),
        verdict=Verdict.WARN,
        reason="The model loads, computes what was saved and ignores left–right flips; one note on "
        "its kernels.",
        results=results(
            [
                finding(
                    "MA501",
                    "The last two convolutions score 0.50 left–right and 0.01 top–bottom.",
                    location=Location("config.json", "layers/conv_11"),
                    evidence={
                        "measured": 0.49,
                        "threshold": 0.1,
                        "n": 2048,
                        "layers": ["conv_10", "conv_11"],
                    },
                )
            ],
            {"MA602": "without real images learned invariance cannot be decided"},
        ),
        compatibility=tuple(compatibility()),
        architecture=architecture(),
        weights=weights(),
        symmetry=symmetry(),
        behaviour=behaviour(),
        restore={
            "compared": 62,
            "identical": 62,
            "missing": [],
            "unexpected": [],
            "differing": [],
            "golden": {"state": "same", "max_abs_diff": 2.4e-7, "inputs": 8},
        },
        diagnosis={
            "question": "Why does the model give the same answer to flipped images?",
            "suspects": [
                {"name": "training data", "state": "explains it", "text": "It saw mirrors."},
                {"name": "restoration", "state": "ruled out", "text": "All tensors are equal."},
                {"name": "filters and architecture", "state": "open", "text": "`conv_0` is odd."},
            ],
            "consequences": [
                {
                    "cause": "head-bias",
                    "title": "One class is favoured",
                    "of": "learned-invariance",
                    "text": "It goes away with the cause.",
                }
            ],
            "answer": "It was trained to: the answer survives left–right mirroring by what it "
            "learned, not by how it is built.",
            "causes": [
                {
                    "cause": "learned-invariance",
                    "title": "Learned to ignore left–right flips",
                    "transform": "H",
                    "where": "",
                    "belief": 0.86,
                    "evidence": [
                        {
                            "text": "63 of 64 inputs keep their answer when mirrored left–right",
                            "measured": 0.984,
                            "threshold": 0.9,
                            "n": 64,
                        },
                        {
                            "text": "kernels of the last layers are far more symmetric "
                            "left–right than top–bottom",
                            "code": "MA501",
                            "measured": 0.49,
                            "threshold": 0.1,
                        },
                    ],
                    "against": [
                        {
                            "text": "the probe inputs are made up; learned invariance holds only "
                            "near the training images"
                        }
                    ],
                    "refute": "Real images on which fewer than 90 % keep their answer.",
                    "next_steps": [
                        {
                            "text": "Repeat with your own images:",
                            "code": "modelaudit audit digits-v3.keras --probe-data images.npz",
                        }
                    ],
                },
                {
                    "cause": "healthy",
                    "title": "",
                    "belief": 0.14,
                    "evidence": [],
                    "against": [],
                    "refute": "",
                    "next_steps": [],
                },
            ],
            "ruled_out": [
                {
                    "cause": "never-loaded",
                    "title": "Weights never loaded",
                    "by": "62 of 62 tensors equal the file, none is at its initial values",
                }
            ],
            "undecidable": [
                {
                    "what": "whether a quarter turn matters on real images",
                    "needs": "at least 32 real images",
                }
            ],
        },
        files=({"path": "digits-v3.keras", "size": 443_120, "sha256": SHA, "role": "archive"},),
        observations=tuple(observations()),
        exit={"code": 0, "reasons": []},
        timings={"probe": 0.31},
    )


def failing() -> Audit:
    found = [
        finding(
            "MA402",
            f"The kernel of `conv_{i}` lies within ±0.1021, its bias is zero and its "
            "values follow the uniform distribution of GlorotUniform.",
            location=Location("model.weights.h5", f"layers/conv_{i}/kernel"),
            key=str(i),
            confidence=Confidence.HIGH,
            evidence={
                "measured": 0.42,
                "threshold": 0.001,
                "n": 9216,
                "bound": 0.1021,
                "largest": 0.1019,
            },
        )
        for i in range(24)
    ]
    found += [
        finding(
            "MA601",
            "64 of 64 inputs get class 3.",
            location=Location(route="head"),
            evidence={"measured": 0.002, "threshold": 0.1, "n": 64},
        ),
        finding(
            "MA203",
            "The file names Keras 2.11.0.",
            evidence={"measured": "2.11.0"},
            confidence=Confidence.CERTAIN,
        ),
        finding(
            "MA301",
            "The layer `preprocess` is a Lambda with bytecode.",
            location=Location("config.json", "layers/preprocess"),
            waived_by="reviewed by hand, only divides by 255 (until 2027-03-01)",
        ),
        finding(
            "MA602",
            "19 of 64 inputs keep their answer.",
            location=Location(route="head"),
            evidence={"measured": 0.29, "threshold": 0.9, "n": 64, "ci": [0.2, 0.42]},
        ),
        finding(
            "MA101",
            "The header promises 8,421,376 bytes, the file has 8,388,608.",
            location=Location("variables/variables.data-00000-of-00001"),
            confidence=Confidence.CERTAIN,
            evidence={"measured": 8_388_608, "threshold": 8_421_376},
        ),
        finding("MA501", "The last convolution favours one orientation."),
    ]
    return Audit(
        tool=TOOL,
        created=CREATED,
        model=model(
            path="vision/broken/digits-v4",
            slug="vision-broken-digits-v4",
            format="savedmodel_tf2",
            format_label="SavedModel (TF2)",
            files=4,
            saved_with={"keras": "2.11.0", "tensorflow": "2.11.0", "producer": 1286},
        ),
        verdict=Verdict.FAIL,
        reason="24 of 26 layers are still at their initial values, so the output does not depend "
        "on the input.",
        results=results(found),
        compatibility=tuple(compatibility()),
        architecture=architecture(26),
        weights=weights(26),
        symmetry=symmetry(26, fresh=tuple(f"conv_{i}" for i in range(24))),
        behaviour=behaviour(1.0, collapsed=True),
        restore={
            "compared": 130,
            "identical": 82,
            "missing": [f"conv_{i}/kernel" for i in range(24)],
            "unexpected": ["head_1/kernel", "head_1/bias"],
            "differing": [f"bn_{i}/gamma" for i in range(22)],
            "golden": {},
        },
        diagnosis={
            "question": "Why does the model give the same output unless the image is flipped?",
            "answer": "Most layers were never restored: they hold what the initialiser drew.",
            "causes": [
                {
                    "cause": "partial-restore",
                    "title": "Only a part of the weights was restored",
                    "where": [f"conv_{i}" for i in range(24)],
                    "belief": 0.93,
                    "evidence": [
                        {
                            "text": "24 of 26 convolutions are at their initial values",
                            "code": "MA402",
                            "measured": 24,
                            "threshold": 0,
                            "n": 26,
                        }
                    ],
                    "against": [],
                    "refute": "A golden record that replays exactly.",
                    "next_steps": [
                        {
                            "text": "Restore with the same model code that saved the "
                            "checkpoint and assert that every object matched:",
                            "code": "status = tf.train.Checkpoint(model=model).restore(path)\n"
                            "status.assert_consumed()",
                        }
                    ],
                }
            ],
            "ruled_out": [],
            "undecidable": [],
        },
        observations=tuple(observations()),
        exit={"code": 1, "reasons": ["MA101", "MA402"]},
    )


def unreadable() -> Audit:
    return Audit(
        tool=TOOL,
        created=CREATED,
        model=model(
            path="old/weights.h5",
            slug="old-weights",
            format="empty_file",
            format_label="Empty file",
            bytes=0,
            saved_with={},
            complete=False,
        ),
        verdict=Verdict.INCOMPLETE,
        reason="The file is empty, so there is nothing to audit.",
        results=results([], dict.fromkeys(RULES, "the file is empty")),
        behaviour={"skipped_reason": "the file is empty"},
        exit={"code": 3, "reasons": ["incomplete"]},
    )


def empty() -> Audit:
    return Audit(tool={}, created="", model={}, verdict=Verdict.INCOMPLETE, reason="")


def large() -> Audit:
    base = healthy()
    return Audit(
        tool=base.tool,
        created=base.created,
        model=model(path="vision/large.keras"),
        verdict=Verdict.PASS,
        reason="Nothing wrong was found.",
        results=results([]),
        compatibility=base.compatibility,
        architecture=architecture(133),
        weights=weights(133),
        symmetry=symmetry(133),
        behaviour=base.behaviour,
        restore=base.restore,
        observations=base.observations,
        files=base.files,
    )


HOSTILE_NAME = (
    "</script><script>alert(1)</script><img src=x onerror=alert(2)>{{ 7*7 }}{% raw %}"
    "\u202egnp.exe\u202c\u200b\x1b[31m\x00\ud800 \U0001f600 模型 مودل " + "x" * 200
)


def hostile() -> Audit:
    base = failing()
    name = HOSTILE_NAME
    changed = architecture(4)
    for layer in changed["layers"]:
        layer["route"] = name + layer["route"]
        layer["class"] = name
    stored = weights(2)
    for tensor in stored["tensors"]:
        tensor["name"] = name + tensor["name"]
    measured = symmetry(3)
    for key in ("layers", "initialization", "batchnorm", "gallery"):
        for item in measured[key]:
            item["route"] = name + item["route"]
    ran = behaviour()
    ran["outputs"][0]["name"] = name
    ran["dead"] = {name: 0.5}
    for effect in ran["outputs"][0]["transforms"][:3]:
        effect["name"] = name
    return Audit(
        tool=TOOL,
        created=CREATED,
        model=model(
            root="/srv/mod els",
            path=name,
            slug="hostile",
            format_label=name,
            saved_with={"keras": name, name: name},
        ),
        verdict=Verdict.FAIL,
        reason=name,
        results=results(
            [
                finding(
                    "MA701",
                    name,
                    title=name,
                    location=Location(name, name),
                    evidence={name: name},
                    fix=f"{name}\n\n    {name}\n",
                ),
                finding("MA702", "x " * 3000, waived_by=name),
            ]
        ),
        compatibility=(
            {
                "runtime": name,
                "call": name,
                "predicted": name,
                "because": [{"code": name, "text": name}],
                "observed": {"status": name, "error": name},
            },
        ),
        architecture=changed,
        weights=stored,
        symmetry=measured,
        behaviour=ran,
        restore={"compared": 1, "identical": 0, "missing": [name], "golden": {name: name}},
        diagnosis={
            "question": name,
            "answer": name,
            "suspects": [{"name": name, "state": name, "text": name}],
            "consequences": [{"cause": name, "of": name, "text": name}],
            "causes": [
                {
                    "cause": name,
                    "title": name,
                    "transform": name,
                    "where": name,
                    "belief": 7.0,
                    "evidence": [{"text": name, "code": name}, name],
                    "against": [name, {"text": name}],
                    "refute": name,
                    "next_steps": [{"text": name, "code": name}],
                }
            ],
            "ruled_out": [{"cause": name, "by": name}],
            "undecidable": [{"what": name, "needs": name}],
        },
        observations=(
            {
                "runtime": name,
                "call": name,
                "status": name,
                "error_type": name,
                "error": name,
                "versions": {name: name},
                "sandbox": {name: name},
            },
        ),
        files=({"path": name, "size": 1, "sha256": name, "role": name},),
        exit=base.exit,
    )


SAMPLES = {
    "healthy": healthy,
    "failing": failing,
    "unreadable": unreadable,
    "empty": empty,
    "large": large,
    "hostile": hostile,
}

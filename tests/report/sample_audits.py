"""Complete synthetic audits, from healthy to unreadable, without real models."""

from __future__ import annotations

from typing import Any

from sample_parts import (
    SHA,
    architecture,
    behaviour,
    compatibility,
    observations,
    symmetry,
    weights,
)
from sample_rules import RULES

from modelaudit.audit_types.json_form import jsonable
from modelaudit.findings import Confidence, Finding, Location, Outcome, RuleResult, Verdict
from modelaudit.schema import Audit, from_json, to_json
from modelaudit.structs import replace

TOOL = {
    "name": "modelaudit",
    "version": "0.1.0",
    "rules_digest": "4f1c9a7be2d05c33",
    "settings_digest": "93ab20cc17de4410",
    "python": "3.11.9",
    "platform": "Linux x86_64",
}
CREATED = "2026-03-14T09:26:53Z"


def audit(results: tuple[RuleResult, ...] = (), **sections: Any) -> Audit:
    """An audit of these sections, given in their JSON form or as values; the others are empty."""
    lists = ("findings", "passed", "skipped", "compatibility")
    objects = ("architecture", "weights", "symmetry", "behaviour", "restore", "diagnosis")
    blank = {
        "schema_version": "1.0",
        "tool": TOOL,
        "created": CREATED,
        "model": model(),
        "verdict": "pass",
        "reason": "",
        "exit": {"code": 0, "reasons": []},
        **{key: [] for key in lists},
        **{key: {} for key in objects},
    }
    return replace(from_json(blank | jsonable(sections)), results=results)


def json_of(made: Audit) -> dict[str, Any]:
    """An audit as its file has it."""
    return to_json(made)


def changed(before: Audit, **changes: Any) -> Audit:
    """An audit with other sections, given in their JSON form, or with other values."""
    known = to_json(before)
    sections = {key: jsonable(value) for key, value in changes.items() if key in known}
    other = from_json(known | sections)
    return replace(before, **changes | {key: getattr(other, key) for key in sections})


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
    return audit(
        tool=TOOL,
        created=CREATED,
        model=model(),
        verdict=Verdict.WARN,
        reason="The model loads, computes what was saved and ignores left-right flips; one note on "
        "its kernels.",
        results=results(
            [
                finding(
                    "MA501",
                    "The last two convolutions score 0.50 left-right and 0.01 up-down.",
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
            "golden": {"file": "digits-v3.golden", "outputs_reproduced": True},
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
            "answer": "It was trained to: the answer survives left-right mirroring by what it "
            "learned, not by how it is built.",
            "causes": [
                {
                    "cause": "learned-invariance",
                    "title": "Learned to ignore left-right flips",
                    "transform": "H",
                    "where": "",
                    "belief": 0.86,
                    "evidence": [
                        {
                            "text": "63 of 64 inputs keep their prediction when mirrored",
                            "measured": 0.984,
                            "threshold": 0.9,
                            "n": 64,
                        },
                        {
                            "text": "kernels of the last layers are far more symmetric "
                            "left-right than up-down",
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
                    "refute": "Real images on which fewer than 90 % keep their prediction.",
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
            "19 of 64 inputs keep their prediction.",
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
    return audit(
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
        },
        diagnosis={
            "question": "Why does the model give the same output unless the image is flipped?",
            "answer": "Most layers were never restored: they hold what the initializer drew.",
            "causes": [
                {
                    "cause": "partial-restore",
                    "title": "Only part of the weights was restored",
                    "where": ", ".join(f"conv_{i}" for i in range(24)),
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

"""Verdicts on Keras models and their TensorFlow Lite exports, right ones and ones with a fault.

    python -m benchmarks.exports.pairs make FOLDER [ARCHITECTURE ...]
    python -m benchmarks.exports.pairs compare FOLDER [ARCHITECTURE ...]

`make` trains small networks and converts each with every kind of numbers, right and with each fault
alone, in one process. `compare` prints how many verdicts are right, how many causes are named, and
how many right pairs are called different. Both models of a pair answer in this process, because
each child that an audit starts costs more than the comparison.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import numpy as np

from benchmarks.exports.faults import FAULTS, drawn_source
from benchmarks.exports.nets import APART, NETS

KINDS = ("float", "dynamic", "float16", "int8", "int16x8")


def make(folder: Path, names: list[str]) -> None:
    """Train and convert; `pairs.json` says what each pair is."""
    import keras
    import tensorflow as tf

    folder.mkdir(parents=True, exist_ok=True)
    listed = folder / "pairs.json"
    known = json.loads(listed.read_text()) if listed.exists() else []
    known = [each for each in known if each["net"] not in names]
    for name in names:
        keras.utils.set_random_seed(NETS[name].seed)
        source, x, probe = drawn_source(NETS[name])
        np.savez(folder / f"{name}.npz", x=probe[0], y=probe[1])
        source.save(folder / f"{name}.keras")
        for fault in FAULTS:
            made = fault.make(NETS[name], source, x)
            if made is None:
                continue
            model, images, kept = made
            if kept is not None:
                kept.save(folder / f"{name}-{fault.name}.keras")
            for kind in KINDS:
                if fault.kinds and kind not in fault.kinds and kept is None:
                    continue
                path = folder / f"{name}-{fault.name}-{kind}.tflite"
                try:
                    path.write_bytes(_converted(tf, model, kind, images))
                except Exception as error:
                    print("not converted", path.name, str(error)[:200], flush=True)
                    continue
                faulty = fault.name != "right" and not (fault.kinds and kind not in fault.kinds)
                origin = f"{name}-{fault.name}.keras" if kept is not None else f"{name}.keras"
                causes = [*fault.causes(NETS[name])] if faulty else []
                known.append(
                    {"net": name, "fault": fault.name, "kind": kind, "source": origin,
                     "export": path.name, "same": not faulty, "causes": causes}
                )  # fmt: skip
        listed.write_text(json.dumps(known, indent=1))
        print(name, len(known), f"{time.process_time():.0f} CPU-s", flush=True)


def _converted(tf, model, kind: str, images: np.ndarray) -> bytes:
    converter = tf.lite.TFLiteConverter.from_keras_model(model)
    sets = tf.lite.OpsSet
    if kind != "float":
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
    if kind == "float16":
        converter.target_spec.supported_types = [tf.float16]
    if kind.startswith("int"):
        converter.representative_dataset = lambda: ([image[None]] for image in images)
        integers = sets.TFLITE_BUILTINS_INT8
        if kind == "int16x8":
            integers = sets.EXPERIMENTAL_TFLITE_BUILTINS_ACTIVATIONS_INT16_WEIGHTS_INT8
        converter.target_spec.supported_ops = [integers]
    return converter.convert()


def compare(folder: Path, names: list[str]) -> None:
    """Compare all pairs and print the scores."""
    from benchmarks.population.session import SETTINGS, opened, read_artifact
    from modelaudit.probe.pair.run import PairSide, compare_sides
    from modelaudit.restore.exports import compare_export
    from modelaudit.structs import replace

    pairs = [
        each for each in json.loads((folder / "pairs.json").read_text()) if each["net"] in names
    ]
    sides: dict[str, PairSide] = {}
    rows = []
    for pair in pairs:
        if pair["source"] not in sides:
            artifact = read_artifact(folder / pair["source"], SETTINGS.limits)
            sides[pair["source"]] = PairSide(opened(artifact), artifact)
        source = sides[pair["source"]]
        artifact = read_artifact(folder / pair["export"], SETTINGS.limits)
        export = PairSide(opened(artifact), artifact)
        weights = compare_export(source.artifact, artifact)
        probe = replace(SETTINGS.probe, data=str(folder / f"{pair['net']}.npz"))
        found = compare_sides(source, export, weights, probe)
        rows.append({**pair, **_told(found), "weights": len(weights.differing)})
    (folder / "answers.json").write_text(json.dumps(rows, indent=1))
    _print(rows)


def _told(found) -> dict:
    first = found.outputs[0] if found.outputs else None
    return {
        "verdict": str(found.verdict),
        "named": [
            [each.kind.name, each.detail, each.certain, dict(each.numbers)] for each in found.causes
        ],
        "rms": first and first.rms,
        "agreed": first and first.agreed and first.agreed / first.n,
        "parts": [found.agrees_to, found.parts_at],
        "reason": found.reason,
    }


def _print(rows: list[dict]) -> None:
    said = [row["verdict"].startswith("equal") for row in rows]
    right = [told == row["same"] and row["verdict"] != "could not be told"
             for told, row in zip(said, rows, strict=True)]  # fmt: skip
    faulty = [row for row in rows if not row["same"]]
    # Each fault is one thing, so all of its causes must be named, and nothing else be sure.
    named = [row for row in faulty if _is_named(row)]
    wrong = [row for row in rows if row["same"] and row["verdict"] == "different"]
    print(f"pairs {len(rows)}, verdict right {sum(right)} ({sum(right) / len(rows):.1%})")
    print(
        f"faulty {len(faulty)}, cause named {len(named)} ({len(named) / max(len(faulty), 1):.1%})"
    )
    print(f"right pairs {len(rows) - len(faulty)}, called different {len(wrong)}")
    for row, good in zip(rows, right, strict=True):
        if not good or (not row["same"] and not _is_named(row)):
            print(row["export"], row["verdict"], row["rms"], row["agreed"], row["named"][:2],
                  row["reason"], row["parts"])  # fmt: skip
    for kind in KINDS:
        told = [row for row in rows if row["kind"] == kind and row["rms"] is not None]
        for same, what, limit in (
            (True, "right pairs at most", max),
            (False, "faulty at least", min),
        ):
            errors = [row["rms"] for row in told if row["same"] is same]
            print(f"{kind}: error of {what}", f"{limit(errors):.2g}" if errors else "-")


def _is_named(row: dict) -> bool:
    return bool(row["named"]) and row["named"][0][0] in row["causes"]


if __name__ == "__main__":
    what, where, *chosen = sys.argv[1:]
    every = [name for name in NETS if name not in APART]
    {"make": make, "compare": compare}[what](Path(where), chosen or every)

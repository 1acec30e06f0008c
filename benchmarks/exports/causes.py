"""What is named of wrong images for a model, and for its TensorFlow Lite exports.

    python -m benchmarks.exports.causes FOLDER [ARCHITECTURE ...]

FOLDER is one that `pairs.py make` has filled. The model and its right exports get the same 64
labelled images in each wrong form of `benchmarks.feeds`, where one thing differs. A form counts if
it costs 10 points of accuracy or more on all 200 images. It is named if the first cause is of the
right kind, and if the code that it gives brings back the accuracy up to 2 points.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from benchmarks.exports.nets import BYTES, NETS, Net
from benchmarks.exports.pairs import KINDS
from benchmarks.feeds.cases import LABELLED
from benchmarks.feeds.forms import Feed, feeds
from benchmarks.feeds.table import COUNTED, LABEL, SLACK, TURN, VALUE, said
from benchmarks.population.session import HereSession, opened, static, studied
from modelaudit.diagnosis import diagnose
from modelaudit.diagnosis.procedure import FAULTS
from modelaudit.pipeline import run_all_rules
from modelaudit.probe.host import feed as given

SPANS = {BYTES: "byte", (0.0, 1.0): "unit", (-1.0, 1.0): "signed"}


def answered(session: HereSession, x: np.ndarray, y: np.ndarray) -> float:
    """Accuracy in [0, 1] on inputs (n, ...)."""
    session.put({"once": x})
    outputs = session.predict([given.Feed("once")])
    return float(np.mean(next(iter(outputs.values())).argmax(-1) == y))


def judged(folder: Path, net: Net, path: Path) -> Iterator[dict[str, Any]]:
    """A row for each form of the images: what it costs, and whether it is named."""
    own = SPANS[net.span]
    held = np.load(folder / f"{net.name}.npz")
    low, high = net.span
    images = np.rint((held["x"] - low) / (high - low) * 255).astype(np.uint8)
    y, data = held["y"], folder / "fed.npz"
    known = static(path)
    session = opened(known.artifact)
    sound = 0.0
    for form in feeds(own, colour=True, mirrored=False, seed=net.seed):
        if form.faults > 1:
            continue
        x, labels = form.images(images, own), form.labels(y, net.seed)
        accuracy = answered(session, x, labels)
        sound = sound if form.faults else accuracy
        if form.faults and sound - accuracy < COUNTED:
            continue
        np.savez(data, x=x[:LABELLED], y=labels[:LABELLED])
        facts = studied(known, session, data)
        causes = [
            said(msgspec.to_builtins(each)) for each in diagnose(facts, run_all_rules(facts)).causes
        ]
        row = {"net": net.name, "form": form.name, "cost": sound - accuracy}
        row["first"] = [causes[0].cause, causes[0].transform] if causes else []
        if form.faults:
            right = bool(causes) and causes[0].cause == _kind(form)
            if right and not form.renumbered:
                right = answered(session, causes[0].undo(x), y) >= sound - SLACK
        else:
            right = not causes or causes[0].cause not in FAULTS
        yield row | {"right": right, "sound": not form.faults}
    data.unlink()


def _kind(form: Feed) -> str:
    return TURN if form.turn else LABEL if form.renumbered else VALUE


def main(folder: Path, names: list[str]) -> None:
    """Judge each model and each of its right exports; print a table of the kinds of numbers."""
    rows = []
    for name in names:
        files = {"source": folder / f"{name}.keras"}
        files |= {kind: folder / f"{name}-right-{kind}.tflite" for kind in KINDS}
        for kind, path in files.items():
            if path.exists():
                for row in judged(folder, NETS[name], path):
                    rows.append(row | {"kind": kind})
                    print(rows[-1], flush=True)
    (folder / "causes.json").write_text(json.dumps(rows, indent=1))
    for kind in ("source", *KINDS):
        mine = [row for row in rows if row["kind"] == kind]
        wrong = [row for row in mine if not row["sound"]]
        accused = [row for row in mine if row["sound"] and not row["right"]]
        print(
            f"{kind}: {sum(row['right'] for row in wrong)} of {len(wrong)} wrong forms named, "
            f"{len(accused)} of {len(mine) - len(wrong)} sound accused"
        )


if __name__ == "__main__":
    where, *chosen = sys.argv[1:]
    main(Path(where), chosen or list(NETS))

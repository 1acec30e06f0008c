"""Whether `modelaudit` names the augmentation that a network was trained without.

    python -m benchmarks.augmentation.table DIRECTORY [--train | --audit] [--only REGEX]

Requires scikit-learn and scikit-image. `--train` trains the networks of `nets.py` (5
architectures x 3 families of images, and 2 x 1 others, each with no augmentation layer and with two
sets of five) and measures, on test images that no audit is given, the accuracy that each change of
the images costs.
`--audit` audits each network with 256 labelled and with the same unlabelled test images. Without an
option, a table compares them. All can be interrupted and continued.

A layer counts as missing if the network was trained without it and the change costs at least
`COSTS` at moderate strength. A layer that the network was trained with must not be called missing,
whatever the change still costs. Occlusion is left out: what is covered is lost to any network.
Limits were chosen on the families and architectures in `CHOSEN_ON`; the table shows the others
apart, and those of `SECOND`, which were trained after the first look.
"""

from __future__ import annotations

import argparse
import json
import re
from collections import defaultdict
from pathlib import Path

import msgspec
import numpy as np

from modelaudit import clock
from modelaudit.audit_types.sensitivity import SensitivityCurve
from modelaudit.audit_types.values import custom_type
from modelaudit.diagnosis.answer import DESCRIPTIONS
from modelaudit.diagnosis.augmentation import UNDECIDABLE, sensitive
from modelaudit.measures.statistics import wilson
from modelaudit.pipeline import audit_model
from modelaudit.probe.run import local_probe
from modelaudit.settings import ProbeSettings, Settings
from modelaudit.settings.audit_target import AuditTarget
from modelaudit.structs import replace

COSTS = 0.1  # accuracy that a change must cost at least
CHOSEN_ON = ({"letters", "digits"}, {"plain", "strided", "residual"})
SECOND = ({"objects"}, {"dense", "inception"})  # trained after what the first look asked for
FEEDS = {"labelled": 256, "unlabelled": 256}


def make(root: Path, only: str) -> None:
    """Train what is not trained: `models/NAME.keras`, `feeds/*.npz`, and `truth/NAME.json`."""
    from benchmarks.augmentation import nets

    for folder in ("models", "feeds", "truth"):
        (root / folder).mkdir(parents=True, exist_ok=True)
    for family_name, load in nets.FAMILIES.items():
        second = family_name in SECOND[0]
        chosen = [net for net in nets.NETS if (net in SECOND[1]) == second]
        names = [f"{family_name}-{net}-{kind}" for net in chosen for kind in nets.SETS]
        left = [n for n in names if re.search(only, n) and not (root / f"truth/{n}.json").exists()]
        if not left:
            continue
        family = load()
        for feed, n in FEEDS.items():
            told = {"y": family.test_y[:n]} if feed == "labelled" else {}
            np.savez(root / "feeds" / f"{family_name}-{feed}.npz", x=family.test_x[:n], **told)
        kept = max(FEEDS.values())
        x, y = family.test_x[kept:], family.test_y[kept:]
        colour = x.shape[-1] == 3
        changes = {n: s for n, s in nets.MODERATE.items() if colour or n != "hue"}
        changed = {name: nets.transformed(x, name, s) for name, s in changes.items()}
        for kind, names in nets.SETS.items():
            epochs: list[np.ndarray] = []
            for place, net in enumerate(nets.NETS):
                name = f"{family_name}-{net}-{kind}"
                if name not in left:
                    continue
                epochs = epochs or list(nets.augmented(family, names, nets.EPOCHS))
                model = nets.train(net, family, epochs, 20 + place)

                def right(x: np.ndarray, y: np.ndarray = y, model: object = model) -> float:
                    return float((model.predict(x, 512, verbose=0).argmax(1) == y).mean())

                truth = {"accuracy": right(x), "with": names}
                truth["costs"] = {n: truth["accuracy"] - right(each) for n, each in changed.items()}
                model.save(root / "models" / f"{name}.keras")
                (root / "truth" / f"{name}.json").write_text(json.dumps(truth), encoding="utf-8")
                costs = {n: round(100 * c) for n, c in truth["costs"].items()}
                print(name, f"{truth['accuracy']:.1%}", costs, flush=True)


def audit(root: Path, only: str) -> None:
    """Audit each network as `modelaudit audit MODEL --probe-data FEED` does; keep the curves."""
    settings = Settings(probe=ProbeSettings(timeout=600))  # also enough on a busy machine
    (root / "found").mkdir(exist_ok=True)
    models = (root / "models").resolve()
    with local_probe(settings, [models]) as probe:
        for path in sorted(models.glob("*.keras")):
            for feed in FEEDS:
                kept = root / "found" / f"{path.stem}-{feed}.json"
                if kept.exists() or not re.search(only, path.stem):
                    continue
                data = root.resolve() / "feeds" / f"{path.stem.partition('-')[0]}-{feed}.npz"
                chosen = replace(settings, probe=replace(settings.probe, data=str(data)))
                target = AuditTarget(path, models, path.name, path.name)
                done = audit_model(target, chosen, clock.utc_now(), probe)
                curves = json.loads(msgspec.json.encode(done.behaviour.sensitivity))
                row = {"curves": curves, "causes": [each.cause for each in done.diagnosis.causes]}
                kept.write_text(json.dumps(row), encoding="utf-8")
                print(path.stem, feed, row["causes"], flush=True)


def table(root: Path) -> None:
    """Of what costs accuracy and was not trained, how much is named; of what was, how much is."""
    counts: dict[tuple[str, str, str], list[bool]] = defaultdict(list)
    for path in sorted((root / "truth").glob("*.json")):
        truth = json.loads(path.read_text(encoding="utf-8"))
        family, net, _ = path.stem.split("-")
        seen = "chosen on" if family in CHOSEN_ON[0] and net in CHOSEN_ON[1] else "first look"
        seen = "second look" if family in SECOND[0] and net in SECOND[1] else seen
        for feed in FEEDS:
            found = root / "found" / f"{path.stem}-{feed}.json"
            if not found.exists():
                continue
            row = json.loads(found.read_text(encoding="utf-8"))
            sound = row["causes"][0] in DESCRIPTIONS
            for entry in row["curves"]:
                curve = msgspec.convert(entry, SensitivityCurve, dec_hook=custom_type)
                change = curve.change
                if change not in truth["costs"] or change in UNDECIDABLE:
                    continue
                named = sound and sensitive(curve) is True
                if change in truth["with"]:
                    kind = "with"
                elif truth["costs"][change] >= COSTS:
                    kind = "without, costs" if sound else "without, costs, not sound"
                else:
                    kind = "without, costs less"
                counts[seen, feed, kind].append(named)
                if kind != "without, costs less" and named == (kind == "with"):
                    cost = truth["costs"][change]
                    print(f"wrong: {path.stem} {feed} {change}: {kind} ({cost:.2f}), {named=}")
    print("| networks | images | trained | cases | called missing | 95 % interval |")
    print("|---|---|---|---|---|---|")
    for (seen, feed, kind), named in sorted(counts.items()):
        low, high = wilson(sum(named), len(named))
        shown = f"{sum(named)} ({sum(named) / len(named):.1%}) | {low:.1%} to {high:.1%}"
        print(f"| {seen} | {FEEDS[feed]} {feed} | {kind} | {len(named)} | {shown} |")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("directory", type=Path)
    parser.add_argument("--train", action="store_true")
    parser.add_argument("--audit", action="store_true")
    parser.add_argument("--only", default="")
    asked = parser.parse_args()
    if asked.train:
        make(asked.directory, asked.only)
    elif asked.audit:
        audit(asked.directory, asked.only)
    else:
        table(asked.directory)

"""Whether `scan` names made mistakes, and stays silent on sound twins and examples.

    python -m benchmarks.mistakes.table DIRECTORY [--set second|third] [--only REGEX] [--every N]
        [--offset K] [--write-only] [--verbose] [--totals]

Every kind of `kinds.py` is put on its bodies and saved by Keras 3 as `.h5` and `.keras`,
and by Keras 2 (tf-keras) as a SavedModel with its config; four kinds also as exported graphs
without one. Weights are random, but none is as its initializer draws it. Then the sound models: the
twin of each kind on the same bodies, the heads and losses of Keras' documentation, and small builds
of Keras' examples. Files that exist are kept; about seven minutes. Needs tf-keras.

`--set second` takes other bodies, spellings, and more kinds (`kinds.py`), and sound
models in the same spellings (`twins.py`); none of these played a part in making the
rules. `--set third` takes other bodies again, with the mistakes and the sound models of
`kinds.py` and `sound.py`. `--every N` takes each Nth of the models,
from the Kth on; `--write-only` writes the files and scans nothing; `--totals` prints no line for a
kind or a file.
"""

from __future__ import annotations

import argparse
import os
import re
import warnings
from collections import defaultdict
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")

import absl.logging
import keras
import numpy as np
import tf_keras

from benchmarks.mistakes.first.bodies import body
from benchmarks.mistakes.first.examples import EXAMPLES
from benchmarks.mistakes.first.kinds import MISTAKES, SIX, TWINS, Kind, sound_heads
from benchmarks.mistakes.second.build import Second
from benchmarks.mistakes.second.kinds import MISTAKES as MISTAKES_SECOND
from benchmarks.mistakes.second.twins import TWINS as TWINS_SECOND
from benchmarks.mistakes.third.build import Third
from benchmarks.mistakes.third.kinds import MISTAKES as MISTAKES_THIRD
from benchmarks.mistakes.third.sound import TWINS as TWINS_THIRD
from modelaudit.findings import Severity
from modelaudit.measures.statistics import wilson
from modelaudit.pipeline import static_facts
from modelaudit.rules.catalogue import CATALOGUE
from modelaudit.rules.engine import run_rules
from modelaudit.settings import Settings

FORMATS = {"h5": "model.h5", "keras": "model.keras", "savedmodel": "tf2", "graph": "export"}
ADAPTED = ("normalization", "mean", "variance", "count")  # what `adapt` sets
SETS = {
    "first": (MISTAKES, ()),
    "second": (MISTAKES_SECOND, TWINS_SECOND),
    "third": (MISTAKES_THIRD, TWINS_THIRD),
}
GRAPHS = ("softmax-one-unit-bce", "softmax-twice", "sigmoid-of-relu", "batchnorm-behind")


def build(library, kind, name):
    """The compiled model of a kind on a body, or of an example."""
    if isinstance(kind, (Second, Third)):
        return kind.build(library, name, settle)
    if not isinstance(kind, Kind):
        return kind(library)
    kl = library.layers
    given, x = body(library, name, kind)
    for layer in (*kind.hidden(kl), *kind.head(kl)):
        x = layer(x)
    model = library.Model(given, x)
    if not kind.drawn:
        settle(model, np.random.default_rng(3))
    kind.weights(model, np.random.default_rng(4))
    loss = kind.loss(library.losses) if callable(kind.loss) else kind.loss
    optimizer, settings = kind.optimizer
    made = getattr(library.optimizers, optimizer)(**settings)
    model.compile(optimizer=made, loss=loss, **dict(kind.compiled))
    if kind.steps is not None:
        stepped(model, kind.steps)
    return model


def settle(model, rng):
    """Move all weights from what their initializers drew, as training does."""
    for weight in model.weights:
        path = getattr(weight, "path", "") or getattr(weight, "name", "")  # a table has neither
        value = np.asarray(weight) if path else np.zeros(0)
        if value.dtype != np.float32:
            continue
        if any(part.startswith(ADAPTED) for part in path.split("/")[:-1] or [path]):
            continue
        noise = rng.normal(0, 0.3 * value.std() + 0.02, value.shape)
        weight.assign(np.abs(value + noise) if "variance" in path else value + noise)


def stepped(model, steps):
    """An optimizer after `steps` steps."""
    model.optimizer.build(model.trainable_variables)
    model.optimizer.iterations.assign(steps)
    slots = model.optimizer.variables
    rng = np.random.default_rng(5)
    for slot in slots() if callable(slots) else slots:
        if steps and len(slot.shape) and np.asarray(slot).dtype == np.float32:
            slot.assign(np.abs(rng.normal(0, 0.01, slot.shape)))


def save(kind, name, folder, *, graph):
    """The files of one model."""
    if folder.exists():
        return
    folder.mkdir(parents=True)
    keras.utils.set_random_seed(7)
    model = build(keras, kind, name)
    _names(kind, folder)
    model.save(folder / FORMATS["keras"])  # before .h5, which takes the optimizer from its config
    model.save(folder / FORMATS["h5"])
    if graph:
        model.export(os.fspath(folder / FORMATS["graph"]), verbose=False)
    tf_keras.utils.set_random_seed(7)
    model = build(tf_keras, kind, name)
    if model is not None:  # Keras 2 has all that the kind needs
        model.save(folder / FORMATS["savedmodel"], save_traces=False)


def _names(kind, folder):
    """The classes' names beside the model, where the kind has any."""
    if getattr(kind, "names", ()):
        file = "labels.txt" if isinstance(kind, Kind) else "class_names.txt"
        (folder / file).write_text("\n".join(kind.names))


def look(path):
    """All findings of the rules on one file."""
    results = run_rules(CATALOGUE, static_facts(path, Settings()))
    return [found for result in results for found in result.findings]


def named(kind, findings):
    """Whether the kind's mistake is named, and with the right advice."""
    least = Severity.INFO if kind.info else Severity.LOW
    says = getattr(kind, "says", "")
    said = [
        f
        for f in findings
        if f.severity.rank >= least.rank
        and (re.search(says, f.detail, re.IGNORECASE) if says else f.code in kind.codes)
    ]
    return bool(said), any(re.search(kind.remedy, f.fix or "", re.IGNORECASE) for f in said)


def models(only):
    """Each kind, twin and example with its body and whether it is sound."""
    twins = {(kind.sound or "default", name) for kind in MISTAKES for name in kind.bodies}
    faulty = [(kind.name, kind, name, False) for kind in MISTAKES for name in kind.bodies]
    sound = [(f"sound-{twin}", TWINS[twin], name, True) for twin, name in sorted(twins)]
    heads = [
        (f"head-{kind.name}", kind, SIX[(number + step) % 6], True)
        for number, kind in enumerate(sound_heads())
        for step in (0, 2, 5)
    ]
    examples = [(f"example-{key}", make, "", True) for key, make in EXAMPLES.items()]
    return [each for each in (*faulty, *sound, *heads, *examples) if re.search(only, each[0])]


def models_other(only, made):
    """The same of the second or third set."""
    mistakes, twins = SETS[made]
    both = [(kind.name, kind, False) for kind in mistakes]
    both += [(kind.name, kind, True) for kind in twins]
    return [
        (title, kind, name, silent)
        for title, kind, silent in both
        if re.search(only, title)
        for name in kind.bodies
    ]


def main():
    """Save what is missing, scan all of it, and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("directory", type=Path)
    parser.add_argument("--set", choices=tuple(SETS), default="first")
    parser.add_argument("--only", default="")
    parser.add_argument("--every", type=int, default=1)
    parser.add_argument("--offset", type=int, default=0)
    parser.add_argument("--write-only", action="store_true")
    parser.add_argument("--verbose", action="store_true")
    parser.add_argument("--totals", action="store_true")
    args = parser.parse_args()
    absl.logging.set_verbosity(absl.logging.ERROR)
    warnings.simplefilter("ignore")
    marks = defaultdict(list)
    false, sound = [], 0
    chosen = models(args.only) if args.set == "first" else models_other(args.only, args.set)
    for title, kind, name, silent in chosen[args.offset :: args.every]:
        folder = args.directory / f"{title}-{name}"
        try:
            save(kind, name, folder, graph=title in GRAPHS)
        except Exception as error:
            print(f"not saved: {title} {name}: {type(error).__name__} {str(error)[:150]}")
        keras.backend.clear_session()
        for way, file in FORMATS.items():
            if args.write_only or not (folder / file).exists():
                continue
            findings = look(folder / file)
            bad = [f for f in findings if f.severity.rank >= Severity.MEDIUM.rank]
            if silent:
                sound += 1
                false += [f"{title}-{name} {way}: {f.code} {f.severity} {f.detail}" for f in bad]
                continue
            mark = named(kind, findings)
            marks[title, way].append(mark)
            if args.verbose and not all(mark):
                print(f"missed {title}-{name} {way}: {[f.code for f in findings]}")
    if args.write_only:
        return
    mistakes = SETS[args.set][0]
    if not args.totals:
        print(f"| kind | {' | '.join(FORMATS)} |\n|{'---|' * (1 + len(FORMATS))}")
    for kind in () if args.totals else mistakes:
        cells = [_cell(marks.get((kind.name, way), [])) for way in FORMATS]
        if any(cells):
            print(f"| {kind.name} | {' | '.join(cells)} |")
    first = {
        kind.name for kind in (*MISTAKES, *(k for k in mistakes if not getattr(k, "new", True)))
    }
    _share("all", list(marks.values()))
    _share("kinds of the first sets", [m for (title, _), m in marks.items() if title in first])
    _share("other kinds", [m for (title, _), m in marks.items() if title not in first])
    print(f"sound files: {sound}; with a finding of severity medium or higher: {len(false)}")
    print("" if args.totals else "\n".join(false))


def _share(group, marks):
    """How many files of a group are named, and with the right fix."""
    total = [mark for found in marks for mark in found]
    for index, words in enumerate(("named", "with the right fix")):
        count = sum(mark[index] for mark in total)
        low, high = wilson(count, len(total)) if total else (0.0, 1.0)
        print(f"{group}, {words}: {count} of {len(total)} ({low:.1%} to {high:.1%})")


def _cell(marks):
    """How many are named, and with the right fix where that differs."""
    both, first = sum(fixed for _, fixed in marks), sum(said for said, _ in marks)
    return f"{both}/{len(marks)}" + (f" ({first} named)" if first != both else "") if marks else ""


if __name__ == "__main__":
    main()

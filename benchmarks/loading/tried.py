"""Collects the layers, with kinds of arguments, with which predictions were compared.

    python -m benchmarks.loading.tried PARTS                    # in Keras 3
    python -m benchmarks.loading.tried PARTS --legacy-keras     # and in tf-keras
    python -m benchmarks.loading.tried PARTS --write

Every architecture of `models.py` was saved by several runtimes and loaded in others, and the
predictions were compared with what happened (docs/accuracy/loading.md). The first call builds each
of them and writes the kinds of the arguments of its layers below PARTS; `--write` joins these to
`modelaudit/runtimes/tried_layers.json.gz`, by which `modelaudit/runtimes/untried.py` tells what of
a model no such architecture has.
"""

from __future__ import annotations

import argparse
import gzip
import importlib
import json
import os
import sys
from pathlib import Path

from modelaudit.facts import Json
from modelaudit.runtimes.catalogue import find_profile
from modelaudit.runtimes.untried import TRIED, kinds_in

LEGACY = "--legacy-keras" in sys.argv


def collect(parts: Path) -> None:
    """Build every architecture in this generation of Keras."""
    os.environ.update(TF_CPP_MIN_LOG_LEVEL="3", CUDA_VISIBLE_DEVICES="-1")
    if LEGACY:
        os.environ["TF_USE_LEGACY_KERAS"] = "1"
    # The own classes are in modules beside those of each list.
    sys.path[:0] = map(str, sorted(Path(__file__).parent.glob("list_*")))
    models = importlib.import_module("benchmarks.loading.models")
    keras = importlib.import_module("tf_keras" if LEGACY else "keras")
    vars(sys.modules["__main__"])["keras"] = (
        keras  # where the own classes look for it, as in worker.py
    )
    parts.mkdir(parents=True, exist_ok=True)
    label = "keras2" if LEGACY else "keras3"
    for name, (make, *_) in models.MODELS.items():
        file = parts / f"{name}.{label}.json"
        if file.exists():
            continue
        keras.backend.clear_session()
        try:
            model = make(keras)
        except Exception as error:  # it is of the other generation
            sys.stderr.write(f"{name}: {type(error).__name__}: {str(error)[:100]}\n")
            continue
        file.write_text(json.dumps([*configs(keras, model)]))


def configs(keras: object, model: object) -> list[Json]:
    """The configs of a model, or of each of its layers where it has none."""
    serialize = keras.saving.serialize_keras_object
    found: list[Json] = []
    for each in (model, *model._flatten_layers(), getattr(model, "optimizer", None)):
        if each is None:
            continue
        try:
            found.append(json.loads(json.dumps(serialize(each), default=str)))
        except Exception as error:  # a class of its own without a config
            sys.stderr.write(f"  {type(each).__name__}: {type(error).__name__}\n")
    return found


def write(parts: Path) -> None:
    """Join what was collected."""
    found: dict[str, dict[str, set[str]]] = {}
    for path in sorted(parts.glob("*.json")):
        for name, arguments in kinds_in(json.loads(path.read_text())):
            known = found.setdefault(name, {})
            for argument, kind in arguments.items():
                known.setdefault(argument, set()).add(kind)
    of_keras = classes_of_keras()
    told = {
        name: {argument: sorted(kinds) for argument, kinds in sorted(arguments.items())}
        for name, arguments in sorted(found.items())
        if name in of_keras  # a class of somebody else with the name of one here is another one
    }
    data = json.dumps(told, separators=(",", ":")).encode()
    TRIED.write_bytes(gzip.compress(data, 9, mtime=0))
    sys.stdout.write(f"{len(told)} classes, {len(data):,} bytes\n")


def classes_of_keras() -> set[str]:
    """Names of the classes of both generations."""
    found: set[str] = set()
    for target in ("tf==2.21", "tf-keras==2.21"):
        data = find_profile(target).data
        for names in (*data["classes"].values(), *data["internal"].values()):
            found.update(names)
    return found


def main() -> None:
    """Collect or write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("parts", type=Path)
    parser.add_argument("--legacy-keras", action="store_true")
    parser.add_argument("--write", action="store_true")
    options = parser.parse_args()
    if options.write:
        write(options.parts)
    else:
        collect(options.parts)


if __name__ == "__main__":
    main()

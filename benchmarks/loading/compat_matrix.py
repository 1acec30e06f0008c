"""Predictions of `modelaudit.runtimes` compared with real loaders, as a confusion table.

    python -m benchmarks.loading.compat_matrix MATRIX [--holdout] [--wrong N]

MATRIX contains `results.jsonl` (one cell per line: saver_version, arch, format, path,
loader_version, api, status), `loader_<label>.json` (versions of each loader), `customs*.py` (the
classes and functions passed to loaders as custom_objects) and `models/`. Cells with status `n/a`
are ignored. `--holdout` also prints the accuracy for every third architecture, which must not be
inspected while the predictions are developed. A prediction that is conditional says neither that
the call succeeds nor that it fails, so it is counted apart.
"""

from __future__ import annotations

import argparse
import ast
import collections
import json
import sys
import time
from pathlib import Path

from modelaudit.audit_types.loading import LoadOutcome
from modelaudit.facts import Artifact, Format
from modelaudit.formats.keras.common import ReadNotes, architecture_of, json_part
from modelaudit.formats.reader import read
from modelaudit.formats.source_code.reading import read_source_code
from modelaudit.runtimes.catalogue import find_profile, on_python
from modelaudit.runtimes.model import LoadCall, LoadRequest, Prediction
from modelaudit.runtimes.predict import predict_calls
from modelaudit.runtimes.profile import RuntimeProfile
from modelaudit.settings import Limits

TRUTH = {
    "ok": LoadOutcome.LOADS,
    "ok_nogolden": LoadOutcome.LOADS,
    "error": LoadOutcome.FAILS,
    "crash": LoadOutcome.FAILS,
    "timeout": LoadOutcome.FAILS,
    "ok_but_outputs_differ": LoadOutcome.DIFFERS,
}
# Modules that loaders can import, with the models' own classes.
HERE = Path(__file__).parent
OWN = sorted(path.stem for path in HERE.glob("list_*/customs*.py"))
MODULES = frozenset((*OWN, "archs"))
# The modules of the models, which the loaders have imported; of the older cells it is one.
IMPORTED = frozenset(
    (
        "archs",
        "benchmarks.loading.models",
        *(
            f"benchmarks.loading.{each.parent.name}.{each.stem}"
            for each in HERE.glob("list_*/*.py")
        ),
    )
)

CALLS = {"v1_loader_session": LoadCall.SESSION.value}  # the name in the cells -> ours


def read_any(path: Path) -> Artifact:
    """The artifact at `path`; `to_json()` text is an architecture without weights."""
    if path.suffix != ".json":
        return read(path, Limits())
    notes = ReadNotes()
    config = json_part(path.read_bytes(), path.name, "", Limits(), notes)
    return Artifact(
        root=path,
        format=Format.UNKNOWN,
        architecture=architecture_of(config, path.name, "", Limits(), notes),
        documents=tuple(notes.documents),
    )


def defined_in(path: Path) -> frozenset[str]:
    """Names of the classes and functions of a Python file, and those they are registered under."""
    tree = ast.parse(path.read_text())
    packages = {
        ast.unparse(node.targets[0]): keyword.value.value
        for node in tree.body
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Call)
        for keyword in node.value.keywords
        if keyword.arg == "package" and isinstance(keyword.value, ast.Constant)
    }
    found = [n for n in tree.body if isinstance(n, ast.ClassDef | ast.FunctionDef)]
    decorated = [(d, n.name) for n in found for d in n.decorator_list]
    registered = set()
    for decorator, name in decorated:
        if "register_keras_serializable(" in ast.unparse(decorator):
            assert isinstance(decorator, ast.Call)
            said = {
                word.arg: word.value.value
                for word in decorator.keywords
                if isinstance(word.value, ast.Constant)
            }
            registered.add(f"{said.get('package', 'Custom')}>{said.get('name', name)}")
        elif (package := packages.get(ast.unparse(decorator))) is not None:
            registered.add(f"{package}>{name}")
    return frozenset(n.name for n in found) | registered


def request_of(api: str, names: frozenset[str], trained: bool | None) -> LoadRequest:
    """The loading call of a cell. Crashes are recorded without one: then the most permissive."""
    if api == "-":
        return LoadRequest(
            LoadCall.LOAD_MODEL, names, MODULES, safe_mode=False, imported=MODULES | IMPORTED
        )
    call, *options = api.split(",")
    given = "custom_objects" in options
    return LoadRequest(
        LoadCall(CALLS.get(call, call)),
        custom=names if given else frozenset(),
        modules=MODULES,
        compile="compile" in options,
        safe_mode="safe_mode=False" not in options,
        by_name="by_name" in options,
        trained=trained,
        imported=MODULES | IMPORTED if given else IMPORTED,
    )


def profiles_of(matrix: Path) -> dict[str, RuntimeProfile]:
    """Profiles by the label of the loader."""
    found = {}
    for path in sorted(matrix.glob("loader_*.json")):
        loader = json.loads(path.read_text())
        name = f"tf-keras=={loader['keras']}" if loader["legacy"] else f"tf=={loader['tf']}"
        if not loader["legacy"] and loader["keras"].startswith("3."):
            name += f"+keras=={loader['keras']}"
            if beside := loader.get("tf_keras_beside"):
                name += f"+tf-keras=={beside}"
        found[loader["label"]] = on_python(find_profile(name), loader["python"])
    return found


def trained_models(matrix: Path) -> dict[str, bool]:
    """Model -> whether its program trains it before it is saved, or reads weights."""
    lines = "".join(path.read_text() for path in matrix.glob("saved_*.jsonl")).splitlines()
    return {each["arch"]: each["trained"] for each in map(json.loads, lines) if "trained" in each}


def table(title: str, pairs: list[tuple[LoadOutcome, LoadOutcome]]) -> None:
    """Print the confusion table of (predicted, outcome)."""
    counts = collections.Counter(pairs)
    decided = [each for each in pairs if each[0] is not LoadOutcome.CONDITIONAL]
    right = sum(n for (predicted, truth), n in counts.items() if predicted is truth)
    unknown = sum(n for (predicted, _), n in counts.items() if predicted is LoadOutcome.UNKNOWN)
    unsafe = sum(
        n
        for (predicted, truth), n in counts.items()
        if predicted is LoadOutcome.LOADS and truth is not LoadOutcome.LOADS
    )
    outcomes = (LoadOutcome.LOADS, LoadOutcome.FAILS, LoadOutcome.DIFFERS)
    print(f"\n{title}: {len(pairs)} cells, of which {len(decided)} decided")
    print(f"{'predicted, outcome:':<22}" + "".join(f"{o.value:>10}" for o in outcomes))
    for predicted in (*outcomes, LoadOutcome.UNKNOWN, LoadOutcome.CONDITIONAL):
        cells = "".join(f"{counts[predicted, outcome]:>10}" for outcome in outcomes)
        print(f"{predicted.value:<22}{cells}")
    total = max(len(decided), 1)
    print(
        f"right {right / total:.2%}, unknown {unknown / total:.2%}, "
        f"predicted to load but did not (or differs) {unsafe}"
    )


def main() -> int:
    """Run the benchmark; return 1 if more than 1 % of the predictions are wrong."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("matrix", type=Path)
    parser.add_argument("--holdout", action="store_true", help="also every third architecture")
    parser.add_argument(
        "--source-code", action="append", help="files or directories with the models' own classes"
    )
    parser.add_argument("--wrong", type=int, default=0, help="print N wrong cells per group")
    options = parser.parse_args()
    profiles = profiles_of(options.matrix)
    code = read_source_code(options.source_code or ())
    names = frozenset[str]().union(*map(defined_in, options.matrix.glob("customs*.py")))
    trained = trained_models(options.matrix)
    lines = (options.matrix / "results.jsonl").read_text().splitlines()
    cells = [cell for cell in map(json.loads, lines) if cell["status"] in TRUTH]
    by_path: dict[str, list[dict[str, str]]] = collections.defaultdict(list)
    for cell in cells:
        by_path[cell["path"]].append(cell)
    pairs, held, groups = [], [], collections.defaultdict(list)
    by_confidence: dict[str, list[tuple[LoadOutcome, LoadOutcome]]] = collections.defaultdict(list)
    held_out = set(sorted({cell["arch"] for cell in cells})[::3])
    spent = 0.0
    for path, group in by_path.items():
        artifact = read_any(options.matrix / "models" / path)
        start = time.process_time()
        asked = [
            (profiles[c["loader_version"]], request_of(c["api"], names, trained.get(c["arch"])))
            for c in group
        ]
        for cell, prediction in zip(group, predict_calls(artifact, asked, code), strict=True):
            pair = (prediction.predicted, TRUTH[cell["status"]])
            pairs.append(pair)
            by_confidence[prediction.confidence.value].append(pair)
            if cell["arch"] in held_out:
                held.append(pair)
            if pair[0] is not pair[1] and pair[0] is not LoadOutcome.CONDITIONAL:
                groups[describe(cell, prediction)].append((cell, prediction))
        spent += time.process_time() - start
    table("All cells", pairs)
    for confidence, found in sorted(by_confidence.items()):
        table(f"Confidence {confidence}", found)
    if options.holdout:
        table("Held-out architectures", held)
    print(f"\n{1000 * spent / len(pairs):.3f} ms of CPU per prediction")
    for key, wrong in (
        sorted(groups.items(), key=lambda item: -len(item[1])) if options.wrong else ()
    ):
        print(f"\n{len(wrong):4d} {key}")
        for cell, prediction in wrong[: options.wrong]:
            print(f"       {cell['saver_version']}->{cell['loader_version']} {cell['path']}")
            print(f"       message: {str(cell['message'])[:200]!r}")
            print(f"       reasons: {[(r.code, r.text[:90]) for r in prediction.because]}")
    decided = [(a, b) for a, b in pairs if a is not LoadOutcome.CONDITIONAL]
    wrong_share = sum(a is not b for a, b in decided) / max(len(decided), 1)
    return int(wrong_share > 0.01)


def describe(cell: dict[str, str], prediction: Prediction) -> str:
    """Heading of a group of wrong cells."""
    return (
        f"{cell['format']} {cell['api']}: {prediction.predicted.value}, was {cell['status']} "
        f"[{','.join(cell.get('classes') or ())}] {cell['arch']}"
    )


if __name__ == "__main__":
    sys.exit(main())

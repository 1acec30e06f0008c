"""Origins of models according to their registry: MLflow, Hugging Face, Kaggle, TF-Serving.

Only names, small text files and links are read, after the models have been found.
"""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from itertools import islice, pairwise
from pathlib import Path, PurePosixPath

from modelaudit.errors import ReadError
from modelaudit.file_formats import Content, formats
from modelaudit.formats.io.bounded import files_below, read_bytes
from modelaudit.formats.keras.architecture_files import architecture_names
from modelaudit.formats.other_formats import ARCHITECTURE
from modelaudit.model_versions import is_version
from modelaudit.registry.candidates import ModelCandidate, SkippedPath
from modelaudit.registry.mlflow import MlflowModel
from modelaudit.structs import replace
from modelaudit.terminal_text import first_of

# models--ORG--NAME/snapshots/REVISION/… (huggingface_hub); older repositories have no ORG.
_SNAPSHOT = re.compile(r"(?:^|.*/)models--(?P<name>[^/]+)/snapshots/(?P<revision>[^/]+)(?:/.*)?")
_SNAPSHOTS = "/snapshots/"  # which it contains
# OWNER/MODEL/FRAMEWORK/VARIATION/VERSION/…, with a VERSION.complete file (kagglehub).
_KAGGLE_PARTS = 5
_REFERENCE_BYTES = 200
_MOST_REFERENCES = 100
_MOST_FILES = 1000  # of a directory model that may exist twice


def with_provenance(
    models: tuple[ModelCandidate, ...], root: Path, mlflow: Mapping[Path, MlflowModel]
) -> tuple[ModelCandidate, ...]:
    """`models` with their origin and previous version, and one row per model.

    Args:
        models: the models found, in byte order of the paths.
        root: base of relative paths.
        mlflow: content of the `MLmodel` files, by directory.
    """
    references: dict[Path, dict[str, str]] = {}
    single = _without_repeated_snapshots(models)
    versions = [m for m in single if m.series is not None and m.version is not None]
    ordered = sorted(versions, key=lambda model: (model.series or "", model.version or 0))
    previous = {
        newer.path: older.path
        for older, newer in pairwise(ordered)
        if older.series == newer.series and older.version != newer.version
    }
    places = {model.path: _described_at(model.path, root, mlflow) for model in single}
    shared = Counter(places.values())
    told = []
    for model in single:
        place = places[model.path]
        said = mlflow[place] if place else None
        origin = str(said) if said else _origin(model, root, references)
        before = previous.get(model.path)
        tensors = said.tensors if said and said.is_ours and shared[place] == 1 else None
        more = replace(model, origin=origin, previous=before, declared_signature=tensors)
        told.append(more if origin or before or tensors else model)
    return tuple(told)


def read_with_weights(
    skipped: Collection[SkippedPath], models: Iterable[ModelCandidate]
) -> Iterator[SkippedPath]:
    """`skipped`, of which architectures that are read with weights beside them name these."""
    of: dict[str, str] = {}
    named = {each.path for each in skipped if each.reason == ARCHITECTURE.reason}
    weights = formats(Content.WEIGHTS)
    for model in models if named else ():
        if model.format in weights:
            names = architecture_names(model.path)
            beside = [str(PurePosixPath(model.relative).with_name(name)) for name in names]
            found = next((path for path in beside if path in named), "")
            of.setdefault(found, model.relative)
    for each in skipped:
        owner = of.get(each.path)
        yield each if owner is None else replace(each, reason=f"read with {owner}")


def newest_only(
    models: tuple[ModelCandidate, ...],
) -> tuple[tuple[ModelCandidate, ...], tuple[SkippedPath, ...]]:
    """The models without versions that TF-Serving would not load, and those skipped versions."""
    newest: dict[str, int] = {}
    for model in models:
        if model.series is not None and model.version is not None:
            newest[model.series] = max(model.version, newest.get(model.series, model.version))
    kept: list[ModelCandidate] = []
    left_out: list[SkippedPath] = []
    for model in models:
        if model.series is None or model.version == newest[model.series]:
            kept.append(model)
        else:
            why = f"older than version {newest[model.series]}; use --all-versions to audit all"
            left_out.append(SkippedPath(model.relative, why))
    return tuple(kept), tuple(left_out)


def empty_newest_versions(models: tuple[ModelCandidate, ...]) -> Iterator[tuple[Path, str]]:
    """Directories with a higher number than all versions with a model, and the consequence.

    TF-Serving considers only the number: it would try to load these, and fail.
    """
    newest: dict[Path, int] = {}
    versions = [model for model in models if model.version is not None]
    places = {model.path for model in models} if versions else ()
    for model in versions:
        if model.version is not None:
            base = model.path.parent
            newest[base] = max(model.version, newest.get(base, model.version))
    for base, version in newest.items():
        highest = _highest_number(base)
        if highest and int(highest) > version and base / highest not in places:
            why = (
                f"the highest version holds no model; TF-Serving would load it instead of {version}"
            )
            yield base / highest, why


def _highest_number(directory: Path) -> str | None:
    try:
        with os.scandir(directory) as entries:
            few = list(islice(entries, _MOST_FILES))
            numbers = [each.name for each in few if is_version(each.name) and each.is_dir()]
    except OSError:
        return None
    return max(numbers, key=int, default=None)


def _described_at(path: Path, root: Path, mlflow: Mapping[Path, MlflowModel]) -> Path | None:
    """The directory with the `MLmodel` file for the model at `path`."""
    for place in (path, *path.parents) if mlflow else ():
        if place in mlflow:
            return place
        if place == root:
            break
    return None


def _origin(model: ModelCandidate, root: Path, references: dict[Path, dict[str, str]]) -> str:
    """One line on where the model comes from, "" if unknown."""
    base = root.as_posix()
    names = [f"{base}/{relative}" for relative in (model.relative, *model.aliases)]
    if any(_SNAPSHOTS in name for name in names):
        names = [(root / relative).as_posix() for relative in (model.relative, *model.aliases)]
        if snapshots := [match for name in names if (match := _SNAPSHOT.fullmatch(name))]:
            return _from_hub(snapshots, references)
    if kaggle := _from_kaggle(model.path):
        return kaggle
    if model.series is not None:
        return f"version {model.version}" + ("" if model.series == "." else f" of {model.series}")
    return ""


def _from_hub(snapshots: list[re.Match[str]], references: dict[Path, dict[str, str]]) -> str:
    name = snapshots[0]["name"].replace("--", "/")
    revisions = dict.fromkeys(match["revision"] for match in snapshots)
    repository = Path(snapshots[0].string[: snapshots[0].end("name")])
    if repository not in references:
        references[repository] = _references(repository / "refs")
    known = references[repository]
    told = [f"{rev[:12]} ({known[rev]})" if rev in known else rev[:12] for rev in revisions]
    word = "revision" if len(told) == 1 else "revisions"
    return f"Hugging Face cache, {name}, {word} {first_of(told, 4)}"


def _references(directory: Path) -> dict[str, str]:
    """Branch or tag by revision, from the files below `refs`."""
    found: dict[str, str] = {}
    for path in islice(files_below(directory), _MOST_REFERENCES):
        try:
            revision = read_bytes(path, _REFERENCE_BYTES).decode("ascii").strip()
        except (ReadError, UnicodeDecodeError):
            continue
        found[revision] = path.relative_to(directory).as_posix()
    return found


def _from_kaggle(path: Path) -> str:
    if not any(part.isascii() and part.isdigit() for part in path.parts[-4:]):
        return ""
    for place in (path, *islice(path.parents, 3)):
        parts = place.parts[-_KAGGLE_PARTS:]
        if len(parts) == _KAGGLE_PARTS and parts[-1].isascii() and parts[-1].isdigit():
            marker = place.with_name(f"{place.name}.complete")
            if marker.exists():
                owner, model, framework, variation, version = parts
                return f"Kaggle cache, {owner}/{model}, {framework}, {variation}, version {version}"
    return ""


def _without_repeated_snapshots(models: tuple[ModelCandidate, ...]) -> tuple[ModelCandidate, ...]:
    """Merges directory models whose snapshots link to the same files into one row with aliases."""
    kept: dict[object, ModelCandidate] = {}
    for model in models:
        key = _linked_content(model.path) or model.path
        if first := kept.get(key):
            kept[key] = replace(first, aliases=(*first.aliases, model.relative))
        else:
            kept[key] = model
    return tuple(kept.values())


def _linked_content(path: Path) -> tuple[tuple[str, str], ...] | None:
    """Names and link targets of a directory's files in a snapshot, None unless all are links."""
    if not _SNAPSHOT.fullmatch(path.as_posix()) or not path.is_dir():
        return None
    found: list[tuple[str, str]] = []
    for file in islice(files_below(path), _MOST_FILES + 1):
        if not file.is_symlink() or len(found) == _MOST_FILES:
            return None
        found.append((file.relative_to(path).as_posix(), os.path.realpath(file)))
    return tuple(sorted(found)) or None

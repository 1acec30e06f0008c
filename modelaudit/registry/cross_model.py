"""Cross-model findings: duplicates, mixed Keras generations, breaking versions, exports."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from msgspec import Struct

from modelaudit.result_row import ResultRow

SAME_WEIGHTS = "same-weights"
BREAKING = "breaking-version"  # the rule that compares a version with the previous one
EXPORT = "export-differs"  # the rule that compares an export with its source
SAME_EXPORT = "export-agrees"
_SAME = frozenset({"equal", "equal within quantization"})
_LISTED = 10  # exports with the names of their sources


class CrossModelFact(Struct, frozen=True):
    """One finding about several models.

    `kind` is machine-readable: `same-content`, `same-weights`, `mixed-keras`,
    `breaking-version`, `export-differs` or `export-agrees`. `models` are their paths.
    """

    kind: str
    title: str
    detail: str
    models: tuple[str, ...]


def cross_model_facts(rows: Sequence[ResultRow]) -> tuple[CrossModelFact, ...]:
    """Cross-model findings of the rows of a run."""
    found = (*_same_content(rows), *_same_weights(rows), *_mixed_keras(rows), *_breaking(rows))
    return (*found, *_exports(rows))


def new_facts(
    before: Sequence[ResultRow], after: Sequence[ResultRow]
) -> tuple[CrossModelFact, ...]:
    """New cross-model findings: mixed generations by fact, all others by their models.

    A group is not new if models only left it or were renamed.
    """
    if len(before) == len(after) and {*map(id, before)} == {*map(id, after)}:
        return ()  # nothing changed: runs share the row of an audit
    groups: dict[tuple[str, str], frozenset[str]] = {}  # groups of a model, by kind
    known, copies = cross_model_facts(before), _copies(before)
    for each in known:
        members = frozenset().union(*_alike(each, copies))
        groups |= {(each.kind, path): members for path in members}
    kinds, earlier, copies = {each.kind for each in known}, _earlier(before, after), _copies(after)

    def was_known(each: CrossModelFact) -> bool:
        if each.kind == "mixed-keras":
            return each.kind in kinds
        names = [{earlier.get(path, path) for path in paths} for paths in _alike(each, copies)]
        candidates = {groups.get((each.kind, name), frozenset()) for name in names[0]}
        return any(not any(map(group.isdisjoint, names)) for group in candidates)

    return tuple(each for each in cross_model_facts(after) if not was_known(each))


def _alike(
    each: CrossModelFact, copies: Mapping[str, tuple[str, ...]]
) -> Iterator[tuple[str, ...]]:
    """The group's models; for `same-weights`, including the copies that each model represents."""
    for model in each.models:
        yield copies.get(model, (model,)) if each.kind == SAME_WEIGHTS else (model,)


def _copies(rows: Sequence[ResultRow]) -> dict[str, tuple[str, ...]]:
    """The paths of models that have copies, each with the paths of all copies."""
    copies: dict[str, tuple[str, ...]] = {}
    for group in _groups(rows, _content):
        for alike in _groups(group, _weights):
            paths = _paths(alike)
            copies |= dict.fromkeys(paths, paths)
    return copies


def _earlier(before: Sequence[ResultRow], after: Sequence[ResultRow]) -> dict[str, str]:
    """New models by the path of a disappeared one with the same bytes or weights.

    Which of several copies was renamed to which does not matter here.
    """
    was, now = ({row.path for row in rows} for rows in (before, after))
    gone = [row for row in before if row.path not in now]
    came = [row for row in after if row.path not in was]
    names: dict[str, str] = {}
    taken: set[str] = set()
    for key in (_content, _weights):
        left: dict[str, list[str]] = {}
        for row in gone:
            if key(row) and row.path not in taken:
                left.setdefault(key(row), []).append(row.path)
        for row in came:
            if row.path not in names and left.get(key(row)):
                name = names[row.path] = left[key(row)].pop()
                taken.add(name)
    return names


def _content(row: ResultRow) -> str:
    return row.sha256 or ""


def _weights(row: ResultRow) -> str:
    return row.weights


def _groups(rows: Iterable[ResultRow], key: Callable[[ResultRow], str]) -> list[list[ResultRow]]:
    """Rows that share a digest with others, by the first path."""
    groups: dict[str, list[ResultRow]] = {}
    for row in sorted(rows, key=lambda row: row.path):
        if key(row):
            groups.setdefault(key(row), []).append(row)
    return [group for group in groups.values() if len(group) > 1]


def _paths(rows: Iterable[ResultRow]) -> tuple[str, ...]:
    return tuple(sorted(row.path for row in rows))


def _same_content(rows: Sequence[ResultRow]) -> list[CrossModelFact]:
    """Models with identical bytes, whatever their names."""
    return [
        CrossModelFact(
            "same-content",
            f"{len(group)} models are identical, byte for byte",
            "One of them may have been copied over a different model by mistake.",
            _paths(group),
        )
        for group in _groups(rows, _content)
    ]


def _same_weights(rows: Sequence[ResultRow]) -> list[CrossModelFact]:
    """Models with different files but equal weights: saved again, converted, or changed.

    Of models with identical files only the first is named: the others are reported as copies.
    """
    found = []
    for group in _groups((row for row in rows if row.sha256), _weights):
        files = {row.sha256: row for row in reversed(group)}
        if len(files) > 1:
            title = f"{len(files)} models have the same weights in different files"
            found.append(
                CrossModelFact(
                    SAME_WEIGHTS,
                    title,
                    "The stored weights are equal; architecture, code and settings may still "
                    "differ. See the report of each model.",
                    _paths(files.values()),
                )
            )
    return found


def _mixed_keras(rows: Sequence[ResultRow]) -> list[CrossModelFact]:
    """Models of Keras 3 next to models of an older Keras."""
    generations: dict[bool, list[ResultRow]] = {}
    for row in rows:
        major = (row.saved_with.keras or "").partition(".")[0]
        if major.isdecimal():
            generations.setdefault(int(major) >= 3, []).append(row)
    if len(generations) < 2:
        return []
    new, old = generations[True], generations[False]
    return [
        CrossModelFact(
            "mixed-keras",
            f"{len(new)} saved by Keras 3, {len(old)} by an older Keras",
            "No single Keras version loads all of them; the rarer generation is listed. "
            "The reports say which runtimes load each model.",
            _paths(new if len(new) < len(old) else old),
        )
    ]


def _breaking(rows: Sequence[ResultRow]) -> list[CrossModelFact]:
    """Versions that break callers of the previous version."""
    found = [row for row in rows if any(each.name == BREAKING for each in row.open_findings)]
    if not found:
        return []
    what = "1 version breaks" if len(found) == 1 else f"{len(found)} versions break"
    return [
        CrossModelFact(
            BREAKING,
            f"{what} callers of the previous version",
            "The report of each says which inputs or outputs changed.",
            _paths(found),
        )
    ]


def _exports(rows: Sequence[ResultRow]) -> Iterator[CrossModelFact]:
    """Exports that are another model than their source, that are the same, or have its weights."""
    other = [row for row in rows if any(each.name == EXPORT for each in row.open_findings)]
    same = [row for row in rows if row.same_as_source in _SAME and row not in other]
    for kind, rows_of, ran, one, many, what in (
        (EXPORT, other, True, "is", "are", "not the same model as the source"),
        (EXPORT, other, False, "lacks", "lack", "weights of the source; not run"),
        (SAME_EXPORT, same, True, "is", "are", "the same model as the source"),
        (SAME_EXPORT, same, False, "has", "have", "the weights of the source; not run"),
    ):
        found = [row for row in rows_of if row.ran_as_source is ran]
        if found:
            exports = f"1 export {one}" if len(found) == 1 else f"{len(found)} exports {many}"
            yield CrossModelFact(kind, f"{exports} {what}", _of_sources(found), _paths(found))


def _of_sources(rows: Sequence[ResultRow]) -> str:
    said = [
        f"{row.path}: {row.same_as_source}, source {row.exported_from}" for row in rows[:_LISTED]
    ]
    return "; ".join(said) + (" …" if len(rows) > _LISTED else "")

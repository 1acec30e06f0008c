"""The models of a run that an export may have been made from, by their names and directories."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from itertools import chain, islice
from pathlib import Path

from modelaudit.facts import Format
from modelaudit.file_formats import Content, formats
from modelaudit.formats.export_names import EXPORTS, name_words

MOST_SOURCES = 8  # for one export; each is read
_SOURCES = formats(Content.MODEL, Content.WEIGHTS, Content.GRAPH) - EXPORTS


def export_sources(models: Mapping[Path, Format | None]) -> dict[Path, tuple[Path, ...]]:
    """The possible sources of every export, the likeliest first, at most `MOST_SOURCES`.

    First those in its directory, with its name before others; then those with its name elsewhere;
    then those in the nearest directory above.

    Args:
        models: absolute paths of all models of the run, and their formats.
    """
    exports = [path for path, form in models.items() if form in EXPORTS]
    if not exports:
        return {}
    named: defaultdict[tuple[str, ...], list[Path]] = defaultdict(list)
    beside: defaultdict[Path, list[Path]] = defaultdict(list)
    below: defaultdict[Path, list[Path]] = defaultdict(list)
    for path in sorted(path for path, form in models.items() if form in _SOURCES):
        named[name_words(path)].append(path)
        beside[path.parent].append(path)
        for place in path.parents:
            # Of a directory, no more than these can be among the few that are kept.
            if len(below[place]) <= MOST_SOURCES:
                below[place].append(path)
    found: dict[Path, tuple[Path, ...]] = {}
    for each in exports:
        alike = named[name_words(each)]
        first = [path for path in alike if path.parent == each.parent]
        above = chain.from_iterable(below[place] for place in each.parents)
        nearest = dict.fromkeys(chain(first, beside[each.parent], alike, above))
        found[each] = tuple(islice(nearest, MOST_SOURCES))
    return found

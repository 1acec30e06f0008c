"""Models that two runs have under different paths: renamed ones, and versions with a newer one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeVar

from modelaudit.model_versions import unique_by_value

Key = TypeVar("Key")


def renamed(
    gone: Mapping[Key, Sequence[str | None]], came: Mapping[Key, Sequence[str | None]]
) -> dict[Key, Key]:
    """Disappeared models, each with the new model that is the same.

    They are the same if they share a digest that no other disappeared or new model has.

    Args:
        gone: models in the earlier run only, each with its digests, the most specific first.
        came: models in the later run only, with digests of the same kinds.
    """
    pairs: dict[Key, Key] = {}
    kinds = max((len(digests) for digests in gone.values()), default=0)
    for kind in range(kinds):
        taken = set(pairs.values())
        left = unique_by_value((key, each[kind]) for key, each in gone.items() if key not in pairs)
        right = unique_by_value((key, each[kind]) for key, each in came.items() if key not in taken)
        pairs |= {left[digest]: right[digest] for digest in left if digest in right}
    return pairs

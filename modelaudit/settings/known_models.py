"""The findings of a baseline file, by model."""

from __future__ import annotations

from functools import cached_property

from msgspec import Struct

from modelaudit.findings import Severity
from modelaudit.structs import replace


class KnownModel(Struct, frozen=True):
    """One model of a baseline and its findings at that time, as (fingerprint, severity).

    `weights` is a format-independent digest over its weights, "" if unknown.
    """

    path: str
    sha256: str
    weights: str
    findings: frozenset[tuple[str, Severity]]


_TOLD_BY = ("path", "sha256", "weights")


class Baseline(Struct, frozen=True, dict=True):
    """Findings known on some day, which no longer fail a model."""

    created: str
    models: tuple[KnownModel, ...]

    @cached_property
    def _by(self) -> dict[tuple[str, str], list[KnownModel]]:
        """An index of the models, because every model of a run is looked up."""
        found: dict[tuple[str, str], list[KnownModel]] = {}
        for known in self.models:
            for name in _TOLD_BY:
                found.setdefault((name, getattr(known, name)), []).append(known)
        return found

    def model(self, path: str, sha256: str, weights: str) -> KnownModel | None:
        """The known findings of a model, matched by path, then by bytes, then by weights.

        A path may occur in several registries, and bytes or weights in several models. Of those,
        the ones that also match in the other attributes are used, or all if there are none.
        """
        told = [pair for pair in zip(_TOLD_BY, (path, sha256, weights), strict=True) if pair[1]]
        for pair in told:
            found = self._by.get(pair, [])
            for name, value in told:
                found = [each for each in found if getattr(each, name) == value] or found
            if found:
                findings = frozenset().union(*(each.findings for each in found))
                return replace(found[0], findings=findings)
        return None

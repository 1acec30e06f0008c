"""Which versions a `models:/` or `runs:/` URL means, and where their files are."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import pairwise

from msgspec import Struct

from modelaudit.errors import ReadError, UsageError
from modelaudit.facts import ProblemKind
from modelaudit.registry.remote.address import Url
from modelaudit.registry.tracking import replies
from modelaudit.registry.tracking.client import TrackingServer
from modelaudit.structs import replace

_LOGGED_MODEL = re.compile(r"m-[0-9a-f]{32}")
_NUMBER = re.compile(r"[0-9]{1,18}")
_READY = "READY"
_LATEST = "latest"
_MOST_NAME_BYTES = 255  # of a directory in the cache


class Registered(Struct, frozen=True):
    """One version of a registered model, a logged model, or files of a run.

    Attributes:
        path: how it is called: `digits/3`, `m-…`, or a run and the path below its artifacts.
        state: what tells it from another version under the same name; "" if its files may change.
        created: when it was created, in seconds since 1970; None if unknown.
        name: of the registered model, "" if it is not one.
        number: the version.
        aliases: of this version.
        source: where its files are, according to the version.
        run: the run that made it, "" if unknown.
        tags: of the version.
        before: path of the version before it, "" if there is none.
        audited: it was asked for; otherwise only the version after it is compared with it.
    """

    path: str
    state: str
    created: float | None = None
    name: str = ""
    number: int = 0
    aliases: tuple[str, ...] = ()
    source: str = ""
    run: str = ""
    tags: tuple[replies.Tag, ...] = ()
    before: str = ""
    audited: bool = True

    @property
    def registration(self) -> str:
        """Name, version and aliases on one line; "" if it is not registered."""
        if not self.name:
            return ""
        said = f"registered as {self.name}, version {self.number}"
        word = "alias" if len(self.aliases) == 1 else "aliases"
        return f"{said}, {word} {', '.join(self.aliases)}" if self.aliases else said


class Registry(Struct, frozen=True):
    """What a URL means.

    Attributes:
        found: versions to fetch: those to audit, and those before them.
        older: paths of versions that exist and are not audited because there are newer ones.
        refused: names that cannot be used, with the reason.
        unready: versions whose files are not complete, with the reason.
    """

    found: tuple[Registered, ...]
    older: tuple[str, ...] = ()
    refused: tuple[tuple[str, str], ...] = ()
    unready: tuple[tuple[str, str], ...] = ()


def registered_at(server: TrackingServer, url: Url, *, all_versions: bool) -> Registry:
    """The versions that a URL means.

    Of `models:/` and `models:/NAME` these are the newest version of each model and those with an
    alias, or all.

    Raises:
        UsageError: the URL is not one of MLflow, or there is no such version.
        ReadError: the server does not answer.
    """
    path = url.text.partition(":")[2].strip("/")
    if url.scheme == "runs":
        return Registry((_files_of_run(server, url, path),))
    if _LOGGED_MODEL.fullmatch(path):
        return Registry((Registered(path, path, source=f"models:/{path}"),))
    name, slash, number = path.partition("/")
    alias = ""
    if not slash:
        name, _, alias = path.partition("@")
    if (slash and not (_NUMBER.fullmatch(number) or number == _LATEST)) or (path and not name):
        raise UsageError(
            f"{url}: not models:/NAME/VERSION, models:/NAME@ALIAS, models:/NAME or models:/"
        )
    every, refused, unready = _versions(server, name)
    if not slash and not alias:
        if name and not (every or refused or unready):
            raise UsageError(f"{url}: no such registered model, or it has no version")
        found, older = _chosen(every, all_versions=all_versions)
        return Registry(found, older, refused, unready)
    wanted = [
        each
        for each in every
        if (alias in each.aliases if alias else number in (str(each.number), _LATEST))
    ]
    if not wanted:
        raise UsageError(dict(unready).get(path) or f"{url}: no such version of a registered model")
    one = wanted[-1]
    earlier = [replace(each, audited=False) for each in every if each.path == one.before]
    return Registry((*earlier, one))


def location_of(server: TrackingServer, one: Registered) -> str:
    """Where the files are: a URL, or a path of the server's machine.

    Raises:
        ReadError: the server does not say.
    """
    found = one.source
    if one.name:
        answer = server.get(
            *("model-versions/get-download-uri", replies.DownloadAnswer),
            name=one.name,
            version=str(one.number),
        )
        found = answer.artifact_uri
    if found.startswith("models:/"):  # MLflow 3: a version may be a logged model
        key = found.removeprefix("models:/").strip("/")
        if not _LOGGED_MODEL.fullmatch(key):
            raise ReadError(ProblemKind.UNREADABLE, one.path, f"its files are at {found[:200]}")
        model = server.get(f"logged-models/{key}", replies.LoggedModelAnswer).model
        found = model.info.artifact_uri
    if found.startswith("runs:/"):
        run, _, below = found.removeprefix("runs:/").strip("/").partition("/")
        root = server.get("runs/get", replies.RunAnswer, run_id=run).run.info.artifact_uri
        found = f"{root.rstrip('/')}/{below}"
    return found


def versions_of(server: TrackingServer, name: str) -> tuple[Registered, ...]:
    """All versions of one registered model, or of all ("") that are ready.

    Raises:
        ReadError: the server does not answer.
    """
    return _versions(server, name)[0]


def _files_of_run(server: TrackingServer, url: Url, path: str) -> Registered:
    run, _, below = path.partition("/")
    if not run:
        raise UsageError(f"{url}: not runs:/RUN/PATH")
    if reason := _unusable(path):
        raise UsageError(f"{url}: {reason}")
    info = server.get("runs/get", replies.RunAnswer, run_id=run).run.info
    ended = info.end_time
    return Registered(
        f"{run}/{below}".rstrip("/"),
        f"{info.artifact_uri} {ended}" if ended else "",
        ended / 1000 if ended else None,
        source=f"{info.artifact_uri.rstrip('/')}/{below}",
        run=run,
    )


def _versions(
    server: TrackingServer, name: str
) -> tuple[tuple[Registered, ...], tuple[tuple[str, str], ...], tuple[tuple[str, str], ...]]:
    """Versions in order of names and numbers, refused names, and versions that are not ready."""
    found: list[Registered] = []
    refused: dict[str, str] = {}
    unready: list[tuple[str, str]] = []
    aliases = _aliases(server, name)
    for each in _listed(server, name):
        shown = f"{each.name}/{each.version}"
        if reason := _unusable(each.name, part=True) or (
            "" if _NUMBER.fullmatch(each.version) else "its version is not a number"
        ):
            refused[shown] = f"not fetched: {reason}"
        elif each.status != _READY:
            unready.append((shown, f"its status is {each.status[:80]}"))
        else:
            number = int(each.version)
            made = each.creation_timestamp
            found.append(
                Registered(
                    f"{each.name}/{number}",
                    f"{made} {each.source}",
                    made / 1000 if made else None,
                    name=each.name,
                    number=number,
                    aliases=tuple(sorted(aliases.get((each.name, number), ()))),
                    source=each.source,
                    run=each.run_id,
                    tags=each.tags,
                )
            )
    found.sort(key=lambda each: (each.name, each.number))
    before = {
        newer.path: older.path for older, newer in pairwise(found) if older.name == newer.name
    }
    linked = tuple(replace(each, before=before.get(each.path, "")) for each in found)
    return linked, tuple(refused.items()), tuple(unready)


def _listed(server: TrackingServer, name: str) -> Iterator[replies.ModelVersion]:
    for page in server.pages("model-versions/search", replies.VersionsPage, **_named(name)):
        yield from (each for each in page.model_versions if name in ("", each.name))


def _aliases(server: TrackingServer, name: str) -> dict[tuple[str, int], set[str]]:
    found: dict[tuple[str, int], set[str]] = {}
    for page in server.pages("registered-models/search", replies.ModelsPage, **_named(name)):
        for model in page.registered_models:
            for each in model.aliases:
                if _NUMBER.fullmatch(each.version):
                    found.setdefault((model.name, int(each.version)), set()).add(each.alias)
    return found


def _named(name: str) -> dict[str, str]:
    """The query for one name, which stands in quotes. If it has both kinds, all are asked for."""
    mark = next((mark for mark in "'\"" if mark not in name), "")
    return {"filter": f"name={mark}{name}{mark}"} if name and mark else {}


def _chosen(
    every: tuple[Registered, ...], *, all_versions: bool
) -> tuple[tuple[Registered, ...], tuple[str, ...]]:
    """What to fetch, and the paths of what is not audited because there is a newer version."""
    newest = {each.name: each.path for each in every}
    audited = {
        each.path
        for each in every
        if all_versions or each.aliases or newest[each.name] == each.path
    }
    needed = audited | {each.before for each in every if each.path in audited}
    found = tuple(
        replace(each, audited=each.path in audited) for each in every if each.path in needed
    )
    return found, tuple(each.path for each in every if each.path not in audited)


def _unusable(name: str, *, part: bool = False) -> str:
    """Why a name cannot be a path in the cache; "" if it can."""
    parts = name.split("/")
    if part and len(parts) > 1:
        return "its name contains a slash"
    if any(each in ("", ".", "..") for each in parts) or "\0" in name:
        return "its name leads elsewhere"
    if any(len(each.encode()) > _MOST_NAME_BYTES for each in parts):
        return f"its name is longer than {_MOST_NAME_BYTES} bytes"
    return ""

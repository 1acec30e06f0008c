"""Irregularities of a zip archive: names, headers, and bytes that belong to no member."""

from __future__ import annotations

import posixpath
import stat
from collections.abc import Iterator

from modelaudit.facts import Json, Problem, ProblemKind
from modelaudit.formats.zip.directory import DEFLATED, STORED, CentralDirectory

_PLAIN_MODES = {0, stat.S_IFREG, stat.S_IFDIR}


def directory_problems(directory: CentralDirectory, file: str) -> Iterator[Problem]:
    """Irregular names and headers, and bytes outside the members."""
    evidence: dict[str, Json]
    yield from _duplicates(directory, file)
    for member in directory.members:
        told = (member.stored_name, member.other_name, member.local_name)
        if reason := next(filter(None, map(unsafe_name, told)), ""):
            yield Problem(ProblemKind.UNSAFE_PATH, file, reason, member.name, {"zip": "name"})
        if stat.S_ISLNK(member.mode):
            detail = f"{member.name} is a symbolic link"
            evidence = {"zip": "link", "link": member.name}
            yield Problem(ProblemKind.UNSAFE_PATH, file, detail, member.name, evidence)
        elif stat.S_IFMT(member.mode) not in _PLAIN_MODES:
            detail = f"{member.name} is a device, a pipe or a socket"
            yield Problem(ProblemKind.UNSAFE_PATH, file, detail, member.name, {"zip": "device"})
        if member.encrypted:
            detail = f"{member.name} is encrypted"
            yield Problem(ProblemKind.OTHER, file, detail, member.name, {"zip": "encrypted"})
        elif member.method not in {STORED, DEFLATED}:
            detail = f"{member.name} uses compression method {member.method}"
            yield Problem(ProblemKind.OTHER, file, detail, member.name, {"zip": "method"})
        other = member.local_name if member.local_name != member.stored_name else member.other_name
        if other:
            where = "Unicode field" if other == member.other_name else "local header"
            detail = f"{member.name} is named {other} in its {where}"
            evidence = {"zip": "local-name", "local": other}
            yield Problem(ProblemKind.HEADER_MISMATCH, file, detail, member.name, evidence)
        elif member.conflict:
            detail = f"{member.name} {member.conflict}"
            evidence = {"zip": "local-header"}
            yield Problem(ProblemKind.HEADER_MISMATCH, file, detail, member.name, evidence)
    yield from _archive_problems(directory, file)


def _duplicates(directory: CentralDirectory, file: str) -> Iterator[Problem]:
    """Members that some reader takes for the same."""
    alike: dict[str, list[str]] = {}
    for member in directory.members:
        if not member.is_directory:
            for name in filter(None, (member.name, member.other_name)):
                alike.setdefault(_unpacked_name(name), []).append(name)
    for names in alike.values():
        if len(names) > 1:
            called = " and ".join(dict.fromkeys(names))
            detail = f"{len(names)} members are named {called}; readers disagree on which to use"
            evidence: dict[str, Json] = {"measured": len(names), "threshold": 1}
            yield Problem(ProblemKind.DUPLICATE_MEMBER, file, detail, names[0], evidence)


def _unpacked_name(name: str) -> str:
    """Path that a member is extracted to on a case-insensitive file system."""
    return posixpath.normpath(name.replace("\\", "/")).casefold()


def _archive_problems(directory: CentralDirectory, file: str) -> Iterator[Problem]:
    """Irregularities of the archive as a whole."""
    evidence: dict[str, Json]
    if directory.conflict:
        detail = f"the end of the archive {directory.conflict}"
        yield Problem(ProblemKind.HEADER_MISMATCH, file, detail, "", {"zip": "end"})
    if directory.hidden:
        detail = (
            f"archive comment of {directory.comment:,} bytes that is or could hide another archive"
        )
        evidence = {"zip": "suffix", "measured": directory.comment}
        yield Problem(ProblemKind.HEADER_MISMATCH, file, detail, "", evidence)
    if directory.gaps:
        detail = f"{directory.gaps:,} bytes between the members belong to no listed member"
        evidence = {"zip": "gap", "measured": directory.gaps}
        yield Problem(ProblemKind.HEADER_MISMATCH, file, detail, "", evidence)
    if directory.overlaps:
        detail = f"{directory.overlaps:,} bytes belong to more than one member"
        evidence = {"zip": "overlap", "measured": directory.overlaps}
        yield Problem(ProblemKind.HEADER_MISMATCH, file, detail, "", evidence)
    for what, size in (("before", directory.prefix), ("after", directory.suffix)):
        if size and what == "after" and directory.zeros:
            detail = f"{size:,} zeros after the archive, as a copy in whole blocks adds"
            yield Problem(ProblemKind.OTHER, file, detail, evidence={"measured": size})
        elif size:
            detail = f"{size:,} bytes {what} the archive: the file may also be of another format"
            evidence = {"zip": "prefix" if what == "before" else "suffix", "measured": size}
            yield Problem(ProblemKind.HEADER_MISMATCH, file, detail, "", evidence)


def unsafe_name(name: str) -> str:
    """Why extracting a member of this name is unsafe; "" if it is safe."""
    if "\0" in name:
        return f"{name!r} contains a NUL"
    if "\\" in name:
        return f"{name} contains a backslash"
    if name.startswith("/") or name[1:2] == ":":
        return f"{name} is an absolute path"
    if ".." in name.split("/"):
        return f"{name} leads out of the archive"
    return ""

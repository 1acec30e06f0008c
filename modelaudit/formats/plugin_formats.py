"""Formats that plug-ins read (docs/plugins.md): recognised by first bytes, read in a worker."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stdout
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
from msgspec import Struct

from modelaudit.errors import ReadError
from modelaudit.facts import Artifact, Format, Problem, ProblemKind, TensorSource
from modelaudit.formats.io.bounded import file_entry, model_digest, open_regular
from modelaudit.formats.tar.members import BLOCK, is_tar
from modelaudit.settings import Limits
from modelaudit.structs import checked, replace

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

HEAD = 64  # bytes that may identify a format


class PluginFormat(Struct, frozen=True):
    """A format of single files.

    Attributes:
        name: lower-case words joined by hyphens; stored in `extra` of the artifact as `plugin`.
        magic: first bytes of its files, 4 to 64 of them; none that a known format begins with.
        read: reads a file as an artifact, without running anything in it. The path, format, files
            and digest of the artifact are filled in. Raises `ReadError` for a damaged file.
    """

    name: str
    magic: tuple[bytes, ...]
    read: Callable[[Path, Limits], Artifact]


_added: list[PluginFormat] = []


def add(form: PluginFormat) -> None:
    """Add the format of a plug-in."""
    _added.append(form)


def added() -> tuple[PluginFormat, ...]:
    """The formats of all plug-ins."""
    return tuple(_added)


def claimed(head: bytes) -> PluginFormat | None:
    """The format whose files begin like this; runs nothing of a plug-in.

    A tar archive is none of them: it begins with the name of its first member.

    Args:
        head: the first bytes of a file, at least 512 unless it is shorter.
    """
    if is_tar(head):
        return None
    return next((form for form in _added if head.startswith(form.magic)), None)


@contextmanager
def _contained(plugin: str, file: str) -> Iterator[None]:
    """What code of a plug-in prints goes to the standard error; its failures name the plug-in."""
    try:
        with redirect_stdout(sys.stderr):
            yield
    except (ReadError, MemoryError):
        raise
    except (Exception, SystemExit) as error:
        reason = f"the plug-in {plugin} failed: {type(error).__name__}: {error}"
        raise ReadError(ProblemKind.UNREADABLE, file, reason) from error


class _Contained(Struct, frozen=True):
    """Values of a tensor, which a plug-in reads long after it has returned the artifact.

    Attributes:
        failures: why they could not be read so far: a measure that lacks them is only skipped.
    """

    source: TensorSource
    plugin: str
    file: str
    failures: list[str]

    @contextmanager
    def _noted(self) -> Iterator[None]:
        try:
            with _contained(self.plugin, self.file):
                yield
        except ReadError as error:
            self.failures.append(error.reason)
            raise

    def array(self) -> NDArray[np.generic]:
        """See `facts.TensorSource.array`."""
        with self._noted():
            return self.source.array()

    def chunks(self, max_bytes: int = 4 << 20) -> Iterator[NDArray[np.generic]]:
        """See `facts.TensorSource.chunks`."""
        with self._noted():
            pieces = iter(self.source.chunks(max_bytes))
        while True:
            with self._noted():
                piece = next(pieces, None)
            if piece is None:
                return
            yield piece


def with_failures(artifact: Artifact) -> Artifact:
    """The artifact with a problem for each tensor whose values a plug-in failed to read so far."""
    failed = tuple(
        Problem(ProblemKind.UNREADABLE, tensor.source.file, tensor.source.failures[0], tensor.name)
        for tensor in artifact.tensors
        if isinstance(tensor.source, _Contained) and tensor.source.failures
    )
    return replace(artifact, problems=artifact.problems + failed) if failed else artifact


def read_plugin_format(path: Path, limits: Limits) -> Artifact:
    """Read a file of a plug-in's format.

    Raises:
        ReadError: the plug-in cannot read it, or failed; the reason names the plug-in.
    """
    with open_regular(path) as handle:
        form = claimed(handle.read(BLOCK) or b"")
    if form is None:  # replaced meanwhile
        raise ReadError(ProblemKind.UNREADABLE, path.name, "was replaced while it was read")
    with _contained(form.name, path.name):
        made: object = form.read(path, limits)
        found = checked(made) if isinstance(made, Artifact) else None
        if found is not None:
            msgspec.to_builtins((found.extra, found.training))
    if found is None:
        reason = f"the plug-in {form.name} returned {type(made).__name__}, not an artifact"
        raise ReadError(ProblemKind.UNREADABLE, path.name, reason)
    files = (file_entry(path, path, "", limits),)
    tensors = tuple(
        each
        if each.source is None
        else replace(each, source=_Contained(each.source, form.name, path.name, []))
        for each in found.tensors
    )
    return replace(
        found,
        root=path.absolute(),
        format=Format.PLUGIN,
        files=files,
        sha256=model_digest(files),
        tensors=tensors,
        extra={**found.extra, "plugin": form.name},
    )

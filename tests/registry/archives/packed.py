"""Archives that tests pack."""

from __future__ import annotations

import io
import tarfile


def tar(path, *members, mode="w"):
    """A tar archive of (name, bytes or a TarInfo)."""
    with tarfile.open(path, mode) as archive:
        for name, content in members:
            if isinstance(content, bytes):
                info = tarfile.TarInfo(name)
                info.size = len(content)
                archive.addfile(info, io.BytesIO(content))
            else:
                archive.add(content, name)
    return path


def special(path, kind, name="odd", target="elsewhere"):
    with tarfile.open(path, "a") as archive:
        info = tarfile.TarInfo(name)
        info.type, info.linkname = kind, target
        archive.addfile(info)


def relatives(found):
    return [each.relative for each in found.candidates]

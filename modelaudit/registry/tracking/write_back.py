"""Results in the registry: tags of a version, and files among the artifacts of its run."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from modelaudit.registry.output_directory import write_atomic
from modelaudit.registry.remote.address import Url
from modelaudit.registry.remote.files import write_file
from modelaudit.registry.tracking import replies
from modelaudit.registry.tracking.artifacts import REPORTS, place_of_files
from modelaudit.registry.tracking.client import TrackingServer
from modelaudit.registry.tracking.registered import Registered


def tags_differ(one: Registered, tags: Mapping[str, str]) -> bool:
    """Whether a version lacks one of these tags, or has another value of it."""
    there = {tag.key: tag.value for tag in one.tags}
    return any(there.get(key) != value for key, value in tags.items())


def write_files(server: TrackingServer, one: Registered, files: Mapping[str, Path]) -> None:
    """Add files to the artifacts of a version's run; those of the same names are replaced.

    Args:
        one: a version with a run.
        files: what to copy, by path below `REPORTS`.

    Raises:
        ReadError: they cannot be written.
        UsageError: no installed library writes to the store of the run.
        OSError: a file cannot be read, or not be written on this machine.
    """
    run = server.get("runs/get", replies.RunAnswer, run_id=one.run).run.info
    place = place_of_files(server, one, run.artifact_uri)
    for name, file in files.items():
        data, below = file.read_bytes(), f"{REPORTS}/{name}"
        if isinstance(place, Path):
            write_atomic(place / below, data)
        elif isinstance(place, Url):
            write_file(Url(f"{place.text.rstrip('/')}/{below}"), data)
        else:
            server.upload(f"{place}/{below}", data)


def write_tags(server: TrackingServer, one: Registered, tags: Mapping[str, str]) -> None:
    """Set tags of a version.

    Raises:
        ReadError: the server does not confirm it.
    """
    for key, value in tags.items():
        version = {"name": one.name, "version": str(one.number)}
        server.post("model-versions/set-tag", **version, key=key, value=value)

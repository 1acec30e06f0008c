"""The answers of MLflow's REST API, as far as they are used."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct

# Milliseconds since 1970, until the year 9999.
_Time = Annotated[int, Meta(ge=0, le=253_402_300_799_000)]
_Size = Annotated[int, Meta(ge=0, le=1 << 60)]


class Alias(Struct, frozen=True):
    """A name for one version of a registered model."""

    alias: str
    version: str


class RegisteredModel(Struct, frozen=True):
    """A registered model."""

    name: str
    aliases: tuple[Alias, ...] = ()


class ModelsPage(Struct, frozen=True):
    """A page of registered models."""

    registered_models: tuple[RegisteredModel, ...] = ()
    next_page_token: str = ""


class Tag(Struct, frozen=True):
    """A tag of a version."""

    key: str
    value: str = ""


class ModelVersion(Struct, frozen=True):
    """A version of a registered model. `status` is READY when its files are complete."""

    name: str
    version: str
    creation_timestamp: _Time = 0
    source: str = ""
    run_id: str = ""
    status: str = "READY"
    tags: tuple[Tag, ...] = ()


class VersionsPage(Struct, frozen=True):
    """A page of versions."""

    model_versions: tuple[ModelVersion, ...] = ()
    next_page_token: str = ""


class DownloadAnswer(Struct, frozen=True):
    """Where the files of a version are."""

    artifact_uri: str


class RunInfo(Struct, frozen=True):
    """A run. `end_time` is 0 while it is not finished: files may still be added."""

    artifact_uri: str = ""
    end_time: _Time = 0


class _Run(Struct, frozen=True):
    info: RunInfo


class RunAnswer(Struct, frozen=True):
    """One run."""

    run: _Run


class _LoggedModelInfo(Struct, frozen=True):
    artifact_uri: str
    creation_timestamp_ms: _Time = 0


class _LoggedModel(Struct, frozen=True):
    info: _LoggedModelInfo


class LoggedModelAnswer(Struct, frozen=True):
    """One logged model of MLflow 3."""

    model: _LoggedModel


class StoredFile(Struct, frozen=True):
    """A file or directory in a listing. `path` is its name there."""

    path: str
    is_dir: bool = False
    file_size: _Size = 0


class ArtifactsPage(Struct, frozen=True):
    """The content of a directory of the artifact store."""

    files: tuple[StoredFile, ...] = ()

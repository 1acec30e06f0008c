"""What is fuzzed: which file of which model is changed, how, and what is done with the model."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from fuzz import seeds
from modelaudit import pipeline, schema
from modelaudit.facts import Artifact, ProblemKind
from modelaudit.findings import Outcome
from modelaudit.formats.bytecode import Bytecode, read_bytecode
from modelaudit.settings import Settings

SETTINGS = Settings()
CREATED = "2026-01-01T00:00:00Z"
Place = Callable[[Path, bytes], None]


class Untyped(Exception):
    """Hostile bytes led to an end that is no typed result."""


@dataclass(frozen=True, slots=True)
class Target:
    """One file of one kind of model.

    Attributes:
        name: for people, and of the folder of the seeds.
        file: the file that is changed, relative to the model's folder.
        read: what is audited, relative to that folder.
        kind: the method of `Mutator` that changes it.
        build: writes a valid model into a folder that does not exist, with `file` in it.
        others: further valid contents of `file`.
        place: puts changed bytes into the folder; None writes `file`.
    """

    name: str
    file: str
    read: str
    kind: str
    build: Callable[[Path], object]
    others: Callable[[Path], tuple[bytes, ...]] = field(default=lambda _: ())
    place: Place | None = None

    def contents(self, folder: Path) -> tuple[bytes, ...]:
        """Build the model in `folder`, and give all valid contents of `file`."""
        self.build(folder)
        return ((folder / self.file).read_bytes(), *self.others(folder.parent))

    def put(self, folder: Path, data: bytes) -> None:
        """Write changed bytes into the model in `folder`."""
        if self.place:
            self.place(folder, data)
        else:
            (folder / self.file).write_bytes(data)

    def examine(self, folder: Path, *, judge: bool) -> str:
        """Read the model in `folder`.

        Args:
            folder: of the model.
            judge: whether to go on with the rest of a static audit: measurements, predictions,
                rules, diagnosis, and `audit.json` written and read again.

        Returns:
            One word for how it ended: the kind of the first problem, or `read`.

        Raises:
            Untyped: a rule failed by itself.
        """
        path = folder / self.read
        if not judge:
            return _ending(pipeline.read_artifact(path, SETTINGS))
        facts = pipeline.static_facts(path, SETTINGS)
        audit = pipeline.conclude(facts, pipeline.Target(path, folder, self.read, "x"), CREATED, {})
        schema.loads(schema.dumps(audit))
        for result in audit.results:
            if result.outcome is Outcome.ERROR:
                raise Untyped(f"{result.code}: {result.reason}")
        return _ending(facts.artifact)


def _ending(artifact: Artifact) -> str:
    return str(ProblemKind(artifact.problems[0].kind)) if artifact.problems else "read"


def _file(name: str, make: Callable[[Path], bytes]) -> Callable[[Path], None]:
    def build(folder: Path) -> None:
        folder.mkdir(parents=True)
        data = make(folder / name)
        (folder / name).write_bytes(data)

    return build


def _more_h5(folder: Path) -> tuple[bytes, ...]:
    path = folder / "seed.h5"
    return tuple(seeds.full_h5(path, *each) for each in (("vlen",), ("latest", "chunked")))


def _place_code(folder: Path, data: bytes) -> None:
    """Put bytecode into a Lambda; and read it by itself, as one who disassembles would."""
    code = read_bytecode(data)
    if isinstance(code, Bytecode):
        json.dumps([code.all_names(), code.texts()])
    (folder / "code").write_bytes(data)
    (folder / "model" / "config.json").write_text(json.dumps(seeds.lambda_model(data)))


def _code_model(folder: Path) -> None:
    folder.mkdir()
    seeds.unpacked(folder / "model")
    (folder / "code").write_bytes(seeds.lambda_code()[0])


def _place_objects(folder: Path, data: bytes) -> None:
    seeds.object_checkpoint(folder, data)
    (folder / "objects").write_bytes(data)


def _object_model(folder: Path) -> None:
    seeds.object_checkpoint(folder)
    shard = (folder / f"m{seeds.SHARD}").read_bytes()
    (folder / "objects").write_bytes(shard[24 + 1 + 4 :])  # after the kernel, a length, a checksum


def _place_shard(folder: Path, data: bytes) -> None:
    (folder / f"variables/variables{seeds.SHARD}").write_bytes(data)
    seeds.with_right_checksums(folder / "variables" / "variables")


TARGETS = (
    Target("h5", "m.h5", "m.h5", "hdf5", _file("m.h5", seeds.full_h5), _more_h5),
    Target(
        "weights-h5",
        "m.weights.h5",
        "m.weights.h5",
        "hdf5",
        _file("m.weights.h5", seeds.v3_weights),
    ),
    Target(
        "keras-zip",
        "m.keras",
        "m.keras",
        "archive",
        _file("m.keras", lambda path: seeds.archives(path.parent)[0]),
        seeds.archives,
    ),
    Target("config-json", "config.json", ".", "json", seeds.unpacked, lambda _: seeds.configs()),
    Target(
        "lambda-bytecode",
        "code",
        "model",
        "raw",
        _code_model,
        lambda _: seeds.lambda_code(),
        _place_code,
    ),
    Target(
        "saved-model-pb",
        "saved_model.pb",
        ".",
        "wire",
        seeds.saved_model,
        lambda _: seeds.graph_messages(),
    ),
    Target("saved-model-pbtxt", "saved_model.pbtxt", ".", "text", seeds.text_saved_model),
    Target("keras-metadata-pb", "keras_metadata.pb", ".", "wire", seeds.saved_model),
    Target("fingerprint-pb", "fingerprint.pb", ".", "wire", seeds.saved_model),
    Target("variables-index", "variables/variables.index", ".", "table", seeds.saved_model),
    Target(
        "variables-data",
        f"variables/variables{seeds.SHARD}",
        ".",
        "raw",
        seeds.saved_model,
        place=_place_shard,
    ),
    Target("checkpoint-index", "m.index", "m", "table", seeds.checkpoint),
    Target("checkpoint-meta", "m.meta", "m", "wire", seeds.checkpoint),
    Target("checkpoint-state", "checkpoint", "m", "text", seeds.checkpoint),
    Target("object-graph", "objects", "m", "wire", _object_model, place=_place_objects),
    Target("frozen-graph", "m.pb", "m.pb", "wire", _file("m.pb", lambda _: seeds.frozen_graph())),
)

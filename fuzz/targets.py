"""Fuzzing targets: which file of which model is mutated, how, and which code reads the model."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

from fuzz import readers, seeds, signatures
from modelaudit import pipeline, schema
from modelaudit.errors import ReadError
from modelaudit.facts import Problem, ProblemKind
from modelaudit.findings import Outcome
from modelaudit.formats.reader import read_artifact
from modelaudit.settings import Settings

SETTINGS = Settings()
SHARD = f"variables/variables{seeds.SHARD}"
CREATED = "2026-01-01T00:00:00Z"


class Untyped(Exception):
    """Mutated input made a rule fail with an exception of its own."""


@dataclass(frozen=True, slots=True)
class Target:
    """One file of one kind of model.

    Attributes:
        name: shown in the report; also the name of the folder of the seeds.
        file: the file that is mutated, relative to the model's folder.
        kind: the method of `Mutator` that mutates it.
        build: writes a valid model into a folder that does not exist yet, with `file` in it.
        read: the path that is audited, relative to that folder; "" for `file`.
        alone: reads only that file; None where the model is that file.
        others: further valid contents of `file`.
        place: writes mutated bytes into the folder; None writes `file`.
        valid: how the seeds end: `read`, or what is not read of such models by design.
        audited: whether it can be audited; False for an archive that is unpacked first.
        share: relative share of a run's inputs; smaller for targets that take longer to read.
    """

    name: str
    file: str
    kind: str
    build: Callable[[Path], object]
    read: str = ""
    alone: Callable[[Path], Iterable[Problem]] | None = None
    others: Callable[[Path], tuple[bytes, ...]] = field(default=lambda _: ())
    place: Callable[[Path, bytes], None] | None = None
    valid: str = "read"
    audited: bool = True
    share: float = 1.0

    def contents(self, folder: Path) -> tuple[bytes, ...]:
        """Build the model in `folder`, and return all valid contents of `file`."""
        self.build(folder)
        return ((folder / self.file).read_bytes(), *self.others(folder.parent))

    def put(self, folder: Path, data: bytes) -> None:
        """Write mutated bytes into the model in `folder`."""
        if self.place:
            self.place(folder, data)
        else:
            (folder / self.file).write_bytes(data)

    def decide(self, folder: Path) -> str:
        """Read only the mutated file.

        Returns:
            One word for the result: the kind of the error or of the first problem, or `read`.
        """
        if self.alone is None:
            return _word(read_artifact(folder / self.file, SETTINGS.limits).problems)
        try:
            return _word(self.alone(folder))
        except ReadError as error:
            return str(ProblemKind(error.kind))

    def audit(self, folder: Path) -> str:
        """Audit the model without executing it, up to serialising its `audit.json`.

        Raises:
            Untyped: a rule raised an exception.
        """
        if not self.audited:
            return self.decide(folder)
        path = folder / (self.read or self.file)
        facts = pipeline.static_facts(path, SETTINGS)
        target = pipeline.AuditTarget(path, folder, self.file, "x")
        audit = pipeline.finish_audit(facts, target, CREATED, {})
        schema.loads(schema.dumps(audit))
        for result in audit.results:
            if result.outcome is Outcome.ERROR:
                raise Untyped(f"{result.code}: {result.reason}")
        return _word(facts.artifact.problems)


def _word(problems: Iterable[Problem]) -> str:
    return next((str(ProblemKind(problem.kind)) for problem in problems), "read")


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


def _archive(folder: Path) -> None:
    _file("m.keras", lambda path: seeds.archives(path.parent)[0])(folder)


def _configs(_: Path) -> tuple[bytes, ...]:
    return seeds.configs()


def _codes(_: Path) -> tuple[bytes, ...]:
    return seeds.lambda_code()


def _messages(_: Path) -> tuple[bytes, ...]:
    return seeds.graph_messages()


def _frozen(_: Path) -> bytes:
    return seeds.frozen_graph()


def _place_shard(folder: Path, data: bytes) -> None:
    (folder / SHARD).write_bytes(data)
    seeds.with_right_checksums(folder / "variables" / "variables")


def _packed(folder: Path) -> None:
    _file(readers.ARCHIVE, lambda path: seeds.packed_models(path.parent)[0])(folder)


def _lite(folder: Path) -> None:
    _file("m.tflite", lambda _: seeds.lite_models()[0])(folder)


def _more_lite(_: Path) -> tuple[bytes, ...]:
    return seeds.lite_models()[1:]


def _npz(folder: Path) -> None:
    _file("m.npz", lambda path: seeds.arrays(path.parent)[0])(folder)


def _signed(
    name: str, documents: tuple[bytes, ...], alone: Callable[[Path], Iterable[Problem]]
) -> Target:
    return Target(
        name,
        signatures.DOCUMENT,
        "json",
        signatures.signed(documents[0]),
        alone=alone,
        others=lambda _: documents[1:],
        place=signatures.place,
        audited=False,
    )


TARGETS = (
    Target("h5", "m.h5", "hdf5", _file("m.h5", seeds.full_h5), others=_more_h5, share=0.5),
    Target("weights-h5", "m.h5", "hdf5", _file("m.h5", seeds.v3_weights), share=0.5),
    Target("keras-zip", "m.keras", "archive", _archive, others=seeds.archives, share=0.6),
    Target("npz", "m.npz", "archive", _npz, others=seeds.arrays),
    Target(
        "archive",
        readers.ARCHIVE,
        "tar",
        _packed,
        alone=readers.packed,
        others=seeds.packed_models,
        audited=False,
    ),
    Target(
        "orbax", "pytree/_METADATA", "json", seeds.orbax, ".", readers.orbax, valid="unsupported"
    ),
    Target("config-json", "config.json", "json", seeds.unpacked, ".", readers.config, _configs),
    Target(
        "lambda-bytecode",
        "code",
        "raw",
        _code_model,
        "model",
        readers.bytecode,
        _codes,
        _place_code,
    ),
    Target(
        "saved-model-pb",
        "saved_model.pb",
        "wire",
        seeds.saved_model,
        ".",
        readers.graphs,
        _messages,
    ),
    Target(
        "saved-model-pbtxt",
        "saved_model.pbtxt",
        "text",
        seeds.text_saved_model,
        ".",
        readers.graphs,
    ),
    Target(
        "keras-metadata-pb", "keras_metadata.pb", "wire", seeds.saved_model, ".", readers.metadata
    ),
    Target("fingerprint-pb", "fingerprint.pb", "wire", seeds.saved_model, ".", readers.fingerprint),
    Target(
        "variables-index",
        "variables/variables.index",
        "table",
        seeds.saved_model,
        ".",
        readers.index,
    ),
    Target(
        "variables-data",
        SHARD,
        "raw",
        seeds.saved_model,
        ".",
        readers.variables,
        place=_place_shard,
    ),
    Target("checkpoint-index", "m.index", "table", seeds.checkpoint, "m", readers.index),
    Target("checkpoint-meta", "m.meta", "wire", seeds.checkpoint, "m", readers.meta),
    Target("checkpoint-state", "checkpoint", "text", seeds.checkpoint, "m", readers.state),
    Target(
        "object-graph",
        "objects",
        "wire",
        _object_model,
        "m",
        readers.variables,
        place=_place_objects,
    ),
    Target("frozen-graph", "m.pb", "wire", _file("m.pb", _frozen)),
    Target("tfjs-layers", "model.json", "json", seeds.tfjs_model("uint8")),
    Target("tfjs-graph", "model.json", "json", seeds.tfjs_model("graph")),
    Target("tflite", "m.tflite", "flatbuffer", _lite, others=_more_lite),
    _signed("signature", signatures.signatures(), signatures.signature),
    _signed("attestation", signatures.attestations(), signatures.attestation),
)

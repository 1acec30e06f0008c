"""The restore proof, on synthetic observations and on models of TensorFlow and Keras."""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from modelaudit.audit_types.loading import Status
from modelaudit.audit_types.restore import TensorChange
from modelaudit.facts import Artifact, Format, Tensor, TensorStats
from modelaudit.formats.reader import read_artifact
from modelaudit.probe.child import arrays
from modelaudit.probe.protocol import Observation, VariableDigest
from modelaudit.probe.run import local_probe
from modelaudit.restore.conversions import digest
from modelaudit.restore.proof import RestoreProof, prove
from modelaudit.rules import examples
from modelaudit.settings import ProbeSettings, Settings
from modelaudit.structs import replace

RNG = np.random.default_rng(9)
A, B = (RNG.normal(size=(5, 5)).astype("f4") for _ in range(2))
BIAS = RNG.normal(size=5).astype("f4")


class Held:
    """A `TensorSource` of an array."""

    def __init__(self, array: np.ndarray) -> None:
        self.values = array

    def array(self) -> np.ndarray:
        return self.values

    def chunks(self, max_bytes: int = 0) -> Iterator[np.ndarray]:
        yield self.values.reshape(-1)


def stored(role: str = "weight", **arrays: np.ndarray) -> Artifact:
    tensors = []
    for name, array in arrays.items():
        numbers = array.astype(float)
        stats = TensorStats(numbers.min(), numbers.max(), numbers.mean(), numbers.std(), 0, 0)
        tensor = Tensor(name, array.shape, array.dtype.name, array.nbytes, "", role)
        tensors.append(replace(tensor, sha256=digest(array), stats=stats, source=Held(array)))
    return Artifact(examples.ROOT, Format.KERAS_ARCHIVE, tensors=tuple(tensors))


def restored(artifact: Artifact, **arrays: np.ndarray) -> RestoreProof:
    held = tuple(
        VariableDigest(path, array.shape, array.dtype.name, digest(array))
        for path, array in arrays.items()
    )
    seen = Observation("here", "load_model", Status.LOADED, variables=held)
    proof = prove(artifact, seen, arrays.get)
    assert proof is not None
    return proof


def test_the_same_weights_are_proved() -> None:
    proof = restored(stored(a=A, b=B), a=A, b=B)
    assert proof.faithful
    assert (proof.compared, proof.identical) == (2, 2)


def test_changed_weights_are_named() -> None:
    proof = restored(stored(a=A, b=B), a=B, b=A)
    assert [str(each) for each in proof.differing] == ["a: swapped with b", "b: swapped with a"]
    (turned,) = restored(stored(a=A), a=np.ascontiguousarray(A.T)).differing
    assert turned.how == "transposed"
    (fresh,) = restored(stored(bias=BIAS), bias=np.zeros_like(BIAS)).differing
    assert fresh.change is TensorChange.INITIAL
    (scaled,) = restored(stored(a=A), a=A * np.float32(3)).differing
    assert (scaled.change, round(scaled.factor, 5)) == (TensorChange.SCALED, 3)


def test_weights_of_only_one_side_are_named() -> None:
    proof = restored(stored(a=A, bias=BIAS), a=A)
    assert (proof.missing, proof.unexpected, proof.faithful) == (("bias",), (), False)
    proof = restored(stored(a=A), a=A, extra=BIAS)
    assert (proof.missing, proof.unexpected, proof.faithful) == ((), ("extra",), False)


@pytest.mark.parametrize("dtype", ["string", "object"])
def test_a_string_without_a_stored_value_is_the_name_of_an_asset(dtype: str) -> None:
    """TensorFlow 1 assigns it when the model is loaded."""
    name = VariableDigest("filename_tensor", (), dtype, "0" * 64)
    held = VariableDigest("a", A.shape, "float32", digest(A))
    number = VariableDigest("extra", (3,), "float32", "1" * 64)
    for variables, faithful in (((held, name), True), ((held, number), False)):
        seen = Observation("here", "load_model", Status.LOADED, variables=variables)
        proof = prove(stored(a=A), seen)
        assert proof is not None
        assert proof.faithful is faithful


def test_a_weight_stored_twice_is_one_variable() -> None:
    assert restored(stored(a=A, again=A), a=A).faithful
    assert restored(stored(a=A), a=A, again=A).faithful


def test_a_lossless_cast_is_no_fault() -> None:
    half = A.astype("f2")
    proof = restored(stored(a=half), a=half.astype("f4"))
    assert proof.faithful
    assert [each.how for each in proof.cast] == ["cast-to-float32"]
    assert not restored(stored(a=A), a=A.astype("f2").astype("f4")).faithful


@pytest.mark.parametrize("found", [[b"ab", b"c"], [b"a", b"bc"], [b"ab", b"c\0"]])
def test_strings_are_compared_with_their_lengths(found: list[bytes]) -> None:
    raw = struct.pack("<Q", 2) + b"ab" + struct.pack("<Q", 1) + b"c"  # as the reader hashes them
    tensor = Tensor("names", (2,), "string", 20, "", "weight", hashlib.sha256(raw).hexdigest())
    artifact = Artifact(examples.ROOT, Format.SAVEDMODEL_TF2, tensors=(tensor,))
    seen = VariableDigest("names", (2,), "object", arrays.digest(np.array(found, object)))
    proof = prove(artifact, Observation("here", "session", Status.LOADED, variables=(seen,)))
    assert proof is not None
    assert proof.faithful == (found == [b"ab", b"c"])


def test_seeds_counters_and_optimizers_are_not_weights() -> None:
    model, slots = stored(a=A), stored("optimizer", m=B)
    artifact = replace(model, tensors=(*model.tensors, *slots.tensors))
    seed = np.array([1, 2], "u4")
    assert restored(artifact, a=A, m=BIAS, seed=seed, count=np.array(3)).faithful


def test_without_weights_to_compare_there_is_no_proof() -> None:
    failed = Observation("here", "load_model", Status.FAILED)
    assert prove(stored(a=A), failed) is None
    loaded = Observation("here", "load_model", Status.LOADED)
    assert prove(stored(a=A), loaded) is None


HEALTHY = (
    *("keras3_sequential.keras", "keras3_branches.keras", "keras3_nested.keras"),
    *("keras3_shared.keras", "keras3_sequential.h5", "keras3_nested.h5", "keras3_export"),
    *("keras2_sequential.h5", "keras2_nested.h5", "keras2_savedmodel", "module_savedmodel"),
    *("tf1_checkpoint/model.ckpt", "tf1_savedmodel"),
)


@pytest.mark.slow
def test_healthy_models_are_restored_faithfully(made: Path) -> None:
    settings = Settings(probe=ProbeSettings(samples=4, timeout=60))
    with local_probe(settings) as probe:
        for name in HEALTHY:
            artifact = read_artifact(made / name, settings.limits)
            proof = probe(artifact, settings).restore
            assert proof is not None, name
            assert proof.faithful, (name, proof)
            assert proof.identical == proof.compared > 1, name
            assert proof.cast == (), name

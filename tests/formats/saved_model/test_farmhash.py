"""FarmHash compared with TensorFlow's and with fingerprints written by TensorFlow."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelaudit.formats.graph.protos import saved_messages_pb2 as pb
from modelaudit.formats.saved_model.farmhash import fingerprint64
from modelaudit.formats.saved_model.fingerprint import read_fingerprint
from modelaudit.settings import Limits

LENGTHS = [*range(140), 191, 192, 193, 1000, 4097]
PROGRAM = """
import json, sys
import numpy as np, tensorflow as tf
rng = np.random.default_rng(8)
data = [rng.bytes(n) for n in json.loads(sys.argv[1])]
hashes = tf.fingerprint(tf.constant(data), method="farmhash64").numpy()
print(json.dumps([[d.hex(), bytes(h).hex()] for d, h in zip(data, hashes)]))
"""


def paths_below(model: Path) -> dict[str, Path]:
    return {p.relative_to(model).as_posix(): p for p in model.rglob("*") if p.is_file()}


@pytest.mark.slow
def test_every_length_hashes_as_in_tensorflow() -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, json.dumps(LENGTHS)],
        capture_output=True,
        text=True,
        check=True,
    )
    pairs = json.loads(done.stdout.splitlines()[-1])
    assert len(pairs) == len(LENGTHS)
    for data, expected in pairs:
        assert fingerprint64(bytes.fromhex(data)).to_bytes(8, "little").hex() == expected


@pytest.mark.slow
@pytest.mark.parametrize("name", ["keras3_export", "keras2_savedmodel", "module_savedmodel"])
def test_fingerprints_written_by_tensorflow_match_the_index(made: Path, name: str) -> None:
    facts, problems = read_fingerprint(paths_below(made / name), Limits())
    assert problems == []
    assert facts["index_hash"] == facts["checkpoint_hash"] != "0"


@given(st.binary(max_size=300), st.integers(0, 299), st.integers(1, 255))
def test_one_changed_byte_changes_the_hash(data: bytes, at: int, flip: int) -> None:
    if at < len(data):
        other = bytearray(data)
        other[at] ^= flip
        assert fingerprint64(data) != fingerprint64(bytes(other))


def test_hostile_and_absent_parts_are_facts(tmp_path: Path) -> None:
    assert read_fingerprint({}, Limits()) == ({}, [])
    (tmp_path / "fingerprint.pb").write_bytes(b"\xff\xff\xff")
    facts, (problem,) = read_fingerprint(paths_below(tmp_path), Limits())
    assert (facts, problem.file) == ({}, "fingerprint.pb")
    message = pb.FingerprintDef(checkpoint_hash=7)
    (tmp_path / "fingerprint.pb").write_bytes(message.SerializeToString())
    facts, problems = read_fingerprint(paths_below(tmp_path), Limits())
    assert (facts["checkpoint_hash"], facts["index_hash"], problems) == ("7", "", [])
    (tmp_path / "variables").mkdir()
    (tmp_path / "variables" / "variables.index").write_bytes(b"abc")
    facts, _ = read_fingerprint(paths_below(tmp_path), Limits())
    assert facts["index_hash"] == str(fingerprint64(b"abc"))

"""A header may claim any number of shards, each of which would be looked for."""

from __future__ import annotations

from pathlib import Path

import pytest

from modelaudit.errors import LimitExceeded
from modelaudit.formats.checkpoint.index import read_tensor_bundle
from modelaudit.formats.graph.protos import saved_messages_pb2 as pb
from modelaudit.settings import Limits
from tests.formats.bundle_writer import table


@pytest.mark.parametrize("count", [2, 60_000])
def test_a_few_bytes_do_not_claim_many_shards(count: int, tmp_path: Path) -> None:
    header = pb.BundleHeaderProto(num_shards=count).SerializeToString()
    (tmp_path / "m.index").write_bytes(table([(b"", header)]))
    if count > 10_000:
        with pytest.raises(LimitExceeded, match="shards"):
            read_tensor_bundle(tmp_path / "m", tmp_path, Limits())
    else:
        assert read_tensor_bundle(tmp_path / "m", tmp_path, Limits()).shards == count

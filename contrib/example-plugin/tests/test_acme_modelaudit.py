"""The rule on its examples, the reader on whole and damaged files, and the report."""

from __future__ import annotations

import struct

import acme_modelaudit as acme
import numpy as np
import pytest

from modelaudit.errors import LimitExceeded, ReadError
from modelaudit.plugins import Job, run_rule
from modelaudit.settings import Limits


def vector(name: str, values: np.ndarray) -> bytes:
    head = struct.pack("<HI", len(name.encode()), len(values))
    return head + name.encode() + values.astype("<f4").tobytes()


@pytest.mark.parametrize("rule", acme.RULES, ids=lambda rule: rule.code)
def test_every_rule_fails_on_its_bad_example_and_passes_on_its_good_one(rule):
    assert run_rule(rule, rule.bad()).outcome.value == "fail"
    assert run_rule(rule, rule.good()).outcome.value == "pass"


def test_the_limit_itself_is_allowed():
    (rule,) = acme.RULES
    assert acme.parameters(acme.example(2_236).artifact) <= acme.MOST_PARAMETERS
    assert run_rule(rule, acme.example(2_236)).outcome.value == "pass"
    assert run_rule(rule, acme.example(2_237)).outcome.value == "fail"


def test_the_report_has_a_line_for_each_model():
    assert acme.CSV.load()(Job([], {})) == b"model,verdict,findings\r\n"


def test_every_vector_of_a_file_is_read(tmp_path):
    file = tmp_path / "a.acme"
    file.write_bytes(acme.MAGIC + vector("größe", np.arange(3)) + vector("b", np.zeros(0)))
    found = acme.WEIGHTS.read(file, Limits())
    assert [(each.name, each.shape) for each in found.tensors] == [("größe", (3,)), ("b", (0,))]


def test_a_damaged_file_is_an_error_at_every_length(tmp_path):
    file, whole = tmp_path / "a.acme", acme.MAGIC + vector("a", np.arange(3))
    for length in range(len(acme.MAGIC) + 1, len(whole)):
        file.write_bytes(whole[:length])
        with pytest.raises(ReadError, match=r"a\.acme: ends within a vector"):
            acme.WEIGHTS.read(file, Limits())
    file.write_bytes(acme.MAGIC + vector("a", np.zeros(0)) * 3)
    with pytest.raises(LimitExceeded):
        acme.WEIGHTS.read(file, Limits(tensors=2))

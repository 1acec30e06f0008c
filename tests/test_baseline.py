"""Baseline files, and which findings they cover."""

from __future__ import annotations

import numpy as np
import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from modelaudit import baseline
from modelaudit.audit_types.weights import TensorRow, WeightsSection
from modelaudit.cli import cli
from modelaudit.errors import SchemaError
from modelaudit.findings import Outcome, Severity
from modelaudit.rules.catalogue import rule
from modelaudit.rules.engine import run_rule
from modelaudit.rules.policies import apply_baseline
from modelaudit.schema import weights_digest
from modelaudit.settings.known_models import Baseline, KnownModel
from modelaudit.structs import replace

HEAD = '{"kind": "modelaudit-baseline", "version": 1'


def invoke(*words):
    return CliRunner().invoke(cli, [str(word) for word in words])


def test_a_finding_that_became_worse_is_not_covered():
    low = rule("MA102")
    result = run_rule(low, low.bad())
    finding = result.findings[0]
    rank = finding.severity.rank
    for severity in Severity:
        known = KnownModel("a", "", "", frozenset({(finding.fingerprint, severity)}))
        (after,) = apply_baseline([result], known, "2026-01-02T03:04:05Z")
        covered = after.findings[0].waived_by is not None
        assert covered == (severity.rank >= rank)
        assert (after.outcome is Outcome.WAIVED) == (covered and len(after.findings) == 1)
    waived = replace(result, findings=(replace(finding, waived_by="a person"),))
    known = KnownModel("a", "", "", frozenset({(finding.fingerprint, Severity.CRITICAL)}))
    (after,) = apply_baseline([waived], known, "2026")
    assert after.findings[0].waived_by == "a person"


@given(
    st.builds(
        Baseline,
        st.text(),
        st.lists(
            st.builds(
                KnownModel,
                st.text(),
                st.text(),
                st.text(),
                st.frozensets(st.tuples(st.text(), st.sampled_from(Severity))),
            )
        ).map(tuple),
    )
)
def test_a_baseline_round_trips(tmp_path_factory, known):
    path = tmp_path_factory.mktemp("known") / "known.json"
    path.write_text(baseline.dumps(known), encoding="utf-8")
    assert baseline.load(path) == known


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "not valid JSON"),
        ("[" * 99999, "not valid JSON"),
        ("[]", "JSON, but not a baseline"),
        ('{"models": []}', "JSON, but not a baseline"),
        ('{"kind": "modelaudit-baseline", "version": 2}', "baseline version 2 is not supported"),
        (HEAD + "}", "incomplete baseline: 'created' is missing"),
        (
            HEAD + ', "created": "", "models": [{"path": "a"}]}',
            "incomplete baseline: 'sha256' is missing",
        ),
        (HEAD + ', "created": "", "models": 3}', "invalid baseline"),
    ],
)
def test_another_file_is_rejected_with_a_message(tmp_path, text, says):
    path = tmp_path / "known.json"
    path.write_text(text)
    with pytest.raises(SchemaError, match=says):
        baseline.load(path)
    done = invoke("scan", tmp_path, "--baseline", path)
    assert isinstance(done.exception, SchemaError)


def test_the_weights_digest_is_of_all_weights_in_any_order():
    rng = np.random.default_rng(0)
    digests = [rng.bytes(32).hex() for _ in range(3)]

    def section(names):
        return WeightsSection(tensors=tuple(weight(digest) for digest in names))

    def weight(digest, shape=(3,), dtype="float32"):
        return TensorRow(name="w", shape=shape, dtype=dtype, role="weight", sha256=digest)

    assert weights_digest(section(digests)) == weights_digest(section(digests[::-1])) != ""
    assert weights_digest(section(digests[:2])) != weights_digest(section(digests))
    assert weights_digest(section([*digests, None])) == ""
    seeds = weight("0", (2,), "int64")
    with_seeds = WeightsSection(tensors=(*section(digests).tensors, seeds))
    assert weights_digest(with_seeds) == weights_digest(section(digests))
    assert weights_digest(section([])) == weights_digest(WeightsSection()) == ""

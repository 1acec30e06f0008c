"""Rules whose input could not be read do not pass."""

from __future__ import annotations

import pytest

from modelaudit.facts import Document, Format, Graph, Problem, ProblemKind
from modelaudit.findings import Outcome
from modelaudit.rules.catalogue import rule
from modelaudit.rules.engine import run_rule
from modelaudit.rules.examples import layer, model
from modelaudit.rules.model import Facts
from modelaudit.structs import replace

UNREAD, BROKEN = ProblemKind.UNREADABLE, ProblemKind.CORRUPT
ROOT = "example.keras"

PICKLES, CONFIG, GRAPH, FINITE, EMPTY = "MA735", "MA711", "MA740", "MA111", "MA105"
KERAS1 = "MA202"


def outcome(code: str, *problems: Problem) -> Outcome:
    artifact = replace(
        model(layer(), problems=problems),
        documents=(Document("config.json", "", {}),),
        graphs=(Graph((), ()),),
        format=Format.SAVEDMODEL_TF2,
    )
    result = run_rule(rule(code), Facts(artifact))
    assert (result.outcome is Outcome.NOT_APPLICABLE) is result.reason.startswith("not determined")
    return result.outcome


@pytest.mark.parametrize(
    ("problem", "undetermined"),
    [
        (Problem(BROKEN, f"{ROOT}:model.weights.npz", "is neither"), {PICKLES, FINITE}),
        (Problem(UNREAD, f"{ROOT}:model.weights.h5", "no permission"), {PICKLES, FINITE, EMPTY}),
        (Problem(ProblemKind.TRUNCATED, ROOT, "is short"), {PICKLES, FINITE}),
        (Problem(ProblemKind.MISSING_SHARD, "v.data-00000-of-00001", "gone"), {PICKLES, FINITE}),
        (Problem(ProblemKind.TENSOR_UNREADABLE, ROOT, "no", "a/b"), {PICKLES, FINITE}),
        (
            Problem(ProblemKind.LIMIT_EXCEEDED, f"{ROOT}:config.json", "large"),
            {PICKLES, CONFIG, KERAS1, EMPTY},
        ),
        (
            Problem(ProblemKind.CONFIG_INVALID, ROOT, "no JSON", "model_config"),
            {PICKLES, CONFIG, KERAS1},
        ),
        (Problem(BROKEN, "saved_model.pb", "cut"), {PICKLES, GRAPH}),
        (Problem(BROKEN, "keras_metadata.pb", "cut"), {PICKLES, CONFIG, KERAS1}),
        (Problem(UNREAD, "assets/words.txt", "no permission"), {PICKLES, EMPTY}),
        (Problem(ProblemKind.LEFTOVER, "variables/old.data-00000-of-00001", "old"), set()),
        (Problem(ProblemKind.OTHER, ROOT, "a remark"), set()),
    ],
)
def test_only_rules_on_what_was_not_read_are_undetermined(
    problem: Problem, undetermined: set[str]
) -> None:
    codes = (PICKLES, CONFIG, GRAPH, FINITE, EMPTY, KERAS1)
    found = {code for code in codes if outcome(code, problem) is Outcome.NOT_APPLICABLE}
    assert found == undetermined
    assert all(outcome(code) is Outcome.PASS for code in codes)

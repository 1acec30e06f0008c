"""Measured numbers in a report: what they count, and what they do not show."""

from __future__ import annotations

import pytest
import report_samples as samples
from sample_audits import changed, json_of

from modelaudit.report import report
from modelaudit.report.sections import behaviour, key_numbers, unchecked, weights


def labels(audit):
    return {number.label: number for number in key_numbers.build(audit)}


def chapter(section):
    """The text of a chapter, and its tables by caption."""
    said = [
        "".join(span.text for span in paragraph.spans)
        for block in section.blocks
        if block.block == "prose"
        for paragraph in block.paragraphs
    ]
    tables = {block.caption: block for block in section.blocks if block.block == "table"}
    return " ".join(said), tables


def with_behaviour(**changes):
    audit = samples.healthy()
    return changed(audit, behaviour={**json_of(audit)["behaviour"], **changes})


def test_unchanged_arrays_do_not_show_how_the_file_was_made():
    audit = samples.healthy()
    number = labels(audit)["weight arrays loaded unchanged"]
    assert number.value == "62 of 62"
    assert "does not show that the weights are right" in number.note
    (block,) = (b for b in weights.build(audit).blocks[:1])
    assert block.tone != "good"  # green beside a model that lost its weights before it was saved


def test_measured_accuracy_is_a_key_number():
    output = json_of(samples.healthy())["behaviour"]["outputs"][0]
    plain, labelled = (
        with_behaviour(outputs=[{**output, "accuracy": accuracy}])
        for accuracy in ({}, {"e": 0.984, "H": 0.5})
    )
    right = "accuracy on your labels"
    assert right not in labels(plain)
    number = labels(labelled)[right]
    assert (number.value, number.note) == ("98\N{NO-BREAK SPACE}%", "64 labelled inputs as given")
    last = ["".join(s.text for s in unchecked.lines(audit, 4)[-1]) for audit in (plain, labelled)]
    assert ["accuracy on your task" in line for line in last] == [True, False]
    assert all("not a guarantee" in line for line in last)


def test_random_predictions_are_not_a_flip_test():
    flipped = "keep their prediction when flipped"
    assert flipped in labels(with_behaviour(deterministic=True))
    assert flipped not in labels(with_behaviour(deterministic=False))
    told, _ = chapter(behaviour.build(with_behaviour(deterministic=False)))
    assert "cannot be separated from this noise" in told
    collapsed = json_of(samples.healthy())["behaviour"]["outputs"][0]
    collapsed = {**collapsed, "collapse": {**collapsed["collapse"], "collapsed": True}}
    assert flipped not in labels(with_behaviour(outputs=[collapsed]))


@pytest.mark.parametrize(
    ("rows", "value", "note"),
    [
        ([("here", "loads", "loaded")], "1 of 1", "see Compatibility"),
        (
            [("here", "loads", "loaded"), ("tf==2.9", "fails", "")],
            "1 of 1",
            "1 more predicted to fail; see Compatibility",
        ),
        # nothing is known where a limit ended it
        (
            [("here", "loads", "timeout"), ("legacy", "loads", "loaded")],
            "1 of 1",
            "1 more predicted to load it; see Compatibility",
        ),
        # one runtime loads the model in one of two ways, another in none
        (
            [
                ("here", "loads", "failed"),
                ("here", "loads", "loaded"),
                ("legacy", "loads", "failed"),
                ("tf==2.9", "fails", ""),
                ("tf==2.9", "loads", ""),
                ("tf==2.1", "unknown", ""),
            ],
            "1 of 2",
            "1 more predicted to load it; see Compatibility",
        ),
    ],
)
def test_loading_is_counted_by_runtime(rows, value, note):
    compatibility = tuple(
        {
            "runtime": runtime,
            "call": f"way {index}",
            "predicted": predicted,
            "because": [],
            "observed": {"status": status} if status else None,
        }
        for index, (runtime, predicted, status) in enumerate(rows)
    )
    audit = changed(samples.healthy(), compatibility=compatibility)
    (number,) = (n for n in key_numbers.build(audit) if "tested" in n.label)
    assert (number.value, number.note) == (value, note)


@pytest.mark.parametrize("status", ["refused", "timeout", "out-of-memory", "unavailable"])
def test_a_runtime_without_an_answer_is_not_counted(status):
    row = {"runtime": "here", "call": "load_weights", "predicted": "unknown", "because": []}
    audit = changed(samples.healthy(), compatibility=({**row, "observed": {"status": status}},))
    assert not [number for number in key_numbers.build(audit) if "tested" in number.label]


def kernels(*states, guessed=False):
    rows = [
        {
            "route": f"conv_{index}",
            "tensor": f"conv_{index}/kernel",
            "initializer": "GlorotUniform",
            "state": state,
            "reason": "",
            "weights": 99,
            "guessed": guessed,
        }
        for index, state in enumerate(states)
    ]
    return changed(samples.healthy(), symmetry={"initialization": rows})


def test_a_guessed_initializer_is_marked_as_guessed():
    told, tables = chapter(weights.build(kernels("trained", guessed=True)))
    assert "named in the file" not in told
    assert "names no initializer" in told
    (row,) = tables["Trained, or still at initial values?"].rows
    assert row[1].text == "closest: GlorotUniform"
    told, tables = chapter(weights.build(kernels("trained")))
    assert "named in the file" in told
    assert tables["Trained, or still at initial values?"].rows[0][1].text == "GlorotUniform"


@pytest.mark.parametrize(
    ("states", "said"),
    [
        (["trained"] * 2, "2 hold trained values."),
        (["trained", "fresh"], "1 holds trained values and 1 is still at its initial values."),
        (
            ["fresh"] * 2 + ["undecidable"],
            "2 are still at their initial values and 1 is inconclusive",
        ),
    ],
)
def test_counts_of_zero_kernels_are_omitted(states, said):
    told, _ = chapter(weights.build(kernels(*states)))
    assert said in told
    assert " 0 " not in told[told.index("tested") : told.index("tested") + 200]


def test_tensors_are_counted_by_role():
    def tensor(name, role, shape, dtype):
        return {"name": name, "role": role, "shape": shape, "dtype": dtype, "sha256": None}

    audit = changed(
        samples.healthy(),
        weights={
            "tensors": [
                tensor("_CHECKPOINTABLE_OBJECT_GRAPH", "other", [], "string"),
                tensor("_all_variables/0", "other", [3], "float32"),
                tensor("_all_variables/1", "other", [2], "int64"),
                tensor("variables/0", "weight", [2], "int64"),
                tensor("variables/1", "weight", [3], "float32"),
            ],
            "total": 3,
            "bytes": 12,
        },
    )
    told, _ = chapter(weights.build(audit))
    assert "The file holds 1 tensor of weights with 3 numbers" in told
    assert "The file stores 5 tensors in total" in told
    assert "2 that duplicate variables" in told
    assert "1 with random-generator state" in told


@pytest.mark.parametrize(
    ("key", "tried", "answer"),
    [
        ("recalibrate_batchnorm", {"before": 0.0045, "after": 0.764}, "partly at most"),
        ("recalibrate_batchnorm", {"before": 0.0032, "after": 3.1}, "yes"),
        ("recalibrate_batchnorm", {"before": 0.0032, "after": 0.0031}, "no"),
        ("centre_head_bias", {"before": 0.1, "after": 3.1, "responsible": False}, "no"),
        ("centre_head_bias", {"before": 0.1, "after": 0.2, "responsible": True}, "yes"),
    ],
)
def test_every_repair_states_whether_it_explains_the_outputs(key, tried, answer):
    output = {
        "name": "head",
        "kind": "softmax",
        "shape": [None, 10],
        "collapse": {"collapsed": True, "classes": 10},
        "transforms": [],
    }
    audit = with_behaviour(outputs=[output], interventions={key: {"output": "head", **tried}})
    _, tables = chapter(behaviour.build(audit))
    (row,) = tables["Repairs tried on a copy of the model, and their effect"].rows
    assert row[-1].text.startswith(answer)
    assert "_" not in row[0].text


def test_agreement_by_class_is_a_share_with_its_interval_and_a_p_value_for_all_classes():
    row = {"transform": "H", "class": 10, "n": 125, "agreement": 0.032}
    row |= {"agreement_ci": [0.0125, 0.0794], "nfv": 3.08, "p": 0.00542, "p_holm": 0.0108}
    output = {**json_of(samples.healthy())["behaviour"]["outputs"][0], "per_class": [row]}
    _, tables = chapter(behaviour.build(with_behaviour(outputs=[output])))
    (table,) = (table for caption, table in tables.items() if "by class" in caption)
    shown = dict(zip(table.columns, (cell.text for cell in table.rows[0]), strict=True))
    assert shown["Agreement"] == "3\N{NO-BREAK SPACE}% (1–8)"
    assert (shown["Class"], shown["Inputs"], shown["p-value"]) == ("10", "125", "0.011")


def test_unreadable_models_have_no_number_of_parameters():
    bare = changed(
        samples.healthy(), architecture={}, behaviour={}, restore={}, weights={"total": 0}
    )
    assert "parameters" in labels(bare)
    assert "parameters" not in labels(
        changed(bare, model={**json_of(bare)["model"], "complete": False})
    )


def test_the_first_page_has_the_full_path_and_the_versions_used():
    audit = samples.healthy()
    path = "/".join(["a-directory"] * 40) + "/model.keras"
    audit = changed(audit, model={**json_of(audit)["model"], "path": path})
    said = {term: cell.text for term, cell in report.build(audit, samples.RULES).verdict.identity}
    assert said["Model"] == path
    assert "TensorFlow 2.21.0 and Keras 3.15.1" in said["Was the model run?"]


@pytest.mark.parametrize(
    ("kind", "shape", "guessed", "said"),
    [
        ("logits", [None, 5], False, "class scores (logits)"),
        ("logits", [None, 5], True, "scores of classes or numbers"),
        ("spatial", [None, 8, 8, 2], False, "a spatial map"),
        ("spatial", [None, 10, 1], False, "a number or a vector at each position"),
    ],
)
def test_an_output_is_called_only_what_is_known_of_it(kind, shape, guessed, said):
    output = json_of(samples.healthy())["behaviour"]["outputs"][0]
    output |= {"kind": kind, "shape": shape, "guessed": guessed}
    text, _ = chapter(behaviour.build(with_behaviour(outputs=[output])))
    assert f": {said}" in text

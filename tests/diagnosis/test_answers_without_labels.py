"""Without labels, an answer does not claim that images are recognised."""

from __future__ import annotations

import pytest

from tests.diagnosis.cases import behaviour, diagnosed, form, labelled, quiet, regression

LABELLED = labelled(behaviour(quiet(accuracy={"e": 0.2, "H": 0.9})))
TARGETS = labelled(behaviour(regression(fit={"e": -0.5, "H": 0.9})))


@pytest.mark.parametrize(
    ("seen", "said", "learned"),
    [
        (LABELLED, "90% of the predictions are then correct, 20% as given", "recognise the images"),
        (TARGETS, "the R2 on your targets is then 0.90, -0.50 as given", "recognise the images"),
        (
            behaviour(quiet(gains=form("H"))),
            "better, as far as can be told without",
            "another form",
        ),
    ],
)
def test_only_labels_show_that_images_are_recognised(seen, said, learned):
    found = diagnosed(seen)
    assert found.causes[0].cause == "orientation-mismatch"
    assert said in found.answer
    assert learned in found.suspects[0].text

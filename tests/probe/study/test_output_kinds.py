"""What an output is taken for, where only its form tells."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from modelaudit.facts import Kernel, Signature
from modelaudit.graphs import Endpoint
from modelaudit.probe.study.output import kind_of
from modelaudit.rules import examples
from modelaudit.structs import replace

VALUES = np.random.default_rng(0).random((32, 6))


@pytest.mark.parametrize(
    ("width", "hidden", "labels", "kind"),
    [
        (6, (4,), None, "regression"),  # autoencoders
        (6, (5, 2, 5), None, "regression"),
        (9, (4,), None, "sigmoid"),
        (6, (12,), None, "sigmoid"),  # as many labels as features
        (6, (12, 4), None, "sigmoid"),
        (6, (), None, "sigmoid"),
        (6, (4,), (VALUES > 0.5).astype(int), "sigmoid"),  # labels tell that these are classes
    ],
)
def test_outputs_like_the_inputs_are_no_classes(width, hidden, labels, kind) -> None:
    signature = Signature(
        "serving_default", "", (Endpoint("x", "x:0", "float32", (None, width)),), ()
    )
    widths = [width, *hidden, 6]
    kernels = tuple(
        Kernel(f"d{i}", f"d{i}/kernel", "dense", "io", 0, (a, b), activation="sigmoid")
        for i, (a, b) in enumerate(itertools.pairwise(widths))
    )
    artifact = replace(
        examples.model(), architecture=None, signatures=(signature,), kernels=kernels
    )
    assert kind_of(VALUES, artifact, labels).name == kind

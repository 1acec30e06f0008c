"""What an output is taken for, where only its form tells."""

from __future__ import annotations

import numpy as np
import pytest

from modelaudit.facts import Kernel, Signature
from modelaudit.graphs import Endpoint
from modelaudit.probe.study.output import kind_of
from modelaudit.rules import examples
from modelaudit.structs import replace

VALUES = np.random.default_rng(0).random((32, 6))


@pytest.mark.parametrize(
    ("width", "labels", "kind"),
    [
        (6, None, "regression"),  # an autoencoder
        (9, None, "sigmoid"),
        (6, (VALUES > 0.5).astype(int), "sigmoid"),  # labels tell that these are classes
    ],
)
def test_outputs_like_the_inputs_are_no_classes(width, labels, kind) -> None:
    signature = Signature(
        "serving_default", "", (Endpoint("x", "x:0", "float32", (None, width)),), ()
    )
    kernel = Kernel("head", "head/kernel", "dense", "io", 0, (4, 6), activation="sigmoid")
    artifact = replace(
        examples.model(), architecture=None, signatures=(signature,), kernels=(kernel,)
    )
    assert kind_of(VALUES, artifact, labels).name == kind

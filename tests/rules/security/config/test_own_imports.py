"""Code of a layer that imports the libraries that it computes with."""

from __future__ import annotations

import base64
import marshal
from itertools import chain

import pytest

from modelaudit.rules.catalogue import rule
from modelaudit.rules.engine import run_rule
from modelaudit.rules.security.config.examples import example, lambda_layer

TYPES = "isinstance(x, (np.ndarray, np.generic))"


@pytest.mark.parametrize(
    ("imports", "returned", "code", "severity"),
    [
        # As converters from ONNX write it.
        ("import tensorflow as tf; print(x)", "tf.add(x, 2.0)", "MA717", "medium"),
        (
            "import numpy as np, tensorflow as tf",
            f"tf.constant(np.array(x) if {TYPES} else x)",
            *("MA717", "medium"),
        ),
        ("from tensorflow import keras", "keras.backend.mean(x)", "MA717", "medium"),
        ("import tensorflow as tf", "tf.io.write_file('a', x)", "MA702", "critical"),
        ("import tensorflow as tf", "tf.raw_ops.WriteFile(filename='a', contents=x)", "MA702", ""),
        ("import os, tensorflow as tf", "tf.add(x, 1)", "MA702", "critical"),
        ("from payload import mean; import math", "mean(x)", "MA717", "high"),
        ("import io, math", "io.mean(x)", "MA717", "high"),
        ("import tensorflow.python as tf", "tf.add(x, 1)", "MA717", "high"),
        ("import numpy as np", "np.do_it(x)", "MA717", "high"),
        # It writes to a file, whose name the code can make of numbers.
        ("import tensorflow as tf; tf.print(x, output_stream=x)", "tf.add(x, 1)", "MA717", "high"),
        ("from tensorflow import print; print(x, output_stream=x)", "x", "MA717", "high"),
        ("from tensorflow import print as add; add(x, output_stream=x)", "x", "MA717", "high"),
        ("import tensorflow.print as add; add(x, output_stream=x)", "x", "MA717", "high"),
    ],
)
def test_imports_of_what_code_computes_with_are_no_high_finding(
    imports: str, returned: str, code: str, severity: str
) -> None:
    made = compile(f"def layer(x):\n  {imports}\n  return {returned}", "<layer>", "exec")
    function = next(each for each in made.co_consts if hasattr(each, "co_code"))
    text = base64.b64encode(marshal.dumps(function)).decode()
    facts = example(lambda_layer(text))()
    results = [run_rule(rule(name), facts).findings for name in ("MA701", "MA702", "MA717")]
    found = [(each.code, each.severity.value) for each in chain(*results)]
    assert found == [(code, severity or "critical")]

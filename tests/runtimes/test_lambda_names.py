"""Which names the code of a Lambda looks up, and which Python wrote it; tf-keras is the oracle."""

from __future__ import annotations

import base64
import importlib
import marshal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from modelaudit.formats.bytecode.instructions import versions_between
from modelaudit.pipeline import static_facts
from modelaudit.rules.catalogue import rule
from modelaudit.rules.engine import run_rule
from modelaudit.runtimes.catalogue import find_profile
from modelaudit.runtimes.checks.lambda_code import check
from modelaudit.runtimes.model import CheckContext, LoadCall, LoadRequest
from modelaudit.settings import Settings

SIZE = 4


def imports(x: Any) -> Any:
    import tensorflow as tf

    return tf.abs(x)


def checked(x: Any) -> Any:
    assert x.shape[-1] == SIZE or lost  # noqa: F821
    return x


def branched(x: Any) -> Any:
    return x if x.shape.rank == 2 else lost(x)  # noqa: F821


CODES: dict[str, Callable[[Any], Any]] = {
    "attribute": lambda x: x[:, : x.shape[1] // 2],
    "import": imports,
    "branch": branched,
    "assert": checked,
    "argument": lambda x: tf.reshape(x, (-1, SIZE)),  # noqa: F821
    "nested": lambda x: tf.map_fn(lambda row: row * SIZE, x),  # noqa: F821
    "builtin": lambda x: sum([x, x]) / len([1, 2]),
}


@pytest.mark.slow
@pytest.mark.parametrize("case", CODES)
def test_names_that_the_loader_does_not_define(tmp_path: Path, case: str) -> None:
    keras, tf = (importlib.import_module(name) for name in ("tf_keras", "tensorflow"))
    start = keras.Input((SIZE,))
    given = {"tf": tf, "SIZE": SIZE, "lost": abs}
    function = type(imports)(CODES[case].__code__, given, "code")
    keras.Model(start, keras.layers.Lambda(function)(start)).save(str(tmp_path / "m.h5"))
    facts = static_facts(tmp_path / "m.h5", Settings())
    (found,) = (each for each in facts.predictions if each.runtime.startswith("tf-keras"))
    reasons = {each.code for each in found.because}
    for each in run_rule(rule("MA701"), facts).findings:
        assert "`safe_mode=False`, tf-keras does not" in each.fix
    try:
        keras.models.load_model(tmp_path / "m.h5")
    except NameError:
        assert "lambda-of-global" in reasons
    else:
        assert not {"lambda-of-global", "lambda-may-crash"} & reasons


@pytest.mark.skipif(sys.version_info[:2] < (3, 11), reason="older versions share instructions")
def test_the_python_of_a_profile_is_not_the_one_that_wrote_each_file() -> None:
    """Code of Python 3.11 can be in a file of a Keras whose profile is of 3.12, and the reverse."""
    here = sys.version_info[:2]
    made = compile("lambda x: tf.sqrt(x)", "<lambda>", "eval").co_consts[0]
    config = {"function": [base64.b64encode(marshal.dumps(made)).decode(), None, None]}
    for writer in ("tf==2.15", "tf==2.16"):
        for reader in ("tf-keras==2.15", "tf-keras==2.16"):
            context = CheckContext(
                *(find_profile(reader), LoadRequest(LoadCall.LOAD_MODEL), find_profile(writer))
            )
            told = [e.code for e in check("Lambda", config, context, "lambda", archive=False)]
            there = context.profile.python
            assert there in versions_between((3, 11), (3, 12))
            assert ("lambda-may-crash" in told) is (there != here), (writer, reader)

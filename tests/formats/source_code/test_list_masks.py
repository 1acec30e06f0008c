"""Where a `call` takes its mask for one tensor: what a list of None does there."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.formats.source_code.test_running import running

IMPORTS = "import tensorflow as tf\nfrom tensorflow.keras import backend as K"
# What a method does, and whether it fails with a list of masks.
STATEMENTS = {
    "if mask is not None: x = x * tf.cast(mask, x.dtype)": True,
    "if mask is not None: mask = K.expand_dims(mask, -1)": True,
    "if mask: x = x * mask": True,
    "if mask is not None: n = len(mask.shape)": True,
    "if x.shape[-1] > 9: raise ValueError('no')\nif mask is not None: n = mask.dtype": True,
    "if mask is None: return x\nn = mask.shape": True,
    "if mask is not None: mask = mask[0]": False,
    "if isinstance(mask, list): mask = mask[0]\nif mask is not None: n = mask.shape": False,
    "if mask is not None and not isinstance(mask, list): n = mask.shape": False,
    "if isinstance(mask, list): return x\nif mask is not None: n = mask.shape": False,
    "if mask is not None: n = None if isinstance(mask, list) else mask.shape": False,
    "x = x * 2": False,
}


@pytest.mark.parametrize(("statements", "fails"), STATEMENTS.items())
def test_what_is_found(tmp_path: Path, statements: str, fails: bool) -> None:
    body = "\n".join(
        ["def call(self, x, mask=None):", *(f"    {x}" for x in statements.splitlines())]
    )
    assert bool(running(tmp_path, f"{body}\n    return x", IMPORTS).mask) is fails


@pytest.mark.slow
@pytest.mark.parametrize(("statements", "fails"), STATEMENTS.items())
def test_what_a_list_does(statements: str, fails: bool) -> None:
    tf = pytest.importorskip("tensorflow")
    names = {"tf": tf, "K": pytest.importorskip("tf_keras").backend}
    lines = "".join(f"    {line}\n" for line in statements.splitlines())
    exec(f"def call(x, mask=None):\n{lines}    return x", names)
    names["call"](tf.zeros((2, 4)))
    if fails:
        with pytest.raises((AttributeError, TypeError, ValueError)):
            names["call"](tf.zeros((2, 4)), [None, None])
    else:
        names["call"](tf.zeros((2, 4)), [None, None])

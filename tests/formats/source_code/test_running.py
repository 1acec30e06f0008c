"""What runs of a class, and when."""

from __future__ import annotations

from pathlib import Path

from modelaudit.formats.source_code.reading import read_source_code
from modelaudit.formats.source_code.statements import (
    Given,
    InnerCall,
    PassedValue,
    RunningCode,
    Use,
)

ALWAYS, CALLED = Use(), Use(called=True)
SOMETIMES = Use(always=False, called=True)


def running(folder: Path, body: str, imports: str = "import keras") -> RunningCode:
    lines = "".join(f"    {line}\n" for line in body.strip("\n").splitlines())
    (folder / "own.py").write_text(f"{imports}\nclass Own(keras.layers.Layer):\n{lines}")
    found = read_source_code([str(folder / "own.py")])
    assert not found.problems
    own = found.find("Own")
    assert own is not None
    return own.running


def test_conditions(tmp_path: Path) -> None:
    body = """
def __init__(self):
    super().__init__()
    self.kept = self.early
def call(self, x):
    x = self.first(x)
    if self.tested:
        return self.inside(x)
    x = self.after(x) if x is None else x
    try:
        return self.tried(x)
    except AttributeError:
        return self.instead(x)
def train_step(self, data):
    return self.never(data)
"""
    assert running(tmp_path, body).reads == {
        "early": ALWAYS,
        "first": CALLED,
        "tested": CALLED,
        "inside": SOMETIMES,
        "after": SOMETIMES,
        "instead": SOMETIMES,
    }


def test_methods_that_others_call(tmp_path: Path) -> None:
    body = """
def build(self, shape):
    self.make()
def make(self):
    self.scale = self.size
def call(self, x):
    return self.shifted(x) * self.size
def shifted(self, x):
    return x + getattr(self, "asked", self.asked)
"""
    assert running(tmp_path, body).reads == {"size": ALWAYS}


def test_values_by_position(tmp_path: Path) -> None:
    body = """
def call(self, x, training=None, flag=None):
    x = self.norm(x, training)
    for i, block in enumerate(self.blocks):
        x = block(x, i, 2)
    for one, other in zip(self.ones, self.others):
        x = one(x) + other(x, True)
    x = self.heads[0](x, None, flag, training=training)
    return self.helper(x, -1)
def helper(self, x, axis):
    training = True
    return self.last(x, training)
"""
    found = running(tmp_path, body).passed
    assert {*found} == {
        PassedValue("norm", "training", later=True, use=CALLED),
        PassedValue("blocks", "2", use=CALLED),
        PassedValue("others", "True", use=CALLED),
        PassedValue("helper", "-1", use=CALLED),
    }


def test_whose_functions(tmp_path: Path) -> None:
    body = """
def call(self, x):
    return K.dot(x, tf.keras.backend.ones((2, 2)))
"""
    imports = "import tensorflow as tf\nimport keras\nfrom keras import backend as K"
    used = running(tmp_path, body, imports).keras
    assert {"keras.backend.dot", "tensorflow.keras.backend.ones"} <= used.keys()
    unknown = "import sys\nkeras = sys.modules['main'].keras\nK = keras.backend"
    found = running(tmp_path, "def call(self, x):\n    return K.dot(x, x)\n", unknown).keras
    assert "tensorflow.keras.backend.dot" in found


def test_calls_of_what_a_class_keeps(tmp_path: Path) -> None:
    body = """
def call(self, x, training=None, mask=None):
    for part in self.parts:
        x = part(x, training=training)
    return self.end(*x) + self.lists[0](x, mask, None, training)
"""
    assert {*running(tmp_path, body).calls} == {
        InnerCall("parts", (Given.OTHER,), frozenset(("training",)), use=CALLED),
        InnerCall("end", (Given.OTHER,), all_told=False, use=CALLED),
        InnerCall("lists", (Given.OTHER, Given.MASK, Given.NONE, Given.VALUE), use=CALLED),
    }

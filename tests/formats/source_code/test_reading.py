"""Classes read from their source, against what Python itself says of them."""

from __future__ import annotations

import inspect
import os
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelaudit.formats.source_code import reading
from modelaudit.formats.source_code.classes import BaseCall, ClassCode, MadeLayer
from modelaudit.formats.source_code.reading import read_source_code

IMPORTS = """
import tensorflow as tf
from tensorflow import keras
from keras.layers import Dense as Affine
from keras import layers
"""
NAMES = st.sampled_from(["units", "rate", "axis", "name", "depth"])


def classes(folder: Path, text: str, name: str = "blocks.py") -> dict[str, ClassCode]:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    found = read_source_code([str(path)])
    assert not found.problems
    return {each: found.find(each) for each in found.classes}


@given(
    plain=st.lists(NAMES, unique=True, max_size=3),
    defaults=st.lists(st.sampled_from(["seed", "scale"]), unique=True),
    only=st.lists(st.sampled_from(["strides", "padding"]), unique=True),
    optional=st.lists(st.sampled_from(["trim", "mask"]), unique=True),
    keywords=st.booleans(),
    values=st.booleans(),
)
def test_parameters_are_those_of_inspect(
    tmp_path_factory, plain, defaults, only, optional, keywords, values
) -> None:
    words = ["self", *plain, *(f"{each}=1" for each in defaults)]
    words += ["*args"] if values else ["*"] * bool(only or optional)
    words += [*only, *(f"{each}=None" for each in optional), *["**kwargs"] * keywords]
    text = f"class Block:\n    def __init__({', '.join(words)}):\n        pass\n"
    space: dict[str, type] = {}
    exec(text, space)
    signature = [*inspect.signature(space["Block"].__init__).parameters.values()][1:]
    named = [each for each in signature if each.kind not in (each.VAR_KEYWORD, each.VAR_POSITIONAL)]
    found = classes(tmp_path_factory.mktemp("code"), text)["Block"].constructor
    assert found is not None
    assert found.names == tuple(each.name for each in named)
    assert set(found.required) == {each.name for each in named if each.default is each.empty}
    assert found.keywords is keywords


def test_bases_follow_imports_and_assignments(tmp_path: Path) -> None:
    found = classes(
        tmp_path,
        f"{IMPORTS}\nfrom abc import ABC\nL = keras.layers\nclass A(Affine): pass\n"
        "class B(L.Layer): pass\nclass C(tf.keras.Model): pass\nclass D(A): pass\n"
        "class E(layers.Layer): pass\nclass F(tf.keras.Model, ABC): pass\n",
    )
    code = read_source_code([str(tmp_path)])
    bases = {name: code.base(each) for name, each in found.items()}
    assert bases == {
        "A": "keras.layers.Dense",
        "B": "tensorflow.keras.layers.Layer",
        "C": "tensorflow.keras.Model",
        "D": "keras.layers.Dense",
        "E": "keras.layers.Layer",
        "F": "tensorflow.keras.Model",
    }
    assert [getattr(each, "name", each) for each in code.lineage(found["D"])] == [
        *("D", "A", "keras.layers.Dense")
    ]


@pytest.mark.parametrize(
    ("line", "call"),
    [
        ("super().__init__()", BaseCall()),
        ("super().__init__(**kwargs)", BaseCall(keywords=True)),
        ("super(Block, self).__init__(name='x')", BaseCall(frozenset({"name"}), name="'x'")),
        ("super().__init__(name=name)", BaseCall(frozenset({"name"}))),
        ("layers.Layer.__init__(self, dtype=None)", BaseCall(frozenset({"dtype"}))),
        ("super().__init__(3, **kwargs)", BaseCall(positional=1, keywords=True, passed=("",))),
        ("super().__init__(*args, **kwargs)", BaseCall(keywords=True)),
        ("super().__init__(**{'name': 'x'})", None),
        ("other.__init__(self)", None),
        ("pass", None),
    ],
)
def test_what_a_constructor_passes_to_its_base(tmp_path: Path, line: str, call) -> None:
    text = f"{IMPORTS}\nclass Block(layers.Layer):\n    def __init__(self, *args, **kwargs):\n"
    assert classes(tmp_path, f"{text}        {line}\n")["Block"].base_call == call


@pytest.mark.parametrize(
    ("body", "static"),
    [
        ("super().__init__(**kwargs)", True),
        ("self.a = kwargs.pop('a', 1); super().__init__(**kwargs)", True),
        ("kwargs.update(a=1); super().__init__(**kwargs)", False),
        ("kwargs['name'] = 'x'; super().__init__(**kwargs)", False),
    ],
)
def test_keywords_that_are_changed_are_open(tmp_path: Path, body: str, static: bool) -> None:
    text = f"class Block(object):\n    def __init__(self, **kwargs):\n        {body}\n"
    assert classes(tmp_path, text)["Block"].static is static


def test_attributes(tmp_path: Path) -> None:
    block = classes(
        tmp_path,
        f"""{IMPORTS}
@keras.saving.register_keras_serializable(package="lab")
class Block(layers.Layer):
    def __init__(self, inner, units=1, **kwargs):
        super().__init__(**kwargs)
        self.inner, self.n = inner, 0
        self.kept = units
        self.head = layers.Dense(units, use_bias=False)
        self.parts = [Affine(2) for _ in range(3)]
        self.more = []
        self.more.append(layers.Conv2D(1, 1))
        self.table = tf.Variable(tf.random.normal((2,)))

    def build(self, input_shape):
        for part in self.parts:
            part.build(input_shape.as_list())
        self.w = self.add_weight(name="w", shape=(1,))
        self.head.build(input_shape)

    def call(self, x):
        self.add_loss(0.0)
        return self.head(x)
""",
    )["Block"]
    assert block.registered == "lab>Block"
    assert block.where == "blocks.py:8"
    assert set(block.made) >= {
        MadeLayer("head", "keras.layers.Dense", "__init__", words=frozenset({"use_bias"})),
        MadeLayer("parts", "keras.layers.Dense", "__init__", listed=True),
        MadeLayer("more", "keras.layers.Conv2D", "__init__", listed=True),
    }
    assert block.built >= {"parts", "head"}
    assert "more" not in block.built
    assert (block.variables, block.drawn, block.weights) == ({"table"}, {"table"}, {"w"})
    assert block.stored == {"units": "kept", "inner": "inner"}
    assert block.of_shapes == {"as_list"}
    assert {"add_loss", "add_weight", "head"} <= block.called


def test_arguments_of_the_places_that_make_an_object(tmp_path: Path) -> None:
    text = "class Net:\n    def __init__(self, depth=4, *, sizes=(3, 3), rate=-0.5): pass\n"
    (tmp_path / "net.py").write_text(text)
    script = tmp_path / "train.py"

    def said(line: str) -> tuple[dict[str, str], ...]:
        script.write_text(f"from net import Net\n{line}\n")
        code = read_source_code([str(tmp_path)])
        return code.arguments(code.find("Net"))

    net = read_source_code([str(tmp_path / "net.py")]).find("Net")
    assert net.constructor.defaults == {"depth": "4", "sizes": "[3, 3]", "rate": "-0.5"}
    assert said("model = Net(2, rate=0.1)\nother = Net()") == ({"depth": "2", "rate": "0.1"}, {})
    assert said("model = Net(depth=count)") == ()  # which the text does not tell
    assert said("model = Net(**settings)") == ()
    assert said("model = None") == ()


def test_names_with_a_slash(tmp_path: Path) -> None:
    block = classes(
        tmp_path,
        f"""{IMPORTS}
def conv(size, name, rate=0.1):
    return layers.Conv2D(size, 1, name=name)


class Block(layers.Layer):
    def __init__(self, deep, prefix):
        self.a = conv(3, "down/0")
        self.b = layers.Dense(1, name=f"{{prefix}}/dense")
        tf.ones((1,), name="of/tensorflow")
        open("some/path")
        if deep:
            self.c = conv(size=3, name="down/1")

    def build(self, shape):
        self.w = self.add_weight(name="plain", shape=shape)
""",
    )["Block"]
    assert block.slashed == {"'down/0'": True, "f'{prefix}/dense'": True, "'down/1'": False}


def test_namesakes_are_told_by_their_modules(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / f"{name}.py").write_text("class Block: pass\n")
    code = read_source_code([str(tmp_path)])
    assert code.find("Block") is None
    found = code.find("lab>Block", "b")
    assert found is not None
    assert found.where.endswith("/b.py:1")


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"class A(:\n", "invalid syntax"),
        (b"class A: pass\0\n", "null bytes"),
        (b"class A:\n    x = " + b"(" * 2_000 + b")" * 2_000, ""),
        (b"class A:\n    x = " + b"-" * 100_000 + b"1", ""),
        (b"class A: pass\nif a: pass\n" + b"elif a: pass\n" * 5_000, ""),
        (b"\xff\xfeclass A: pass", ""),
        (b"class A: pass\n" + b"#" * (5 << 20), "file bytes"),
    ],
)
def test_a_file_that_is_not_python_is_named_and_the_others_are_read(
    tmp_path: Path, content: bytes, says: str
) -> None:
    (tmp_path / "bad.py").write_bytes(content)
    (tmp_path / "good.py").write_text("class Good: pass\n")
    found = read_source_code([str(tmp_path)])
    assert found.find("Good") is not None
    (problem,) = found.problems
    assert "bad.py" in problem
    assert says in problem


def test_more_code_than_is_read_is_named(tmp_path: Path, monkeypatch) -> None:
    for name in ("a", "b", "c"):
        (tmp_path / f"{name}.py").write_text(f"class C{name}: pass\n")
    monkeypatch.setattr(reading, "_LARGEST_OF_ALL", 29)
    reading._read.cache_clear()
    found = read_source_code([str(tmp_path)])
    assert set(found.classes) == {"Ca"}
    (problem,) = found.problems
    assert "/b.py: not read, nor what follows" in problem
    reading._read.cache_clear()


def test_nothing_of_it_runs(tmp_path: Path) -> None:
    mark = tmp_path / "ran"
    text = f"open({str(mark)!r}, 'w')\nclass A:\n    open({str(mark)!r}, 'w')\n"
    assert set(classes(tmp_path, text)) == {"A"}
    assert not mark.exists()


def test_libraries_and_odd_files_are_left_out(tmp_path: Path) -> None:
    for name in ("venv/lib", "site-packages", "app"):
        (tmp_path / name).mkdir(parents=True)
        (tmp_path / name / "x.py").write_text(f"class C{len(name)}: pass\n")
    os.mkfifo(tmp_path / "pipe.py")
    (tmp_path / "loop.py").symlink_to("loop.py")
    (tmp_path / "notes.txt").write_text("class Text: pass\n")
    assert set(read_source_code([str(tmp_path)]).classes) == {"C3"}
    assert read_source_code([str(tmp_path / "pipe.py")]).problems


def test_a_changed_file_is_read_again(tmp_path: Path) -> None:
    assert set(classes(tmp_path, "class A: pass\n")) == {"A"}
    assert set(classes(tmp_path, "class Other: pass\n")) == {"Other"}


def test_a_large_tree_is_read_in_time_that_follows_its_size(tmp_path: Path) -> None:
    def seconds(count: int) -> float:
        path = tmp_path / f"{count}.py"
        path.write_text("class Base: pass\n" + "".join(
            f"class C{i}(C{i - 1}):\n    def f(self): return self.g()\n" for i in range(1, count)
        ))  # fmt: skip
        start = time.process_time()
        code = read_source_code([str(path)])
        assert code.base(code.find(f"C{count - 1}")) == "C0"
        return time.process_time() - start

    seconds(100)
    assert seconds(4_000) < 60 * seconds(400)


@pytest.mark.parametrize(
    ("body", "made"),
    [
        ("return Affine(units)", ("keras.layers.Dense",)),
        (
            "m = tf.keras.Sequential()\n    m.add(layers.Dense(units))\n    return m",
            ("tensorflow.keras.Sequential", "keras.layers.Dense"),
        ),
        (
            "return keras.Sequential([layers.GRU(units), layers.Dense(1)])",
            ("tensorflow.keras.Sequential", "keras.layers.GRU", "keras.layers.Dense"),
        ),
        (
            "m = keras.Sequential([layers.Input((2,))])\n    m.add(Affine(1))\n    return m",
            ("tensorflow.keras.Sequential",),
        ),
        ("if units:\n        return Affine(1)\n    return layers.GRU(2)", ()),
        ("m = Affine(1)\n    m = layers.GRU(2)\n    return m", ()),
        ("return units + 1", ()),
        ("pass", ()),
    ],
)
def test_what_a_function_makes(tmp_path: Path, body: str, made: tuple[str, ...]) -> None:
    path = tmp_path / "blocks.py"
    path.write_text(f"{IMPORTS}\ndef block(units):\n    {body}\n", encoding="utf-8")
    assert read_source_code([str(path)]).makers == {"block": made}


def test_functions_of_one_name_that_make_other_things_tell_nothing(tmp_path: Path) -> None:
    for name, layer in (("one", "Dense"), ("two", "GRU")):
        text = f"{IMPORTS}\ndef block():\n    return layers.{layer}(2)\n"
        (tmp_path / f"{name}.py").write_text(text, encoding="utf-8")
    found = read_source_code([str(tmp_path)])
    assert found.makers == {"block": ()}
    assert not found.has_weights("block")


def test_a_function_that_returns_itself_ends(tmp_path: Path) -> None:
    text = f"{IMPORTS}\ndef block():\n    m = keras.Sequential([block(), block()])\n    return m\n"
    (tmp_path / "one.py").write_text(text, encoding="utf-8")
    found = read_source_code([str(tmp_path)])
    assert not found.has_weights("block")


@pytest.mark.parametrize(
    ("initializer", "random"),
    [("TruncatedNormal(stddev=0.02)", True), ("HeNormal()", True), ("Zeros()", False)],
)
def test_variables_of_random_numbers(tmp_path: Path, initializer: str, random: bool) -> None:
    path = tmp_path / "table.py"
    path.write_text(
        "import tensorflow as tf\n\n\n"
        "class Table(tf.keras.layers.Layer):\n"
        "    def build(self, shape):\n"
        "        norm = tf.keras.layers.LayerNormalization()\n"
        f"        initializer = tf.keras.initializers.{initializer}\n"
        "        self.table = tf.Variable(initializer(shape=(2, 3)))\n"
    )
    found = read_source_code([str(path)]).find("Table")
    assert found is not None
    assert found.variables == {"table"}
    assert found.drawn == ({"table"} if random else set())


@pytest.mark.parametrize("line", ["from keras import Model", "Model = keras.Model"])
def test_a_class_that_has_the_name_of_its_base(tmp_path: Path, line: str) -> None:
    path = tmp_path / "own.py"
    path.write_text(f"import keras\n{line}\n\n\nclass Model(Model):\n    pass\n")
    code = read_source_code([str(path)])
    found = code.find("Model")
    assert found is not None
    assert code.base(found) == "keras.Model"

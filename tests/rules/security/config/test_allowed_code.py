"""The allow list of names in layers' code: what is on it, what is not, and where it leads."""

from __future__ import annotations

import base64
import contextlib
import dis
import importlib
import inspect
import marshal
import sys
from pathlib import Path
from types import CodeType, ModuleType

import pytest

from modelaudit.facts import Artifact
from modelaudit.formats.bytecode.code_fields import LAYOUTS, CodeLayout
from modelaudit.formats.bytecode.instructions import _encodings
from modelaudit.formats.bytecode.marshal_reader import Bytecode, Code, read_bytecode
from modelaudit.pipeline import audit_model
from modelaudit.probe.result import ProbeResult
from modelaudit.rules.security.config.allowed_code import (
    Judgement,
    allowed_words,
    judge_bytecode,
    judge_source,
)
from modelaudit.settings import Settings
from modelaudit.settings.audit_target import AuditTarget
from modelaudit.structs import replace
from tests.made.lambda_models import lambda_model
from tests.made.marshalled import JUDGED

HERE = sys.version_info[:2]


def read(code: str) -> Bytecode:
    found = read_bytecode(base64.b64decode(code))
    assert isinstance(found, Bytecode)
    return found


def compiled(source: str) -> Bytecode:
    mode = "eval" if source.startswith("lambda") else "exec"
    module = compile(source, "layer.py", mode)
    (code, *_) = [value for value in module.co_consts if isinstance(value, CodeType)]
    return read(base64.b64encode(marshal.dumps(code)).decode())


def judged(source: str, module: str = "__main__", given: object = None) -> Judgement:
    return judge_bytecode(compiled(source), (module,), given)


@pytest.mark.parametrize("version", JUDGED)
def test_the_code_of_every_python_is_judged(version: str) -> None:
    honest, hostile = JUDGED[version]
    assert judge_bytecode(read(honest), (), None) == Judgement()
    assert judge_bytecode(read(hostile), (), None).unlisted[:1] == ("tf.io.write_graph",)


@pytest.mark.parametrize(
    "source",
    [
        "lambda x: x / 255 - 0.5",
        "lambda x: [x[:, i : i + 1] for i in range(5)]",
        "lambda x, low=0.0, high=1.0: K.tf.clip_by_value(x, K.constant(low), K.constant(high))",
        "lambda x: tf.compat.v1.image.resize_bilinear(x, (2, 2))",
        "lambda x: tf.keras.backend.expand_dims(x, -1)",
        "lambda x: keras.ops.image.resize(x, (4, 4), interpolation='bilinear')",
        "lambda x: tf.map_fn(lambda row: (row - tf.reduce_mean(row)) / 2, x)",
        "lambda x: x.shape[0] if len(x.shape) > 2 else np.prod(K.int_shape(x)[1:])",
        "lambda x: tf.cast(x, tf.float32) / tf.uint8.max",
        "lambda x: tf.image.resize(x, (2, 2), method=tf.image.ResizeMethod.BILINEAR)",
        "lambda x: tf.keras.applications.resnet50.preprocess_input(x)",
        "lambda x: tf.einsum('bij,bjk->bik', x, x) * (scale := 2) + scale",
        "lambda x: tf.reshape(x, [-1, *x.shape[2:]], name=f'flat_{1}')",
        "def f(x):\n  'Unit vectors.'\n  with tf.name_scope('u'):\n    return K.l2_normalize(x)",
    ],
)
def test_arithmetic_is_on_the_list(source: str) -> None:
    assert judged(source) == Judgement()
    if source.startswith("lambda") and "f'" not in source:
        assert not judge_source(source).unlisted


def test_names_that_only_the_caller_defines_are_told_apart() -> None:
    assert judged("lambda x: (most - least) * x + least") == Judgement(undefined=("most", "least"))
    assert judged("lambda x: stretch(x, 2)", "lab.layers").undefined == ("stretch",)


def test_names_of_loaded_packages_are_not_the_callers() -> None:
    """A config of Keras 2 chooses the module in which its code's names are looked up."""
    source = "lambda x: stretch(x, 2)"
    for module in ("h5py", "tensorflow.python.lib.io.file_io", "os", "absl.logging"):
        assert judged(source, module).unlisted == ("stretch",)


def test_texts_for_names_of_the_caller_count() -> None:
    assert judged("lambda x: stretch('a')").unlisted == ("stretch",)
    assert judged("lambda x, a: stretch(a)", given=[["a"], None]).unlisted == ("stretch",)
    assert not judged("lambda x: stretch(x, axis=1)").unlisted


def test_defaults_closures_and_arguments_are_literals_too() -> None:
    assert judged("lambda x, a: x", given=[["A" * 70], None]).unlisted
    assert judged("lambda x, a: x", given={"a": ["/etc/passwd"]}).unlisted
    assert not judged("lambda x, a: x", given={"a": ["same", 1.5]}).unlisted


def test_bytecode_that_no_python_could_write() -> None:
    code = compiled("lambda x: x")
    for raw in (b"\xff\xff", b"", bytes([9, 0]) * 3):
        changed = Bytecode(
            code.layout,
            code.code.__class__(
                *[
                    raw if name == "bytecode" else getattr(code.code, name)
                    for name in code.code.__struct_fields__
                ]
            ),
        )
        assert judge_bytecode(changed, (), None).unlisted


@pytest.mark.skipif(HERE < (3, 11), reason="the instruction COPY")
def test_an_instruction_that_reaches_below_the_stack() -> None:
    """CPython 3.11 runs this: it copies the dictionary of built-in functions from the frame."""
    code = (lambda x: x).__code__

    def copying(depth: int) -> Judgement:
        steps = ("RESUME", 0, "LOAD_FAST", 0, "COPY", depth, "RETURN_VALUE", 0)
        raw = bytes(dis.opmap[each] if isinstance(each, str) else each for each in steps)
        made = read(
            base64.b64encode(marshal.dumps(code.replace(co_code=raw, co_stacksize=2))).decode()
        )
        return judge_bytecode(made, (), None)

    assert copying(1) == Judgement()
    (unlisted,) = copying(8).unlisted
    assert unlisted.startswith("an instruction that takes values which are not on the stack")


def assembled(
    version: tuple[int, int], *steps: str, layout: CodeLayout = LAYOUTS[0], **fields: object
) -> Judgement:
    """What is not on the list in these instructions, as a function of one variable."""
    numbers = {each.name: number for number, each in _encodings()[version].items()}
    sizes = {each.name: each.caches for each in _encodings()[version].values()}
    raw = bytearray()
    for name, argument in (step.split() for step in steps):
        raw += bytes([numbers[name], int(argument), *[0, 0] * sizes[name]])
    whole = {"name": "f", "filename": "f.py", "first_line": 1, "names": (), "variables": ("x",)}
    whole |= {"closure": (), "constants": (), "stack": 9, "kinds": bytes([0x20])}
    code = Code(bytecode=bytes(raw), **(whole | fields))
    return judge_bytecode(Bytecode(layout, code), (), None)


END = ("LOAD_FAST 0", "RETURN_VALUE 0")


@pytest.mark.parametrize(
    "before",
    [("LOAD_FAST 0",), ("LOAD_FAST 0", "UNARY_NEGATIVE 0"), ("LOAD_FAST 0", "LOAD_FAST 0")],
)
def test_code_that_is_arithmetic_in_one_python_only(before: tuple[str, ...]) -> None:
    """3.12 reads a unary plus, 3.11 a jump back, after which a value is missing."""
    end = (*["POP_TOP 0"] * (before.count("LOAD_FAST 0") - 1), "RETURN_VALUE 0")
    assert assembled((3, 12), "RESUME 0", *before, "UNARY_NEGATIVE 0", *end) == Judgement()
    assert assembled((3, 12), "RESUME 0", *before, "CALL_INTRINSIC_1 5", *end).unlisted


OLDER = {"layout": LAYOUTS[1], "locals": 1}


@pytest.mark.parametrize(
    ("version", "steps", "unsound"),
    [
        ((3, 9), ("LOAD_FAST 0", "UNARY_NEGATIVE 0", "RETURN_VALUE 0"), ()),
        # 3.8 jumps where 3.9 makes a list longer.
        (
            (3, 9),
            ("BUILD_LIST 0", "LOAD_FAST 0", "LIST_EXTEND 1", "RETURN_VALUE 0"),
            ("3.8",),
        ),
        # 3.10 counts jumps in pairs of bytes: it leaves the code.
        ((3, 9), ("LOAD_FAST 0", "JUMP_FORWARD 2", "NOP 0", "RETURN_VALUE 0"), ("3.10",)),
        # 3.8 does not know IS_OP: an error, unless it does harm before it gets there.
        ((3, 9), (*["LOAD_FAST 0"] * 2, "IS_OP 0", "RETURN_VALUE 0"), ()),
        (
            (3, 9),
            ("BUILD_LIST 0", "LOAD_FAST 0", "LIST_EXTEND 1", "LOAD_FAST 0", "IS_OP 0", *END[1:]),
            ("3.8",),
        ),
        # Sound in no version.
        ((3, 8), ("LOAD_FAST 0", "BEGIN_FINALLY 0", "POP_FINALLY 0", "RETURN_VALUE 0"), None),
    ],
)
def test_code_that_another_python_reads_as_harm(
    version: tuple[int, int], steps: tuple[str, ...], unsound: tuple[str, ...] | None
) -> None:
    found = assembled(version, *steps, **OLDER)
    assert bool(found.unlisted) == (unsound is None)
    assert unsound is None or found.unsound == unsound


@pytest.mark.parametrize(
    ("version", "honest", "hostile"),
    [
        ((3, 11), "BINARY_OP 25", "BINARY_OP 26"),
        ((3, 11), "COMPARE_OP 5", "COMPARE_OP 6"),
        ((3, 13), "CONVERT_VALUE 3", "CONVERT_VALUE 4"),
        ((3, 14), "LOAD_SMALL_INT 255", "LOAD_COMMON_CONSTANT 5"),
        ((3, 11), "LOAD_GLOBAL 0", "LOAD_GLOBAL 4"),
    ],
)
def test_an_index_into_tables_of_the_interpreter(
    version: tuple[int, int], honest: str, hostile: str
) -> None:
    two = ("RESUME 0", "LOAD_FAST 0", "LOAD_FAST 0")
    assert assembled(version, *two, honest, *END, names=("abs",)) == Judgement()
    assert assembled(version, *two, hostile, *END, names=("abs",)).unlisted


@pytest.mark.parametrize(
    "source",
    ["lambda x: exec('a')", "import os", "lambda x: x.__class__", "def f(x): return open(x)"],
)
def test_source_text_that_does_more(source: str) -> None:
    assert judge_source(source).unlisted


@pytest.mark.slow
def test_the_words_of_the_list_lead_to_arithmetic_only() -> None:
    """Whatever takes attributes from whatever: nothing that the words reach has an effect."""
    tf, keras, np = map(importlib.import_module, ("tensorflow", "keras", "numpy"))
    tf_keras = pytest.importorskip("tf_keras")
    reached: dict[int, object] = {}
    values = [tf.constant(1.0), tf.Variable(1.0), np.zeros(2), ValueError(), len, abs]
    pending = [tf, keras, tf_keras, np, keras.ops, tf_keras.backend, keras.backend, *values]
    for _ in range(6):  # a path of the list has five parts at most
        found: list[object] = []
        for value in pending:
            if id(value) not in reached:
                reached[id(value)] = value
                for word in allowed_words() & {*dir(value)}:
                    with contextlib.suppress(Exception):  # a property that this value lacks
                        found.append(getattr(value, word))
        pending = found
    assert len(reached) > 3000
    roots = {"tensorflow", "keras", "tf_keras", "numpy"}
    modules = {each.__name__ for each in reached.values() if isinstance(each, ModuleType)}
    assert {module.partition(".")[0] for module in modules} == roots
    effects = [tf.io.write_file, tf.io.read_file, tf.py_function, tf.raw_ops, keras.utils.get_file]
    effects += [np.load, np.memmap, tf.print, tf.io.gfile, tf.load_op_library, tf.saved_model.load]
    assert not [each for each in effects if id(each) in reached]
    written = ("_file", "path", "import", "exec", "session", "load", "save", "write", "print_")
    functions = {each.__name__ for each in reached.values() if inspect.isfunction(each)}
    assert not [name for name in functions if any(word in name.lower() for word in written)]


WAYS = {
    "logging": "lambda x: logging.FileHandler({path!r}) and x",
    "pathlib": "lambda x: tf.io.gfile.GFile({path!r}, 'w').write('') or x",
    "delegate": "lambda x: [t for t in [tf]][0].io.write_file({path!r}, 'a') or x",
}


@pytest.mark.parametrize("way", WAYS)
def test_a_model_with_other_code_is_not_run(tmp_path: Path, way: str) -> None:
    """What the code would write is not there, and no probe was asked to run it."""
    marker = tmp_path / "written"
    path = lambda_model(tmp_path, WAYS[way].format(path=str(marker)))
    audit = audit_model(_target(path), Settings(), "2026-01-01T00:00:00Z", _must_not_run)
    assert {each.code for each in audit.findings} & {"MA717", "MA702"}
    assert "prevents running it" in audit.behaviour.skipped_reason
    assert not marker.exists()


def test_a_model_with_arithmetic_is_run(tmp_path: Path) -> None:
    path = lambda_model(tmp_path, "lambda x: K.square(x) / 255")
    with pytest.raises(_Run):
        audit_model(_target(path), Settings(), "2026-01-01T00:00:00Z", _must_not_run)


class _Run(Exception):
    """The model was run."""


def _must_not_run(artifact: Artifact, settings: Settings, source: object) -> ProbeResult:
    raise _Run


def _target(path: Path) -> AuditTarget:
    return AuditTarget(path, path.parent, path.name, "m")


UNPACKS = "7c00 5c02 7d01 7d02 7c01 7c02 1700 5300"  # of Python 3.8: a, b = x; return a + b
LOADS = "7c00 5c02 7d01 7d02 7400 7c01 8301 5300"  # a, b = x; return open(a)


@pytest.mark.parametrize(
    ("bytes_before", "unlisted"), [(UNPACKS, ()), (LOADS, ("open",)), ("7c00 2f00", None)]
)
def test_code_of_windows_is_judged_as_it_was_compiled(bytes_before: str, unlisted: object) -> None:
    """Keras 2: `marshal.dumps(code).replace(b"\\\\", b"/")` where `os.name` is `nt`."""
    sample = read(JUDGED["3.8"][0])
    damaged = replace(
        sample.code,
        bytecode=bytes.fromhex(bytes_before).replace(b"\\", b"/"),
        variables=("x", "a", "b"),
        names=("open",) if unlisted else (),
        constants=(None,),
        stack=2,
        locals=3,
        arguments=1,
    )
    found = judge_bytecode(replace(sample, code=damaged), (), None)
    assert found.damaged
    assert (found.unlisted == unlisted) if unlisted is not None else found.unlisted

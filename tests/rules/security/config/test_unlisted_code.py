"""What layers' code can name beside arithmetic: three ways of each kind, and what is like them."""

from __future__ import annotations

import pytest

from modelaudit.findings import Severity
from tests.rules.security.config.test_allowed_code import assembled, judged
from tests.rules.security.config.test_code import findings, in_base64, keras3, lambda_layer

# Kind -> the code of layers, and the first name that is not on the list.
UNLISTED = {
    "code in texts": {
        "func_load('4wAAAA')": "func_load",
        "marshal.loads(x)": "marshal.loads",
        "codecs.decode('rkrp', 'rot13')": "codecs.decode",
        "keras.src.utils.python_utils.func_load('4wAA')": "keras.src",
    },
    "programs": {
        "pydoc.pipepager('a', 'b')": "pydoc.pipepager",
        "pydoc.tempfilepager('a', 'b')": "pydoc.tempfilepager",
        "webbrowser.GenericBrowser('b').open('a')": "webbrowser.GenericBrowser",
    },
    "fields of texts": {
        "string.Formatter().get_field('a', (), {})": "string.Formatter",
        "string.Template('$a').substitute(a=x)": "string.Template",
        "operator.attrgetter('a.b')(x)": "operator.attrgetter",
        "'{0.__class__}'.format(x)": ".format",
        "'{a}'.format_map(x)": ".format_map",
        "f'{x.__class__}'": ".__class__",
    },
    "files of Python": {
        "_io.FileIO('a', 'w')": "_io.FileIO",
        "io.open_code('a')": "io.open_code",
        "tempfile.mkstemp('a')": "tempfile.mkstemp",
        "logging.FileHandler('a')": "logging.FileHandler",
        "logging.handlers.SocketHandler('a', 1)": "logging.handlers",
        "logging.config.fileConfig('a')": "logging.config",
        "x.numpy().tofile('a')": ".numpy",
        "np.lib.npyio.DataSource('a')": "np.lib.npyio.DataSource",
        "np.memmap('a', mode='w+')": "np.memmap",
    },
    "objects that Keras gives to code": {
        "CSVLogger('a')": "CSVLogger",
        "vgg16.get_file('a', 'b')": "vgg16.get_file",
        "max(x, key=CSVLogger)": "CSVLogger",
        "TensorBoard('a')": "TensorBoard",
        "keras.callbacks.ModelCheckpoint('a')": "keras.callbacks",
        "keras.utils.get_file('a', 'b')": "keras.utils.get_file",
    },
    "tools of TensorFlow": {
        "tf.profiler.experimental.start('a')": "tf.profiler.experimental.start",
        "tf.profiler.experimental.server.start(1)": "tf.profiler.experimental.server",
        "tf.summary.trace_export('a', profiler_outdir='a')": "tf.summary.trace_export",
        "tf.summary.create_file_writer('a')": "tf.summary.create_file_writer",
        "tf.debugging.experimental.enable_dump_debug_info('a')": "tf.debugging.experimental",
        "tf.config.experimental_connect_to_host('a')": "tf.config.experimental",
        "tf.print(x, output_stream='file://a')": "tf.print",
    },
    "libraries": {
        "tf.lite.experimental.load_delegate('a')": "tf.lite.experimental",
        "tf.load_op_library('a')": "tf.load_op_library",
        "tf.load_library('a')": "tf.load_library",
        "np.ctypeslib.load_library('a', 'b')": "np.ctypeslib",
    },
    "files of TensorFlow": {
        "tf.io.gfile.GFile('a', 'w')": "tf.io.gfile.GFile",
        "tf.raw_ops.WriteFile(filename='a', contents='b')": "tf.raw_ops.WriteFile",
        "tf.data.TextLineDataset('a')": "tf.data",
        "tf.saved_model.load('a')": "tf.saved_model",
    },
    "graphs and sessions": {
        "tf.py_function(len, [x], tf.int32)": "tf.py_function",
        "K.function([x], [x])": "K.function",
        "K.get_session().run(x)": "K.get_session",
        "x.graph.as_graph_def()": ".graph",
        "x.op.run()": ".op",
    },
    "modules as values": {
        "[m for m in [tf]][0].io.write_file('a', 'b')": "tf",
        "(t := tf) and t.io.write_file('a', 'b')": "tf",
        "(lambda g: g.WriteFile)(tf.raw_ops)": "tf.raw_ops",
        "dict(a=np)": "np",
        "(keras if x is None else x)": "keras",
    },
    "types and frames": {
        "type('A', (), {})": "type",
        "().__class__.__base__.__subclasses__()": ".__class__",
        "(i for i in x).gi_frame.f_builtins": ".gi_frame",
        "getattr(x, 'a')": "getattr",
        "globals()": "globals",
        "vars(x)": "vars",
    },
    "the terminal": {"input()": "input", "print(x)": "print", "breakpoint()": "breakpoint"},
    "bytes": {
        "[x, b'abc']": "3 bytes",
        "(b'\\x00\\x01\\x02' * 9, x)": "27 bytes",
        "{b'PK': x}": "2 bytes",
        "bytearray(9)": "bytearray",
    },
    "long texts": {
        f"[x, {'A' * 70!r}]": "a text of 70 characters",
        f"[x, {'a b ' * 300!r}]": "a text of 1,200 characters",
        f"(x, ('a', {'b' * 65!r}))": "a text of 65 characters",
    },
    "texts that are no words": {
        "[x, '\\x00\\x01']": "a text with control characters",
        "(x, 'a\\x1b[31m')": "a text with control characters",
        "{'\\x85': x}": "a text with control characters",
    },
    "paths": {
        "[x, '/etc/passwd']": "the text '/etc/passwd', a path or address",
        "[x, 'gs://a/b']": "the text 'gs://a/b', a path or address",
        "(x, '~/.ssh/key')": "the text '~/.ssh/key', a path or address",
        "{'..' + '/a': x}": "the text '../a', a path or address",
    },
    "numbers that are data": {
        f"[x, {1 << 70}]": "a number of 71 bits",
        f"(x, -{3 << 64})": "a number of 66 bits",
        f"[x, {tuple(range(2000))}]": "2,000 numbers",
    },
}
FUNCTIONS = {
    "def f(x):\n    import math\n    return math.pi": "import math",
    "def f(x):\n    from math import pi\n    return pi": "import math",
    "def f(x):\n    import os.path as p\n    return p": "import os.path",
    "def f(x):\n    x.shape = 1\n    return x": "the instruction STORE_ATTR",
    "def f(x):\n    global tf\n    tf = x\n    return x": "the instruction STORE_GLOBAL",
    "def f(x):\n    class A:\n        pass\n    return A": "the instruction LOAD_BUILD_CLASS",
    "async def f(x):\n    await x": "the instruction GET_AWAITABLE",
    "def f(x, g=tf):\n    return g.io.write_file('a', 'b')": ".io",
}
CASES = [(f"lambda x: {code}", name) for ways in UNLISTED.values() for code, name in ways.items()]


def test_there_are_three_ways_of_each_kind() -> None:
    assert min(map(len, UNLISTED.values())) >= 3


@pytest.mark.parametrize(("source", "unlisted"), [*CASES, *FUNCTIONS.items()])
def test_everything_else_is_named(source: str, unlisted: str) -> None:
    found = judged(source).unlisted
    assert any(each.startswith(unlisted) for each in found), found


@pytest.mark.parametrize(("source", "unlisted"), CASES)
def test_it_is_high_in_a_layer(source: str, unlisted: str) -> None:
    found = findings(lambda_layer(function=keras3(in_base64(source))))
    worst = max(each.severity.rank for each in found if each.code in {"MA702", "MA703", "MA717"})
    assert worst >= Severity.HIGH.rank


IMPORTS = {
    "import tensorflow as tf\n    return tf.reduce_sum(x)": "import tensorflow",
    "import keras.backend as K\n    return K.sum(x)": "import keras.backend",
    "from math import pi, e\n    return pi * x + e": "import math",
    "import numpy as np\n    def g(y):\n        return np.log(y)\n    return g(x)": "import numpy",
}


@pytest.mark.parametrize(
    ("code", "severity"),
    [
        ("x[:, y.output_slice_index, :]", Severity.MEDIUM),  # of keras-tcn, where y is the layer
        ("x * y.width + 1", Severity.MEDIUM),
        ("(x.size, y.width) if x.size else -x", Severity.MEDIUM),
        ("x[y.width()]", Severity.HIGH),
        ("tf.square(y.width)", Severity.HIGH),
        ("x * y._width", Severity.HIGH),
        ("f'{y.width}'", Severity.HIGH),
        ("[y.width for _ in x]", Severity.HIGH),
        ("x * settings.width", Severity.HIGH),
    ],
)
def test_attributes_that_are_read_where_nothing_is_called(code: str, severity: Severity) -> None:
    function = keras3(in_base64(f"lambda x, y: {code}"))
    (finding,) = findings(lambda_layer(function=function))
    assert (finding.code, finding.severity) == ("MA717", severity)
    assert ("calls nothing" in finding.detail) is (severity is Severity.MEDIUM)


@pytest.mark.parametrize(("body", "named"), IMPORTS.items())
def test_an_import_is_told_by_what_it_imports(body: str, named: str) -> None:
    """Layers of honest models import TensorFlow; it is not that their code is malformed."""
    source = f"def f(x):\n    {body}"
    found = judged(source).unlisted
    assert named in found
    assert not any(each.startswith("an instruction that takes") for each in found), found
    (only,) = findings(lambda_layer(function=keras3(in_base64(source))))
    known = named in {"import tensorflow", "import numpy"}  # no names are taken from a module
    severity = Severity.MEDIUM if known else Severity.HIGH
    assert (only.code, only.severity) == ("MA717", severity)


@pytest.mark.parametrize("body", ["import os\n    os.system('a')", "from os import system as s"])
def test_an_import_of_what_reaches_outside_is_critical(body: str) -> None:
    found = findings(lambda_layer(function=keras3(in_base64(f"def f(x):\n    {body}"))))
    assert [each.code for each in found] == ["MA702"]


def test_an_import_needs_its_values() -> None:
    begin = ("RESUME 0", "LOAD_CONST 0", "IMPORT_NAME 0", "RETURN_VALUE 0")
    found = assembled((3, 11), *begin, names=("math",), constants=(0,)).unlisted
    assert any(each.startswith("an instruction that takes") for each in found)


HONEST = {
    "x / 255 - 0.5": "code in texts",
    "tf.strings.lower(x)": "files of Python",
    "tf.constant('a: b')": "texts that are no words",
    "tf.reshape(x, (-1, 1 << 20))": "numbers that are data",
    "tf.cond(x > 0, lambda: x, lambda: -x)": "modules as values",
    "tf.constant(', '.join(['a', 'b']).upper())": "long texts",
}
# Templates, and whether `format` fills them with no more than code may take.
TEMPLATES = {
    "'{} of {:>3}: {name!r}'.format(1, 2, name=x.shape)": True,
    "'{:{}}'.format(x, 3)": True,
    "'{0.shape[1]} {x.dtype.name}'.format(x, x=x)": True,
    "'{{0.__class__}}'.format(x)": True,
    "'no field'.format(x)": True,
    "'{0.__class__}'.format(x)": False,
    "'{0[a].graph}'.format(x)": False,
    "'{:{0.__init__}}'.format(x)": False,
    "'{:{:{0.op}}}'.format(x)": False,
    "'{a.b}'.format(a=x)": False,
    "'{0[a.b]}'.format(x)": False,
    "x.format(x)": False,
    "('{' + '0.__class__}').format(x)": False,
    "('{0.__class__}' if x is None else '{}').format(x)": False,
    "('{}' if x is None else x).format(x)": False,
    "('%c0.__class__}' % 123).format(x)": False,
    "f'{x}'.format(x)": False,
    "'{}'.format.__self__": False,
    "[t for t in ['{}', '{0.op}']][1].format(x)": False,
}


@pytest.mark.parametrize("source", HONEST)
def test_arithmetic_that_is_like_them_is_silent(source: str) -> None:
    assert not judged(f"lambda x: {source}").unlisted


@pytest.mark.parametrize(("source", "plain"), TEMPLATES.items())
def test_a_template_takes_what_code_may_take(source: str, plain: bool) -> None:
    found = judged(f"lambda x: tf.debugging.check_numerics(x, {source})").unlisted
    assert bool(found) is not plain, found


@pytest.mark.parametrize(
    ("version", "begin", "take", "call"),
    [
        ((3, 11), "RESUME 0", "LOAD_METHOD 0", ("PRECALL 1", "CALL 1")),
        ((3, 12), "RESUME 0", "LOAD_ATTR 1", ("CALL 1",)),
        ((3, 13), "RESUME 0", "LOAD_ATTR 1", ("CALL 1",)),
        ((3, 14), "RESUME 0", "LOAD_ATTR 1", ("CALL 1",)),
    ],
)
def test_the_template_itself_must_be_on_the_stack(
    version: tuple[int, int], begin: str, take: str, call: tuple[str, ...]
) -> None:
    def judge(*before: str) -> tuple[str, ...]:
        end = (take, "LOAD_FAST 0", *call, "RETURN_VALUE 0")
        fields = {"names": ("format",), "constants": ("{}", "{0.op}")}
        return assembled(version, begin, *before, *end, **fields).unlisted

    assert judge("LOAD_CONST 0") == ()
    assert judge("LOAD_CONST 1")
    assert judge("LOAD_CONST 1", "LOAD_CONST 0", "SWAP 2", "NOP 0")
    assert judge("LOAD_CONST 1", "LOAD_CONST 0", "POP_TOP 0")


@pytest.mark.parametrize("source", ["lambda x: x[:, -1, :]", "lambda x: x / 255 - 0.5"])
def test_a_slice_is_not_called_arithmetic(source: str) -> None:
    (only,) = findings(lambda_layer(function=keras3(in_base64(source))))
    assert only.code == "MA701"
    assert "refers to no names but those of its arguments" in only.detail

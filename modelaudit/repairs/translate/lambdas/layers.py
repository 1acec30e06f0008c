"""A Lambda of known functions, as a Rescaling layer or as calls of TensorFlow functions."""

from __future__ import annotations

from modelaudit.facts import Json
from modelaudit.formats.bytecode.code_text import code_bytes
from modelaudit.formats.bytecode.marshal_reader import Code, Unreadable, read_bytecode
from modelaudit.formats.keras.inbound_nodes import Argument, LayerCall, TensorReference
from modelaudit.formats.keras.json_config import mapping, sequence, text
from modelaudit.repairs.translate.lambdas.expression import (
    Apply,
    Constant,
    Listed,
    Name,
    Parameter,
    Unknown,
    Value,
    expression_of,
    literal,
    shown,
)
from modelaudit.repairs.translate.lambdas.functions import (
    EPSILON,
    OPERATORS,
    RENAMED,
    clips_first,
    defaults_of,
    dtype_of,
    function_of,
    parameters_of,
)
from modelaudit.repairs.translate.objects import dtype_name
from modelaudit.repairs.translate.translation import Config, Translation, Untranslatable
from modelaudit.runtimes.checks.lambda_code import code_text

Called = tuple[Config, LayerCall, str]
"""A function of TensorFlow as a layer, its call, and its name."""


class LambdaLayer:
    """A Lambda whose expression was read.

    Raises:
        Untranslatable: it is not one expression of known functions.
    """

    def __init__(self, item: Config, route: str) -> None:
        config = mapping(item.get("config"))
        self.config, self.route = config, route
        text = code_text(config.get("function"))
        if text is None:
            raise Untranslatable(route, "it is a Lambda of a function that is not in the file")
        try:
            read = read_bytecode(code_bytes(text))
            if isinstance(read, Unreadable):
                raise Unknown(read.reason)
            self.value = expression_of(read, _known(config, read.code))
            self.parameter = read.code.variables[0]
            self.affine = _affine(self.value)
        except ValueError as error:
            raise Untranslatable(
                route, f"it is a Lambda whose code is not one known expression ({error})"
            ) from error

    def note(self, translation: Translation, what: str) -> None:
        """Note the replacement with the expression."""
        text = shown(self.value, self.parameter)
        translation.replace(self.route, f"replaced the Lambda `{text}` by {what}")

    def rescaling(self, name: str) -> Config | None:
        """The layer `scale * x + offset`; None if the expression is another one."""
        if self.affine is None or self.affine[0] == 0:
            return None
        scale, offset = self.affine
        dtype = dtype_name(self.config.get("dtype", "float32"))
        config: dict[str, Json] = {"name": name, "trainable": True, "dtype": dtype}
        return {"class_name": "Rescaling", "config": config | {"scale": scale, "offset": offset}}

    def calls(self, name: str, given: Argument) -> list[Called]:
        """Calls of functions that compute the expression of `given`; the last one has the name.

        Raises:
            Untranslatable: a function is not known.
        """
        found: list[Called] = []
        self._made: dict[int, Argument] = {}  # a term that is used twice is computed once
        try:
            last = self._calls(self.value, name, given, found)
        except Unknown as error:
            raise Untranslatable(self.route, f"it is a Lambda with {error}") from error
        if not found or not isinstance(last, TensorReference):
            raise Untranslatable(
                self.route, "it is a Lambda that returns its argument or a constant"
            )
        item, call, _ = found[-1]
        return [*found[:-1], (item, call, name)]

    def _calls(self, value: Value, name: str, given: Argument, found: list[Called]) -> Argument:
        match value:
            case Parameter():
                return given
            case Constant(value=literal):
                return _argument(literal)
            case Name(path=path):
                dtype = dtype_of(path)
                if dtype is None:
                    raise Unknown(f"the name {path}")
                return dtype
            case Listed(items=items):
                return [self._calls(each, name, given, found) for each in items]
            case Apply(function=path) if path in EPSILON:
                return 1e-7
            case Apply() if id(value) in self._made:
                return self._made[id(value)]
            case Apply(function="[]", args=(owner, key)):
                return self._item(owner, key, name, given, found)
            case Apply():
                self._made[id(value)] = self._function(value, name, given, found)
                return self._made[id(value)]

    def _item(
        self, owner: Value, key: Value, name: str, given: Argument, found: list[Called]
    ) -> Argument:
        """An input of several, or a slice of a tensor."""
        if not isinstance(key, Constant):
            raise Unknown("a computed index")
        source = self._calls(owner, name, given, found)
        if isinstance(source, list):
            if isinstance(key.value, int) and -len(source) <= key.value < len(source):
                return source[key.value]
            raise Unknown("a slice of its list of inputs")
        parts = key.value if isinstance(key.value, tuple) else (key.value,)
        spec: list[Argument] = [_slice(part) for part in parts]
        item: Config = {
            "class_name": "SlicingOpLambda",
            "config": {"function": "__operators__.getitem"},
        }
        return _added(item, LayerCall((source,), {"slice_spec": spec}), name, found)

    def _function(self, value: Apply, name: str, given: Argument, found: list[Called]) -> Argument:
        function = OPERATORS.get(value.function) or function_of(value.function)
        if function is None:
            raise Unknown(f"the function {value.function}")
        args = [self._calls(each, name, given, found) for each in value.args]
        if clips_first(value.function) and args:
            relu: Config = {"class_name": "TFOpLambda", "config": {"function": "nn.relu"}}
            args[0] = _added(relu, LayerCall((args[0],), {}), name, found)
        kwargs: dict[str, Argument] = {**defaults_of(value.function)}
        kwargs |= {
            RENAMED.get(key, key): self._calls(each, name, given, found)
            for key, each in value.kwargs.items()
        }
        if not args:
            raise Unknown(f"the function {value.function} without a first argument")
        names = parameters_of(function)
        if len(args) - 1 > len(names):
            raise Unknown(f"more arguments of {value.function} than are known")
        kwargs |= dict(zip(names, args[1:], strict=False))
        item: Config = {"class_name": "TFOpLambda", "config": {"function": function}}
        return _added(item, LayerCall((args[0],), kwargs), name, found)


def _known(config: Config, code: Code) -> dict[str, Value]:
    """Values of the function's arguments: its defaults, and those that the layer passes."""
    function = config.get("function")
    stated = mapping(mapping(function).get("config")).get("defaults")
    if isinstance(function, list) and len(function) > 1:
        stated = function[1]
    defaults = sequence(stated)
    names = code.variables[max(code.arguments - len(defaults), 0) : code.arguments]
    given = dict(zip(names, defaults, strict=False)) | mapping(config.get("arguments"))
    return {name: Constant(literal(value)) for name, value in given.items()}


def _added(item: Config, call: LayerCall, name: str, found: list[Called]) -> TensorReference:
    own = f"{name}_{len(found) + 1}"
    found.append((item, call, own))
    return TensorReference(own, 0, 0)


def _argument(value: object) -> Argument:
    if isinstance(value, tuple):
        return [_argument(each) for each in value]
    if value is None or isinstance(value, bool | int | float | str):
        return value
    raise Unknown("a slice outside of brackets")


def _slice(value: object) -> Argument:
    if isinstance(value, slice):
        return {key: _argument(getattr(value, key)) for key in ("start", "stop", "step")}
    return _argument(value)


def _affine(value: Value) -> tuple[float, float] | None:
    """(scale, offset) of an expression that is affine in its argument; None for another one."""
    match value:
        case Parameter():
            return 1.0, 0.0
        case Constant(value=number) if isinstance(number, int | float):
            return 0.0, float(number)
        case Apply(function=symbol, args=(left, right)) if symbol in OPERATORS:
            one, other = _affine(left), _affine(right)
            return None if one is None or other is None else _combined(symbol, one, other)
    return None


def _combined(
    symbol: str, one: tuple[float, float], other: tuple[float, float]
) -> tuple[float, float] | None:
    (a, b), (c, d) = one, other
    if symbol == "+":
        return a + c, b + d
    if symbol == "-":
        return a - c, b - d
    if symbol == "*" and (a == 0 or c == 0):
        return a * d + c * b, b * d
    if symbol == "/" and c == 0 and d != 0:
        return a / d, b / d
    return None


def calls_functions(values: Config) -> bool:
    """Whether a Lambda of a Sequential model is not a Rescaling: it then needs calls of functions.

    Raises:
        Untranslatable: the code of a Lambda is not one known expression.
    """
    items = [mapping(item) for item in sequence(values.get("layers"))]
    lambdas = [
        LambdaLayer(item, text(mapping(item.get("config")).get("name")))
        for item in items
        if text(item.get("class_name")) == "Lambda"
    ]
    return any(each.rescaling("") is None for each in lambdas)

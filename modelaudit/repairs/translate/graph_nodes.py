"""Graph nodes that TensorFlow up to 2.3 saved as layers (TensorFlowOpLayer), as function calls.

`node_def` names the operation and its attributes; `constants` has its constant inputs by position.
The result is what TFOpLambda would have saved, so one table serves both.
"""

from __future__ import annotations

from collections.abc import Mapping

from modelaudit.facts import Json
from modelaudit.formats.keras.inbound_nodes import Argument, LayerCall
from modelaudit.formats.keras.json_config import mapping, sequence, text
from modelaudit.repairs.translate.translation import Config, Untranslatable

# Operation -> function, and the names of its inputs after the first.
_FUNCTIONS: Mapping[str, tuple[str, tuple[str, ...]]] = {
    **{
        name: (function, ("y",))
        for name, function in {
            "Mul": "math.multiply",
            "Add": "math.add",
            "AddV2": "math.add",
            "BiasAdd": "math.add",
            "Sub": "math.subtract",
            "RealDiv": "math.truediv",
            "Maximum": "math.maximum",
            "Minimum": "math.minimum",
            "Pow": "math.pow",
        }.items()
    },
    **{
        name: (f"math.reduce_{name.lower()}", ("axis",))
        for name in ("Mean", "Sum", "Max", "Min", "Prod")
    },
    **{
        name: (function, ())
        for name, function in {
            "Relu": "nn.relu",
            "Relu6": "nn.relu6",
            "Elu": "nn.elu",
            "Selu": "nn.selu",
            "Softplus": "nn.softplus",
            "Softmax": "nn.softmax",
            "Sigmoid": "math.sigmoid",
            "Tanh": "math.tanh",
            "Abs": "math.abs",
            "Sqrt": "math.sqrt",
            "Rsqrt": "math.rsqrt",
            "Square": "math.square",
            "Exp": "math.exp",
            "Log": "math.log",
            "Neg": "math.negative",
            "Sign": "math.sign",
            "Floor": "math.floor",
            "StopGradient": "stop_gradient",
        }.items()
    },
    "MatMul": ("linalg.matmul", ("b",)),
    "BatchMatMulV2": ("linalg.matmul", ("b",)),
    "Reshape": ("reshape", ("shape",)),
    "Transpose": ("transpose", ("perm",)),
    "ExpandDims": ("expand_dims", ("axis",)),
    "Squeeze": ("squeeze", ()),
    "Tile": ("tile", ("multiples",)),
    "Pack": ("stack", ()),
    "ConcatV2": ("concat", ()),
    "Cast": ("cast", ()),
}
_DTYPES = {"DT_FLOAT": "float32", "DT_HALF": "float16", "DT_DOUBLE": "float64", "DT_INT32": "int32"}
_DTYPES |= {"DT_INT64": "int64", "DT_BOOL": "bool", "DT_UINT8": "uint8"}
_MASKS = ("begin_mask", "end_mask", "shrink_axis_mask", "new_axis_mask", "ellipsis_mask")


def as_function_call(item: Config, call: LayerCall, route: str) -> tuple[Config, LayerCall]:
    """A TensorFlowOpLayer and its call, in the form of a TFOpLambda or SlicingOpLambda.

    Raises:
        Untranslatable: the operation, or an attribute, has no function here.
    """
    config = mapping(item.get("config"))
    definition = mapping(config.get("node_def"))
    operation, attributes = text(definition.get("op")), mapping(definition.get("attr"))
    inputs = _inputs(call, mapping(config.get("constants")))
    if operation == "StridedSlice":
        spec = _slice(inputs, attributes, route)
        return _layer("SlicingOpLambda", "__operators__.getitem"), LayerCall(
            (inputs[0],), {"slice_spec": spec}
        )
    if operation not in _FUNCTIONS:
        raise Untranslatable(route, f"no function is known for the graph operation {operation!r}")
    function, names = _FUNCTIONS[operation]
    first: Argument = inputs[0]
    kwargs: dict[str, Argument] = dict(zip(names, inputs[1:], strict=False))
    if operation == "ConcatV2":
        first, kwargs = inputs[:-1], {"axis": inputs[-1]}
    elif operation == "Pack":
        first, kwargs = inputs, {"axis": _number(attributes, "axis") or 0}
    elif operation == "Squeeze":
        axes: list[Argument] = [*_numbers(attributes, "squeeze_dims")]
        kwargs = {"axis": axes or None}
    elif operation == "Cast":
        stated = text(mapping(attributes.get("DstT")).get("type"))
        if stated not in _DTYPES:
            raise Untranslatable(route, f"it casts to {stated}")
        kwargs = {"dtype": _DTYPES[stated]}
    if mapping(attributes.get("keep_dims")).get("b"):
        kwargs["keepdims"] = True
    for key in ("transpose_a", "transpose_b", "adj_x", "adj_y"):
        if mapping(attributes.get(key)).get("b"):
            raise Untranslatable(route, f"{operation} is called with {key}")
    return _layer("TFOpLambda", function), LayerCall((first,), kwargs)


def _layer(kind: str, function: str) -> Config:
    return {"class_name": kind, "config": {"function": function}}


def _inputs(call: LayerCall, constants: Mapping[str, Json]) -> list[Argument]:
    """All inputs by position: tensors fill the places that no constant has."""
    first = call.args[0] if call.args else None
    tensors: list[Argument] = [*first] if isinstance(first, list) else [first]
    found: list[Argument] = []
    for place in range(len(tensors) + len(constants)):
        if str(place) in constants:
            found.append(constants[str(place)])
        elif tensors:
            found.append(tensors.pop(0))
    return found


def _number(attributes: Mapping[str, Json], key: str) -> int:
    value = mapping(attributes.get(key)).get("i", 0)
    try:
        return int(str(value))
    except ValueError:
        return 0


def _numbers(attributes: Mapping[str, Json], key: str) -> list[int]:
    listed = mapping(mapping(attributes.get(key)).get("list")).get("i")
    return [int(str(each)) for each in sequence(listed) if str(each).lstrip("-").isdigit()]


def _slice(inputs: list[Argument], attributes: Mapping[str, Json], route: str) -> Argument:
    """`slice_spec` of a strided slice with constant bounds."""
    bounds = [_constants(each) for each in inputs[1:4]]
    if len(bounds) < 3 or not all(bounds):
        raise Untranslatable(route, "it is a slice with computed bounds")
    begin, end, steps = bounds
    masks = {key: _number(attributes, key) for key in _MASKS}
    if masks["ellipsis_mask"]:
        raise Untranslatable(route, "it is a slice with an ellipsis")
    spec: list[Argument] = []
    for axis, (start, stop, step) in enumerate(zip(begin, end, steps, strict=False)):
        bit = 1 << axis
        if masks["new_axis_mask"] & bit:
            spec.append(None)
        elif masks["shrink_axis_mask"] & bit:
            spec.append(start)
        else:
            given: dict[str, Argument] = {"start": start, "stop": stop, "step": step}
            given |= {"start": None} if masks["begin_mask"] & bit else {}
            given |= {"stop": None} if masks["end_mask"] & bit else {}
            spec.append(given)
    return spec


def _constants(value: Argument) -> list[int]:
    return [each for each in value if isinstance(each, int)] if isinstance(value, list) else []

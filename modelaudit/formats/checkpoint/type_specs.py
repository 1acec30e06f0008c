"""Types of values that the signatures of saved functions name, besides tensors."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TypeAlias

from modelaudit.facts import Json
from modelaudit.formats.graph.protos import saved_messages_pb2 as pb

# Numbers of TensorFlow's own types, which its versions decode: 1 to 10, and that of ExtensionTypes,
# which are anonymous if nobody registers them (observed in 2.21). Libraries added others.
_BUILT_IN_TYPES = frozenset((*range(1, 11), pb.TypeSpecProto.EXTENSION_TYPE_SPEC))
# Later versions reserve this number, so some earlier ones used it.
_FORMER_TYPE = 11
TypeNames: TypeAlias = tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]
"""Types that libraries register, that TensorFlow has no number for, and that it had one for."""


def types_of(function: pb.SavedConcreteFunction) -> TypeNames:
    """Types in the signature of a concrete function."""
    return _types_in(function.canonicalized_input_signature, function.output_signature)


def _types_in(*values: pb.StructuredValue) -> TypeNames:
    """Types that the loader looks up by a name that a library registers, or by a number."""
    registered: list[str] = []
    numbered: list[str] = []
    former: list[str] = []
    left = [*reversed(values)]
    while left:
        value = left.pop()
        match value.WhichOneof("kind"):
            case "type_spec_value":
                spec = value.type_spec_value
                if spec.type_spec_class == pb.TypeSpecProto.REGISTERED_TYPE_SPEC:
                    registered.append(spec.type_spec_class_name)
                elif spec.type_spec_class == _FORMER_TYPE:
                    former.append(spec.type_spec_class_name)
                elif spec.type_spec_class not in _BUILT_IN_TYPES:
                    numbered.append(spec.type_spec_class_name)
                left.append(spec.type_state)
            case "list_value":
                left.extend(value.list_value.values)
            case "tuple_value":
                left.extend(value.tuple_value.values)
            case "dict_value":
                left.extend(value.dict_value.fields.values())
            case "named_tuple_value":
                left.extend(each.value for each in value.named_tuple_value.values)
    return tuple(registered), tuple(numbered), tuple(former)


def type_names(
    functions: Iterable[str], types: Mapping[str, TypeNames], spec: pb.FunctionSpec
) -> dict[str, Json]:
    """`types`, `numbered_types` and `former_types`, as in `TypeNames`."""
    found = [types[name] for name in dict.fromkeys(functions) if name in types]
    found.append(_types_in(spec.fullargspec, spec.input_signature))
    return {
        "types": [each for registered, _, _ in found for each in registered],
        "numbered_types": [each for _, numbered, _ in found for each in numbered],
        "former_types": [each for *_, former in found for each in former],
    }

"""MA123 to MA125: are the stored weights those of these layers, and as these layers have them?"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping

from modelaudit.facts import Json, Tensor
from modelaudit.findings import Confidence, Finding, Severity
from modelaudit.graphs import VARIABLE_KEY_END
from modelaudit.layer_classes import Trait, has
from modelaudit.measures.kernels.batchnorm import variable_names
from modelaudit.rules import examples
from modelaudit.rules.grammar import counted, quoted
from modelaudit.rules.grouped import LISTED
from modelaudit.rules.integrity.completeness import paired_by_place, weighted_layers
from modelaudit.rules.model import Facts, Family, Need, NotApplicable, NotRelevant, Rule
from modelaudit.rules.network.quantized_layers import quantized_owners
from modelaudit.structs import replace

REAL_ROLES = frozenset(
    [
        "kernel",
        "bias",
        "gamma",
        "beta",
        "moving_mean",
        "moving_variance",
        "recurrent_kernel",
        "embeddings",
        "depthwise_kernel",
        "pointwise_kernel",
    ]
)
_NUMBER = re.compile(r"_\d+$")
WIDTHS = {"bfloat16": 8, "float16": 11, "float32": 24, "float64": 53}  # bits of the mantissa


def _misordered(rule: Rule, facts: Facts) -> Iterator[Finding]:
    restore = facts.artifact.extra.get("restore")
    exchanged = restore.get("exchanged") if isinstance(restore, dict) else None
    said = variable_names(facts.artifact)
    for key in exchanged if isinstance(exchanged, list) else ():
        path = str(key).removesuffix(VARIABLE_KEY_END)
        yield rule.finding(
            f"{said.get(path, 'A variable')} is stored under {path}, which is the path of another "
            "variable.",
            route=path,
            key=path,
        )
    if facts.artifact.architecture is None and isinstance(exchanged, list):
        return
    weighted_layers(facts)
    if facts.artifact.architecture is not None and facts.artifact.architecture.assumed:
        raise NotRelevant("which part has which weights is up to the code of the class")
    names = facts.artifact.extra.get("misordered")
    owners = quantized_owners(facts.artifact)
    for name in names if isinstance(names, list) else ():
        owner = owners.get(str(name).rpartition("/")[0])
        if owner and str(name).split("/")[-2:-1] == [owner.name]:
            continue  # a quantized layer lists its kernel behind its bias
        yield rule.finding(
            f"The name of `{name}` does not match its position in the file.",
            route=str(name).split(" ", 1)[0],
            key=str(name),
        )


def _lost_layers(rule: Rule, facts: Facts) -> Iterator[Finding]:
    lost = facts.artifact.extra.get("lost_layers")
    if not isinstance(lost, list):
        raise NotRelevant("only Keras' weights files name the layers that saved them")
    if lost:
        names = [str(name) for name in lost]
        beside = "architecture_from" in facts.artifact.extra and not _of_another(facts, names)
        place = paired_by_place(facts)
        yield rule.finding(
            f"The weights were saved with {counted(len(names), 'layer', 'layers')} that "
            f"{f'`{place}` beside them' if place else 'the config'} lacks: "
            f"{', '.join(quoted(names[:LISTED]))}" + (" …" if len(names) > LISTED else "") + ".",
            route=names[0],
            severity=Severity.MEDIUM if beside or place else None,
            fix=rule.fix + (" Name its file with `--architecture`." if place else ""),
            evidence={
                "measured": len(names),
                "unit": "layers",
                "threshold": 0,
                "layers": [*names[:LISTED]],
            },
        )


def _of_another(facts: Facts, lost: list[str]) -> bool:
    """Whether the config has none of the layers that the weights name, by any number."""
    h5 = facts.artifact.extra.get("h5")
    named = h5.get("vars_names") if isinstance(h5, dict) else None
    architecture = facts.artifact.architecture
    if not isinstance(named, dict) or architecture is None:
        return False
    here = {_NUMBER.sub("", layer.name) for layer in architecture.layers}
    with_weights = {tensor.name.rpartition("/")[0] for tensor in facts.artifact.tensors}
    there = {_NUMBER.sub("", str(name)) for route, name in named.items() if route in with_weights}
    return len(lost) > 1 and here.isdisjoint(there)


def last_part(name: str) -> str:
    """The variable of `conv/kernel:0`."""
    return name.rpartition("/")[2].partition(":")[0].lstrip("_")


def variable_dtype(config: Mapping[str, Json]) -> str:
    """The dtype of a layer's variables by its config; "" if it does not say, or is quantized."""
    said = config.get("dtype")
    if isinstance(said, Mapping):
        inner = said.get("config")
        name = inner.get("name") if isinstance(inner, Mapping) else None
        said = (
            name
            if str(said.get("class_name")) in {"DTypePolicy", "Policy", "DTypePolicyV1"}
            else ""
        )
    word = said if isinstance(said, str) else ""
    word = "float32" if word.startswith("mixed_") else word
    return word if word in WIDTHS else ""


def _reals(facts: Facts) -> Iterator[tuple[str, Tensor, str]]:
    """Name, tensor and dtype of every variable of real numbers.

    The dtype is that in the layer's config. Without a config it is the most frequent one in the
    file, for weights that are integers, or narrower: wider layers in a narrow model are usual.
    """
    architecture = facts.artifact.architecture
    if architecture is None:
        yield from _unlike_most(facts)
        return
    tensors = facts.artifact.by_name
    for layer in weighted_layers(facts):
        wanted = variable_dtype(layer.config)
        norm = has(layer.class_name, Trait.BATCH_NORMALISATION | Trait.CHANNEL_NORMALISATION)
        for role, name in layer.variables.items():
            tensor = tensors.get(name)
            if tensor is None or not wanted or role.rpartition("/")[2] not in REAL_ROLES:
                continue
            if norm and tensor.dtype == "float32" and "16" in wanted:
                continue  # Keras 2 keeps the variables of normalizations in float32
            yield f"{layer.route}/{role}", tensor, "" if layer.custom else wanted


def _unlike_most(facts: Facts) -> Iterator[tuple[str, Tensor, str]]:
    names = variable_names(facts.artifact)
    reals = [
        (names.get(tensor.name, tensor.name), tensor)
        for tensor in facts.artifact.tensors
        if tensor.role == "weight" and last_part(names.get(tensor.name, tensor.name)) in REAL_ROLES
    ]
    if not reals:
        raise NotApplicable("neither a config nor names say which dtype the weights have")
    usual = Counter(tensor.dtype for _, tensor in reals).most_common(1)[0][0]
    for name, tensor in reals:
        integer = tensor.dtype in ("int32", "int64")
        narrow = WIDTHS.get(tensor.dtype, 99) < WIDTHS.get(usual, 0)
        yield name, tensor, usual if integer or narrow else tensor.dtype


def _dtypes(rule: Rule, facts: Facts) -> Iterator[Finding]:
    known = facts.artifact.architecture is not None
    compared = [(name, tensor, wanted) for name, tensor, wanted in _reals(facts) if wanted]
    different = [each for each in compared if each[1].dtype != each[2]]
    everywhere = len(different) == len(compared)
    for dtype, wanted in dict.fromkeys((tensor.dtype, wanted) for _, tensor, wanted in different):
        of_type = [
            (route, tensor)
            for route, tensor, said in different
            if (tensor.dtype, said) == (dtype, wanted)
        ]
        numbers = WIDTHS.get(dtype, 0)
        if numbers >= WIDTHS.get(wanted, 0):
            severity = Severity.LOW if everywhere else Severity.MEDIUM
        else:
            sure = known and not everywhere
            severity = Severity.HIGH if sure or not numbers else Severity.MEDIUM
        names = ", ".join(quoted(route for route, _ in of_type[:LISTED]))
        yield rule.finding(
            f"{len(of_type)} of {len(compared)} weights are stored as {dtype}, but "
            + (f"their layers have {wanted} variables" if known else f"most others as {wanted}")
            + f": {names}"
            + (" …" if len(of_type) > LISTED else "")
            + ".",
            file=of_type[0][1].file,
            route=of_type[0][0],
            severity=severity,
            evidence={
                "measured": len(of_type),
                "unit": "weights",
                "n": len(compared),
                "stored": dtype,
                "expected": wanted,
            },
        )


def _stored_as(dtype: str) -> Facts:
    policy: Json = {"class_name": "DTypePolicy", "config": {"name": "mixed_float16"}}
    kernel = replace(examples.tensor("dense/kernel"), dtype=dtype)
    layer = examples.layer(config={"dtype": policy})
    return Facts(examples.model(layer, tensors=(kernel, examples.tensor("dense/bias", (2,)))))


def _swapped() -> Facts:
    name = "model_weights/conv2d/conv2d_1/kernel:0"
    return Facts(examples.model(examples.layer(), extra={"misordered": [name]}))


RULES = (
    Rule(
        code="MA123",
        name="misordered-weights",
        family=Family.INTEGRITY,
        severity=Severity.HIGH,
        confidence=Confidence.MEDIUM,
        needs=(Need.TENSORS,),
        summary="Names inside the file indicate that weights are stored under the wrong layer",
        pass_title="Names inside the file match the layers",
        why="Weights of equal shape are loaded into each other's layers without an error, and the "
        "model's outputs are wrong.",
        fix="Save the model again in the session that trained it. Do not reorder the groups by "
        "hand.",
        check=_misordered,
        bad=_swapped,
        good=examples.healthy,
    ),
    Rule(
        code="MA124",
        name="lost-layers",
        family=Family.INTEGRITY,
        severity=Severity.HIGH,
        confidence=Confidence.HIGH,
        needs=(Need.ARCHITECTURE, Need.TENSORS),
        summary="The weights were saved by a model with layers that the config lacks",
        pass_title="The config has every layer that the weights name",
        why="Keras stores the names of all layers with the weights, also of layers without weights. "
        "Without a layer, the remaining weights may still fit, and the model computes something "
        "else.",
        fix="Use the config that was saved together with these weights.",
        check=_lost_layers,
        bad=lambda: Facts(examples.model(examples.layer(), extra={"lost_layers": ["relu"]})),
        good=lambda: Facts(examples.model(examples.layer(), extra={"lost_layers": []})),
    ),
    Rule(
        code="MA125",
        name="dtype-mismatch",
        family=Family.INTEGRITY,
        severity=Severity.HIGH,
        confidence=Confidence.HIGH,
        needs=(Need.TENSORS,),
        summary="A weight is stored in another dtype than its layer has",
        pass_title="Every weight is stored in the dtype of its layer",
        why="Keras casts the values without a message. Integers lost everything behind the decimal "
        "point, and float16 has three digits and overflows at 65,504. Wider numbers lose nothing, "
        "but show that something other than this model's `save` wrote them.",
        fix="Save the weights again from the model in its own dtype.",
        check=_dtypes,
        bad=lambda: _stored_as("float16"),
        good=lambda: _stored_as("float32"),
    ),
)

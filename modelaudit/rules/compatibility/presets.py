"""MA128 and MA231: the weights of KerasHub presets, and what loads them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from modelaudit.facts import Format, Json, ProblemKind
from modelaudit.findings import Confidence, Finding, Severity
from modelaudit.rules import examples
from modelaudit.rules.model import Facts, Family, Need, NotRelevant, Rule
from modelaudit.structs import replace

_LONGEST_NAME = 80  # characters of a class name that is told
_LONGEST_DOMAIN = 200  # characters of what is told about the image converter


def _preset(facts: Facts) -> Mapping[str, Json]:
    preset = facts.artifact.extra.get("preset")
    if facts.artifact.format is not Format.KERASHUB_PRESET or not isinstance(preset, dict):
        raise NotRelevant("only KerasHub presets count their weights")
    return preset


def _count(rule: Rule, facts: Facts) -> Iterator[Finding]:
    preset = _preset(facts)
    counted, stored = preset.get("parameters"), preset.get("stored")
    if isinstance(counted, bool) or not isinstance(counted, int):
        raise NotRelevant("the metadata has no `parameter_count`")
    if not isinstance(stored, int) or stored >= counted:
        return
    lacks = any(each.kind is ProblemKind.MISSING_SHARD for each in facts.artifact.problems)
    if lacks or not facts.artifact.complete:
        return  # files of weights that are missing or unreadable are reported as such
    yield rule.finding(
        f"The weights file has {stored:,} numbers, but the metadata counts {counted:,} parameters: "
        f"{counted - stored:,} are missing, or were adapters (LoRA) or packed integers.",
        evidence={"measured": stored, "unit": "numbers", "threshold": counted},
    )


def _package(rule: Rule, facts: Facts) -> Iterator[Finding]:
    if facts.artifact.format is not Format.KERASHUB_PRESET:
        return
    preset = _preset(facts)
    task, backbone = preset.get("task"), preset.get("class")
    name = next((each for each in (task, backbone) if _is_name(each)), "Backbone")
    version = f" {preset['keras_hub']}" if isinstance(preset.get("keras_hub"), str) else ""
    yield rule.finding(
        f"A preset of {name}, saved by KerasHub{version}: `load_model` does not read it."
        + _domain(preset.get("converter")),
        evidence={"measured": name, "backbone": backbone, "task": task},
        fix="Install keras-hub, audit the code in the configs first, then load it:\n\n"
        f'    import keras_hub\n    model = keras_hub.models.{name}.from_preset("MODEL")',
    )


def _is_name(value: Json) -> bool:
    return isinstance(value, str) and value.isidentifier() and len(value) < _LONGEST_NAME


def _domain(converter: Json) -> str:
    """What the image converter makes of pixels, as a sentence; "" without one."""
    if not isinstance(converter, dict):
        return ""
    size, scale, offset = (converter.get(key) for key in ("image_size", "scale", "offset"))
    done = [f"resizes images to {' x '.join(map(str, size))}"] if isinstance(size, list) else []
    done += [f"multiplies pixels by {scale}"] if scale is not None else []
    done += [f"adds {offset}"] if offset is not None else []
    return f" Its image converter {', '.join(done)[:_LONGEST_DOMAIN]}." if done else ""


def _example(**changes: Json) -> Facts:
    preset: dict[str, Json] = {"class": "BertBackbone", "parameters": 16, "stored": 16}
    made = examples.model(
        tensors=(examples.tensor("layers/dense/vars/0", (4, 4)),),
        extra={"preset": {**preset, **changes}},
        kind=Format.KERASHUB_PRESET,
    )
    return Facts(made)


def _other() -> Facts:
    return Facts(replace(_example().artifact, format=Format.KERAS_ARCHIVE))


RULES = (
    Rule(
        code="MA128",
        name="preset-weights-missing",
        family=Family.INTEGRITY,
        severity=Severity.MEDIUM,
        confidence=Confidence.HIGH,
        needs=(Need.ARTIFACT,),
        summary="A KerasHub preset has fewer weights than its metadata counts",
        pass_title="The weights are as many as the metadata counts",
        why="`from_preset` fills the layers from the weights file. What the file lacks keeps its "
        "initial values or stops the loading.",
        fix="Download the preset again, or save it again with `save_to_preset`.",
        check=_count,
        bad=lambda: _example(parameters=20),
        good=_example,
        references=("https://keras.io/keras_hub/guides/upload/",),
    ),
    Rule(
        code="MA231",
        name="needs-keras-hub",
        family=Family.COMPATIBILITY,
        severity=Severity.INFO,
        confidence=Confidence.CERTAIN,
        needs=(Need.ARTIFACT,),
        summary="KerasHub loads the model, Keras alone does not",
        pass_title="The model is no KerasHub preset",
        why="The configs of a preset name classes of KerasHub and their arguments, so its layers "
        "are known only to that package.",
        fix="Install keras-hub and use `from_preset`.",
        check=_package,
        bad=_example,
        good=_other,
        references=("https://keras.io/keras_hub/guides/upload/",),
    ),
)

"""MA801 and MA803: does the model keep the contract of the registry that it is stored in?"""

from __future__ import annotations

from collections.abc import Iterator

from modelaudit.changes.interface import signature_changes, with_known_names
from modelaudit.facts import Artifact, Endpoint, Format, Json, Signature
from modelaudit.findings import Confidence, Finding, Remedy, Severity
from modelaudit.formats.export_names import EXPORTS
from modelaudit.graphs import LiteModel
from modelaudit.probe.pair.model import ExportNumbers, PairVerdict
from modelaudit.probe.pair.source import ExportSource, by_weights
from modelaudit.probe.pair.wording import code, sentences
from modelaudit.restore.model import WeightComparison
from modelaudit.rules.compatibility.mlflow import interface_of
from modelaudit.rules.examples import healthy
from modelaudit.rules.model import Facts, Family, Need, NotApplicable, NotRelevant, Rule
from modelaudit.structs import replace


def _check_breaking(rule: Rule, facts: Facts) -> Iterator[Finding]:
    if facts.previous is None:
        raise NotRelevant("the model does not follow another version in a versioned directory")
    before, after = facts.previous.signatures, facts.artifact.signatures
    by_position = bool(facts.previous_name)  # as MLflow passes inputs
    if by_position and not (before and after):
        before, after = _of_config(facts.previous), _of_config(facts.artifact)
    if not before or not after:
        which = "the previous version" if not before else "this version"
        raise NotApplicable(f"{which} has no signatures to compare")
    if by_position:
        known = {each.name: each for each in before}
        after = tuple(with_known_names(known.get(each.name, each), each) for each in after)
    version = facts.previous_name or facts.previous.root.name
    for change in signature_changes(before, after):
        if change.breaking:
            what = str(change)
            yield rule.finding(
                f"Compared with version `{version}`: {what}.",
                key=what,
                evidence={"previous": version, "change": what},
            )


def _of_config(artifact: Artifact) -> tuple[Signature, ...]:
    """The inputs and outputs of a Keras model, as its config declares them."""
    own = interface_of(artifact) if artifact.architecture else None
    return (replace(own, name="model"),) if own else ()


def _check_export(rule: Rule, facts: Facts) -> Iterator[Finding]:
    if facts.artifact.format not in EXPORTS:
        raise NotRelevant("only exports are compared with their source")
    source = facts.source
    if source is None:
        raise NotApplicable("no other model that was found has its name or its weights")
    pair, name = source.pair, source.artifact.root.name
    if pair.verdict is PairVerdict.UNKNOWN:
        why = f" ({source.not_run})" if source.not_run else ""
        raise NotApplicable(f"whether it is the model in {name} was not seen: {pair.reason}{why}")
    if pair.same:
        return
    certain = source.ran and bool(pair.causes) and pair.causes[0].certain
    whole = source.weights.identical == source.weights.compared
    if not (source.named or certain or whole):
        raise NotApplicable(
            f"it has many weights of {name}, but not its name: perhaps both were trained from the "
            "same base"
        )
    if source.taken_for and not source.ran:
        said = f"It has the name of `{name}`, but all weights of {source.taken_for}"
    elif not source.ran:
        weights = source.weights
        said = (
            f"It has the name of `{name}`, but {weights.identical:,} of {weights.compared:,} of its "
            "weights: a part of it, another model, or one whose weights the converter changed in a "
            "way that is not known"
        )
    else:
        said = f"It is not the model in {name}: " + "; ".join(sentences(pair))
    mend = code(pair)
    yield rule.finding(
        f"{said}.",
        key=name,
        evidence=_export_evidence(source),
        fix=Remedy(
            f"Mend it where it is called, or export it again:\n\n{_indented(mend)}", loads=True
        )
        if mend
        else "",
        severity=None if source.ran else Severity.LOW,
        confidence=Confidence.CERTAIN if certain else None,
    )


def _export_evidence(source: ExportSource) -> dict[str, Json]:
    pair, weights = source.pair, source.weights
    told: dict[str, Json] = {
        "source": source.artifact.root.name,
        "weights": weights.compared,
        "found": weights.identical,
        "causes": [each.kind.value for each in pair.causes],
    }
    if pair.outputs:
        worst = max(pair.outputs, key=lambda each: each.rms)
        told |= {"measured": worst.rms, "unit": "of the spread of the outputs", "n": worst.n}
    return told


def _indented(lines: str) -> str:
    return "\n".join(f"    {line}" for line in lines.splitlines())


def _exported(found: int) -> Facts:
    """An export that has so many of the ten weights of its source."""
    artifact = replace(healthy().artifact, format=Format.TFLITE, lite=LiteModel())
    missing = tuple(f"dense_{i}/kernel" for i in range(10 - found))
    weights = WeightComparison(10, found, missing=missing)
    pair = by_weights(weights, ExportNumbers.FLOAT)
    return Facts(artifact, source=ExportSource(healthy().artifact, True, weights, pair))


def _version(shape: tuple[int | None, ...]) -> Artifact:
    port = Endpoint("x", "x:0", "float32", shape)
    signature = Signature("serving_default", "predict", (port,), ())
    return replace(healthy().artifact, signatures=(signature,))


def _followed(shape: tuple[int | None, ...]) -> Facts:
    return Facts(_version(shape), previous=_version((None, 28, 28, 1)))


RULES = (
    Rule(
        code="MA801",
        name="breaking-version",
        family=Family.REGISTRY,
        severity=Severity.MEDIUM,
        confidence=Confidence.CERTAIN,
        needs=(Need.ARTIFACT,),
        summary="Clients of the previous version may fail on this version",
        pass_title="Clients of the previous version can call this version",
        why="A server that watches a directory of numbered versions loads the highest number as "
        "soon as it appears. If that version takes other inputs, every client fails at that "
        "moment although nobody deployed anything. If it returns other outputs, those fail that "
        "name an output or count its classes.",
        fix="Export the new model with the old signature (same names, types and shapes), or "
        "under another model name until all clients are updated:\n\n"
        "    saved_model_cli show --dir MODEL --all",
        check=_check_breaking,
        bad=lambda: _followed((None, 32, 32, 3)),
        good=lambda: _followed((None, None, None, 1)),
        references=("https://www.tensorflow.org/tfx/serving/serving_config",),
    ),
    Rule(
        code="MA803",
        name="export-differs",
        family=Family.REGISTRY,
        severity=Severity.HIGH,
        confidence=Confidence.HIGH,
        needs=(Need.ARTIFACT,),
        summary="The export is not the same model as its source",
        pass_title="The export is the same model as its source, as far as both were compared",
        why="What is deployed is the export, but what was tested is the source. If the export was "
        "made from another training, expects other inputs, or was quantised with unrepresentative "
        "data, nothing in either file says so.",
        fix="See what differs on images of yours, and export the model again:\n\n"
        "    modelaudit diff SOURCE EXPORT --probe-data IMAGES",
        check=_check_export,
        bad=lambda: _exported(0),
        good=lambda: _exported(10),
    ),
)

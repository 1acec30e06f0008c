"""Running a model and its export on the same inputs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path

import numpy as np
from msgspec import Struct

from modelaudit.errors import UsageError
from modelaudit.facts import Artifact
from modelaudit.measures.behaviour.output_forms import OutputForm
from modelaudit.measures.value_transforms import channel_axis, given_range, paired_transforms
from modelaudit.probe.host.feed import ActivationRequest
from modelaudit.probe.host.observe import restored
from modelaudit.probe.host.runtime import RuntimeHandle
from modelaudit.probe.host.session import Session
from modelaudit.probe.pair.model import ExportPair, PairedOutput, PairVerdict, export_numbers
from modelaudit.probe.pair.outputs import (
    as_fed,
    describe_pair,
    finite_causes,
    flat,
    paired_outputs,
)
from modelaudit.probe.pair.search import FormSearch, PairForm, for_all
from modelaudit.probe.pair.tensors import (
    InnerValues,
    calibration_causes,
    made_tensors,
    made_with,
)
from modelaudit.probe.pair.verdict import (
    LIMITS,
    PairFacts,
    form_causes,
    informs,
    judge,
    order_by_names,
    within_rounding,
)
from modelaudit.probe.study.feeding import PreparedInputs, class_names, prepare_inputs
from modelaudit.probe.study.golden_replay import in_order
from modelaudit.probe.study.inputs import Unprobeable
from modelaudit.probe.study.output_tasks import kind_of
from modelaudit.probe.study.runner import (
    AS_GIVEN,
    Array,
    InputVariant,
    MeasurementUnavailable,
    Runner,
    StudyEnded,
)
from modelaudit.restore.model import WeightComparison
from modelaudit.settings import ProbeSettings, declared_task
from modelaudit.structs import replace
from modelaudit.thresholds.restoration import EXPORT_INNER

SCREENED = 16  # inputs on which all forms are tried, and inner values are compared


class PairSide(Struct, frozen=True):
    """A loaded model of a pair."""

    session: Session
    artifact: Artifact


def compare_saved(
    source: Artifact,
    export: Artifact,
    weights: WeightComparison,
    settings: ProbeSettings,
    handles: Sequence[RuntimeHandle],
) -> ExportPair:
    """Compare a model with its export, both in the sandbox.

    Args:
        source: a model that is run, with one input or several.
        export: a model of TensorFlow Lite or TensorFlow.js.
        weights: the source's weights in the export.
        settings: `data` are inputs and labels.
    """
    try:
        with ExitStack() as stack:
            sides = [
                PairSide(stack.enter_context(restored(each, settings, handles)), each)
                for each in (source, export)
            ]
            return compare_sides(sides[0], sides[1], weights, settings)
    except UsageError as error:
        return untold(export, str(error))


def compare_sides(
    source: PairSide, export: PairSide, weights: WeightComparison, settings: ProbeSettings
) -> ExportPair:
    """As `compare_saved`, of loaded models."""
    data = Path(settings.data) if settings.data else None
    fed = prepare_inputs(source.session.observation, source.artifact, settings, data)
    if isinstance(fed, Unprobeable):
        return untold(export.artifact, fed.reason)
    ports = export.session.observation.inputs
    names = [port.name for port in source.session.observation.inputs]
    given = in_order(dict(zip(names, fed.arrays, strict=True)), ports)
    if given is None:
        sizes = ", ".join(str(port.shape) for port in ports)
        reason = f"the export's inputs {sizes} do not match those of the source {fed.info.shape}"
        return untold(export.artifact, reason)
    places = [next(i for i, each in enumerate(fed.arrays) if each is one) for one in given]
    try:
        return _Comparison(source, export, weights, fed, places).run()
    except StudyEnded as end:
        return untold(export.artifact, end.observation.failure)
    except MeasurementUnavailable as error:
        return untold(export.artifact, str(error))


def untold(export: Artifact, reason: str) -> ExportPair:
    """What is known of an export that could not be compared with its source, for this reason."""
    numbers, web = export_numbers(export), export.lite is None
    return ExportPair(PairVerdict.UNKNOWN, numbers, reason=reason, web=web)


class _Comparison:
    def __init__(
        self,
        source: PairSide,
        export: PairSide,
        weights: WeightComparison,
        fed: PreparedInputs,
        places: Sequence[int],
    ) -> None:
        self.source, self.export, self.weights, self.fed = source, export, weights, fed
        self.lite = export.artifact.lite
        self.numbers = export_numbers(export.artifact)
        self.limit = LIMITS[self.numbers]
        self.first = Runner(source.session, fed.moves, fed.rescaled)
        moves = tuple(fed.moves[place] for place in places)
        self.second = Runner(export.session, moves, tuple(fed.rescaled[i] for i in places))
        few = np.unique(np.linspace(0, fed.info.n - 1, SCREENED).round().astype(int))
        self.few = few
        ports = export.session.observation.inputs
        exported = [
            as_fed(fed.arrays[i], port.dtype) for i, port in zip(places, ports, strict=True)
        ]
        self.first.put("x", fed.arrays)
        self.first.put("few", [each[few] for each in fed.arrays])
        self.second.put("x", exported)
        self.second.put("few", [each[few] for each in exported])

    def run(self) -> ExportPair:
        """All measurements, and the verdict."""
        then, now = self.first.predict(), self.second.predict()
        paired = paired_outputs(then, now)
        alone = [f"{each} {value.shape[1:]}" for each, value in then.items() if each not in paired]
        lost = f"the export has no output as the source's {', '.join(alone)}" if alone else ""
        broken = tuple(finite_causes(then, now, paired))
        found = ExportPair(
            PairVerdict.DIFFERENT if lost or broken else PairVerdict.UNKNOWN,
            self.numbers,
            inputs=self.fed.info.kind,
            given=given_range(self.fed.arrays[0]),
            causes=broken,
            reason=lost,
            notes=self.fed.info.notes,
            web=self.lite is None,
        )
        plains = {
            each: OutputForm("", flat(then[each]), flat(now[other]))
            for each, other in paired.items()
        }
        told = [each for each, form in plains.items() if informs(form.wanted)]
        if broken or not told:
            same = "the source gives nearly the same output for all of the inputs"
            return found if broken or lost else replace(found, reason=same)
        moved = tuple(
            each
            for each, form in plains.items()
            if each not in told
            and not within_rounding(form, self.numbers, self._step(paired[each]))
        )
        outputs = tuple(self._described(each, paired[each], plains[each]) for each in told)
        name = told[0]
        plain = plains[name]
        wanted = plain.wanted
        best = self._best(name, paired[name], wanted, plain)
        facts = PairFacts(
            numbers=self.numbers,
            user=self.fed.info.kind == "user",
            given=found.given,
            outputs=outputs,
            plain=plain,
            best=best,
            named=self._named(wanted.shape[1]),
            weights=self.weights,
            moved=moved,
        )
        verdict, causes, reason = judge(facts, ())
        parted = ("", "")
        if verdict is PairVerdict.DIFFERENT and not form_causes(facts):
            seen = self._tensors()
            inner = self._inner(seen)
            parted = inner.parting(min(self.limit, EXPORT_INNER.value))
            if facts.error <= self.limit and self._without_effect(inner):
                facts = replace(facts, weights=WeightComparison(0, 0))
            ranges = calibration_causes(self.lite, seen, inner) if self.lite else ()
            verdict, causes, reason = judge(facts, [*ranges])
        undone = any(each in causes for each in form_causes(facts))
        mended = (self._described(name, paired[name], best.output),) if undone else ()
        return replace(
            found,
            verdict=PairVerdict.DIFFERENT if lost else verdict,
            outputs=outputs,
            causes=causes,
            mended=mended,
            agrees_to=parted[0],
            parts_at=parted[1],
            reason=lost or reason,
        )

    def _best(self, name: str, other: str, wanted: Array, plain: OutputForm) -> PairForm:
        """The best form of inputs and outputs, for all inputs."""

        def ask(variant: InputVariant, rows: str = "few") -> Array | None:
            try:
                return flat(self.second.predict(rows, variant)[other])
            except MeasurementUnavailable:
                return None

        scaled = any(self.second.rescaled)
        x = self.fed.arrays[0]
        channels = channel_axis(self.fed.info.shape, self.fed.moves[0].values())
        domains = paired_transforms(x, channels) if scaled else ()
        moves = sorted({move for each in self.second.moves for move in each})
        screened = FormSearch(wanted[self.few], ask, moves, domains, self.limit).run()
        given = PairForm(AS_GIVEN, plain, plain.error)
        if screened is None or not screened.complexity:
            return given
        got = ask(screened.variant, "x")
        if got is None:
            return given
        return for_all(screened, wanted, got)

    def _described(self, name: str, other: str, form: OutputForm) -> PairedOutput:
        task = declared_task(self.fed.tasks, name)
        single = len(self.source.session.observation.outputs) == 1
        kind = kind_of(
            *(form.wanted, self.source.artifact, self.fed.y), name=name, single=single, task=task
        )
        return describe_pair(name, form, self._step(other), kind.name, self.fed.y)

    def _step(self, name: str) -> float | None:
        """The step of an output of the export; None for floats."""
        if self.lite is None:
            return None
        ports = [port for each in self.export.artifact.signatures for port in each.outputs]
        tensors = [self.lite.endpoint(port) for port in ports if port.name == name]
        steps = {each.quantization.scale[0] for each in tensors if each and each.quantization}
        return max(steps) if len(steps) == 1 and min(steps) > 0 else None

    def _named(self, width: int) -> tuple[int, ...] | None:
        names = class_names(self.source.artifact), class_names(self.export.artifact)
        return order_by_names(*names) if len(names[0]) == width else None

    def _tensors(self) -> dict[str, Array]:
        """Values of the export's inputs and tensors for the screened inputs, by index.

        Of layers their outputs, by route.
        """
        if self.lite is None:
            routes = _routes(self.export.artifact)
        else:
            made = made_tensors(self.lite, len(self.few))
            routes = (*map(str, self.lite.subgraphs[0].inputs), *map(str, made))
        try:
            (seen,) = self.second.activations([ActivationRequest(routes)], "few")
        except MeasurementUnavailable:
            return {}
        return dict(seen)

    def _inner(self, seen: Mapping[str, Array]) -> InnerValues:
        """The outputs of all layers of the source, and these of the export."""
        routes = _routes(self.source.artifact)
        if not seen or not routes:
            return InnerValues({}, {})
        try:
            (values,) = self.first.activations([ActivationRequest(routes)], "few")
        except MeasurementUnavailable:
            return InnerValues({}, {})
        return InnerValues({name: each for name, each in values.items() if each.ndim > 1}, seen)

    def _without_effect(self, inner: InnerValues) -> bool:
        """Whether the export has the outputs of all layers whose weights seem to differ.

        Something else is then folded into the weights than what is known.
        """
        owners, others = _owners(self.source.artifact), _owners(self.export.artifact)
        weights, limit = self.weights, EXPORT_INNER.value
        lite = self.lite
        same = [
            inner.agrees(made_with(lite, each.found) if lite else others.get(each.found, ""))
            or inner.has_layer(owners.get(each.tensor, ""), limit)
            for each in weights.differing
        ]
        same += [inner.has_layer(route, limit) for route in weights.refolded]
        return bool(same) and all(same)


def _routes(artifact: Artifact) -> tuple[str, ...]:
    """Routes of the layers that are no models; none of a graph."""
    layers = artifact.architecture.layers if artifact.architecture else ()
    return tuple(each.route for each in layers if not each.is_model)


def _owners(artifact: Artifact) -> Mapping[str, str]:
    """Tensor -> route of the layer that has it."""
    layers = artifact.architecture.layers if artifact.architecture else ()
    return {name: layer.route for layer in layers for name in layer.variables.values()}

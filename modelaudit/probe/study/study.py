"""The study of a restored model: all measurements, in order.

Repeated runs come first (a random model cannot be measured), then transforms and value ranges,
then activations, then interventions. A measurement that is not possible is skipped with its
reason; a child that dies ends the study.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import TypeVar

import numpy as np
from msgspec import UNSET

from modelaudit.audit_types.behaviour import (
    BatchNormFit,
    Intervention,
    LayerResidual,
    OutputBehaviour,
)
from modelaudit.facts import Artifact
from modelaudit.measures.architecture.modality import model_modality
from modelaudit.measures.behaviour.collapse import (
    InputDiversity,
    bias_effect,
    collapse,
    informativeness,
)
from modelaudit.measures.behaviour.outputs import comparable
from modelaudit.measures.behaviour.transform_effects import phase_scrambled
from modelaudit.measures.summary import Behaviour
from modelaudit.measures.transforms import Transform
from modelaudit.measures.value_transforms import DomainTransform, channel_axis, domain_transforms
from modelaudit.probe.host.session import Session
from modelaudit.probe.host.variable_pairing import variable_paths
from modelaudit.probe.protocol import Observation
from modelaudit.probe.study import interventions
from modelaudit.probe.study.activations import LayerActivations
from modelaudit.probe.study.combinations import CombinationSearch, mirrored_outputs, variant_name
from modelaudit.probe.study.determinism import RepeatedRuns, run_repeatedly
from modelaudit.probe.study.feeding import PreparedInputs, prepare_inputs
from modelaudit.probe.study.inputs import Uncallable, Unprobeable
from modelaudit.probe.study.labels import score_of
from modelaudit.probe.study.open_sizes import inputs_to_try, sizes_to_give
from modelaudit.probe.study.output import Outputs, VariantOutputs, describe_output
from modelaudit.probe.study.runner import (
    InputVariant,
    MeasurementUnavailable,
    Runner,
    StudyEnded,
)
from modelaudit.probe.study.sample_budget import (
    batch_size,
    max_batch_size,
    statistics_sample_size,
    with_declared_sizes,
    within_time,
)
from modelaudit.probe.study.sensitivity import study_sensitivity
from modelaudit.probe.study.value_domain import on_larger_scales, unusual_inputs, within_domain
from modelaudit.settings import ProbeSettings
from modelaudit.thresholds.weights import MISFIT, MISFIT_ALIKE

T = TypeVar("T")

FLOORED = 4  # transforms with a floor for synthetic inputs: H, V, r90, r180


def study(
    session: Session, artifact: Artifact, settings: ProbeSettings, data: Path | None
) -> Behaviour | Observation | Unprobeable:
    """Run a loaded model on probe inputs and measure its behaviour.

    Args:
        settings: number of synthetic inputs, seed, time limit.

    Returns:
        The behaviour; or the observation if the child ended; or why there are no inputs.
    """
    fed = prepare_inputs(session.observation, artifact, settings, data)
    if isinstance(fed, Unprobeable):
        return fed
    failures, accepted = [], False
    end = time.monotonic() + settings.timeout
    try:
        for each in inputs_to_try(session, artifact, settings, fed):
            fed = with_declared_sizes(each, session.observation.outputs, artifact)
            runner = Runner(session, fed.moves, fed.rescaled, batch_size(fed))
            try:
                fed = within_domain(runner, within_time(runner, fed, end - time.monotonic()))
            except MeasurementUnavailable as error:
                failures.append(str(error))
                continue
            accepted = True
            return _Study(session, artifact, settings.seed, fed, end).run()
    except StudyEnded as ended:
        if accepted or not failures:
            return ended.observation
        # Other sizes were only tried: what they do is no fault of the model.
        failures.append(f"a trial of other sizes ended ({ended.observation.failure})")
    except MeasurementUnavailable as error:
        return Uncallable(str(error))
    other = "".join(f"; otherwise: {failure}" for failure in failures[1:])
    return Uncallable(f"{failures[0]}{other}{sizes_to_give(session, fed)}")


class _Study:
    """State shared by the parts of a study."""

    def __init__(
        self, session: Session, artifact: Artifact, seed: int, fed: PreparedInputs, end: float
    ) -> None:
        self.artifact, self.fed, self.end = artifact, fed, end
        self.modality = model_modality(artifact, session.observation.inputs).kind
        self.seen, self.runtime = session.observation, session.observation.runtime
        self.paths = variable_paths(artifact, session.observation)
        self.runner = Runner(session, fed.moves, fed.rescaled, batch_size(fed), max_batch_size(fed))
        self.rng = np.random.default_rng(seed)
        self.skipped: dict[str, str] = {}
        # The transforms are those of the first input that has any.
        self.moves: Mapping[str, Transform] = next((m for m in fed.moves if m), {})
        self.user = fed.info.kind == "user"
        self.few, self.rows = "x", np.arange(fed.info.n)
        scaled = self.user and any(fed.rescaled) and not fed.columns
        channels = channel_axis(fed.info.shape, self.moves.values())
        self.domains = domain_transforms(fed.arrays[0], channels) if scaled else fed.columns

    def run(self) -> Behaviour:
        """Run all measurements."""
        self.runner.put("x", self.fed.arrays)
        # Store some of the inputs separately, if all are more than needed
        few = statistics_sample_size(self.fed)
        if few < self.fed.info.n:
            spread = np.linspace(0, self.fed.info.n - 1, few)  # even if sorted
            self.few, self.rows = "few", spread.round().astype(int)
            self.runner.put(self.few, [array[self.rows] for array in self.fed.arrays])
        seen, n = self.seen, len(self.rows)
        self.inner = LayerActivations(self.runner, self.artifact, seen, self.few, n)
        repeats = run_repeatedly(self.runner, self.artifact, self.few)
        fits = self._try("batch normalization", self._batchnorm) or ()
        answers = self._answers(repeats)
        outputs = tuple(
            describe_output(
                name,
                answers,
                self.artifact,
                self.moves,
                self._diversity(fits),
                self.rng,
                oriented=self.fed.oriented,
                tasks=self.fed.tasks,
            )
            for name in repeats.given
        )
        scale = partial(on_larger_scales, self.runner, self.fed, repeats.given)
        outputs = tuple(self._try("larger inputs", partial(scale, o)) or o for o in outputs)
        others = unusual_inputs(self.fed)
        parts = self.runner, self.fed, self.modality, self.rows, repeats, outputs, self.end
        return Behaviour(
            runtime=self.runtime,
            inputs=self.fed.info,
            noise_floor=repeats.noise,
            deterministic=repeats.deterministic,
            repeat_differs=repeats.repeat_differs,
            outputs=outputs,
            dead=self._try("dead units", partial(self.inner.dead_shares, others)) or {},
            residuals=self._try("layer residuals", self._residuals) or (),
            interventions=self._interventions(repeats, outputs, fits),
            batchnorm=fits,
            training_flag_matters=repeats.training_flag_matters,
            sensitivity=self._try("sensitivity", partial(study_sensitivity, *parts)) or (),
            skipped=self.skipped,
        )

    def _try(self, name: str, ask: Callable[[], T]) -> T | None:
        """The result of a measurement; None if it is not possible, with the reason recorded."""
        try:
            return ask()
        except MeasurementUnavailable as error:
            self.skipped[name] = str(error)
            return None

    def _batchnorm(self) -> tuple[BatchNormFit, ...]:
        moves = tuple(self.moves) if self.user and self.fed.oriented else ()
        return self.inner.batchnorm_fits(moves, self.domains)

    def _residuals(self) -> tuple[LayerResidual, ...]:
        mirror = next(iter(self.moves.values()), None)
        if mirror is None or not self.fed.oriented:
            return ()
        return self.inner.residuals(mirror)

    def _diversity(self, fits: tuple[BatchNormFit, ...]) -> InputDiversity:
        consistent = all(fit.misfit <= MISFIT_ALIKE.value for fit in fits) if fits else None
        return InputDiversity(
            synthetic=not self.user,
            largest_class=self.fed.info.largest_class,
            batchnorm_consistent=consistent,
        )

    def _answers(self, repeats: RepeatedRuns) -> VariantOutputs:
        """Outputs for all variants of the inputs."""
        moved = {name: self.runner.predict("x", InputVariant(name)) for name in self.moves}

        def ask(variant: InputVariant) -> Outputs | None:
            predict = partial(self.runner.predict, "x", variant)
            return self._try(f"inputs {variant_name(variant)}", predict)

        asked = {domain.name: ask(InputVariant("e", domain)) for domain in self.domains}
        rescaled = {name: outputs for name, outputs in asked.items() if outputs is not None}
        singles = {"e": repeats.given, **moved, **rescaled}
        parts = self.domains, self.fed, self.artifact, ask
        combined = CombinationSearch(singles, moved, *parts).run()
        mirrored = mirrored_outputs(repeats.given, rescaled, *parts) if rescaled else {}
        floors = {}
        # For synthetic inputs, one quarter turn represents the others and the transpositions.
        floored = list(self.moves.values())[: None if self.user else FLOORED]
        for move in floored if self.fed.oriented else ():
            name = f"architecture floor {move.name}"
            pair = self._try(name, partial(self._floor, move))
            if pair is not None:
                floors[move.name] = pair
        return VariantOutputs(
            given=repeats.given,
            noise=repeats.noise,
            moved=moved,
            rescaled=rescaled,
            combined=combined,
            mirrored=mirrored,
            mix=self._try("built-in mix", self._mix),
            floors=floors,
            scrambled=self._scrambled(),
            y=self.fed.y,
        )

    def _floor(self, move: Transform) -> tuple[Outputs, Outputs]:
        with interventions.symmetrised_kernels(
            self.runner, self.artifact, self.paths, move.element
        ):
            return self.runner.predict(self.few), self.runner.predict(
                self.few, InputVariant(move.name)
            )

    def _mix(self) -> Outputs | None:
        if self.fed.mix is None:
            return None
        return self.runner.predict_once(self.fed.mix)

    def _scrambled(self) -> Mapping[str, Outputs]:
        """Outputs for a control that differs from the input as much as its mirror image."""
        move = next(iter(self.moves.values()), None)
        if move is None or not self.fed.oriented or len(self.fed.arrays) != 1:
            return {}
        if self.fed.arrays[0].dtype.kind != "f":
            return {}
        x = self.fed.arrays[0]
        first = move.first_axis
        axes = tuple(range(first, first + len(move.element.perm)))
        control = phase_scrambled(x, move.apply(x), self.rng, axes).astype(x.dtype)
        return {move.name: self.runner.predict_once([control])}

    def _interventions(
        self,
        repeats: RepeatedRuns,
        outputs: tuple[OutputBehaviour, ...],
        fits: tuple[BatchNormFit, ...],
    ) -> Mapping[str, Intervention]:
        """Effects of interventions on the first collapsed output, or on the first output."""
        output = next((o for o in outputs if o.collapse.collapsed), outputs[0])
        found: dict[str, Intervention] = {}

        def ask(key: str, what: str, measure: Callable[[], Intervention | None]) -> None:
            made = self._try(what, measure)
            if made is not None:
                found[key] = made

        ask("centre_head_bias", "centred head bias", partial(self._centred, repeats, output))
        if output.collapse.collapsed and "dead units" in self.skipped:
            ask("clear_negative_bias", "cleared biases", partial(self._cleared, repeats, output))
        low, high = self.fed.info.value_range
        assumed = not self.user and 0 <= low < high <= 1
        if output.collapse.collapsed and assumed and any(self.fed.rescaled):
            pixels = partial(self._as_pixels, repeats, output)
            ask("inputs_times_255", "inputs from 0 to 255", pixels)
        if self.user and interventions.unmet(output) and self.fed.y is not None:
            parts = self.runner, self.artifact, self.paths, repeats.given[output.name]
            swap = partial(interventions.exchanged, *parts, output, self.fed.y)
            ask("exchange_layers", "exchanged layers", swap)
        first = next((fit.route for fit in fits if fit.misfit > MISFIT.value), "")
        if self.user and fits and (first or output.collapse.collapsed):
            asked = ("recalibrate_batchnorm", ""), ("recalibrate_one_batchnorm", first)
            for key, only in asked if first and len(fits) > 1 else asked[:1]:
                again = partial(self._recalibrated, repeats, output, only)
                ask(key, "recalibrated batch normalization", again)
        return found

    def _centred(self, repeats: RepeatedRuns, output: OutputBehaviour) -> Intervention:
        stored = repeats.given[output.name]
        head, centred = interventions.with_centred_bias(
            self.runner, self.artifact, self.paths, output.name, repeats.given
        )
        effect = bias_effect(
            stored, centred, output.kind, head.bias, comparable(centred, output.kind)
        )
        return Intervention(
            output=output.name,
            layer=head.route,
            before=effect.before,
            after=effect.after,
            excess=effect.excess,
            responsible=effect.responsible,
        )

    def _as_pixels(self, repeats: RepeatedRuns, output: OutputBehaviour) -> Intervention:
        """Whether an output that is constant for inputs from 0 to 1 varies from 0 to 255."""
        pixels = InputVariant("e", DomainTransform("*255", (255.0,)))
        values = self.runner.predict("x", pixels)[output.name]
        found = collapse(np.nan_to_num(values), output.kind, InputDiversity(synthetic=True))
        return Intervention(
            output=output.name,
            before=informativeness(repeats.given[output.name], output.kind),
            after=informativeness(values, output.kind),
            responsible=not found.collapsed,
        )

    def _cleared(self, repeats: RepeatedRuns, output: OutputBehaviour) -> Intervention:
        """The completely negative bias whose removal restores most information."""
        best, after = interventions.best_cleared_bias(
            self.runner, self.artifact, self.paths, output
        )
        before = informativeness(repeats.given[output.name], output.kind)
        return Intervention(output=output.name, layer=best, before=before, after=after)

    def _recalibrated(
        self, repeats: RepeatedRuns, output: OutputBehaviour, only: str
    ) -> Intervention:
        parts = self.runner, self.artifact, self.paths, self.few, only
        after = interventions.with_recalibrated_statistics(*parts)[output.name]
        score = score_of(after, output.kind, self.fed.y)
        return Intervention(
            output=output.name,
            layer=only or UNSET,
            before=informativeness(repeats.given[output.name], output.kind),
            after=informativeness(after, output.kind),
            score=UNSET if score is None else score,
        )

"""Inputs of a study that match the restored model, and the transforms that apply to them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from msgspec import Struct

from modelaudit.audit_types.loading import Port
from modelaudit.audit_types.probe_data import ProbeInputs
from modelaudit.errors import UsageError
from modelaudit.facts import Architecture, Artifact, Shape
from modelaudit.layer_classes import Trait, has, spatial_rank
from modelaudit.measures.architecture.modality import declared_inputs
from modelaudit.measures.architecture.modality_words import WORDS, Modality
from modelaudit.measures.behaviour.accuracy import class_labels
from modelaudit.measures.behaviour.probe_data import input_columns, target_summary
from modelaudit.measures.column_forms import (
    column_forms,
    column_statistics,
    columns_apart,
    is_table,
)
from modelaudit.measures.kernels.input_scale import table_scales
from modelaudit.measures.transforms import NO_CHANNELS, Transform, layout_of, transforms_for
from modelaudit.measures.value_transforms import DomainTransform
from modelaudit.probe.protocol import Observation
from modelaudit.probe.study.inputs import (
    MAX_BYTES,
    InputSpec,
    ProbeData,
    Unprobeable,
    input_spec,
    load_probe_data,
    synthetic,
)
from modelaudit.probe.study.runner import Array
from modelaudit.settings import ProbeSettings, Tasks
from modelaudit.structs import replace
from modelaudit.thresholds.training import LARGE_COLUMN

MAX_IMAGES = 1000


class PreparedInputs(Struct, frozen=True):
    """Inputs of a study.

    Attributes:
        arrays: one per input of the model, in its order.
        mix: synthetic inputs in the same value range if `arrays` are the user's, else None.
        y: the user's labels or targets (n, ...), or None.
        classes: names of the classes that integers in `y` refer to; empty without names.
        info: description of the inputs.
        moves: for each input, its spatial transforms by name.
        rescaled: for each input, whether it has pixels or similar values (rather than tokens).
        oriented: whether the transforms exchange sides of an input, rather than reverse time.
        tasks: what the user declares the outputs to be for, as in `ProbeSettings`.
        output_bytes: size of the outputs for one input, 0 if unknown.
        layer_bytes: memory for the outputs of all layers for one input, as far as it is known.
        at_once: maximum number of inputs per call, if the model or its sizes limit it.
        vocabularies: for each built-in input, the number of its tokens; None without or unknown.
        counts: for each built-in input, whether it has integers of a table of unknown range.
        columns: other forms of the columns of the user's table.
    """

    arrays: tuple[Array, ...]
    mix: tuple[Array, ...] | None
    y: Array | None
    info: ProbeInputs
    moves: tuple[Mapping[str, Transform], ...]
    rescaled: tuple[bool, ...]
    oriented: bool = True
    tasks: Tasks = ()
    output_bytes: int = 0
    layer_bytes: int = 0
    at_once: int | None = None
    classes: tuple[str, ...] = ()
    vocabularies: tuple[int | None, ...] = ()
    counts: tuple[bool, ...] = ()
    columns: tuple[DomainTransform, ...] = ()


def prepare_inputs(
    seen: Observation, artifact: Artifact, settings: ProbeSettings, data: Path | None
) -> PreparedInputs | Unprobeable:
    """Inputs for a restored model: the user's data if they match it, else synthetic inputs.

    The user's data are used for a model with one input. If they do not match, the notes contain
    the reason.
    """
    specs = []
    ports, changed = _as_saved(seen.inputs, artifact)
    for port in ports:
        spec = input_spec(port, artifact)
        if isinstance(spec, Unprobeable):
            return spec
        specs.append(spec)
    if not specs:
        why = f": {'; '.join(seen.notes)}" if seen.notes else ""
        return Unprobeable(f"the restored model has no inputs{why}")
    notes, unused = (*changed, *seen.notes), ""
    if data is not None:
        if len(specs) == 1:
            try:
                given = load_probe_data(
                    data,
                    specs[0].shape,
                    resize=settings.resize,
                    max_images=MAX_IMAGES,
                    pixels=specs[0].pixels or (specs[0].value_range,),
                    classes=class_names(artifact),
                )
            except UsageError as error:
                unused = f"the probe data do not match this model: {error}"
            else:
                given = replace(given, notes=(*given.notes, *notes))
                return _user(given, specs[0], artifact, settings)
        else:
            unused = f"the model has {len(specs)} inputs, the probe data have one"
    notes = (unused, *notes) if unused else notes
    made = _built_in(specs, artifact, settings, notes)
    if isinstance(made, Unprobeable):
        return made
    return replace(made, info=replace(made.info, unused=unused))


def class_names(artifact: Artifact) -> tuple[str, ...]:
    """The names of the classes in a file beside the model; () if there is none."""
    beside = artifact.extra.get("labels")
    names = beside.get("names") if isinstance(beside, dict) else None
    return tuple(map(str, names)) if isinstance(names, list) else ()


def _as_saved(
    restored: Sequence[Port], artifact: Artifact
) -> tuple[tuple[Port, ...], tuple[str, ...]]:
    """The inputs with the shapes that they were saved with, and notes on those that differ.

    A loader may give an input another shape; callers still pass what the model was made for.
    """
    saved = declared_inputs(artifact) if artifact.architecture else ()
    by_name = {port.name: port for port in saved}
    ports, notes = [], []
    for place, port in enumerate(restored):
        alone = saved[place] if len(saved) == len(restored) else None
        shape = getattr(by_name.get(port.name, alone), "shape", None)
        if shape is not None and port.shape is not None and not _agree(shape, port.shape):
            notes.append(
                f"input {port.name!r} was saved with shape {shape} and restored with {port.shape}; "
                "the model was called as saved"
            )
            ports.append(replace(port, shape=shape))
        else:
            ports.append(port)
    return tuple(ports), tuple(notes)


def _agree(saved: Shape, restored: Shape) -> bool:
    """Whether inputs of one shape can have the other, in which None matches any size."""
    return len(saved) == len(restored) and all(
        a is None or b is None or a == b for a, b in zip(saved, restored, strict=True)
    )


def _user(
    given: ProbeData, spec: InputSpec, artifact: Artifact, settings: ProbeSettings
) -> PreparedInputs | Unprobeable:
    dtype = "float32" if spec.dtype == "bfloat16" else spec.dtype
    x = np.ascontiguousarray(given.x, dtype=dtype)
    mix = synthetic(replace(spec, value_range=given.value_range), settings.samples, settings.seed)
    info = ProbeInputs(
        kind="user",
        n=len(x),
        shape=x.shape,
        value_range=(float(x.min()), float(x.max())) if x.size else (0.0, 0.0),
        stated_range=spec.value_range if spec.pixels else None,
        source=given.source,
        labelled=given.y is not None,
        largest_class=_largest_class(given.y),
        targets=target_summary(given.y) if given.y is not None else None,
        columns=input_columns(x, given.y),
        notes=given.notes,
    )
    columns: tuple[DomainTransform, ...] = ()
    if spec.modality is Modality.TABLE and is_table(x):
        stored = column_statistics(artifact, x.shape[1])
        columns = column_forms(x, stored) if stored is not None or given.y is not None else ()
        if stored is not None and stored.exact and (shifted := columns_apart(x, stored)):
            form = columns[0].name if len(columns) == 1 else ""
            info = replace(info, shifted=shifted, correction=form)
    return PreparedInputs(
        arrays=(x,),
        mix=None if isinstance(mix, Unprobeable) else (mix.x,),
        y=given.y,
        info=info,
        moves=(_moves(x.shape, spec, artifact.architecture),),
        rescaled=(_has_pixels(spec) or bool(columns),),
        columns=columns,
        oriented=WORDS[spec.modality].oriented,
        tasks=settings.tasks,
        classes=given.labels,
    )


def _built_in(
    specs: Sequence[InputSpec],
    artifact: Artifact,
    settings: ProbeSettings,
    notes: tuple[str, ...],
) -> PreparedInputs | Unprobeable:
    made, architecture = [], artifact.architecture
    for place, spec in enumerate(specs):
        data = synthetic(spec, settings.samples, settings.seed + place)
        if not isinstance(data, Unprobeable) and len(specs) == 1 and spec.assumed:
            data = _as_in_training(data, artifact)
        if isinstance(data, Unprobeable):
            return data
        made.append(data)
    n = min(len(data.x) for data in made)
    arrays = tuple(data.x[:n] for data in made)
    first = arrays[0]
    numeric = first.size > 0 and first.dtype.kind in "fiub"
    info = ProbeInputs(
        kind="synthetic",
        n=n,
        shape=first.shape,
        value_range=(float(first.min()), float(first.max())) if numeric else (0.0, 0.0),
        seed=settings.seed,
        source="built-in mix",
        notes=(*notes, *(note for data in made for note in data.notes)),
    )
    moves = tuple(
        _moves(x.shape, spec, architecture) for x, spec in zip(arrays, specs, strict=True)
    )
    rescaled = tuple(map(_has_pixels, specs))
    oriented = any(WORDS[spec.modality].oriented for spec in specs)
    return PreparedInputs(
        arrays,
        None,
        None,
        info,
        moves,
        rescaled,
        oriented,
        settings.tasks,
        vocabularies=tuple(spec.vocabulary for spec in specs),
        counts=tuple(spec.modality is Modality.TABLE and spec.unknown_integers for spec in specs),
    )


def _as_in_training(data: ProbeData, artifact: Artifact) -> ProbeData:
    """Rows of a table with large columns on the scale that the optimizer's averages show.

    Of a column, the root mean square is known, but not whether it has negative values: one half of
    the rows has none, and is between 0.5 and 1.5 times that, the other one both signs.
    """
    x, (low, high) = data.x, data.value_range
    scales = table_scales(artifact, x.shape[1], MAX_BYTES) if x.ndim == 2 else None
    if scales is None:
        return data
    share = (x - low) / (high - low)  # 0 to 1
    positive = (np.arange(len(x)) // 2 % 2 == 0)[:, None]
    scaled = np.where(positive, 0.5 + share, math.sqrt(3) * (2 * share - 1)) * scales
    x = np.where(scales > LARGE_COLUMN.value, scaled, x).astype(x.dtype)
    note = f"columns as large as in training, up to {scales.max():.4g}, by the optimizer's averages"
    bounds = (float(x.min()), float(x.max()))
    return replace(data, x=x, value_range=bounds, notes=(*data.notes[1:], note))


def _largest_class(y: Array | None) -> float | None:
    """Share of the most frequent label in [0, 1]; None without class labels."""
    labels = class_labels(y) if y is not None else None
    if labels is None:
        return None
    return float(np.unique(labels, return_counts=True)[1].max() / len(labels))


def _has_pixels(spec: InputSpec) -> bool:
    return spec.vocabulary is None and WORDS[spec.modality].oriented


def _moves(
    shape: Shape, spec: InputSpec, architecture: Architecture | None
) -> Mapping[str, Transform]:
    """Transforms that preserve the shape of this input and make sense for its kind of data."""
    words = WORDS[spec.modality]
    if spec.vocabulary is not None or not (words.oriented or words.timed):
        return {}
    if words.timed and len(shape) != 3:  # of a spectrogram, any axis may be time
        return {}
    layout = "channels_last" if words.timed else _layout(shape, architecture)
    return {move.name: move for move in transforms_for(shape, layout)}


def _layout(shape: Shape, architecture: Architecture | None) -> str:
    """channels_last, channels_first, or `NO_CHANNELS`."""
    layers = architecture.layers if architecture else ()
    for layer in layers:
        if has(layer.class_name, Trait.CONVOLUTION) and spatial_rank(layer.class_name) > 1:
            said = layer.config.get("data_format")
            if said == "channels_first":
                return "channels_first"
            break
    if any(has(layer.class_name, Trait.SEQUENCE) for layer in layers):
        return "channels_last"
    layout = layout_of(shape)
    return NO_CHANNELS if layout == NO_CHANNELS else "channels_last"

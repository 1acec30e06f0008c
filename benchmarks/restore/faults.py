"""The catalogue of restore faults: what each is, where it applies, and what a finding must say.

Severity asked: high if the model loads with other outputs than those it was trained for, or not at
all; medium if the outputs are the same up to rounding, only depend on how the file is loaded, or if
training may have done it (a regularized kernel of zeros); low if only the state of training is
concerned.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from benchmarks.restore import bundles, files, values
from benchmarks.restore import formats as forms

HIGH, MEDIUM, LOW = "high", "medium", "low"


@dataclass(frozen=True)
class Fault:
    """One mechanism.

    A finding names it if its code is among `codes` or its text matches `words`, and if it mentions
    one of the faulty layers, where the format stores names of layers. With `golden`, a record of
    the sound model lies beside the faulty one. With `run`, it shows only when the model is run.
    """

    name: str
    formats: tuple[str, ...]
    codes: tuple[str, ...]
    words: str
    severity: str = HIGH
    harm: values.Harm | None = None
    edit: files.Edit | None = None
    golden: bool = False
    run: bool = False
    count: int = 3


def _value(
    harm: values.Harm, codes: tuple[str, ...], words: str, count: int = 6,
    formats: tuple[str, ...] = forms.ALL,
) -> Fault:  # fmt: skip
    return Fault(harm.__name__, formats, codes, words, harm=harm, count=count)


def _golden(harm: values.Harm, count: int = 2) -> Fault:
    formats = ("keras", "h5", "export", "keras_k2", "h5_k2", "saved_k2")
    return Fault(harm.__name__, formats, ("MA410", "MA411"), "record", harm=harm, golden=True,
                 count=count)  # fmt: skip


def _file(
    edit: Callable[..., list[str]], formats: tuple[str, ...], codes: tuple[str, ...], words: str,
    severity: str = HIGH, count: int = 3, *, golden: bool = False, run: bool = False,
) -> Fault:  # fmt: skip
    return Fault(edit.__name__, formats, codes, words, severity, None, edit, golden, run, count)


INITIAL = ("MA404", "MA405")
GONE = ("MA113", "MA124", "MA407")
LACKS = ("MA107", "MA108", "MA112", "MA119", "MA408", "MA417")
ORDER = ("MA123",)
SHAPE = ("MA114", "MA417", "MA109", "MA210")
BROKEN = ("MA102", "MA106", "MA109", "MA110", "MA119")
RECORDED = ("MA410", "MA411")

FAULTS: tuple[Fault, ...] = (
    _value(values.layer_redrawn, INITIAL, "initial", 11),
    _value(values.head_redrawn, INITIAL, "initial"),
    _value(values.body_redrawn, INITIAL, "initial"),
    _value(values.half_redrawn, INITIAL, "initial", 8),
    _value(values.all_redrawn, ("MA404", "MA401", "MA402"), "initial|never trained", 5),
    _value(values.embedding_redrawn, INITIAL, "initial", 4),
    _value(values.recurrent_redrawn, INITIAL, "initial", 6),
    _value(values.statistics_reset, ("MA401", "MA402"), "moving"),
    _value(values.one_statistic_reset, ("MA401", "MA402"), "moving"),
    _value(values.statistics_swapped, ("MA403",), "negative|variance"),
    _value(values.variance_negative, ("MA403",), "negative"),
    _value(values.variance_zero, ("MA421",), "moving variance", 5),
    _value(values.gamma_zero, ("MA406", "MA421"), "gamma", 5),
    _value(values.nan_values, ("MA111",), "NaN|finite", 4),
    _value(values.infinite_value, ("MA111",), "infinite", 4),
    _value(values.huge_value, ("MA420",), r"1e\+38"),
    _value(values.kernel_zero, ("MA406",), "is 0|zero"),
    _value(values.zero_block, ("MA419",), "zero"),
    _value(values.bytes_swapped, ("MA111", "MA420"), "byte"),
    _golden(values.layers_swapped, 3),
    _golden(values.kernel_transposed),
    _golden(values.kernel_rotated),
    _golden(values.rows_permuted),
    _golden(values.rounded_to_half),
    _golden(values.sign_flipped),
    _golden(values.tensor_of_other_epoch),
    _golden(values.weights_of_other_epoch),
    _golden(values.affine_swapped),
    _golden(values.stale_average),
    _file(files.exponent_bit_flipped, ("h5", "h5_k2", "keras"), RECORDED, "record", golden=True),
    _file(files.activation_edited, forms.WITH_CONFIG, RECORDED, "record", golden=True, run=True),
    _file(files.epsilon_edited, forms.WITH_CONFIG, RECORDED, "record", golden=True, run=True),
    _file(files.padding_edited, forms.WITH_CONFIG, RECORDED, "record", count=1, golden=True,
          run=True),
    _file(files.units_edited, (*forms.WITH_CONFIG, *forms.BESIDE), SHAPE, "shape"),
    _file(files.stored_as_half, forms.HDF5, ("MA125",), "float16", MEDIUM),
    _file(files.stored_as_double, forms.HDF5, ("MA125",), "float64", LOW, 2),
    _file(files.kernel_as_integers, forms.HDF5, ("MA125", "MA406"), "int32"),
    _file(files.weight_of_other_shape, forms.HDF5, SHAPE, "shape"),
    _file(files.weight_missing, forms.HDF5, LACKS, "missing", count=5),
    _file(files.truncated, forms.HDF5, BROKEN, "truncated|cut"),
    _file(files.layer_names_reordered, forms.LEGACY_H5, ORDER, "order", count=4),
    _file(files.layer_groups_exchanged, forms.LEGACY_H5, ORDER, "order|name"),
    _file(files.weight_names_reordered, forms.LEGACY_H5, ORDER, "order", count=4),
    _file(files.layer_missing_from_weights, forms.LEGACY_H5, LACKS, "missing", count=4),
    _file(files.layers_hold_nothing, forms.LEGACY_H5, LACKS, "no weights|missing"),
    _file(files.foreign_layer_added, forms.LEGACY_H5, ("MA113", "MA124"), "belong", MEDIUM),
    _file(files.optimizer_state_lost, ("h5", "h5_k2"), ("MA424",), "optimizer", LOW, 2),
    _file(files.optimizer_state_partial, ("h5", "h5_k2"), ("MA424",), "optimizer", LOW, 2),
    _file(files.v3_groups_exchanged, forms.NAMED_V3, ORDER, "order|name", count=4),
    _file(files.v3_layer_missing, forms.V3, LACKS, "missing", count=4),
    _file(files.v3_holds_nothing, forms.V3, LACKS, "no weights|missing"),
    _file(files.v3_of_another_net, forms.NAMED_V3, (*ORDER, *GONE), "name"),
    _file(files.v3_optimizer_partial, ("keras", "keras_k2"), ("MA424",), "optimizer", LOW, 2),
    _file(files.v3_optimizer_lost, ("keras", "keras_k2"), ("MA424",), "optimizer", LOW, 2),
    _file(files.archive_lacks_config, ("keras", "keras_k2"), LACKS, "config.json", count=2),
    _file(files.archive_lacks_weights, ("keras", "keras_k2"), LACKS, "weights", count=2),
    _file(files.layer_missing_from_config, forms.WITH_CONFIG, GONE, "belong", count=4),
    _file(files.layer_beside_missing, forms.BESIDE, (*GONE, *SHAPE, *ORDER), "belong", MEDIUM, 4),
    _file(files.layers_renamed, ("weights_k2",), ("MA112", "MA113", "MA123", "MA124"), "name",
          MEDIUM),
    _file(bundles.shard_missing, forms.BUNDLES, LACKS, "missing"),
    _file(bundles.index_missing, forms.BUNDLES, LACKS, "missing|index"),
    _file(bundles.data_truncated, forms.BUNDLES, BROKEN, "truncated|short"),
    _file(bundles.data_bit_flipped, forms.BUNDLES, BROKEN, "checksum"),
    _file(bundles.variable_missing, forms.BUNDLES, LACKS, "not in the index|missing", count=6),
    _file(bundles.variable_of_other_shape, (*forms.BUNDLES,), SHAPE, "shape", count=5),
    _file(bundles.layer_untracked, forms.OBJECTS, LACKS, "missing|needs", count=4),
    _file(bundles.keys_exchanged, forms.TRACKED, (*ORDER, "MA407", "MA415"), "name|order", count=5),
    _file(bundles.slots_partial, forms.OBJECTS, ("MA424",), "optimizer|slot", LOW, 2),
    _file(bundles.slots_missing, forms.OBJECTS, ("MA424",), "optimizer|slot", LOW, 1),
    _file(bundles.state_points_nowhere, forms.STATES, ("MA116", "MA107"), "state", MEDIUM),
    _file(bundles.state_points_to_older, forms.STATES, ("MA116",), "state|older", MEDIUM),
    _file(bundles.fingerprint_foreign, forms.SAVED, ("MA413",), "fingerprint", MEDIUM),
    _file(bundles.variables_of_other_epoch, forms.SAVED, ("MA413",), "fingerprint", count=4),
    _file(bundles.operation_edited, forms.SAVED, ("MA413", "MA414"), "fingerprint", count=4),
    # tf.saved_model.save writes the same files, and they serve: only `load_model` refuses them.
    _file(bundles.metadata_missing, ("saved_k2",), ("MA425",), "keras_metadata", LOW, 2),
    _file(bundles.metadata_activation, ("saved_k2",), ("MA414",), "graph", count=4),
    _file(bundles.metadata_strides, ("saved_k2",), ("MA414",), "graph", count=2),
    _file(bundles.metadata_epsilon, ("saved_k2",), ("MA414",), "graph", count=2),
    _file(bundles.meta_missing, ("tf1",), ("MA107", "MA423"), r"\.meta", MEDIUM),
    _file(bundles.variable_unknown_to_graph, ("tf1",), ("MA422",), "graph", MEDIUM),
    _file(bundles.average_stale, ("tf1",), (*INITIAL, "MA415"), "average|initial", MEDIUM),
    _value(values.mean_or_variance_reset, ("MA401",), "moving"),
)  # fmt: skip

"""Weight files: what happens when they are loaded into a model built from code.

The model's code is not available, so the question is: with the same code in that runtime, are the
weights in the file loaded into the right variables?
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from modelaudit.audit_types.loading import LoadOutcome
from modelaudit.facts import Artifact, Format
from modelaudit.formats.keras.builtin_layers import without_number
from modelaudit.formats.keras.json_config import mapping, text
from modelaudit.formats.source_code.classes import KERAS, ClassCode, SourceCode
from modelaudit.runtimes.checks.orders.sorted_dictionaries import sorted_dictionaries
from modelaudit.runtimes.checks.own_classes.file_classes import class_of_model
from modelaudit.runtimes.checks.own_classes.kept_variables import class_of
from modelaudit.runtimes.checks.own_classes.traced_calls import traced_calls
from modelaudit.runtimes.checks.own_classes.untracked_objects import untracked_objects
from modelaudit.runtimes.checks.sizes import no_columns
from modelaudit.runtimes.checks.stored.checkpoints import check_checkpoint
from modelaudit.runtimes.checks.stored.counted_layers import counted_by_keras3, counted_elsewhere
from modelaudit.runtimes.checks.stored.inner_statistics import inner_statistics
from modelaudit.runtimes.checks.stored.layer_counts import check_counts
from modelaudit.runtimes.checks.stored.learnt_bins import (
    learnt_bins_in_keras2,
    learnt_bins_in_keras3,
)
from modelaudit.runtimes.checks.stored.nested_containers import (
    nested_containers,
    unsaved_inner_lists,
)
from modelaudit.runtimes.checks.stored.numbered_weights import check_numbered
from modelaudit.runtimes.checks.stored.object_paths import weights
from modelaudit.runtimes.checks.stored.optimizer_only import optimizer_only
from modelaudit.runtimes.checks.stored.optimizer_order import nadam_in_archive
from modelaudit.runtimes.checks.stored.own_variables import check_variables
from modelaudit.runtimes.checks.stored.recurrent_defaults import recurrent_defaults
from modelaudit.runtimes.checks.stored.weight_layouts import (
    COUNTED,
    LISTED_FIRST,
    OLD_LAYOUT,
    UNCOUNTED,
    layouts_of,
    older_groups,
    only_listed,
    replaced,
)
from modelaudit.runtimes.model import CheckContext, LoadCall, Reason
from modelaudit.runtimes.profile import RuntimeProfile, numbers
from modelaudit.runtimes.version_bounds import TOP_LEVEL_GROUP

# What every Keras says of a layer without weights in a file.
NOT_RECEIVED = "received 0 variables during loading"
_OWN_WEIGHTS = "vars/"  # beginning of the names of weights of the model itself, in any layout
_SCALED = "optimizer/inner_optimizer/"  # of Keras 3, around another optimizer


def check(artifact: Artifact, context: CheckContext) -> Iterator[Reason]:
    """Reasons for `load_weights` and `Checkpoint.restore`."""
    if artifact.format is Format.TF2_CHECKPOINT:
        yield from check_checkpoint(artifact, context)
    elif artifact.format is Format.WEIGHTS_H5_V3:
        yield from v3_layout(artifact, context)
        if not any(weights(artifact)):  # the metrics are looked for all the same
            yield from _trained(artifact, context)
        yield from check_variables(artifact, context)
    else:
        yield from check_numbered(artifact, context)
        yield from learnt_bins_in_keras3(artifact, context)
        yield from inner_statistics(artifact, context)
        yield from check_counts(artifact, context)
        yield from check_variables(artifact, context)
        yield from sorted_dictionaries(artifact, context)
        yield from _legacy_layout(artifact, context)
    yield from recurrent_defaults(artifact, context)
    yield from no_columns(artifact, context)
    yield from traced_calls(context)
    yield from untracked_objects(artifact, context)


def v3_layout(artifact: Artifact, context: CheckContext) -> Iterator[Reason]:
    """Compares the layout of .weights.h5 and .keras with the layouts that the runtime reads."""
    profile = context.profile
    if not (names := [tensor.name for tensor in weights(artifact)]):
        return
    if any("\\" in name for name in names):
        yield _windows_names(names, context)
        return
    moved = "" if profile.keras3 else _inner_names(names, artifact, context.code)
    reads = context.behaviour("layouts_read")
    if not profile.archives:
        error = "ValueError: You are trying to load a weight file containing 0 layers"
        yield _layout("has the layout of Keras 2.12 and newer", error, context)
        return
    if profile.keras3 and (lost := replaced(names)):
        what = f"has {lost} below {OLD_LAYOUT}, where this name is put in place of every `layers`"
        yield _layout(what, _received(profile), context)
        return
    for inside, every in _containers(names).items():
        found = [name for name in every if not name.startswith(_OWN_WEIGHTS)]
        if not found:
            continue
        layouts, described, unless = _described(found, inside, artifact, context)
        of_model = any(name.startswith(OLD_LAYOUT) for name in found)
        # Keras 3 looks for the old names only in a file that has them for the whole model.
        hidden = of_model and inside and profile.keras3
        if hidden and not any(name.startswith(OLD_LAYOUT) for name in names):
            layouts = frozenset()
        if reads is None or not layouts.isdisjoint(reads):
            continue
        if inside and _is_layer(inside, artifact, context):
            continue  # the name of an attribute, the same in every version
        where = f" in {inside}/" if inside else ""
        certain = not inside or of_model or _is_model(inside, artifact)
        if not certain:
            unless = f"{inside} is no model, but a layer with a list called layers"
        yield _layout(described + where, _received(profile), context, unless)
        return
    if moved:
        yield _layout(f"has {moved}, as written by Keras 3", _received(profile), context)
        return
    yield from learnt_bins_in_keras2(artifact, context)
    yield from nadam_in_archive(artifact, context)
    yield from optimizer_only(artifact, context)
    yield from nested_containers(artifact, context)
    yield from unsaved_inner_lists(artifact, context)
    if context.request.call is LoadCall.LOAD_WEIGHTS:
        yield from _trackers(artifact, context)
        yield from _trained(artifact, context)
        yield from _scaled(artifact, context)


def _described(
    names: list[str], group: str, artifact: Artifact, context: CheckContext
) -> tuple[frozenset[str], str, str]:
    """As `layouts_of`, for the names in a group, and what else they may be."""
    layouts, described = layouts_of(names, older_groups(artifact, group))
    older = OLD_LAYOUT in group.split("/")
    if only_listed(names, artifact, context, group=group, older=older):
        layouts, described = LISTED_FIRST
    if layouts >= {UNCOUNTED, COUNTED} and (
        other := counted_elsewhere(names, group, artifact, context.code)
    ):
        described = f"has {other} with the number that Keras 2.12 to 2.14 give it"
        return layouts - {COUNTED}, described, f"the model makes {other} before others of its class"
    if layouts >= {UNCOUNTED, COUNTED} and (
        late := counted_by_keras3(names, artifact, context.code)
    ):
        return layouts - {UNCOUNTED}, f"has {late} with the number that Keras 3 gives it", ""
    return layouts, described, ""


def _containers(names: list[str]) -> dict[str, list[str]]:
    """Group -> names inside it, for the root ("") and all groups with a list of layers."""
    lists = re.compile(f"/(?=(?:layers|{OLD_LAYOUT})/)")
    groups = {name[: found.start()] for name in names for found in lists.finditer(name)}
    inside: dict[str, list[str]] = {"": names, **{group: [] for group in sorted(groups)}}
    for name in names:
        for found in re.finditer("/", name):
            if (group := name[: found.start()]) in groups:
                inside[group].append(name[found.end() :])
    return inside


def _is_model(group: str, artifact: Artifact) -> bool:
    """Whether a group is that of a model: by its name, its noted name, or the layer of an input."""
    noted = mapping(mapping(artifact.extra.get("h5")).get("vars_names"))
    if f"{group}/layers/input_layer/vars" in noted:  # a Functional one, or a Sequential with shape
        return True
    return any(
        without_number(name) in ("sequential", "functional", "model")
        for name in (group.rpartition("/")[2], text(noted.get(f"{group}/vars")))
    )


def _is_layer(group: str, artifact: Artifact, context: CheckContext) -> bool:
    """Whether a group is that of a class of the program that is a layer, and keeps `layers`."""
    noted = mapping(mapping(artifact.extra.get("h5")).get("vars_names"))
    found = class_of(text(noted.get(f"{group}/vars")) or group, artifact, context.code)
    if found is None or context.code.base(found).rpartition(".")[2] != "Layer":
        return False
    return any(made.attribute == "layers" for made in found.made)


def _trackers(artifact: Artifact, context: CheckContext) -> Iterator[Reason]:
    """Metrics that the program's model keeps: Keras 2 looks for them, and Keras 3 saves none."""
    owner = None if context.profile.keras3 else class_of_model(artifact, context.code)
    lineage = [] if owner is None else context.code.lineage(owner)
    groups = {tensor.name.partition("/")[0] for tensor in artifact.tensors}
    for each in (one for one in lineage if isinstance(one, ClassCode)):
        for made in each.made:
            metric = made.name.startswith(KERAS) and ".metrics." in made.name
            if metric and not made.listed and made.attribute not in groups:
                yield Reason(
                    "metrics-not-in-file",
                    LoadOutcome.FAILS,
                    f"{each.name} ({each.where}) keeps a metric as {made.attribute}, which "
                    f"{context.profile.name} looks for, and Keras 3 did not save",
                    "ValueError: Layer '…' expected 2 variables, but received 0 variables",
                    "Save the weights with Keras 2, or as legacy .h5.",
                )
                return


def _trained(artifact: Artifact, context: CheckContext) -> Iterator[Reason]:
    """Weights of Keras 3 without the metrics of the model, which Keras 2 looks for."""
    names = [tensor.name for tensor in artifact.tensors]
    saved_trained = any(name.startswith("optimizer/vars/2") for name in names)
    if context.request.trained is False or not (context.request.trained or saved_trained):
        return
    noted = mapping(mapping(artifact.extra.get("h5")).get("vars_names"))
    if not noted or any(name.startswith("metrics/") for name in names):
        return  # Keras 2 notes no names, and saves the metrics that the model has
    if context.behaviour("weights_into_trained") == LoadOutcome.FAILS.value:
        yield Reason(
            "metrics-not-in-file",
            LoadOutcome.FAILS if context.request.trained else LoadOutcome.UNKNOWN,
            f"if the program trains the model before it loads the weights, {context.profile.name} "
            "looks for its metrics, which are not in the file",
            "ValueError: Layer 'loss' expected 2 variables, but received 0 variables",
            "Load the weights before the model is trained.",
        )


def _scaled(artifact: Artifact, context: CheckContext) -> Iterator[Reason]:
    """The optimizer of a model in half precision: Keras 3 gives it more variables than Keras 2.

    The optimizer of Keras 2 for such models refuses a number that is not its own, also before it is
    built. Others ignore it then.
    """
    scaled = any(tensor.name.startswith(_SCALED) for tensor in artifact.tensors)
    if scaled and not context.profile.keras3:
        yield Reason(
            "scaled-optimizer",
            LoadOutcome.FAILS,
            "the file has the optimizer of a model in half precision, whose loss it scales, with "
            f"the variables of Keras 3, which that of {context.profile.name} does not take",
            "AttributeError: 'LossScaleOptimizerV3' object has no attribute 'name'",
            "Load the weights before the model is compiled.",
            unless="the program loads the weights before it compiles the model",
            sign="LossScaleOptimizer",
        )


def _layout(what: str, error: str, context: CheckContext, unless: str = "") -> Reason:
    return Reason(
        "weights-layout",
        LoadOutcome.FAILS,
        f"the weights file {what}, but {context.profile.name} expects other names",
        error,
        "Load it with the Keras that saved it, and save it there as legacy .h5.",
        unless=unless,
        repairs=True,
        sign=NOT_RECEIVED,
    )


# The layers in a MultiHeadAttention of Keras 3.
_ATTENDS = frozenset(("key_dense", "output_dense", "query_dense", "value_dense"))
# Versions of Keras that write and read a layout; of both, any of them may have written it.
_VERSIONS = {"dependencies": "2.14", "dependencies-doubled": "2.12 or 2.13"}
_RENAMED = """\
The weights are intact: take model.weights.h5 out of the archive, rename the groups, put it back.

    import h5py
    with h5py.File("model.weights.h5", "r+") as file:
        for name in [name for name in file if "\\\\" in name]:
            file.move(name, name.replace("\\\\", "/"))"""


def _windows_names(names: list[str], context: CheckContext) -> Reason:
    """Names that the saver joined with the separator of Windows; only its own HDF5 path has /."""
    name = next(name for name in names if "\\" in name).partition("/")[0]
    (layout, *others), _ = layouts_of(each.replace("\\", "/") for each in names)
    versions = "2.12 to 2.15"
    if old := name.startswith(OLD_LAYOUT):
        versions = "2.12 to 2.14" if others else _VERSIONS.get(layout, "2.12 to 2.14")
    return Reason(
        "windows-weight-names",
        LoadOutcome.FAILS,
        f"its groups of weights are named with backslashes ({name}), as Keras {versions} names "
        f"them on Windows, but {context.profile.name} looks for names with /"
        + ("; Keras 2 finds them on Windows only" if not context.profile.keras3 else ""),
        _received(context.profile),
        f"Load it on Windows with TensorFlow {versions}, and save it there as .h5."
        if old
        else _RENAMED,
        repairs=True,
        sign=NOT_RECEIVED,
    )


def _received(profile: RuntimeProfile) -> str:
    if profile.keras3:
        return "ValueError: A total of … objects could not be loaded."
    return f"ValueError: Layer '…' expected … variables, but {NOT_RECEIVED}."


def _inner_names(names: Iterable[str], artifact: Artifact, code: SourceCode) -> str:
    """A sublayer of MultiHeadAttention by its attribute; Keras 2 adds an underscore.

    Attention of the program has such attributes, too, and mostly others beside them.
    """
    held: dict[str, set[str]] = {}
    for name in names:
        parts = name.split("/")
        for index, part in enumerate(parts[1:], start=1):
            held.setdefault("/".join(parts[:index]), set()).add(part)
    for group, children in held.items():
        if children >= _ATTENDS and class_of(group, artifact, code) is None:
            return min(_ATTENDS)
    return ""


def _legacy_layout(artifact: Artifact, context: CheckContext) -> Iterator[Reason]:
    """HDF5 weights of Keras 1 and 2: they load by order everywhere, by name nearly everywhere."""
    if not context.request.by_name:
        return
    profile = context.profile
    top_level = TOP_LEVEL_GROUP.covers(numbers(artifact.provenance.keras or ""))
    if top_level and weights(artifact) and context.behaviour("loads_by_name") is False:
        yield Reason(
            "top-level-weights",
            LoadOutcome.FAILS,
            f"the file has an empty group top_level_model_weights, on which {profile.name} fails "
            "when it loads by name",
            "ValueError: Weight count mismatch for top-level weights of model. Model expects … "
            "top-level weight(s). Received 0 saved top-level weight(s)",
            "Load by order (by_name=False), or use Keras 3.8 or newer.",
        )
    elif profile.keras < (2, 3) and not any(
        tensor.name.startswith(("sequential", "model")) for tensor in weights(artifact)
    ):
        yield Reason(
            "names-chosen-by-keras",
            LoadOutcome.DIFFERS,
            "layers with default names get other names when TensorFlow 1 rebuilds the model; "
            "loading by name skips them",
            "no error",
            "Name the layers in the code, or load by order.",
        )

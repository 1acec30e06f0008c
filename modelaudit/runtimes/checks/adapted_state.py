"""State that `adapt` set, such as words and statistics, which not every runtime restores."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from modelaudit.audit_types.loading import LoadOutcome
from modelaudit.facts import Artifact, Layer
from modelaudit.layer_classes import Trait, has
from modelaudit.runtimes.model import FIRST_CALL, CheckContext, Reason
from modelaudit.runtimes.profile import numbers
from modelaudit.runtimes.saved_config import USE_KERAS_2
from modelaudit.runtimes.version_bounds import TABLES_NOT_IN_HDF5

# Constructor argument that sets a layer's state, instead of adapt().
GIVEN_AS = {"Normalization": "mean", "Discretization": "bin_boundaries"}
TF_IDF = ("tf_idf", "tf-idf")  # names of the output mode that needs weights of words too
_WEIGHTS = "idf_weights"
_NOT_IN_HDF5 = (
    "NotImplementedError: Save or restore weights that is not an instance of `tf.Variable` is not "
    "supported in h5"
)
# Versions of Python from, and up to but without, in which zipfile loses its place where two stored
# files are read in turn.
_LOSE_PLACE = (((3, 12), (3, 12, 9)), ((3, 13), (3, 13, 2)))


def adapted_state(
    layer: Layer, context: CheckContext, archive: bool, old_layout: bool
) -> Iterator[Reason]:
    """State that is not a plain weight, in a format from which this runtime does not restore it."""
    if layer.class_name not in GIVEN_AS and not has(layer.class_name, Trait.VOCABULARY):
        return
    restores: Mapping[str, list[str]] = context.behaviour("restores", {})
    formats = restores.get(layer.class_name)
    apart = archive and has(layer.class_name, Trait.VOCABULARY)  # in a file of the archive
    if apart and layer.config.get("vocabulary") is None and _loses_place(context):
        yield Reason(
            "table-read-in-turn",
            LoadOutcome.FAILS,
            f"`{layer.route}` is a {layer.class_name} whose words are a file of the archive, which "
            f"{context.profile.name} reads in turn with the weights; zipfile of Python "
            f"{context.profile.data['versions']['python']} then loses its place",
            "EOFError",
            "Load with Python 3.11, 3.12.9, 3.13.2 or newer.",
            layer.route,
        )
        return
    if apart and old_layout and layer.config.get("vocabulary") is None and _elsewhere(context):
        yield Reason(
            "table-in-older-layout",
            LoadOutcome.FAILS,
            f"`{layer.route}` is a {layer.class_name} whose words are in a folder with the name "
            f"that Keras 2.12 to 2.14 gave it, and {context.profile.name} looks for another one",
            "TypeError: expected str, bytes or os.PathLike object, not NoneType",
            "Load it with the Keras that saved it, and pass the words to the constructor.",
            layer.route,
        )
        return
    if layer.class_name == "TextVectorization" and layer.config.get("output_mode") in TF_IDF:
        case = restores.get("TextVectorization.tf_idf")
        if case is None and formats:
            context.untested.add("restores")  # the profile is older than this case
        formats = case if formats else formats
    elsewhere = old_layout and context.profile.keras3 and has(layer.class_name, Trait.VOCABULARY)
    if formats is None or (("keras" if archive else "h5") in formats and not elsewhere):
        return
    if layer.config.get(GIVEN_AS.get(layer.class_name, "vocabulary")) is not None:
        return
    if layer.class_name in GIVEN_AS:
        yield Reason(
            "state-not-restored",
            LoadOutcome.DIFFERS,
            f"`{layer.route}` is a {layer.class_name} whose state was set by adapt(); "
            f"{context.profile.name} does not restore it from this format",
            "no error",
            "Pass the state to the constructor, or save it as .keras.",
            layer.route,
        )
    else:
        at_call = context.profile.keras3 and not archive
        yield Reason(
            "table-not-restored",
            LoadOutcome.FAILS,
            f"`{layer.route}` is a {layer.class_name} whose table was set by adapt(); "
            f"{context.profile.name} does not restore it from this format",
            _without_table(context, archive),
            "Pass the table to the constructor, or save it as .keras.",
            layer.route,
            later=FIRST_CALL * at_call,
            loads=at_call,
        )


def _without_table(context: CheckContext, archive: bool) -> str:
    """The error about a table: Keras 3 loads the model, and Keras 2 reads none from HDF5."""
    if context.profile.keras3:
        return "FailedPreconditionError: …Table not initialized."
    refused = not archive and TABLES_NOT_IN_HDF5.holds(context.profile)
    return _NOT_IN_HDF5 if refused else ""


def _elsewhere(context: CheckContext) -> bool:
    """Whether this Keras 2 reads none of the layouts in which layers are dependencies."""
    reads = context.behaviour("layouts_read")
    if context.profile.keras3 or reads is None:
        return False
    return not any(each.startswith("dependencies") for each in reads)


def padded_weights(layer: Layer, artifact: Artifact, context: CheckContext) -> Iterator[Reason]:
    """Weights of words in an archive that are more than the words, up to `max_tokens`.

    Keras 3 gives them to the layer with its words, and compares the numbers.
    """
    words = layer.config.get("vocabulary_size")
    if layer.config.get("output_mode") not in TF_IDF or not context.profile.keras3:
        return
    named = (name for role, name in layer.variables.items() if role.endswith(_WEIGHTS))
    tensor = next((found for name in named if (found := artifact.by_name.get(name))), None)
    if tensor is None or not isinstance(words, int) or layer.config.get("vocabulary") is not None:
        return
    if len(tensor.shape) == 1 and tensor.shape[0] > words:
        yield Reason(
            "padded-weights-of-words",
            LoadOutcome.FAILS,
            f"`{layer.route}` is a {layer.class_name} with pad_to_max_tokens, whose "
            f"{tensor.shape[0]} weights of words are more than its {words} words, which "
            f"{context.profile.name} does not take",
            "ValueError: A total of … objects could not be loaded. …`idf_weights` must be the same "
            f"length as vocabulary. len(idf_weights) is {tensor.shape[0]}; len(vocabulary) is "
            f"{words}",
            "Build the layer in code with the vocabulary and weights of words as arguments.",
            layer.route,
        )


def counted_weights(layer: Layer, context: CheckContext) -> Iterator[Reason]:
    """Weights of words in HDF5 of Keras 2, which Keras 3 does not count among those of a layer."""
    if not (context.profile.keras3 and has(layer.class_name, Trait.VOCABULARY)):
        return
    if layer.config.get("output_mode") in TF_IDF and layer.variables:
        yield Reason(
            "counted-weights-of-words",
            LoadOutcome.FAILS,
            f"`{layer.route}` is a {layer.class_name} whose weights of words are a weight of the "
            f"layer in the file, while {context.profile.name} expects none",
            "ValueError: Layer count mismatch when loading weights from file. Model expected … "
            "layers, found … saved layers.",
            f"{USE_KERAS_2}, or build the model from code.",
            layer.route,
        )


def _loses_place(context: CheckContext) -> bool:
    """Whether tf-keras runs on a Python whose zipfile does not read two stored files in turn.

    See https://github.com/python/cpython/issues/127847.
    """
    profile = context.profile
    version = numbers(profile.data["versions"]["python"])
    return profile.legacy and any(first <= version < mended for first, mended in _LOSE_PLACE)

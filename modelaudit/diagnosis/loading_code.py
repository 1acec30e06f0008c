"""The code that loads a model with a suitable Keras: the first lines of code to paste."""

from __future__ import annotations

from msgspec import Struct

from modelaudit.audit_types.loading import Status
from modelaudit.facts import Artifact
from modelaudit.file_formats import Content, formats
from modelaudit.formats.keras.compiled_losses import KNOWN, compiled_losses, named_outputs
from modelaudit.rules.model import Facts
from modelaudit.rules.model_in_advice import in_shell, with_model
from modelaudit.runtimes.catalogue import has_keras2_objects, is_keras2_model
from modelaudit.runtimes.checks.meta_graphs import tags_argument
from modelaudit.runtimes.profile import numbers

WHOLE = formats(Content.MODEL)
LEGACY = "here-legacy"

IMPORTS = {"keras": "import keras", "tf_keras": "import tf_keras as keras"}
LOAD = 'keras.models.load_model("MODEL", compile=False)'
BUILD = "build_model()"
AS_BUILT = "  # the code that built it, as a Keras model with its weights"
SERVE = """\
import tensorflow as tf
model = tf.saved_model.load("MODEL")
serve = model.signatures["serving_default"]
def predict(inputs):
    return next(iter(serve(tf.constant(inputs)).values())).numpy()"""
UNKNOWN_LOSS = '"sparse_categorical_crossentropy"'


class LoadingCode(Struct, frozen=True):
    """The first lines of code to paste.

    Attributes:
        imports: imports the Keras that supports the model, as `keras`.
        model: the same, and defines `model`, a model of that Keras.
        predict: the code that defines `predict`, a function from inputs to outputs.
        own: the model's path as a word of a command.
        exported: whether Keras 3 exported the model.
        serving: the runtime to repair the model for: that of the settings, else the installed one.
        loss: the loss as an argument of `compile`: the one of the file, or else a usual one.
    """

    imports: str
    model: str
    predict: str
    own: str = "MODEL"
    exported: bool = False
    serving: str = "RUNTIME"
    loss: str = UNKNOWN_LOSS


def loading_code(facts: Facts) -> LoadingCode:
    """The code that loads this model."""
    artifact = facts.artifact
    imports = IMPORTS[_keras(facts)]
    whole = artifact.format in WHOLE or is_keras2_model(artifact)
    get, note = (LOAD, "") if whole else (BUILD, AS_BUILT)
    graph = artifact.format.is_saved_model and not is_keras2_model(artifact)
    serve = SERVE.replace('"MODEL"', f'"MODEL"{tags_argument(artifact)}')
    predict = serve if graph else f"{imports}\npredict = {get}.predict{note}"
    model = f"{imports}\nmodel = {get}{note}"
    return LoadingCode(
        imports,
        with_model(model, facts.path),
        with_model(predict, facts.path),
        in_shell(facts.path),
        artifact.provenance.exporter == "keras3-export",
        facts.settings.serving or facts.installed or "RUNTIME",
        _loss(artifact),
    )


def _loss(artifact: Artifact) -> str:
    """The losses that the file has, as code, if Keras knows all of them."""
    names = named_outputs(artifact.architecture) if artifact.architecture else ()
    losses = [loss for loss in compiled_losses(artifact.training, names) if loss]
    if not losses or len(losses) < len(names) or any(loss.name not in KNOWN for loss in losses):
        return UNKNOWN_LOSS
    code = [
        f"keras.losses.{loss.name.title().replace('_', '')}(from_logits=True)"
        if loss.from_logits
        else f'"{loss.name}"'
        for loss in losses
    ]
    return code[0] if len(names) == 1 else f"[{', '.join(code)}]"


def _keras(facts: Facts) -> str:
    """`keras` or `tf_keras`: the one that loaded the model, or else the one that saved it."""
    artifact = facts.artifact
    loaded = [each for each in facts.observations if each.status is Status.LOADED]
    if artifact.format in WHOLE and loaded:
        return "tf_keras" if loaded[0].runtime == LEGACY else "keras"
    return "tf_keras" if _saved_by_keras_2(artifact) else "keras"


def _saved_by_keras_2(artifact: Artifact) -> bool:
    version = numbers(artifact.provenance.keras or "")
    return has_keras2_objects(artifact) or (bool(version) and version < (3,))

"""Models that are subclasses: only the class knows their layers."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from modelaudit.audit_types.loading import LoadOutcome
from modelaudit.facts import Artifact
from modelaudit.formats.keras.builtin_layers import snake_case
from modelaudit.formats.keras.json_config import mapping, sequence, text
from modelaudit.formats.source_code.classes import KERAS, ClassCode, as_literal
from modelaudit.formats.source_code.methods import CONSTRUCTOR
from modelaudit.runtimes.checks.config import layers_in
from modelaudit.runtimes.checks.own_classes.file_classes import CONNECTED, connects
from modelaudit.runtimes.checks.own_classes.given_code import code_of, refused, takes
from modelaudit.runtimes.checks.stored.weight_layouts import OLD_LAYOUT
from modelaudit.runtimes.model import FIRST_CALL, CheckContext, Reason
from modelaudit.runtimes.profile import numbers
from modelaudit.runtimes.saved_config import Config, is_model

# Layers that give the logarithm of a variance, as they are named in variational models.
_VARIANCE = re.compile(r"log_?(?:var|sigma)", re.IGNORECASE)
_MODEL = re.compile(r"\.(?:Model|Functional)\Z")
_CONNECTED = ("functional", "model")  # names that Keras gives to models of layers with an input
_GROUPS = (OLD_LAYOUT, "layers")  # of such models in files of weights
_INPUT = re.compile(r"input(?:_layer)?(?:_[0-9]+)?")  # the name of one that has none of its own
# Layers of words, of which a model of layers takes what it is built with.
_OF_WORDS = ("StringLookup", "TextVectorization")
_HASHES = "Hashing"
_OF_EVERY_LAYER = frozenset(("name", "trainable", "dtype"))
# First Keras known to write the default arguments of a subclass into its config, so that a config
# without any is that of a class without arguments. 3.11 writes none.
DEFAULTS_WRITTEN = (3, 15)


def check(config: Config, artifact: Artifact, context: CheckContext) -> Iterator[Reason]:
    """What the file of a subclass does not show."""
    name, keras = text(config.get("class_name")), artifact.provenance.keras
    yield from _added_loss(config, artifact, context)
    yield from _of_words(config, context)
    if _lacks_layers(config, artifact, context):
        yield Reason(
            "arguments-of-subclass",
            LoadOutcome.FAILS,
            f"{name} was made of layers that its constructor was given, and saved without them; "
            "it has no `call`, so what loads cannot be called",
            "NotImplementedError: Unimplemented `Model.call()`",
            "Build the model from code and load the weights from the file; save it as a model of "
            "Keras, which has its layers: `keras.Model(model.inputs, model.outputs)`.",
        )
        return
    if _settled(config, context):
        return
    yield from _given_objects(config, artifact, context)
    if context.writer is not None and context.writer.keras3 and _arguments_lost(config, keras):
        lost = _passed(config, context)
        if lost is not None:
            yield from (_lost(name, lost),) if lost else ()
            return
        # Keras 3.15 writes the defaults of optional arguments; a class that notes nothing and does
        # not take a name alone has arguments without a default, as most do.
        bare = set(mapping(config.get("config"))) <= _OF_EVERY_LAYER
        yield Reason(
            "arguments-of-subclass",
            LoadOutcome.FAILS if bare else LoadOutcome.UNKNOWN,
            f"{name} has no `get_config` of its own, so Keras 3 saved it without the arguments "
            "that its constructor was given; where these change shapes, the weights do not fit",
            "ValueError: A total of N objects could not be loaded.",
            "Build the model from code with the same arguments, and load the weights.",
            unless=f"{name} was made without arguments",
        )


def _passed(config: Config, context: CheckContext) -> str | None:
    """An argument that every place in the code passes, and the file has another value of.

    "" if every place passes what the file has or the constructor takes by default; None if the
    places differ, or the code does not tell.
    """
    code = code_of(config, context)
    if code is None or code.constructor is None:
        return None
    kept = {key: as_literal(value) for key, value in mapping(config.get("config")).items()}
    known = {**code.constructor.defaults, **kept}
    lost = [
        next((f"{key}={value}" for key, value in given.items() if known.get(key) != value), "")
        for given in context.code.arguments(code)
    ]
    if not lost or (any(lost) and not all(lost)):
        return None
    return lost[0]


def _lost(name: str, argument: str) -> Reason:
    return Reason(
        "arguments-of-subclass",
        LoadOutcome.FAILS,
        f"{name} has no `get_config` of its own, so Keras saved it without the {argument} that "
        "the code passes to its constructor: the weights do not fit where this changes shapes",
        "ValueError: A total of N objects could not be loaded.",
        f"Give {name} a `get_config` that returns its arguments and save the model again; or build "
        "the model from code with the same arguments, and load the weights.",
    )


def _settled(config: Config, context: CheckContext) -> bool:
    """Whether the code of the class tells that its constructor loses or refuses arguments."""
    code = code_of(config, context)
    if code is None:
        return False
    taken = takes(code, context)
    if taken is not None and taken <= _OF_EVERY_LAYER:
        return True  # it has none to lose
    return refused(code, list(mapping(config.get("config"))), context) is not None


def _given_objects(config: Config, artifact: Artifact, context: CheckContext) -> Iterator[Reason]:
    """A config that Keras 2.13 and later leave empty: of a class that takes nothing, or objects.

    A class that takes models has a training step of its own, so that it needs no loss.
    """
    writer = context.writer
    name, training = text(config.get("class_name")), artifact.training or {}
    kept = mapping(config.get("config"))
    if writer is None or writer.keras3 or (kept and not _connected(kept, artifact)):
        return
    if (lost := _passed(config, context)) is not None:
        yield from (_lost(name, lost),) if lost else ()
        return
    if _needs_none(config, context):
        return
    own_step = "optimizer" in training and training.get("loss") is None
    compiled = (
        " and was compiled without a loss, as classes that are made of models and train them in a "
        "step of their own" * own_step
    )
    yield Reason(
        "arguments-of-subclass",
        LoadOutcome.FAILS if own_step else LoadOutcome.UNKNOWN,
        f"{name} was saved without arguments for its constructor{compiled}; Keras leaves them "
        "out if it cannot save one, and the file does not tell whether the constructor needs any",
        "TypeError: Unable to revive model from config. When overriding the `get_config()` "
        "method, make sure that the returned config contains all items used as arguments",
        "Build the model from code, and load the weights.",
        unless=f"{name} was made without arguments",
    )


def _needs_none(config: Config, context: CheckContext) -> bool:
    """Whether the constructor has a number, text or list of these for each argument.

    Keras 2 leaves out arguments that it cannot save, as objects; it saves such values.
    """
    code = code_of(config, context)
    if code is None or code.constructor is None or code.constructor.required:
        return False
    return not {"", "None"}.intersection(code.constructor.defaults.values())


def _connected(kept: Config, artifact: Artifact, groups: Sequence[str] = _GROUPS[:1]) -> bool:
    """Whether it is made of layers with an input, of which its config says nothing."""
    listed = [tensor.name for tensor in artifact.tensors if tensor.role == "weight"]
    return (
        kept.keys() <= _OF_EVERY_LAYER
        and bool(listed)
        and all(name.partition("/")[0] in groups for name in listed)
    )


def _lacks_layers(config: Config, artifact: Artifact, context: CheckContext) -> bool:
    """Whether the class connects nothing itself, and its config has none of what it was given."""
    code = code_of(config, context)
    called = code is None or context.code.defines(code, "call") is not False
    return (
        not called
        and _is_given_layers(config, context)
        and _connected(mapping(config.get("config")), artifact, _GROUPS)
    )


def _is_given_layers(config: Config, context: CheckContext) -> bool:
    """Whether the code of the class tells that it connects no layers itself."""
    code = code_of(config, context)
    if code is None or context.code.base(code).rpartition(".")[2] not in CONNECTED:
        return False
    return not connects(code, context.code)


def _added_loss(config: Config, artifact: Artifact, context: CheckContext) -> Iterator[Reason]:
    """A variational model that `fit` trains by one loss: its call adds the other one.

    Keras 2 makes the weights of a subclass by running its `call` in a graph, which fails then.
    """
    training = artifact.training
    if context.profile.keras3 or not mapping(config.get("build_config")).get("input_shape"):
        return
    code = code_of(config, context)
    if code is not None and "add_loss" not in code.called:
        return
    drawn = any(_VARIANCE.search(tensor.name) for tensor in artifact.tensors)
    if drawn and training is not None and training.get("loss") is not None:
        name = text(config.get("class_name"))
        yield Reason(
            "subclass-built-by-its-call",
            LoadOutcome.FAILS,
            f"{context.profile.name} creates the weights of {name} by running its `call` in a "
            "graph, which fails if `call` adds a loss (`add_loss`), as that of a model with "
            "logarithms of variances and one loss does",
            "ValueError: Expected a symbolic Tensors or a callable for the loss value.",
            "Build the model from code, call it once, and load the weights.",
            unless=f"the call of {name} adds no loss",
        )


def _of_words(config: Config, context: CheckContext) -> Iterator[Reason]:
    """A model that looks up words, which Keras 2 builds by calling it with made up floats.

    A Sequential without an input then takes floats for ever, and a Hashing layer takes none.
    """
    built = mapping(config.get("build_config")).get("input_shape")
    code = code_of(config, context) if built and not context.profile.keras3 else None
    if code and any(
        each.looks_up for each in context.code.lineage(code) if not isinstance(each, str)
    ):
        yield Reason(
            "built-for-floats",
            LoadOutcome.FAILS,
            f"{code.name} ({code.where}) looks up its inputs by `tf.nn.embedding_lookup`, and "
            f"{context.profile.name} makes its weights by a call with floats",
            "ValueError: You cannot build your model by calling `build` if your layers do not "
            "support float type inputs.",
            "Build the model from code, call it once with integers, and load the weights.",
            unless="it makes integers of them first",
        )
        return
    for part in context.code.parts(code) if code else ():
        for made in part.made:
            first, *_ = (*made.inside, made.name)
            kind = first.rpartition(".")[2]
            if kind == _HASHES or (made.inside and kind in _OF_WORDS):
                yield Reason(
                    "built-for-floats",
                    LoadOutcome.FAILS,
                    f"{part.name} ({part.where}) looks up words in {made.attribute} by {kind}, and "
                    f"{context.profile.name} makes the weights of {text(config.get('class_name'))} "
                    "by a call with floats, which it takes from then on",
                    "…Cast string to float is not supported" * (kind != _HASHES),
                    "Build the model from code, call it once with words, and load the weights.",
                    later=FIRST_CALL,
                )
                return


def _arguments_lost(config: Config, keras: str | None) -> bool:
    """Whether Keras wrote the config of a `Model` subclass, not the class itself.

    `Model.__new__` passes no arguments on to where Keras notes them. A config that Keras notes
    has the defaults between `name` and `trainable`; a `get_config` of a class adds its own last.
    """
    keys = list(mapping(config.get("config")))
    if set(keys) <= _OF_EVERY_LAYER:
        return "trainable" in keys and numbers(keras or "") < DEFAULTS_WRITTEN
    return keys[0] == "name" and keys[-2:] == ["trainable", "dtype"]


def in_hdf5(config: Config, artifact: Artifact, context: CheckContext) -> Iterator[Reason]:
    """A subclass in HDF5: its layers have no weights before it is called.

    Models that the class writes into its config come with their weights, if they have an input.
    """
    if _connects(config, context) or _makes_models(config, context):
        return
    groups: dict[str, set[str]] = {}  # stored layer -> the layers in it
    for tensor in artifact.tensors:
        if tensor.role == "weight":
            name = tensor.name.removeprefix("model_weights/")
            groups.setdefault(name.split("/")[0], set()).add(name.rpartition("/")[0])
    given = [node for node in layers_in([dict(mapping(config.get("config")))]) if _has_input(node)]
    if set(groups) <= {text(mapping(node.get("config")).get("name")) for node in given}:
        return
    listed = sequence(mapping(artifact.extra.get("h5")).get("layer_names"))
    inputs = any(_INPUT.fullmatch(text(each)) for each in listed)
    if inputs and not mapping(config.get("config")).keys() <= _OF_EVERY_LAYER:
        return  # its constructor makes it of layers with an input
    name = text(config.get("class_name"))
    built = all(len(each) > 1 for each in groups.values())  # models, perhaps made by its code
    # A weight that is created in the call of the model has the name of the model in its path.
    outer = snake_case(name.rpartition(">")[2])
    inside = (route.split("/") for each in groups.values() for route in each)
    built = built and not any(outer in parts[1:2] for parts in inside)
    # A Sequential that the code gives no input has no weights before it is called either.
    connected = any(group.rstrip("_0123456789") in _CONNECTED for group in groups)
    yield Reason(
        "subclassed-model-in-hdf5",
        LoadOutcome.UNKNOWN
        if (inputs and not _is_given_layers(config, context)) or (built and connected)
        else LoadOutcome.FAILS,
        f"the model is a custom subclass ({name}), for which HDF5 stores no layers that could "
        "receive the weights" + ", unless its constructor creates them with their weights" * built,
        "ValueError: Layer count mismatch when loading weights from file. Model expected 0 layers",
        "Save it as .keras and pass the class in custom_objects, or load the weights into a model "
        "built from code.",
        unless=f"the constructor of {name} makes models with an input" if built else "",
    )


def _connects(config: Config, context: CheckContext) -> bool:
    code = code_of(config, context)
    return code is not None and connects(code, context.code)


def _makes_models(config: Config, context: CheckContext) -> bool:
    """Whether all weights are in models with inputs and outputs, which its constructor makes."""
    code = code_of(config, context)
    lineage = [] if code is None else [*context.code.lineage(code)]
    own = [each for each in lineage if isinstance(each, ClassCode)]
    made = [part for each in own for part in each.made]
    models = [part for part in made if part.name.startswith(KERAS) and _MODEL.search(part.name)]
    return (
        bool(models)
        and all(each.method == CONSTRUCTOR and not each.listed for each in models)
        and not any(map(context.code.makes_weights, made))
        and not any(each.variables or each.weights for each in own)
    )


def _has_input(node: Config) -> bool:
    listed = sequence(mapping(node.get("config")).get("layers"))
    return is_model(node) and any(
        text(mapping(each).get("class_name")) == "InputLayer" for each in listed
    )

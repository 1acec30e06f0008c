"""Models that are subclasses: only the class knows their layers."""

from __future__ import annotations

from collections.abc import Iterator

from modelaudit.audit_types.loading import LoadOutcome
from modelaudit.facts import Artifact
from modelaudit.formats.keras.builtin_layers import snake_case
from modelaudit.formats.keras.json_config import mapping, sequence, text
from modelaudit.runtimes.checks.config import layers_in
from modelaudit.runtimes.model import CheckContext, Reason
from modelaudit.runtimes.profile import numbers
from modelaudit.runtimes.saved_config import Config, is_model

_CONNECTED = ("functional", "model")  # names that Keras gives to models of layers with an input
_OF_EVERY_LAYER = frozenset(("name", "trainable", "dtype"))
# First Keras known to write the default arguments of a subclass into its config, so that a config
# without any is that of a class without arguments. 3.11 writes none.
DEFAULTS_WRITTEN = (3, 15)


def check(config: Config, context: CheckContext, keras: str | None) -> Iterator[Reason]:
    """What the file of a subclass does not show; `keras` is the version that saved it."""
    name = text(config.get("class_name"))
    if context.writer is not None and context.writer.keras3 and _arguments_lost(config, keras):
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


def _arguments_lost(config: Config, keras: str | None) -> bool:
    """Whether Keras wrote the config of a `Model` subclass, not the class itself.

    `Model.__new__` passes no arguments on to where Keras notes them. A config that Keras notes
    has the defaults between `name` and `trainable`; a `get_config` of a class adds its own last.
    """
    keys = list(mapping(config.get("config")))
    if set(keys) <= _OF_EVERY_LAYER:
        return "trainable" in keys and numbers(keras or "") < DEFAULTS_WRITTEN
    return keys[0] == "name" and keys[-2:] == ["trainable", "dtype"]


def in_hdf5(config: Config, artifact: Artifact) -> Iterator[Reason]:
    """A subclass in HDF5: its layers have no weights before it is called.

    Models that the class writes into its config come with their weights, if they have an input.
    """
    groups: dict[str, set[str]] = {}  # stored layer -> the layers in it
    for tensor in artifact.tensors:
        if tensor.role == "weight":
            name = tensor.name.removeprefix("model_weights/")
            groups.setdefault(name.split("/")[0], set()).add(name.rpartition("/")[0])
    given = [node for node in layers_in([dict(mapping(config.get("config")))]) if _has_input(node)]
    if set(groups) <= {text(mapping(node.get("config")).get("name")) for node in given}:
        return
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
        LoadOutcome.UNKNOWN if built and connected else LoadOutcome.FAILS,
        f"the model is a custom subclass ({name}), for which HDF5 stores no layers that could "
        "receive the weights" + ", unless its constructor creates them with their weights" * built,
        "ValueError: Layer count mismatch when loading weights from file. Model expected 0 layers",
        "Save it as .keras and pass the class in custom_objects, or load the weights into a model "
        "built from code.",
        unless=f"the constructor of {name} makes models with an input" if built else "",
    )


def _has_input(node: Config) -> bool:
    listed = sequence(mapping(node.get("config")).get("layers"))
    return is_model(node) and any(
        text(mapping(each).get("class_name")) == "InputLayer" for each in listed
    )
